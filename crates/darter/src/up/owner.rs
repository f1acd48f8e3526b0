//! Which account the server works as, and which owns what it keeps. Root is only ever the launcher's.

use darter_sandbox::Owner;

use crate::config::Problem;

/// Used when there is no account `darter`.
const NUMERIC: Owner = Owner { uid: 7070, gid: 7070 };

/// Who this process is, and who the server becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub root: bool,
    pub owner: Owner,
}

impl Identity {
    /// Started by root: the account that the configuration names. Else: this very account.
    pub fn choose(wanted: &str) -> Result<Self, Problem> {
        let uid = rustix::process::getuid();
        if !uid.is_root() {
            let owner = Owner { uid: uid.as_raw(), gid: rustix::process::getgid().as_raw() };
            return Ok(Self { root: false, owner });
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Ok(Self { root: true, owner: owner(wanted, &accounts)? })
    }
}

fn owner(wanted: &str, accounts: &str) -> Result<Owner, Problem> {
    let wrong = |what: String| {
        Problem::new("server.user", what, "name an account of this machine that is not root, or write uid:gid")
    };
    let found = match wanted {
        "" => named("darter", accounts).unwrap_or(NUMERIC),
        text => match text.split_once(':').map(|(uid, gid)| (uid.parse(), gid.parse())) {
            Some((Ok(uid), Ok(gid))) => Owner { uid, gid },
            Some(_) => return Err(wrong(format!("{text:?} is not of the form uid:gid"))),
            None => named(text, accounts).ok_or_else(|| wrong(format!("there is no account {text:?}")))?,
        },
    };
    if found.uid == 0 || found.gid == 0 {
        return Err(wrong("the server must not work as root".into()));
    }
    Ok(found)
}

fn named(name: &str, accounts: &str) -> Option<Owner> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (found == name).then(|| Some(Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? }))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_and_is_never_root() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\ndarter:x:120:130::/nonexistent:/bin/false\n";
        let rows = [
            ("", accounts, Some((120, 130))),
            ("", "", Some((7070, 7070))),
            ("darter", accounts, Some((120, 130))),
            ("1000:1001", "", Some((1000, 1001))),
            ("root", accounts, None),
            ("0:0", "", None),
            ("1000:0", "", None),
            ("nobody-here", accounts, None),
            ("a:b", "", None),
        ];
        for (wanted, accounts, expected) in rows {
            assert_eq!(owner(wanted, accounts).ok().map(|owner| (owner.uid, owner.gid)), expected, "{wanted}");
        }
    }
}
