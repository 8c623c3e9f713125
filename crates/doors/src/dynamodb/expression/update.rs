//! UpdateExpression: SET, REMOVE, ADD and DELETE sections, each at most once.

use std::sync::Arc;

use super::{
    lexer::Kind,
    parser::Parser,
    path::{Path, Step, check_distinct},
    placeholders::Placeholders,
    projection::Projection,
};
use crate::dynamodb::{
    error::Error,
    value::{Item, Value},
};

/// A parsed update.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Update {
    pub(super) set: Vec<(Path, SetValue)>,
    pub(super) remove: Vec<Path>,
    pub(super) add: Vec<(Path, Arc<Value>)>,
    pub(super) delete: Vec<(Path, Arc<Value>)>,
}

/// The right side of a SET.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SetValue {
    Operand(SetOperand),
    Plus(SetOperand, SetOperand),
    Minus(SetOperand, SetOperand),
}

/// What a SET computes with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SetOperand {
    Path(Path),
    Value(Arc<Value>),
    IfNotExists(Path, Box<SetOperand>),
    ListAppend(Box<SetOperand>, Box<SetOperand>),
}

impl Update {
    /// Reads an update expression.
    pub(crate) fn parse(text: &str, placeholders: &Placeholders) -> Result<Update, Error> {
        let mut parser = Parser::new("UpdateExpression", text, placeholders)?;
        let mut update = Update::default();
        parser.sections(&mut update)?;
        if let Err(problem) = check_distinct("UpdateExpression", &update.paths()) {
            parser.note_error(problem);
        }
        parser.finish(update)
    }

    /// Every path that the update writes, in the order of the sections.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let add = self.add.iter().map(|(path, _)| path);
        let delete = self.delete.iter().map(|(path, _)| path);
        set.chain(&self.remove).chain(add).chain(delete).collect()
    }
}

impl Update {
    /// The parts of an item that `UPDATED_OLD` and `UPDATED_NEW` show: what the paths lead to, and of a list all.
    pub(crate) fn touched(&self, item: &Item) -> Item {
        let upto_list = |path: &Path| Path {
            attribute: path.attribute.clone(),
            steps: path
                .steps
                .iter()
                .take_while(|step| matches!(step, Step::Field(_)))
                .cloned()
                .collect(),
        };
        let mut paths: Vec<Path> = self.paths().into_iter().map(upto_list).collect();
        paths.sort();
        paths.dedup();
        Projection::of_paths(&paths.iter().collect::<Vec<_>>()).apply(item)
    }
}

const SECTIONS: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];

