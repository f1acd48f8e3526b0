//! The gateway alone in front of one runtime that listens on a unix socket: for measuring and profiling.
//! `front <listen address> <runtime's socket>`; every host label is the one app.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use darter_core::limits::AppLimits;
use darter_core::record::RequestRecord;
use darter_core::{AppId, Fault, SystemClock, SystemRandom};
use darter_gateway::{AppRoute, Directory, Gateway, GatewayConfig, Listener, NoWorkspaces, Parts, RouteState};
use darter_wire::{Connection, Lease};
use http::{Request, Response};
use http_body_util::Empty;
use tokio::net::{TcpListener, UnixStream};

struct OneApp {
    route: Arc<AppRoute>,
    connection: Connection,
}

#[async_trait]
impl Directory for OneApp {
    fn by_label(&self, _label: &str) -> Option<Arc<AppRoute>> {
        Some(Arc::clone(&self.route))
    }
    fn by_domain(&self, _host: &str) -> Option<Arc<AppRoute>> {
        None
    }
    async fn acquire(&self, _app: &AppId) -> Result<Lease, Fault> {
        Ok(Lease { connection: self.connection.clone(), start: None, guard: Box::new(()) })
    }
    async fn acquire_version(&self, app: &AppId, _function: &str, _version: u32) -> Result<Lease, Fault> {
        self.acquire(app).await
    }
    async fn may_view(&self, _app: &AppId, _token: &str) -> bool {
        false
    }
    fn record(&self, _record: RequestRecord) {}
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(socket)) = (arguments.next(), arguments.next()) else {
        return Err("usage: front <listen address> <runtime's socket>".into());
    };
    let limits = AppLimits { rate_app: 1_000_000, rate_client: 1_000_000, ..AppLimits::default() };
    let route = AppRoute { app: "abcdefghjk".parse()?, state: RouteState::Running, limits: Arc::new(limits) };
    let connection = Connection::start(UnixStream::connect(socket).await?);
    let parts = Parts {
        directory: Arc::new(OneApp { route: Arc::new(route), connection: connection.clone() }),
        doors: Arc::new(NoWorkspaces),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let console = tower::service_fn(|_request: Request<darter_gateway::Intake>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
    });
    let gateway = Gateway::new(GatewayConfig::new("darter.localhost", "darter-apps.localhost"), parts, console)?;
    let listener = Listener::plain(TcpListener::bind(&address).await?);
    writeln!(std::io::stdout(), "serving {address}")?;
    let runtime_ended = async move {
        let _ = connection.closed().await;
    };
    gateway.serve(vec![listener], runtime_ended).await;
    Ok(())
}
