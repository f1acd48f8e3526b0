//! The certificates of the front door: read before the server gives root up, read again when their files change.
//!
//! A renewed certificate must not need a restart, and a broken file must not take one away that works: what cannot be
//! read is told to the operator, and what was there before stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use darter_gateway::{Certificate, Tls};
use tokio_util::sync::CancellationToken;

use crate::config::{Problem, Server};

/// How often files are looked at. Asking for a change would miss those of network file systems and of swapped links.
const LOOK: Duration = Duration::from_secs(5);
/// How tools name the two files of one certificate in a folder of its own: certbot, and Kubernetes.
const NAMED: [(&str, &str); 2] = [("fullchain.pem", "privkey.pem"), ("tls.crt", "tls.key")];

/// One certificate's files, and the keys of the configuration that they came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    chain: PathBuf,
    key: PathBuf,
    /// Named one by one, not found in the folder.
    named: bool,
}

impl Pair {
    fn read(&self) -> Result<Certificate, Problem> {
        let config_key = |own: &str| if self.named { format!("server.{own}") } else { "server.tls_folder".into() };
        let read = |own: &str, file: &Path| {
            std::fs::read(file).map_err(|error| {
                let fix = "let the account of the server read it";
                Problem::new(config_key(own), format!("{}: {error}", file.display()), fix)
            })
        };
        let (chain, key) = (read("tls_certificate", &self.chain)?, read("tls_key", &self.key)?);
        Certificate::from_pem(&chain, &key).map_err(|error| {
            let file = if error.key == "tls_key" { &self.key } else { &self.chain };
            let what = format!("{}: {}", file.display(), error.message);
            Problem::new(config_key(error.key), what, "give PEM files that belong together")
        })
    }

    /// What changes when a file does.
    fn mark(&self) -> Mark {
        [&self.chain, &self.key].map(|file| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }
}

type Mark = [Option<(SystemTime, u64)>; 2];

/// All certificates, as they were last read.
pub struct Certificates {
    default: Option<Pair>,
    folder: Option<PathBuf>,
    domain: String,
    read: BTreeMap<Pair, (Mark, Certificate)>,
    /// Told already; said again only when something changes.
    broken: BTreeMap<Pair, Mark>,
    /// The folder cannot be looked into, and this was said.
    unseen: bool,
}

impl Certificates {
    /// Reads everything. `None`: none are configured, the server speaks plain HTTP.
    pub fn read(server: &Server) -> Result<Option<(Self, Tls)>, Problem> {
        let path = |text: &String| (!text.is_empty()).then(|| PathBuf::from(text));
        let default =
            path(&server.tls_certificate).map(|chain| Pair { chain, key: PathBuf::from(&server.tls_key), named: true });
        let folder = path(&server.tls_folder);
        if default.is_none() && folder.is_none() {
            return Ok(None);
        }
        let mut all = Self {
            default,
            folder,
            domain: server.domain.clone(),
            read: BTreeMap::new(),
            broken: BTreeMap::new(),
            unseen: false,
        };
        for pair in all.pairs()? {
            let (mark, certificate) = (pair.mark(), pair.read()?);
            all.read.insert(pair, (mark, certificate));
        }
        let (first, others) = all.sorted().ok_or_else(|| {
            let folder = server.tls_folder.clone();
            let fix = "put NAME.crt and NAME.key there, or a folder with fullchain.pem and privkey.pem";
            Problem::new("server.tls_folder", format!("{folder} holds no certificate"), fix)
        })?;
        let tls = Tls::new(first, others)
            .map_err(|error| Problem::new("server.tls_certificate", error.message, "give another certificate"))?;
        Ok(Some((all, tls)))
    }

    /// Looks again and again, and hands over what has changed.
    pub async fn keep_fresh(mut self, tls: Tls, stop: CancellationToken) {
        let mut turn = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turn.tick() => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                let changed = self.look();
                (self, changed)
            });
            let Ok((back, changed)) = looked.await else { return };
            self = back;
            if let (true, Some((first, others))) = (changed, self.sorted()) {
                tracing::info!(certificates = others.len() + 1, "certificates were read again");
                tls.replace(first, others);
            }
        }
    }

    /// Reads what is new or different. True: something is.
    fn look(&mut self) -> bool {
        let pairs = match self.pairs() {
            Ok(pairs) => pairs,
            Err(problem) => {
                if !std::mem::replace(&mut self.unseen, true) {
                    tracing::warn!(%problem, "certificates cannot be looked for; those in use stay until a restart");
                }
                return false;
            }
        };
        self.unseen = false;
        self.broken.retain(|pair, _| pairs.contains(pair));
        let before = self.read.len();
        self.read.retain(|pair, _| pairs.contains(pair));
        let mut changed = self.read.len() != before;
        for pair in pairs {
            let mark = pair.mark();
            let known = self.read.get(&pair).map(|(mark, _)| mark).into_iter().chain(self.broken.get(&pair));
            if known.into_iter().any(|seen| *seen == mark) {
                continue;
            }
            match pair.read() {
                Ok(certificate) => {
                    self.broken.remove(&pair);
                    self.read.insert(pair, (mark, certificate));
                    changed = true;
                }
                Err(problem) => {
                    tracing::warn!(%problem, "a changed certificate cannot be used; the one before stays");
                    self.broken.insert(pair, mark);
                }
            }
        }
        changed
    }

    /// The default first, then the folder's in the order of their names.
    fn pairs(&self) -> Result<Vec<Pair>, Problem> {
        let mut pairs: Vec<Pair> = self.default.clone().into_iter().collect();
        if let Some(folder) = &self.folder {
            pairs.extend(in_folder(folder)?);
        }
        Ok(pairs)
    }

    /// The certificate for clients that name nobody, and the others. Without one that was named it is the console's.
    fn sorted(&self) -> Option<(Certificate, Vec<Certificate>)> {
        let is_default = |pair: &Pair, certificate: &Certificate| match &self.default {
            Some(default) => pair == default,
            None => certificate.names().contains(&self.domain),
        };
        let first = self.read.iter().find(|(pair, (_, one))| is_default(pair, one)).or_else(|| self.read.iter().next());
        let (first, (_, certificate)) = first?;
        let others = self.read.iter().filter(|(pair, _)| *pair != first).map(|(_, (_, one))| one.clone()).collect();
        Some((certificate.clone(), others))
    }
}

