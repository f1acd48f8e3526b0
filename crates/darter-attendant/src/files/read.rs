//! `GET /v1/files`: a file's bytes, whole or a range. A file that shrinks while it is read ends the connection: what is
//! cut off must never look whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, RANGE};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;

use super::{open, stat};
use crate::answer::{self, Answer, PIECE, Produce};
use crate::blocking::blocking;
use crate::fault::Fault;
use crate::params::Params;

pub(crate) async fn answer(request: Request<Incoming>) -> Answer {
    let path = Params::of_query(request.uri()).path("path")?;
    let (file, meta) = blocking(move || open::regular(&path)).await?;
    let size = meta.size();
    let tag = stat::tag(&meta);
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if header(IF_NONE_MATCH) == Some(tag.as_str()) {
        let mut same = answer::with_type(StatusCode::NOT_MODIFIED, "application/octet-stream", answer::empty());
        same.headers_mut().extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
        return Ok(same);
    }
    let wanted = header(RANGE).map(|text| range(text, size)).transpose()?.flatten();
    let (start, end) = wanted.unwrap_or((0, size));
    let status = if wanted.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let body = answer::stream(Reading { file, at: start, end });
    let mut response = answer::with_type(status, "application/octet-stream", body);
    let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(meta.mtime()).unwrap_or(0));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
    headers.extend(HeaderValue::from_str(&httpdate::fmt_http_date(modified)).map(|date| (LAST_MODIFIED, date)));
    if wanted.is_some() {
        let text = format!("bytes {start}-{}/{size}", end - 1);
        headers.extend(HeaderValue::from_str(&text).map(|range| (CONTENT_RANGE, range)));
    }
    Ok(response)
}

/// One range as start and end; `None`: not a form that we serve, so the whole file is.
fn range(text: &str, size: u64) -> Result<Option<(u64, u64)>, Fault> {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let bounds = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(last)) if first.is_empty() => (size.saturating_sub(last), size),
        _ => return Ok(None),
    };
    match bounds {
        (start, end) if start < end => Ok(Some((start, end))),
        _ => Err(Fault::new("file.range", format!("the file has {size} bytes"))),
    }
}

struct Reading {
    file: File,
    at: u64,
    end: u64,
}

impl Produce for Reading {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.at == self.end {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(self.end - self.at).unwrap_or(PIECE).min(PIECE)];
        let length = self.file.read_at(&mut piece, self.at)?;
        if length == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        piece.truncate(length);
        self.at += length as u64;
        Ok(Some(piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (text, expected) in [
            ("bytes=0-3", Some((0, 4))),
            ("bytes=2-", Some((2, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=8-99", Some((8, 10))),
            ("bytes=0-18446744073709551615", Some((0, 10))),
            ("bytes=1-2,4-5", None),
            ("lines=1-2", None),
            ("bytes=5-2", None),
        ] {
            assert_eq!(range(text, 10).unwrap(), expected, "{text}");
        }
        assert!(range("bytes=10-", 10).is_err() && range("bytes=-0", 10).is_err() && range("bytes=0-", 0).is_err());
    }
}
