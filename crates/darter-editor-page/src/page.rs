//! Renders the workbench's HTML: full (VS Code's server at the same host) or light (the session alone).
//!
//! Every value lands in an attribute, escaped, or in a policy that only we write. The scripts it names are the
//! environment's; nothing inline runs but what carries the nonce.

use darter_core::workspace::Depth;
use serde_json::{Value, json};

use crate::product::{Gallery, Product};

/// What a page is made from.
#[derive(Debug, Clone)]
pub struct PageInput<'a> {
    pub product: &'a Product,
    pub depth: Depth,
    /// `https` or `http`, as the browser sees it.
    pub scheme: &'a str,
    /// Host and port as the browser sees them: `ada-k3jx….darter-apps.localhost:7070`.
    pub authority: &'a str,
    /// Where the static files are for all workspaces: an address without a slash at its end,
    /// `http://static.darter-apps.localhost:7070/<digest>`, or a path on this host.
    pub static_base: &'a str,
    /// Path on this host at which the same static files are: frames must be of the workspace's own origin.
    pub own_static: &'a str,
    /// Address of a port of this workspace, with `{{port}}` in it.
    pub port_address: &'a str,
    /// What is opened: `/home/user` unless the request names another folder.
    pub folder: &'a str,
    /// VS Code's data folder in the home; both depths use the same.
    pub user_data: &'a str,
    /// Shown as the window's name.
    pub title: &'a str,
    pub gallery: Option<&'a Gallery>,
    /// Random for each answer, without characters that need escaping.
    pub nonce: &'a str,
}

/// The answer: its text, and the policy that it needs as `Content-Security-Policy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub html: String,
    pub policy: String,
}

/// The workbench's page. Must not be cached: it names this answer's nonce.
#[must_use]
pub fn render(input: &PageInput<'_>) -> Page {
    let base = input.static_base;
    let (depth, light) = match input.depth {
        Depth::Light => {
            ("light", format!("<script nonce=\"{}\" src=\"{}/light/page.js\"></script>", input.nonce, escape(base)))
        }
        Depth::Full => ("full", String::new()),
    };
    let html = TEMPLATE
        .replace("{{NONCE}}", input.nonce)
        .replace("{{BASE}}", &escape(base))
        .replace("{{TITLE}}", &escape(input.title))
        .replace("{{LIGHT}}", &light)
        .replace("{{DEPTH}}", depth)
        .replace("{{SETTINGS}}", &escape(&configuration(input).to_string()));
    Page { html, policy: policy(input) }
}

const TEMPLATE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<script nonce="{{NONCE}}">performance.mark('code/didStartRenderer');</script>
<link rel="preload" as="script" href="{{BASE}}/out/vs/code/browser/workbench/workbench.js" crossorigin>
<link rel="stylesheet" href="{{BASE}}/out/vs/code/browser/workbench/workbench.css" crossorigin>
<title>{{TITLE}}</title>
<meta name="viewport" content="width=device-width, initial-scale=1.0, maximum-scale=1.0, minimum-scale=1.0, user-scalable=no">
<meta name="mobile-web-app-capable" content="yes">
<meta name="referrer" content="same-origin">
<meta id="vscode-workbench-web-configuration" data-settings="{{SETTINGS}}">
<meta id="vscode-workbench-web-base-url" data-settings="{{BASE}}">
<meta id="vscode-workbench-auth-session" data-settings="">
<link rel="icon" href="{{BASE}}/resources/server/favicon.ico" type="image/x-icon">
{{LIGHT}}
<script nonce="{{NONCE}}" src="/.darter/page.js" data-depth="{{DEPTH}}" defer></script>
</head>
<body aria-label=""></body>
<script nonce="{{NONCE}}">
const base = new URL(document.getElementById('vscode-workbench-web-base-url').dataset.settings, location).toString();
globalThis._VSCODE_FILE_ROOT = base + '/out/';
globalThis._VSCODE_WEB_PACKAGE_TTP = { createScriptURL(url) {
  if (url.startsWith(base + '/')) return url;
  throw new Error('a script that is not the editor\'s own: ' + url);
} };
performance.mark('code/willLoadWorkbenchMain');
</script>
<script src="{{BASE}}/out/nls.messages.js" crossorigin defer></script>
<script src="{{BASE}}/out/vs/code/browser/workbench/workbench.js" crossorigin defer></script>
</html>
"#;

