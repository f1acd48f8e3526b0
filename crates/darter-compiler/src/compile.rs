//! The way from a source to the code that the runtime runs: parse, check, strip types, take the module apart, print.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Directive, ModuleExportName, Program, Statement};
use oxc::ast::builder::AstBuilder;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::diagnostics::{OxcDiagnostic, Severity};
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::{Scoping, SemanticBuilder};
use oxc::span::SourceType;
use oxc::transformer::{DecoratorOptions, HelperLoaderMode, HelperLoaderOptions, TransformOptions, Transformer};
use oxc::transformer_plugins::ModuleRunnerTransform;

use crate::diagnostic::Diagnostic;
use crate::{SOURCE_LIMIT, import, names, nesting};

/// Room for the recursive parts: `nesting::LIMIT` levels of the largest frames, in a build without optimisation.
/// Address space only; a usual source touches a few pages of it.
const STACK: usize = 256 << 20;
/// Problems reported at once.
const MAX_DIAGNOSTICS: usize = 20;

/// A source that is ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The body of an async function; see `docs/reference/runtime-control.md`.
    pub code: String,
    /// Source map v3, with the source in it.
    pub map: String,
    /// The specifiers that must be there before the module runs, in their order.
    pub imports: Vec<String>,
}

/// Compiles the source of the function `name`. At least one diagnostic on failure.
pub fn compile(name: &str, source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let one = |offset: usize, message: &str| Err(vec![Diagnostic::at(source, offset, message)]);
    if source.len() > SOURCE_LIMIT {
        return one(
            0,
            "The source is larger than 512 KiB. Split it into several functions, or move data into a package.",
        );
    }
    if let Some(offset) = nesting::too_deep(source) {
        return one(
            offset,
            "The code nests too deep, or one expression is too long. Split it into smaller statements.",
        );
    }
    let broken =
        "The compiler could not process this source. Please report it with the source; simplify what you changed last.";
    let run = || catch_unwind(AssertUnwindSafe(|| compile_here(name, source)));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compiler".into()).stack_size(STACK).spawn_scoped(scope, run);
        match thread.map(|thread| thread.join()) {
            Ok(Ok(Ok(result))) => result,
            Ok(Ok(Err(_)) | Err(_)) => one(0, broken),
            Err(_) => one(0, "The machine has no memory left for the compiler. Try again in a moment."),
        }
    })
}

fn compile_here(name: &str, source: &str) -> Result<Compiled, Vec<Diagnostic>> {
    let allocator = Allocator::default();
    let mut program = parse(&allocator, source)?;
    let scoping = strip_types(&allocator, &mut program, source)?;
    let imports = import::collect(&program);
    let module = program.source_type.is_module();
    ModuleRunnerTransform::new().transform(&allocator, &mut program, scoping);
    if module && !program.directives.iter().any(Directive::is_use_strict) {
        program.directives.insert(0, Directive::new_use_strict(&AstBuilder::new(&allocator)));
    }
    let support = names::name_generated(&mut program, &allocator);
    let mut scoping = SemanticBuilder::new().build(&program).semantic.into_scoping();
    names::move_aside(&mut scoping);
    let options = CodegenOptions {
        source_map_path: Some(Path::new(&format!("{name}.ts")).to_path_buf()),
        comments: CommentOptions::disabled(),
        ..CodegenOptions::default()
    };
    let printed = Codegen::new().with_options(options).with_scoping(Some(scoping)).build(&program);
    let map = printed.map.map(|map| map.to_json_string()).unwrap_or_default();
    let code = support.iter().fold(printed.code, |code, support| code + support);
    Ok(Compiled { code, map, imports })
}

fn parse<'a>(allocator: &'a Allocator, source: &'a str) -> Result<Program<'a>, Vec<Diagnostic>> {
    // A source without `import` and `export` is CommonJS, and sloppy as CommonJS is.
    let source_type = SourceType::ts().with_unambiguous(true);
    let options = ParseOptions { allow_return_outside_function: false, ..ParseOptions::default() };
    let parsed = Parser::new(allocator, source, source_type).with_options(options).parse();
    refuse_errors(source, &parsed.diagnostics)?;
    if parsed.panicked {
        return Err(vec![Diagnostic::at(source, 0, "This is not a program that can be read.")]);
    }
    Ok(parsed.program)
}

fn strip_types<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    source: &str,
) -> Result<Scoping, Vec<Diagnostic>> {
    let checked = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_enum_eval(true)
        .with_excess_capacity(2.0)
        .build(program);
    refuse_errors(source, &checked.diagnostics)?;
    let scoping = checked.semantic.into_scoping();
    refuse_generated_names(source, &scoping)?;
    let options = TransformOptions {
        decorator: DecoratorOptions { legacy: true, ..DecoratorOptions::default() },
        helper_loader: HelperLoaderOptions { mode: HelperLoaderMode::External, ..HelperLoaderOptions::default() },
        ..TransformOptions::default()
    };
    let transformed =
        Transformer::new(allocator, Path::new("function.ts"), &options).build_with_scoping(scoping, program);
    refuse_errors(source, &transformed.diagnostics)?;
    refuse_unknown_exports(source, program, &transformed.scoping)?;
    Ok(transformed.scoping)
}

fn refuse_errors(source: &str, diagnostics: &[OxcDiagnostic]) -> Result<(), Vec<Diagnostic>> {
    let errors: Vec<Diagnostic> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .take(MAX_DIAGNOSTICS)
        .map(|diagnostic| Diagnostic::from_oxc(source, diagnostic))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// `export { name }` of something that the source does not declare. Types are gone by now.
fn refuse_unknown_exports(source: &str, program: &Program<'_>, scoping: &Scoping) -> Result<(), Vec<Diagnostic>> {
    for statement in &program.body {
        let Statement::ExportNamedDeclaration(export) = statement else { continue };
        for specifier in &export.specifiers {
            let ModuleExportName::IdentifierReference(local) = &specifier.local else { continue };
            let known = local.reference_id.get().and_then(|id| scoping.get_reference(id).symbol_id()).is_some();
            if !known {
                let message =
                    format!("{} is exported but not declared. Declare it, or remove it from the export.", local.name);
                return Err(vec![Diagnostic::at(source, local.span.start as usize, message)]);
            }
        }
    }
    Ok(())
}

fn refuse_generated_names(source: &str, scoping: &Scoping) -> Result<(), Vec<Diagnostic>> {
    let unresolved = scoping.root_unresolved_references().keys().map(|name| name.as_str());
    let reserved = |name: &str| name.starts_with(names::GENERATED) || name == "babelHelpers";
    match scoping.symbol_names().chain(unresolved).find(|name| reserved(name)) {
        None => Ok(()),
        Some(name) => {
            let offset = source.find(name).unwrap_or(0);
            let message = format!("The name {name} is reserved for compiled code. Choose another name.");
            Err(vec![Diagnostic::at(source, offset, message)])
        }
    }
}
