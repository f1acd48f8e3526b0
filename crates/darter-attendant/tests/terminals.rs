//! Terminals, programs and ports of the real program: echo, size, signals, replay, ends, back-pressure.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use serde_json::{Value, json};
use support::{Attendant, PATIENCE, Socket, eventually, next, next_text, say, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio_tungstenite::tungstenite::Message;

fn typed(text: &str) -> Message {
    Message::Binary(Bytes::copy_from_slice(text.as_bytes()))
}

#[tokio::test]
async fn a_terminal_echoes_resizes_and_tells_how_it_ended() {
    let attendant = Attendant::start();
    let mut socket = attendant.socket("/v1/terminal?cols=90&rows=30").await;
    assert!(next_text(&mut socket).await["terminal"].is_u64());
    say(&mut socket, typed("stty size; echo sum $((20+22))\n")).await;
    let seen = until(&mut socket, "sum 42").await;
    assert!(seen.contains("30 90"), "{seen}");
    say(&mut socket, Message::text(json!({"resize": [132, 43]}).to_string())).await;
    say(&mut socket, typed("stty size\n")).await;
    until(&mut socket, "43 132").await;
    say(&mut socket, typed("exit 7\n")).await;
    assert_eq!(next_text(&mut socket).await, json!({"exit": 7}));
    assert_eq!(attendant.get("/v1/terminals").await.json()["terminals"], json!([]));
}

#[tokio::test]
async fn sizes_out_of_reason_are_brought_within_it() {
    let attendant = Attendant::start();
    let mut socket = attendant.socket("/v1/terminal?cols=0&rows=70000").await;
    say(&mut socket, typed("stty size\n")).await;
    until(&mut socket, "1000 1").await;
}

#[tokio::test]
async fn ctrl_c_and_a_signal_reach_what_is_in_the_foreground() {
    let attendant = Attendant::start();
    let mut socket = attendant.socket("/v1/terminal").await;
    for stop in [typed("\u{3}"), Message::text(json!({"signal": "INT"}).to_string())] {
        let script = "trap \"echo en''ded; exit\" INT; echo st''arted; while :; do sleep 1; done";
        say(&mut socket, typed(&format!("sh -c '{script}'\n"))).await;
        until(&mut socket, "started").await;
        say(&mut socket, stop).await;
        until(&mut socket, "ended").await;
    }
}

#[tokio::test]
async fn who_comes_back_sees_what_was_printed_meanwhile() {
    let attendant = Attendant::start();
    let mut socket = attendant.socket("/v1/terminal").await;
    let id = next_text(&mut socket).await["terminal"].as_u64().unwrap();
    say(&mut socket, typed("echo first; read x; seq 1 100000; echo la''st; touch printed\n")).await;
    until(&mut socket, "first").await;
    say(&mut socket, typed("\n")).await;
    drop(socket);
    eventually("it was printed", async || attendant.at("printed").exists()).await;
    let list = attendant.get("/v1/terminals").await.json();
    assert_eq!(list["terminals"][0]["terminal"], id);
    let mut again = attendant.socket(&format!("/v1/terminal?id={id}")).await;
    let seen = until(&mut again, "last").await;
    assert!(seen.len() <= (256 << 10) + 100, "only so much is kept: {}", seen.len());
    assert!(seen.contains("99999"));
    say(&mut again, typed("echo still $((40+2))\n")).await;
    until(&mut again, "still 42").await;
    assert_eq!(attendant.post("/v1/terminal/close", &json!({"id": id})).await.status, 200);
    let closed = attendant.post("/v1/terminal/close", &json!({"id": id})).await;
    assert_eq!(closed.fault(), (404, "terminal.not_found".into()));
}

#[tokio::test]
async fn two_viewers_see_the_same_and_a_stuck_one_holds_nobody_up() {
    let attendant = Attendant::start();
    let mut reader = attendant.socket("/v1/terminal").await;
    let id = next_text(&mut reader).await["terminal"].as_u64().unwrap();
    let stuck = attendant.socket(&format!("/v1/terminal?id={id}")).await;
    say(&mut reader, typed("seq 1 1000000; echo do''ne\n")).await;
    until(&mut reader, "done").await;
    drop(stuck);
}

#[tokio::test]
async fn there_are_so_many_terminals_and_no_more() {
    let attendant = Attendant::start();
    let mut open = Vec::new();
    for _ in 0..32 {
        let mut socket = attendant.socket("/v1/terminal?shell=/bin/cat").await;
        next_text(&mut socket).await;
        open.push(socket);
    }
    let one_more = attendant.get("/v1/terminal").await;
    assert_eq!(one_more.fault(), (429, "limit.reached".into()));
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let attendant = Attendant::start();
    assert_eq!(attendant.get("/v1/terminal?shell=/no/shell").await.fault(), (404, "program.not_found".into()));
    assert_eq!(attendant.get("/v1/terminal?cwd=/no/folder").await.fault(), (404, "file.not_found".into()));
    assert_eq!(attendant.get("/v1/terminal?id=77").await.fault(), (404, "terminal.not_found".into()));
    assert_eq!(attendant.get("/v1/terminal?cols=x&rows=1").await.fault(), (400, "request.invalid".into()));
}

async fn exec(attendant: &Attendant, request: Value) -> Socket {
    let mut socket = attendant.socket("/v1/exec").await;
    say(&mut socket, Message::text(request.to_string())).await;
    socket
}

/// What a program prints on each stream, and the last text.
async fn outcome(mut socket: Socket) -> (Vec<u8>, Vec<u8>, Value) {
    let mut streams = [Vec::new(), Vec::new(), Vec::new()];
    while let Some(message) = next(&mut socket).await {
        match message {
            Message::Binary(bytes) => streams[usize::from(bytes[0])].extend_from_slice(&bytes[1..]),
            Message::Text(text) => {
                let [_, stdout, stderr] = streams;
                return (stdout, stderr, serde_json::from_str(text.as_str()).unwrap());
            }
            _ => {}
        }
    }
    panic!("no last word");
}

#[tokio::test]
async fn a_program_reads_prints_and_ends() {
    let attendant = Attendant::start();
    let script = "cat; echo \"$MOOD\" >&2; pwd; exit 3";
    let mut socket =
        exec(&attendant, json!({"argv": ["sh", "-c", script], "cwd": "/tmp", "env": {"MOOD": "fine"}})).await;
    say(&mut socket, Message::binary(b"\0\xff\x00odd\n".as_slice())).await;
    say(&mut socket, Message::binary(b"\0".as_slice())).await;
    let (stdout, stderr, last) = outcome(socket).await;
    assert_eq!((stdout.as_slice(), stderr.as_slice()), (b"\xff\x00odd\n/tmp\n".as_slice(), b"fine\n".as_slice()));
    assert_eq!(last, json!({"exit": 3}));
}

#[tokio::test]
async fn a_program_that_a_signal_ended_says_which() {
    let attendant = Attendant::start();
    let mut socket = exec(&attendant, json!({"argv": ["sh", "-c", "echo up; exec sleep 1000"]})).await;
    assert!(matches!(next(&mut socket).await, Some(Message::Binary(bytes)) if &bytes[1..] == b"up\n"));
    say(&mut socket, Message::text(json!({"signal": "KILL"}).to_string())).await;
    assert_eq!(outcome(socket).await.2, json!({"exit": null, "signal": "KILL"}));
}

#[tokio::test]
async fn a_program_on_a_terminal_knows_that_it_is_on_one() {
    let attendant = Attendant::start();
    let request = json!({"argv": ["sh", "-c", "test -t 0 && stty size"], "tty": {"cols": 77, "rows": 11}});
    let (stdout, _, last) = outcome(exec(&attendant, request).await).await;
    assert_eq!((String::from_utf8(stdout).unwrap().trim(), last), ("11 77", json!({"exit": 0})));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_fault_in_the_last_word() {
    let attendant = Attendant::start();
    for (request, code) in [
        (json!({"argv": ["no-such-program"]}), "program.not_found"),
        (json!({"argv": []}), "request.invalid"),
        (json!({"argv": ["a\0b"]}), "request.invalid"),
        (json!({"argv": ["true"], "cwd": "/no/folder"}), "file.not_found"),
    ] {
        let (_, _, last) = outcome(exec(&attendant, request).await).await;
        assert_eq!(last["error"]["code"], code);
    }
}

#[tokio::test]
async fn what_a_program_left_behind_does_not_hold_its_end_up() {
    let attendant = Attendant::start();
    let (_, _, last) = outcome(exec(&attendant, json!({"argv": ["sh", "-c", "sleep 1000 & exit 5"]})).await).await;
    assert_eq!(last, json!({"exit": 5}));
}

fn alive(pid: i32) -> bool {
    // A child that ended and was not waited for counts as gone.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn a_program_ends_with_its_socket() {
    let attendant = Attendant::start();
    for tty in [json!(null), json!({"cols": 80, "rows": 24})] {
        let script = "sleep 1000 & echo $$ $!; wait";
        let mut socket = exec(&attendant, json!({"argv": ["sh", "-c", script], "tty": tty})).await;
        let Some(Message::Binary(bytes)) = next(&mut socket).await else { panic!("the ids") };
        let text = String::from_utf8_lossy(&bytes[1..]).into_owned();
        let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert!(pids.iter().all(|pid| alive(*pid)));
        drop(socket);
        eventually("both are gone", async || !pids.iter().any(|pid| alive(*pid))).await;
    }
}

#[tokio::test]
async fn a_gigabyte_flows_past_a_slow_reader_in_flat_memory() {
    let attendant = Attendant::start();
    let mut socket = exec(&attendant, json!({"argv": ["head", "-c", "1G", "/dev/zero"]})).await;
    let (mut total, mut most) = (0_u64, 0);
    while let Some(message) = next(&mut socket).await {
        match message {
            Message::Binary(bytes) => {
                total += bytes.len() as u64 - 1;
                if total % (64 << 20) < 32 << 10 {
                    // Long enough for the program to run far ahead, were it let.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    most = most.max(attendant.private_memory());
                }
            }
            Message::Text(text) => {
                assert_eq!(text.as_str(), "{\"exit\":0}");
                break;
            }
            _ => {}
        }
    }
    assert_eq!(total, 1 << 30);
    assert!(most < 16 << 10, "{most} KiB were private");
}

#[tokio::test]
async fn a_program_that_never_reads_makes_the_writer_wait() {
    let attendant = Attendant::start();
    let mut socket = exec(&attendant, json!({"argv": ["sleep", "1000"]})).await;
    let piece = Message::binary(vec![0_u8; 64 << 10]);
    let flood = async {
        for _ in 0..16_384 {
            say(&mut socket, piece.clone()).await;
        }
    };
    let stuck = tokio::time::timeout(std::time::Duration::from_secs(2), flood).await;
    assert!(stuck.is_err(), "a gigabyte went into a program that reads nothing");
    assert!(attendant.private_memory() < 16 << 10, "{} KiB", attendant.private_memory());
}

async fn dial(attendant: &Attendant, port: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(&attendant.socket).await.unwrap();
    let head = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn bytes_reach_a_port_and_each_end_is_passed_on_alone() {
    let attendant = Attendant::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inside = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        // The end of what the other side says, while this side goes on.
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).await.unwrap();
    });
    let (mut stream, answer) = dial(&attendant, &port.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream.write_all(&vec![1; 3 << 20]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!(text, "3145728 bytes");
    inside.await.unwrap();
}

#[tokio::test]
async fn a_port_on_the_other_loopback_address_is_found() {
    let attendant = Attendant::start();
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let (_, answer) = dial(&attendant, &listener.local_addr().unwrap().port().to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused_and_some_are_none() {
    let attendant = Attendant::start();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (port, status) in [(free.to_string(), "502"), ("3128".into(), "400"), ("0".into(), "400")] {
        let (_, answer) = dial(&attendant, &port).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{port}: {answer}");
    }
}

#[tokio::test]
async fn a_socket_that_says_nonsense_is_left_alone() {
    let attendant = Attendant::start();
    let mut socket = attendant.socket("/v1/terminal").await;
    for text in ["", "nonsense", "{\"resize\":[1]}", "{\"signal\":\"NONE\"}", "{\"unknown\":1}"] {
        say(&mut socket, Message::text(text)).await;
    }
    say(&mut socket, typed("echo sum $((20+22))\n")).await;
    until(&mut socket, "sum 42").await;
}
