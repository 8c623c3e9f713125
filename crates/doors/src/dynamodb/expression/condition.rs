//! Conditions: what ConditionExpression, FilterExpression and KeyConditionExpression have in common.

use std::sync::Arc;

use tidelock_core::limits::IN_OPERANDS_MAX;

use super::{lexer::Kind, parser::Parser, path::Path, placeholders::Placeholders};
use crate::dynamodb::{error::Error, value::Value};

/// A parsed condition. Chains of AND and OR are flat; only parentheses, NOT and functions nest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    AttributeType(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// A comparison sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a condition compares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Value(Arc<Value>),
    /// The size of a path's or literal's value.
    Size(Box<Operand>),
}

/// A parenthesis can hold either.
enum Term {
    Condition(Condition),
    Operand(Operand),
}

impl Comparator {
    /// The sign as it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "<>",
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
        }
    }

    fn of_sign(sign: &str) -> Option<Comparator> {
        Some(match sign {
            "=" => Comparator::Equal,
            "<>" => Comparator::NotEqual,
            "<" => Comparator::Less,
            "<=" => Comparator::LessOrEqual,
            ">" => Comparator::Greater,
            ">=" => Comparator::GreaterOrEqual,
            _ => return None,
        })
    }
}

impl Condition {
    /// Reads a condition; `expression` is the name of the parameter it came in.
    pub(crate) fn parse(
        expression: &'static str,
        text: &str,
        placeholders: &Placeholders,
    ) -> Result<Condition, Error> {
        let mut parser = Parser::new(expression, text, placeholders)?;
        let term = parser.any()?;
        let condition = parser.condition(term)?;
        parser.finish(condition)
    }

    /// Every path, in the order of the text.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Condition::Exists(path) | Condition::NotExists(path) | Condition::AttributeType(path, _) => {
                vec![path]
            }
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().flat_map(Condition::paths).collect()
            }
            Condition::Not(inner) => inner.paths(),
            _ => self.operands().into_iter().filter_map(Operand::path).collect(),
        }
    }

    /// Every literal value, in the order of the text.
    pub(crate) fn literals(&self) -> Vec<&Value> {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().flat_map(Condition::literals).collect()
            }
            Condition::Not(inner) => inner.literals(),
            _ => self.operands().into_iter().filter_map(Operand::literal).collect(),
        }
    }

    /// The operands of this condition, not of conditions within.
    fn operands(&self) -> Vec<&Operand> {
        match self {
            Condition::Compare(_, a, b) | Condition::BeginsWith(a, b) | Condition::Contains(a, b) => {
                vec![a, b]
            }
            Condition::Between(value, low, high) => vec![value, low, high],
            Condition::In(value, among) => std::iter::once(value).chain(among).collect(),
            Condition::AttributeType(_, name) => vec![name],
            Condition::Exists(_)
            | Condition::NotExists(_)
            | Condition::All(_)
            | Condition::Any(_)
            | Condition::Not(_) => Vec::new(),
        }
    }
}

impl Operand {
    fn path(&self) -> Option<&Path> {
        match self {
            Operand::Path(path) => Some(path),
            Operand::Value(_) => None,
            Operand::Size(inner) => inner.path(),
        }
    }

    /// The literal value, if it is one.
    pub(crate) fn literal(&self) -> Option<&Value> {
        match self {
            Operand::Value(value) => Some(value),
            Operand::Path(_) | Operand::Size(_) => None,
        }
    }
}

