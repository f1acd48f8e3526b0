//! What comes out for what goes in: rows of sources and the code they become.

use darter_compiler::{Compiled, compile};

fn compiled(source: &str) -> Compiled {
    compile("hello", source).unwrap_or_else(|diagnostics| panic!("{source}\n{diagnostics:?}"))
}

/// The code without the line that every module begins with, white space collapsed.
fn code(source: &str) -> String {
    let code = compiled(source).code;
    let code = code.strip_prefix("\"use strict\";\n").unwrap_or(&code).to_owned();
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

const GETTER: &str =
    "Object.defineProperty(__exports, \"NAME\", { enumerable: true, configurable: true, get() { return VALUE; } });";

fn getter(name: &str, value: &str) -> String {
    GETTER.replace("NAME", name).replace("VALUE", value)
}

#[test]
fn modules_become_the_body_of_an_async_function() {
    for (source, expected) in [
        (
            "import cloud from '@lafjs/cloud';\nexport default async function (ctx: any) { return cloud.env }",
            format!(
                "{} const __import_0 = await __import(\"@lafjs/cloud\", {{ importedNames: [\"default\"] }}); const __export_default = async function(ctx) {{ return __import_0.default.env; }};",
                getter("default", "__export_default")
            ),
        ),
        (
            "import * as fs from 'node:fs'\nimport { a as b } from './x'\nb(fs)",
            "const __import_0 = await __import(\"node:fs\"); const __import_1 = await __import(\"./x\", { importedNames: [\"a\"] }); (0, __import_1.a)(__import_0);".into(),
        ),
        ("import './side'", "const __import_0 = await __import(\"./side\");".into()),
        (
            "export const a = 1, { b } = { b: 2 }",
            format!("{} {} const a = 1, {{ b }} = {{ b: 2 }};", getter("a", "a"), getter("b", "b")),
        ),
        ("export { x as y } from './z'", format!("{} const __import_0 = await __import(\"./z\", {{ importedNames: [\"x\"] }});", getter("y", "__import_0.x"))),
        ("export const u = import.meta.url; export const p = () => import('dayjs')", format!("{} {} const u = __meta.url; const p = () => __dynamic_import(\"dayjs\");", getter("u", "u"), getter("p", "p"))),
        ("exports.main = async function (ctx) { return require('dayjs')() }", "exports.main = async function(ctx) { return require(\"dayjs\")(); };".into()),
        ("import x = require('lodash'); export = x.chunk", "const x = require(\"lodash\"); module.exports = x.chunk;".into()),
        ("const v = await Promise.resolve(1); exports.v = v", "const v = await Promise.resolve(1); exports.v = v;".into()),
    ] {
        assert_eq!(code(source), expected, "{source}");
    }
}

#[test]
fn typescript_becomes_javascript_that_node_24_runs_as_it_is() {
    for (source, wanted, unwanted) in [
        ("type A = string; interface B { a: A } let x: A = 'x' as A; x!", "let x = \"x\"", "interface"),
        ("import type { A } from 'a'; import { type B, c } from 'b'; c(1 as unknown as B)", "__import(\"b\"", "\"a\""),
        ("import { OnlyAType } from 'types'; const x: OnlyAType = 1", "const x = 1", "types"),
        ("enum E { A, B = 'b', C = A } export default E.B", "E[E[\"A\"] = 0] = \"A\"", "enum E"),
        ("const enum F { A = 1 << 3 } console.log(F.A)", "8", "enum F"),
        ("namespace N { export const a = 1 } console.log(N.a)", "N.a", "namespace"),
        ("class P { constructor(private a: number, readonly b = 2) {} }", "this.a = a", "private"),
        ("abstract class Q { abstract f(): void; declare g: string; #h = 1; static { Q } }", "#h = 1", "abstract"),
        ("function d(t: any) { return t } @d class R { @d m() {} }", "__decorate([d]", "@d"),
        ("function f(this: Date, a?: number): asserts a is number {}", "function f(a)", "asserts"),
        ("const o = { a: 1 } satisfies Record<string, number>", "const o = { a: 1 }", "satisfies"),
        ("let a = x?.y ?? z; a ||= 1n ** 2n; label: for (const b of []) continue label", "x?.y ?? z", "void 0"),
        ("export {}; using file = open(); await using other = open()", "using file", "babelHelpers"),
        ("abstract class A {} export { A }; export type { B } from 'b'", "class A", "\"b\""),
        ("function f<T extends object>(a: T): T; function f(a: any) { return a }", "function f(a)", "extends"),
    ] {
        let got = code(source);
        assert!(got.contains(wanted), "{source}\n{got}");
        assert!(!got.contains(unwanted), "{source}\n{got}");
    }
}

#[test]
fn names_of_authors_make_room_for_the_parameters_of_the_body() {
    for (source, wanted) in [
        (
            "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); require('x')",
            "const require$1 = (0, __import_0.createRequire)(__meta.url); require$1(\"x\");",
        ),
        ("const module = 1; export { module }", "return module$1"),
        ("var exports = module.exports = {}", "var exports = module.exports = {};"),
        ("function f() { const require = 1; return require }", "const require = 1"),
        ("const __import = 1; import x from 'x'; x(__import)", "(0, __import_0.default)(__import$1)"),
        ("const __import_0 = 1; import x from 'x'; x(__import_0)", "(0, __import_0_.default)(__import_0)"),
        (
            "export const f = (__exports: any) => import('x' + __exports)",
            "(__exports$1) => __dynamic_import(\"x\" + __exports$1)",
        ),
        ("const module = 1; export default { module }", "{ module: module$1 }"),
    ] {
        let got = code(source);
        assert!(got.contains(wanted), "{source}\n{got}");
    }
}

#[test]
fn what_a_source_imports_is_listed_in_order_and_once() {
    let source = "import b from 'b'; import a from './a'; import type T from 't'; import unused from 'unused';\n\
        export * from '@/c'; export { x } from 'b'; const d = require('d'); import e = require('e');\n\
        function later() { require('later'); import('dynamic') } console.log(a, b, d, e, later)";
    assert_eq!(compiled(source).imports, ["b", "./a", "@/c", "d", "e"]);
}

#[test]
fn a_module_is_strict_and_common_js_is_not() {
    assert!(compiled("export const a = 1").code.starts_with("\"use strict\";"));
    assert!(!compiled("var sloppy = 1; delete sloppy; exports.main = () => 010").code.contains("use strict"));
}

#[test]
fn export_star_brings_its_support_along_without_moving_a_line() {
    let code = compiled("export * from './a'").code;
    assert!(code.contains("__export_all(__import_0)"), "{code}");
    assert!(code.trim_end().lines().last().unwrap().starts_with("function __export_all"), "{code}");
    assert!(!compiled("export * as a from './a'").code.contains("__export_all"));
}

#[test]
fn the_map_leads_back_to_the_authors_own_line() {
    let source = "interface A {\n  a: string\n}\n\nimport x from 'x'\nexport default function () {\n  const y: A = x()\n  throw new Error('here')\n}\n";
    let compiled = compiled(source);
    let map = oxc_sourcemap::SourceMap::from_json_string(&compiled.map).unwrap();
    assert_eq!(map.get_sources().map(|source| source.to_string()).collect::<Vec<_>>(), ["hello.ts"]);
    assert_eq!(map.get_source_contents().flatten().map(|text| text.to_string()).collect::<Vec<_>>(), [source]);
    let (line, column) = compiled
        .code
        .lines()
        .enumerate()
        .find_map(|(number, line)| line.find("new Error").map(|column| (number, column)))
        .unwrap();
    let table = map.generate_lookup_table();
    let token = map.lookup_token(&table, line as u32, column as u32).unwrap();
    assert_eq!((token.get_src_line() + 1, token.get_src_col() + 1), (8, 9));
}

#[test]
fn errors_have_a_line_a_column_and_words() {
    for (source, line, column, words) in [
        ("const a = ;", 1, 11, "Unexpected token"),
        ("export default function () {\n  retrun 1\n}", 2, 9, "semicolon"),
        ("let a = 1\nlet a = 2", 1, 5, "already been declared"),
        ("let é = 'ü', ;", 1, 14, ""),
        ("export default function () {", 1, 29, ""),
        ("const s = 'abc", 1, 11, "Unterminated string"),
        ("let __vite_ssr_import__ = 1", 1, 5, "reserved"),
        ("export { missing }", 1, 10, "missing"),
        ("return 1", 1, 1, ""),
    ] {
        let diagnostics = compile("hello", source).expect_err(source);
        let first = &diagnostics[0];
        assert!(first.line == line && (column == 0 || first.column == column), "{source}: {first}");
        assert!(first.message.contains(words), "{source}: {first}");
    }
}

#[test]
fn a_source_over_the_limit_is_refused_with_what_to_do() {
    let long = format!("// {}", "x".repeat(darter_compiler::SOURCE_LIMIT));
    assert!(compile("hello", &long).unwrap_err()[0].message.contains("512 KiB"));
}
