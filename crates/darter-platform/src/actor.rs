//! Who asks: the first thing every use case is told, and what the audit record is written from.

use std::sync::Arc;

use darter_core::role::TokenScope;
use darter_core::{AccountId, Fault, SessionId, SshKeyId, TokenId};

use crate::Platform;

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    pub who: Who,
    pub origin: Origin,
}

/// Where a request comes from. Shown to people; decides nothing but how fast one may guess.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub address: String,
    pub user_agent: String,
    pub request_id: String,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody is signed in.
    Anonymous,
    /// Somebody with an account that is not disabled.
    Person(Arc<Person>),
    /// The server itself: clearing up, the operator's command line.
    Server,
}

/// A person who proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub account: AccountId,
    pub username: String,
    pub administrator: bool,
    pub via: Via,
}

/// How it was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    Session(SessionId),
    Token(TokenId, Vec<TokenScope>),
    /// Signed with at the SSH port: good for what a shell can do, never for one's account.
    SshKey(SshKeyId),
}

impl Actor {
    /// Somebody who is not signed in.
    pub fn anonymous(origin: Origin) -> Self {
        Self { who: Who::Anonymous, origin }
    }

    /// The server itself.
    pub fn server() -> Self {
        Self { who: Who::Server, origin: Origin::default() }
    }

    /// Whoever has this personal access token.
    pub async fn by_token(platform: &Platform, token: &str) -> Result<Self, Fault> {
        let person = crate::credential::by_token(platform, token).await?;
        Ok(Self { who: Who::Person(person), origin: Origin::default() })
    }

    /// The person, when somebody is signed in.
    pub fn person(&self) -> Option<&Person> {
        match &self.who {
            Who::Person(person) => Some(person),
            Who::Anonymous | Who::Server => None,
        }
    }

    /// The account, when somebody is signed in whose credential has this scope.
    pub fn require(&self, scope: TokenScope) -> Result<&AccountId, Fault> {
        let person = self.person().ok_or_else(sign_in_needed)?;
        match &person.via {
            Via::Session(_) => Ok(&person.account),
            Via::Token(_, scopes) if has(scopes, scope) => Ok(&person.account),
            Via::SshKey(_) if scope != TokenScope::Admin => Ok(&person.account),
            Via::SshKey(_) => {
                Err(Fault::forbidden("ssh_key.workspaces_only", "An SSH key opens workspaces only. Sign in."))
            }
            Via::Token(..) => Err(Fault::forbidden(
                "token.scope_missing",
                format!("This token does not have the scope {}. Make one that has it, or sign in.", word(scope)),
            )
            .with("scope", word(scope))),
        }
    }

    /// The account, when an administrator of the server asks.
    pub fn require_administrator(&self) -> Result<&AccountId, Fault> {
        let account = self.require(TokenScope::Admin)?;
        match self.person() {
            Some(person) if person.administrator => Ok(account),
            Some(_) | None => Err(Fault::forbidden(
                "account.not_administrator",
                "Only an administrator of this server may do this. Ask one.",
            )),
        }
    }

    /// The session that asks, when it is one.
    pub fn session(&self) -> Option<&SessionId> {
        match &self.person()?.via {
            Via::Session(id) => Some(id),
            Via::Token(..) | Via::SshKey(_) => None,
        }
    }

    /// The user name; empty when nobody is signed in.
    pub fn name(&self) -> &str {
        self.person().map_or("", |person| &person.username)
    }

    /// The id of the session or token; empty when nobody is signed in.
    pub fn credential(&self) -> &str {
        match self.person().map(|person| &person.via) {
            Some(Via::Session(id)) => id.as_str(),
            Some(Via::Token(id, _)) => id.as_str(),
            Some(Via::SshKey(id)) => id.as_str(),
            None => "",
        }
    }
}

/// `write` includes `read`: a token that may change something may see what it changes. `admin` stands for itself.
fn has(scopes: &[TokenScope], scope: TokenScope) -> bool {
    scopes.contains(&scope) || (scope == TokenScope::Read && scopes.contains(&TokenScope::Write))
}

fn word(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "read",
        TokenScope::Write => "write",
        TokenScope::Admin => "admin",
    }
}

/// The answer to somebody who is not signed in.
pub(crate) fn sign_in_needed() -> Fault {
    Fault::unauthenticated(
        "auth.required",
        "You are not signed in. Sign in, or send a personal access token as `Authorization: Bearer dat_…`.",
    )
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn a_token_may_do_what_its_scopes_say_and_a_session_everything() {
        use TokenScope::{Admin, Read, Write};
        let actor = |via| Actor {
            who: Who::Person(Arc::new(Person {
                account: AccountId::generate(1, &SystemRandom),
                username: "ada".into(),
                administrator: false,
                via,
            })),
            origin: Origin::default(),
        };
        let token = |scopes: &[TokenScope]| actor(Via::Token(TokenId::generate(1, &SystemRandom), scopes.to_vec()));
        let rows = [
            (actor(Via::Session(SessionId::generate(1, &SystemRandom))), [true, true, true]),
            (token(&[Read]), [true, false, false]),
            (token(&[Write]), [true, true, false]),
            (token(&[Admin]), [false, false, true]),
            (token(&[]), [false, false, false]),
            (actor(Via::SshKey(SshKeyId::generate(1, &SystemRandom))), [true, true, false]),
            (Actor::anonymous(Origin::default()), [false, false, false]),
            (Actor::server(), [false, false, false]),
        ];
        for (actor, expected) in rows {
            assert_eq!([Read, Write, Admin].map(|scope| actor.require(scope).is_ok()), expected, "{actor:?}");
            assert!(actor.require_administrator().is_err());
        }
    }
}
