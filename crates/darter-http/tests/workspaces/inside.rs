//! Files, terminals and programs: what is asked of the attendant, and that its answers are taken as a stranger's.

use axum::body::Body;
use darter_core::Fault;
use darter_testkit::{Answer, Browser, TestPlatform};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::world::{path, until, workspace};

async fn put(browser: &Browser, path: &str, body: &'static [u8]) -> Answer {
    let request = browser.request("PUT", &format!("/api/v1{path}")).header("content-type", "application/octet-stream");
    browser.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn files_are_read_and_written_by_the_attendant_alone() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    test.workspaces.attends(|head, body| {
        let line = head.lines().next().unwrap();
        if line.starts_with("PUT /v1/files?") {
            return match head.contains("if-match: \"old\"") {
                true => (412, json!({ "error": { "code": "file.changed" } }).to_string().into_bytes()),
                false => (200, json!({ "type": "file", "etag": "\"new\"" }).to_string().into_bytes()),
            };
        }
        (200, format!("{line}|{}", String::from_utf8_lossy(body).replace("\r\n", " ")).into_bytes())
    });
    let read = ada.get(&path(&id, "/files?path=/home/user/a%20b%22%0A.txt")).await;
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(String::from_utf8_lossy(&read.bytes), "GET /v1/files?path=%2Fhome%2Fuser%2Fa+b%22%0A.txt HTTP/1.1|");
    assert_eq!(read.header("content-type"), "application/octet-stream");
    assert!(read.header("content-disposition").starts_with("attachment; filename=\"a_b__.txt\""), "{read:?}");
    assert_eq!(read.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'; sandbox");
    let archive = ada.get(&path(&id, "/archive?path=/home/user/src&format=zip")).await;
    assert!(archive.header("content-disposition").contains("src.zip"));
    let written = put(&ada, &path(&id, "/files?path=/a&mode=755"), b"hello").await;
    assert_eq!((written.status, written.header("etag")), (204, "\"new\""), "{written:?}");
    for (tag, expected) in [("\"old\"", (409, "file.changed")), ("any", (400, "request.if_match_invalid"))] {
        let late = ada.request("PUT", &format!("/api/v1{}", path(&id, "/files?path=/a"))).header("if-match", tag);
        let late =
            ada.send(late.header("content-type", "application/octet-stream").body(Body::from("x")).unwrap()).await;
        assert_eq!((late.status, late.code()), expected, "{late:?}");
    }
    assert_eq!(put(&ada, &path(&id, "/archive?path=/a"), b"hello").await.status, 204);
    let made = ada.post(&path(&id, "/files"), json!({ "operation": "mkdir", "path": "/home/user/x" })).await;
    assert_eq!(made.status, 204, "{made:?}");
    for (query, code) in [
        ("files?path=notes.txt", "file.path_invalid"),
        ("files?path=/a%00b", "file.path_invalid"),
        ("archive?path=/a&format=rar", "file.format_unknown"),
        ("files", "request.query_invalid"),
    ] {
        assert_eq!(ada.get(&path(&id, &format!("/{query}"))).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn what_the_attendant_says_of_a_fault_is_never_repeated() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    let read = async |status: u16, body: String| {
        test.workspaces.attends(move |_, _| (status, body.clone().into_bytes()));
        ada.get(&path(&id, "/files?path=/a")).await
    };
    let said = |code: &str| json!({ "error": { "code": code, "message": "<script>evil</script>" } }).to_string();
    for (code, status, ours) in [
        ("file.not_found", 404, "file.not_found"),
        ("file.no_space", 413, "file.no_space"),
        ("file.permission", 403, "file.permission"),
        ("workspace.not_found", 503, "workspace.refused"),
        ("server.internal", 503, "workspace.refused"),
    ] {
        let answer = read(404, said(code)).await;
        assert_eq!((answer.status, answer.code()), (status, ours), "{code}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("evil"));
    }
    assert_eq!(read(500, "x".repeat(1 << 20)).await.code(), "workspace.refused");
    test.workspaces.attends(|_, _| (200, b"{\"entries\":7}".to_vec()));
    assert_eq!(ada.get(&path(&id, "/folder?path=/a")).await.code(), "workspace.connection_lost");
    let entry = json!({ "name": "a", "type": "file", "size": 1, "modified_ms": 2, "mode": 420 });
    let list = json!({ "entries": [entry], "more": false });
    let sent = list.to_string();
    test.workspaces.attends(move |_, _| (200, sent.clone().into_bytes()));
    assert_eq!(ada.get(&path(&id, "/folder?path=/a")).await.body, list);
    test.workspaces.answers(|_, stream| drop(stream));
    assert_eq!(ada.get(&path(&id, "/files?path=/a")).await.code(), "workspace.connection_lost");
    ada.post(&path(&id, "/stop"), json!({})).await;
    test.platform.settle().await;
    *test.workspaces.refuses.lock().unwrap() = Some(Fault::conflict("workspace.recycled", "x"));
    assert_eq!(ada.get(&path(&id, "/files?path=/a")).await.code(), "workspace.recycled");
}

#[tokio::test]
async fn a_terminal_and_a_program_are_reached_from_our_own_pages_and_with_a_token() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    test.workspaces.attends(|_, _| (500, Vec::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = test.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let token = ada.post("/me/tokens", json!({ "name": "t", "scopes": ["write"] })).await;
    let bearer = format!("Bearer {}", token.body["secret"].as_str().unwrap());
    for socket in ["terminal?cols=80&rows=24&cwd=/tmp", "exec"] {
        let url = format!("ws://{address}/api/v1/workspaces/{id}/{socket}");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
        let (mut client, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        client.send(Message::binary(b"ls\n".to_vec())).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(b"ls\n".to_vec()), "{socket}");
        client.close(None).await.unwrap();
    }
    let session = ada.cookie("darter_session").unwrap();
    let mut evil = format!("ws://{address}/api/v1/workspaces/{id}/exec").into_client_request().unwrap();
    evil.headers_mut().insert("cookie", format!("darter_session={session}").parse().unwrap());
    evil.headers_mut().insert("origin", "http://evil.test".parse().unwrap());
    let refused = tokio_tungstenite::connect_async(evil).await.unwrap_err();
    assert!(matches!(refused, tokio_tungstenite::tungstenite::Error::Http(answer) if answer.status() == 403));
    assert_eq!(ada.get(&path(&id, "/exec")).await.code(), "request.not_a_websocket");
}
