//! What host names an app may be given. Pure.

use darter_core::Fault;

/// The host as it is stored and compared: lower case, ASCII (IDNs as `xn--…`), no port, no dot at its end.
/// `reserved` are the server's own domains: neither they nor what is below them can be taken.
pub fn normalise(host: &str, reserved: &[&str]) -> Result<String, Fault> {
    let refuse = |why: &str| {
        Fault::invalid(
            "domain.host_invalid",
            format!("This host name can not be used: {why}. Use one like shop.example.org."),
        )
    };
    let host = match url::Host::parse(host.trim().trim_end_matches('.')) {
        Ok(url::Host::Domain(host)) => host.to_ascii_lowercase(),
        Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => return Err(refuse("it is an address, not a name")),
        Err(_) => return Err(refuse("it is not a host name")),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(refuse("its parts have 1 to 63 letters, digits and '-'"));
    }
    if !host.contains('.') {
        return Err(refuse("it has no dot"));
    }
    for own in reserved {
        if host == *own || host.strip_suffix(*own).is_some_and(|rest| rest.ends_with('.')) {
            return Err(refuse("it belongs to this server"));
        }
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_normalised_and_the_servers_own_are_refused() {
        let reserved = ["darter.localhost", "darter-apps.localhost"];
        let rows = [
            ("Shop.Example.ORG", Some("shop.example.org")),
            ("shop.example.org.", Some("shop.example.org")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("notdarter.localhost", Some("notdarter.localhost")),
            ("darter.localhost", None),
            ("a.DARTER-apps.localhost", None),
            ("localhost", None),
            ("127.0.0.1", None),
            ("0x7f.1", None),
            ("[::1]", None),
            ("a..b", None),
            ("-a.b", None),
            ("a_b.c", None),
            ("a b.c", None),
            ("a.b:80", None),
            ("a.b/c", None),
            ("", None),
        ];
        for (host, expected) in rows {
            assert_eq!(normalise(host, &reserved).ok().as_deref(), expected, "{host:?}");
        }
    }
}
