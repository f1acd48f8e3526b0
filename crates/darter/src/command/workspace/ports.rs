//! Ports of a workspace, and links that open one.

use clap::{Args, Subcommand};
use darter_api::workspace::{Port, PortShare, SetPort, SharePort};
use darter_core::workspace::port::Visibility;

use super::super::Context;
use super::super::output::time;
use super::word;
use crate::client::Failure;

/// Its ports, who may reach them, and share links
#[derive(Debug, Args)]
pub struct Ports {
    workspace: String,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Decide who may reach a port
    Set {
        port: u16,
        /// private: members and whoever has a share link
        #[arg(value_parser = ["private", "signed_in", "public"])]
        visibility: String,
    },
    /// Make a link that opens a port for whoever has it
    Share {
        port: u16,
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: u64,
    },
    /// Links that have not ended
    Shares,
    /// Take a link away
    Unshare { share: String },
}

impl Ports {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let found = context.api.workspace(&self.workspace).await?;
        let base = format!("/workspaces/{}", found.id);
        match self.action {
            None => list(context, &base).await,
            Some(Action::Set { port, visibility }) => {
                let visibility = match visibility.as_str() {
                    "public" => Visibility::Public,
                    "signed_in" => Visibility::SignedIn,
                    _ => Visibility::Private,
                };
                let input = SetPort { visibility: Some(visibility), protocol: None };
                let set: Port = context.api.put(&format!("{base}/ports/{port}"), &input).await?;
                context.out.value(&set, |port| format!("{} is {}: {}", port.port, word(&port.visibility), port.url));
                Ok(())
            }
            Some(Action::Share { port, hours }) => {
                let input = SharePort { for_ms: Some(hours.saturating_mul(3_600_000)) };
                let made: PortShare = context.api.post(&format!("{base}/ports/{port}/shares"), &input).await?;
                context.out.value(&made, |made| made.url.clone().unwrap_or_default());
                Ok(())
            }
            Some(Action::Shares) => {
                let shares: Vec<PortShare> = context.api.list(&format!("{base}/shares")).await?;
                let row = |one: &PortShare| vec![one.id.clone(), one.port.to_string(), time(one.expires_at)];
                context.out.list(&shares, &["id", "port", "ends"], row);
                Ok(())
            }
            Some(Action::Unshare { share }) => {
                context.api.delete(&format!("{base}/shares/{share}")).await?;
                context.out.done(&format!("{share} opens nothing any more."));
                Ok(())
            }
        }
    }
}

async fn list(context: &Context, base: &str) -> Result<(), Failure> {
    let ports: Vec<Port> = context.api.list(&format!("{base}/ports")).await?;
    context.out.list(&ports, &["port", "visibility", "program", "address"], |port| {
        let program = if port.listening { port.program.clone() } else { "(nobody listens)".to_owned() };
        vec![port.port.to_string(), word(&port.visibility), program, port.url.clone()]
    });
    Ok(())
}
