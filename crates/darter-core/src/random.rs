//! Chance as a value that is handed in. The system's source is the only one used in production.

/// A source of cryptographically strong random bytes.
pub trait Random: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The kernel's random source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // The kernel's generator cannot fail once the machine has booted; an error means a broken system call
        // interface, and continuing with predictable bytes would be worse than stopping.
        getrandom::fill(buffer).expect("the kernel's random source always answers on Linux");
    }
}

const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstvwxyz0123456789";

/// `length` characters of lower-case base 32 (5 bits each), safe in a DNS label and easy to read aloud.
pub fn text(random: &dyn Random, length: usize) -> String {
    let mut bytes = vec![0u8; length];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}
