//! `CONNECT 127.0.0.1:3000`: raw bytes to a port inside. Only loopback is dialled, whatever the request names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::TcpStream;

use crate::answer::{self, Answer};
use crate::fault::Fault;
use crate::ports::EGRESS;

const BUFFER: usize = 16 << 10;

pub(crate) async fn connect(mut request: Request<Incoming>) -> Answer {
    let port = request.uri().port_u16().filter(|port| *port != 0 && *port != EGRESS);
    let port =
        port.ok_or_else(|| Fault::invalid("name a port from 1 to 65535 other than 3128: CONNECT 127.0.0.1:3000"))?;
    let mut inside = dial(port).await?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(outside) = upgrade.await {
            // Either side's end in one direction is passed on as such; a broken connection simply ends both.
            let _ = copy_bidirectional_with_sizes(&mut TokioIo::new(outside), &mut inside, BUFFER, BUFFER).await;
        }
    });
    Ok(Response::new(answer::empty()))
}

async fn dial(port: u16) -> Result<TcpStream, Fault> {
    let mut refused = String::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => {
                // Small answers should not wait for more: this is a local hop.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => refused = error.to_string(),
        }
    }
    Err(Fault::new("port.refused", format!("nobody listens on port {port} inside ({refused})")))
}
