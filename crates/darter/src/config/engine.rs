//! `[engine]`

use serde::{Deserialize, Serialize};

use super::key::{Key, Kind, Problem, within};

/// How functions run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    pub pool_size: u32,
    pub instances_max: u32,
    pub memory_bytes: u64,
    pub registry: String,
    pub egress: bool,
    pub egress_allow: Vec<String>,
}

pub const KEYS: &[Key] = &[
    Key::new(
        "pool_size",
        Kind::Number,
        "runtimes that wait, started, for an app to need one; 0: none (each first request then waits for a start)",
    ),
    Key::new("instances_max", Kind::Number, "instances at a time, over all apps"),
    Key::new("memory_bytes", Kind::Number, "memory of all instances together; 0: three quarters of the machine's"),
    Key::new("registry", Kind::Text, "the npm registry that packages come from; empty: npm's own default"),
    Key::new("egress", Kind::Flag, "functions may reach the internet, through a proxy that refuses private addresses"),
    Key::new("egress_allow", Kind::List, "private address ranges that functions may reach after all, e.g. 10.1.0.0/16"),
];

impl Default for Engine {
    fn default() -> Self {
        Self {
            pool_size: 2,
            instances_max: 500,
            memory_bytes: 0,
            registry: String::new(),
            egress: true,
            egress_allow: Vec::new(),
        }
    }
}

impl Engine {
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(within("engine.pool_size", self.pool_size.into(), 0, 64));
        problems.extend(within("engine.instances_max", self.instances_max.into(), 1, 4_000));
        let url = url::Url::parse(&self.registry);
        if !self.registry.is_empty() && !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            let what = format!("{:?} is no address", self.registry);
            problems.push(Problem::new("engine.registry", what, "write https:// and a host"));
        }
        problems
    }
}
