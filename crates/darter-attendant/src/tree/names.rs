//! The names in a folder, sorted, as compactly as they can be kept: a folder may hold a million of them.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::RawDir;

#[derive(Debug, Default)]
pub(crate) struct Names {
    /// One after the other, each with its NUL byte.
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Names {
    pub(crate) fn read(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let mut names = Self::default();
        let mut buffer = vec![MaybeUninit::<u8>::uninit(); 32 << 10];
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let start = u32::try_from(names.bytes.len()).map_err(|_| io::Error::other("a folder of 4 GiB of names"))?;
            names.starts.push(start);
            names.bytes.extend_from_slice(entry.file_name().to_bytes_with_nul());
        }
        let bytes = &names.bytes;
        names.starts.sort_unstable_by(|a, b| name_at(bytes, *a).cmp(name_at(bytes, *b)));
        Ok(names)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&CStr> {
        self.starts.get(index).map(|start| name_at(&self.bytes, *start))
    }
}

fn name_at(bytes: &[u8], start: u32) -> &CStr {
    CStr::from_bytes_until_nul(&bytes[start as usize..]).unwrap_or_default()
}
