//! Oneself: name, address, picture.

use darter_testkit::{Answer, Browser, TestPlatform};
use serde_json::json;

/// A PNG of 2 × 2 pixels with a comment in it.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(2, 2, image::Rgb([200, 30, 90])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn upload(browser: &Browser, bytes: Vec<u8>, kind: &str) -> Answer {
    let request = browser.request("PUT", "/api/v1/me/avatar").header("content-type", kind);
    browser.send(request.body(bytes.into()).unwrap()).await
}

#[tokio::test]
async fn name_and_address_can_be_changed_but_not_to_another_s() {
    let test = TestPlatform::start().await;
    let (ada, _bob) = (test.person("ada").await, test.person("bob").await);
    let change = json!({ "display_name": "Ada L.", "email": "New@example.org" });
    assert_eq!(ada.patch("/me", change.clone()).await.code(), "account.password_needed");
    let mut change = change;
    change["password"] = json!("password of ada");
    let changed = ada.patch("/me", change).await.body;
    assert_eq!((&changed["display_name"], &changed["email"]), (&json!("Ada L."), &json!("new@example.org")));
    assert_eq!(
        ada.patch("/me", json!({ "email": "bob@example.org", "password": "password of ada" })).await.code(),
        "account.taken"
    );
    assert_eq!(ada.patch("/me", json!({ "administrator": true })).await.code(), "request.body_invalid");
    assert_eq!(ada.get("/me").await.body["email"], "new@example.org");
}

#[tokio::test]
async fn a_picture_is_drawn_anew_and_its_address_changes_with_it() {
    let test = TestPlatform::start().await;
    let (ada, bob) = (test.person("ada").await, test.person("bob").await);
    let account = upload(&ada, png(), "image/png").await;
    assert_eq!(account.status, 200, "{account:?}");
    let url = account.body["avatar_url"].as_str().unwrap().to_owned();
    let seen = bob.get(url.strip_prefix("/api/v1").unwrap()).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "image/webp"));
    assert!(seen.header("cache-control").contains("immutable"));
    let drawn = image::load_from_memory(&seen.bytes).unwrap();
    assert_eq!((drawn.width(), drawn.height()), (256, 256));
    assert_eq!(test.browser().get(url.strip_prefix("/api/v1").unwrap()).await.status, 401);
    assert_eq!(ada.delete("/me/avatar").await.body["avatar_url"], json!(null));
    assert_eq!(bob.get(url.strip_prefix("/api/v1").unwrap()).await.code(), "avatar.not_found");
}

#[tokio::test]
async fn what_is_no_picture_is_refused() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let mut bomb = png();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let rows = [
        (bomb, "image/png", 400, "avatar.unreadable"),
        (b"<svg/>".to_vec(), "image/svg+xml", 400, "avatar.unreadable"),
        (png(), "text/html", 400, "request.content_type"),
        (vec![0; (5 << 20) + 1], "image/png", 413, "request.too_large"),
    ];
    for (bytes, kind, status, code) in rows {
        let answer = upload(&ada, bytes, kind).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    assert_eq!(ada.get("/me").await.body["avatar_url"], json!(null));
}
