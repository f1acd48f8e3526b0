//! An unpacked image as the system of sandboxes: the few files in `/etc` that are the platform's, and what the image wants
//! its programs to be told.
//!
//! Its folders take the place of this machine's `/usr`, `/lib`, `/etc` …; `/home`, `/tmp`, `/dev`, `/proc`, `/env` stay the
//! platform's whatever the image has there.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::disk::Layer;
use super::tree::{Look, Tree};

/// Names at the top of an image: each is a mount of every sandbox.
const TOP: usize = 40;
const VARIABLES: usize = 200;
/// Of a variable, and of a file in `/etc` that is kept in part.
const TEXT: usize = 32 << 10;
const USER: &str = "user";
const ID: &str = "1000";

/// The image that an environment stands on, as `installed.json` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Whose folder it is in.
    pub layer: Layer,
    /// Of its manifest.
    pub digest: String,
    /// Its folders of programs.
    pub path: Vec<String>,
    pub variables: BTreeMap<String, String>,
    /// What terminals start.
    pub shell: String,
}

/// What was found in an image.
#[derive(Debug)]
pub struct Settled {
    pub path: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub shell: String,
}

/// Puts the platform's own into the unpacked image.
pub fn settle(tree: &mut Tree, environment: &[String]) -> Result<Settled, String> {
    let disk = |error: std::io::Error| format!("preparing it failed: {error}");
    let top = tree.top().map_err(disk)?;
    if top.len() > TOP {
        return Err(format!("it has {} names at its top; there may be {TOP}", top.len()));
    }
    if top.iter().any(|(name, kind)| name == "etc" && *kind != rustix::fs::FileType::Directory) {
        return Err("its /etc is no folder".into());
    }
    let shell = if tree.has(Path::new("bin/bash")) { "/bin/bash" } else { "/bin/sh" };
    let accounts = |name: &str, own: String| -> Result<String, String> {
        let kept = tree.read(&Path::new("etc").join(name), TEXT as u64).map_err(disk)?.unwrap_or_default();
        Ok(others(&String::from_utf8_lossy(&kept)) + &own)
    };
    let passwd = accounts("passwd", format!("{USER}:x:{ID}:{ID}::/home/user:{shell}\n"))?;
    let group = accounts("group", format!("{USER}:x:{ID}:\n"))?;
    let files = [
        ("passwd", passwd.as_str()),
        ("group", &group),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 workspace\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        ("resolv.conf", ""),
    ];
    for (name, content) in files {
        let look = Look { mode: 0o644, mtime: 0 };
        tree.file(&Path::new("etc").join(name), look, &mut content.as_bytes()).map_err(disk)?;
    }
    let (path, variables) = told(environment)?;
    Ok(Settled { path, variables, shell: shell.into() })
}

/// The accounts of the image but the one that is everybody here: names of owners can still be looked up.
fn others(text: &str) -> String {
    let is_other = |line: &&str| {
        let mut fields = line.split(':');
        fields.next() != Some(USER) && fields.nth(1) != Some(ID)
    };
    text.lines().filter(is_other).map(|line| format!("{line}\n")).collect()
}

/// The image's variables, without those that say where and who one is.
fn told(environment: &[String]) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
    const OURS: [&str; 10] =
        ["HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "HOSTNAME", "TERM", "TMPDIR", "XDG_RUNTIME_DIR"];
    if environment.len() > VARIABLES {
        return Err(format!("it sets {} variables; there may be {VARIABLES}", environment.len()));
    }
    let (mut path, mut variables) = (Vec::new(), BTreeMap::new());
    for pair in environment {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("its variable {pair:?} has no value"))?;
        let plain = |name: &str| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        if name.is_empty() || !plain(name) || value.contains('\0') || value.len() > TEXT {
            return Err(format!("its variable {name:?} cannot be used"));
        }
        if name == "PATH" {
            path = value.split(':').filter(|folder| folder.starts_with('/')).map(str::to_owned).collect();
        } else if !OURS.contains(&name)
            && !name.starts_with("DARTER_")
            && !name.to_ascii_lowercase().ends_with("_proxy")
        {
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok((path, variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_gets_the_platforms_account_and_keeps_its_other_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::open(folder.path()).unwrap();
        let look = Look { mode: 0o644, mtime: 0 };
        let passwd = "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nuser:x:7:7::/:/bin/false\n";
        tree.file(Path::new("usr/share/passwd"), look, &mut passwd.as_bytes()).unwrap();
        tree.folder(Path::new("etc"), look).unwrap();
        tree.link(Path::new("etc/passwd"), "/usr/share/passwd".as_ref()).unwrap();
        let said = ["PATH=/opt/bin:relative:/bin", "HOME=/root", "https_proxy=x", "DARTER_X=1", "JAVA_HOME=/opt/java"];
        let settled = settle(&mut tree, &said.map(str::to_owned)).unwrap();
        assert_eq!(settled.path, ["/opt/bin", "/bin"]);
        assert_eq!(settled.variables, [("JAVA_HOME".to_owned(), "/opt/java".to_owned())].into());
        assert_eq!(settled.shell, "/bin/sh");
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!(read("etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
        assert_eq!(read("usr/share/passwd"), passwd, "what the link led to is as it was");
        assert_eq!(read("etc/group"), "user:x:1000:\n");
    }

    #[test]
    fn what_cannot_be_a_system_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::open(folder.path()).unwrap();
        assert!(settle(&mut tree, &["A B=1".into()]).unwrap_err().contains("A B"));
        assert!(settle(&mut tree, &["NO_VALUE".into()]).is_err());
        tree.folder(Path::new("etc"), Look { mode: 0o755, mtime: 0 }).unwrap();
        for number in 0..TOP {
            tree.link(Path::new(&number.to_string()), "x".as_ref()).unwrap();
        }
        assert!(settle(&mut tree, &[]).unwrap_err().contains("names at its top"));
        let linked = tempfile::tempdir().unwrap();
        let mut tree = Tree::open(linked.path()).unwrap();
        tree.link(Path::new("etc"), "/usr/etc".as_ref()).unwrap();
        assert!(settle(&mut tree, &[]).unwrap_err().contains("/etc"));
    }
}
