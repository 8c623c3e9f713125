//! Lifecycle rules in the forms that other tools have for them, out of S3's own.

use serde_json::{Map, Value, json};

use crate::{aws::Element, s3::Rule};

/// A rule as S3's API has it in JSON, for the AWS CLI and to begin with.
pub(super) fn api(rule: &Rule) -> Value {
    let mut out = object(rule.element());
    // The old form has the prefix beside the rest.
    if out.get("Filter").is_none() && out.get("Prefix").is_none() {
        out["Filter"] = json!({ "Prefix": "" });
    }
    out
}

fn object(element: &Element) -> Value {
    let mut out = Map::new();
    for child in &element.children {
        let value = value(child);
        let list = match child.name.as_str() {
            "Transition" => "Transitions",
            "NoncurrentVersionTransition" => "NoncurrentVersionTransitions",
            "Tag" if element.name == "And" => "Tags",
            name => {
                out.insert(name.to_owned(), value);
                continue;
            }
        };
        let list = out.entry(list).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(value);
        }
    }
    Value::Object(out)
}

fn value(element: &Element) -> Value {
    if !element.children.is_empty() || ["Filter", "And"].contains(&element.name.as_str()) {
        return object(element);
    }
    let text = element.text.trim();
    match element.name.as_str() {
        "Days"
        | "NoncurrentDays"
        | "NewerNoncurrentVersions"
        | "DaysAfterInitiation"
        | "ObjectSizeGreaterThan"
        | "ObjectSizeLessThan" => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        "ExpiredObjectDeleteMarker" => (text == "true").into(),
        _ => element.text.clone().into(),
    }
}

/// The same as CloudFormation has it.
///
/// Source: `AWS::S3::Bucket Rule` in the CloudFormation User Guide.
pub(super) fn cloudformation(rule: &Rule) -> Value {
    let own = api(rule);
    let mut out = Map::new();
    let mut set = |name: &str, value: &Value| {
        if !value.is_null() {
            out.insert(name.to_owned(), value.clone());
        }
    };
    set("Id", &own["ID"]);
    set("Status", &own["Status"]);
    set("ExpirationInDays", &own["Expiration"]["Days"]);
    set("ExpirationDate", &own["Expiration"]["Date"]);
    set(
        "ExpiredObjectDeleteMarker",
        &own["Expiration"]["ExpiredObjectDeleteMarker"],
    );
    set("NoncurrentVersionExpiration", &own["NoncurrentVersionExpiration"]);
    set(
        "AbortIncompleteMultipartUpload",
        &own["AbortIncompleteMultipartUpload"],
    );
    let transition = |one: &Value| {
        let names = [
            ("StorageClass", "StorageClass"),
            ("Days", "TransitionInDays"),
            ("NoncurrentDays", "TransitionInDays"),
            ("Date", "TransitionDate"),
            ("NewerNoncurrentVersions", "NewerNoncurrentVersions"),
        ];
        let there = names.iter().filter(|(name, _)| !one[*name].is_null());
        let there = there.map(|(name, own)| ((*own).to_owned(), one[*name].clone()));
        Value::Object(there.collect())
    };
    for list in ["Transitions", "NoncurrentVersionTransitions"] {
        if let Some(several) = own[list].as_array() {
            set(list, &several.iter().map(transition).collect());
        }
    }
    let filter = &own["Filter"];
    let within = if filter["And"].is_object() {
        &filter["And"]
    } else {
        filter
    };
    let prefix = [&within["Prefix"], &own["Prefix"]]
        .into_iter()
        .find(|prefix| !prefix.is_null());
    let narrow = prefix.filter(|prefix| *prefix != "");
    set("Prefix", narrow.unwrap_or(&Value::Null));
    let tags = [&within["Tags"], &within["Tag"]]
        .into_iter()
        .find(|tags| !tags.is_null());
    match tags {
        Some(Value::Array(_)) => set("TagFilters", tags.unwrap_or(&Value::Null)),
        Some(one) => set("TagFilters", &json!([one])),
        None => {}
    }
    for size in ["ObjectSizeGreaterThan", "ObjectSizeLessThan"] {
        if let Some(bytes) = within[size].as_u64() {
            set(size, &bytes.to_string().into());
        }
    }
    Value::Object(out)
}

/// The same as the block `rule` of `aws_s3_bucket_lifecycle_configuration` has it: names and values in order, blocks among
/// them.
pub(super) fn hcl(rule: &Rule) -> Value {
    let mut own = api(rule);
    if let Some(rule) = own.as_object_mut() {
        if let Some(id) = rule.remove("ID") {
            rule.insert("Id".to_owned(), id);
        }
        if let Some(filter) = rule.get_mut("Filter").and_then(|filter| filter.get_mut("And")) {
            let tag = |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].clone()));
            let tags: Option<Map<String, Value>> = filter["Tags"]
                .as_array()
                .map(|tags| tags.iter().filter_map(tag).collect());
            if let Some(tags) = tags {
                filter["Tags"] = json!({ MAP: tags });
            }
        }
    }
    own
}

/// Marks an object that is a map of HCL (`tags = {}`), not a block.
pub(super) const MAP: &str = "=";