impl Parser<'_> {
    fn sections(&mut self, update: &mut Update) -> Result<(), Error> {
        let mut seen = [false; SECTIONS.len()];
        while self.kind() != Kind::End {
            let Some(section) = SECTIONS.iter().position(|section| self.at_keyword(section)) else {
                return self.syntax_error();
            };
            self.advance();
            if std::mem::replace(&mut seen[section], true) {
                self.note(format!(
                    "The \"{}\" section can only be used once in an update expression;",
                    SECTIONS[section]
                ));
            }
            self.section(section, update)?;
        }
        Ok(())
    }

    fn section(&mut self, section: usize, update: &mut Update) -> Result<(), Error> {
        loop {
            self.count_operator();
            let path = self.path()?;
            match SECTIONS[section] {
                "SET" => {
                    self.expect("=")?;
                    let value = self.set_value()?;
                    update.set.push((path, value));
                }
                "REMOVE" => update.remove.push(path),
                name => {
                    let value = self.value()?;
                    self.check_action_type(name, &value);
                    let action = if name == "ADD" {
                        &mut update.add
                    } else {
                        &mut update.delete
                    };
                    action.push((path, value));
                }
            }
            if !self.take(",") {
                return Ok(());
            }
        }
    }

    fn check_action_type(&mut self, action: &str, value: &Value) {
        let allowed = match value {
            Value::Ss(_) | Value::Ns(_) | Value::Bs(_) => true,
            Value::N(_) => action == "ADD",
            _ => false,
        };
        if !allowed {
            self.note(format!(
                "Incorrect operand type for operator or function; operator: {action}, operand type: {}, typeSet: ALLOWED_FOR_ADD_OPERAND",
                value.long_type_name()
            ));
        }
    }

    fn set_value(&mut self) -> Result<SetValue, Error> {
        if self.kind() == Kind::Sign && self.peek() == "(" {
            self.advance();
            let value = self.nested(Self::set_value)?;
            self.expect(")")?;
            return match value {
                SetValue::Operand(left) => self.set_arithmetic(left),
                sum => Ok(sum),
            };
        }
        let left = self.set_operand()?;
        self.set_arithmetic(left)
    }

    fn set_arithmetic(&mut self, left: SetOperand) -> Result<SetValue, Error> {
        let plus = self.take("+");
        if !plus && !self.take("-") {
            return Ok(SetValue::Operand(left));
        }
        self.count_operator();
        let right = self.set_operand()?;
        let sign = if plus { "+" } else { "-" };
        for operand in [&left, &right] {
            match operand {
                SetOperand::Value(value) if !matches!(**value, Value::N(_)) => {
                    self.note_operand_type(sign, value.type_name());
                }
                SetOperand::ListAppend(..) => self.note_operand_type(sign, "L"),
                _ => {}
            }
        }
        Ok(if plus {
            SetValue::Plus(left, right)
        } else {
            SetValue::Minus(left, right)
        })
    }

    fn set_operand(&mut self) -> Result<SetOperand, Error> {
        if self.kind() == Kind::Value {
            return Ok(SetOperand::Value(self.value()?));
        }
        if self.take("(") {
            let inner = self.nested(Self::set_operand)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.kind() == Kind::Word && self.peek_second() == "(" {
            return self.nested(Self::set_function);
        }
        Ok(SetOperand::Path(self.path()?))
    }

    fn set_function(&mut self) -> Result<SetOperand, Error> {
        let name = self.advance();
        self.count_operator();
        self.expect("(")?;
        let mut arguments = vec![self.set_operand()?];
        while self.take(",") {
            arguments.push(self.set_operand()?);
        }
        self.expect(")")?;
        match name {
            "if_not_exists" | "list_append" => {}
            "attribute_exists"
            | "attribute_not_exists"
            | "attribute_type"
            | "begins_with"
            | "contains"
            | "size" => {
                self.note(format!(
                    "The function is not allowed in an update expression; function: {name}"
                ));
            }
            _ => self.note(format!("Invalid function name; function: {name}")),
        }
        if arguments.len() != 2 {
            self.note(format!(
                "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {}",
                arguments.len()
            ));
        }
        let mut arguments = arguments.into_iter();
        let mut next = || {
            arguments
                .next()
                .unwrap_or(SetOperand::Value(Arc::new(Value::Null)))
        };
        Ok(self.set_call(name, next(), next()))
    }

    fn set_call(&mut self, name: &str, first: SetOperand, second: SetOperand) -> SetOperand {
        if name == "if_not_exists" {
            let SetOperand::Path(path) = first else {
                self.note(format!(
                    "Operator or function requires a document path; operator or function: {name}"
                ));
                return second;
            };
            return SetOperand::IfNotExists(path, Box::new(second));
        }
        for operand in [&first, &second] {
            if let SetOperand::Value(value) = operand
                && !matches!(**value, Value::L(_))
            {
                self.note_operand_type(name, value.type_name());
            }
        }
        SetOperand::ListAppend(Box::new(first), Box::new(second))
    }

    fn note_operand_type(&mut self, name: &str, type_name: &str) {
        self.note(format!(
            "Incorrect operand type for operator or function; operator or function: {name}, operand type: {type_name}"
        ));
    }
}
