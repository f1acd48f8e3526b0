//! SSH public keys: what one opens one's workspaces with from a terminal or a desktop editor.
//!
//! A key may be in several accounts: it is looked up together with the workspace, and whoever signs with it has proved
//! that it is theirs. So nobody learns here whether somebody else has a key.

use ::ssh_key::public::{KeyData, PublicKey};
use ::ssh_key::{Algorithm, HashAlg};
use darter_api::account as api;
use darter_api::page::Page;
use darter_core::role::TokenScope;
use darter_core::{Fault, SshKeyId};
use darter_store::ssh_key;

use crate::audit::{Change, record};
use crate::credential::own_row;
use crate::{Actor, Platform};

/// Keys of one account.
const MOST: u32 = 50;
/// Longest line: an RSA key of 16,384 bits and a comment.
const LINE: usize = 8 << 10;
/// Shorter RSA keys can be broken.
const RSA_LEAST: u32 = 2_048;
/// Longer ones cost more to check than they protect.
const RSA_MOST: u32 = 16_384;
const NAME: usize = 64;

/// All of one's own, the newest first.
pub async fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::SshKey>, Fault> {
    let id = actor.require(TokenScope::Read)?;
    let rows = ssh_key::list(&mut *platform.store.read().await?, id).await?;
    Ok(Page { items: rows.into_iter().map(show).collect(), next: None })
}

/// Adds a key.
pub async fn add(platform: &Platform, actor: &Actor, input: api::AddSshKey) -> Result<api::SshKey, Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    let key = parse(&input.public_key)?;
    let now = platform.clock.now();
    let row = ssh_key::SshKey {
        id: SshKeyId::generate(now, &*platform.random),
        account: id.clone(),
        name: name(input.name.as_deref(), &key)?,
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        public_key: PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(Fault::internal)?,
        created_at: now,
        last_used_at: None,
    };
    let mut tx = platform.store.write().await?;
    // Disabled since the request was let in: a key added now would work when the account is enabled again.
    own_row(&mut tx, &id).await?;
    if ssh_key::count(&mut tx, &id).await? >= MOST {
        let message = format!("You have {MOST} SSH keys. Take one away that is not needed.");
        return Err(Fault::conflict("ssh_key.too_many", message));
    }
    ssh_key::insert(&mut tx, &row).await.map_err(|error| match error.is_duplicate() {
        true => Fault::conflict("ssh_key.exists", "You have added this key already. It works; nothing is to be done."),
        false => error.into(),
    })?;
    let details = serde_json::json!({ "name": row.name, "fingerprint": row.fingerprint });
    record(&mut tx, actor, Change::of("ssh_key.create", &row.id, details)).await?;
    tx.commit().await?;
    Ok(show(row))
}

/// Takes a key away. What was opened with it ends.
pub async fn remove(platform: &Platform, actor: &Actor, key: &SshKeyId) -> Result<(), Fault> {
    let id = actor.require(TokenScope::Admin)?;
    let mut tx = platform.store.write().await?;
    if !ssh_key::remove(&mut tx, id, key).await? {
        let message = "You have no such SSH key. It may be gone already; load the list again.";
        return Err(Fault::not_found("ssh_key.not_found", message));
    }
    record(&mut tx, actor, Change::of("ssh_key.delete", key, serde_json::json!({}))).await?;
    tx.commit().await?;
    platform.credentials.forget(id);
    Ok(())
}

fn show(row: ssh_key::SshKey) -> api::SshKey {
    api::SshKey {
        id: row.id.to_string(),
        name: row.name,
        kind: row.public_key.split(' ').next().unwrap_or_default().to_owned(),
        fingerprint: row.fingerprint,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    }
}

