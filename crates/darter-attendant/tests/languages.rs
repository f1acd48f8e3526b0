//! Language servers over the session: started by a name of the claim and by nothing else, one of a name, ended with the
//! page; those that die, print what is no message, or do not read are told of and harm nobody.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::session::Session;
use support::{Attendant, eventually};

const STDOUT: u8 = 5;
const STDERR: u8 = 6;
const STDIN: u8 = 7;

/// Says everything twice, as a server that answers would.
const ECHO: &str = "import sys
while chunk := sys.stdin.buffer.read1(65536):
    sys.stdout.buffer.write(chunk + chunk); sys.stdout.flush()";

/// With the servers `echo`, `crash`, `deaf` and `gone`.
async fn claimed() -> Attendant {
    let attendant = Attendant::start();
    let python = |script: &str| json!({"title": "T", "argv": ["/usr/bin/python3", "-c", script], "languages": ["x"]});
    let mut echo = python(ECHO);
    echo["initialization"] = json!({"strict": true});
    echo["variables"] = json!({"MOOD": "good"});
    let servers = json!({
        "echo": echo,
        "crash": python("import sys; sys.stderr.write('no memory'); sys.exit(3)"),
        "deaf": python("import time; print('up', flush=True); time.sleep(600)"),
        "gone": {"title": "T", "argv": ["/nowhere/server"], "languages": ["x"]},
    });
    let claim = json!({"workspace": "w1234567890", "language_servers": servers});
    assert_eq!(attendant.post("/v1/claim", &claim).await.status, 200);
    attendant
}

async fn started(session: &mut Session, name: &str) -> (u32, i32) {
    let told = session.ask("language.start", json!({"server": name})).await;
    let number = |field: &str| told.result()[field].as_u64().unwrap() as u32;
    (number("program"), number("pid") as i32)
}

fn lives(pid: i32) -> bool {
    // One that nobody has waited for yet lives no more.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

async fn ended(session: &mut Session, program: u32) -> Value {
    session.notified("program.exit", move |params| params["program"] == program).await
}

#[tokio::test]
async fn the_page_learns_what_there_is_and_not_how_it_is_started() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    let told = session.ask("language.list", json!({})).await;
    let servers = told.result()["servers"].as_array().unwrap();
    let names: Vec<_> = servers.iter().map(|server| server["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["crash", "deaf", "echo", "gone"]);
    assert_eq!((&servers[2]["languages"], &servers[2]["initialization"]), (&json!(["x"]), &json!({"strict": true})));
    assert!(!told.message.to_string().contains("argv"), "{}", told.message);
}

#[tokio::test]
async fn a_workspace_that_describes_none_has_none() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    assert_eq!(session.ask("language.list", json!({})).await.result()["servers"], json!([]));
    assert_eq!(session.ask("language.start", json!({"server": "echo"})).await.code(), "language.unknown");
}

#[tokio::test]
async fn only_a_name_of_the_claim_starts_anything() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    for (params, code) in [
        (json!({"server": "/bin/sh"}), "language.unknown"),
        (json!({"server": "echo; touch x"}), "language.unknown"),
        (json!({"server": "../echo"}), "language.unknown"),
        (json!({"server": ""}), "language.unknown"),
        (json!({"server": "x".repeat(1 << 20)}), "language.unknown"),
        (json!({"server": ["echo"]}), "request.invalid"),
        (json!({}), "request.invalid"),
        (json!({"argv": ["/bin/sh"]}), "request.invalid"),
        (json!({"server": "gone"}), "program.not_found"),
    ] {
        assert_eq!(session.ask("language.start", params.clone()).await.code(), code, "{:.80}", params.to_string());
    }
    // What else the page says is not listened to.
    let odd = json!({"server": "echo", "argv": ["/bin/cat", "/etc/passwd"], "env": {"MOOD": "bad"}, "cwd": "/etc"});
    let told = session.ask("language.start", odd).await;
    let pid = told.result()["pid"].as_u64().unwrap();
    let argv = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(argv.starts_with("/usr/bin/python3\0-c\0import sys"), "{argv:?}");
    assert!(std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap().contains("MOOD=good"));
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), attendant.home);
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_server_ends_with_its_page() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    let (program, pid) = started(&mut session, "echo").await;
    session.frame(STDIN, program, b"Content-Length: 2\r\n\r\n{}").await;
    session.printed(STDOUT, program, "{}Content-Length: 2\r\n\r\n{}").await;
    // Larger than anything that may wait: it goes through in pieces.
    let large = vec![b'x'; 2 << 20];
    session.frame(STDIN, program, &large).await;
    session.frame(STDIN, program, b"the end").await;
    session.printed(STDOUT, program, "the endthe end").await;
    drop(session);
    eventually("it ends with the page", async || !lives(pid)).await;
}

#[tokio::test]
async fn one_of_a_name_runs_at_a_time_for_a_page_and_each_page_has_its_own() {
    let attendant = claimed().await;
    let (mut one, mut other) = (Session::open(&attendant).await, Session::open(&attendant).await);
    let (program, _) = started(&mut one, "echo").await;
    assert_eq!(one.ask("language.start", json!({"server": "echo"})).await.code(), "limit.reached");
    started(&mut one, "deaf").await;
    started(&mut other, "echo").await;
    one.ask("program.kill", json!({"program": program, "signal": "KILL"})).await.result();
    assert_eq!(ended(&mut one, program).await["signal"], "KILL");
    started(&mut one, "echo").await;
}

#[tokio::test]
async fn one_that_dies_says_how_and_may_be_started_again() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    for _ in 0..3 {
        let (program, _) = started(&mut session, "crash").await;
        session.printed(STDERR, program, "no memory").await;
        let last = ended(&mut session, program).await;
        assert_eq!((&last["exit"], last.get("why")), (&json!(3), None), "{last}");
    }
}

#[tokio::test]
async fn one_that_does_not_read_is_ended_before_it_fills_the_session() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    let (program, pid) = started(&mut session, "deaf").await;
    let piece = vec![b'x'; 8 << 20];
    for _ in 0..6 {
        session.frame(STDIN, program, &piece).await;
    }
    let last = ended(&mut session, program).await;
    assert_eq!((&last["exit"], &last["why"]), (&Value::Null, &json!("unread")));
    eventually("it has ended", async || !lives(pid)).await;
    session.ask("ping", json!({})).await.result();
    eventually("what waited for it is given back", async || attendant.private_memory() < 24 << 10).await;
    started(&mut session, "deaf").await;
}

#[tokio::test]
async fn words_for_a_server_that_is_not_there_are_nothing() {
    let attendant = claimed().await;
    let mut session = Session::open(&attendant).await;
    session.frame(STDIN, 7, b"Content-Length: 99999999999\r\n\r\n").await;
    session.frame(STDIN, 0, b"").await;
    let (program, _) = started(&mut session, "echo").await;
    session.frame(STDIN, program, b"").await;
    assert_eq!(ended(&mut session, program).await["exit"], 0);
}
