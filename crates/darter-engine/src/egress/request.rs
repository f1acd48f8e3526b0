//! Reads the head of a proxy request. Pure; every byte is hostile. Refuses what two parsers could read differently.

/// Longest head.
pub const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 100;

/// What a program inside asks the proxy for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRequest {
    pub host: String,
    pub port: u16,
    /// `None`: a tunnel (CONNECT). Else the head to send to the origin, in origin form.
    pub forward: Option<Vec<u8>>,
}

/// The head, and how many bytes of the input it took. `Ok(None)`: more bytes are needed.
pub fn parse(input: &[u8]) -> Result<Option<(ProxyRequest, usize)>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if input.len() >= MAX_HEAD => {
            return Err("the request head is longer than 16 KiB");
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err("more than 100 headers"),
        Err(_) => return Err("this is not an HTTP/1 request"),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err("this is not an HTTP/1 request");
    };
    let parsed = if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        ProxyRequest { host, port, forward: None }
    } else {
        absolute(method, target, request.headers)?
    };
    Ok(Some((parsed, length)))
}

fn absolute(method: &str, target: &str, headers: &[httparse::Header<'_>]) -> Result<ProxyRequest, &'static str> {
    let Some(scheme) = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")) else {
        return Err("a proxy takes CONNECT host:port, or a whole http:// address");
    };
    let rest = &target[scheme.len()..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = authority(&rest[..end], Some(80))?;
    let path = rest[end..].split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut head =
        format!("{method} {slash}{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", &rest[..end]).into_bytes();
    for header in headers.iter().filter(|header| !is_hop_by_hop(header.name)) {
        head.extend_from_slice(header.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(header.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    Ok(ProxyRequest { host, port, forward: Some(head) })
}

fn is_hop_by_hop(name: &str) -> bool {
    const DROPPED: [&str; 7] = [
        "host",
        "connection",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "keep-alive",
        "upgrade",
    ];
    DROPPED.iter().any(|dropped| name.eq_ignore_ascii_case(dropped))
}

/// `host:port`, `[v6]:port`. No user name: what stands before an `@` is there to deceive a reader.
fn authority(text: &str, default_port: Option<u16>) -> Result<(String, u16), &'static str> {
    const MALFORMED: &str = "the host is not of the form host:port";
    if text.contains('@') {
        return Err("the address holds a user name; leave it out");
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(MALFORMED)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| MALFORMED)?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(MALFORMED)?) };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let v6 = text.starts_with('[');
    if host.is_empty() || host.len() > 253 || (!v6 && !host.bytes().all(plain)) {
        return Err(MALFORMED);
    }
    let port = match port {
        Some(digits) if !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| MALFORMED)?
        }
        Some(_) => return Err(MALFORMED),
        None => default_port.ok_or(MALFORMED)?,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Option<(ProxyRequest, usize)>, &'static str> {
        parse(text.as_bytes())
    }

    #[test]
    fn a_tunnel_names_host_and_port() {
        let text = "CONNECT Example.org:443 HTTP/1.1\r\nhost: other\r\n\r\nrest";
        let (request, length) = read(text).unwrap().unwrap();
        assert_eq!(request, ProxyRequest { host: "Example.org".into(), port: 443, forward: None });
        assert_eq!(&text[length..], "rest");
        let (v6, _) = read("CONNECT [2606:4700::1111]:443 HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("2606:4700::1111", 443));
    }

    #[test]
    fn a_whole_address_becomes_an_origin_request_without_hop_by_hop_headers() {
        let text = "GET http://example.org?x=1#y HTTP/1.1\r\nHost: evil\r\nProxy-Authorization: x\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n";
        let (request, _) = read(text).unwrap().unwrap();
        assert_eq!((request.host.as_str(), request.port), ("example.org", 80));
        let head = String::from_utf8(request.forward.unwrap()).unwrap();
        assert_eq!(head, "GET /?x=1 HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\nAccept: */*\r\n\r\n");
    }

    #[test]
    fn deceiving_addresses_are_refused() {
        for target in [
            "CONNECT good.org:443@127.0.0.1:80",
            "CONNECT good.org",
            "CONNECT good.org:",
            "CONNECT good.org:99999",
            "CONNECT good.org:+80",
            "CONNECT :80",
            "CONNECT [::1:80",
            "CONNECT [good.org]:80",
            "CONNECT a%2eb:80",
            "GET http://user@good.org/",
            "GET https://good.org/",
            "GET /path",
            "GET ftp://good.org/",
        ] {
            assert!(read(&format!("{target} HTTP/1.1\r\n\r\n")).is_err(), "{target}");
        }
    }

    #[test]
    fn an_endless_head_is_refused() {
        assert_eq!(read("GET http://a/ HTTP/1.1\r\nx: y"), Ok(None));
        assert!(parse(&[b'a'; MAX_HEAD]).is_err());
        assert!(read(&format!("GET http://a/ HTTP/1.1\r\n{}", "x: y\r\n".repeat(101))).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_it_accepts_names_a_plain_host(target in "(CONNECT|GET) (http://)?[ -~]{0,60}") {
            if let Ok(Some((request, _))) = read(&format!("{target} HTTP/1.1\r\n\r\n")) {
                prop_assert!(!request.host.is_empty());
                prop_assert!(request.host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b)));
                if let Some(head) = request.forward {
                    let text = String::from_utf8(head).unwrap();
                    prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
                }
            }
        }
    }
}
