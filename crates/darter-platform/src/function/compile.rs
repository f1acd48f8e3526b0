//! From a source to what instances run, with faults that an author understands.

use std::collections::BTreeMap;

use darter_compiler::{Compiled, compile, cycle, missing_imports};
use darter_core::Fault;
use darter_core::function::validate_source;
use darter_engine::FunctionCode;
use darter_store::function::LiveCode;
use sha2::{Digest, Sha256};

/// Diagnostics shown at most.
const DIAGNOSTIC_LIMIT: usize = 50;

/// A compiled source.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub code: String,
    pub map: String,
    pub imports: Vec<String>,
}

/// Compiles. `function.syntax_error` has every place in `details.diagnostics`.
pub(crate) fn build(name: &str, source: &str) -> Result<Built, Fault> {
    validate_source(source)?;
    match compile(name, source) {
        Ok(Compiled { code, map, imports, .. }) => Ok(Built { code, map, imports }),
        Err(diagnostics) => {
            let first = diagnostics.first();
            let (line, column) = first.map_or((1, 1), |first| (first.line, first.column));
            let what = first.map_or("the source can not be read", |first| first.message.as_str());
            let shown = diagnostics.iter().take(DIAGNOSTIC_LIMIT).map(|diagnostic| {
                serde_json::json!({ "line": diagnostic.line, "column": diagnostic.column, "message": diagnostic.message })
            });
            Err(Fault::invalid(
                "function.syntax_error",
                format!("{name} has a syntax error in line {line}, column {column}: {what}. Nothing was published; correct it and try again."),
            )
            .with("line", line)
            .with("column", column)
            .with("diagnostics", shown.collect::<Vec<_>>()))
        }
    }
}

/// The same, away from the async threads.
pub(crate) async fn build_aside(name: &str, source: &str) -> Result<Built, Fault> {
    validate_source(source)?;
    // A small source compiles in less time than it takes to hand it over.
    if source.len() <= 8 << 10 {
        return build(name, source);
    }
    let (name, source) = (name.to_owned(), source.to_owned());
    tokio::task::spawn_blocking(move || build(&name, &source)).await.map_err(Fault::internal)?
}

/// Refuses functions that import each other in a circle, naming it.
pub(crate) fn import_cycle(imports: &BTreeMap<String, Vec<String>>) -> Result<(), Fault> {
    match cycle(imports) {
        None => Ok(()),
        Some(names) => Err(Fault::invalid(
            "function.import_cycle",
            format!(
                "These functions import each other in a circle: {}. Nothing was published. Move what they share into a function that imports none of them.",
                names.join(" → ")
            ),
        )
        .with("cycle", names)),
    }
}

/// Sentences about imports of functions that are not live.
pub(crate) fn warnings(name: &str, imports: &[String], live: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let missing = missing_imports(name, imports, |target| target == name || live.contains_key(target));
    let sentence = |missing: &darter_compiler::MissingImport| {
        format!(
            "{name} imports \"{}\", but {} is not published: calls fail until it is.",
            missing.specifier, missing.name
        )
    };
    missing.iter().map(sentence).collect()
}

/// Bytes of code, as JSON, that an app may have live: an instance gets all of it in one message.
const LIVE_LIMIT: u64 = 32 << 20;
/// Bytes of source that an app may have published, over all versions.
const PUBLISHED_LIMIT: u64 = 512 << 20;

/// What code and map cost on their way into an instance.
pub(crate) fn code_bytes(built: &Built) -> u64 {
    let json = |text: &str| serde_json::to_string(text).map_or(text.len(), |json| json.len()) as u64;
    json(&built.code) + json(&built.map)
}

/// Refuses what would make an app too large to start, or its versions fill the server's disk. `sizes` are those of the
/// app without this version.
pub(crate) fn check_sizes((published, live): (u64, u64), source: &str, built: &Built) -> Result<(), Fault> {
    if live + code_bytes(built) > LIVE_LIMIT {
        return Err(Fault::conflict(
            "app.code_too_large",
            format!(
                "All live functions of this app together would be over {LIVE_LIMIT} bytes of compiled code. Nothing was published. Move large data out of the code, or functions into another app."
            ),
        ));
    }
    if published + source.len() as u64 > PUBLISHED_LIMIT {
        return Err(Fault::conflict(
            "version.quota_reached",
            format!(
                "This app's versions together would be over {PUBLISHED_LIMIT} bytes. Nothing was published. Delete functions that are not needed: their versions go with them."
            ),
        ));
    }
    Ok(())
}

/// What two drafts or versions are compared by.
pub(crate) fn digest(methods: &[String], source: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(methods.join(","));
    hash.update(b"\0");
    hash.update(source);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an instance gets.
pub(crate) fn code(live: LiveCode) -> FunctionCode {
    FunctionCode {
        name: live.name,
        version: live.version,
        code: live.code,
        map: Some(live.map).filter(|map| !map.is_empty()),
        methods: live.methods,
        imports: live.imports,
    }
}
