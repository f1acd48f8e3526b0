//! Looking at apps: lists, one, its members, its instances.

use darter_api::app as api;
use darter_api::page::{Page, PageQuery};
use darter_core::app::AppState;
use darter_core::role::TokenScope;
use darter_core::{AppId, Fault};
use darter_engine::InstanceState;
use darter_store::app::{self, AppFilter};
use darter_store::member;

use super::view::show;
use crate::access::Opened;
use crate::page::{limit_of, malformed_cursor};
use crate::{Actor, Platform, metrics};

/// The caller's apps, the newest first. Those in the recycle bin only when asked for by state.
pub async fn list(
    platform: &Platform,
    actor: &Actor,
    state: Option<AppState>,
    page: &PageQuery,
) -> Result<Page<api::App>, Fault> {
    let account = actor.require(TokenScope::Read)?.clone();
    let limit = limit_of(page)?;
    let before = page.cursor.as_deref().map(parse_cursor).transpose()?;
    let recycled = state == Some(AppState::Recycled);
    let mut tx = platform.store.read().await?;
    let mut found = app::list(&mut tx, &account, &AppFilter { recycled, state, before, limit: limit + 1 }).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| format!("{}.{}", last.app.created_at, last.app.id));
    let mut items = Vec::with_capacity(found.len());
    for member in &found {
        let day = metrics::day(platform, &mut tx, &member.app.id).await?;
        items.push(show(platform, member, Some(day)));
    }
    Ok(Page { items, next })
}

fn parse_cursor(text: &str) -> Result<(i64, String), Fault> {
    let (time, id) = text.split_once('.').ok_or_else(malformed_cursor)?;
    let id: AppId = id.parse().map_err(|_| malformed_cursor())?;
    Ok((time.parse().map_err(|_| malformed_cursor())?, id.to_string()))
}

/// One app, with the picture of its last day.
pub async fn get(platform: &Platform, actor: &Actor, app: &AppId) -> Result<api::App, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let day = metrics::day(platform, &mut opened.tx, app).await?;
    Ok(show(platform, &opened.app, Some(day)))
}

/// Who is a member.
pub async fn members(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Page<api::Member>, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let members = member::list(&mut opened.tx, app).await?;
    let items = members.into_iter().map(|member| api::Member {
        avatar_url: member.avatar.as_deref().map(|avatar| crate::account::avatar_url(&member.account, avatar)),
        account: member.account.to_string(),
        username: member.username,
        display_name: member.display_name,
        role: member.role,
        since: member.since,
    });
    Ok(Page { items: items.collect(), next: None })
}

/// What runs now.
pub async fn instances(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Page<api::Instance>, Fault> {
    Opened::read(platform, actor, app).await?;
    let items = platform.engine.status(app).into_iter().map(|instance| api::Instance {
        id: instance.id,
        state: word(instance.state).to_owned(),
        since: instance.since,
        next_state: instance.next.map(|(state, _)| word(state).to_owned()),
        next_at: instance.next.map(|(_, time)| time),
        in_flight: instance.in_flight,
        requests_total: instance.requests_total,
        memory_bytes: instance.memory_bytes,
        memory_peak_bytes: instance.memory_peak_bytes,
        cpu_usec: instance.cpu_usec,
    });
    Ok(Page { items: items.collect(), next: None })
}

pub(crate) fn word(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Starting => "starting",
        InstanceState::Active => "active",
        InstanceState::Idle => "idle",
        InstanceState::Frozen => "frozen",
        InstanceState::Stopping => "stopping",
    }
}
