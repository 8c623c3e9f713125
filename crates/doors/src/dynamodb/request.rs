//! The fields of a request, read with the types and refusals of AWS.

use serde_json::{Map, Value as Json};
use tidelock_core::Time;

use super::{
    error::{Error, invalid},
    expression::{Condition, Placeholders, Projection},
    naming::Home,
    value::{Item, item_from_json},
};

/// One request body.
#[derive(Debug)]
pub(crate) struct Request {
    fields: Map<String, Json>,
    /// What the client's SDK names the call by.
    pub(crate) invocation: Option<String>,
    /// Where it comes from.
    pub(crate) home: Home,
}

/// The legacy parameters, and what replaces each.
const LEGACY: [(&str, &str); 7] = [
    ("AttributeUpdates", "UpdateExpression"),
    ("AttributesToGet", "ProjectionExpression"),
    ("ConditionalOperator", "ConditionExpression or FilterExpression"),
    ("Expected", "ConditionExpression"),
    ("KeyConditions", "KeyConditionExpression"),
    ("QueryFilter", "FilterExpression"),
    ("ScanFilter", "FilterExpression"),
];

/// The expression parameters, in the order in which AWS lists them.
const EXPRESSIONS: [&str; 5] = [
    "ProjectionExpression",
    "UpdateExpression",
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
];

