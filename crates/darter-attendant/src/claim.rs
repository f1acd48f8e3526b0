//! The claim: once, the platform says whose workspace this is. Must never be replaced by another.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::editor::{self, Recipe};
use crate::fault::Fault;
use crate::language::LanguageServer;
use crate::params::Params;

/// What binds a sandbox to a workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) workspace: String,
    pub(crate) hostname: String,
    /// Of every program that is started from now on.
    pub(crate) variables: BTreeMap<String, String>,
    /// What a terminal runs when its opener names nothing.
    pub(crate) shell: String,
    pub(crate) editor: Option<Recipe>,
    /// What a light editor may start, by name.
    pub(crate) language_servers: BTreeMap<String, LanguageServer>,
    pub(crate) addresses: Addresses,
}

/// Where the outside reaches this workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Addresses {
    /// `http://{{port}}-<id>.…`: what VS Code calls `VSCODE_PROXY_URI`.
    pub(crate) proxy: String,
}

/// `POST /v1/claim`
pub(crate) fn claim(attendant: &Arc<Attendant>, params: &Params) -> Answer {
    let claim: Claim = serde_json::from_value(Value::Object(params.0.clone()))
        .map_err(|error| Fault::invalid(format!("the claim: {error}")))?;
    if claim.workspace.is_empty() {
        return Err(Fault::invalid("the claim names no workspace"));
    }
    if let Some(bad) = claim.variables.iter().find(|(name, value)| !sound(name, value)) {
        return Err(Fault::invalid(format!("`{}` cannot be an environment variable", bad.0)));
    }
    if *attendant.claim.get_or_init(|| claim.clone()) != claim {
        return Err(Fault::new("claim.conflict", "this sandbox is claimed already, and not like that"));
    }
    if claim.editor.is_none() {
        editor::let_go(attendant);
    }
    attendant.changed.notify_waiters();
    answer::done()
}

/// Can it be in an environment?
pub(crate) fn sound(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}
