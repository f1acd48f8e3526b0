//! Gives generated identifiers the names that the runtime passes in, and moves an author's own names out of their way.

use std::collections::HashSet;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Expression, IdentifierReference, Program};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::semantic::{Scoping, SymbolFlags, SymbolId};
use oxc::str::Ident;

/// What the transform generates: no source may hold this text in an identifier.
pub const GENERATED: &str = "__vite_ssr_";

/// Parameters of the body that exist only in compiled code.
const OWN: [&str; 7] =
    ["__import", "__dynamic_import", "__exports", "__meta", "__export_all", "__decorate", "__decorate_param"];
/// Parameters of the body that authors know; a `const` of this name would be declared twice.
const COMMONJS: [&str; 3] = ["require", "module", "exports"];

/// Functions that are appended to the code when it uses them. Hoisted, so that no line moves.
const SUPPORT: [(&str, &str); 3] = [
    (
        "__export_all",
        "function __export_all(from) { for (const key of Object.keys(from)) if (key !== \"default\" && !Object.hasOwn(__exports, key)) Object.defineProperty(__exports, key, { enumerable: true, configurable: true, get() { return from[key]; } }); }\n",
    ),
    (
        "__decorate",
        "function __decorate(decorators, target, key, descriptor) { const member = arguments.length > 2; let result = member && descriptor === null ? Object.getOwnPropertyDescriptor(target, key) : member ? descriptor : target; for (const decorator of decorators.toReversed()) { const next = member ? decorator(target, key, result) : decorator(result); if (next !== undefined && next !== null) result = next; } if (member && result) Object.defineProperty(target, key, result); return result; }\n",
    ),
    (
        "__decorate_param",
        "function __decorate_param(index, decorator) { return function (target, key) { decorator(target, key, index); }; }\n",
    ),
];

/// Renames what the transform generated; which support functions the code needs.
pub fn name_generated<'a>(program: &mut Program<'a>, allocator: &'a Allocator) -> Vec<&'static str> {
    let mut renamer = Renamer { allocator, used: Vec::new() };
    renamer.visit_program(program);
    SUPPORT.iter().filter(|(name, _)| renamer.used.contains(name)).map(|(_, code)| *code).collect()
}

struct Renamer<'a> {
    allocator: &'a Allocator,
    used: Vec<&'static str>,
}

impl Renamer<'_> {
    fn note(&mut self, name: &'static str) -> &'static str {
        if !self.used.contains(&name) {
            self.used.push(name);
        }
        name
    }
}

impl<'a> VisitMut<'a> for Renamer<'a> {
    fn visit_identifier_reference(&mut self, identifier: &mut IdentifierReference<'a>) {
        let name = match identifier.name.as_str() {
            "__vite_ssr_import__" => "__import",
            "__vite_ssr_dynamic_import__" => "__dynamic_import",
            "__vite_ssr_exports__" => "__exports",
            "__vite_ssr_import_meta__" => "__meta",
            "__vite_ssr_exportAll__" => self.note("__export_all"),
            _ => return,
        };
        identifier.name = Ident::from(name);
    }

    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        if let Expression::StaticMemberExpression(member) = expression
            && let Expression::Identifier(object) = &member.object
            && object.name == "babelHelpers"
        {
            let name = match member.property.name.as_str() {
                "decorate" => "__decorate",
                "decorateParam" => "__decorate_param",
                _ => return,
            };
            let span = member.span;
            let name = self.note(name);
            *expression = Expression::new_identifier(span, Ident::from(name), &AstBuilder::new(self.allocator));
            return;
        }
        walk_mut::walk_expression(self, expression);
    }
}

/// Moves an author's names out of the way of the body's parameters, and shortens the generated bindings.
pub fn move_aside(scoping: &mut Scoping) {
    let mut taken: HashSet<String> = scoping.symbol_names().map(str::to_owned).collect();
    taken.extend(scoping.root_unresolved_references().keys().map(|name| name.to_string()));
    let symbols: Vec<SymbolId> = scoping.symbol_ids().collect();
    for symbol in symbols {
        let Some(name) = better_name(scoping, symbol, &taken) else { continue };
        scoping.set_symbol_name(symbol, Ident::from(name.as_str()));
        taken.insert(name);
    }
}

fn better_name(scoping: &Scoping, symbol: SymbolId, taken: &HashSet<String>) -> Option<String> {
    let name = scoping.symbol_name(symbol);
    if let Some(number) = name.strip_prefix("__vite_ssr_import_") {
        return Some(free(&format!("__import_{}", number.trim_end_matches('_')), taken));
    }
    if name == "__vite_ssr_export_default__" {
        return Some(free("__export_default", taken));
    }
    let lexical = SymbolFlags::BlockScopedVariable | SymbolFlags::Class;
    let at_root = scoping.symbol_scope_id(symbol) == scoping.root_scope_id();
    let declared_twice = at_root && COMMONJS.contains(&name) && scoping.symbol_flags(symbol).intersects(lexical);
    (OWN.contains(&name) || declared_twice).then(|| free(&format!("{name}$1"), taken))
}

fn free(wish: &str, taken: &HashSet<String>) -> String {
    let mut name = wish.to_owned();
    while taken.contains(&name) {
        name.push('_');
    }
    name
}
