//! Serves the page of an installed VS Code over sockets of one's own, without a platform: for work on the page.
//!
//! `cargo run -p darter-editor-page --example serve -- <port> <vscode folder> <light|full> <editor.sock> <attendant.sock>`
//! It checks nobody and must never be reachable from outside: it listens on 127.0.0.1 only.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use darter_core::workspace::Depth;
use darter_editor_page::{Encoding, Gallery, PageInput, Product, StaticFiles, render};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, UnixStream};

type Body = BoxBody<Bytes, hyper::Error>;

struct Serve {
    product: Product,
    files: StaticFiles,
    depth: Depth,
    editor: PathBuf,
    attendant: PathBuf,
    port: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, root, depth, editor, attendant] = words.as_slice() else {
        return Err(std::io::Error::other("say <port> <vscode folder> <light|full> <editor.sock> <attendant.sock>"));
    };
    let serve = Arc::new(Serve {
        product: Product::read(&PathBuf::from(root).join("product.json"))?,
        files: StaticFiles::vscode(root),
        depth: if depth == "light" { Depth::Light } else { Depth::Full },
        editor: editor.into(),
        attendant: attendant.into(),
        port: port.clone(),
    });
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://work.localhost:{port}/");
    loop {
        let (stream, _) = listener.accept().await?;
        let serve = Arc::clone(&serve);
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| {
                let serve = Arc::clone(&serve);
                async move { Ok::<_, std::convert::Infallible>(serve.answer(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            // A browser that goes away is no news here.
            let _ = connection.with_upgrades().await;
        });
    }
}

impl Serve {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if let Some(rest) = path.strip_prefix("/.darter/static/d1/") {
            return self.file(rest, &request);
        }
        match path.as_str() {
            "/" => self.page(&request),
            "/mint-key" => plain(StatusCode::OK, vec![7; 32]),
            "/.darter/session" => self.proxy(request, &self.attendant, Some("/v1/session")).await,
            _ => self.proxy(request, &self.editor, None).await,
        }
    }

    fn page(&self, request: &Request<Incoming>) -> Response<Body> {
        let authority = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let shared = format!("http://static.localhost:{}/.darter/static/d1", self.port);
        let home = std::env::var("SERVE_HOME").unwrap_or_else(|_| "/home/user".into());
        let page = render(&PageInput {
            product: &self.product,
            depth: self.depth,
            scheme: "http",
            authority,
            static_base: &shared,
            own_static: "/.darter/static/d1",
            port_address: "http://{{port}}.localhost/",
            folder: &format!("{home}/project"),
            user_data: &format!("{home}/.local/share/code-server"),
            title: "work",
            gallery: Some(&Gallery::default()),
            nonce: "bm9uY2U",
        });
        let mut response = plain(StatusCode::OK, page.html);
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(policy) = HeaderValue::from_str(&page.policy) {
            headers.insert("content-security-policy", policy);
        }
        response
    }

    fn file(&self, path: &str, request: &Request<Incoming>) -> Response<Body> {
        let accepted = request.headers().get("accept-encoding").and_then(|value| value.to_str().ok());
        let Some(file) = self
            .files
            .lookup(path, if accepted.is_some_and(|text| text.contains("br")) { &[Encoding::Brotli] } else { &[] })
        else {
            println!("404 {path}");
            return plain(StatusCode::NOT_FOUND, "no such file");
        };
        let mut response = plain(StatusCode::OK, std::fs::read(&file.path).unwrap_or_default());
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(file.content_type));
        headers.insert("cache-control", HeaderValue::from_static("public, max-age=31536000, immutable"));
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        if let Some(encoding) = file.encoding.header() {
            headers.insert("content-encoding", HeaderValue::from_static(encoding));
        }
        response
    }

    async fn proxy(&self, request: Request<Incoming>, socket: &PathBuf, path: Option<&str>) -> Response<Body> {
        match forward(request, socket, path).await {
            Ok(response) => response,
            Err(error) => plain(StatusCode::BAD_GATEWAY, error.to_string()),
        }
    }
}

async fn forward(
    mut request: Request<Incoming>,
    socket: &PathBuf,
    path: Option<&str>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(path) = path {
        *request.uri_mut() = path.parse()?;
    }
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let browser = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let mut response = sender.send_request(request).await?;
    if let (Some(browser), StatusCode::SWITCHING_PROTOCOLS) = (browser, response.status()) {
        let inside = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let (Ok(browser), Ok(inside)) = (browser.await, inside.await) {
                // Either side may end it.
                let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(browser), &mut TokioIo::new(inside)).await;
            }
        });
    }
    Ok(response.map(|body| body.boxed()))
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}
