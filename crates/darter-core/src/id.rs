//! Ids. A type for each noun, so that one can never stand where another is meant.
//!
//! Most are `prefix_` and a UUIDv7 in 26 characters of Crockford's base 32: they sort by time of creation.
//! The ids of apps and workspaces are different because they are also host names: see [`AppId`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::random::{self, Random};
use crate::{Millis, fault::Fault};

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(value: u128) -> String {
    (0..26).rev().map(|place| char::from(CROCKFORD[((value >> (place * 5)) & 31) as usize])).collect()
}

fn is_encoded(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| CROCKFORD.contains(&byte)) && text.as_bytes()[0] < b'8'
}

fn uuid_v7(now: Millis, random: &dyn Random) -> u128 {
    let mut noise = [0u8; 10];
    random.fill(&mut noise);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(now).unwrap_or(0), &noise).into_uuid().as_u128()
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text before the first character that differs.
            pub const PREFIX: &'static str = $prefix;

            /// A new id. Sorts after every id made at an earlier millisecond.
            pub fn generate(now: Millis, random: &dyn Random) -> Self {
                Self(format!("{}{}", $prefix, encode(uuid_v7(now, random))))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                match text.strip_prefix($prefix) {
                    Some(rest) if is_encoded(rest) => Ok(Self(text.to_owned())),
                    _ => Err(Fault::invalid(
                        "id.malformed",
                        concat!("This is not an id of the form ", $prefix, "… followed by 26 letters and digits."),
                    )),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

prefixed_id!(
    /// A person's account.
    AccountId, "acc_");
prefixed_id!(
    /// One source file of an app. Names change, this does not.
    FunctionId, "fn_");
prefixed_id!(
    /// A signed-in browser. Not its secret: the id is shown in the list of sessions.
    SessionId, "ses_");
prefixed_id!(
    /// A personal access token. Not its secret.
    TokenId, "tok_");
prefixed_id!(
    /// An SSH public key of an account's.
    SshKeyId, "key_");
prefixed_id!(
    /// An invitation to sign up.
    InvitationId, "inv_");
prefixed_id!(
    /// A snapshot of a workspace's home.
    SnapshotId, "snap_");
prefixed_id!(
    /// A link that opens one port of a workspace. Not its secret.
    ShareId, "shr_");
prefixed_id!(
    /// A browser that entered a workspace's host. Not its secret.
    VisitId, "vis_");
prefixed_id!(
    /// One entry of the audit record.
    AuditId, "aud_");
prefixed_id!(
    /// One request through the gateway, from the access log to the function's log line.
    RequestId, "req_");

macro_rules! label_id {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Length of every such id.
            pub const LENGTH: usize = LABEL_LENGTH;

            /// A new id: 48 bits of chance. The store refuses a duplicate, and the use case draws again.
            pub fn generate(random: &dyn Random) -> Self {
                Self(label(random))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                if is_label(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(Fault::invalid(
                    "id.malformed",
                    concat!("This is not the id of ", $noun, ": 10 lower-case letters and digits, a letter first."),
                ))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

const LABEL_LENGTH: usize = 10;

fn label(random: &dyn Random) -> String {
    let tail = random::text(random, LABEL_LENGTH);
    let letters = "abcdefghjkmnpqrs";
    let first = letters.as_bytes()[usize::from(tail.as_bytes()[0]) % letters.len()];
    format!("{}{}", char::from(first), &tail[1..])
}

fn is_label(text: &str) -> bool {
    text.len() == LABEL_LENGTH
        && text.as_bytes()[0].is_ascii_lowercase()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

label_id!(
    /// An app's id: 10 characters, a letter first, then lower-case letters and digits. It is the app's host label
    /// (`<id>.darter-apps.localhost`) and what functions see as `cloud.appid`, so it must be a DNS label and short.
    AppId, "an app");
label_id!(
    /// A workspace's id: what counts in its host `<username>-<id>.darter-apps.localhost`, and in a port's `<port>-<id>`.
    WorkspaceId, "a workspace");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    #[test]
    fn ids_made_later_sort_later() {
        let earlier = AccountId::generate(1_000, &SystemRandom);
        let later = AccountId::generate(2_000, &SystemRandom);
        assert!(earlier < later, "{earlier} {later}");
    }

    #[test]
    fn an_id_of_another_noun_is_refused() {
        let token = TokenId::generate(1, &SystemRandom);
        assert_eq!(token.as_str().parse::<AccountId>().map_err(|fault| fault.code), Err("id.malformed"));
        assert_eq!(token.as_str().parse::<TokenId>(), Ok(token));
    }

    #[test]
    fn an_app_id_is_a_dns_label() {
        for _ in 0..200 {
            let id = AppId::generate(&SystemRandom);
            assert_eq!(id.as_str().parse::<AppId>(), Ok(id.clone()));
        }
        for bad in ["", "0aaaaaaaaa", "aaaa-aaaaa", "AAAAAAAAAA", "aaaaaaaaaaa", "../../etc/"] {
            assert!(bad.parse::<AppId>().is_err(), "{bad}");
        }
    }
}
