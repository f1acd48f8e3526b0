//! From what a client asks to what the attendant starts: the program's words and variables. Pure; each byte is a
//! stranger's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The shell of whoever is logged in, as a login shell.
const SHELL: &str = r#"exec "${SHELL:-/bin/sh}" -l"#;
/// The same with a command.
const COMMAND: &str = r#"exec "${SHELL:-/bin/sh}" -c "$0""#;
/// A command that is no UTF-8 comes with its bytes written out.
const ESCAPED: &str = r#"exec "${SHELL:-/bin/sh}" -c "$(printf %b "$0")""#;

/// Variables of one channel.
const VARIABLES: usize = 64;
/// Longest value.
const VALUE: usize = 256;

/// A terminal that a client has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terminal {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) name: String,
}

/// What a client has told of its surroundings before it says what to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) terminal: Option<Terminal>,
}

/// May a client set this variable? Only the language: others would change what programs do before they look.
pub(crate) fn may_set(name: &str, value: &str) -> bool {
    let language = name == "LANG" || name.strip_prefix("LC_").is_some_and(|rest| !rest.is_empty());
    let plain = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    language && plain && value.len() <= VALUE && !value.chars().any(char::is_control)
}

impl Surroundings {
    pub(crate) fn set(&mut self, name: String, value: String) {
        if may_set(&name, &value) && self.variables.len() < VARIABLES {
            self.variables.insert(name, value);
        }
    }

    /// The first frame of `/v1/exec`; no command: a shell.
    pub(crate) fn first_frame(&self, command: Option<&[u8]>) -> Value {
        let argv = match command {
            None => vec!["/bin/sh".to_owned(), "-c".into(), SHELL.into()],
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => vec!["/bin/sh".into(), "-c".into(), COMMAND.into(), text.into()],
                Err(_) => vec!["/bin/sh".into(), "-c".into(), ESCAPED.into(), escaped(bytes)],
            },
        };
        let mut variables = self.variables.clone();
        if let Some(terminal) = self.terminal.as_ref().filter(|terminal| is_name(&terminal.name)) {
            variables.insert("TERM".into(), terminal.name.clone());
        }
        let tty = self.terminal.as_ref().map(|terminal| json!({ "cols": terminal.columns, "rows": terminal.rows }));
        json!({ "argv": argv, "cwd": null, "env": variables, "tty": tty })
    }
}

fn is_name(terminal: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    (1..=64).contains(&terminal.len()) && terminal.bytes().all(letter)
}

/// As `printf %b` reads it.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\0{other:03o}")),
        }
    }
    text
}

/// Is this the workspace itself? Ports of anything else are nobody's business here.
pub(crate) fn is_inside(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let own = |address: std::net::IpAddr| address.is_loopback() || address.is_unspecified();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| own(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(command: Option<&[u8]>) -> Vec<String> {
        serde_json::from_value(Surroundings::default().first_frame(command)["argv"].clone()).unwrap()
    }

    #[test]
    fn only_the_language_is_taken_from_a_client() {
        for name in ["LANG", "LC_ALL", "LC_CTYPE"] {
            assert!(may_set(name, "de_DE.UTF-8"), "{name}");
        }
        for name in ["", "LC_", "LD_PRELOAD", "PATH", "BASH_ENV", "LANGUAGE", "LC_\0", "LC_a", "lang"] {
            assert!(!may_set(name, "x"), "{name}");
        }
        assert!(!may_set("LANG", "a\nb") && !may_set("LANG", &"a".repeat(257)));
        let mut full = Surroundings::default();
        for number in 0..1_000 {
            let name: String = format!("LC_{number:04}")
                .chars()
                .map(|c| if c.is_ascii_digit() { (b'A' + c as u8 - b'0') as char } else { c })
                .collect();
            full.set(name, "x".into());
        }
        assert_eq!(full.variables.len(), VARIABLES);
    }

    #[test]
    fn a_terminal_says_its_name_and_size_and_a_strange_name_is_left_out() {
        let with = |name: &str| {
            let terminal = Some(Terminal { columns: 100, rows: 40, name: name.into() });
            Surroundings { terminal, ..Surroundings::default() }.first_frame(None)
        };
        assert_eq!(with("xterm")["tty"], json!({ "cols": 100, "rows": 40 }));
        assert_eq!(with("xterm")["env"], json!({ "TERM": "xterm" }));
        assert_eq!(with("../../x y")["env"], json!({}));
        assert_eq!(Surroundings::default().first_frame(None)["tty"], Value::Null);
    }

    #[test]
    fn the_shell_gets_exactly_the_bytes_of_the_command() {
        for command in [&b"printf 'a b' && true"[..], b"printf 'caf\xe9\\t%s' '\\0101\n$x' \xff", b"printf '\xe9\n\n'"]
        {
            let run = |words: &[String]| {
                std::process::Command::new(&words[0]).args(&words[1..]).env("SHELL", "/bin/sh").output().unwrap().stdout
            };
            use std::os::unix::ffi::OsStrExt;
            let plain =
                std::process::Command::new("/bin/sh").arg("-c").arg(std::ffi::OsStr::from_bytes(command)).output();
            assert_eq!(run(&argv(Some(command))), plain.unwrap().stdout, "{command:?}");
        }
    }

    #[test]
    fn only_the_workspace_itself_is_inside() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "0.0.0.0", "::ffff:127.0.0.1"]
        {
            assert!(is_inside(host), "{host}");
        }
        for host in ["", "localhost.evil", "10.0.0.1", "169.254.169.254", "::2", "example.org", "127.0.0.1.evil"] {
            assert!(!is_inside(host), "{host}");
        }
    }
}
