//! Where npm packages come from when the operator says nothing: what npm on this machine is set to. No registry's name
//! is built in, so that a closed network needs one setting and not a patch.

use std::process::{Command, Stdio};

use super::key::Problem;

/// The registry of this machine's npm: its variable, its files, or npm itself when there is one.
pub fn of_this_machine() -> Result<String, Problem> {
    let variables =
        ["npm_config_registry", "NPM_CONFIG_REGISTRY"].into_iter().filter_map(|name| std::env::var(name).ok());
    let home = std::env::var("HOME").map(|home| format!("{home}/.npmrc")).ok();
    let files = home.into_iter().chain(["/etc/npmrc".to_owned(), "/usr/local/etc/npmrc".to_owned()]);
    let written = files.filter_map(|file| std::fs::read_to_string(file).ok()).filter_map(|text| in_file(&text));
    variables.chain(written).map(|text| text.trim().to_owned()).find(|text| usable(text)).or_else(asked).ok_or_else(
        || {
            Problem::new(
                "engine.registry",
                "no npm registry is known on this machine, and Node comes from one",
                "write the address of your registry, e.g. in DARTER_ENGINE_REGISTRY, or install npm",
            )
        },
    )
}

fn in_file(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "registry").then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn usable(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn asked() -> Option<String> {
    let mut command = Command::new("npm");
    command.args(["config", "get", "registry"]).stdin(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    let text = String::from_utf8(command.output().ok()?.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| usable(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_read_from_npms_file() {
        let rows = [
            ("registry=https://npm.example/\n", Some("https://npm.example/")),
            ("; comment\nproxy=x\nregistry = \"http://a\"\n", Some("http://a")),
            ("@scope:registry=https://b\n", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(in_file(text).as_deref(), expected, "{text}");
        }
    }
}
