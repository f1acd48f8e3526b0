//! There is no network but loopback, and that is private (`hostile-programs` E).
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{python, run_spec, start, world};

#[test]
fn nothing_outside_is_reachable() {
    world(|world| async move {
        // Something listens on the host's own loopback.
        let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = host.local_addr().unwrap().port();
        let rows: &[(&str, u16)] = &[
            ("169.254.169.254", 80),
            ("100.100.100.200", 80),
            ("10.0.0.1", 80),
            ("192.168.0.1", 80),
            ("172.17.0.1", 2375),
            ("1.1.1.1", 53),
            ("8.8.8.8", 25),
            ("127.0.0.1", port),
            ("127.0.0.1", 3128),
            ("127.0.0.1", 7070),
            ("0.0.0.0", port),
            ("fd00:ec2::254", 80),
            ("fe80::1", 80),
            ("::1", port),
            ("::ffff:127.0.0.1", port),
        ];
        let code = format!(
            "import socket\nfor host, port in {rows:?}:\n  s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)\n  s.settimeout(2)\n  try: s.connect((host, port)); print(host, port, 'REACHED')\n  except OSError as e: print('no')"
        );
        let ran = run_spec(&world.client, python(&code)).await;
        assert_eq!(ran.output, "no\n".repeat(rows.len()));
        host.set_nonblocking(true).unwrap();
        assert!(host.accept().is_err());
    });
}

#[test]
fn listening_is_private_and_so_are_abstract_sockets() {
    world(|world| async move {
        let serve = "import socket,time\ns=socket.socket(); s.bind(('0.0.0.0',8080)); s.listen()\nu=socket.socket(socket.AF_UNIX); u.bind('\\0shared'); u.listen()\nprint('up',flush=True)\ntime.sleep(1000)";
        let (heard, tell) = std::io::pipe().unwrap();
        let first = world.client.create(python(serve).fd(1, tell)).await.unwrap();
        let mut up = [0; 2];
        let mut heard = tokio::net::unix::pipe::Receiver::from_owned_fd(heard.into()).unwrap();
        tokio::io::AsyncReadExt::read_exact(&mut heard, &mut up).await.unwrap();
        let look = "import socket\nfor f,a in ((socket.AF_INET,('127.0.0.1',8080)),(socket.AF_UNIX,'\\0shared')):\n  try: socket.socket(f).connect(a); print('REACHED')\n  except OSError: print('no')";
        let second = start(&world.client, python(look)).await;
        assert_eq!(second.finish().await.output, "no\nno\n");
        assert!(std::net::TcpStream::connect("127.0.0.1:8080").is_err());
        first.kill().await;
    });
}

#[test]
fn interfaces_are_loopback_only_and_packets_cannot_be_forged() {
    world(|world| async move {
        let code = "import socket\nprint(socket.if_nameindex())\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nn=0\nfor _ in range(1000):\n  try: s.sendto(b'x'*1000,('10.1.2.3',9)); n+=1\n  except OSError: pass\nprint(n)";
        assert_eq!(run_spec(&world.client, python(code)).await.output, "[(1, 'lo')]\n0\n");
    });
}
