//! `darter access …`: how one is signed in, and what one has changed.

use clap::Subcommand;
use darter_api::account::{Identity, Session};
use darter_api::audit::AuditEntry;

use super::Context;
use super::output::time;
use crate::client::{Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Browsers that are signed in
    Sessions,
    /// Sign a browser out, or all of them
    End {
        /// Id of a session; all unless told
        session: Option<String>,
    },
    /// Accounts elsewhere that are bound to this one
    Identities,
    /// Unbind an account elsewhere
    Unbind { provider: String },
    /// What I have changed
    Audit,
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Sessions => {
                let all: Vec<Session> = context.api.list("/me/sessions").await?;
                context.out.list(&all, &["id", "browser", "address", "last used", "ends"], |one| {
                    let times = [one.last_used_at, one.expires_at].map(time);
                    [one.id.clone(), one.user_agent.clone(), one.address.clone()].into_iter().chain(times).collect()
                });
            }
            Self::End { session } => {
                let one = session.map(|id| format!("/{}", segment(&id))).unwrap_or_default();
                context.api.delete(&format!("/me/sessions{one}")).await?;
                context.out.done("Signed out.");
            }
            Self::Identities => {
                let all: Vec<Identity> = context.api.list("/me/identities").await?;
                context.out.list(&all, &["provider", "name", "since"], |one| {
                    vec![one.provider.clone(), one.label.clone(), time(one.created_at)]
                });
            }
            Self::Unbind { provider } => {
                context.api.delete(&format!("/me/identities/{}", segment(&provider))).await?;
                context.out.done(&format!("{provider} is no longer bound."));
            }
            Self::Audit => {
                let all: Vec<AuditEntry> = context.api.list("/me/audit").await?;
                print_audit(context, &all);
            }
        }
        Ok(())
    }
}

/// Audit entries as a table.
pub fn print_audit(context: &Context, entries: &[AuditEntry]) {
    context.out.list(entries, &["time", "who", "what", "object", "from"], |one| {
        vec![time(one.time), one.actor_name.clone(), one.operation.clone(), one.object.clone(), one.address.clone()]
    });
}
