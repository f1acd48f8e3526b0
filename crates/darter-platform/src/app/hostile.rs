//! The private reader of [`crate::hostile::archive`].

use super::archive;

/// Reads an app's file.
pub(crate) fn archive(bytes: &[u8]) {
    let Ok(read) = archive::read(bytes) else { return };
    let written = archive::write(&read).expect("what was read can be written");
    let again = archive::read(&written).expect("what was written can be read");
    assert_eq!(again, read, "an app survives the way out and in");
}
