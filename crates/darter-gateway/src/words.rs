//! What a page says to whoever sees it, by the code of what went wrong: what happened and what to do, in English and
//! Chinese. Only words. The fault's own message, for whoever owns the thing, goes below as a detail.

use http::StatusCode;

/// A title and a sentence or two.
pub(crate) type Words = (&'static str, &'static str);

/// The words for this code; those of its status when the code has none of its own.
pub(crate) fn words(code: &str, status: StatusCode, chinese: bool) -> Words {
    let row = of_app(code).or_else(|| of_workspace(code)).or_else(|| of_start(code));
    let (english, translated) = row.unwrap_or_else(|| of_status(status, code.starts_with("workspace.")));
    if chinese { translated } else { english }
}

fn of_app(code: &str) -> Option<(Words, Words)> {
    Some(match code {
        "app.not_found" => (
            ("Nothing lives here", "There is no app at this address. Check the address for typing errors."),
            ("这里什么都没有", "这个地址上没有应用，请检查地址是否有误。"),
        ),
        "app.stopped" => (
            ("This app is resting", "Its owner has stopped it. Come back later."),
            ("应用已停止", "应用的所有者已将其停止，请稍后再来。"),
        ),
        "app.overloaded" => (
            ("Too many visitors", "The app is busy right now. Try again in a moment."),
            ("访问人数过多", "应用正忙，请稍后重试。"),
        ),
        "app.rate_limited" => (
            ("Slow down a little", "Too many requests in a short time. Wait a moment and try again."),
            ("请求过于频繁", "短时间内请求过多，请稍等片刻再试。"),
        ),
        "app.crashed" => (
            (
                "The app stopped halfway",
                "It ended while it worked on your request. Try again; if it stays, tell its owner.",
            ),
            ("应用中途退出", "应用在处理您的请求时退出了。请重试；若问题持续，请联系应用所有者。"),
        ),
        "function.failed" => (
            ("The app gave up", "It could not finish your request. Try again; if it stays, tell its owner."),
            ("应用未能完成请求", "应用未能完成您的请求。请重试；若问题持续，请联系应用所有者。"),
        ),
        "request.too_large" => (
            ("Too large", "What you sent is larger than this app accepts. Send less."),
            ("内容过大", "发送的内容超出了该应用允许的大小，请减小后再发送。"),
        ),
        _ => return None,
    })
}

fn of_workspace(code: &str) -> Option<(Words, Words)> {
    Some(match code {
        "workspace.not_found" => (
            (
                "Nothing lives here",
                "There is no workspace at this address; it may have been deleted. Look at your list.",
            ),
            ("这里什么都没有", "这个地址上没有工作区，可能已被删除。请查看您的列表。"),
        ),
        "workspace.sign_in" | "workspace.cross_site" => {
            (("This workspace is private", "Open it from your own list."), ("私有工作区", "请从您自己的列表中打开。"))
        }
        "workspace.cookies_off" => (
            (
                "Cookies are switched off",
                "A workspace needs this site's cookies to know you. Allow them and open it again.",
            ),
            ("浏览器禁用了 Cookie", "工作区需要本站的 Cookie 来识别您，请允许后重新打开。"),
        ),
        "workspace.port_closed" | "port.refused" => (
            ("Nothing listens here yet", "Start your program in the workspace; then load this page again."),
            ("此端口尚无服务", "请先在工作区中启动程序，然后刷新页面。"),
        ),
        "workspace.light" => (
            (
                "This workspace opens light",
                "The editor's own server does not run in it. Set it to full in its settings to use this address.",
            ),
            ("工作区以轻量方式打开", "其中没有运行编辑器自己的服务。如需使用此地址，请在设置中改为“完整”。"),
        ),
        "workspace.recycled" => (
            ("This workspace is in the bin", "Restore it in the console; then open it again."),
            ("工作区在回收站中", "请在控制台中恢复，然后重新打开。"),
        ),
        "workspace.restoring" => (
            ("Files are being restored", "This takes a moment. Load this page again when it is done."),
            ("正在恢复文件", "请稍等片刻，恢复完成后刷新页面。"),
        ),
        "workspace.refused" | "workspace.unreachable" | "workspace.timeout" => (
            (
                "The workspace does not answer",
                "It runs, but does not answer. Load this page again; if it stays, restart the workspace in the console.",
            ),
            ("工作区没有应答", "它在运行，但没有应答。请刷新页面；若问题持续，请在控制台中重启工作区。"),
        ),
        _ => return None,
    })
}

