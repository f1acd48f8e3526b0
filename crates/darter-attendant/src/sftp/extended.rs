//! What OpenSSH adds to the protocol, as far as its own clients and editors use it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::PACKET;
use super::handles::MOST;
use super::operations::{PIECE, Session, done, name, real};
use super::wire::{EXTENDED_REPLY, Reader, Refusal, Refused, Writer};

/// Names and versions, as they are announced.
pub(super) const KNOWN: &[(&[u8], &[u8])] = &[
    (b"posix-rename@openssh.com", b"1"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
];

pub(super) fn request(session: &Session, id: u32, reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
    match reader.bytes()? {
        b"posix-rename@openssh.com" => {
            let (from, to) = (session.path(reader)?, session.path(reader)?);
            done(id, Ok(std::fs::rename(from, to)?))
        }
        b"hardlink@openssh.com" => {
            let (from, to) = (session.path(reader)?, session.path(reader)?);
            done(id, Ok(std::fs::hard_link(from, to)?))
        }
        b"fsync@openssh.com" => done(id, Ok(session.file(reader.bytes()?)?.sync_all()?)),
        b"statvfs@openssh.com" => room(id, &session.path(reader)?),
        b"limits@openssh.com" => {
            let mut writer = Writer::new(EXTENDED_REPLY, id);
            writer.u64(PACKET.into()).u64(PIECE.into()).u64(PIECE.into()).u64(MOST as u64);
            Ok(writer.finish())
        }
        b"expand-path@openssh.com" => {
            let path = reader.name()?;
            // `~`, and `~/…`; another person's home there is none.
            let below = match path.as_bytes() {
                b"~" => OsStr::new(""),
                [b'~', b'/', rest @ ..] => OsStr::from_bytes(rest),
                [b'~', ..] => return Err(Refusal::NoSuchFile.into()),
                _ => path,
            };
            name(id, &real(&session.home().join(below)))
        }
        _ => Err(Refusal::Unsupported.into()),
    }
}

fn room(id: u32, path: &Path) -> Result<Vec<u8>, Refused> {
    let room = rustix::fs::statvfs(path)?;
    let mut writer = Writer::new(EXTENDED_REPLY, id);
    let fields = [
        room.f_bsize,
        room.f_frsize,
        room.f_blocks,
        room.f_bfree,
        room.f_bavail,
        room.f_files,
        room.f_ffree,
        room.f_favail,
        room.f_fsid,
        // Of its flags the protocol knows two: read-only, and no bits that change a user.
        room.f_flag.bits() & 3,
        room.f_namemax,
    ];
    for field in fields {
        writer.u64(field);
    }
    Ok(writer.finish())
}
