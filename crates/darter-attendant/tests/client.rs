//! The platform's client against the real program, and against one that lies.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use darter_attendant::client::{Client, EditorState, Event, Trouble};
use darter_attendant::snapshot::reader::Part;
use serde_json::json;
use support::{Attendant, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

#[tokio::test]
async fn a_workspace_is_claimed_watched_and_synced() {
    let attendant = Attendant::start();
    let client = Client::connect(&attendant.socket, PATIENCE).await.unwrap();
    assert_eq!(client.health().await.unwrap().editor, EditorState::Absent);
    let editor = json!({"argv": ["sh", "-c", "echo up; sleep 1000"], "ready": "up"});
    client.claim(json!({"workspace": "w1234567890", "editor": editor})).await.unwrap();
    let conflict = client.claim(json!({"workspace": "another"})).await.unwrap_err();
    assert!(
        matches!(conflict, Trouble::Refused { status: 409, ref code, .. } if code == "claim.conflict"),
        "{conflict}"
    );
    let mut events = client.events().await.unwrap();
    client.editor_start().await.unwrap();
    loop {
        if let Event::Editor { state: EditorState::Ready, .. } = events.next().await.unwrap() {
            break;
        }
    }
    client.editor_stop(Duration::from_secs(1)).await.unwrap();
    client.sync().await.unwrap();
    assert_eq!(client.health().await.unwrap().editor, EditorState::Ended);
}

#[tokio::test]
async fn a_home_is_read_and_written_back() {
    let attendant = Attendant::start();
    std::fs::write(attendant.at("a"), vec![7; 1_000_000]).unwrap();
    let client = Client::new(&attendant.socket, PATIENCE);
    let mut parts = client.snapshot(&json!({"root": attendant.home})).await.unwrap();
    let (mut stream, mut bytes) = (Vec::new(), 0);
    while let Some(part) = parts.next().await.unwrap() {
        match part {
            Part::Entry(entry) => stream.extend(darter_attendant::snapshot::line::Line::Entry(entry).write()),
            Part::Bytes(_, piece) => {
                bytes += piece.len() as u64;
                stream.extend_from_slice(&piece);
            }
            Part::Torn => panic!("nobody changed it"),
        }
    }
    stream.extend(darter_attendant::snapshot::line::Line::End { files: 1, bytes }.write());
    std::fs::remove_file(attendant.at("a")).unwrap();
    let restored = client.restore(std::io::Cursor::new(stream)).await.unwrap();
    assert_eq!((restored.files, restored.bytes), (1, 1_000_000));
    assert_eq!(std::fs::read(attendant.at("a")).unwrap(), vec![7; 1_000_000]);
    let refused = client.restore(std::io::Cursor::new(b"nonsense\n".to_vec())).await.unwrap_err();
    assert!(matches!(refused, Trouble::Refused { status: 400, .. }), "{refused}");
}

#[tokio::test]
async fn one_that_lies_or_says_nothing_is_not_believed() {
    let folder = support::folder();
    let endless = "x".repeat(200 << 10);
    for (index, answer) in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnonsense!".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {endless}\r\n\r\n"),
        "nonsense\r\n\r\n".to_owned(),
        String::new(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{index}"));
        let listener = UnixListener::bind(&path).unwrap();
        let quiet = answer.is_empty();
        let liar = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1000]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let patience = if quiet { Duration::from_millis(50) } else { PATIENCE };
        let said = Client::new(&path, patience).health().await;
        assert!(matches!(said, Err(Trouble::Silent(_))), "{index}: {said:?}");
        liar.abort();
    }
    assert!(matches!(Client::new("/no/socket", PATIENCE).health().await, Err(Trouble::Silent(_))));
}
