//! Environments that stand on an OCI image: installed from layouts and registries, run in real sandboxes.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;
mod images;
mod workspaces;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use darter_core::workspace::EnvironmentName;
use darter_engine::EngineConfig;
use darter_engine::environment::{Catalogue, Environments, InstallEvent, State};
use darter_engine::workspace::Workspaces;
use harness::world;
use images::registry::{Fault, Registry};
use images::{HERE, Layer, Made, system, with_python, write_layout};

const MARKER: &str = "PRETTY_NAME=\"An image of a test\"\n";

fn recipe(config: &EngineConfig, name: &str, image: &str, more: &str) -> std::path::PathBuf {
    let folder = config.data.join("recipes").join(name);
    fs::create_dir_all(&folder).unwrap();
    let probe = if name == "unfit" { "probe = [\"/bin/sh\", \"-c\", \"exit 7\"]" } else { "" };
    let text = format!(
        "title = \"T\"\ndescription = \"D\"\n[image]\n{image}\n{more}\n[editor]\nkind = \"jupyter\"\nargv = [\"/usr/bin/python3\", \"-I\", \"/env/{name}/editor.py\"]\nhealth = \"/\"\n{probe}\n"
    );
    fs::write(folder.join("environment.toml"), text).unwrap();
    folder
}

fn name(text: &str) -> EnvironmentName {
    text.parse().unwrap()
}

/// Installs it; the phases, and how it ended.
async fn install(all: &Arc<Catalogue>, which: &str) -> (Vec<String>, InstallEvent) {
    let mut events = Arc::clone(all).install(&name(which)).unwrap().unwrap();
    let mut phases = Vec::new();
    loop {
        match events.recv().await.unwrap() {
            InstallEvent::Phase { name, .. } => phases.push(name),
            end @ (InstallEvent::Installed { .. } | InstallEvent::Failed { .. }) => return (phases, end),
            InstallEvent::Output { .. } | InstallEvent::Download { .. } => {}
        }
    }
}

async fn installed(all: &Arc<Catalogue>, which: &str) -> Vec<String> {
    let (phases, end) = install(all, which).await;
    assert!(matches!(end, InstallEvent::Installed { .. }), "{which}: {end:?}");
    phases
}

async fn fails(all: &Arc<Catalogue>, which: &str, expected: &str, word: &str) {
    let (_, end) = install(all, which).await;
    let InstallEvent::Failed { code, message } = end else { panic!("{which}: {end:?}") };
    assert!(code == expected && message.contains(word), "{which}: {code}: {message}");
    let State::Broken { code, .. } = all.inspect(&name(which)).unwrap().state else { panic!("{which} is not broken") };
    assert_eq!(code, expected);
}

/// A system with a marker, and a second layer that takes something away.
fn two_layers(base: Layer) -> Vec<(Vec<u8>, String)> {
    let base =
        base.file("etc/os-release", MARKER).file("etc/passwd", "root:x:0:0::/root:/bin/sh\n").file("opt/old", "x");
    let upper = Layer::default().file("opt/.wh.old", "").file("opt/new", "from the upper layer\n");
    vec![base.packed("gzip"), upper.packed("zstd")]
}

