//! The packets of SFTP, version 3 (draft-ietf-secsh-filexfer-02): what is read is a stranger's, and every length is checked
//! before it is believed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const READ: u8 = 5;
pub(super) const WRITE: u8 = 6;
pub(super) const LSTAT: u8 = 7;
pub(super) const FSTAT: u8 = 8;
pub(super) const SETSTAT: u8 = 9;
pub(super) const FSETSTAT: u8 = 10;
pub(super) const OPENDIR: u8 = 11;
pub(super) const READDIR: u8 = 12;
pub(super) const REMOVE: u8 = 13;
pub(super) const MKDIR: u8 = 14;
pub(super) const RMDIR: u8 = 15;
pub(super) const REALPATH: u8 = 16;
pub(super) const STAT: u8 = 17;
pub(super) const RENAME: u8 = 18;
pub(super) const READLINK: u8 = 19;
pub(super) const SYMLINK: u8 = 20;
pub(super) const STATUS: u8 = 101;
pub(super) const HANDLE: u8 = 102;
pub(super) const DATA: u8 = 103;
pub(super) const NAME: u8 = 104;
pub(super) const ATTRS: u8 = 105;
pub(super) const EXTENDED: u8 = 200;
pub(super) const EXTENDED_REPLY: u8 = 201;

/// Does a packet of this kind change something?
pub(super) fn is_change(kind: u8) -> bool {
    matches!(kind, WRITE | SETSTAT | FSETSTAT | REMOVE | MKDIR | RMDIR | RENAME | SYMLINK)
}

/// Why something was not done, as the protocol's number says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    Permission = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

impl Refusal {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Eof => "end of file",
            Self::NoSuchFile => "no such file or folder",
            Self::Permission => "permission denied",
            Self::Failure => "it could not be done",
            Self::BadMessage => "this is no request",
            Self::Unsupported => "not known here",
        }
    }
}

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: Refusal,
    text: String,
}

impl From<Refusal> for Refused {
    fn from(code: Refusal) -> Self {
        Self { code, text: code.text().into() }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Refusal::NoSuchFile,
            io::ErrorKind::PermissionDenied => Refusal::Permission,
            _ => Refusal::Failure,
        };
        Self { code, text: error.to_string() }
    }
}

impl From<rustix::io::Errno> for Refused {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// What is left of a packet.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refused> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Refusal::BadMessage)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Refused> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Refused> {
        Ok(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Refused> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// A name or a path; the file system has no name with a NUL byte.
    pub(super) fn name(&mut self) -> Result<&'a OsStr, Refused> {
        let bytes = self.bytes()?;
        if bytes.contains(&0) { Err(Refusal::BadMessage.into()) } else { Ok(OsStr::from_bytes(bytes)) }
    }
}

/// A packet that is being made.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: u8, id: u32) -> Self {
        let mut writer = Self(vec![0, 0, 0, 0, kind]);
        writer.u32(id);
        writer
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// With its length in front.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// The answer that is only a code.
pub(super) fn status(id: u32, refused: &Refused) -> Vec<u8> {
    let mut writer = Writer::new(STATUS, id);
    writer.u32(refused.code as u32).bytes(refused.text.as_bytes()).bytes(b"en");
    writer.finish()
}
