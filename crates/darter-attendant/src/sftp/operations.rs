//! What each request does. Runs where it may wait for a disk; can do no more than the tenant's own shell.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::attributes::{self, Attributes};
use super::folder::Folder;
use super::handles::{Handles, Open};
use super::wire::{self, ATTRS, DATA, HANDLE, NAME, Reader, Refusal, Refused, VERSION, Writer, status};
use super::{PACKET, extended};

/// The version that is spoken.
const SPOKEN: u32 = 3;
/// Most that is read or written at once.
pub(super) const PIECE: u32 = PACKET - 1024;

const FOR_READING: u32 = 1;
const FOR_WRITING: u32 = 2;
const APPEND: u32 = 4;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// One conversation.
pub(super) struct Session {
    home: PathBuf,
    handles: Handles,
}

impl Session {
    pub(super) fn new(home: PathBuf) -> Self {
        Self { home, handles: Handles::default() }
    }

    /// The answer to a packet, whatever it is.
    pub(super) fn answer(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut reader = Reader(packet);
        let Ok(kind) = reader.u8() else { return status(0, &Refusal::BadMessage.into()) };
        if kind == wire::INIT {
            return version();
        }
        let Ok(id) = reader.u32() else { return status(0, &Refusal::BadMessage.into()) };
        self.request(kind, id, &mut reader).unwrap_or_else(|refused| status(id, &refused))
    }

    fn request(&mut self, kind: u8, id: u32, reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
        match kind {
            wire::OPEN => self.open(id, reader),
            wire::CLOSE => done(id, self.handles.remove(reader.bytes()?)),
            wire::READ => self.read(id, reader),
            wire::WRITE => done(id, self.write(reader)),
            wire::LSTAT => told(id, &std::fs::symlink_metadata(self.path(reader)?)?),
            wire::STAT => told(id, &std::fs::metadata(self.path(reader)?)?),
            wire::FSTAT => told(id, &self.handles.file(reader.bytes()?)?.metadata()?),
            wire::SETSTAT => {
                let path = self.path(reader)?;
                done(id, Attributes::read(reader)?.set(&path))
            }
            wire::FSETSTAT => {
                let handle = reader.bytes()?;
                done(id, Attributes::read(reader)?.set_open(self.handles.file(handle)?))
            }
            wire::OPENDIR => {
                let folder = Folder::open(&self.path(reader)?)?;
                handle(id, self.handles.add(Open::Folder(folder))?)
            }
            wire::READDIR => self.handles.folder(reader.bytes()?)?.next(id),
            wire::REMOVE => done(id, Ok(std::fs::remove_file(self.path(reader)?)?)),
            wire::RMDIR => done(id, Ok(std::fs::remove_dir(self.path(reader)?)?)),
            wire::MKDIR => {
                let path = self.path(reader)?;
                let mode = Attributes::read(reader)?.mode(0o777);
                done(id, Ok(std::fs::DirBuilder::new().mode(mode).create(path)?))
            }
            wire::REALPATH => name(id, &real(&self.path(reader)?)),
            wire::READLINK => name(id, &std::fs::read_link(self.path(reader)?)?),
            wire::RENAME => {
                let (from, to) = (self.path(reader)?, self.path(reader)?);
                // The protocol's own rename replaces nothing.
                done(id, Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?))
            }
            wire::SYMLINK => {
                // OpenSSH has them the other way round than the draft, and everybody followed it.
                let (says, link) = (reader.name()?, self.path(reader)?);
                done(id, Ok(std::os::unix::fs::symlink(says, link)?))
            }
            wire::EXTENDED => extended::request(self, id, reader),
            _ => Err(Refusal::Unsupported.into()),
        }
    }

    /// A path of the client's; one that does not begin with `/` begins in the home.
    pub(super) fn path(&self, reader: &mut Reader<'_>) -> Result<PathBuf, Refused> {
        Ok(self.home.join(Path::new(reader.name()?)))
    }

    /// The home, for `~`.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn file(&self, handle: &[u8]) -> Result<&File, Refused> {
        self.handles.file(handle)
    }

    fn open(&mut self, id: u32, reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
        let (path, wanted) = (self.path(reader)?, reader.u32()?);
        let mode = Attributes::read(reader)?.mode(0o666);
        // A pipe that nobody reads must not make us wait.
        let mut flags = OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        flags |= match (wanted & FOR_READING != 0, wanted & FOR_WRITING != 0) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        let bits =
            [(APPEND, OFlags::APPEND), (CREATE, OFlags::CREATE), (TRUNCATE, OFlags::TRUNC), (EXCLUSIVE, OFlags::EXCL)];
        flags |= bits.into_iter().filter(|(bit, _)| wanted & bit != 0).map(|(_, flag)| flag).collect::<OFlags>();
        let file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(mode))?);
        if !file.metadata()?.is_file() {
            return Err(Refusal::Failure.into());
        }
        handle(id, self.handles.add(Open::File(file))?)
    }

    fn read(&self, id: u32, reader: &mut Reader<'_>) -> Result<Vec<u8>, Refused> {
        let (file, offset, length) = (self.handles.file(reader.bytes()?)?, reader.u64()?, reader.u32()?);
        let mut buffer = vec![0; length.min(PIECE) as usize];
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 && length > 0 {
            return Err(Refusal::Eof.into());
        }
        let mut writer = Writer::new(DATA, id);
        writer.bytes(&buffer[..read]);
        Ok(writer.finish())
    }

    fn write(&self, reader: &mut Reader<'_>) -> Result<(), Refused> {
        let (file, offset) = (self.handles.file(reader.bytes()?)?, reader.u64()?);
        Ok(file.write_all_at(reader.bytes()?, offset)?)
    }
}

