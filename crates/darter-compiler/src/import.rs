//! What a source imports, and what a specifier means. The rules are Laf's.

use oxc::ast::ast::{
    Argument, ArrowFunctionExpression, CallExpression, ExportAllDeclaration, ExportFromDeclaration, Expression,
    Function, ImportDeclaration, Program,
};
use oxc::ast_visit::{Visit, walk};
use oxc::semantic::ScopeFlags;

/// What a specifier means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Import {
    /// Another function of the same app.
    Function(String),
    /// The SDK that the runtime brings.
    Sdk,
    /// An npm package or a module of Node's (`node:fs`), without the path inside it.
    Package(String),
}

/// What `specifier` means in the function `from`. `@/name` starts at the root, `./name` and `../name` at the folder of
/// `from`; `..` at the root stays there.
pub fn resolve_import(from: &str, specifier: &str) -> Import {
    match specifier {
        "@/cloud-sdk" | "@lafjs/cloud" => return Import::Sdk,
        _ => {}
    }
    if let Some(path) = specifier.strip_prefix("@/") {
        return Import::Function(joined("", path));
    }
    if specifier.starts_with("./") || specifier.starts_with("../") || matches!(specifier, "." | "..") {
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        return Import::Function(joined(folder, specifier));
    }
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    let end = specifier.match_indices('/').nth(parts - 1).map_or(specifier.len(), |(at, _)| at);
    Import::Package(specifier[..end].to_owned())
}

fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The specifiers that a module needs before it can run, each once, in their order: `import`, `export … from`, and
/// `require("…")` outside functions.
pub fn collect(program: &Program<'_>) -> Vec<String> {
    let mut collector = Collector { found: Vec::new() };
    collector.visit_program(program);
    collector.found
}

struct Collector {
    found: Vec<String>,
}

impl Collector {
    fn add(&mut self, specifier: &str) {
        if !self.found.iter().any(|known| known == specifier) {
            self.found.push(specifier.to_owned());
        }
    }
}

impl<'a> Visit<'a> for Collector {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        self.add(&import.source.value);
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        self.add(&export.source.value);
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'a>) {
        self.add(&export.source.value);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let (Expression::Identifier(callee), [Argument::StringLiteral(specifier)]) =
            (&call.callee, call.arguments.as_slice())
            && callee.name == "require"
        {
            self.add(&specifier.value);
        }
        walk::walk_call_expression(self, call);
    }

    // What happens inside a function happens later, if at all.
    fn visit_function(&mut self, _function: &Function<'a>, _flags: ScopeFlags) {}
    fn visit_arrow_function_expression(&mut self, _arrow: &ArrowFunctionExpression<'a>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_mean_what_they_mean_in_laf() {
        let function = |name: &str| Import::Function(name.into());
        let package = |name: &str| Import::Package(name.into());
        for (from, specifier, expected) in [
            ("hello", "@/cloud-sdk", Import::Sdk),
            ("hello", "@lafjs/cloud", Import::Sdk),
            ("hello", "@/other", function("other")),
            ("a/b/c", "@/other/x", function("other/x")),
            ("hello", "./other", function("other")),
            ("a/hello", "./other", function("a/other")),
            ("a/hello", "../other", function("other")),
            ("a/b/hello", "../x/../y", function("a/y")),
            ("hello", "../../other", function("other")),
            ("hello", "@/../x", function("x")),
            ("hello", "lodash", package("lodash")),
            ("hello", "lodash/fp", package("lodash")),
            ("hello", "@aws-sdk/client-s3/x", package("@aws-sdk/client-s3")),
            ("hello", "node:fs/promises", package("node:fs")),
            ("hello", "", package("")),
            ("hello", "@", package("@")),
        ] {
            assert_eq!(resolve_import(from, specifier), expected, "{from} imports {specifier}");
        }
    }
}
