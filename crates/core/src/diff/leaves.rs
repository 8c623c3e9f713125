//! Every single value of a state with its address, its path and its marks, for who looks through them one by one.

use serde_json::{Map, Value};

use super::{
    DiffError, FORMAT_VERSION, Side,
    document::{Document, Instance, Key},
    path::{self, Step},
    sensitive::Marks,
    values::string,
};
use crate::{
    StateHeader,
    limits::{DIFF_DEPTH_MAX, DIFF_STATE_BYTES_MAX},
};

/// A text, a number or a boolean of a state. Has no `Debug`: secrets are among them.
pub struct Leaf<'a> {
    /// As Terraform prints it: `module.a["x"].aws_s3_bucket.b[0]`, or `output.NAME`.
    pub address: &'a str,
    /// What the resource is; an output is none.
    pub resource: Option<&'a ResourceType>,
    /// Where the value stands: `tags.Name`, `ingress[0].port`; empty for the whole value of an output.
    pub path: String,
    /// The names on the way there, that of an output first, without the places in lists.
    pub names: Vec<&'a str>,
    /// Whether the state marks it as sensitive.
    pub marked: bool,
    /// The value, where it is a text that is not empty.
    pub text: Option<&'a str>,
}

/// What a provider's schema is looked up by.
#[derive(Debug)]
pub struct ResourceType {
    /// As the state has it: `provider["registry.terraform.io/hashicorp/aws"]`.
    pub provider: String,
    /// `managed` or `data`.
    pub mode: String,
    /// `aws_s3_bucket`.
    pub kind: String,
}

