//! A pass: the short-lived proof that a browser may enter a workspace, checked by the gateway from memory.
//!
//! It is a line of text, `1.<workspace>.<account>.<door>.<level>.<expiry>.<tag>`, whose tag is BLAKE3 keyed with a key that
//! only this server has. It says nothing that its holder may not know, and it cannot be taken back: it lives a minute, and
//! whoever renews it asks the store. A pass for one workspace or port must never open another.

use std::fmt;
use std::str::FromStr;

use super::Door;
use crate::role::Role;
use crate::{AccountId, Millis, WorkspaceId};

/// How long a pass is valid.
pub const PASS_LIFE: Millis = 60_000;
/// Longer texts are no passes.
const LONGEST: usize = 256;

/// What its holder is to the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// A member with this role.
    Member(Role),
    /// Somebody who may use one port: it is public, open to everybody who is signed in, or shared by a link.
    Guest,
}

/// Who may enter what, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub workspace: WorkspaceId,
    /// Absent: a guest who is not signed in.
    pub account: Option<AccountId>,
    /// `Editor` or a port. Nobody gets a pass for the attendant.
    pub door: Door,
    pub level: Level,
    pub expires_at: Millis,
}

/// The key that passes are signed with.
#[derive(Clone)]
pub struct PassKey([u8; 32]);

impl fmt::Debug for PassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassKey(…)")
    }
}

impl PassKey {
    /// Made from the server's master key.
    pub fn derive(master: &[u8; 32]) -> Self {
        Self(blake3::derive_key("darter 2026-11 passes of workspaces", master))
    }

    /// The pass as the browser carries it.
    pub fn sign(&self, pass: &Pass) -> String {
        let text = format!(
            "1.{}.{}.{}.{}.{}",
            pass.workspace,
            pass.account.as_ref().map_or("-", AccountId::as_str),
            door_word(pass.door),
            level_word(pass.level),
            pass.expires_at
        );
        let tag = blake3::keyed_hash(&self.0, text.as_bytes());
        format!("{text}.{}", tag.to_hex())
    }

    /// What the text proves now, for this workspace and this door; None: nothing. Costs a microsecond and no look-up.
    pub fn verify(&self, text: &str, (workspace, door): (&WorkspaceId, Door), now: Millis) -> Option<Pass> {
        if text.len() > LONGEST {
            return None;
        }
        let (said, tag) = text.rsplit_once('.')?;
        let tag = blake3::Hash::from_hex(tag).ok()?;
        // Hashes are compared in constant time.
        if blake3::keyed_hash(&self.0, said.as_bytes()) != tag {
            return None;
        }
        let pass = parse(said)?;
        // A clock that was set back makes no pass live longer than one that is new.
        let fresh = pass.expires_at > now && pass.expires_at <= now.saturating_add(PASS_LIFE);
        (fresh && pass.workspace == *workspace && pass.door == door).then_some(pass)
    }
}

fn parse(said: &str) -> Option<Pass> {
    let mut parts = said.split('.');
    let (version, workspace, account) = (parts.next()?, parts.next()?, parts.next()?);
    let (door, level, expires_at) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "1" || parts.next().is_some() {
        return None;
    }
    Some(Pass {
        workspace: WorkspaceId::from_str(workspace).ok()?,
        account: if account == "-" { None } else { Some(AccountId::from_str(account).ok()?) },
        door: if door == "editor" { Door::Editor } else { Door::Port(door.parse().ok()?) },
        level: match level {
            "owner" => Level::Member(Role::Owner),
            "editor" => Level::Member(Role::Editor),
            "viewer" => Level::Member(Role::Viewer),
            "guest" => Level::Guest,
            _ => return None,
        },
        expires_at: expires_at.parse().ok()?,
    })
}

fn door_word(door: Door) -> String {
    match door {
        Door::Editor => "editor".into(),
        Door::Attendant => "attendant".into(),
        Door::Port(port) => port.to_string(),
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Member(Role::Owner) => "owner",
        Level::Member(Role::Editor) => "editor",
        Level::Member(Role::Viewer) => "viewer",
        Level::Guest => "guest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    fn pass(door: Door, level: Level) -> Pass {
        let workspace = WorkspaceId::generate(&SystemRandom);
        Pass { workspace, account: Some(AccountId::generate(1, &SystemRandom)), door, level, expires_at: 60_000 }
    }

    #[test]
    fn a_pass_proves_what_was_signed_and_nothing_else() {
        let key = PassKey::derive(&[7; 32]);
        let levels = [Role::Owner, Role::Editor, Role::Viewer].map(Level::Member);
        for level in levels.into_iter().chain([Level::Guest]) {
            for door in [Door::Editor, Door::Port(3_000)] {
                let pass = pass(door, level);
                let text = key.sign(&pass);
                assert_eq!(key.verify(&text, (&pass.workspace, door), 1), Some(pass.clone()));
                let other = WorkspaceId::generate(&SystemRandom);
                assert_eq!(key.verify(&text, (&other, door), 1), None, "of another workspace");
                assert_eq!(key.verify(&text, (&pass.workspace, Door::Port(3_001)), 1), None, "of another port");
                assert_eq!(PassKey::derive(&[8; 32]).verify(&text, (&pass.workspace, door), 1), None);
            }
        }
        let guest = Pass { account: None, ..pass(Door::Port(1), Level::Guest) };
        assert_eq!(key.verify(&key.sign(&guest), (&guest.workspace, Door::Port(1)), 1), Some(guest));
    }

    #[test]
    fn a_pass_is_valid_for_a_minute_whatever_the_clock_does() {
        let key = PassKey::derive(&[7; 32]);
        let pass = pass(Door::Editor, Level::Member(Role::Owner));
        let text = key.sign(&pass);
        let at = |now| key.verify(&text, (&pass.workspace, Door::Editor), now).is_some();
        assert_eq!([0, 59_999, 60_000, 1 << 40, -1].map(at), [true, true, false, false, false]);
    }

    #[test]
    fn a_changed_pass_proves_nothing() {
        let key = PassKey::derive(&[7; 32]);
        let pass = pass(Door::Editor, Level::Member(Role::Viewer));
        let text = key.sign(&pass);
        let says = |text: &str| key.verify(text, (&pass.workspace, Door::Editor), 1).is_some();
        assert!(
            !says(&text.replace(".viewer.", ".owner.")) && !says(&text[1..]) && !says("") && !says(&"1.".repeat(500))
        );
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            assert!(!String::from_utf8(bytes).is_ok_and(|text| says(&text)), "byte {index}");
        }
    }

    #[test]
    fn nobody_gets_a_pass_for_the_attendant() {
        let key = PassKey::derive(&[7; 32]);
        let pass = pass(Door::Attendant, Level::Member(Role::Owner));
        assert_eq!(key.verify(&key.sign(&pass), (&pass.workspace, Door::Attendant), 1), None);
    }
}
