//! What compilers have made, by what they made it of. Bounded by bytes; what was not used for the longest time goes first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::bundle::Memory;
use super::{Captured, Program};

/// Names a compilation.
pub type Key = [u8; 32];

/// What a compilation left.
#[derive(Debug)]
pub struct Artifact {
    pub files: Memory,
    /// What the compiler said: warnings.
    pub output: Captured,
    pub bytes: u64,
}

/// The newest at the back.
#[derive(Debug)]
pub struct Cache {
    most: u64,
    kept: Mutex<VecDeque<(Key, Arc<Artifact>)>>,
}

/// The key of a program's compilation. A tenant's own: nobody learns from the time that it takes what others compile.
pub fn key(program: &Program) -> Key {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(program.owner.as_str().as_bytes());
    add(program.language.digest.as_bytes());
    for (path, content) in &program.files {
        add(path.as_bytes());
        add(content);
    }
    hash.finalize().into()
}

impl Cache {
    pub fn new(most: u64) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub fn find(&self, key: &Key) -> Option<Arc<Artifact>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(one, _)| one == key)?;
        let found = kept.remove(at)?;
        let artifact = Arc::clone(&found.1);
        kept.push_back(found);
        Some(artifact)
    }

    pub fn keep(&self, key: Key, artifact: Arc<Artifact>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(one, _)| *one != key);
        kept.push_back((key, artifact));
        let mut all: u64 = kept.iter().map(|(_, artifact)| artifact.bytes).sum();
        while all > self.most
            && let Some((_, oldest)) = kept.pop_front()
        {
            all -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let cache = Cache::new(100);
        let artifact =
            |bytes| Arc::new(Artifact { files: Memory::holding(b"").unwrap(), output: Captured::default(), bytes });
        cache.keep([1; 32], artifact(40));
        cache.keep([2; 32], artifact(40));
        assert!(cache.find(&[1; 32]).is_some());
        cache.keep([3; 32], artifact(40));
        assert_eq!([1, 2, 3].map(|key| cache.find(&[key; 32]).is_some()), [true, false, true]);
        cache.keep([4; 32], artifact(101));
        assert!(cache.find(&[4; 32]).is_none(), "one that is larger than all room is not kept");
    }
}