/// Hands every value of a state to `visit`. What only the provider can read (`private`) is left out. Returns the header;
/// of an encrypted state nothing else can be read.
///
/// # Errors
/// When the body is not a state that can be read.
pub fn leaves(body: &[u8], visit: &mut dyn FnMut(&Leaf<'_>)) -> Result<StateHeader, DiffError> {
    if body.len() > DIFF_STATE_BYTES_MAX {
        return Err(DiffError::TooLarge(Side::Only));
    }
    let header = StateHeader::parse(body).map_err(|why| DiffError::Header(Side::Only, why))?;
    if header.encrypted {
        return Ok(header);
    }
    let version = header.version.unwrap_or_default();
    if version != FORMAT_VERSION {
        return Err(DiffError::Version(Side::Only, version));
    }
    let document = Document::read(Side::Only, body)?;
    for (key, instance) in &document.instances(&Default::default())? {
        of_instance(key, instance, visit)?;
    }
    for (name, raw) in &document.outputs {
        let fields = document.output(raw)?;
        let mut address = "output.".to_owned();
        name.0.chars().for_each(|c| path::push_visible(&mut address, c));
        // Anything but a plain `false` marks.
        let is_marked = fields.get("sensitive").is_some_and(|raw| raw.get() != "false");
        let marks = if is_marked { Marks::all() } else { Marks::default() };
        let mut walk = Walk {
            address: &address,
            output: Some(&name.0),
            resource: None,
            marks: &marks,
            visit,
        };
        if let Some(raw) = fields.get("value") {
            walk.read(raw.get(), None)?;
        }
    }
    Ok(header)
}

fn of_instance(
    key: &Key<'_>,
    instance: &Instance<'_>,
    visit: &mut dyn FnMut(&Leaf<'_>),
) -> Result<(), DiffError> {
    let mut marks = Marks::default();
    if let Some(raw) = instance.object.get("sensitive_attributes") {
        marks.add(raw);
    }
    let provider = instance.provider.and_then(string).unwrap_or_default();
    let resource = ResourceType {
        provider: provider.into_owned(),
        mode: key.mode().to_owned(),
        kind: key.kind().to_owned(),
    };
    let address = key.address();
    let mut walk = Walk {
        address: &address,
        output: None,
        resource: Some(&resource),
        marks: &marks,
        visit,
    };
    for (name, raw) in &instance.attributes().unwrap_or_default() {
        walk.read(raw.get(), Some(&name.0))?;
    }
    Ok(())
}

/// The way through one instance or output.
struct Walk<'a, 'v> {
    address: &'a str,
    output: Option<&'a str>,
    resource: Option<&'a ResourceType>,
    marks: &'a Marks<'a>,
    visit: &'v mut dyn FnMut(&Leaf<'_>),
}

impl Walk<'_, '_> {
    fn read(&mut self, text: &str, attribute: Option<&str>) -> Result<(), DiffError> {
        // What was read as JSON once is refused for its depth alone.
        let value: Value = serde_json::from_str(text).map_err(|_| self.too_deep())?;
        let first = attribute.map(|name| Step::Key(name.into()));
        self.value(&value, &mut first.into_iter().collect())
    }

    fn value<'s>(&mut self, value: &'s Value, path: &mut Vec<Step<'s>>) -> Result<(), DiffError> {
        if path.len() > DIFF_DEPTH_MAX {
            return Err(self.too_deep());
        }
        match value {
            Value::Null => {}
            Value::Object(members) => {
                if let Some(value) = dynamic(members) {
                    return self.value(value, path);
                }
                for (name, value) in members {
                    path.push(Step::Key(name.as_str().into()));
                    self.value(value, path)?;
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    path.push(Step::Index(at));
                    self.value(value, path)?;
                    path.pop();
                }
            }
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => self.leaf(Some(text), path),
            Value::Bool(_) | Value::Number(_) => self.leaf(None, path),
        }
        Ok(())
    }

    fn leaf(&mut self, text: Option<&str>, steps: &[Step<'_>]) {
        let keys = steps.iter().filter_map(|step| match step {
            Step::Key(name) => Some(name.as_ref()),
            Step::Index(_) | Step::Field(_) => None,
        });
        (self.visit)(&Leaf {
            address: self.address,
            resource: self.resource,
            path: path::written(steps),
            names: self.output.into_iter().chain(keys).collect(),
            marked: self.marks.touch(steps),
            text,
        });
    }

    fn too_deep(&self) -> DiffError {
        let address = self.address.to_owned();
        DiffError::TooDeep { address }
    }
}

/// The value of an attribute of any type, which is written beside its type; configurations know neither of the two names.
fn dynamic(members: &Map<String, Value>) -> Option<&Value> {
    let value = members.get("value").filter(|_| members.len() == 2)?;
    let is_type = match members.get("type")? {
        Value::String(name) => ["string", "number", "bool", "dynamic"].contains(&name.as_str()),
        Value::Array(parts) => parts.first().is_some_and(Value::is_string),
        _ => false,
    };
    is_type.then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(state: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let body = serde_json::to_vec(state).unwrap();
        leaves(&body, &mut |leaf| {
            let kind = leaf.resource.map_or("-", |resource| &resource.kind);
            found.push(format!(
                "{} {kind} {} {} {} {}",
                leaf.address,
                leaf.path,
                leaf.names.join("/"),
                leaf.marked,
                leaf.text.unwrap_or("(no text)")
            ));
        })
        .unwrap();
        found
    }

    #[test]
    fn every_value_is_visited_with_its_address_path_and_mark() {
        let state = serde_json::json!({
            "version": 4, "serial": 1, "lineage": "l",
            "outputs": {
                "url": {"value": {"host": "h", "none": null, "empty": ""}, "type": "string"},
                "key": {"value": ["k"], "type": "string", "sensitive": true},
            },
            "resources": [{
                "mode": "managed", "type": "aws_db_instance", "name": "a", "provider": "p",
                "instances": [{
                    "index_key": "x",
                    "attributes": {"password": "pw", "port": 1, "tags": {"a.b": "t"}, "list": [{"on": true}],
                        "input": {"value": {"password": "i"}, "type": ["object", {"password": "string"}]},
                        "pair": {"value": "v", "type": "SecureString"},
                    },
                    "sensitive_attributes": [[{"type": "get_attr", "value": "password"}]],
                    "private": "b3BhcXVl",
                }],
            }],
        });
        assert_eq!(
            found(&state),
            [
                "aws_db_instance.a[\"x\"] aws_db_instance input.password input/password false i",
                "aws_db_instance.a[\"x\"] aws_db_instance list[0].on list/on false (no text)",
                "aws_db_instance.a[\"x\"] aws_db_instance pair.type pair/type false SecureString",
                "aws_db_instance.a[\"x\"] aws_db_instance pair.value pair/value false v",
                "aws_db_instance.a[\"x\"] aws_db_instance password password true pw",
                "aws_db_instance.a[\"x\"] aws_db_instance port port false (no text)",
                "aws_db_instance.a[\"x\"] aws_db_instance tags[\"a.b\"] tags/a.b false t",
                "output.key - [0] key true k",
                "output.url - host url/host false h",
            ]
        );
    }

    #[test]
    fn an_encrypted_state_shows_its_header_and_a_bottomless_one_is_refused() {
        let encrypted =
            br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"eA==","encryption_version":"v0"}"#;
        let header = leaves(encrypted, &mut |_| panic!("nothing can be read")).unwrap();
        assert!(header.encrypted);
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let state = format!(
            r#"{{"version":4,"serial":1,"lineage":"l","resources":[],"outputs":{{"d":{{"value":{deep}}}}}}}"#
        );
        let error = leaves(state.as_bytes(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("output.d"), "{error}");
    }
}
