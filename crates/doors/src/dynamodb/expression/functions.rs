//! The functions of conditions, and the checks on what functions and operators are given.

use super::{
    condition::{Condition, Operand, null},
    parser::Parser,
    path::Path,
};
use crate::dynamodb::{error::Error, value::Value};

const TYPES: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];

impl Parser<'_> {
    /// `name(…)`
    pub(super) fn function(&mut self) -> Result<Condition, Error> {
        let name = self.advance();
        self.count_operator();
        let arguments = self.arguments()?;
        if arguments
            .iter()
            .any(|argument| matches!(argument, Operand::Size(_)))
        {
            self.note_misused("size");
        }
        let expected = if matches!(name, "attribute_exists" | "attribute_not_exists") {
            1
        } else {
            2
        };
        match name {
            "attribute_exists" | "attribute_not_exists" | "attribute_type" | "begins_with" | "contains" => {
                self.check_count(name, &arguments, expected);
            }
            "if_not_exists" | "list_append" => {
                self.note(format!(
                    "The function is not allowed in a {} expression; function: {name}",
                    self.role()
                ));
            }
            _ => self.note(format!("Invalid function name; function: {name}")),
        }
        if self.take_comparator().is_some() {
            self.note_misused(name);
            self.right_operand()?;
        }
        let mut arguments = arguments.into_iter();
        let mut next = || arguments.next().unwrap_or_else(null);
        Ok(self.function_call(name, next(), next()))
    }

    fn function_call(&mut self, name: &str, first: Operand, second: Operand) -> Condition {
        match name {
            "attribute_exists" => Condition::Exists(self.required_path(name, first)),
            "attribute_not_exists" => Condition::NotExists(self.required_path(name, first)),
            "attribute_type" => {
                let path = self.required_path(name, first);
                self.check_type_operand(&second);
                Condition::AttributeType(path, second)
            }
            "begins_with" => {
                self.check_distinct_first(name, &first, [&second]);
                for literal in [&first, &second]
                    .into_iter()
                    .filter_map(|operand| operand.literal())
                {
                    if !matches!(literal, Value::S(_) | Value::B(_)) {
                        self.note_type(name, literal);
                    }
                }
                Condition::BeginsWith(first, second)
            }
            // `contains`, or a function that has been noted as wrong.
            _ => {
                self.check_distinct_first(name, &first, [&second]);
                Condition::Contains(first, second)
            }
        }
    }

    fn required_path(&mut self, name: &str, operand: Operand) -> Path {
        match operand {
            Operand::Path(path) => path,
            Operand::Value(_) | Operand::Size(_) => {
                self.note(format!(
                    "Operator or function requires a document path; operator or function: {name}"
                ));
                Path {
                    attribute: String::new(),
                    steps: Vec::new(),
                }
            }
        }
    }

    fn check_type_operand(&mut self, operand: &Operand) {
        match operand.literal() {
            Some(Value::S(name)) if TYPES.contains(&name.as_str()) => {}
            Some(Value::S(name)) => self.note(format!(
                "Invalid attribute type name found; type: {name}, valid types: {{{}}}",
                TYPES.join(",")
            )),
            Some(other) => self.note_type("attribute_type", other),
            None => self.note("Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"),
        }
    }

    pub(super) fn check_count(&mut self, name: &str, arguments: &[Operand], expected: usize) {
        if arguments.len() != expected {
            self.note(format!(
                "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {}",
                arguments.len()
            ));
        }
    }

    pub(super) fn check_ordered<'o>(&mut self, sign: &str, operands: impl IntoIterator<Item = &'o Operand>) {
        for literal in operands.into_iter().filter_map(Operand::literal) {
            if !matches!(literal, Value::S(_) | Value::N(_) | Value::B(_)) {
                self.note_type(sign, literal);
            }
        }
    }

    pub(super) fn check_distinct_first<'o>(
        &mut self,
        sign: &str,
        first: &Operand,
        others: impl IntoIterator<Item = &'o Operand>,
    ) {
        if let Operand::Path(path) = first
            && others.into_iter().any(|other| other == first)
        {
            self.note(format!(
                "The first operand must be distinct from the remaining operands for this operator or function; operator: {sign}, first operand: {}",
                path.in_message()
            ));
        }
    }

    pub(super) fn note_type(&mut self, name: &str, literal: &Value) {
        self.note(format!(
            "Incorrect operand type for operator or function; operator or function: {name}, operand type: {}",
            literal.type_name()
        ));
    }

    pub(super) fn note_misused(&mut self, name: &str) {
        self.note(format!(
            "The function is not allowed to be used this way in an expression; function: {name}"
        ));
    }

    fn role(&self) -> &'static str {
        match self.expression() {
            "FilterExpression" => "filter",
            "KeyConditionExpression" => "key condition",
            _ => "condition",
        }
    }
}
