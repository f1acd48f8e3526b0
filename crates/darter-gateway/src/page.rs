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
    let (content_type, body) = if context.wants.html {
        ("text/html; charset=utf-8", html(problem, context))
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
    if context.wants.html && matches!(problem.fault.code, "workspace.queued" | "environment.not_installed") {
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

/// The words of a page: what it means for the visitor. The owner's words are the fault's own message.
struct Words {
    language: &'static str,
    title: &'static str,
    lead: &'static str,
    details: &'static str,
    number: &'static str,
}

fn words(code: &str, status: StatusCode, chinese: bool) -> Words {
    let (title, lead) = match (code, chinese) {
        ("app.not_found", false) => ("Nothing lives here", "There is no app at this address."),
        ("app.not_found", true) => ("这里什么都没有", "这个地址上没有应用。"),
        ("app.stopped", false) => ("This app is resting", "Its owner has stopped it. Come back later."),
        ("app.stopped", true) => ("应用已停止", "应用的所有者已将其停止，请稍后再来。"),
        ("app.overloaded", false) => ("Too many visitors", "The app is busy right now. Try again in a moment."),
        ("app.overloaded", true) => ("访问人数过多", "应用正忙，请稍后重试。"),
        ("app.rate_limited", false) => {
            ("Slow down a little", "Too many requests in a short time. Wait a moment and try again.")
        }
        ("app.rate_limited", true) => ("请求过于频繁", "短时间内请求过多，请稍等片刻再试。"),
        ("workspace.not_found", false) => ("Nothing lives here", "There is no workspace at this address."),
        ("workspace.not_found", true) => ("这里什么都没有", "这个地址上没有工作区。"),
        ("workspace.queued", false) => {
            ("Just a moment", "Many workspaces are starting. Yours is in the queue; this page goes on by itself.")
        }
        ("workspace.queued", true) => ("请稍候", "许多工作区正在启动，您的工作区正在排队，页面会自动继续。"),
        ("environment.not_installed", false) => {
            ("Still being installed", "The editor is being set up on this server. This page goes on by itself.")
        }
        ("environment.not_installed", true) => ("正在安装", "服务器正在安装编辑器，页面会自动继续。"),
        ("workspace.sign_in" | "workspace.cross_site", false) => {
            ("This workspace is private", "Open it from your own list.")
        }
        ("workspace.sign_in" | "workspace.cross_site", true) => ("私有工作区", "请从您自己的列表中打开。"),
        ("workspace.cookies_off", false) => {
            ("Cookies are switched off", "A workspace needs this site's cookies to know you. Allow them and try again.")
        }
        ("workspace.cookies_off", true) => ("浏览器禁用了 Cookie", "工作区需要本站的 Cookie 来识别您，请允许后重试。"),
        ("workspace.port_closed" | "port.refused", false) => {
            ("Nothing listens here yet", "Start your program in the workspace; then load this page again.")
        }
        ("workspace.port_closed" | "port.refused", true) => {
            ("此端口尚无服务", "请先在工作区中启动程序，然后刷新页面。")
        }
        ("workspace.start_failed" | "workspace.crashed", false) => {
            ("The workspace did not start", "Nothing of yours is lost. The console shows why, and what to do.")
        }
        ("workspace.start_failed" | "workspace.crashed", true) => {
            ("工作区未能启动", "您的文件没有丢失。控制台会说明原因和解决办法。")
        }
        ("request.too_large", false) => ("Too large", "What you sent is larger than this app accepts."),
        ("request.too_large", true) => ("内容过大", "发送的内容超出了该应用允许的大小。"),
        _ => words_of_status(status, chinese),
    };
    let (language, details, number) =
        if chinese { ("zh-CN", "技术细节", "请求编号") } else { ("en", "Details", "Request") };
    Words { language, title, lead, details, number }
}

fn words_of_status(status: StatusCode, chinese: bool) -> (&'static str, &'static str) {
    match (status.as_u16(), chinese) {
        (504, false) => ("It took too long", "The app did not answer in time. Try again; if it stays, tell its owner."),
        (504, true) => ("响应超时", "应用未能及时响应。请重试；若问题持续，请联系应用所有者。"),
        (404, false) => ("Not found", "What you are looking for is not here."),
        (404, true) => ("未找到", "您要找的内容不在这里。"),
        (500..=599, false) => ("The app has a problem", "It could not answer. Try again; if it stays, tell its owner."),
        (500..=599, true) => ("应用出现问题", "应用无法响应。请重试；若问题持续，请联系应用所有者。"),
        (_, false) => ("This request does not work", "The request could not be understood."),
        (_, true) => ("请求无效", "无法理解该请求。"),
    }
}

fn html(problem: &Problem, context: &Context) -> String {
    let words = words(problem.fault.code, problem.status, context.wants.chinese);
    let message = escape(&problem.fault.message);
    let Words { language, title, lead, details, number } = words;
    let (status, code, request) = (problem.status.as_u16(), problem.fault.code, escape(context.request_id()));
    format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
<title>{status} · {title}</title><style>{STYLE}</style></head><body><main>{WINGS}<p class=\"status\">{status}</p>\
<h1>{title}</h1><p class=\"lead\">{lead}</p><details><summary>{details}</summary><p>{message}</p>\
<p><code>{code}</code></p></details><p class=\"id\">{number} <code>{request}</code></p></main></body></html>"
    )
}

const STYLE: &str = ":root{color-scheme:light dark;--paper:#f6f8f7;--card:#fff;--ink:#12211d;--soft:#5b6f69;--line:#dfe7e4;--wing:#0f9d84}\
@media(prefers-color-scheme:dark){:root{--paper:#0c1513;--card:#121e1b;--ink:#e6f0ed;--soft:#93a8a1;--line:#22332e;--wing:#3fd0b3}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:16px/1.6 system-ui,-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',sans-serif}\
main{width:100%;max-width:480px;background:var(--card);border:1px solid var(--line);border-radius:20px;padding:40px 32px 28px;text-align:center}\
svg{width:72px;height:72px;color:var(--wing)}.status{margin:12px 0 0;font-size:13px;letter-spacing:.18em;color:var(--soft)}\
h1{margin:4px 0 8px;font-size:26px;line-height:1.25}.lead{margin:0 0 20px;color:var(--soft)}\
details{text-align:left;border-top:1px solid var(--line);padding-top:14px;color:var(--soft);font-size:14px}\
summary{cursor:pointer}code{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}\
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
