//! The `Condition` element: operators, their values, and what holds when a key is missing or has several values.
//!
//! Source: "IAM JSON policy elements: Condition operators" and "Set operators for multi-valued context keys" in the IAM
//! User Guide.

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    pattern::{Pattern, Syntax},
    request::Keys,
    value::{Network, date, decimal, truth},
};
use crate::time::Time;

/// One key under one operator; a statement applies when all of its conditions hold.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) key: String,
    /// Whether it holds when no value compares, as with `StringNotEquals`.
    pub(super) negated: bool,
    pub(super) if_exists: bool,
    pub(super) set: Set,
    pub(super) test: Test,
}

/// How several values of the request are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// No set operator, for keys with one value.
    None,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// What a value is compared with: one of them is enough.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Text(Vec<Pattern>),
    TextIgnoringCase(Vec<Pattern>),
    Arn(Vec<Pattern>),
    Number(Order, Vec<f64>),
    Date(Order, Vec<Time>),
    Bool(Vec<bool>),
    Binary(Vec<Vec<u8>>),
    Address(Vec<Network>),
    /// Whether the key is missing.
    Null(Vec<bool>),
}

/// How a number or date has to stand to that of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, value: &T, own: &T) -> bool {
        match self {
            Order::Equal => value == own,
            Order::Less => value < own,
            Order::LessOrEqual => value <= own,
            Order::Greater => value > own,
            Order::GreaterOrEqual => value >= own,
        }
    }
}

impl Condition {
    /// Reads one key of one operator; the message says what is wrong with it.
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[&str],
        variables: bool,
    ) -> Result<Condition, String> {
        let (set, bare) = match operator.split_once(':') {
            None => (Set::None, operator),
            Some(("ForAnyValue", bare)) => (Set::Any, bare),
            Some(("ForAllValues", bare)) => (Set::All, bare),
            Some(_) => return Err(unknown(operator)),
        };
        let (bare, if_exists) = match bare.strip_suffix("IfExists") {
            Some(bare) => (bare, true),
            None => (bare, false),
        };
        if bare == "Null" && if_exists {
            return Err("Null cannot be combined with IfExists".to_owned());
        }
        let (negated, test) = test(bare, values, variables).ok_or_else(|| unknown(operator))??;
        if !key.contains(':') || key.len() > KEY_BYTES_MAX {
            return Err(format!("{key:?} is no condition key, such as aws:SourceIp"));
        }
        Ok(Condition {
            key: key.to_ascii_lowercase(),
            negated,
            if_exists,
            set,
            test,
        })
    }

    /// The texts it compares with.
    pub(super) fn patterns(&self) -> &[Pattern] {
        match &self.test {
            Test::Text(own) | Test::TextIgnoringCase(own) | Test::Arn(own) => own,
            _ => &[],
        }
    }

    /// Whether it holds for a request.
    pub(super) fn holds(&self, keys: &Keys<'_>) -> bool {
        let values = keys.values(&self.key);
        if let Test::Null(missing) = &self.test {
            return missing.contains(&values.is_empty());
        }
        // To set operators an empty text is no value.
        let is_nothing = self.set != Set::None && values.iter().all(str::is_empty);
        if values.is_empty() || is_nothing {
            let missing = match self.set {
                Set::None => self.negated,
                Set::Any => false,
                Set::All => true,
            };
            return missing || self.if_exists;
        }
        let mut values = values.iter();
        match (self.set, self.negated) {
            (Set::None | Set::Any, false) => values.any(|value| self.test.meets(value, keys)),
            (Set::Any, true) => values.any(|value| !self.test.meets(value, keys)),
            (Set::All, false) => values.all(|value| self.test.meets(value, keys)),
            (Set::None | Set::All, true) => values.all(|value| !self.test.meets(value, keys)),
        }
    }
}