/// What the workbench reads before anything else (`IWorkbenchConstructionOptions`).
fn configuration(input: &PageInput<'_>) -> Value {
    let folder = json!({ "$mid": 1, "scheme": "vscode-remote", "authority": input.authority, "path": input.folder });
    let mut settings = json!({
        "serverBasePath": "/",
        "webviewEndpoint": format!("{}/out/vs/workbench/contrib/webview/browser/pre", input.own_static),
        "userDataPath": input.user_data,
        "isEnabledFileDownloads": true,
        "isEnabledFileUploads": true,
        "isEnabledCoderGettingStarted": false,
        "enableWorkspaceTrust": false,
        "folderUri": folder,
        "callbackRoute": format!("{}/out/vs/code/browser/workbench/callback.html", input.own_static),
        "productConfiguration": product(input),
        "configurationDefaults": {
            "telemetry.telemetryLevel": "off",
            "workbench.startupEditor": "none",
            // An extension host writes there every second, and the page would be told each time.
            "files.watcherExclude": { "**/User/workspaceStorage/**": true },
            "update.mode": "none",
            "extensions.autoCheckUpdates": false,
            "remote.autoForwardPortsSource": "hybrid",
            "chat.disableAIFeatures": true,
            "workbench.secondarySideBar.defaultVisibility": "hidden",
        },
    });
    if input.depth == Depth::Light {
        make_light(&mut settings, input);
    }
    settings
}

/// No server: the page's own file provider (`light/page.js`) and one web extension do its work.
fn make_light(settings: &mut Value, input: &PageInput<'_>) {
    let (scheme, authority, path) = parts(input);
    settings["darterLight"] = json!(true);
    settings["additionalBuiltinExtensions"] =
        json!([{ "$mid": 1, "scheme": scheme, "authority": authority, "path": format!("{path}/light/extension") }]);
    settings["productConfiguration"]["extensionEnabledApiProposals"] = json!({
        "darter.light": ["fileSearchProvider2", "textSearchProvider2"],
    });
    // Whose machine the browser runs on decides which one is read.
    for system in ["linux", "osx", "windows"] {
        settings["configurationDefaults"][format!("terminal.integrated.defaultProfile.{system}")] = json!("Terminal");
    }
}

fn product(input: &PageInput<'_>) -> Value {
    let mut product = json!({
        "nameShort": "VS Code",
        "nameLong": "VS Code",
        "codeServerVersion": input.product.code_server_version,
        "rootEndpoint": ".",
        "proxyEndpointTemplate": input.port_address,
        "enableTelemetry": false,
        "embedderIdentifier": "server-distro",
        "webEndpointUrlTemplate": format!("{}://{}{}", input.scheme, input.authority, input.own_static),
    });
    if let Some(gallery) = input.gallery {
        product["extensionsGallery"] = json!(gallery);
    }
    product
}

/// Scheme, authority and path of the static files.
fn parts<'a>(input: &PageInput<'a>) -> (&'a str, &'a str, &'a str) {
    match input.static_base.split_once("://") {
        Some((scheme, rest)) => {
            let at = rest.find('/').unwrap_or(rest.len());
            (scheme, &rest[..at], &rest[at..])
        }
        None => (input.scheme, input.authority, input.static_base),
    }
}

/// Scripts only from the static files; connections only home and to galleries (`https:`), which extensions need.
fn policy(input: &PageInput<'_>) -> String {
    let (scheme, authority, _) = parts(input);
    let shared = format!("{scheme}://{authority}");
    [
        format!("default-src 'self' {shared}"),
        format!("img-src 'self' {shared} https: data: blob:"),
        format!("media-src 'self' {shared} blob:"),
        // 'unsafe-eval' and blob: are what VS Code's workers and its textmate engine (wasm) need.
        format!("script-src 'self' 'unsafe-eval' {shared} blob: 'nonce-{}'", input.nonce),
        "child-src 'self' blob:".into(),
        "frame-src 'self' data:".into(),
        "worker-src 'self' data: blob:".into(),
        format!("style-src 'self' 'unsafe-inline' {shared}"),
        format!("connect-src 'self' {shared} ws: wss: https:"),
        format!("font-src 'self' {shared} data: blob:"),
        "base-uri 'none'".into(),
        "form-action 'self'".into(),
        "object-src 'none'".into(),
    ]
    .join("; ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('\'', "&#39;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