#[test]
fn a_layout_beside_a_recipe_is_installed_verified_extended_repaired_and_removed() {
    world(
        |config| {
            let image = Made::of(two_layers(system(&["sh", "cat", "cp"])), HERE, &["GREETING=hello"]);
            let other = Made::of(vec![Layer::default().packed("gzip")], HERE, &[]);
            let step = "[[step]]\ntitle = \"s\"\nargv = [\"/bin/sh\", \"-ec\", \"cp /etc/os-release copy; cat /opt/new >> copy; echo $GREETING >> copy; test ! -e /usr/lib/os-release\"]";
            let folder = recipe(config, "imaged", "layout = \"image\"\ntag = \"1\"", step);
            write_layout(&folder.join("image"), &[("1", &image), ("2", &other)]);
            let more = config.data.join("recipes/more");
            fs::create_dir_all(&more).unwrap();
            let step = "[[step]]\ntitle = \"s\"\nargv = [\"/bin/cp\", \"/opt/new\", \"copy\"]";
            let text = format!("title = \"T\"\ndescription = \"D\"\nextends = \"imaged\"\n{step}\n");
            fs::write(more.join("environment.toml"), text).unwrap();
        },
        |world| async move {
            let all = world.engine.environments();
            installed(all, "more").await;
            let (more, imaged) =
                (all.installed(&name("more")).await.unwrap(), all.installed(&name("imaged")).await.unwrap());
            let copy = fs::read_to_string(imaged.root.join("imaged/copy")).unwrap();
            assert_eq!(copy, format!("{MARKER}from the upper layer\nhello\n"));
            assert_eq!(fs::read_to_string(more.root.join("more/copy")).unwrap(), "from the upper layer\n");
            let system = imaged.system.clone().unwrap();
            assert_eq!(more.system.as_ref(), Some(&system), "what extends an image stands on the same one");
            assert!(!system.join("opt/old").exists());
            assert!(
                fs::read_to_string(system.join("etc/passwd"))
                    .unwrap()
                    .ends_with("user:x:1000:1000::/home/user:/bin/sh\n")
            );
            assert!(more.env.contains(&("GREETING".into(), "hello".into())));
            assert_eq!(more.shell(), "/bin/sh");

            assert_eq!(all.verify(&name("more")).await.unwrap(), Vec::<String>::new());
            fs::write(system.join("opt/new"), "changed").unwrap();
            assert_eq!(all.verify(&name("more")).await.unwrap(), ["imaged:/opt/new"]);
            drop((more, imaged));
            installed(all, "more").await;
            assert_eq!(all.verify(&name("more")).await.unwrap(), Vec::<String>::new());
            all.remove(&name("more")).await.unwrap();
            all.remove(&name("imaged")).await.unwrap();
            assert!(!system.exists());
        },
    );
}

#[test]
fn a_workspace_on_an_image_sees_the_image_and_the_platforms_own_places() {
    world(
        |config| {
            let base = with_python(system(&["sh", "bash", "cat", "id", "ls", "touch", "python3"]));
            let image = Made::of(two_layers(base), HERE, &["GREETING=hello", "PATH=/opt/bin:/usr/bin", "HOME=/root"]);
            let folder = recipe(config, "imaged", "layout = \"image\"", "[files]\n\"editor.py\" = \"editor.py\"");
            fs::write(folder.join("editor.py"), workspaces::EDITOR).unwrap();
            write_layout(&folder.join("image"), &[("1", &image)]);
        },
        |world| async move {
            let all = world.engine.environments();
            installed(all, "imaged").await;
            let data = all.installed(&name("imaged")).await.unwrap().root.ancestors().nth(4).unwrap().to_path_buf();
            let environments = Arc::clone(all) as Arc<dyn Environments>;
            let open = workspaces::open_on(&data, world.launcher.clone(), &workspaces::attendant(), environments);
            let id = open.add(|bundle| bundle.environment = name("imaged"));
            assert_eq!(open.sh(&id, "cat /etc/os-release /opt/new").await, format!("{MARKER}from the upper layer\n"));
            assert_eq!(open.sh(&id, "id -un; echo $HOME $GREETING $SHELL").await, "user\n/home/user hello /bin/bash\n");
            assert_eq!(open.sh(&id, "echo $PATH").await, "/opt/bin:/usr/bin\n");
            let refused = open.sh(&id, "touch /usr/x /etc/x /opt/x 2>&1").await;
            assert_eq!(refused.matches("Read-only").count(), 3, "{refused}");
            assert_eq!(
                open.sh(&id, "touch /tmp/x ~/x && ls -d /env/imaged /proc/self /dev/null").await,
                "/dev/null\n/env/imaged\n/proc/self\n"
            );
            assert_eq!(
                open.sh(&id, "ls -d /usr/share /etc/ssl /opt/old 2>/dev/null").await,
                "",
                "nothing of this machine"
            );
            open.engine.stop(&id).await.unwrap();
            assert_eq!(open.sh(&id, "ls ~").await, "x\n");
            open.engine.shutdown(5_000).await;
        },
    );
}

