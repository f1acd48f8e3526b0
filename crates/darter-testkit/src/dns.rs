//! Name servers that know what a test tells them.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

use async_trait::async_trait;
use darter_platform::domain::Resolver;

/// A table of names.
#[derive(Default)]
pub struct FakeDns {
    texts: Mutex<HashMap<String, String>>,
    aliases: Mutex<HashMap<String, String>>,
}

impl FakeDns {
    pub fn txt(&self, name: &str, text: &str) {
        self.texts.lock().unwrap().insert(name.into(), text.into());
    }

    pub fn alias(&self, name: &str, target: &str) {
        self.aliases.lock().unwrap().insert(name.into(), target.into());
    }
}

#[async_trait]
impl Resolver for FakeDns {
    async fn txt(&self, name: &str) -> io::Result<Vec<String>> {
        Ok(self.texts.lock().unwrap().get(name).cloned().into_iter().collect())
    }

    async fn cname(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.aliases.lock().unwrap().get(name).cloned())
    }
}
