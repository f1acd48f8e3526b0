//! The gateway's questions about workspaces, answered by the platform. Only hands on; hot answers come from memory.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::workspace::Door;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::port::{Protocol, Visibility};
use darter_core::{Fault, WorkspaceId};
use darter_engine::workspace::Signal as Sign;
use darter_gateway::{Connection, Doors, Entry, Front, Signal, Spot, WorkspaceRoute};
use darter_platform::Platform;
use darter_platform::workspace::{self, Doorplate, door};

use super::front::{Pages, Resident};

/// The platform's workspaces as the gateway sees them.
pub struct Entrance {
    pub platform: Arc<Platform>,
    pub pages: Pages,
}

impl Entrance {
    /// What the gateway answers itself for this workspace's editor.
    fn front(&self, id: &WorkspaceId, plate: &Doorplate) -> Arc<dyn Front> {
        let workspaces = &self.platform.workspaces;
        self.pages.front(
            workspaces.environments.page(&plate.environment),
            Resident {
                name: plate.name.clone(),
                depth: plate.depth,
                port_address: workspace::port_address(&self.platform, id),
                credential: format!("token {}", workspaces.editor_token(id)),
                seal: workspaces.page_seal(id),
            },
        )
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
        let plate = self.platform.workspaces.plate(id).filter(|plate| !plate.recycled)?;
        let label = format!("{}-{id}", plate.owner_name).into();
        Some(Arc::new(WorkspaceRoute { id: id.clone(), label, front: self.front(id, &plate) }))
    }

    fn assets(&self, digest: &str) -> Option<Arc<dyn Front>> {
        let folder = self.platform.workspaces.environments.static_files(digest)?;
        Some(Pages::assets(digest, folder))
    }

    fn is_public(&self, id: &WorkspaceId, port: u16) -> bool {
        let plate = self.platform.workspaces.plate(id).filter(|plate| !plate.recycled);
        plate.is_some_and(|plate| plate.ports.get(&port).is_some_and(|(seen, _)| *seen == Visibility::Public))
    }

    fn wants_tls(&self, id: &WorkspaceId, port: u16) -> bool {
        let plate = self.platform.workspaces.plate(id);
        plate.is_some_and(|plate| plate.ports.get(&port).is_some_and(|(_, speaks)| *speaks == Protocol::Https))
    }

    fn is_valid(&self, spot: &Spot, token: &str) -> bool {
        let (key, now) = (&self.platform.workspaces.pass_key, self.platform.clock.now());
        key.verify(token, (&spot.id, spot.port.map_or(Door::Editor, Door::Port)), now).is_some()
    }

    async fn visit(&self, spot: &Spot, visit: &str) -> Result<Option<Entry>, Fault> {
        Ok(door::visit(&self.platform, &place(spot), visit).await?.map(entry))
    }

    async fn redeem(&self, spot: &Spot, code: &str) -> Result<Entry, Fault> {
        door::redeem(&self.platform, &place(spot), code).await.map(entry)
    }

    async fn by_access_token(&self, spot: &Spot, token: &str) -> Result<(), Fault> {
        door::by_access_token(&self.platform, &place(spot), token).await
    }

    fn enter(&self, to: &str) -> String {
        door::console_address(&self.platform, to)
    }

    async fn wake(&self, id: &WorkspaceId, door: Door) -> Result<(), Fault> {
        // The connection itself is not needed: its bytes would wait where the page's will.
        self.connect(id, door).await.map(|_| ())
    }

    async fn has_any(&self, id: &WorkspaceId, paths: &[String]) -> Result<bool, Fault> {
        workspace::inside::has_any(&self.platform, id, paths).await
    }

    async fn connect(&self, id: &WorkspaceId, door: Door) -> Result<Connection, Fault> {
        let connection = self.platform.workspaces.engine.connect(id, door).await?;
        Ok(Connection { stream: connection.stream, lease: connection.lease.0, start: connection.start })
    }

    fn touch(&self, id: &WorkspaceId, signal: Signal) {
        match signal {
            Signal::Input => self.platform.workspaces.engine.touch(id, Sign::Input),
            Signal::Spoke => self.platform.workspaces.engine.touch(id, Sign::Spoke),
            // Its connection says as much.
            Signal::Seen => {}
        }
    }

    fn rests(&self, id: &WorkspaceId) -> bool {
        matches!(self.platform.workspaces.engine.status(id).observed.state, State::Frozen | State::Reclaimed)
    }

    async fn status(&self, id: &WorkspaceId) -> Result<String, Fault> {
        workspace::door::status(&self.platform, id).await
    }

    async fn keep(&self, id: &WorkspaceId, minutes: u32) -> Result<String, Fault> {
        workspace::door::keep(&self.platform, id, minutes).await
    }
}
