//! Backend blocks and settings in HCL's own syntax.

use std::path::Path;

use hcl_edit::{
    Span,
    expr::{Expression, Object, ObjectKey},
    parser::{self, Error},
    structure::{Attribute, Body},
    template::Element,
};

use super::{BackendError, Place, Settings, block::Block, settings::Value};

/// The `backend` and `cloud` blocks of a file.
pub(super) fn blocks(path: &Path, text: &str) -> Result<Vec<Block>, BackendError> {
    let (body, text) = parsed(path, text)?;
    let mut found = Vec::new();
    for outer in body.get_blocks("terraform") {
        for block in outer.body.blocks() {
            let at = Place::line_of(path, text, block.span().map_or(0, |span| span.start));
            let kind = match (block.ident.as_str(), block.labels.as_slice()) {
                ("backend", [label]) => label.as_str(),
                ("cloud", []) => "cloud",
                _ => continue,
            };
            let mut settings = Settings::default();
            put_body(&block.body, path, text, &mut settings);
            found.push(Block {
                kind: kind.to_owned(),
                at,
                settings,
            });
        }
    }
    Ok(found)
}

/// The settings in a file for `-backend-config`.
pub(super) fn settings(path: &Path, text: &str) -> Result<Settings, BackendError> {
    let (body, text) = parsed(path, text)?;
    if let Some(block) = body.blocks().next() {
        return Err(BackendError::Syntax {
            at: Place::line_of(path, text, block.span().map_or(0, |span| span.start)),
            why: "a file for -backend-config has settings alone, KEY = VALUE, and no blocks".to_owned(),
        });
    }
    let mut settings = Settings::default();
    put_body(&body, path, text, &mut settings);
    Ok(settings)
}

/// The value of `KEY=VALUE`, where it is an expression.
pub(super) fn argument(
    name: &str,
    value: &str,
    at: &Place,
    settings: &mut Settings,
) -> Result<(), BackendError> {
    let expression = parser::parse_expr(value.trim()).map_err(|fault| syntax(at.clone(), &fault))?;
    put(settings, name, &expression, at);
    Ok(())
}

/// With the text that its places count in.
fn parsed<'a>(path: &Path, text: &'a str) -> Result<(Body, &'a str), BackendError> {
    // The parser knows no byte order mark; Terraform passes over it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = parser::parse_body(text)
        .map_err(|fault| syntax(Place::file(path).at_line(fault.location().line()), &fault))?;
    Ok((body, text))
}

/// The parser's message does not repeat the line, which may hold a secret.
fn syntax(at: Place, fault: &Error) -> BackendError {
    let why = fault.message().to_owned();
    BackendError::Syntax { at, why }
}

fn put_body(body: &Body, path: &Path, text: &str, settings: &mut Settings) {
    let place =
        |attribute: &Attribute| Place::line_of(path, text, attribute.span().map_or(0, |span| span.start));
    for attribute in body.attributes() {
        put(
            settings,
            attribute.key.as_str(),
            &attribute.value,
            &place(attribute),
        );
    }
}

fn put(settings: &mut Settings, name: &str, expression: &Expression, at: &Place) {
    match expression {
        Expression::Parenthesis(inner) => put(settings, name, inner.inner(), at),
        Expression::Object(object) => put_object(settings, name, object, at),
        other => settings.put(name, value(other), at),
    }
}

fn put_object(settings: &mut Settings, name: &str, object: &Object, at: &Place) {
    // So that even an empty one takes the place of another.
    settings.put(name, Value::Null, at);
    for (key, value) in object {
        let key = match key {
            ObjectKey::Ident(key) => Some(key.as_str()),
            ObjectKey::Expression(key) => key.as_str(),
        };
        match key {
            Some(key) => put(settings, &format!("{name}.{key}"), value.expr(), at),
            None => settings.put(name, Value::Computed, at),
        }
    }
}

fn value(expression: &Expression) -> Value {
    match expression {
        Expression::Null(_) => Value::Null,
        Expression::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            items.map_or(Value::Computed, Value::List)
        }
        other => text(other).map_or(Value::Computed, Value::Text),
    }
}

fn text(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Bool(value) => Some(value.value().to_string()),
        Expression::Number(value) => Some(value.value().to_string()),
        Expression::String(value) => Some(value.value().clone()),
        Expression::StringTemplate(template) => literal(template.iter()),
        Expression::HeredocTemplate(heredoc) => literal(heredoc.template.iter()),
        Expression::Parenthesis(inner) => text(inner.inner()),
        _ => None,
    }
}

fn literal<'a>(mut elements: impl Iterator<Item = &'a Element>) -> Option<String> {
    elements.try_fold(String::new(), |text, element| match element {
        Element::Literal(part) => Some(text + part.value()),
        Element::Interpolation(_) | Element::Directive(_) => None,
    })
}
