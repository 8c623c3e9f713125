//! What all expression parsers share: the cursor over tokens, placeholders, paths, bounds and AWS's error texts.
//!
//! AWS reports a syntax error before any other. So a parser notes the first other problem and goes on, and
//! [`Parser::finish`] reports it once the whole text has turned out to be well formed.

use std::sync::{Arc, LazyLock};

use tidelock_core::limits::{
    ATTRIBUTE_DEPTH_MAX, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_OPERATORS_MAX,
};

use super::{
    lexer::{Kind, Token, tokens},
    path::{Path, Step},
    placeholders::Placeholders,
};
use crate::dynamodb::{
    error::{Error, invalid},
    value::Value,
};

/// Words that are attribute names only through `#name`.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>.
static RESERVED: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("reserved_words.txt").lines().collect());

/// A cursor over one expression.
pub(super) struct Parser<'a> {
    expression: &'static str,
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    placeholders: &'a Placeholders,
    problem: Option<Error>,
    depth: usize,
    operators: usize,
    /// The tokens of the last parenthesis that was closed, to find doubled ones.
    pub(super) last_group: (usize, usize),
}

impl<'a> Parser<'a> {
    /// Starts on a text; `expression` is the name of the parameter, for messages.
    pub(super) fn new(
        expression: &'static str,
        text: &'a str,
        placeholders: &'a Placeholders,
    ) -> Result<Parser<'a>, Error> {
        if text.trim().is_empty() {
            return invalid(format!("Invalid {expression}: The expression can not be empty;"));
        }
        if text.len() > EXPRESSION_BYTES_MAX {
            return invalid(format!(
                "Invalid {expression}: Expression size has exceeded the maximum allowed size; expression size: {}",
                text.len()
            ));
        }
        let tokens = tokens(text);
        Ok(Parser {
            expression,
            text,
            tokens,
            next: 0,
            placeholders,
            problem: None,
            depth: 0,
            operators: 0,
            last_group: (0, 0),
        })
    }

    /// The parsed value, if the text ends here and nothing was noted.
    pub(super) fn finish<T>(mut self, parsed: T) -> Result<T, Error> {
        if self.kind() != Kind::End {
            return self.syntax_error();
        }
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(parsed),
        }
    }

    /// The parameter this text came in, for messages.
    pub(super) fn expression(&self) -> &'static str {
        self.expression
    }

    pub(super) fn kind(&self) -> Kind {
        self.tokens[self.next].kind
    }

    /// Which token is next.
    pub(super) fn position(&self) -> usize {
        self.next
    }

    /// The text of the next token.
    pub(super) fn peek(&self) -> &'a str {
        &self.text[self.tokens[self.next].at.clone()]
    }

    /// The token after the next one.
    pub(super) fn peek_second(&self) -> &'a str {
        self.tokens
            .get(self.next + 1)
            .map_or("", |token| &self.text[token.at.clone()])
    }

    pub(super) fn advance(&mut self) -> &'a str {
        let text = self.peek();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        text
    }

    /// Takes the sign if it is next.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = self.kind() == Kind::Sign && self.peek() == sign;
        if found {
            self.advance();
        }
        found
    }

    /// Takes the keyword if it is next, in any case.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn at_keyword(&self, keyword: &str) -> bool {
        self.kind() == Kind::Word && self.peek().eq_ignore_ascii_case(keyword)
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Error> {
        if self.take(sign) {
            Ok(())
        } else {
            self.syntax_error()
        }
    }

    /// AWS names the offending token and shows it with its neighbours.
    pub(super) fn syntax_error<T>(&self) -> Result<T, Error> {
        let token = if self.kind() == Kind::End {
            "<EOF>"
        } else {
            self.peek()
        };
        let from = self.tokens[self.next.saturating_sub(1)].at.start;
        let to = self.tokens[(self.next + 1).min(self.tokens.len() - 1)].at.end;
        let near = self.text[from..to].trim();
        invalid(format!(
            "Invalid {}: Syntax error; token: \"{token}\", near: \"{near}\"",
            self.expression
        ))
    }

    /// Remembers the first problem that is not one of syntax.
    pub(super) fn note(&mut self, problem: impl AsRef<str>) {
        self.note_error(Error::Validation(format!(
            "Invalid {}: {}",
            self.expression,
            problem.as_ref()
        )));
    }

    pub(super) fn note_error(&mut self, problem: Error) {
        self.problem.get_or_insert(problem);
    }

    /// Counts an operator or function.
    pub(super) fn count_operator(&mut self) {
        self.operators += 1;
        if self.operators > EXPRESSION_OPERATORS_MAX {
            self.note(format!(
                "The expression contains too many operators; maximum number of operators: {EXPRESSION_OPERATORS_MAX}"
            ));
        }
    }

    /// Runs a parser one level deeper, unless that is too deep.
    pub(super) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth >= EXPRESSION_DEPTH_MAX {
            return invalid(format!(
                "Invalid {}: The expression is nested too deeply; maximum depth: {EXPRESSION_DEPTH_MAX}",
                self.expression
            ));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// `:value`
    pub(super) fn value(&mut self) -> Result<Arc<Value>, Error> {
        if self.kind() != Kind::Value {
            return self.syntax_error();
        }
        let key = self.advance();
        if let Some(value) = self.placeholders.value(key) {
            return Ok(Arc::clone(value));
        }
        self.note(format!(
            "An expression attribute value used in expression is not defined; attribute value: {key}"
        ));
        Ok(Arc::new(Value::Null))
    }

    /// `name.name[0]…`
    pub(super) fn path(&mut self) -> Result<Path, Error> {
        let attribute = self.path_name()?;
        let mut steps = Vec::new();
        loop {
            if self.take(".") {
                steps.push(Step::Field(self.path_name()?));
            } else if self.take("[") {
                steps.push(Step::Index(self.index()?));
                self.expect("]")?;
            } else {
                break;
            }
        }
        if steps.len() >= ATTRIBUTE_DEPTH_MAX {
            self.note(format!(
                "The document path has too many nesting elements; nesting elements: {}",
                steps.len() + 1
            ));
        }
        Ok(Path { attribute, steps })
    }

    fn index(&mut self) -> Result<usize, Error> {
        if self.kind() != Kind::Index {
            return self.syntax_error();
        }
        let text = self.advance();
        match text.parse::<u32>() {
            Ok(index) => Ok(index as usize),
            Err(_) => {
                self.note(format!(
                    "List index is not within the allowable range; index: [{text}]"
                ));
                Ok(0)
            }
        }
    }

    fn path_name(&mut self) -> Result<String, Error> {
        match self.kind() {
            Kind::Word => {
                let word = self.advance();
                if RESERVED
                    .binary_search(&word.to_ascii_uppercase().as_str())
                    .is_ok()
                {
                    self.note(format!(
                        "Attribute name is a reserved keyword; reserved keyword: {word}"
                    ));
                }
                Ok(word.to_owned())
            }
            Kind::Name => {
                let key = self.advance();
                if let Some(name) = self.placeholders.name(key) {
                    return Ok(name.to_owned());
                }
                self.note(format!(
                    "An expression attribute name used in the document path is not defined; attribute name: {key}"
                ));
                Ok(String::new())
            }
            _ => self.syntax_error(),
        }
    }
}
