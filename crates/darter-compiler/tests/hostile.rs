//! Sources that want to break the compiler: whatever it is, code or diagnostics come back.

use darter_compiler::{SOURCE_LIMIT, compile};
use proptest::prelude::*;

/// As often as the limit allows.
fn filled(head: &str, part: &str, tail: &str) -> String {
    let times = (SOURCE_LIMIT - head.len()) / (part.len() + tail.len()).max(1);
    format!("{head}{}{}", part.repeat(times), tail.repeat(times))
}

#[test]
fn nesting_bombs_are_refused_and_never_overflow_the_stack() {
    for (head, part, tail) in [
        ("x = ", "[", "]"),
        ("x = ", "(", ")"),
        ("", "{", "}"),
        ("x = ", "{a:", "}"),
        ("x = ", "[", ""),
        ("x = ", "!", ""),
        ("x = ", "- ", ""),
        ("x = ", "typeof ", ""),
        ("x = ", "new ", ""),
        ("x = ", "a=>", ""),
        ("x = ", "a=>{", ""),
        ("x = ", "async a=>", ""),
        ("x = ", "a=", ""),
        ("x = 1", "+1", ""),
        ("x = 1", "**1", ""),
        ("x = a", "?a:a", ""),
        ("x = a", "?a", ""),
        ("x = a", ".b", ""),
        ("x = a", "()", ""),
        ("x = a", "[0]", ""),
        ("x = a", "``", ""),
        ("x = a", "?.b", ""),
        ("x = a", "!", ""),
        ("x = a", " as any", ""),
        ("x = ", "`${", "}`"),
        ("x = ", "`${", ""),
        ("", "if(a)", ""),
        ("", "if(a);else ", ""),
        ("", "if(a){}else ", ""),
        ("", "if(a){}\nelse\n", ""),
        ("", "if(a)return;else ", ""),
        ("", "for(;;)", ""),
        ("", "while(1)", ""),
        ("", "while(1)\n", ""),
        ("", "if(a)\n", ""),
        ("", "do ", ""),
        ("", "a:", ""),
        ("", "with(a)", ""),
        ("", "try{", ""),
        ("", "function f(){", ""),
        ("", "class A{a=", ""),
        ("", "class A{static{", ""),
        ("", "class A extends ", ""),
        ("", "namespace a{", ""),
        ("", "namespace a.", ""),
        ("", "@a(", ""),
        ("type A = ", "A<", ">"),
        ("type A = ", "A<B,A<", ""),
        ("type A = ", "{a:", "}"),
        ("type A = ", "[", "]"),
        ("type A = ", "(", ")"),
        ("type A = ", "keyof ", ""),
        ("type A = B", "[]", ""),
        ("type A = ", "()=>", ""),
        ("type A = ", "B extends C?D:", ""),
        ("type A = ", "B extends C?", ""),
        ("type A = B", "|C", ""),
        ("type A = B", ".C", ""),
        ("type A = ", "`${", ""),
        ("type A = ", "new()=>", ""),
        ("type A = ", "typeof a<", ""),
        ("x = ", "<any>", ""),
        ("x = ", "<T>(", ""),
        ("x = a", "<a>(", ""),
        ("let ", "[", ""),
        ("let ", "{a:", ""),
        ("let [", "a=[", ""),
        ("x = ", "(a,b)=>(", ""),
        ("x = ", "async(", ""),
        ("x = ", "(a=", ""),
        ("x = ", "yield ", ""),
        ("x = ", "await ", ""),
        ("x = ", "import(", ""),
        ("x = /", "(", ")"),
        ("x = /", "(?:", ""),
        ("x = /", "[", ""),
        ("x = ", "a?(", ""),
        ("x = ", "a?(b):", ""),
        ("x = ", "a?(b=>", ""),
        ("switch(a){case ", "a?b:", ""),
        ("", "export default ", ""),
        ("", "/*", ""),
        ("", "'", ""),
        ("", "\"\\", ""),
        ("", "`", ""),
        ("", "\u{feff}", ""),
        ("", "\0", ""),
        ("", "a\n", ""),
        ("", "<", ""),
        ("", ">", ""),
        ("", "#", ""),
        ("", "@", ""),
        ("", "\\u0061", ""),
        ("", "import a from 'a';", ""),
        ("", "export*from'a';", ""),
        ("", "enum A{a=1<<2}", ""),
        ("enum A{", "a,", ""),
        ("let ", "a,", ""),
        ("x = {", "a,", ""),
        ("x = {", "get a(){return 1},", ""),
        ("", "var a;", ""),
        ("", "let a;", ""),
        ("", "a:{", ""),
        ("x = ", "class extends\n", ""),
        ("x = ", "async a=>\n", ""),
        ("x = ", "typeof\n", ""),
        ("x = ", "new\n", ""),
        ("", "if(a)\nb:", ""),
        ("", "if(a)\nb/**/:", ""),
        ("", "if(a)\nb\nelse ", ""),
        ("", "if(a)\nreturn\nelse\n", ""),
        ("", "if(a){}else\n", ""),
        ("", "do\n", ""),
        ("", "a\n:", ""),
        ("x = a", "\nin a", ""),
        ("x = a", "\n.b\n()", ""),
        ("x = a", "\n?b\n:c", ""),
        ("type A = ", "keyof\n", ""),
        ("type A = B", "\nextends C ? D : B", ""),
        ("x = `", "${a}${`", ""),
        ("x = a", " /b", ""),
        ("x = a", "\n/b/c", ""),
    ] {
        let source = filled(head, part, tail);
        if let Err(diagnostics) = compile("bomb", &source) {
            assert!(!diagnostics.is_empty(), "{head}{part}");
        }
    }
}

