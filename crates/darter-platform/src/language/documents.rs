//! What a language server knows of each file, and what it has to be told when somebody saves another function.
//!
//! A file has one voice at a time. While the editor has it open, the editor's text counts and nothing is said here; every
//! other file that changed since the server started is held open by us with its newest saved text. Never writes into the
//! sandbox: the protocol is the only way in.

use std::collections::{BTreeMap, BTreeSet};

use darter_core::AppId;
use serde_json::{Value, json};

/// The project's folder as editors name it.
const ROOT: &str = "file:///work/project/";
/// What a function that is gone looks like: a module without exports.
const GONE: &str = "export {}\n";

/// A function was saved, made, renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub app: AppId,
    pub function: String,
    /// The new draft; `None`: there is no such function any more.
    pub source: Option<String>,
}

/// The files of one session.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// The editor has said `initialized`: before, nothing may be said to the server.
    ready: bool,
    /// Open in the editor.
    theirs: BTreeSet<String>,
    /// Held open by us, with the version said last.
    ours: BTreeMap<String, i64>,
    /// The newest text of each file that changed since the start.
    newest: BTreeMap<String, String>,
}

impl Documents {
    /// A message from the editor: what goes to the server instead of it, in this order.
    pub fn editor_says(&mut self, message: &str) -> Vec<String> {
        let mut sent = vec![message.to_owned()];
        // Reading every keystroke's message would cost more than it tells.
        let says = |method: &str| message.contains(method);
        if !(says("\"initialized\"") || says("textDocument/didOpen") || says("textDocument/didClose")) {
            return sent;
        }
        let Ok(read) = serde_json::from_str::<Value>(message) else { return sent };
        let file = read["params"]["textDocument"]["uri"].as_str().unwrap_or_default().to_owned();
        match read["method"].as_str() {
            Some("initialized") => {
                self.ready = true;
                let files: Vec<_> = self.newest.keys().cloned().collect();
                sent.extend(files.iter().filter_map(|file| self.say(file)));
            }
            Some("textDocument/didOpen") => {
                if self.ours.remove(&file).is_some() {
                    sent.insert(0, closed(&file));
                }
                self.theirs.insert(file);
            }
            Some("textDocument/didClose") => {
                self.theirs.remove(&file);
                sent.extend(self.say(&file));
            }
            _ => {}
        }
        sent
    }

    /// A function changed: what the server is told.
    pub fn changed(&mut self, change: Change) -> Option<String> {
        let file = format!("{ROOT}{}.ts", change.function);
        self.newest.insert(file.clone(), change.source.unwrap_or_else(|| GONE.to_owned()));
        self.say(&file)
    }

    /// The newest text of a file, if it is ours to say.
    fn say(&mut self, file: &str) -> Option<String> {
        if !self.ready || self.theirs.contains(file) {
            return None;
        }
        let text = self.newest.get(file)?;
        let version = self.ours.entry(file.to_owned()).and_modify(|version| *version += 1).or_insert(0);
        let (method, params) = if *version == 0 {
            let document = json!({ "uri": file, "languageId": "typescript", "version": 0, "text": text });
            ("textDocument/didOpen", json!({ "textDocument": document }))
        } else {
            let document = json!({ "uri": file, "version": version });
            ("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }))
        };
        Some(notification(method, &params))
    }
}

/// Tells the editor that another file changed: what it shows about its own may be different now.
pub(super) fn project_changed() -> String {
    notification("darter/projectChanged", &json!({}))
}

fn closed(file: &str) -> String {
    notification("textDocument/didClose", &json!({ "textDocument": { "uri": file } }))
}

fn notification(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    fn change(function: &str, source: Option<&str>) -> Change {
        let source = source.map(str::to_owned);
        Change { app: AppId::generate(&SystemRandom), function: function.into(), source }
    }

    /// `method name text` of a message.
    fn short(message: &str) -> String {
        let read: Value = serde_json::from_str(message).unwrap();
        let params = &read["params"];
        let file = params["textDocument"]["uri"].as_str().unwrap_or_default();
        let text = params["textDocument"]["text"].as_str().or(params["contentChanges"][0]["text"].as_str());
        let method = read["method"].as_str().unwrap_or_default().trim_start_matches("textDocument/");
        format!("{method} {} {}", file.trim_start_matches(ROOT), text.unwrap_or_default()).trim().to_owned()
    }

    fn says(documents: &mut Documents, method: &str, file: &str) -> Vec<String> {
        let uri = format!("{ROOT}{file}");
        let message = json!({ "method": method, "params": { "textDocument": { "uri": uri } } }).to_string();
        documents.editor_says(&message).iter().map(|message| short(message)).collect()
    }

    #[test]
    fn what_others_save_is_said_and_what_the_editor_has_open_is_not() {
        let mut documents = Documents::default();
        let changed =
            |documents: &mut Documents, name: &str, text| documents.changed(change(name, text)).as_deref().map(short);
        assert_eq!(changed(&mut documents, "a", Some("early")), None, "not before the editor is ready");
        assert_eq!(says(&mut documents, "initialized", ""), ["initialized", "didOpen a.ts early"]);
        assert_eq!(changed(&mut documents, "a", Some("two")).as_deref(), Some("didChange a.ts two"));
        assert_eq!(says(&mut documents, "textDocument/didOpen", "a.ts"), ["didClose a.ts", "didOpen a.ts"]);
        assert_eq!(changed(&mut documents, "a", Some("three")), None, "the editor's own text counts");
        assert_eq!(says(&mut documents, "textDocument/didClose", "a.ts"), ["didClose a.ts", "didOpen a.ts three"]);
        assert_eq!(changed(&mut documents, "a", None).as_deref(), Some("didChange a.ts export {}"));
        assert_eq!(changed(&mut documents, "api/new", Some("x")).as_deref(), Some("didOpen api/new.ts x"));
        assert_eq!(says(&mut documents, "textDocument/didOpen", "b.ts"), ["didOpen b.ts"]);
        assert_eq!(says(&mut documents, "textDocument/didClose", "b.ts"), ["didClose b.ts"], "as it was on the disk");
    }

    #[test]
    fn what_is_no_message_goes_on_as_it_is() {
        let mut documents = Documents::default();
        for text in ["", "{", "\"initialized\"", "[\"textDocument/didOpen\"]", "{\"method\":\"x\"}"] {
            assert_eq!(documents.editor_says(text), [text]);
        }
        assert!(!documents.ready);
    }
}
