//! The door of a workspace: who comes in, what comes along, what stays outside.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darter_core::workspace::Door;
use darter_core::{Fault, Kind, WorkspaceId};
use darter_gateway::{
    Accepted, Connection, Doors, Entry, Front, Page, PageAsk, Signal, Spot, StaticFile, WorkspaceRoute,
};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::{Answer, House, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const ID: &str = "abcdefghjk";
const HOST: &str = "ada-abcdefghjk.darter-apps.localhost";
const PORT: &str = "3000-abcdefghjk.darter-apps.localhost";
const OWN: &str = "Origin: http://ada-abcdefghjk.darter-apps.localhost\r\n";
const STAYS: &str = "Cookie: darter_door=token.abcdefghjk; darter_visit=ada\r\n";
const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n";
const IN: &str = "Cookie: darter_door=token.abcdefghjk\r\n";

/// One workspace of Ada's, whose programs echo what they are asked.
#[derive(Default)]
struct World {
    codes: Mutex<HashSet<String>>,
    connected: Mutex<Vec<Door>>,
    woken: AtomicUsize,
    inputs: AtomicUsize,
    spoken: AtomicUsize,
    in_use: Arc<AtomicUsize>,
    queued: Mutex<bool>,
    refused: Mutex<Option<Fault>>,
    resting: AtomicBool,
    looked: AtomicUsize,
    signed_out: Mutex<bool>,
    closed: Mutex<bool>,
    file: Mutex<PathBuf>,
    changed: AtomicBool,
}

struct Editor(PathBuf);

impl Front for Editor {
    fn page(&self, ask: &PageAsk<'_>) -> Option<Page> {
        let kept = if ask.path == "/kept" { vec!["/home/user/.own".to_owned()] } else { Vec::new() };
        ["/", "/kept"].contains(&ask.path).then(|| Page {
            html: format!("<title>editor of {} with {}</title>", ask.authority, ask.assets),
            content_security_policy: "default-src 'self'".into(),
            wakes: Some(Door::Editor),
            unless: kept,
        })
    }

    fn file(&self, path: &str, accepted: Accepted) -> Option<StaticFile> {
        (path == "/workbench.js").then(|| StaticFile {
            path: self.0.clone(),
            content_type: "text/javascript",
            content_encoding: accepted.brotli.then_some("br"),
            immutable: true,
        })
    }

    fn digest(&self) -> &str {
        "d1"
    }

    fn leads(&self, path: &str) -> Option<&str> {
        (path == "/way").then_some("/kept")
    }

    fn seal(&self) -> Option<[u8; 32]> {
        Some([7; 32])
    }

    fn credential(&self) -> Option<&str> {
        Some("token of-the-editor")
    }

    fn keep_alive(&self) -> Option<u64> {
        Some(13)
    }

    fn is_input(&self, path: &str) -> bool {
        path.ends_with("/channels")
    }

    fn can_wait(&self, path: &str) -> bool {
        path.starts_with("/room/")
    }
}

struct InUse(Arc<AtomicUsize>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Doors for World {
    fn route(&self, id: &WorkspaceId) -> Option<Arc<WorkspaceRoute>> {
        let front = Arc::new(Editor(self.file.lock().unwrap().clone()));
        (id.as_str() == ID).then(|| Arc::new(WorkspaceRoute { id: id.clone(), label: "ada-abcdefghjk".into(), front }))
    }

    fn assets(&self, digest: &str) -> Option<Arc<dyn Front>> {
        (digest == "d1").then(|| Arc::new(Editor(self.file.lock().unwrap().clone())) as Arc<dyn Front>)
    }

    fn is_public(&self, _id: &WorkspaceId, port: u16) -> bool {
        port == 8080 && !*self.closed.lock().unwrap()
    }

    fn wants_tls(&self, _id: &WorkspaceId, port: u16) -> bool {
        port == 8443
    }

    fn is_valid(&self, spot: &Spot, token: &str) -> bool {
        token == spot.port.map_or_else(|| format!("token.{}", spot.id), |port| format!("token.{}.{port}", spot.id))
    }

    async fn visit(&self, spot: &Spot, visit: &str) -> Result<Option<Entry>, Fault> {
        let token = format!("token.{}", spot.id);
        let known = visit == "ada" && !*self.signed_out.lock().unwrap();
        Ok((known && spot.port.is_none()).then(|| Entry { token, visit: None, to: "/".into() }))
    }

    async fn redeem(&self, spot: &Spot, code: &str) -> Result<Entry, Fault> {
        if !self.codes.lock().unwrap().remove(code) {
            return Err(Fault::new(Kind::Invalid, "door.code_invalid", "This code was used, or is too old."));
        }
        let to = code.strip_prefix("to:").unwrap_or("/").to_owned();
        Ok(Entry { token: format!("token.{}", spot.id), visit: Some("ada".into()), to })
    }

    async fn by_access_token(&self, _spot: &Spot, token: &str) -> Result<(), Fault> {
        match token {
            "dat_ada" => Ok(()),
            _ => Err(Fault::new(Kind::Unauthenticated, "auth.token_invalid", "This token is not valid.")),
        }
    }

    fn enter(&self, to: &str) -> String {
        format!("http://darter.localhost/enter?to={to}")
    }

    async fn wake(&self, _id: &WorkspaceId, _door: Door) -> Result<(), Fault> {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if *self.queued.lock().unwrap() {
            return Err(Fault::new(Kind::RateLimited, "workspace.queue_full", "Too many.").retry_after(4));
        }
        Ok(())
    }

    async fn has_any(&self, _id: &WorkspaceId, _paths: &[String]) -> Result<bool, Fault> {
        Ok(self.changed.load(Ordering::SeqCst))
    }

    async fn connect(&self, _id: &WorkspaceId, door: Door) -> Result<Connection, Fault> {
        if let Some(fault) = self.refused.lock().unwrap().take() {
            return Err(fault);
        }
        self.connected.lock().unwrap().push(door);
        self.in_use.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = UnixStream::pair().unwrap();
        tokio::spawn(async move {
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service_fn(inside));
            let _ = served.with_upgrades().await;
        });
        Ok(Connection { stream: ours, lease: Box::new(InUse(Arc::clone(&self.in_use))), start: None })
    }

    fn touch(&self, _id: &WorkspaceId, signal: Signal) {
        self.inputs.fetch_add(usize::from(signal == Signal::Input), Ordering::SeqCst);
        self.spoken.fetch_add(usize::from(signal == Signal::Spoke), Ordering::SeqCst);
    }

    fn rests(&self, _id: &WorkspaceId) -> bool {
        self.looked.fetch_add(1, Ordering::SeqCst);
        self.resting.load(Ordering::SeqCst)
    }

    async fn status(&self, _id: &WorkspaceId) -> Result<String, Fault> {
        Ok("{\"state\":\"running\"}".into())
    }

    async fn keep(&self, _id: &WorkspaceId, minutes: u32) -> Result<String, Fault> {
        Ok(format!("{{\"minutes\":{minutes}}}"))
    }
}

/// A program inside: answers with what it was asked, echoes what is sent over an upgraded connection.
async fn inside(mut request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let seen = format!("{} {}\n{:?}", request.method(), request.uri(), request.headers());
    if !request.headers().contains_key("upgrade") {
        let answer = Response::builder()
            .header("set-cookie", "darter_door=forged; Path=/")
            .header("set-cookie", "mine=1; Domain=darter-apps.localhost")
            .body(seen);
        return Ok(answer.unwrap());
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    Ok(answer.header("upgrade", "websocket").header("connection", "upgrade").body(String::new()).unwrap())
}

async fn house() -> (House, Arc<World>) {
    let world = Arc::new(World::default());
    let house = House::of_workspaces(Arc::clone(&world) as Arc<dyn Doors>).await;
    (house, world)
}

async fn ask(house: &House, host: &str, path: &str, headers: &str) -> Answer {
    house.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_of_this_very_spot() {
    let (house, world) = house().await;
    for (host, headers) in [
        (HOST, ""),
        (HOST, "Cookie: darter_door=token.bbcdefghjk\r\n"),
        (HOST, "Cookie: darter_visit=eve\r\n"),
        (HOST, "Cookie: darter_session=ada\r\n"),
        (HOST, "Authorization: Bearer dat_ada\r\n"),
        (PORT, IN),
        (PORT, "Cookie: darter_visit=ada\r\n"),
    ] {
        let answer = ask(&house, host, "/x", headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "workspace.sign_in"), "{host} {headers}");
    }
    let wrong = ask(&house, HOST, "/x", "darter-token: dat_eve\r\n").await;
    assert_eq!(wrong.status, 401);
    assert!(world.connected.lock().unwrap().is_empty(), "nothing was woken by strangers");
    let unknown = ask(&house, "ada-zbcdefghjk.darter-apps.localhost", "/", "").await;
    assert_eq!(unknown.code(), "workspace.not_found");
}

#[tokio::test]
async fn a_stranger_in_a_browser_is_sent_to_the_console_and_comes_back_with_a_code_that_works_once() {
    let (house, world) = house().await;
    let sent = ask(&house, HOST, "/?folder=/home", "Accept: text/html\r\n").await;
    assert_eq!(sent.status, 303);
    assert_eq!(sent.header("location"), format!("http://darter.localhost/enter?to=http://{HOST}/?folder=/home"));
    assert_eq!(sent.header("referrer-policy"), "no-referrer");

    world.codes.lock().unwrap().insert("to:/?folder=/home".into());
    let path = "/.darter/enter?code=to:%2F%3Ffolder=/home";
    let entered = ask(&house, HOST, path, "Accept: text/html\r\n").await;
    assert_eq!(entered.status, 303);
    let cookies = &entered.headers["set-cookie"];
    assert!(cookies[0].starts_with("darter_door=token.abcdefghjk; Path=/;"), "{cookies:?}");
    assert!(cookies.iter().all(|cookie| cookie.contains("HttpOnly") && !cookie.contains("Domain")), "{cookies:?}");
    let again = ask(&house, HOST, path, "Accept: text/html\r\n").await;
    assert_eq!(again.status, 400);

    let to = entered.header("location").to_owned();
    let with = ask(&house, HOST, &to, &format!("{IN}Accept: text/html\r\n")).await;
    assert_eq!((with.status, with.header("location")), (303, "/?folder=/home"));
    let off = ask(&house, HOST, &to, "Accept: text/html\r\n").await;
    assert_eq!(off.status, 403);
    assert!(off.text().contains("Cookies are switched off"));
}

#[tokio::test]
async fn a_way_back_never_leads_to_another_host() {
    let (house, world) = house().await;
    for evil in ["//evil.test", "/\\evil.test", "https://evil.test/"] {
        world.codes.lock().unwrap().insert(format!("to:{evil}"));
        let entered = ask(&house, HOST, &format!("/.darter/enter?code=to:{evil}"), "").await;
        assert_eq!(entered.header("location"), "/.darter/entered?to=/", "{evil}");
        let direct = ask(&house, HOST, &format!("/.darter/entered?to={evil}"), IN).await;
        assert_eq!(direct.header("location"), "/", "{evil}");
    }
}

#[tokio::test]
async fn a_visit_is_traded_for_a_token_and_nothing_of_the_platform_enters() {
    let (house, world) = house().await;
    let headers = "Cookie: a=1; darter_visit=ada; darter_session=s; b=2\r\ndarter-token: x\r\nAuthorization: Bearer dat_x\r\nX-Kept: 1\r\n";
    let refused = ask(&house, HOST, "/api?x=1", headers).await;
    assert_eq!(refused.status, 401, "a wrong access token is told, not passed over");
    let headers = headers.replace("darter-token: x\r\n", "");
    let answer = ask(&house, HOST, "/api?x=1", &headers).await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.starts_with("GET /api?x=1\n"), "{text}");
    assert!(text.contains("\"a=1; b=2\"") && text.contains("x-kept"), "{text}");
    assert!(text.contains("token of-the-editor"), "the editor's own credential is added: {text}");
    assert!(!text.contains("darter_") && !text.contains("dat_x"), "{text}");
    let cookies = &answer.headers["set-cookie"];
    assert!(cookies.iter().any(|cookie| cookie.starts_with("darter_door=token.abcdefghjk;")), "{cookies:?}");
    assert!(cookies.iter().any(|cookie| cookie == "mine=1"), "{cookies:?}");
    assert!(!cookies.iter().any(|cookie| cookie.contains("forged")), "{cookies:?}");
    assert_eq!(*world.connected.lock().unwrap(), [Door::Editor]);
}

#[tokio::test]
async fn a_planted_cookie_beside_the_own_one_does_no_harm() {
    let (house, _world) = house().await;
    let both = ask(&house, HOST, "/x", "Cookie: darter_door=token.planted; darter_door=token.abcdefghjk\r\n").await;
    assert_eq!(both.status, 200);
}

#[tokio::test]
async fn another_tenants_page_can_neither_post_nor_open_a_websocket() {
    let (house, world) = house().await;
    let sibling = "Origin: http://eve-bbcdefghjk.darter-apps.localhost\r\n";
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n";
    let socket = ask(&house, HOST, "/", &format!("{IN}{sibling}{upgrade}")).await;
    assert_eq!((socket.status, socket.code().as_str()), (403, "workspace.cross_site"));
    let silent = ask(&house, HOST, "/", &format!("{IN}{upgrade}")).await;
    assert_eq!(silent.status, 403);
    let post = format!("POST /x HTTP/1.1\r\nHost: {HOST}\r\n{IN}{sibling}Content-Length: 0\r\n\r\n");
    assert_eq!(house.send(post).await.status, 403);
    let keep = format!("POST /.darter/keep HTTP/1.1\r\nHost: {HOST}\r\n{IN}{sibling}Content-Length: 0\r\n\r\n");
    assert_eq!(house.send(keep).await.status, 403);
    assert!(world.connected.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_websocket_passes_bytes_counts_as_in_use_and_tells_typing_apart() {
    let (house, world) = house().await;
    for (path, inputs) in [("/socket", 0), ("/api/kernels/1/channels", 1)] {
        let mut stream = house.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{STAYS}{OWN}{UPGRADE}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = soon(Answer::read_head(&mut stream)).await;
        assert_eq!(head.status, 101);
        let before = world.spoken.load(Ordering::SeqCst);
        for (said, spoken, inputs) in [("a keep-alive.", 0, 0), ("something that is longer", 1, inputs)] {
            let frame = [&[0x82, 0x80 | u8::try_from(said.len()).unwrap(), 0, 0, 0, 0], said.as_bytes()].concat();
            stream.write_all(&frame).await.unwrap();
            let mut back = vec![0; frame.len()];
            soon(stream.read_exact(&mut back)).await.unwrap();
            assert_eq!(back, frame);
            assert_eq!(world.spoken.load(Ordering::SeqCst) - before, spoken, "{said}");
            assert_eq!(world.inputs.load(Ordering::SeqCst), inputs, "{said}");
        }
        assert_eq!(world.in_use.load(Ordering::SeqCst), 1);
        drop(stream);
        soon(async {
            while world.in_use.load(Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_pages_tell_each_other_by_themselves_wakes_nobody_and_waits_for_who_does() {
    let (house, world) = house().await;
    world.resting.store(true, Ordering::SeqCst);
    let mut stream = house.connect().await;
    let request = format!("GET /room/notebook HTTP/1.1\r\nHost: {HOST}\r\n{STAYS}{OWN}{UPGRADE}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(async {
        while world.looked.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.in_use.load(Ordering::SeqCst), 0, "nothing was connected, and so nothing woken");
    world.resting.store(false, Ordering::SeqCst);
    assert_eq!(soon(Answer::read_head(&mut stream)).await.status, 101);
    let said = "who is here, and where their cursor is";
    let frame = [&[0x82, 0x80 | u8::try_from(said.len()).unwrap(), 0, 0, 0, 0], said.as_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
    let mut back = vec![0; frame.len()];
    soon(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, frame);
    assert_eq!(world.spoken.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_websocket_ends_with_what_let_it_in() {
    let (house, world) = house().await;
    let public = "8080-abcdefghjk.darter-apps.localhost";
    for (host, headers, end) in [
        (HOST, format!("{STAYS}{OWN}"), &world.signed_out),
        (public, String::new(), &world.closed),
        (HOST, format!("{IN}{OWN}"), &Mutex::new(true)),
    ] {
        let mut stream = house.connect().await;
        let request = format!("GET /socket HTTP/1.1\r\nHost: {host}\r\n{headers}{UPGRADE}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(soon(Answer::read_head(&mut stream)).await.status, 101, "{host}");
        *end.lock().unwrap() = true;
        let mut rest = Vec::new();
        let _ = soon(stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{host}: {rest:?}");
    }
}

#[tokio::test]
async fn nothing_below_the_platforms_own_path_reaches_a_port_public_or_not() {
    let (house, world) = house().await;
    for host in [PORT, "8080-abcdefghjk.darter-apps.localhost"] {
        world.codes.lock().unwrap().insert("once".into());
        let entered = ask(&house, host, "/.darter/enter?code=once", "Accept: text/html\r\n").await;
        assert_eq!((entered.status, entered.header("location")), (303, "/.darter/entered?to=/"), "{host}");
        let number = &host[..4];
        let cookie = format!("Cookie: darter_door=token.abcdefghjk.{number}\r\n");
        let then = ask(&house, host, "/.darter/entered?to=/a", &cookie).await;
        assert_eq!((then.status, then.header("location")), (303, "/a"), "{host}");
        for path in ["/.darter/status", "/.darter/session", "/.darter/enter/x"] {
            assert_eq!(ask(&house, host, path, &cookie).await.status, 404, "{host}{path}");
        }
    }
    assert!(world.connected.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_large_file_is_read_as_it_is_taken() {
    let (house, world) = house().await;
    let folder = tempfile::tempdir().unwrap();
    let content = vec![b'x'; 3 << 20];
    write(folder.path(), &world, &content);
    let shared = "assets.darter-apps.localhost";
    let whole = ask(&house, shared, "/d1/workbench.js", "Connection: close\r\n").await;
    assert_eq!((whole.header("content-length"), whole.text().len()), ("3145728", 3 << 20));
    // More than any socket holds, and none of it on the disk.
    let file = || std::fs::OpenOptions::new().write(true).open(folder.path().join("workbench.js")).unwrap();
    file().set_len(256 << 20).unwrap();
    let mut stream = house.connect().await;
    let request = format!("GET /d1/workbench.js HTTP/1.1\r\nHost: {shared}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(soon(Answer::read_head(&mut stream)).await.status, 200);
    // Cut off while it is being sent: the rest was not in memory.
    file().set_len(64).unwrap();
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(rest.len() < 128 << 20, "{} bytes", rest.len());
}

#[tokio::test]
async fn the_page_and_its_files_are_answered_here_and_wake_the_server() {
    let (house, world) = house().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &world, b"console.log(1)");
    let page = ask(&house, HOST, "/", &format!("{IN}Accept: text/html\r\n")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.text(), format!("<title>editor of {HOST} with http://assets.darter-apps.localhost/d1</title>"));
    assert_eq!(page.header("content-security-policy"), "default-src 'self'");
    assert_eq!(world.woken.load(Ordering::SeqCst), 1);
    let file = ask(&house, HOST, "/workbench.js", &format!("{IN}Accept-Encoding: gzip, br\r\n")).await;
    assert_eq!((file.text(), file.header("content-encoding")), ("console.log(1)", "br"));
    assert!(file.header("cache-control").contains("immutable"));
    let own = ask(&house, HOST, "/.darter/static/d1/workbench.js", IN).await;
    assert_eq!((own.status, own.text()), (200, "console.log(1)"));
    assert_eq!(ask(&house, HOST, "/.darter/static/d1/../x", IN).await.status, 404);
    let shared = ask(&house, "assets.darter-apps.localhost", "/d1/workbench.js", "Accept-Encoding: br;q=0\r\n").await;
    assert_eq!((shared.status, shared.header("content-encoding")), (200, ""));
    assert_eq!(shared.header("access-control-allow-origin"), "*");
    for path in ["/d2/workbench.js", "/d1/other.js", "/d1", "/"] {
        assert_eq!(ask(&house, "assets.darter-apps.localhost", path, "").await.status, 404, "{path}");
    }
    assert!(world.connected.lock().unwrap().is_empty(), "no process was asked");
    *world.queued.lock().unwrap() = true;
    let queued = ask(&house, HOST, "/", &format!("{IN}Accept: text/html\r\n")).await;
    assert_eq!((queued.status, queued.header("refresh")), (429, "4"));
}

#[tokio::test]
async fn a_refusal_says_what_happened_and_leads_to_the_console() {
    let (house, world) = house().await;
    let page = |language: &str| format!("{IN}Accept: text/html\r\nAccept-Language: {language}\r\n");
    for (kind, code, language, status, words) in [
        (Kind::Conflict, "workspace.light", "en", 409, "This workspace opens light"),
        (Kind::Conflict, "workspace.light", "zh-CN", 409, "工作区以轻量方式打开"),
        (Kind::Conflict, "workspace.new_to_us", "en", 409, "Not possible right now"),
        (Kind::Unavailable, "workspace.start_failed", "en", 503, "The workspace did not start"),
    ] {
        *world.refused.lock().unwrap() = Some(Fault::new(kind, code, "Set it to full."));
        let answer = ask(&house, HOST, "/else", &page(language)).await;
        assert_eq!(answer.status, status, "{code}");
        let text = answer.text();
        assert!(text.contains(words) && text.contains("Set it to full."), "{text}");
        assert!(text.contains("href=\"http://darter.localhost/workspaces/abcdefghjk\""), "{text}");
        assert!(!text.contains("could not be understood"), "{text}");
    }
    let unknown = ask(&house, "ada-zbcdefghjk.darter-apps.localhost", "/", &page("en")).await;
    assert!(unknown.text().contains("href=\"http://darter.localhost/workspaces\""), "{}", unknown.text());
}

fn write(folder: &Path, world: &World, content: &[u8]) {
    let path = folder.join("workbench.js");
    std::fs::write(&path, content).unwrap();
    *world.file.lock().unwrap() = path;
}

#[tokio::test]
async fn a_port_is_private_unless_its_owner_says_otherwise() {
    let (house, world) = house().await;
    let private = ask(&house, PORT, "/", "Cookie: darter_door=token.abcdefghjk.3000\r\n").await;
    assert_eq!(private.status, 200);
    let public = "8080-abcdefghjk.darter-apps.localhost";
    let post =
        format!("POST /hook HTTP/1.1\r\nHost: {public}\r\nOrigin: http://elsewhere.test\r\nContent-Length: 0\r\n\r\n");
    let answer = house.send(post).await;
    assert!(answer.status == 200 && answer.text().starts_with("POST /hook"), "{answer:?}");
    let program = ask(&house, PORT, "/", "darter-token: dat_ada\r\n").await;
    assert_eq!(program.status, 200);
    assert!(!program.text().contains("dat_ada"));
    assert_eq!(*world.connected.lock().unwrap(), [Door::Port(3000), Door::Port(8080), Door::Port(3000)]);
}

#[tokio::test]
async fn a_page_under_an_old_name_moves_to_the_workspaces_own() {
    let (house, _world) = house().await;
    let old = "lovelace-abcdefghjk.darter-apps.localhost:7070";
    let stranger = ask(&house, old, "/?a=1", "Accept: text/html\r\n").await;
    assert!(!stranger.header("location").contains("ada"), "a stranger is not told whose it is");
    let moved = ask(&house, old, "/?a=1", &format!("{IN}Accept: text/html\r\n")).await;
    assert_eq!(moved.status, 303);
    assert_eq!(moved.header("location"), format!("http://{HOST}:7070/?a=1"));
}

#[tokio::test]
async fn the_pages_own_questions_are_answered_by_the_platform() {
    let (house, world) = house().await;
    let beside = ask(&house, HOST, "/.darter/page.js", IN).await;
    assert_eq!((beside.status, beside.header("content-type")), (200, "text/javascript; charset=utf-8"));
    let status = ask(&house, HOST, "/.darter/status", IN).await;
    assert_eq!(status.text(), "{\"state\":\"running\"}");
    for (target, status) in [("activity", 204), ("activity?seen", 204), ("keep?minutes=99999", 200), ("other", 404)] {
        let post = format!("POST /.darter/{target} HTTP/1.1\r\nHost: {HOST}\r\n{IN}{OWN}Content-Length: 0\r\n\r\n");
        assert_eq!(house.send(post).await.status, status, "{target}");
    }
    assert_eq!(world.inputs.load(Ordering::SeqCst), 1);
    assert!(world.connected.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_kept_page_is_answered_here_until_its_owner_has_changed_their_own() {
    let (house, world) = house().await;
    let way = ask(&house, HOST, "/way", IN).await;
    assert_eq!((way.status, way.header("location")), (303, "/kept"));
    let kept = ask(&house, HOST, "/kept", IN).await;
    assert!(kept.status == 200 && kept.text().contains("editor of"), "{kept:?}");
    assert_eq!((world.woken.load(Ordering::SeqCst), world.connected.lock().unwrap().len()), (1, 0));
    world.changed.store(true, Ordering::SeqCst);
    let theirs = ask(&house, HOST, "/kept", IN).await;
    assert!(theirs.text().starts_with("GET /kept"), "{theirs:?}");
    assert_eq!(*world.connected.lock().unwrap(), [Door::Editor]);
}

#[tokio::test]
async fn the_page_gets_what_it_seals_its_secrets_with_and_nobody_else_does() {
    let (house, _) = house().await;
    let post = |headers: &str| {
        house.send(format!("POST /mint-key HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n{headers}\r\n"))
    };
    let minted = post(&format!("{IN}{OWN}")).await;
    assert_eq!((minted.status, minted.body.as_ref()), (200, [7; 32].as_slice()));
    assert_eq!(minted.header("cache-control"), "no-store");
    assert_eq!(post(OWN).await.status, 401);
    assert_eq!(post(&format!("{IN}Origin: http://eve-bbcdefghjk.darter-apps.localhost\r\n")).await.status, 403);
}
