//! Each law with rows that keep it and rows that break it: a law that cannot fail checks nothing.

use super::{Finding, Source, Tree};

const MAP: &str = "| crate | what | may use |\n|---|---|---|\n| `darter-core` | the domain | – |\n| `darter-api` | types | core |\n| `darter-store` | rows | core |\n| `darter-http` | routes | core, api |\n| `darter` | the program | everything |\n";

/// The tree of these files beside a map; what a law says about it, as `file:line`.
fn check(law: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().chain(&[("ARCHITECTURE.md", MAP)]);
    let files = files.map(|(path, text)| Source { path: (*path).into(), text: (*text).into() }).collect();
    law(&Tree { files }).into_iter().map(|finding| format!("{}:{}", finding.file, finding.line)).collect()
}

fn lines(count: usize) -> String {
    "x\n".repeat(count)
}

#[test]
fn an_arrow_that_runs_back_up_is_found() {
    let down = "[dependencies]\ndarter-core.workspace = true\nserde.workspace = true\n[dev-dependencies]\ndarter-http = { workspace = true }\n";
    assert!(check(super::arrows::check, &[("crates/darter-api/Cargo.toml", down)]).is_empty());
    let up = "[dependencies]\ndarter-http.workspace = true\n";
    assert_eq!(
        check(super::arrows::check, &[("crates/darter-api/Cargo.toml", up)]),
        ["crates/darter-api/Cargo.toml:0"]
    );
    assert!(check(super::arrows::check, &[("crates/darter/Cargo.toml", up)]).is_empty());
    assert_eq!(check(super::arrows::check, &[("crates/darter-new/Cargo.toml", "")]), ["ARCHITECTURE.md:0"]);
}

#[test]
fn sql_outside_the_store_is_found() {
    let query = "//! .\nfn f() { run(\"SELECT 1\"); }\n";
    assert!(check(super::corners::check, &[("crates/darter-store/src/app.rs", query)]).is_empty());
    assert_eq!(
        check(super::corners::check, &[("crates/darter-http/src/lib.rs", query)]),
        ["crates/darter-http/src/lib.rs:2"]
    );
    let prose = "//! SELECT is a word of \"SELECT 1\".\nfn f() { say(\"Select an app\"); }\n";
    assert!(check(super::corners::check, &[("crates/darter-http/src/lib.rs", prose)]).is_empty());
}

#[test]
fn unsafe_code_outside_its_homes_is_found() {
    let code = "//! .\nfn f() { unsafe { g() } }\n";
    for home in ["crates/darter-sandbox/src/sys.rs", "crates/darter-attendant/src/passed.rs"] {
        assert!(check(super::corners::check, &[(home, code)]).is_empty());
    }
    assert_eq!(check(super::corners::check, &[("crates/darter-attendant/src/a.rs", code)]).len(), 1);
    assert_eq!(
        check(super::corners::check, &[("crates/darter-core/src/id.rs", code)]),
        ["crates/darter-core/src/id.rs:2"]
    );
}

#[test]
fn a_long_handler_is_found_and_a_short_one_is_not() {
    let handler = |body: usize| {
        format!("//! .\n#[utoipa::path(\n  post\n)]\npub async fn create() -> u8 {{\n{}}}\n", "    f();\n".repeat(body))
    };
    let path = "crates/darter-http/src/routes/app/create.rs";
    assert!(check(super::handlers::check, &[(path, &handler(23))]).is_empty());
    assert_eq!(check(super::handlers::check, &[(path, &handler(24))]), [format!("{path}:5")]);
    let pump = format!("//! .\nasync fn pump() {{\n{}}}\n", "    f();\n".repeat(40));
    assert!(check(super::handlers::check, &[(path, &pump)]).is_empty());
}

#[test]
fn a_file_that_does_not_say_why_it_exists_is_found() {
    let rows = [
        ("crates/darter-core/src/a.rs", "//! Why it exists.\nfn f() {}\n", true),
        ("crates/darter-core/src/a.rs", "fn f() {}\n", false),
        ("crates/darter-core/src/a.rs", "//! .\nfn f() {}\n", false),
        ("runtimes/node/shim/a.mjs", "// Why it exists.\n", true),
        ("runtimes/node/shim/a.mjs", "import 'x'\n", false),
        ("web/src/lib/api/generated/client.ts", "import 'x'\n", true),
        ("web/src/app.d.ts", "declare global {}\n", true),
        ("scripts/a.sh", "#!/bin/sh\n# Why it exists.\n", true),
        ("scripts/a.sh", "#!/bin/sh\nset -e\n", false),
    ];
    for (path, text, fine) in rows {
        assert_eq!(check(super::headers::check, &[(path, text)]).is_empty(), fine, "{path}: {text}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let rows = [
        ("[map](../ARCHITECTURE.md#laws) [web](https://example.org) [here](#top)", true),
        ("[gone](gone.md)", false),
        ("`[not](a link)`", false),
        ("```\n[gone](gone.md)\n```", true),
    ];
    for (text, fine) in rows {
        assert_eq!(check(super::links::check, &[("docs/a.md", text)]).is_empty(), fine, "{text}");
    }
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for (path, fine) in [
        ("crates/darter-core/src/utils.rs", false),
        ("crates/darter-core/src/helpers/time.rs", false),
        ("web/src/lib/misc.ts", false),
        ("crates/darter-core/src/clock.rs", true),
        ("crates/darter-core/src/commonplace.rs", true),
    ] {
        assert_eq!(check(super::names::check, &[(path, "//! Why.\n")]).is_empty(), fine, "{path}");
    }
}

#[test]
fn a_file_nobody_can_read_in_one_go_is_found() {
    for (path, length, fine) in [
        ("crates/darter-core/src/a.rs", 600, true),
        ("crates/darter-core/src/a.rs", 601, false),
        ("crates/darter-core/tests/a.rs", 800, true),
        ("crates/darter-core/src/logs/tests.rs", 801, false),
        ("web/package-lock.json", 5000, true),
    ] {
        assert_eq!(check(super::sizes::check, &[(path, &lines(length))]).is_empty(), fine, "{path} {length}");
    }
}

#[test]
fn a_dependency_that_nothing_uses_is_found() {
    let manifest = "[package]\nname = \"darter-core\"\n[dependencies]\nserde-json.workspace = true\n";
    let using = ("crates/darter-core/src/lib.rs", "//! Why.\nuse serde_json::Value;\n");
    let talking = ("crates/darter-core/src/lib.rs", "//! Why.\n// serde_json would do\n");
    let found = |source| check(super::unused::check, &[("crates/darter-core/Cargo.toml", manifest), source]);
    assert!(found(using).is_empty());
    assert_eq!(found(talking), ["crates/darter-core/Cargo.toml:0"]);
    let root = "[workspace.dependencies]\ntime = \"1\"\n";
    assert_eq!(check(super::unused::check, &[("Cargo.toml", root)]), ["Cargo.toml:0"]);
}

#[test]
fn what_belongs_to_one_machine_or_to_later_is_found() {
    let registry = format!("const A: &str = \"https://registry.npmjs{}/\";\n", ".org");
    let later = format!("// {}: the rest\n", concat!("TO", "DO"));
    assert_eq!(check(super::words::check, &[("crates/darter/src/a.rs", &registry)]), ["crates/darter/src/a.rs:1"]);
    assert_eq!(check(super::words::check, &[("crates/darter/src/a.rs", &later)]), ["crates/darter/src/a.rs:1"]);
    assert!(check(super::words::check, &[("crates/darter/src/a.rs", "// everything is here\n")]).is_empty());
}