/// What stands between a knock and a running editor.
fn of_start(code: &str) -> Option<(Words, Words)> {
    Some(match code {
        "workspace.queue_full" => (
            ("Just a moment", "Many workspaces are starting at once. This page tries again by itself."),
            ("请稍候", "许多工作区正在同时启动，页面会自动重试。"),
        ),
        "environment.not_installed" => (
            ("Still being installed", "The editor is being set up on this server. This page goes on by itself."),
            ("正在安装", "服务器正在安装编辑器，页面会自动继续。"),
        ),
        "workspace.stopped" => (
            (
                "It was stopped",
                "Somebody stopped this workspace while it was starting. Load this page again to start it.",
            ),
            ("工作区已停止", "工作区在启动过程中被停止了。刷新页面即可重新启动。"),
        ),
        "workspace.start_slow" => (
            (
                "It takes longer than usual",
                "The workspace goes on starting in the background. Load this page again in a moment.",
            ),
            ("启动时间较长", "工作区仍在后台启动，请稍后刷新页面。"),
        ),
        "workspace.crashed" => (
            (
                "The editor ended",
                "It is being started again, and saved files are safe. Load this page again; the console says why it ended.",
            ),
            ("编辑器已退出", "编辑器正在重新启动，已保存的文件没有丢失。请刷新页面；控制台会说明退出的原因。"),
        ),
        "workspace.start_failed" => (
            ("The workspace did not start", "Nothing of yours is lost. The console shows why, and what to do."),
            ("工作区未能启动", "您的文件没有丢失。控制台会说明原因和解决办法。"),
        ),
        _ => return None,
    })
}

fn of_status(status: StatusCode, workspace: bool) -> (Words, Words) {
    match status.as_u16() {
        404 => (
            ("Not found", "What you are looking for is not here. Check the address."),
            ("未找到", "您要找的内容不在这里，请检查地址。"),
        ),
        401 | 403 => (
            ("You may not enter here", "Sign in with an account that may, or ask the owner."),
            ("无权访问", "请使用有权限的账号登录，或联系所有者。"),
        ),
        409 => (
            (
                "Not possible right now",
                "The state that it is in does not allow this. The details below say what to do.",
            ),
            ("现在无法执行", "当前状态不允许此操作，下方的技术细节说明了解决办法。"),
        ),
        429 => (
            ("Slow down a little", "Too many requests in a short time. Wait a moment and try again."),
            ("请求过于频繁", "短时间内请求过多，请稍等片刻再试。"),
        ),
        500..=599 if workspace => (
            (
                "The workspace has a problem",
                "Load this page again. If it stays, the console shows more, and restarts it.",
            ),
            ("工作区出现问题", "请刷新页面。若问题持续，可在控制台查看详情并重启。"),
        ),
        504 => (
            ("It took too long", "The app did not answer in time. Try again; if it stays, tell its owner."),
            ("响应超时", "应用未能及时响应。请重试；若问题持续，请联系应用所有者。"),
        ),
        500..=599 => (
            ("The app has a problem", "It could not answer. Try again; if it stays, tell its owner."),
            ("应用出现问题", "应用无法响应。请重试；若问题持续，请联系应用所有者。"),
        ),
        _ => (
            ("This request does not work", "It was not as it has to be. The details below say what to change."),
            ("请求无效", "请求不符合要求，下方的技术细节说明了如何修改。"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_words_of_its_own_gets_those_of_its_status() {
        for (code, status, english, chinese) in [
            ("workspace.light", 409, "This workspace opens light", "工作区以轻量方式打开"),
            ("workspace.odd", 409, "Not possible right now", "现在无法执行"),
            ("workspace.odd", 502, "The workspace has a problem", "工作区出现问题"),
            ("app.odd", 502, "The app has a problem", "应用出现问题"),
            ("request.odd", 400, "This request does not work", "请求无效"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(words(code, status, false).0, english, "{code}");
            assert_eq!(words(code, status, true).0, chinese, "{code}");
        }
    }
}
