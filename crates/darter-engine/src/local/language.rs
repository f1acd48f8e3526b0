//! A TypeScript language server in a sandbox of its own, over a copy of the app's files.
//!
//! It has no way out, sees no other app, and ends when its guard is dropped.

use std::path::{Component, Path};
use std::sync::Arc;

use darter_core::{AppId, Fault, Kind};
use darter_sandbox::{Bind, Profile, Root, Spec};
use rust_embed::RustEmbed;
use serde_json::json;
use tokio::net::unix::pipe::Sender;

use super::layout::Build;
use super::{Shared, job, output};
use crate::contract::{LanguageServer, ProjectFile};

/// Types of the SDK, as shipped.
#[derive(RustEmbed)]
#[folder = "../../sdk/javascript"]
#[allow_missing = true]
struct Sdk;

/// Most files and bytes of a project.
const MAX_FILES: usize = 5_000;
const MAX_BYTES: usize = 64 << 20;

/// The project must be in a place it may write to, at the address that editors name: `file:///work/project/`.
const COPY: &str = "cp -r /project /work/project && cd /work/project && exec \"$@\"";

impl Shared {
    pub(super) async fn language_server(
        &self,
        app: &AppId,
        files: Vec<ProjectFile>,
        dependencies: Option<String>,
    ) -> Result<LanguageServer, Fault> {
        let place = Arc::clone(&self.languages).try_acquire_owned().map_err(|_| {
            let message =
                "All places for editors with completion are taken. Try again in a minute; editing works without.";
            Fault::new(Kind::Unavailable, "language.too_many", message).retry_after(60)
        })?;
        let build = self.layout.build("language").map_err(Fault::internal)?;
        let build =
            tokio::task::spawn_blocking(move || write_project(build, &files)).await.map_err(Fault::internal)??;
        let (inside_in, stdin) = input_pipe().map_err(Fault::internal)?;
        let (inside_out, stdout) = output::pipe().map_err(Fault::internal)?;
        let mut binds = self.runtime.binds();
        binds.push(Bind::read_only(self.runtime.packages(), "/node_modules"));
        binds.push(Bind::read_only(build.path().join("project"), "/project"));
        if let Some(digest) = dependencies {
            let modules = self.layout.dependencies(app, &digest).join("node_modules");
            if modules.is_dir() {
                binds.push(Bind::read_only(modules, "/app/node_modules"));
            }
        }
        let config = &self.config.language;
        let spec = Spec {
            root: job::root(Root::host_system(), binds, 128 << 20),
            argv: ["/bin/sh", "-c", COPY, "sh"]
                .into_iter()
                .map(str::to_owned)
                .chain(self.runtime.language_server.iter().cloned())
                .collect(),
            env: job::environment(None),
            cwd: "/work".into(),
            fds: Vec::new(),
            limits: job::limits(config.cpu_millis, config.memory_bytes, 128),
            profile: Profile::Build,
            hostname: "language".into(),
            egress: false,
        };
        let sandbox = self.launcher.create(spec.fd(0, inside_in).fd(1, inside_out)).await.map_err(|error| {
            let message = "The language server could not be started. Editing works without; try again later.";
            Fault::new(Kind::Unavailable, "language.start_failed", message).caused_by(error)
        })?;
        Ok(LanguageServer {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            guard: Box::new((sandbox, build, place)),
        })
    }
}

fn input_pipe() -> std::io::Result<(std::os::fd::OwnedFd, Sender)> {
    let (reader, writer) = std::io::pipe()?;
    Ok((reader.into(), Sender::from_owned_fd(writer.into())?))
}

fn write_project(build: Build, files: &[ProjectFile]) -> Result<Build, Fault> {
    if files.len() > MAX_FILES || files.iter().map(|file| file.text.len()).sum::<usize>() > MAX_BYTES {
        return Err(Fault::new(
            Kind::TooLarge,
            "language.too_large",
            "The app has too many functions for completion in the editor. Editing works without.",
        ));
    }
    let project = build.path().join("project");
    write(&project.join("tsconfig.json"), tsconfig().as_bytes())?;
    for file in files {
        write(&project.join(plain(&file.path)?), file.text.as_bytes())?;
    }
    for path in Sdk::iter().filter(|path| path.ends_with(".d.ts") && !path.contains("node_modules/")) {
        if let Some(content) = Sdk::get(&path) {
            write(&project.join(".darter").join(path.as_ref()), &content.data)?;
        }
    }
    std::os::unix::fs::symlink("/app/node_modules", project.join("node_modules")).map_err(Fault::internal)?;
    Ok(build)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, content));
    made.map_err(Fault::internal)
}

fn plain(path: &str) -> Result<&Path, Fault> {
    let path = Path::new(path);
    let ours = path.starts_with("node_modules") || path.starts_with(".darter") || path == Path::new("tsconfig.json");
    if ours || path.as_os_str().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Fault::invalid(
            "language.path",
            "A file's path leads out of the project, or is one of the project's own.",
        ));
    }
    Ok(path)
}

fn tsconfig() -> String {
    json!({
        "compilerOptions": {
            "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "lib": ["es2023", "dom", "dom.iterable"],
            "types": ["node"], "typeRoots": ["/app/node_modules/@types", "/node_modules/@types"],
            "paths": { "@/*": ["./*"], "@lafjs/cloud": ["./.darter/index.d.ts"], "@/cloud-sdk": ["./.darter/index.d.ts"] },
            "strict": false, "noEmit": true, "esModuleInterop": true, "allowJs": true, "skipLibCheck": true,
            "resolveJsonModule": true
        },
        "include": ["**/*.ts", "**/*.js", ".darter/**/*.d.ts"],
        "exclude": ["node_modules"]
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_of_the_project_is_refused() {
        for bad in
            ["", "..", "../x.ts", "/etc/x.ts", "a/../../x.ts", "node_modules/x.ts", "tsconfig.json", ".darter/x.d.ts"]
        {
            assert!(plain(bad).is_err(), "{bad}");
        }
        for good in ["hello.ts", "api/users.ts", "a.b.ts"] {
            assert!(plain(good).is_ok(), "{good}");
        }
    }
}
