//! The language server over a real WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::world::World;

#[tokio::test]
async fn an_editor_speaks_with_a_server_of_its_own_and_takes_its_own_place_again() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "api/users", "export default () => 1").await;
    let address = world.listen().await;
    let connect = async || {
        let mut request = format!("ws://{address}/api/v1/apps/{app}/lsp").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", ada.token()).parse().unwrap());
        tokio_tungstenite::connect_async(request).await.unwrap().0
    };
    let mut first = connect().await;
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
    first.send(Message::text(message)).await.unwrap();
    assert_eq!(first.next().await.unwrap().unwrap(), Message::text(message), "one message a frame, both ways");
    assert_eq!(world.engine.take(), ["language server over api/users.ts"]);
    let mut second = connect().await;
    let ended = loop {
        match first.next().await {
            Some(Ok(Message::Close(_)) | Err(_)) | None => break true,
            Some(Ok(_)) => {}
        }
    };
    assert!(ended, "the same person's older page gives its place up");
    second.send(Message::text(message)).await.unwrap();
    assert_eq!(second.next().await.unwrap().unwrap(), Message::text(message));
}

#[tokio::test]
async fn what_anybody_saves_is_told_to_the_server_of_every_open_editor() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    ada.function(&app, "hello", "export default () => 1").await;
    let address = world.listen().await;
    let mut request = format!("ws://{address}/api/v1/apps/{app}/lsp").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", ada.token()).parse().unwrap());
    let mut editor = tokio_tungstenite::connect_async(request).await.unwrap().0;
    // The fake server says back what it hears.
    let mut hears = async |said: Option<&str>| {
        if let Some(said) = said {
            editor.send(Message::text(said)).await.unwrap();
        }
        serde_json::from_str::<serde_json::Value>(editor.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
    };
    assert_eq!(hears(Some(r#"{"method":"initialized"}"#)).await["method"], "initialized");
    ada.function(&app, "api/new", "export const price = 1").await;
    let heard = [hears(None).await, hears(None).await];
    let opened = heard.iter().find(|message| message["method"] == "textDocument/didOpen").unwrap();
    assert_eq!(opened["params"]["textDocument"]["uri"], "file:///work/project/api/new.ts");
    assert_eq!(opened["params"]["textDocument"]["text"], "export const price = 1");
    assert!(heard.iter().any(|message| message["method"] == "darter/projectChanged"), "{heard:?}");
}

#[tokio::test]
async fn types_of_the_sdk_are_given_to_members() {
    let world = World::new().await;
    let ada = world.person("ada").await;
    let app = ada.app("Shop").await;
    let typings = ada.get(&format!("/apps/{app}/typings")).await.body;
    let files = typings.as_array().unwrap();
    assert!(
        files.iter().any(|file| file["path"].as_str().unwrap().ends_with(".d.ts")
            && file["text"].as_str().unwrap().contains("FunctionContext")),
        "{typings}"
    );
}

#[tokio::test]
async fn editors_made_for_laf_speak_with_a_personal_token() {
    let world = World::new().await;
    let (ada, eve) = (world.person("ada").await, world.person("eve").await);
    let app = ada.app("Shop").await;
    ada.function(&app, "api/users", "export default () => 1").await;
    let address = world.listen().await;
    let connect = async |protocol: Option<&str>| {
        let mut request = format!("ws://{address}/_/apps/{app}/lsp").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        tokio_tungstenite::connect_async(request).await
    };
    for token in [None, Some("dat_nobody"), Some(eve.token())] {
        assert!(connect(token).await.is_err(), "{token:?}");
    }
    let (mut socket, answer) = connect(Some(ada.token())).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], ada.token());
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
    socket.send(Message::text(message)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(message));

    let typing = async |token: &str, name: &str| {
        let path = format!("/_/apps/{app}/typing/package?packageName={name}");
        world.anonymous().outside(&path, &[("x-laf-develop-token", token)]).await
    };
    assert_eq!(typing("dat_nobody", "@/api/users").await.status, 401);
    assert_eq!(typing(eve.token(), "@/api/users").await.code(), "app.not_found");
    let own = typing(ada.token(), "@/api/users").await.body;
    assert_eq!((&own["code"], &own["data"][0]["path"]), (&json!(0), &json!("api/users.ts")));
    assert_eq!(own["data"][0]["content"], "export default () => 1");
    let sdk = typing(ada.token(), "@lafjs/cloud").await.body;
    assert!(
        sdk["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["content"].as_str().unwrap().contains("FunctionContext"))
    );
    assert_eq!(typing(ada.token(), "lodash").await.body["code"], 1);
}
