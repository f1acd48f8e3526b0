//! The server's own log on standard error: for a person on a terminal, JSON for a program.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::client::Failure;

/// Starts logging. `filter` as in `info,darter_gateway=debug`.
pub fn start(filter: &str) -> Result<(), Failure> {
    // What strangers say at the SSH port is for its library to complain of, not for the operator.
    let quiet = if filter.contains("russh") { filter.to_owned() } else { format!("{filter},russh=off") };
    let parsed = EnvFilter::try_new(quiet).map_err(|error| {
        Failure::usage(format!(
            "--log {filter:?} is no filter ({error}). Write e.g. info, or info,darter_engine=debug."
        ))
    })?;
    let terminal = std::io::stderr().is_terminal();
    // A log that nobody reads any more must not end the task that writes to it: complaining of it goes the same way.
    let builder = tracing_subscriber::fmt().log_internal_errors(false);
    let builder = builder.with_env_filter(parsed).with_writer(std::io::stderr);
    if terminal {
        builder.with_target(false).compact().init();
    } else {
        builder.json().with_span_events(FmtSpan::NONE).with_current_span(false).init();
    }
    Ok(())
}
