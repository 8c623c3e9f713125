//! The edges between the protocol modules of `doors`, and the ban on waiting in `core`, from the source itself.

use anyhow::{Context, Result};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    ExprAsync, ExprAwait, ItemMod, ItemUse, Macro, Path, Signature, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{Finding, source::Source};

const DOORS: [&str; 8] = [
    "s3",
    "dynamodb",
    "sts",
    "kms",
    "iam",
    "terraform_http",
    "admin",
    "web",
];
/// What every door may use, and which may therefore know none of them.
const SHARED: &str = "aws_common";

/// One finding for every path in `source` that leads from one door into another, and for every wait in core.
pub(super) fn check(source: &Source) -> Result<Vec<Finding>> {
    let file = syn::parse_file(&source.text).with_context(|| source.path.clone())?;
    if source.path.starts_with("crates/core/src/") {
        let mut waits = Waits {
            source,
            findings: Vec::new(),
        };
        waits.visit_file(&file);
        return Ok(waits.findings);
    }
    let Some(below) = source.path.strip_prefix("crates/doors/src/") else {
        return Ok(Vec::new());
    };
    let module = module_of(below);
    match module.first() {
        Some(own) if DOORS.contains(&own.as_str()) || own == SHARED => {
            let mut edges = Edges {
                source,
                own: own.clone(),
                module,
                findings: Vec::new(),
            };
            edges.visit_file(&file);
            Ok(edges.findings)
        }
        _ => Ok(Vec::new()),
    }
}

/// `dynamodb/eval/mod.rs` is the module `dynamodb::eval`.
fn module_of(below: &str) -> Vec<String> {
    let mut parts: Vec<String> = below
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

struct Edges<'a> {
    source: &'a Source,
    own: String,
    module: Vec<String>,
    findings: Vec<Finding>,
}

impl Edges<'_> {
    /// Judges a path by where it leads: `crate::x` and enough `super`s before `x` both reach the module `x`.
    fn judge(&mut self, segments: &[String], at: Span) {
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        let top = match segments.first().map(String::as_str) {
            Some("crate") => segments.get(1),
            Some("super") if supers >= self.module.len() => segments.get(supers),
            _ => None,
        };
        let Some(top) = top.filter(|top| DOORS.contains(&top.as_str()) && **top != self.own) else {
            return;
        };
        let reason = format!(
            "{} must not know {top}: what both need belongs in {SHARED} or in the service",
            self.own
        );
        let finding = Finding::at(&self.source.path, at.start().line, reason);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn judge_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.judge_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.judge_use(before, item)),
            UseTree::Name(name) => self.judge(&with(&name.ident), tree.span()),
            UseTree::Rename(name) => self.judge(&with(&name.ident), tree.span()),
            UseTree::Glob(_) => self.judge(before, tree.span()),
        }
    }

    /// Paths inside a macro call are not parsed; their `crate::x` is still visible.
    fn judge_tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.judge_tokens(group.stream()),
                TokenTree::Ident(name) if name == "crate" => {
                    if let Some(TokenTree::Ident(top)) = trees.get(index + 3) {
                        self.judge(&["crate".into(), top.to_string()], name.span());
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Edges<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.judge_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.judge(&segments, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.judge_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

struct Waits<'a> {
    source: &'a Source,
    findings: Vec<Finding>,
}

impl Waits<'_> {
    fn found(&mut self, at: Span) {
        let reason = "core is synchronous: waiting lives in the service";
        self.findings
            .push(Finding::at(&self.source.path, at.start().line, reason));
    }
}

impl<'ast> Visit<'ast> for Waits<'_> {
    fn visit_signature(&mut self, signature: &'ast Signature) {
        if signature.asyncness.is_some() {
            self.found(signature.span());
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.found(block.span());
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, wait: &'ast ExprAwait) {
        self.found(wait.span());
        visit::visit_expr_await(self, wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text))
            .unwrap()
            .into_iter()
            .map(|finding| finding.place)
            .collect()
    }

    #[test]
    fn a_door_that_imports_another_is_found_however_it_is_written() {
        for text in [
            "use crate::s3::Answer;",
            "use crate::{aws_common::Error, s3::{Answer, Other}};",
            "use crate::s3;",
            "use crate::s3 as other;",
            "use super::s3::Answer;",
            "use crate::s3::*;",
            "fn a() { crate::s3::answer(); }",
            "fn a(b: super::s3::Answer) {}",
            "fn a() { println!(\"{}\", crate::s3::NAME); }",
            "mod inner { use super::super::s3::Answer; }",
        ] {
            assert_eq!(
                places("crates/doors/src/dynamodb/mod.rs", text),
                ["crates/doors/src/dynamodb/mod.rs:1"],
                "{text}"
            );
        }
        assert_eq!(
            places(
                "crates/doors/src/dynamodb/eval.rs",
                "use super::super::s3::Answer;"
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_door_may_use_itself_the_shared_module_and_names_that_only_look_alike() {
        for text in [
            "use crate::dynamodb::eval;",
            "use crate::aws_common::sigv4;",
            "use super::s3::Answer;",
            "use self::s3::Answer;",
            "use aws_sdk::s3::Client;",
        ] {
            assert_eq!(
                places("crates/doors/src/dynamodb/eval.rs", text),
                Vec::<String>::new(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_shared_module_may_not_know_a_door_and_the_dispatcher_may_know_all() {
        assert_eq!(
            places("crates/doors/src/aws_common/error.rs", "use crate::s3::Answer;").len(),
            1
        );
        assert_eq!(
            places("crates/doors/src/dispatch.rs", "use crate::{s3, dynamodb};"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn waiting_in_core_is_found() {
        for text in [
            "async fn a() {}",
            "fn a() { async {}; }",
            "trait A { async fn a(); }",
        ] {
            assert_eq!(
                places("crates/core/src/decide.rs", text),
                ["crates/core/src/decide.rs:1"],
                "{text}"
            );
            assert_eq!(places("crates/service/src/wait.rs", text), Vec::<String>::new());
        }
    }
}
