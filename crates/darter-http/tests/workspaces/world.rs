//! A platform with somebody in it, and what tests of workspaces ask again and again.

use std::time::Duration;

use darter_core::WorkspaceId;
use darter_testkit::{Answer, Browser, TestPlatform};
use serde_json::{Value, json};

/// Nothing here takes this long; a test that waits for what never comes ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a workspace that runs; returns its id.
pub async fn workspace(browser: &Browser) -> WorkspaceId {
    let made = browser.post("/workspaces", json!({ "name": "Thesis", "environment": "vscode" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    id_of(&made)
}

pub fn id_of(answer: &Answer) -> WorkspaceId {
    answer.body["id"].as_str().unwrap().parse().unwrap()
}

pub fn path(id: &WorkspaceId, rest: &str) -> String {
    format!("/workspaces/{id}{rest}")
}

/// The actions that can be done now.
pub fn allowed(workspace: &Value) -> Vec<&str> {
    let offers = workspace["actions"].as_array().unwrap().iter();
    offers.filter(|offer| offer["allowed"] == true).map(|offer| offer["action"].as_str().unwrap()).collect()
}

/// Reads a workspace until it is as it should be.
pub async fn until(browser: &Browser, id: &WorkspaceId, mut good: impl FnMut(&Value) -> bool) -> Value {
    let reading = async {
        loop {
            let answer = browser.get(&path(id, "")).await;
            if answer.status == 200 && good(&answer.body) {
                return answer.body;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("what was waited for never came")
}

/// Waits until the engine was asked for this.
pub async fn called(test: &TestPlatform, call: &str) {
    let waiting = async {
        while !test.workspaces.calls.lock().unwrap().iter().any(|one| one == call) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("what was waited for never came");
}
