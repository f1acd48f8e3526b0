//! By what somebody was let in, for what stays open: it is asked again and again whether that still holds. A session that
//! ended, a link that was taken away, a port that is not public any more end what they opened.

use http::HeaderMap;

use super::cookie::DoorCookie;
use super::door::DARTER_TOKEN;
use super::doors::Spot;
use crate::context::Context;
use crate::server::Inner;

/// What a request had to show.
pub(super) struct Proof {
    spot: Spot,
    visits: Vec<String>,
    token: Option<String>,
}

impl Proof {
    pub fn of(spot: &Spot, context: &Context, headers: &HeaderMap) -> Self {
        let visits = DoorCookie::Visit.read(headers, context.https).into_iter().map(str::to_owned).collect();
        let token = headers.get(DARTER_TOKEN).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { spot: spot.clone(), visits, token }
    }

    /// Resolves when whoever was let in may not be there any more.
    pub async fn ends(&self, inner: &Inner) {
        loop {
            tokio::time::sleep(inner.config.recheck).await;
            if !self.holds(inner).await {
                return;
            }
        }
    }

    /// What cannot be asked now is asked again: a store that is busy throws nobody out.
    async fn holds(&self, inner: &Inner) -> bool {
        if self.spot.port.is_some_and(|port| inner.doors.is_public(&self.spot.id, port)) {
            return true;
        }
        for visit in &self.visits {
            match inner.doors.visit(&self.spot, visit).await {
                Ok(None) => {}
                Ok(Some(_)) => return true,
                Err(fault) if fault.kind.status() >= 500 => return true,
                Err(_) => {}
            }
        }
        match &self.token {
            Some(token) => inner
                .doors
                .by_access_token(&self.spot, token)
                .await
                .map_or_else(|fault| fault.kind.status() >= 500, |()| true),
            None => false,
        }
    }
}
