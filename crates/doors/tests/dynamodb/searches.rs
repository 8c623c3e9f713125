//! Query and Scan: ranges, order, filters and pages.

use serde_json::{Value as Json, json};

use crate::door::Door;

async fn filled() -> Door {
    let door = Door::with_notes().await;
    for h in ["a", "b"] {
        for r in [-10, -2, 0, 1, 2, 10, 100] {
            let item = json!({"h": {"S": h}, "r": {"N": r.to_string()}, "even": {"BOOL": r % 2 == 0}});
            door.ok("PutItem", json!({"TableName": "notes", "Item": item}))
                .await;
        }
    }
    door
}

fn query(condition: &str, values: Json) -> Json {
    let mut values = values;
    values[":h"] = json!({"S": "a"});
    json!({
        "TableName": "notes", "KeyConditionExpression": condition, "ExpressionAttributeValues": values,
    })
}

fn ranges(answer: &Json) -> Vec<i32> {
    let items = answer["Items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["r"]["N"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn n(number: i32) -> Json {
    json!({"N": number.to_string()})
}

#[tokio::test]
async fn a_query_narrows_by_range_key_and_orders_numbers() {
    let door = filled().await;
    for (condition, values, expected) in [
        ("h = :h", json!({}), vec![-10, -2, 0, 1, 2, 10, 100]),
        ("h = :h AND r > :a", json!({":a": n(1)}), vec![2, 10, 100]),
        ("h = :h AND r >= :a", json!({":a": n(1)}), vec![1, 2, 10, 100]),
        ("h = :h AND r < :a", json!({":a": n(0)}), vec![-10, -2]),
        ("h = :h AND r <= :a", json!({":a": n(0)}), vec![-10, -2, 0]),
        ("h = :h AND r = :a", json!({":a": n(10)}), vec![10]),
        (
            "h = :h AND r BETWEEN :a AND :b",
            json!({":a": n(-5), ":b": n(2)}),
            vec![-2, 0, 1, 2],
        ),
    ] {
        let answer = door.ok("Query", query(condition, values)).await;
        assert_eq!(ranges(&answer), expected, "{condition}");
    }
}

#[tokio::test]
async fn a_query_goes_backwards_and_in_pages() {
    let door = filled().await;
    let mut request = query("h = :h", json!({}));
    request["ScanIndexForward"] = json!(false);
    request["Limit"] = json!(3);
    let mut seen = Vec::new();
    loop {
        let answer = door.ok("Query", request.clone()).await;
        seen.extend(ranges(&answer));
        match answer.get("LastEvaluatedKey") {
            Some(last) => request["ExclusiveStartKey"] = last.clone(),
            None => break,
        }
    }
    assert_eq!(seen, [100, 10, 2, 1, 0, -2, -10]);
}

#[tokio::test]
async fn a_filter_counts_what_it_passes_and_what_it_saw() {
    let door = filled().await;
    let mut request = query("h = :h", json!({":t": {"BOOL": false}}));
    request["FilterExpression"] = json!("even = :t");
    request["Select"] = json!("COUNT");
    assert_eq!(
        door.ok("Query", request.clone()).await,
        json!({"Count": 1, "ScannedCount": 7})
    );
    request["FilterExpression"] = json!("r = :t");
    assert_eq!(
        door.invalid("Query", request).await,
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: r"
    );
}

#[tokio::test]
async fn a_scan_sees_every_item_once_in_pages_and_segments() {
    let door = filled().await;
    let mut request = json!({"TableName": "notes", "Limit": 4});
    let mut seen = 0;
    loop {
        let answer = door.ok("Scan", request.clone()).await;
        seen += answer["Items"].as_array().unwrap().len();
        match answer.get("LastEvaluatedKey") {
            Some(last) => request["ExclusiveStartKey"] = last.clone(),
            None => break,
        }
    }
    assert_eq!(seen, 14);
    let mut in_segments = 0;
    for segment in 0..3 {
        let request = json!({"TableName": "notes", "Segment": segment, "TotalSegments": 3});
        in_segments += door.ok("Scan", request).await["Count"].as_u64().unwrap();
    }
    assert_eq!(in_segments, 14);
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte() {
    let door = Door::with_notes().await;
    for r in 0..6 {
        let item = json!({"h": {"S": "a"}, "r": n(r), "x": {"S": "x".repeat(300_000)}});
        door.ok("PutItem", json!({"TableName": "notes", "Item": item}))
            .await;
    }
    let first = door.ok("Query", query("h = :h", json!({}))).await;
    assert_eq!(ranges(&first), [0, 1, 2, 3]);
    assert_eq!(first["LastEvaluatedKey"], json!({"h": {"S": "a"}, "r": n(3)}));
}

#[tokio::test]
async fn wrong_searches_are_refused_in_the_words_of_aws() {
    let door = filled().await;
    let with = |name: &str, value: Json| {
        let mut request = query("h = :h", json!({}));
        request[name] = value;
        request
    };
    for (request, message) in [
        (
            json!({"TableName": "notes"}),
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ),
        (
            with("ExclusiveStartKey", json!({"h": {"S": "a"}})),
            "The provided starting key is invalid",
        ),
        (
            with("ExclusiveStartKey", json!({"h": {"S": "b"}, "r": n(1)})),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            with("Limit", json!(0)),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            with("IndexName", json!("by-x")),
            "The table does not have the specified index: by-x",
        ),
        (
            with("Select", json!("SPECIFIC_ATTRIBUTES")),
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
    ] {
        assert_eq!(door.invalid("Query", request).await, message);
    }
    assert!(
        door.invalid(
            "Scan",
            json!({"TableName": "notes", "Segment": 3, "TotalSegments": 3})
        )
        .await
        .contains("Segment: 3 is not less than TotalSegments: 3")
    );
}
