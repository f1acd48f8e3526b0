//! Phase 8: when an answer has left (or was given up), its record goes to the platform and its line to the access log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use darter_core::record::{RequestRecord, StartPhases};
use darter_core::{AppId, Millis};
use darter_wire::Response;
use http::{HeaderValue, Method, Request};

use crate::context::Context;
use crate::server::Inner;

/// Counts one request. Writes when it is dropped, so that nothing is forgotten whatever happens.
pub struct Meter {
    inner: Arc<Inner>,
    began: Instant,
    time: Millis,
    request_id: HeaderValue,
    method: Method,
    app: Option<AppId>,
    function: String,
    version: u32,
    status: u16,
    code: &'static str,
    request_bytes: u64,
    upload: Option<Arc<AtomicU64>>,
    response_bytes: u64,
    start: Option<StartPhases>,
    /// Only when somebody reads the access log.
    line: Option<Box<Line>>,
}

struct Line {
    client: Arc<str>,
    host: String,
    path: String,
}

impl Meter {
    pub(crate) fn begin<B>(inner: &Arc<Inner>, context: &Context, request: &Request<B>) -> Self {
        inner.counters.in_flight.fetch_add(1, Ordering::Relaxed);
        let line = tracing::enabled!(target: "access", tracing::Level::INFO).then(|| {
            // The query may hold secrets: it stays out of the log.
            let path = request.uri().path().to_owned();
            Box::new(Line { client: Arc::clone(&context.client_text), host: context.host.clone(), path })
        });
        Self {
            inner: Arc::clone(inner),
            began: context.began,
            time: context.time,
            request_id: context.request_id.clone(),
            method: request.method().clone(),
            app: None,
            function: String::new(),
            version: 0,
            status: 0,
            code: "",
            request_bytes: 0,
            upload: None,
            response_bytes: 0,
            start: None,
            line,
        }
    }

    pub(crate) fn of_app(&mut self, app: &AppId) {
        self.app = Some(app.clone());
    }

    pub(crate) fn received(&mut self, bytes: u64) {
        self.request_bytes = bytes;
    }

    /// Counts a body that is still coming.
    pub(crate) fn upload_counter(&mut self) -> Arc<AtomicU64> {
        Arc::clone(self.upload.get_or_insert_default())
    }

    pub(crate) fn answered(&mut self, reply: &mut Response, start: Option<&StartPhases>) {
        self.function = std::mem::take(&mut reply.function);
        self.version = reply.version;
        self.start = start.cloned();
    }

    pub(crate) fn failed(&mut self, code: &'static str) {
        self.code = code;
    }

    pub(crate) fn status(&mut self, status: u16) {
        self.status = status;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.response_bytes += bytes as u64;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.inner.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        let duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let request_bytes = self.request_bytes + self.upload.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        let request_id = self.request_id.to_str().unwrap_or_default();
        // No status was decided: the client left first. nginx's number for it.
        let status = if self.status == 0 { 499 } else { self.status };
        if let Some(line) = &self.line {
            tracing::info!(
                target: "access",
                request_id,
                client = &*line.client,
                host = line.host,
                method = self.method.as_str(),
                path = line.path,
                status,
                code = self.code,
                duration_us,
                request_bytes,
                response_bytes = self.response_bytes,
                function = self.function,
                version = self.version,
            );
        }
        if let Some(app) = self.app.take() {
            self.inner.directory.record(RequestRecord {
                time: self.time,
                app,
                function: std::mem::take(&mut self.function),
                version: self.version,
                request_id: request_id.to_owned(),
                method: self.method.as_str().to_owned(),
                status,
                duration_us,
                request_bytes,
                response_bytes: self.response_bytes,
                start: self.start.take(),
            });
        }
    }
}
