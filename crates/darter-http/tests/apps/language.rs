//! The language server over a real WebSocket.

use futures_util::{SinkExt, StreamExt};
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