/// Reads the line of a `.pub` file. Whatever else people paste by mistake is called by its name.
pub(crate) fn parse(text: &str) -> Result<PublicKey, Fault> {
    let invalid = |message: &str| Fault::invalid("ssh_key.invalid", message);
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err(invalid(
            "This is a private key. It is secret: never paste it anywhere. Give the file that ends in .pub.",
        ));
    }
    if text.is_empty() || text.len() > LINE || text.lines().count() != 1 {
        return Err(invalid(
            "An SSH public key is one line, such as `ssh-ed25519 AAAA… name`: give a whole .pub file.",
        ));
    }
    let key = PublicKey::from_openssh(text).map_err(|_| {
        invalid("This is no SSH public key, or not all of it. It begins with `ssh-ed25519`, `ssh-rsa` or `ecdsa-…`.")
    })?;
    match (key.algorithm(), key.key_data()) {
        (Algorithm::Rsa { .. }, KeyData::Rsa(rsa)) if !(RSA_LEAST..=RSA_MOST).contains(&rsa.key_size()) => {
            let message = "An RSA key has 2048 to 16384 bits here. Make a new key: `ssh-keygen -t ed25519`.";
            Err(Fault::invalid("ssh_key.too_weak", message))
        }
        (
            Algorithm::Ed25519
            | Algorithm::Ecdsa { .. }
            | Algorithm::Rsa { .. }
            | Algorithm::SkEd25519
            | Algorithm::SkEcdsaSha2NistP256,
            _,
        ) => Ok(key),
        _ => {
            let message =
                "Keys of this kind are not taken (too old, or a certificate). Make one: `ssh-keygen -t ed25519`.";
            Err(Fault::invalid("ssh_key.kind_unknown", message))
        }
    }
}

/// What the key is called: as its owner says, else as the comment does, else as its kind.
fn name(wanted: Option<&str>, key: &PublicKey) -> Result<String, Fault> {
    let sound = |name: &str| !name.is_empty() && name.chars().count() <= NAME && !name.chars().any(char::is_control);
    match wanted.map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) if sound(name) => Ok(name.to_owned()),
        Some(_) => {
            let message = "A key's name has 1 to 64 characters. Say where the key is, such as `laptop`.";
            Err(Fault::invalid("ssh_key.name_invalid", message))
        }
        None => {
            let comment: String = key.comment().as_str_lossy().trim().chars().take(NAME).collect();
            Ok(if sound(&comment) { comment } else { key.algorithm().to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti ada@laptop";

    #[test]
    fn what_is_no_public_key_is_called_by_its_name() {
        assert!(parse(ED25519).is_ok() && parse(&format!("  {ED25519}\n")).is_ok());
        let rows = [
            ("", "ssh_key.invalid"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "ssh_key.invalid"),
            ("ssh-ed25519", "ssh_key.invalid"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+", "ssh_key.invalid"),
            ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti", "ssh_key.invalid"),
        ];
        for (text, code) in rows {
            assert_eq!(parse(text).unwrap_err().code, code, "{text}");
        }
        assert_eq!(parse(&format!("{ED25519}\n{ED25519}")).unwrap_err().code, "ssh_key.invalid");
        assert!(parse("-----BEGIN OPENSSH PRIVATE KEY-----").unwrap_err().message.contains("never paste"));
    }

    #[test]
    fn a_key_is_called_as_its_owner_says_or_as_it_says_itself() {
        let key = parse(ED25519).unwrap();
        assert_eq!(name(None, &key).unwrap(), "ada@laptop");
        assert_eq!(name(Some("  work "), &key).unwrap(), "work");
        assert_eq!(name(Some(" "), &key).unwrap(), "ada@laptop");
        assert_eq!(name(Some("a\u{7}"), &key).unwrap_err().code, "ssh_key.name_invalid");
        assert_eq!(name(Some(&"a".repeat(65)), &key).unwrap_err().code, "ssh_key.name_invalid");
        let plain = PublicKey::new(key.key_data().clone(), "");
        assert_eq!(name(None, &plain).unwrap(), "ssh-ed25519");
    }

    proptest! {
        #[test]
        fn no_line_ends_the_reader(text in "(ssh-(ed25519|rsa|dss) )?[A-Za-z0-9+/= \\n]{0,200}") {
            if let Ok(key) = parse(&text) {
                prop_assert!(key.to_openssh().is_ok());
            }
        }
    }
}