impl Test {
    fn meets(&self, value: &str, keys: &Keys<'_>) -> bool {
        match self {
            Test::Text(own) => own.iter().any(|own| own.matches(value, keys)),
            Test::TextIgnoringCase(own) => own.iter().any(|own| own.matches_ignoring_case(value, keys)),
            Test::Arn(own) => own.iter().any(|own| own.matches_arn(value, keys)),
            Test::Number(order, own) => {
                decimal(value).is_some_and(|value| own.iter().any(|own| order.holds(&value, own)))
            }
            Test::Date(order, own) => {
                date(value).is_some_and(|value| own.iter().any(|own| order.holds(&value, own)))
            }
            Test::Bool(own) => truth(value).is_some_and(|value| own.contains(&value)),
            Test::Binary(own) => BASE64_STANDARD
                .decode(value)
                .is_ok_and(|value| own.contains(&value)),
            Test::Address(own) => value
                .parse::<IpAddr>()
                .is_ok_and(|value| own.iter().any(|own| own.contains(value))),
            // Needs to know of the key, not of a value.
            Test::Null(_) => false,
        }
    }
}

/// Longest condition key, in bytes: a tag's name of 128 characters behind its service's word.
const KEY_BYTES_MAX: usize = 1_024;

fn unknown(operator: &str) -> String {
    format!("{operator:?} is no condition operator, such as StringEquals or ForAnyValue:StringLikeIfExists")
}

/// Whether the operator is a negated one, and its test; `None` for an unknown word.
// tidy: table
fn test(operator: &str, values: &[&str], variables: bool) -> Option<Result<(bool, Test), String>> {
    let exact = Syntax {
        wildcards: false,
        variables,
    };
    let wild = Syntax {
        wildcards: true,
        variables,
    };
    let numbers = |order| each(values, decimal, "number, such as 10").map(|own| Test::Number(order, own));
    let dates =
        |order| each(values, date, "date, such as 2026-11-21T18:00:00Z").map(|own| Test::Date(order, own));
    let bools = || each(values, truth, "boolean, true or false");
    let networks = || {
        each(
            values,
            Network::parse,
            "IP address or network, such as 203.0.113.0/24",
        )
        .map(Test::Address)
    };
    let binaries = || each(values, |text| BASE64_STANDARD.decode(text).ok(), "base64").map(Test::Binary);
    let (negated, test) = match operator {
        "StringEquals" => (false, patterns(values, exact).map(Test::Text)),
        "StringNotEquals" => (true, patterns(values, exact).map(Test::Text)),
        "StringEqualsIgnoreCase" => (false, patterns(values, exact).map(Test::TextIgnoringCase)),
        "StringNotEqualsIgnoreCase" => (true, patterns(values, exact).map(Test::TextIgnoringCase)),
        "StringLike" => (false, patterns(values, wild).map(Test::Text)),
        "StringNotLike" => (true, patterns(values, wild).map(Test::Text)),
        "ArnEquals" | "ArnLike" => (false, patterns(values, wild).map(Test::Arn)),
        "ArnNotEquals" | "ArnNotLike" => (true, patterns(values, wild).map(Test::Arn)),
        "NumericEquals" => (false, numbers(Order::Equal)),
        "NumericNotEquals" => (true, numbers(Order::Equal)),
        "NumericLessThan" => (false, numbers(Order::Less)),
        "NumericLessThanEquals" => (false, numbers(Order::LessOrEqual)),
        "NumericGreaterThan" => (false, numbers(Order::Greater)),
        "NumericGreaterThanEquals" => (false, numbers(Order::GreaterOrEqual)),
        "DateEquals" => (false, dates(Order::Equal)),
        "DateNotEquals" => (true, dates(Order::Equal)),
        "DateLessThan" => (false, dates(Order::Less)),
        "DateLessThanEquals" => (false, dates(Order::LessOrEqual)),
        "DateGreaterThan" => (false, dates(Order::Greater)),
        "DateGreaterThanEquals" => (false, dates(Order::GreaterOrEqual)),
        "Bool" => (false, bools().map(Test::Bool)),
        "Null" => (false, bools().map(Test::Null)),
        "BinaryEquals" => (false, binaries()),
        "IpAddress" => (false, networks()),
        "NotIpAddress" => (true, networks()),
        _ => return None,
    };
    Some(test.map(|test| (negated, test)))
}

fn patterns(values: &[&str], syntax: Syntax) -> Result<Vec<Pattern>, String> {
    values.iter().map(|value| Pattern::parse(value, syntax)).collect()
}

fn each<T>(values: &[&str], read: impl Fn(&str) -> Option<T>, what: &str) -> Result<Vec<T>, String> {
    let one = |value: &&str| read(value).ok_or_else(|| format!("{value:?} is no {what}"));
    values.iter().map(one).collect()
}