impl Request {
    /// Reads a body: a JSON object, nothing else.
    pub(crate) fn parse(body: &[u8]) -> Result<Request, Error> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(fields)) => Ok(Request {
                fields,
                invocation: None,
                home: Home::default(),
            }),
            Ok(_) => Err(Error::Serialization(
                "Unexpected value type in payload".to_owned(),
            )),
            Err(_) => Err(Error::Serialization(
                "The request body is not a valid JSON object".to_owned(),
            )),
        }
    }

    /// A part of a request that has fields of its own.
    pub(crate) fn nested(json: &Json) -> Result<Request, Error> {
        match json {
            Json::Object(fields) => Ok(Request {
                fields: fields.clone(),
                invocation: None,
                home: Home::default(),
            }),
            _ => Err(Error::Serialization(
                "Unexpected value type in payload".to_owned(),
            )),
        }
    }

    /// The same request with another value in one field.
    pub(crate) fn with(&self, name: &str, value: Json) -> Json {
        let mut fields = self.fields.clone();
        fields.insert(name.to_owned(), value);
        Json::Object(fields)
    }

    /// A field as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let refused = |message: &str| Err(Error::Serialization(message.to_owned()));
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(Json::Number(_)) => refused("NUMBER_VALUE cannot be converted to String"),
            Some(Json::Bool(true)) => refused("TRUE_VALUE cannot be converted to String"),
            Some(Json::Bool(false)) => refused("FALSE_VALUE cannot be converted to String"),
            Some(Json::Array(_)) => refused("Unrecognized collection type class java.lang.String"),
            Some(_) => refused("Start of structure or map found where not expected"),
        }
    }

    /// A truth value; absent is false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Error> {
        Ok(self.maybe_flag(name)?.unwrap_or(false))
    }

    /// A truth value that may be absent.
    pub(crate) fn maybe_flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, Json::as_bool)
    }

    /// A whole number of at least `least`.
    pub(crate) fn integer(&self, name: &str, least: i64) -> Result<Option<i64>, Error> {
        let number = self.typed(name, Json::as_i64)?;
        match number {
            Some(number) if number < least => invalid(constraint(
                &format!("'{number}'"),
                name,
                &format!("Member must have value greater than or equal to {least}"),
            )),
            number => Ok(number),
        }
    }

    /// A moment, as seconds since 1970 with a fraction.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Time>, Error> {
        let seconds = self.typed(name, Json::as_f64)?;
        Ok(seconds.map(|seconds| Time((seconds * 1_000.0).round() as i64)))
    }

    /// A map.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&Map<String, Json>>, Error> {
        self.typed(name, Json::as_object)
    }

    /// A list.
    pub(crate) fn array(&self, name: &str) -> Result<Option<&Vec<Json>>, Error> {
        self.typed(name, Json::as_array)
    }

    fn typed<'a, T>(&'a self, name: &str, read: fn(&'a Json) -> Option<T>) -> Result<Option<T>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(Error::Serialization("Unexpected field type".to_owned())),
            },
        }
    }

    /// A text out of a set.
    pub(crate) fn one_of(&self, name: &str, allowed: &[&'static str]) -> Result<Option<&'static str>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match allowed.iter().find(|member| **member == text) {
            Some(member) => Ok(Some(member)),
            None => invalid(constraint(
                &format!("'{text}'"),
                name,
                &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
            )),
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Error> {
        value.map_or_else(
            || invalid(constraint("null", name, "Member must not be null")),
            Ok,
        )
    }

    /// The name under which the table is stored that the request names, or whose ARN it has.
    pub(crate) fn table_name(&self) -> Result<String, Error> {
        let name = self.required("TableName", self.text("TableName")?)?;
        self.home.stored(name, "TableName")
    }

    /// An item or key.
    pub(crate) fn item(&self, name: &str) -> Result<Item, Error> {
        item_from_json(self.required(name, self.object(name)?)?)
    }

    /// The placeholders, which only make sense with one of the operation's expressions.
    pub(crate) fn placeholders(&self, expressions: &[&str]) -> Result<Placeholders, Error> {
        self.refuse_legacy()?;
        let (names, values) = (
            self.object("ExpressionAttributeNames")?,
            self.object("ExpressionAttributeValues")?,
        );
        if !expressions.iter().any(|name| self.has(name)) {
            if names.is_some() {
                return invalid("ExpressionAttributeNames can only be specified when using expressions");
            }
            if values.is_some() {
                let valued: Vec<&str> = expressions
                    .iter()
                    .copied()
                    .filter(|name| *name != "ProjectionExpression")
                    .collect();
                let verb = if valued.len() > 1 { "are" } else { "is" };
                return invalid(format!(
                    "ExpressionAttributeValues can only be specified when using expressions: {} {verb} null",
                    valued.join(" and ")
                ));
            }
        }
        Placeholders::read(names, values)
    }

    /// AttributesToGet apart, which [`Request::projection`] understands, legacy parameters are refused.
    fn refuse_legacy(&self) -> Result<(), Error> {
        let legacy: Vec<&str> = LEGACY
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| self.has(name))
            .collect();
        let modern: Vec<&str> = EXPRESSIONS
            .iter()
            .copied()
            .filter(|name| self.has(name))
            .collect();
        if !legacy.is_empty() && !modern.is_empty() {
            return invalid(format!(
                "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {{{}}} Expression parameters: {{{}}}",
                legacy.join(", "),
                modern.join(", ")
            ));
        }
        let refused = LEGACY
            .iter()
            .find(|(name, _)| *name != "AttributesToGet" && self.has(name));
        match refused {
            Some((name, instead)) => invalid(format!(
                "One or more parameter values were invalid: The legacy parameter {name} is not supported; use {instead} instead"
            )),
            None => Ok(()),
        }
    }

    /// A condition parameter.
    pub(crate) fn condition(
        &self,
        name: &'static str,
        placeholders: &Placeholders,
    ) -> Result<Option<Condition>, Error> {
        self.text(name)?
            .map(|text| Condition::parse(name, text, placeholders))
            .transpose()
    }

    /// ProjectionExpression, or its predecessor AttributesToGet.
    pub(crate) fn projection(&self, placeholders: &Placeholders) -> Result<Option<Projection>, Error> {
        if let Some(text) = self.text("ProjectionExpression")? {
            return Projection::parse(text, placeholders).map(Some);
        }
        let Some(names) = self.array("AttributesToGet")? else {
            return Ok(None);
        };
        if names.is_empty() {
            return invalid(constraint(
                "'[]'",
                "AttributesToGet",
                "Member must have length greater than or equal to 1",
            ));
        }
        match names.iter().map(Json::as_str).collect::<Option<Vec<&str>>>() {
            Some(names) => Ok(Some(Projection::of_attributes(&names))),
            None => Err(Error::Serialization("Unexpected field type".to_owned())),
        }
    }
}

/// AWS's sentence for one member that breaks a constraint of the API's model.
pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> String {
    let mut member = member.to_owned();
    if let Some(first) = member.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    format!("1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {rule}")
}
