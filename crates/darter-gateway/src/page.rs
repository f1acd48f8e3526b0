//! The gateway's own answers: a page for a person, JSON for a program.

use darter_api::error::{ErrorBody, ErrorDetail};
use darter_core::{Fault, Kind};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFRESH, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use crate::context::Context;
use crate::reply::ReplyBody;
use crate::words::words;

/// Why a request gets no answer from an app.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    fault: Fault,
}

impl Problem {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, fault: Fault::new(kind_of(status), code, message) }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.fault = self.fault.with(name, value);
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.fault = self.fault.retry_after(seconds);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.fault.code
    }

    #[cfg(test)]
    pub fn scope(&self) -> Option<String> {
        let scope = self.fault.details.iter().find(|(name, _)| *name == "scope");
        scope.and_then(|(_, value)| value.as_str()).map(str::to_owned)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        if let Some(cause) = &fault.cause {
            tracing::error!(code = fault.code, %cause, "a request could not be served");
        }
        let status = StatusCode::from_u16(fault.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, fault }
    }
}

fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        404 => Kind::NotFound,
        413 | 431 => Kind::TooLarge,
        429 => Kind::RateLimited,
        502 | 503 => Kind::Unavailable,
        504 => Kind::Timeout,
        400..=499 => Kind::Invalid,
        _ => Kind::Internal,
    }
}

/// Renders a problem in the shape that the client asked for.
pub(crate) fn render(problem: &Problem, context: &Context) -> Response<ReplyBody> {
    render_with(problem, context, None)
}

/// The same with the address in the console that shows more of it, to whoever may see that there.
pub(crate) fn render_with(problem: &Problem, context: &Context, console: Option<&str>) -> Response<ReplyBody> {
    let (content_type, body) = if context.wants.html {
        ("text/html; charset=utf-8", html(problem, context, console))
    } else {
        ("application/json", json(problem, context))
    };
    let mut answer = Response::new(ReplyBody::whole(body));
    *answer.status_mut() = problem.status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    );
    if let Some(seconds) = problem.fault.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // Somebody who waits for a start should not have to press a key.
    if context.wants.html && matches!(problem.fault.code, "workspace.queue_full" | "environment.not_installed") {
        let seconds = problem.fault.retry_after.unwrap_or(3).clamp(1, 30);
        headers.insert(REFRESH, HeaderValue::from(seconds));
    }
    if matches!(problem.status.as_u16(), 400 | 413 | 431) {
        // What follows on this connection is the rest of something that we refuse to read, or to understand.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if problem.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    answer
}

fn json(problem: &Problem, context: &Context) -> String {
    let details = problem.fault.details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let body = ErrorBody {
        error: ErrorDetail {
            code: problem.fault.code.to_owned(),
            message: problem.fault.message.clone(),
            details,
            request_id: context.request_id().to_owned(),
        },
    };
    serde_json::to_string(&body).unwrap_or_default()
}

fn html(problem: &Problem, context: &Context, console: Option<&str>) -> String {
    let chinese = context.wants.chinese;
    let (title, lead) = words(problem.fault.code, problem.status, chinese);
    let (language, details, number) =
        if chinese { ("zh-CN", "技术细节", "请求编号") } else { ("en", "Details", "Request") };
    let message = escape(&problem.fault.message);
    let way = console.map(|address| way(address, problem, chinese)).unwrap_or_default();
    let (status, code, request) = (problem.status.as_u16(), problem.fault.code, escape(context.request_id()));
    format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
<title>{status} · {title}</title><style>{STYLE}</style></head><body><main>{WINGS}<p class=\"status\">{status}</p>\
<h1>{title}</h1><p class=\"lead\">{lead}</p>{way}<details><summary>{details}</summary><p>{message}</p>\
<p><code>{code}</code></p></details><p class=\"id\">{number} <code>{request}</code></p></main></body></html>"
    )
}

/// The link to the console. Who visits an app is seldom its owner, who is told so.
fn way(address: &str, problem: &Problem, chinese: bool) -> String {
    let of_app = problem.fault.code.starts_with("app.") || problem.fault.code.starts_with("function.");
    let label = match (of_app, chinese) {
        (false, false) => "Open the console",
        (false, true) => "打开控制台",
        (true, false) => "Is it yours? Open the console",
        (true, true) => "您是所有者？打开控制台",
    };
    let class = if of_app { "quiet" } else { "way" };
    format!("<p class=\"{class}\"><a href=\"{}\">{label}</a></p>", escape(address))
}

const STYLE: &str = ":root{color-scheme:light dark;--paper:#f6f8f7;--card:#fff;--ink:#12211d;--soft:#5b6f69;--line:#dfe7e4;--wing:#0f9d84;--deep:#0b7a67}\
@media(prefers-color-scheme:dark){:root{--paper:#0c1513;--card:#121e1b;--ink:#e6f0ed;--soft:#93a8a1;--line:#22332e;--wing:#3fd0b3;--deep:#3fd0b3}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:16px/1.6 system-ui,-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',sans-serif}\
main{width:100%;max-width:480px;background:var(--card);border:1px solid var(--line);border-radius:20px;padding:40px 32px 28px;text-align:center}\
svg{width:72px;height:72px;color:var(--wing)}.status{margin:12px 0 0;font-size:13px;letter-spacing:.18em;color:var(--soft)}\
h1{margin:4px 0 8px;font-size:26px;line-height:1.25}.lead{margin:0 0 20px;color:var(--soft)}\
details{text-align:left;border-top:1px solid var(--line);padding-top:14px;color:var(--soft);font-size:14px}\
summary{cursor:pointer}code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}\
.way{margin:0 0 24px}.way a{display:inline-block;padding:10px 20px;border-radius:12px;background:var(--deep);color:var(--card);text-decoration:none}\
.quiet{margin:0 0 20px;font-size:14px}a{color:var(--deep)}\
.id{margin:18px 0 0;font-size:13px;color:var(--soft)}";

/// A dragonfly at rest.
const WINGS: &str = "<svg viewBox=\"0 0 72 72\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.5\" stroke-linecap=\"round\" aria-hidden=\"true\">\
<path d=\"M36 20v40\"/><circle cx=\"36\" cy=\"15\" r=\"4.5\" fill=\"currentColor\" stroke=\"none\"/>\
<path d=\"M36 27C26 15 12 14 7 19c-3 4 8 12 29 10\"/><path d=\"M36 27c10-12 24-13 29-8 3 4-8 12-29 10\"/>\
<path d=\"M36 32C24 31 13 36 11 43c0 5 14 2 25-9\"/><path d=\"M36 32c12-1 23 4 25 11 0 5-14 2-25-9\"/></svg>";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
