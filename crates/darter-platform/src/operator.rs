//! What the operator does on the server's own data directory, whether the server runs or not: the first account, a token
//! for it, a code to reset a password. Whoever can open the database needs no other proof.

use std::sync::Arc;

use darter_api::system::AdminAccount;
use darter_core::role::TokenScope;
use darter_core::{AccountId, Clock, Fault, Random, TokenId};
use darter_store::{Store, account, setting, token};

use crate::account::{Hasher, admin, rules, signup};
use crate::audit::{Change, record};
use crate::credential::{TOKEN_PREFIX, digest, secret};
use crate::{Actor, account as accounts};

/// More accounts than this are not listed.
const MOST: u32 = 100_000;

/// Works on the database alone: no engine, no keys.
pub struct Operator {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

/// A new account.
#[derive(Debug, Clone)]
pub struct CreatedByOperator {
    pub account: AccountId,
    pub username: String,
    /// `dat_…`, when one was asked for. It is shown only now.
    pub token: Option<String>,
}

impl Operator {
    /// Makes an account. Without a password one is chosen later with [`Operator::reset_token`].
    pub async fn create_account(
        &self,
        (name, email): (&str, Option<&str>),
        password: Option<&str>,
        (administrator, with_token): (bool, bool),
    ) -> Result<CreatedByOperator, Fault> {
        let username = rules::username(name, administrator)?;
        let email = email.map(rules::email).transpose()?;
        if let Some(password) = password {
            rules::password(password, &[&username, email.as_deref().unwrap_or_default()])?;
        }
        let hash = match password {
            Some(password) => Some(Hasher::default().hash(password, &*self.random).await?),
            None => None,
        };
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        setting::lock(&mut tx).await?;
        let first = account::count(&mut tx).await? == 0;
        let row = account::Account {
            id: AccountId::generate(now, &*self.random),
            display_name: username.clone(),
            username: username.clone(),
            email,
            email_verified: false,
            password: hash,
            administrator: administrator || first,
            disabled: false,
            avatar: None,
            created_at: now,
            updated_at: now,
            last_seen_at: None,
        };
        account::insert(&mut tx, &row)
            .await
            .map_err(|error| if error.is_duplicate() { signup::taken() } else { error.into() })?;
        let token = if with_token { Some(self.add_token(&mut tx, &row.id).await?) } else { None };
        let details =
            serde_json::json!({ "administrator": row.administrator, "how": "command line", "token": with_token });
        record(&mut tx, &Actor::server(), Change::of("account.create", &row.id, details)).await?;
        tx.commit().await?;
        Ok(CreatedByOperator { account: row.id, username, token })
    }

    /// A token with every scope for an account that exists, by user name or address.
    pub async fn create_token(&self, login: &str) -> Result<String, Fault> {
        let mut tx = self.store.write().await?;
        let row = account::by_login(&mut tx, &login.trim().to_lowercase()).await?;
        let row = row.ok_or_else(|| {
            Fault::not_found(
                "account.not_found",
                format!("There is no account {login}. Write a user name or an e-mail address."),
            )
        })?;
        let token = self.add_token(&mut tx, &row.id).await?;
        let change = Change::of("token.create", &row.id, serde_json::json!({ "how": "command line" }));
        record(&mut tx, &Actor::server(), change).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// A code that chooses a new password, once, within an hour: open `<console>/reset?token=…`.
    pub async fn reset_token(&self, login: &str) -> Result<String, Fault> {
        accounts::reset_token(&self.store, login, (self.clock.now(), &*self.random)).await
    }

    /// All accounts, the oldest first.
    pub async fn accounts(&self) -> Result<Vec<AdminAccount>, Fault> {
        let rows = account::list(&mut *self.store.read().await?, None, MOST).await?;
        Ok(rows.into_iter().map(|(row, apps)| admin::show(row, apps)).collect())
    }

    async fn add_token(&self, tx: &mut darter_store::Tx, account: &AccountId) -> Result<String, Fault> {
        let now = self.clock.now();
        let secret = format!("{TOKEN_PREFIX}{}", secret(&*self.random));
        let row = token::Token {
            id: TokenId::generate(now, &*self.random),
            account: account.clone(),
            name: "from the server's command line".to_owned(),
            hint: secret[..8].to_owned(),
            scopes: vec![TokenScope::Read, TokenScope::Write, TokenScope::Admin],
            created_at: now,
            expires_at: None,
            last_used_at: None,
        };
        token::insert(tx, &row, &digest(&secret)).await?;
        Ok(secret)
    }
}
