//! `darter admin …`: what an administrator of the server does.

use clap::Subcommand;
use darter_api::account::{CreateInvitation, CreatedInvitation, Invitation, SignUpMode};
use darter_api::audit::AuditEntry;
use darter_api::system::{AdminAccount, Settings, UpdateAdminAccount, Wall};
use reqwest::Method;

use super::Context;
use super::access::print_audit;
use super::output::{Output, time};
use crate::client::{Exit, Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All accounts
    Accounts,
    /// Disable or enable an account, or make it administrator
    Account {
        name: String,
        #[arg(long)]
        disabled: Option<bool>,
        #[arg(long)]
        administrator: Option<bool>,
    },
    /// Open invitations
    Invitations,
    /// Invite somebody; prints the address to send
    Invite {
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        uses: Option<u32>,
        #[arg(long)]
        hours: Option<u32>,
    },
    /// Take an invitation back
    Uninvite { id: String },
    /// Show or change the server's settings
    Settings {
        /// open, invitation or closed
        #[arg(long, value_parser = ["open", "invitation", "closed"])]
        signup: Option<String>,
        #[arg(long)]
        apps_per_account: Option<u32>,
    },
    /// Everything that anybody changed
    Audit,
    /// Which walls of the sandbox stand on the server
    Doctor,
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Accounts => {
                let all: Vec<AdminAccount> = context.api.list("/admin/accounts").await?;
                accounts(&context.out, &all);
            }
            Self::Account { name, disabled, administrator } => {
                let all: Vec<AdminAccount> = context.api.list("/admin/accounts").await?;
                let found = all.into_iter().find(|one| one.username == name || one.id == name);
                let id = found.ok_or_else(|| Failure::new(Exit::NotFound, format!("There is no account {name}.")))?.id;
                let change = UpdateAdminAccount { administrator, disabled };
                let path = format!("/admin/accounts/{}", segment(&id));
                context.api.call::<_, serde_json::Value>(Method::PATCH, &path, Some(&change)).await?;
                context.out.done(&format!("Changed {name}."));
            }
            Self::Invitations => {
                let all: Vec<Invitation> = context.api.list("/invitations").await?;
                context.out.list(&all, &["id", "for", "uses left", "ends"], |one| {
                    let email = one.email.clone().unwrap_or_else(|| "anybody".into());
                    vec![one.id.clone(), email, one.uses_left.to_string(), time(one.expires_at)]
                });
            }
            Self::Invite { email, uses, hours } => {
                let made: CreatedInvitation =
                    context.api.post("/invitations", &CreateInvitation { email, uses, hours }).await?;
                context.out.value(&made, |made| made.url.clone());
            }
            Self::Uninvite { id } => {
                context.api.delete(&format!("/invitations/{}", segment(&id))).await?;
                context.out.done("The invitation is taken back.");
            }
            Self::Settings { signup, apps_per_account } => settings(context, signup, apps_per_account).await?,
            Self::Audit => {
                let all: Vec<AuditEntry> = context.api.list("/audit").await?;
                print_audit(context, &all);
            }
            Self::Doctor => {
                let walls: Vec<Wall> = context.api.list("/admin/doctor").await?;
                context.out.list(&walls, &["wall", "state", "what was seen", "what to do"], |wall| {
                    let state = if wall.standing {
                        "stands"
                    } else if wall.required {
                        "MISSING"
                    } else {
                        "missing"
                    };
                    vec![wall.name.clone(), state.into(), wall.detail.clone(), wall.what_to_do.clone()]
                });
            }
        }
        Ok(())
    }
}

async fn settings(context: &Context, signup: Option<String>, apps: Option<u32>) -> Result<(), Failure> {
    let mut settings: Settings = context.api.get("/admin/settings").await?;
    if signup.is_some() || apps.is_some() {
        settings.signup = match signup.as_deref() {
            None => settings.signup,
            Some("open") => SignUpMode::Open,
            Some("invitation") => SignUpMode::Invitation,
            Some(_) => SignUpMode::Closed,
        };
        settings.apps_per_account = apps.unwrap_or(settings.apps_per_account);
        settings = context.api.call(Method::PATCH, "/admin/settings", Some(&settings)).await?;
    }
    context.out.value(&settings, |settings| {
        let signup = format!("{:?}", settings.signup).to_lowercase();
        format!("signup = {signup}\napps_per_account = {}", settings.apps_per_account)
    });
    Ok(())
}

/// A table of accounts, for whoever looks after the server.
pub fn accounts(out: &Output, all: &[AdminAccount]) {
    out.list(all, &["id", "name", "e-mail", "role", "state", "apps", "last seen"], |one| {
        vec![
            one.id.clone(),
            one.username.clone(),
            one.email.clone(),
            if one.administrator { "administrator" } else { "" }.into(),
            if one.disabled { "disabled" } else { "enabled" }.into(),
            one.apps.to_string(),
            one.last_seen_at.map_or("never".into(), time),
        ]
    });
}
