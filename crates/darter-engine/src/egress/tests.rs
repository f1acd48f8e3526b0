//! The proxy on real sockets of the loopback, with the loopback explicitly allowed where something must be reached.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;

use super::{Meter, Policy, Proxy};
use crate::config::EgressConfig;

fn proxy(config: EgressConfig) -> (Proxy, Arc<Meter>) {
    let meter = Arc::new(Meter::new(config.connections, config.rate, config.burst));
    let wait = Duration::from_secs(20);
    (Proxy::new(Arc::new(Policy::new(config)), Arc::clone(&meter), wait, wait), meter)
}

fn open_loopback() -> EgressConfig {
    EgressConfig { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], ..EgressConfig::default() }
}

fn begin(proxy: &Proxy) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let proxy = proxy.clone();
    tokio::spawn(async move { proxy.handle(theirs).await });
    ours
}

async fn ask(proxy: &Proxy, text: &str) -> String {
    let mut client = begin(proxy);
    client.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_counts_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (proxy, meter) = proxy(open_loopback());
    let mut client = begin(&proxy);
    client.write_all(format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nhello").as_bytes()).await.unwrap();
    let (mut origin, _) = listener.accept().await.unwrap();
    let mut hello = [0; 5];
    origin.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    origin.write_all(b"good bye").await.unwrap();
    drop(origin);
    let mut answer = String::new();
    client.shutdown().await.unwrap();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\ngood bye");
    assert_eq!(meter.bytes(), (5, 8));
}

#[tokio::test]
async fn a_plain_request_reaches_its_origin_in_origin_form() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (proxy, _) = proxy(open_loopback());
    let mut client = begin(&proxy);
    client.write_all(format!("GET http://127.0.0.1:{port}/a?b HTTP/1.1\r\nx: y\r\n\r\n").as_bytes()).await.unwrap();
    let (mut origin, _) = listener.accept().await.unwrap();
    let expected = format!("GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\nx: y\r\n\r\n");
    let mut head = vec![0; expected.len()];
    origin.read_exact(&mut head).await.unwrap();
    assert_eq!(String::from_utf8(head).unwrap(), expected);
}

#[tokio::test]
async fn the_inside_is_refused_in_every_notation() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (proxy, meter) = proxy(EgressConfig::default());
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let answer = ask(&proxy, &format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("is not allowed"), "{host}: {answer}");
    }
    assert_eq!(meter.bytes(), (0, 0));
}

#[tokio::test]
async fn a_closed_port_a_bad_head_and_too_many_connections_are_told_apart() {
    let (proxy, _) = proxy(EgressConfig { connections: 1, ..open_loopback() });
    let answer = ask(&proxy, "CONNECT 127.0.0.1:25 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("port 25"), "{answer}");
    let answer = ask(&proxy, "nonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let held = proxy.meter.places.try_acquire().unwrap();
    let answer = ask(&proxy, "").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    drop(held);
}

#[tokio::test]
async fn nobody_at_the_other_end_is_a_bad_gateway() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (proxy, _) = proxy(open_loopback());
    let answer = ask(&proxy, &format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}

#[tokio::test]
async fn a_tenant_whose_names_are_slow_holds_up_only_itself() {
    let meter = |config: &EgressConfig| Arc::new(Meter::new(config.connections, config.rate, config.burst));
    let config = EgressConfig::default();
    let (slow, other) = (meter(&config), meter(&config));
    let policy = Arc::new(Policy::new(config));
    let wait = Duration::from_millis(50);
    let with = |meter: &Arc<Meter>| Proxy::new(Arc::clone(&policy), Arc::clone(meter), wait, Duration::from_secs(20));
    let all = u32::try_from(slow.lookups.available_permits()).unwrap();
    // As many look-ups as a tenant may have are under way and do not end.
    let held = Arc::clone(&slow.lookups).acquire_many_owned(all).await.unwrap();
    let answer = ask(&with(&slow), "CONNECT localhost:80 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("took too long"), "{answer}");
    let answer = ask(&with(&slow), "CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "an address needs no look-up: {answer}");
    let long = Proxy::new(policy, other, Duration::from_secs(20), Duration::from_secs(20));
    assert!(ask(&long, "CONNECT localhost:80 HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 403"));
    drop(held);
}
