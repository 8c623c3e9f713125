//! Rules that need Rust to be parsed: how long functions are, and what production code may not call.

use anyhow::Result;
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemImpl, ItemMod, Macro, Signature, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{Finding, source::Source};

const FUNCTION_LINES_MAX: usize = 70;
/// A function that is one long table is exempt from the limit when it says so.
const TABLE_MARK: &str = "// tidy: table";
const LEFTOVER_MACROS: [&str; 3] = ["dbg", "todo", "unimplemented"];

/// One finding for every rule that `source` breaks.
pub(crate) fn check(source: &Source) -> Result<Vec<Finding>> {
    let file = syn::parse_file(&source.text)?;
    let lines = source.text.lines().collect();
    let mut checker = Checker {
        source,
        lines,
        in_test: source.is_test(),
        findings: Vec::new(),
    };
    checker.visit_file(&file);
    Ok(checker.findings)
}

struct Checker<'a> {
    source: &'a Source,
    lines: Vec<&'a str>,
    in_test: bool,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn found(&mut self, at: Span, reason: impl Into<String>) {
        self.findings
            .push(Finding::at(&self.source.path, at.start().line, reason));
    }

    fn check_length(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        let first = signature.span().start().line;
        let lines = body.span().end().line - first + 1;
        if lines > FUNCTION_LINES_MAX && !self.is_marked(attributes, signature, body) {
            let name = &signature.ident;
            let reason = format!(
                "fn {name} has {lines} lines, more than {FUNCTION_LINES_MAX}: split it (or mark it `{TABLE_MARK}`)"
            );
            self.found(signature.span(), reason);
        }
    }

    /// Whether the mark stands right above the function, its attributes, or on the line that opens its body.
    fn is_marked(&self, attributes: &[Attribute], signature: &Signature, body: &Block) -> bool {
        let start = attributes
            .first()
            .map_or(signature.span(), Spanned::span)
            .start()
            .line;
        let end = body.span().start().line;
        self.lines[start.saturating_sub(2)..end]
            .iter()
            .any(|line| line.contains(TABLE_MARK))
    }

    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let outside = self.in_test;
        self.in_test |= attributes.iter().any(is_test_attribute);
        visit(self);
        self.in_test = outside;
    }

    fn check_tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.check_tokens(group.stream()),
                TokenTree::Ident(name) if name == "unwrap" && follows_dot(&trees, index) => {
                    self.found_unwrap(name.span())
                }
                _ => {}
            }
        }
    }

    fn found_unwrap(&mut self, at: Span) {
        if !self.in_test {
            self.found(
                at,
                "unwrap outside tests: return the error, or `expect(\"why it holds\")`",
            );
        }
    }
}

impl<'ast> Visit<'ast> for Checker<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.within(&item.attrs, |checker| visit::visit_item_mod(checker, item));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.within(&item.attrs, |checker| visit::visit_item_impl(checker, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.check_length(&item.attrs, &item.sig, &item.block);
        self.within(&item.attrs, |checker| visit::visit_item_fn(checker, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.check_length(&item.attrs, &item.sig, &item.block);
        self.within(&item.attrs, |checker| visit::visit_impl_item_fn(checker, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.check_length(&item.attrs, &item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "unwrap" {
            self.found_unwrap(call.method.span());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        if LEFTOVER_MACROS.contains(&name.as_str()) {
            self.found(call.span(), format!("{name}! left behind"));
        }
        self.check_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

fn follows_dot(trees: &[TokenTree], index: usize) -> bool {
    matches!(index.checked_sub(1).map(|before| &trees[before]), Some(TokenTree::Punct(dot)) if dot.as_char() == '.')
}

/// `#[test]`, `#[tokio::test]` and `#[cfg(test)]`.
fn is_test_attribute(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let is_cfg_test = path.is_ident("cfg")
        && attribute
            .parse_args::<syn::Ident>()
            .is_ok_and(|name| name == "test");
    is_cfg_test
        || path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text))
            .unwrap()
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    fn function_of(lines: usize, before: &str) -> String {
        format!("{before}fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_function_is_found_and_one_at_the_limit_is_not() {
        assert!(
            findings("a.rs", &function_of(71, "//! A.\n"))[0].starts_with("a.rs:2: fn long has 71 lines")
        );
        assert_eq!(findings("a.rs", &function_of(70, "")), Vec::<String>::new());
    }

    #[test]
    fn a_long_method_and_a_long_default_method_are_found() {
        let method = function_of(71, "");
        assert_eq!(findings("a.rs", &format!("impl A {{\n{method}}}")).len(), 1);
        assert_eq!(findings("a.rs", &format!("trait A {{\n{method}}}")).len(), 1);
    }

    #[test]
    fn a_marked_table_may_be_long_and_the_mark_does_not_reach_the_next_function() {
        let marked = function_of(90, "// tidy: table\n/// What it is.\n#[must_use]\n");
        assert_eq!(findings("a.rs", &marked), Vec::<String>::new());
        assert_eq!(
            findings("a.rs", &format!("{marked}\n{}", function_of(71, ""))).len(),
            1
        );
    }

    #[test]
    fn unwrap_is_found_outside_tests_also_inside_a_macro() {
        let expected = ["a.rs:1: unwrap outside tests: return the error, or `expect(\"why it holds\")`"];
        assert_eq!(findings("a.rs", "fn a() { b().unwrap(); }"), expected);
        assert_eq!(
            findings("a.rs", "fn a() { println!(\"{}\", b().unwrap()); }"),
            expected
        );
        assert_eq!(
            findings("a.rs", "fn a() { b().unwrap_or(1); }"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn unwrap_may_stand_in_tests() {
        for text in [
            "#[cfg(test)] mod t { fn a() { b().unwrap(); } }",
            "#[test] fn a() { b().unwrap(); }",
            "#[tokio::test] async fn a() { b().unwrap(); }",
        ] {
            assert_eq!(findings("a.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            findings("crates/a/tests/b.rs", "fn a() { b().unwrap(); }"),
            Vec::<String>::new()
        );
        assert_eq!(
            findings("a.rs", "#[cfg(unix)] mod t { fn a() { b().unwrap(); } }").len(),
            1
        );
    }

    #[test]
    fn macros_left_behind_are_found_in_tests_too() {
        assert_eq!(
            findings("a.rs", "fn a() { dbg!(1); }"),
            ["a.rs:1: dbg! left behind"]
        );
        assert_eq!(
            findings("tests/a.rs", "fn a() { todo!() }"),
            ["tests/a.rs:1: todo! left behind"]
        );
    }
}