#[test]
fn an_image_is_pulled_from_a_registry_with_a_token_over_what_goes_wrong_in_passing() {
    let image = Made::of(two_layers(system(&["sh", "cat"])), HERE, &[]);
    let foreign = Made::of(vec![Layer::default().file("x", "").packed("gzip")], "riscv64", &[]);
    let index = Made::index(&[("riscv64", &foreign), (HERE, &image)]);
    let without = Made::index(&[("riscv64", &foreign)]);
    let images = (index.clone(), without.clone(), foreign.clone());
    let address = Arc::new(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let at = address.local_addr().unwrap().to_string();
    let recipes = move |config: &mut EngineConfig| {
        fs::write(config.data.join("word"), "a password\n").unwrap();
        fs::write(config.data.join("wrong"), "another").unwrap();
        let reference =
            |repository: &str, digest: &str| format!("reference = \"{at}/{repository}@{digest}\"\ninsecure = true");
        let account =
            |file: &str| format!("\nusername = \"ada\"\npassword_file = \"{}\"", config.data.join(file).display());
        let of_index = reference("private/course:1", &index.digest);
        recipe(config, "pulled", &format!("{of_index}{}", account("word")), "");
        recipe(config, "stranger", &of_index, "");
        recipe(config, "mistyped", &format!("{of_index}{}", account("wrong")), "");
        recipe(config, "missing", &reference("course", &images::digest_of(b"nothing")), "");
        recipe(config, "elsewhere", &reference("course", &without.digest), "");
        recipe(config, "foreign", &reference("course", &foreign.digest), "");
        recipe(config, "changed", &reference("course", &image.digest), "");
        recipe(config, "cut", &reference("course", &image.digest), "");
        recipe(config, "endless", &reference("course", &image.digest), "");
        recipe(config, "busy", &reference("course", &image.digest), "");
        recipe(config, "large", &format!("{}\nmib = 1", reference("course", &image.digest)), "");
    };
    world(recipes, move |world| async move {
        let (index, without, foreign) = images;
        let listener = Arc::into_inner(address).unwrap();
        let registry = Registry::serve_on(listener, &[&index, &without, &foreign], ("ada", "a password"));
        let all = world.engine.environments();
        let layer = "/blobs/";
        registry.fail(layer, 1, Fault::Status(429));
        registry.fail(layer, 1, Fault::Cut);
        let phases = installed(all, "pulled").await;
        assert_eq!(phases[..3], ["check", "download", "unpack"]);
        let pulled = all.installed(&name("pulled")).await.unwrap();
        assert_eq!(fs::read_to_string(pulled.system.as_ref().unwrap().join("etc/os-release")).unwrap(), MARKER);
        assert_eq!(fs::read_dir(pulled.root.parent().unwrap()).unwrap().count(), 4, "what was pulled is not kept");
        let download = "environment.download";
        fails(all, "stranger", download, "the registry refuses").await;
        fails(all, "mistyped", download, "password_file").await;
        fails(all, "missing", download, "does not have it").await;
        fails(all, "elsewhere", download, "linux/riscv64").await;
        fails(all, "foreign", "environment.image", "made for linux/riscv64").await;
        fails(all, "large", download, "MiB").await;
        registry.fail(layer, 99, Fault::Changed);
        fails(all, "changed", download, "not what was promised").await;
        registry.forgive();
        registry.fail(layer, 99, Fault::Cut);
        fails(all, "cut", download, "only in part").await;
        registry.forgive();
        registry.fail("/manifests/", 99, Fault::Endless);
        fails(all, "endless", download, "its manifest is larger than 4 MiB").await;
        registry.forgive();
        registry.fail("/manifests/", 99, Fault::Status(429));
        fails(all, "busy", download, "limits how often").await;
        nothing_is_left(&pulled.root, &["pulled"]);
    });
}

#[test]
fn a_registry_with_a_certificate_of_its_own_is_trusted_when_the_operator_says_so() {
    let image = Made::of(two_layers(system(&["sh", "cat"])), HERE, &[]);
    for trusted in [true, false] {
        let image = image.clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let reference = format!("localhost:{}/course@{}", listener.local_addr().unwrap().port(), image.digest);
        let recipes = move |config: &mut EngineConfig| {
            recipe(config, "pulled", &format!("reference = \"{reference}\""), "");
            let file = config.data.join("own.pem");
            fs::write(&file, images::registry::CERTIFICATE).unwrap();
            config.certificates = trusted.then_some(file);
        };
        world(recipes, move |world| async move {
            Registry::serve_with_tls(listener, &[&image]);
            let all = world.engine.environments();
            match trusted {
                true => drop(installed(all, "pulled").await),
                false => fails(all, "pulled", "environment.download", "certificate").await,
            }
        });
    }
}

#[test]
fn an_image_that_cannot_be_used_is_refused_with_its_reason_and_leaves_nothing() {
    let cases = |config: &mut EngineConfig| {
        let small = || Layer::default().file("etc/os-release", MARKER);
        let write = |which: &str, image: &Made, more: &str| {
            let folder = recipe(config, which, &format!("layout = \"image\"\n{more}"), "");
            write_layout(&folder.join("image"), &[("1", image)]);
            folder.join("image")
        };
        let one = |layer: Layer| Made::of(vec![layer.packed("gzip")], HERE, &[]);
        write("foreign", &Made::of(vec![small().packed("gzip")], "s390x", &[]), "");
        write("bare", &one(small()), "");
        write("hostile", &one(small().file("../../../../escaped", "x")), "");
        write("large", &one(small().file("big", &"x".repeat(2 << 20))), "mib = 1");
        write("untagged", &one(small()), "tag = \"2\"");
        let image = one(small());
        let torn = write("torn", &image, "");
        let layer = image.layer_in(&torn, 0);
        let mut bytes = fs::read(&layer).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(layer, bytes).unwrap();
        let vast = write("vast", &image, "");
        fs::write(vast.join("index.json"), vec![b' '; (4 << 20) + 1]).unwrap();
        recipe(config, "absent", "layout = \"/nowhere/at/all\"", "");
        write("swapped", &image, "");
        write("fits", &one(system(&["sh"])), "");
        write("unfit", &one(system(&["sh"])), "");
    };
    world(cases, |world| async move {
        let all = world.engine.environments();
        installed(all, "fits").await;
        let fits = all.installed(&name("fits")).await.unwrap();
        let data = fits.root.ancestors().nth(4).unwrap().to_path_buf();
        write_layout(
            &data.join("recipes/swapped/image"),
            &[("1", &Made::of(vec![system(&["sh"]).packed("gzip")], HERE, &[]))],
        );
        for (which, word) in [
            ("foreign", "made for linux/s390x"),
            ("bare", "must bring /bin/sh"),
            ("unfit", "exit 7` failed"),
            ("hostile", "leads out of its folder"),
            ("large", "larger than 1 MiB"),
            ("untagged", "There are: 1"),
            ("torn", "in its layer sha256:"),
            ("vast", "larger than 4 MiB"),
            ("absent", "no OCI layout"),
            ("swapped", "Start the server again"),
        ] {
            fails(all, which, "environment.image", word).await;
        }
        assert!(!data.join("escaped").exists() && !data.join("cache/escaped").exists());
        nothing_is_left(&fits.root, &["fits"]);
    });
}

fn nothing_is_left(root: &Path, names: &[&str]) {
    let data = root.ancestors().nth(4).unwrap();
    let found: Vec<_> =
        fs::read_dir(data.join("environments")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(found, names);
    assert_eq!(fs::read_dir(data.join("cache/builds")).unwrap().count(), 0);
}
