//! What is in a folder, told piece by piece: with attributes, and with the line of `ls -l` that old clients show.

use std::ffi::OsStr;
use std::fs::{Metadata, ReadDir};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::attributes;
use super::wire::{NAME, Refusal, Refused, Writer};

/// What one answer aims to hold.
const PIECE: usize = 32 << 10;

/// An open folder.
pub(super) struct Folder {
    path: PathBuf,
    entries: ReadDir,
    /// `.` and `..`, which every listing begins with.
    dots: usize,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, Refused> {
        Ok(Self { path: path.to_owned(), entries: std::fs::read_dir(path)?, dots: 0 })
    }

    /// The next entries.
    pub(super) fn next(&mut self, id: u32) -> Result<Vec<u8>, Refused> {
        let mut body = Writer::new(NAME, id);
        let mut count = 0;
        while body.len() < PIECE {
            let Some(name) = self.name() else { break };
            // What went away meanwhile is not there.
            let Ok(meta) = std::fs::symlink_metadata(self.path.join(&name)) else { continue };
            count += 1;
            if count == 1 {
                // Its place: how many there are is known at the end.
                body.u32(0);
            }
            body.bytes(name.as_bytes()).bytes(&line(&name, &meta));
            attributes::write(&mut body, &meta);
        }
        if count == 0 {
            return Err(Refusal::Eof.into());
        }
        let mut packet = body.finish();
        packet[9..13].copy_from_slice(&u32::to_be_bytes(count));
        Ok(packet)
    }

    fn name(&mut self) -> Option<std::ffi::OsString> {
        if self.dots < 2 {
            self.dots += 1;
            return Some([".", ".."][self.dots - 1].into());
        }
        self.entries.by_ref().find_map(Result::ok).map(|entry| entry.file_name())
    }
}

/// As `ls -l` writes it.
fn line(name: &OsStr, meta: &Metadata) -> Vec<u8> {
    let mode = meta.mode();
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let bit = |at: u32| if mode >> (8 - at) & 1 == 1 { ['r', 'w', 'x'][at as usize % 3] } else { '-' };
    let bits: String = (0..9).map(bit).collect();
    let (year, month, day) = date(meta.mtime().div_euclid(86_400));
    let minute = meta.mtime().rem_euclid(86_400) / 60;
    let (uid, gid, size, links) = (meta.uid(), meta.gid(), meta.size(), meta.nlink());
    let start = format!("{kind}{bits} {links:>4} {uid:<8} {gid:<8} {size:>8} ");
    let when = format!("{year}-{month:02}-{day:02} {:02}:{:02} ", minute / 60, minute % 60);
    [start.as_bytes(), when.as_bytes(), name.as_bytes()].concat()
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant's `civil_from_days`).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, expected) in
            [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (-1, (1969, 12, 31)), (20_782, (2026, 11, 25))]
        {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn a_line_says_what_an_entry_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o750)).unwrap();
        let meta = std::fs::metadata(folder.path()).unwrap();
        let line = String::from_utf8(line(OsStr::new("src"), &meta)).unwrap();
        assert!(line.starts_with("drwxr-x--- ") && line.ends_with(" src"), "{line}");
    }
}