fn in_folder(folder: &Path) -> Result<Vec<Pair>, Problem> {
    let failed = |error: std::io::Error| {
        let fix = "name a folder that exists and that the account of the server may read";
        Problem::new("server.tls_folder", format!("{}: {error}", folder.display()), fix)
    };
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Kubernetes keeps its swapped links under names with a dot.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let pair = |chain: PathBuf, key: PathBuf| Pair { chain, key, named: false };
        if path.is_dir() {
            let named = NAMED.iter().map(|(chain, key)| pair(path.join(chain), path.join(key)));
            pairs.extend(named.filter(|pair| pair.chain.is_file()));
        } else if path.extension().is_some_and(|ending| ending == "crt" || ending == "pem") {
            pairs.push(pair(path.clone(), path.with_extension("key")));
        }
    }
    pairs.sort_unstable();
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: (&str, &str) = (
        include_str!("../../../darter-gateway/tests/support/tls-shop-cert.pem"),
        include_str!("../../../darter-gateway/tests/support/tls-shop-key.pem"),
    );
    const CONSOLE: (&str, &str) = (
        include_str!("../../../darter-gateway/tests/support/tls-console-cert.pem"),
        include_str!("../../../darter-gateway/tests/support/tls-console-key.pem"),
    );

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("darter-certificates-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("console")).unwrap();
        path
    }

    fn server(folder: &Path) -> Server {
        Server { tls_folder: folder.display().to_string(), ..Server::default() }
    }

    fn names(all: &Certificates) -> Vec<String> {
        let (first, others) = all.sorted().unwrap();
        std::iter::once(first).chain(others).map(|one| one.names()[0].clone()).collect()
    }

    #[test]
    fn a_folder_is_read_in_all_its_forms_and_again_when_it_changes() {
        let folder = folder("forms");
        std::fs::write(folder.join("console/fullchain.pem"), CONSOLE.0).unwrap();
        std::fs::write(folder.join("console/privkey.pem"), CONSOLE.1).unwrap();
        std::fs::write(folder.join("a.crt"), SHOP.0).unwrap();
        std::fs::write(folder.join("a.key"), SHOP.1).unwrap();
        let (mut all, _) = Certificates::read(&server(&folder)).unwrap().unwrap();
        assert_eq!(names(&all), ["darter.localhost", "shop.example.org"], "the console's is the default");
        assert!(!all.look(), "nothing has changed");

        std::fs::write(folder.join("b.crt"), SHOP.0).unwrap();
        std::fs::write(folder.join("a.key"), "broken").unwrap();
        assert!(!all.look(), "one without a key and one that broke change nothing");
        assert_eq!(names(&all).len(), 2);

        std::fs::write(folder.join("b.key"), SHOP.1).unwrap();
        assert!(all.look());
        assert_eq!(names(&all).len(), 3);
        std::fs::remove_file(folder.join("a.crt")).unwrap();
        assert!(all.look());
        assert_eq!(names(&all).len(), 2);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_start_with_a_certificate_that_cannot_work_is_refused_with_its_file() {
        let folder = folder("refused");
        let problem = Certificates::read(&server(&folder)).map(drop).unwrap_err();
        assert_eq!((problem.key.as_str(), problem.what.ends_with("holds no certificate")), ("server.tls_folder", true));
        std::fs::write(folder.join("a.crt"), SHOP.0).unwrap();
        std::fs::write(folder.join("a.key"), CONSOLE.1).unwrap();
        let problem = Certificates::read(&server(&folder)).map(drop).unwrap_err();
        assert!(problem.what.starts_with(&folder.join("a.key").display().to_string()), "{problem}");
        std::fs::remove_dir_all(&folder).unwrap();
        let problem = Certificates::read(&server(&folder)).map(drop).unwrap_err();
        assert_eq!(problem.key, "server.tls_folder");
        assert!(Certificates::read(&Server::default()).unwrap().is_none());
    }
}
