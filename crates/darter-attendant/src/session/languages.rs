//! `language.*`: language servers by their names. They are programs of the session like all others, but for three things:
//! what runs stands in the claim, one of a name runs at a time, and one that does not read or is not spoken to is ended.

use std::sync::Arc;

use super::programs::{self, Wanted};
use super::{Outcome, Session};
use crate::fault::Fault;
use crate::language;
use crate::params::Params;

pub(super) fn answer(session: &Arc<Session>, what: &str, params: &Params) -> Result<Outcome, Fault> {
    match what {
        "list" => Ok(language::list(&session.attendant).into()),
        "start" => start(session, params),
        other => Err(Fault::new("request.unknown", format!("`language.{other}` is nothing that a session does"))),
    }
}

fn start(session: &Arc<Session>, params: &Params) -> Result<Outcome, Fault> {
    let name =
        params.text("server")?.ok_or_else(|| Fault::invalid("`server` is missing: a name of `language.list`"))?;
    let server = language::named(&session.attendant, name)?;
    programs::launch(
        session,
        Wanted {
            argv: &server.argv,
            cwd: session.attendant.home.clone(),
            variables: &server.variables,
            language: Some(name.to_owned()),
        },
    )
}
