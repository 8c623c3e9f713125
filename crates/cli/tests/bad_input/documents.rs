//! Malformed XML and JSON, and operations nobody has heard of.

use serde_json::json;
use tidelock_testkit::{Request, TABLE, content_md5};

use crate::World;

/// Documents that are none, or none of what is asked for.
const XML: [&str; 8] = [
    "",
    "no xml at all",
    "<Delete><Object><Key>a</Key></Object>",
    "<Delete><Object><Key>a</Wrong></Object></Delete>",
    "<Unheard><Of/></Unheard>",
    "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>",
    "<?xml version=\"1.0\"?><Delete>\u{0}</Delete>",
    "\u{feff}<Delete attribute=unquoted></Delete>",
];

/// A batch deletion, with the checksum it must have.
fn delete(document: &str) -> Request {
    let digest = content_md5(document.as_bytes());
    Request::new("POST", "/tfstate?delete=", document).header("content-md5", &digest)
}

#[test]
fn malformed_xml_is_refused_wherever_a_document_is_due() {
    let mut world = World::new();
    for document in XML {
        world.refused(&delete(document), 400, "MalformedXML");
        world.refused(
            &Request::new("PUT", "/tfstate?versioning=", document),
            400,
            "MalformedXML",
        );
        world.refused(
            &Request::new("PUT", "/tfstate?tagging=", document),
            400,
            "MalformedXML",
        );
        world.refused(
            &Request::new("POST", "/tfstate/a?uploadId=x", document),
            400,
            "MalformedXML",
        );
    }
    let versioning = world
        .client
        .send(&Request::new("GET", "/tfstate?versioning=", ""))
        .text();
    assert!(
        versioning.contains("<Status>Enabled</Status>"),
        "it is as it was: {versioning}"
    );
    world.nothing_happened();
}

#[test]
fn xml_of_any_depth_and_size_is_refused() {
    let mut world = World::new();
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    world.refused(&delete(&deep), 400, "MalformedXML");
    let many = format!(
        "<Delete>{}</Delete>",
        "<Object><Key>a</Key></Object>".repeat(1_001)
    );
    world.refused(&delete(&many), 400, "MalformedXML");
    let long = format!(
        "<Delete><Object><Key>{}</Key></Object></Delete>",
        "a".repeat(20 << 20)
    );
    let response = world.client.send(&delete(&long));
    assert!(
        ["MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge"].contains(&response.code().as_str()),
        "{response:?}"
    );
    world.nothing_happened();
}

#[test]
fn json_that_is_none_is_a_serialization_exception() {
    let mut world = World::new();
    let documents: [&[u8]; 9] = [
        b"",
        b"no json",
        b"{\"TableName\":",
        b"{\"TableName\": \"terraform-locks\",}",
        b"[]",
        b"null",
        b"{\"TableName\": 5}",
        b"{\"TableName\": \"\xff\xfe\"}",
        b"{\"TableName\": \"terraform-locks\", \"Key\": []}",
    ];
    for document in documents {
        for operation in ["GetItem", "PutItem", "Query"] {
            let response = world.client.send(&Request::dynamodb(operation, document));
            let (status, code) = (response.status, response.code());
            let right = code == "SerializationException" || code == "ValidationException";
            assert!(
                right && status == 400,
                "{operation} {:?}: {}",
                String::from_utf8_lossy(document),
                response.text()
            );
        }
    }
    world.refused_json("GetItem", "no json", "SerializationException");
    world.refused_json("GetItem", "{\"TableName\": 5}", "SerializationException");
    world.nothing_happened();
}

#[test]
fn json_of_any_depth_is_refused() {
    let mut world = World::new();
    let nested = |open: &str, core: &str, close: &str, depth: usize| {
        let value = format!("{}{core}{}", open.repeat(depth), close.repeat(depth));
        format!(r#"{{"TableName": "{TABLE}", "Item": {{"LockID": {{"S": "a"}}, "deep": {value}}}}}"#)
    };
    for depth in [33, 200, 100_000] {
        for (open, close) in [(r#"{"L": ["#, "]}"), (r#"{"M": {"k": "#, "}}")] {
            let body = nested(open, r#"{"S": "x"}"#, close, depth);
            let response = world.client.send(&Request::dynamodb("PutItem", body));
            let code = response.code();
            assert!(
                ["SerializationException", "ValidationException"].contains(&code.as_str()),
                "{depth}: {}",
                response.text()
            );
        }
    }
    world.nothing_happened();
}

#[test]
fn an_expression_of_any_depth_and_length_is_refused() {
    let mut world = World::new();
    for condition in [
        format!("{}attribute_exists(a){}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}attribute_exists(a)", "NOT ".repeat(1_000)),
        format!("a{} = a", "[0]".repeat(1_300)),
        format!("a{} = a", ".b".repeat(2_000)),
        "attribute_exists(a) AND ".repeat(170) + "attribute_exists(a",
        "attribute_exists(a) AND ".repeat(100_000) + "attribute_exists(a)",
    ] {
        let item = json!({"LockID": {"S": "a"}});
        let body = json!({"TableName": TABLE, "Item": item, "ConditionExpression": condition});
        let response = world.client.send(&Request::dynamodb("PutItem", body.to_string()));
        let code = response.code();
        let refused = ["ValidationException", "ConditionalCheckFailedException"].contains(&code.as_str());
        assert!(refused, "{:.60}: {}", condition, response.text());
    }
    world.nothing_happened();
}

#[test]
fn an_operation_nobody_has_heard_of_is_refused() {
    let mut world = World::new();
    for operation in ["Unheard", "", "GetItem2", "getitem", "GetItem/../PutItem"] {
        world.refused_json(operation, "{}", "UnknownOperationException");
    }
    let other = Request {
        service: "dynamodb",
        ..Request::new("POST", "/", "{}")
    };
    world.refused(
        &other.clone().header("x-amz-target", "DynamoDB_20991231.GetItem"),
        400,
        "UnknownOperationException",
    );
    world.refused(
        &other.header("x-amz-target", "GetItem"),
        400,
        "UnknownOperationException",
    );
    let sts = |body: &str| {
        let request = Request {
            service: "sts",
            ..Request::new("POST", "/", body)
        };
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    world.refused(&sts("Action=Unheard&Version=2011-06-15"), 400, "InvalidAction");
    world.refused(&sts("no form"), 400, "InvalidAction");
    world.refused(&Request::new("PATCH", "/tfstate/a", "x"), 405, "MethodNotAllowed");
    world.refused(&Request::new("POST", "/tfstate/a", "x"), 405, "MethodNotAllowed");
    world.nothing_happened();
}

#[test]
fn a_query_that_no_listing_understands_is_refused() {
    let mut world = World::new();
    for query in [
        "max-keys=-1",
        "max-keys=x",
        "list-type=2&max-keys=99999999999999999999",
        "list-type=2&continuation-token=%00",
    ] {
        world.refused(
            &Request::new("GET", &format!("/tfstate?{query}"), ""),
            400,
            "InvalidArgument",
        );
    }
    world.nothing_happened();
}