#[test]
fn nesting_just_below_the_limit_compiles_or_is_refused_without_overflow() {
    for (head, part, tail) in [
        ("x = ", "[", "]"),
        ("x = ", "(", ")"),
        ("x = ", "a=>", "1"),
        ("x = ", "a=>{return ", "}"),
        ("x = ", "`${", "}`"),
        ("x = ", "f(", ")"),
        ("x = ", "{a:", "}"),
        ("", "if(a)", ""),
        ("", "{", "}"),
        ("", "function f(){", "}"),
        ("", "class A{static{", "}}"),
        ("", "namespace a{export ", "}"),
        ("type A = ", "{a:", "}"),
        ("type A = ", "A<", ">"),
        ("type A = ", "B extends C?D:", ""),
        ("x = ", "!", ""),
        ("x = ", "a?b:", ""),
        ("x = ", "async(a=", ")"),
        ("x = ", "(a,b)=>(", ")"),
        ("x = ", "new ", ""),
        ("x = ", "<any>", ""),
        ("x = ", "a?(b)=>", ""),
        ("x = ", "a?(b):", ""),
        ("x = ", "async(", ")"),
        ("x = ", "<T>(", ")"),
        ("x = a", "<a>(", ")"),
    ] {
        for times in [20, 200, 1_400, 2_900, 5_900] {
            let source = format!("{head}{}1{}", part.repeat(times), tail.repeat(times));
            // The answer does not matter, only that there is one.
            let _ = compile("deep", &source);
        }
    }
}

#[test]
fn ordinary_long_sources_are_not_mistaken_for_bombs() {
    let calls = "  await cloud.database().collection('users').where({ a: 1, b: [1, 2, 3] }).limit(10).get()\n";
    let chain =
        "  if (a === 1) {\n    return 'one'\n  } else if (a === 2) {\n    return `two ${a ? `x${b}` : ''}`\n  }\n";
    for (what, source) in [
        ("calls without semicolons", format!("export default async () => {{\n{}}}\n", calls.repeat(5_000))),
        (
            "short functions",
            "export function a() {\n  return 1\n}\n"
                .replace("export ", "")
                .repeat(9_000)
                .replace("function a", "var f = function"),
        ),
        ("conditions", format!("export default (a, b) => {{\n{}}}\n", chain.repeat(3_000))),
        (
            "a table",
            format!("export default [\n{}]\n", "  { name: 'x', size: 1 < 2, tags: ['a', 'b'] },\n".repeat(9_000)),
        ),
        ("a long concatenation", format!("export default ''\n{}", "  + 'a line of text'\n".repeat(2_500))),
        ("regular expressions", "x = a.replace(/[(\\[{]/g, '(') / 2;\n".repeat(10_000)),
        ("comments", "// ((((((([[[[[[{{{{{ isn't\n/* `${ ' \" */\n".repeat(9_000)),
    ] {
        let source: String = source.chars().take(darter_compiler::SOURCE_LIMIT - 100).collect();
        if let Err(diagnostics) = compile("long", &source) {
            assert!(!diagnostics[0].message.contains("nests too deep"), "{what}: {}", diagnostics[0]);
        }
    }
}

/// Pieces that programs are made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "import ",
        "export ",
        "default ",
        "from ",
        "'x'",
        "function ",
        "class ",
        "async ",
        "await ",
        "=>",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "a",
        "b",
        "=",
        ";",
        "\n",
        ",",
        ":",
        "?",
        ".",
        "...",
        "`",
        "${",
        "<",
        ">",
        "enum ",
        "namespace ",
        "type ",
        "interface ",
        "as ",
        "const ",
        "let ",
        "var ",
        "=",
        "require",
        "module",
        "exports",
        "__import",
        "@",
        "#p",
        "static ",
        "new ",
        "this",
        "import.meta",
        "/",
        "/*",
        "*/",
        "//",
        "\\",
        "é",
        "\u{2028}",
        "0",
        "1n",
        "0x",
        "yield ",
        "using ",
        "declare ",
        "abstract ",
        "get ",
        "set ",
        "if",
        "else ",
        "for",
        "of ",
        "in ",
        "extends ",
        "super",
        "null",
        "|",
        "&",
        "!",
        "++",
        "**",
        "??",
        "?.",
        "satisfies ",
        "* ",
        "return ",
        "throw ",
        "try",
        "catch",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_soup_of_tokens_gives_code_or_diagnostics_inside_the_source(source in soup()) {
        match compile("soup", &source) {
            Ok(compiled) => prop_assert!(!compiled.code.contains("__vite_ssr"), "{}", compiled.code),
            Err(diagnostics) => {
                prop_assert!(!diagnostics.is_empty());
                let lines = u32::try_from(source.split('\n').count()).unwrap();
                for diagnostic in diagnostics {
                    prop_assert!((1..=lines).contains(&diagnostic.line) && diagnostic.column >= 1);
                    prop_assert!(!diagnostic.message.contains("Please report"), "{source:?}");
                }
            }
        }
    }

    #[test]
    fn any_text_gives_code_or_diagnostics(source in ".{0,200}") {
        let _ = compile("text", &source);
    }
}
