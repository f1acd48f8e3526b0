//! What a client has open, by the number that it was given.

use std::collections::HashMap;
use std::fs::File;

use super::folder::Folder;
use super::wire::{Refusal, Refused};

/// Most of them at a time.
pub(super) const MOST: usize = 256;

pub(super) enum Open {
    File(File),
    Folder(Folder),
}

/// What is open.
#[derive(Default)]
pub(super) struct Handles {
    open: HashMap<u32, Open>,
    last: u32,
}

impl Handles {
    /// The number of something that was opened, as the client gets it.
    pub(super) fn add(&mut self, open: Open) -> Result<[u8; 4], Refused> {
        if self.open.len() >= MOST {
            return Err(Refusal::Failure.into());
        }
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, open);
        Ok(self.last.to_be_bytes())
    }

    pub(super) fn remove(&mut self, handle: &[u8]) -> Result<(), Refused> {
        self.open.remove(&number(handle)?).map(|_| ()).ok_or(Refusal::Failure.into())
    }

    pub(super) fn file(&self, handle: &[u8]) -> Result<&File, Refused> {
        match self.open.get(&number(handle)?) {
            Some(Open::File(file)) => Ok(file),
            Some(Open::Folder(_)) | None => Err(Refusal::Failure.into()),
        }
    }

    pub(super) fn folder(&mut self, handle: &[u8]) -> Result<&mut Folder, Refused> {
        match self.open.get_mut(&number(handle)?) {
            Some(Open::Folder(folder)) => Ok(folder),
            Some(Open::File(_)) | None => Err(Refusal::Failure.into()),
        }
    }
}

fn number(handle: &[u8]) -> Result<u32, Refused> {
    handle.try_into().map(u32::from_be_bytes).map_err(|_| Refusal::BadMessage.into())
}