fn version() -> Vec<u8> {
    // There is no id in this one: the version is in its place.
    let mut writer = Writer::new(VERSION, SPOKEN);
    for (name, version) in extended::KNOWN {
        writer.bytes(name).bytes(version);
    }
    writer.finish()
}

pub(super) fn done(id: u32, result: Result<(), Refused>) -> Result<Vec<u8>, Refused> {
    result.map(|()| status(id, &Refusal::Ok.into()))
}

fn handle(id: u32, handle: [u8; 4]) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer::new(HANDLE, id);
    writer.bytes(&handle);
    Ok(writer.finish())
}

fn told(id: u32, meta: &std::fs::Metadata) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer::new(ATTRS, id);
    attributes::write(&mut writer, meta);
    Ok(writer.finish())
}

pub(super) fn name(id: u32, path: &Path) -> Result<Vec<u8>, Refused> {
    let bytes = path.as_os_str().as_bytes();
    let mut writer = Writer::new(NAME, id);
    writer.u32(1).bytes(bytes).bytes(bytes).u32(0);
    Ok(writer.finish())
}

/// The path without links and dots; of what is not there, as far as words go.
pub(super) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| {
        let mut plain = PathBuf::from("/");
        for part in path.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::Normal(part) => plain.push(part),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0, 7], body].concat()
    }

    fn text(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    /// The kind of an answer, and the code when it is a status.
    fn kind(answer: &[u8]) -> (u8, u32) {
        assert_eq!(answer.len() - 4, u32::from_be_bytes(answer[..4].try_into().unwrap()) as usize);
        assert_eq!(answer[5..9], [0, 0, 0, 7]);
        (answer[4], if answer[4] == wire::STATUS { u32::from_be_bytes(answer[9..13].try_into().unwrap()) } else { 0 })
    }

    #[test]
    fn names_are_bytes_and_every_refusal_has_its_code() {
        let home = tempfile::tempdir().unwrap();
        let mut session = Session::new(home.path().to_owned());
        let mut ask = |kind_of, body: &[u8]| kind(&session.answer(&packet(kind_of, body)));
        let odd = text(b"caf\xe9 \n");
        assert_eq!(ask(wire::MKDIR, &[&odd[..], &[0; 4]].concat()), (wire::STATUS, 0));
        assert!(home.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9 \n")).is_dir());
        assert_eq!(ask(wire::STAT, &odd), (wire::ATTRS, 0));
        assert_eq!(ask(wire::STAT, &text(b"none")), (wire::STATUS, Refusal::NoSuchFile as u32));
        assert_eq!(ask(wire::STAT, &text(b"a\0b")), (wire::STATUS, Refusal::BadMessage as u32));
        assert_eq!(ask(wire::STAT, &[0xff; 4]), (wire::STATUS, Refusal::BadMessage as u32));
        assert_eq!(ask(wire::READ, &[&text(&[0; 4])[..], &[0; 12]].concat()), (wire::STATUS, Refusal::Failure as u32));
        assert_eq!(ask(99, &[]), (wire::STATUS, Refusal::Unsupported as u32));
        rustix::fs::mknodat(CWD, home.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        let open = [&text(b"pipe")[..], &FOR_READING.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(ask(wire::OPEN, &open), (wire::STATUS, Refusal::Failure as u32), "and nobody waits");
        assert_eq!(ask(wire::RENAME, &[&odd[..], &text(b"pipe")].concat()), (wire::STATUS, Refusal::Failure as u32));
    }

    #[test]
    fn nobody_keeps_more_open_than_there_may_be() {
        let home = tempfile::tempdir().unwrap();
        let mut session = Session::new(home.path().to_owned());
        for _ in 0..super::super::handles::MOST {
            assert_eq!(kind(&session.answer(&packet(wire::OPENDIR, &text(b".")))).0, HANDLE);
        }
        assert_eq!(kind(&session.answer(&packet(wire::OPENDIR, &text(b".")))), (wire::STATUS, Refusal::Failure as u32));
    }

    #[test]
    fn a_path_that_is_not_there_has_a_name_all_the_same() {
        assert_eq!(real(Path::new("/none/../x/./y/../z")), Path::new("/x/z"));
        assert_eq!(real(Path::new("/../..")), Path::new("/"));
    }

    proptest! {
        #[test]
        fn whatever_is_said_there_is_one_answer(kind in prop::sample::select(vec![3_u8, 4, 5, 7, 8, 10, 12, 16, 17, 19, 200, 0, 255]), body in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut session = Session::new("/nowhere".into());
            let answer = session.answer(&[&[kind][..], &body].concat());
            prop_assert_eq!(answer.len() - 4, u32::from_be_bytes(answer[..4].try_into().unwrap()) as usize);
        }
    }
}
