//! `GET /v1/sftp`: files as SFTP (version 3, with what OpenSSH adds to it) speaks of them. Names are bytes, as the file
//! system has them. One request at a time, so that what was asked first is done first; a client may ask ahead, and waits
//! in its socket.

mod attributes;
mod extended;
mod folder;
mod handles;
mod operations;
mod wire;

use std::sync::Arc;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::activity::Input;
use crate::answer::{self, Answer};
use crate::attendant::Attendant;
use crate::blocking::blocking;
use crate::fault::Fault;
use operations::Session;

/// Largest packet, as OpenSSH has it.
const PACKET: u32 = 256 << 10;

pub(crate) fn upgrade(attendant: Arc<Attendant>, mut request: Request<Incoming>) -> Answer {
    let asked = request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"sftp"));
    if !asked {
        return Err(Fault::invalid("this is no answer but a conversation: ask for an upgrade to `sftp`"));
    }
    let place = attendant.programs.enter()?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A peer that left before the upgrade has nobody to be told.
        if let Ok(stream) = upgrade.await {
            converse(&attendant, TokioIo::new(stream)).await;
        }
        drop(place);
    });
    let mut response = Response::new(answer::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("sftp"));
    Ok(response)
}

/// Until the peer leaves, or says what no client would.
async fn converse(attendant: &Attendant, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut session = Session::new(attendant.home.clone());
    while let Ok(length @ 1..=PACKET) = stream.read_u32().await {
        let mut packet = vec![0; length as usize];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        if wire::is_change(packet[0]) {
            attendant.activity.input(Input::File);
        }
        let done = blocking(move || {
            let answer = session.answer(&packet);
            (answer, session)
        });
        let answer;
        (answer, session) = done.await;
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}