impl Parser<'_> {
    fn condition(&self, term: Term) -> Result<Condition, Error> {
        match term {
            Term::Condition(condition) => Ok(condition),
            Term::Operand(_) => self.syntax_error(),
        }
    }

    /// OR binds weakest.
    fn any(&mut self) -> Result<Term, Error> {
        self.chain("OR", Self::all, Condition::Any)
    }

    fn all(&mut self) -> Result<Term, Error> {
        self.chain("AND", Self::negation, Condition::All)
    }

    fn chain(
        &mut self,
        keyword: &str,
        part: fn(&mut Self) -> Result<Term, Error>,
        join: fn(Vec<Condition>) -> Condition,
    ) -> Result<Term, Error> {
        let first = part(self)?;
        if !self.at_keyword(keyword) {
            return Ok(first);
        }
        let mut parts = vec![self.condition(first)?];
        while self.take_keyword(keyword) {
            self.count_operator();
            let next = part(self)?;
            parts.push(self.condition(next)?);
        }
        Ok(Term::Condition(join(parts)))
    }

    fn negation(&mut self) -> Result<Term, Error> {
        if !self.take_keyword("NOT") {
            return self.comparison();
        }
        self.count_operator();
        let inner = self.nested(Self::negation)?;
        Ok(Term::Condition(Condition::Not(Box::new(self.condition(inner)?))))
    }

    fn comparison(&mut self) -> Result<Term, Error> {
        let left = if self.take("(") {
            let inner = self.parenthesised()?;
            match inner {
                Term::Condition(_) => return Ok(inner),
                Term::Operand(operand) => operand,
            }
        } else if self.kind() == Kind::Word && self.peek_second() == "(" && self.peek() != "size" {
            return Ok(Term::Condition(self.function()?));
        } else {
            self.operand()?
        };
        if let Some(comparator) = self.take_comparator() {
            let right = self.right_operand()?;
            return Ok(Term::Condition(self.compare(comparator, left, right)));
        }
        if self.take_keyword("BETWEEN") {
            return Ok(Term::Condition(self.between(left)?));
        }
        if self.take_keyword("IN") {
            return Ok(Term::Condition(self.is_in(left)?));
        }
        Ok(Term::Operand(left))
    }

    /// After `(`.
    fn parenthesised(&mut self) -> Result<Term, Error> {
        let start = self.position();
        let inner = self.nested(Self::any)?;
        let redundant = self.last_group == (start, self.position());
        self.expect(")")?;
        if redundant {
            self.note("The expression has redundant parentheses;");
        }
        self.last_group = (start - 1, self.position());
        Ok(inner)
    }

    pub(super) fn take_comparator(&mut self) -> Option<Comparator> {
        let comparator = Comparator::of_sign(self.peek()).filter(|_| self.kind() == Kind::Sign)?;
        self.advance();
        Some(comparator)
    }

    fn compare(&mut self, comparator: Comparator, left: Operand, right: Operand) -> Condition {
        self.count_operator();
        self.check_distinct_first(comparator.sign(), &left, [&right]);
        if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            self.check_ordered(comparator.sign(), [&left, &right]);
        }
        Condition::Compare(comparator, left, right)
    }

    fn between(&mut self, value: Operand) -> Result<Condition, Error> {
        self.count_operator();
        let low = self.right_operand()?;
        if !self.take_keyword("AND") {
            return self.syntax_error();
        }
        let high = self.right_operand()?;
        self.check_distinct_first("BETWEEN", &value, [&low, &high]);
        self.check_ordered("BETWEEN", [&value, &low, &high]);
        if let (Some(low), Some(high)) = (low.literal(), high.literal()) {
            self.check_bounds(low, high);
        }
        Ok(Condition::Between(value, low, high))
    }

    fn check_bounds(&mut self, low: &Value, high: &Value) {
        let problem = if low.type_name() != high.type_name() {
            "same data type for lower and upper bounds"
        } else if super::evaluate::ordering(low, high).is_some_and(std::cmp::Ordering::is_gt) {
            "upper bound to be greater than or equal to lower bound"
        } else {
            return;
        };
        self.note(format!(
            "The BETWEEN operator requires {problem}; lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}",
            low.in_message(),
            high.in_message()
        ));
    }

    fn is_in(&mut self, value: Operand) -> Result<Condition, Error> {
        self.count_operator();
        self.expect("(")?;
        let mut among = vec![self.right_operand()?];
        while self.take(",") {
            among.push(self.right_operand()?);
        }
        self.expect(")")?;
        if among.len() > IN_OPERANDS_MAX {
            self.note(format!(
                "The IN operator is provided with too many operands; number of operands: {}",
                among.len()
            ));
        }
        self.check_distinct_first("IN", &value, &among);
        Ok(Condition::In(value, among))
    }

    /// An operand, which may stand in parentheses.
    pub(super) fn right_operand(&mut self) -> Result<Operand, Error> {
        if !self.take("(") {
            return self.operand();
        }
        let inner = self.nested(Self::right_operand)?;
        self.expect(")")?;
        Ok(inner)
    }

    fn operand(&mut self) -> Result<Operand, Error> {
        if self.kind() == Kind::Value {
            return Ok(Operand::Value(self.value()?));
        }
        if self.kind() != Kind::Word || self.peek_second() != "(" {
            return Ok(Operand::Path(self.path()?));
        }
        let name = self.advance();
        self.count_operator();
        let arguments = self.arguments()?;
        if name != "size" {
            self.note_misused(name);
        }
        self.check_count(name, &arguments, 1);
        let argument = arguments.into_iter().next().unwrap_or_else(null);
        if matches!(argument, Operand::Size(_)) {
            self.note_misused("size");
            return Ok(argument);
        }
        if let Some(literal) = argument.literal()
            && matches!(literal, Value::N(_) | Value::Bool(_) | Value::Null)
        {
            self.note_type("size", literal);
        }
        Ok(Operand::Size(Box::new(argument)))
    }

    /// `(operand, …)`
    pub(super) fn arguments(&mut self) -> Result<Vec<Operand>, Error> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.nested(Self::right_operand)?);
            if !self.take(",") {
                self.expect(")")?;
                return Ok(arguments);
            }
        }
    }
}

/// Stands for an operand that is missing, which has been noted.
pub(super) fn null() -> Operand {
    Operand::Value(Arc::new(Value::Null))
}
