//! The gateway's questions about workspaces, answered by the platform. Only hands on; hot answers come from memory.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::workspace::Door;
use darter_core::workspace::port::Visibility;
use darter_core::{Fault, WorkspaceId};
use darter_engine::workspace::Signal as Sign;
use darter_gateway::{
    Accepted, Connection, Doors, Entry, Front, Page, PageAsk, Signal, Spot, StaticFile, WorkspaceRoute,
};
use darter_platform::Platform;
use darter_platform::workspace::{self, door};

/// The platform's workspaces as the gateway sees them.
pub struct Entrance(pub Arc<Platform>);

/// An editor whose own server answers everything.
struct Whole;

impl Front for Whole {
    fn page(&self, _: &PageAsk<'_>) -> Option<Page> {
        None
    }

    fn file(&self, _: &str, _: Accepted) -> Option<StaticFile> {
        None
    }

    fn digest(&self) -> &str {
        ""
    }
}

fn place(spot: &Spot) -> door::Spot {
    door::Spot { id: spot.id.clone(), port: spot.port }
}

fn entry(entry: door::Entry) -> Entry {
    Entry { token: entry.pass, visit: entry.visit, to: entry.to }
}

#[async_trait]
impl Doors for Entrance {
    fn route(&self, id: &WorkspaceId) -> Option<Arc<WorkspaceRoute>> {
        let plate = self.0.workspaces.plate(id).filter(|plate| !plate.recycled)?;
        let label = format!("{}-{id}", plate.owner_name).into();
        Some(Arc::new(WorkspaceRoute { id: id.clone(), label, front: Arc::new(Whole) }))
    }

    fn assets(&self, _: &str) -> Option<Arc<dyn Front>> {
        None
    }

    fn is_public(&self, id: &WorkspaceId, port: u16) -> bool {
        let plate = self.0.workspaces.plate(id).filter(|plate| !plate.recycled);
        plate.is_some_and(|plate| plate.ports.get(&port).is_some_and(|(seen, _)| *seen == Visibility::Public))
    }

    fn is_valid(&self, spot: &Spot, token: &str) -> bool {
        let (key, now) = (&self.0.workspaces.pass_key, self.0.clock.now());
        key.verify(token, (&spot.id, spot.port.map_or(Door::Editor, Door::Port)), now).is_some()
    }

    async fn visit(&self, spot: &Spot, visit: &str) -> Result<Option<Entry>, Fault> {
        Ok(door::visit(&self.0, &place(spot), visit).await?.map(entry))
    }

    async fn redeem(&self, spot: &Spot, code: &str) -> Result<Entry, Fault> {
        door::redeem(&self.0, &place(spot), code).await.map(entry)
    }

    async fn by_access_token(&self, spot: &Spot, token: &str) -> Result<(), Fault> {
        door::by_access_token(&self.0, &place(spot), token).await
    }

    fn enter(&self, to: &str) -> String {
        door::console_address(&self.0, to)
    }

    async fn wake(&self, id: &WorkspaceId, door: Door) -> Result<(), Fault> {
        // The connection itself is not needed: its bytes would wait where the page's will.
        self.connect(id, door).await.map(|_| ())
    }

    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<Connection, Fault> {
        let connection = self.0.workspaces.engine.connect(id, door).await?;
        Ok(Connection { stream: connection.stream, lease: connection.lease.0, start: connection.start })
    }

    fn touch(&self, id: &WorkspaceId, signal: Signal) {
        match signal {
            Signal::Input => self.0.workspaces.engine.touch(id, Sign::Input),
            // Its connection says as much.
            Signal::Seen => {}
        }
    }

    async fn status(&self, id: &WorkspaceId) -> Result<String, Fault> {
        workspace::door::status(&self.0, id).await
    }

    async fn keep(&self, id: &WorkspaceId, minutes: u32) -> Result<String, Fault> {
        workspace::door::keep(&self.0, id, minutes).await
    }
}
