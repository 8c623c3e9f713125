//! The expression language: AWS's words for what is wrong, the right answer for what is not, and no panic for anything.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value as Json, json};

use super::{
    KeyCondition, Placeholders, Projection, Update,
    condition::{Comparator, Condition, Operand},
    fuzz_expression,
    path::{Path, Step},
};
use crate::dynamodb::{
    error::Error,
    key::{KeyAttribute, KeySchema, KeyType, RangeCondition},
    value::{Item, Value, item_from_json, item_to_json},
};

fn item(json: Json) -> Item {
    item_from_json(json.as_object().unwrap()).unwrap()
}

fn placeholders() -> Placeholders {
    let names = json!({"#n": "name", "#dot": "a.b"});
    let values = json!({
        ":s": {"S": "text"}, ":t": {"S": "te"}, ":one": {"N": "1"}, ":two": {"N": "2"}, ":bool": {"BOOL": true},
        ":ss": {"SS": ["x"]}, ":list": {"L": [{"N": "9"}]}, ":type": {"S": "S"}, ":null": {"NULL": true},
        ":bin": {"B": "AAE="}, ":empty": {"L": []}, ":map": {"M": {}},
    });
    Placeholders::read(names.as_object(), values.as_object()).unwrap()
}

fn subject() -> Item {
    item(json!({
        "name": {"S": "text"}, "num": {"N": "1"}, "tags": {"SS": ["x", "y"]}, "flag": {"BOOL": true},
        "nested": {"M": {"pieces": {"L": [{"N": "1"}, {"S": "two"}]}}}, "a.b": {"S": "dotted"},
        "octets": {"B": "AAEC"}, "nums": {"NS": ["1", "2"]},
    }))
}

fn holds(text: &str) -> bool {
    Condition::parse("ConditionExpression", text, &placeholders())
        .unwrap()
        .holds(&subject())
}

fn refusal<T: std::fmt::Debug>(parsed: Result<T, Error>) -> String {
    parsed.unwrap_err().to_string()
}

fn condition_refusal(text: &str) -> String {
    refusal(Condition::parse("ConditionExpression", text, &placeholders()))
}

#[test]
fn conditions_hold_as_dynamodb_says() {
    for text in [
        "attribute_exists(#n)",
        "attribute_not_exists(absent)",
        "attribute_not_exists(num.pieces)",
        "#n = :s",
        "#dot <> :s",
        "absent <> :s",
        "NOT absent = :s",
        "num BETWEEN :one AND :two",
        "num IN (:two, :one)",
        "num < :two AND num <= :one AND num >= :one AND NOT num > :one",
        "begins_with(#n, :t)",
        "begins_with(octets, :bin)",
        "contains(#n, :t)",
        "contains(octets, :bin)",
        "contains(tags, absent) OR contains(nums, num)",
        "contains(nested.pieces, :one)",
        "nested.pieces[0] = num",
        "attribute_type(#n, :type)",
        "size(tags) = :two",
        "size(nested.pieces) = :two AND :two = size(nums)",
        "absent = :s OR num = :one AND flag = :bool",
        "(num = :two OR num = :one) AND flag = :bool",
        "(num) = (:one)",
        "not (num = :two) and num = :one",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn conditions_fail_as_dynamodb_says() {
    for text in [
        "absent = :s",
        "absent < :two",
        "#n < :two",
        "num = :s",
        "begins_with(num, :t)",
        "contains(absent, :t)",
        "size(num) = :one",
        "size(absent) <= :two",
        "nested.pieces[7] = :one",
        "attribute_type(num, :type)",
        "num = :one AND flag <> :bool",
    ] {
        assert!(!holds(text), "{text}");
    }
}

// tidy: table
#[test]
fn wrong_conditions_are_refused_in_the_words_of_aws() {
    for (text, message) in [
        ("", "The expression can not be empty;"),
        ("  ", "The expression can not be empty;"),
        ("a = ", "Syntax error; token: \"<EOF>\", near: \"=\""),
        ("a = = :s", "Syntax error; token: \"=\", near: \"= = :s\""),
        ("a ! :s", "Syntax error; token: \"!\", near: \"a ! :s\""),
        ("a = :s)", "Syntax error; token: \")\", near: \":s)\""),
        ("a", "Syntax error; token: \"<EOF>\", near: \"a\""),
        (
            "#x = :s",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        (
            "a = :x",
            "An expression attribute value used in expression is not defined; attribute value: :x",
        ),
        (
            "Abort = :s",
            "Attribute name is a reserved keyword; reserved keyword: Abort",
        ),
        ("foo(a)", "Invalid function name; function: foo"),
        (
            "if_not_exists(a, :s)",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "begins_with(a)",
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
        ),
        (
            "begins_with(a, :one)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "a < :bool",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "attribute_exists(:s)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "attribute_type(a, :s)",
            "Invalid attribute type name found; type: text, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "a = a",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
        ),
        (
            "a BETWEEN :two AND :one",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "a BETWEEN :one AND :s",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:text}",
        ),
        ("((a = :s))", "The expression has redundant parentheses;"),
        (
            "attribute_exists(a) = :s",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "contains(a, size(b))",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "a[99999999999] = :s",
            "List index is not within the allowable range; index: [99999999999]",
        ),
    ] {
        assert_eq!(
            condition_refusal(text),
            format!("Invalid ConditionExpression: {message}"),
            "{text}"
        );
    }
    assert!(
        condition_refusal(&format!("a = {}:s", " ".repeat(4096))).contains("Expression size has exceeded")
    );
    assert!(condition_refusal(&vec!["a = :s"; 400].join(" OR ")).contains("too many operators"));
    let many = vec![":s"; 101].join(",");
    assert!(condition_refusal(&format!("a IN ({many})")).contains("number of operands: 101"));
}

#[test]
fn a_syntax_error_is_reported_before_anything_else() {
    assert!(condition_refusal("#undefined = :undefined AND").contains("Syntax error"));
}

#[test]
fn deep_nesting_is_refused_and_never_overflows() {
    for text in [
        "(".repeat(4096),
        "NOT ".repeat(1000) + "a = :s",
        format!("{}a = :s{}", "(".repeat(2000), ")".repeat(2000)),
        format!("a = {}:s{}", "(".repeat(2000), ")".repeat(2000)),
        "contains(".repeat(450),
        "size(".repeat(800),
    ] {
        assert!(Condition::parse("FilterExpression", &text, &placeholders()).is_err());
    }
    for text in [
        format!("SET a = {}:s", "list_append(".repeat(330)),
        format!("SET a = {}:s", "(".repeat(4000)),
        format!("REMOVE a{}", ".a".repeat(2000)),
    ] {
        assert!(Update::parse(&text, &placeholders()).is_err());
    }
    assert!(Projection::parse(&format!("a{}", "[0]".repeat(1300)), &placeholders()).is_err());
}

#[test]
fn unused_and_malformed_placeholders_are_refused() {
    let refused = |names: Json, values: Json, expression: &str| {
        let read = Placeholders::read(names.as_object(), values.as_object());
        refusal(read.and_then(|placeholders| {
            Condition::parse("ConditionExpression", expression, &placeholders)?;
            placeholders.check_all_used()
        }))
    };
    assert_eq!(
        refused(json!({"#x": "x", "#y": "y"}), json!(null), "attribute_exists(#y)"),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"
    );
    assert_eq!(
        refused(json!(null), json!({":x": {"S": "x"}}), "attribute_exists(y)"),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}"
    );
    assert_eq!(
        refused(json!({}), json!(null), "a"),
        "ExpressionAttributeNames must not be empty"
    );
    assert_eq!(
        refused(json!(null), json!({}), "a"),
        "ExpressionAttributeValues must not be empty"
    );
    assert_eq!(
        refused(json!({"x": "x"}), json!(null), "a"),
        "ExpressionAttributeNames contains invalid key: Syntax error; key: \"x\""
    );
    assert_eq!(
        refused(json!(null), json!({":x": {}}), "a"),
        "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :x"
    );
}

fn updated(text: &str) -> Json {
    item_to_json(
        &Update::parse(text, &placeholders())
            .unwrap()
            .apply(&subject())
            .unwrap(),
    )
}

#[test]
fn updates_do_what_dynamodb_does() {
    assert_eq!(updated("SET num = num + :two")["num"], json!({"N": "3"}));
    assert_eq!(
        updated("SET num = :two - num, extra = num")["extra"],
        json!({"N": "1"})
    );
    assert_eq!(updated("SET num = (num + :one)")["num"], json!({"N": "2"}));
    assert_eq!(
        updated("SET absent = if_not_exists(absent, :two) + :one")["absent"],
        json!({"N": "3"})
    );
    assert_eq!(
        updated("SET num = if_not_exists(num, :two)")["num"],
        json!({"N": "1"})
    );
    assert_eq!(
        updated("SET nested.pieces = list_append(:list, nested.pieces)")["nested"]["M"]["pieces"]["L"][0],
        json!({"N": "9"})
    );
    assert_eq!(
        updated("SET l = list_append(if_not_exists(l, :empty), :list)")["l"],
        json!({"L": [{"N": "9"}]})
    );
    assert_eq!(
        updated("SET nested.pieces[9] = :two, nested.pieces[5] = :one")["nested"]["M"]["pieces"]["L"],
        json!([{"N": "1"}, {"S": "two"}, {"N": "1"}, {"N": "2"}])
    );
    assert_eq!(
        updated("REMOVE nested.pieces[0], nested.pieces[1]")["nested"]["M"]["pieces"],
        json!({"L": []})
    );
    assert_eq!(updated("REMOVE #n, absent").get("name"), None);
    assert_eq!(
        updated("ADD num :two, fresh :two, tags :ss")["fresh"],
        json!({"N": "2"})
    );
    assert_eq!(updated("DELETE tags :ss")["tags"], json!({"SS": ["y"]}));
    assert_eq!(updated("ADD sole :ss")["sole"], json!({"SS": ["x"]}));
    assert_eq!(
        updated("set #dot = :s remove #n add num :one delete tags :ss")["num"],
        json!({"N": "2"})
    );
}

#[test]
fn a_set_that_loses_its_last_member_goes_away() {
    let update = Update::parse("DELETE tags :ss", &placeholders()).unwrap();
    let left = update.apply(&item(json!({"tags": {"SS": ["x"]}}))).unwrap();
    assert_eq!(left, Item::new());
}

// tidy: table
#[test]
fn wrong_updates_are_refused_in_the_words_of_aws() {
    let parse = |text: &str| refusal(Update::parse(text, &placeholders()));
    for (text, message) in [
        (
            "SET a = :s SET b = :s",
            "The \"SET\" section can only be used once in an update expression;",
        ),
        ("FOO a", "Syntax error; token: \"FOO\", near: \"FOO a\""),
        ("SET a", "Syntax error; token: \"<EOF>\", near: \"a\""),
        ("SET a = :s,", "Syntax error; token: \"<EOF>\", near: \",\""),
        (
            "SET a = :s, a.b = :s",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
        ),
        (
            "SET a[1] = :s REMOVE a.b",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [1]], path two: [a, b]",
        ),
        (
            "ADD a :s",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE a :one",
            "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "SET a = :s + :one",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET a = list_append(a, :s)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
        ),
        ("SET a = foo(b, :s)", "Invalid function name; function: foo"),
        (
            "SET a = size(b)",
            "The function is not allowed in an update expression; function: size",
        ),
    ] {
        assert_eq!(
            parse(text),
            format!("Invalid UpdateExpression: {message}"),
            "{text}"
        );
    }
    let apply = |text: &str| refusal(Update::parse(text, &placeholders()).unwrap().apply(&subject()));
    assert_eq!(
        apply("SET a = absent"),
        "The provided expression refers to an attribute that does not exist in the item"
    );
    for text in [
        "SET absent.b = :s",
        "REMOVE absent.b",
        "DELETE num.a :ss",
        "SET num.a = :s",
        "SET nested[0] = :s",
    ] {
        assert_eq!(
            apply(text),
            "The document path provided in the update expression is invalid for update",
            "{text}"
        );
    }
    for text in [
        "SET a = #n + :one",
        "ADD tags :two",
        "DELETE num :ss",
        "SET a = list_append(num, :list)",
    ] {
        assert_eq!(
            apply(text),
            "An operand in the update expression has an incorrect data type",
            "{text}"
        );
    }
}

#[test]
fn an_update_cannot_multiply_a_value_beyond_the_size_of_an_item() {
    let values = json!({":v": {"L": [{"S": "x".repeat(300_000)}]}});
    let placeholders = Placeholders::read(None, values.as_object()).unwrap();
    let too_large = "Item size to update has exceeded the maximum allowed size";
    for text in ["SET a = :v, b = :v", "SET a = list_append(:v, :v)"] {
        let update = Update::parse(text, &placeholders).unwrap();
        assert_eq!(refusal(update.apply(&Item::new())), too_large, "{text}");
    }
}

#[test]
fn projections_keep_parts_in_their_places() {
    let projected = |text: &str| {
        item_to_json(
            &Projection::parse(text, &placeholders())
                .unwrap()
                .apply(&subject()),
        )
    };
    assert_eq!(projected("#n, absent"), json!({"name": {"S": "text"}}));
    assert_eq!(projected("#dot"), json!({"a.b": {"S": "dotted"}}));
    assert_eq!(
        projected("nested.pieces[1]"),
        json!({"nested": {"M": {"pieces": {"L": [{"S": "two"}]}}}})
    );
    assert_eq!(
        projected("num.pieces, nested.absent, nested.pieces[7]"),
        json!({})
    );
    assert_eq!(
        refusal(Projection::parse("a.b, a", &placeholders())),
        "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a]"
    );
    assert_eq!(
        refusal(Projection::parse("a,", &placeholders())),
        "Invalid ProjectionExpression: Syntax error; token: \"<EOF>\", near: \",\""
    );
}

#[test]
fn key_conditions_name_the_hash_key_and_at_most_one_range() {
    let attribute = |name: &str, key_type| KeyAttribute {
        name: name.to_owned(),
        key_type,
    };
    let schema = KeySchema {
        hash: attribute("h", KeyType::S),
        range: Some(attribute("r", KeyType::N)),
    };
    let bind =
        |text: &str| KeyCondition::parse(text, &placeholders()).and_then(|condition| condition.bind(&schema));
    let (hash, range) = bind("h = :s AND :one < r").unwrap();
    assert_eq!(hash, Value::S("text".to_owned()));
    assert_eq!(
        range,
        Some(RangeCondition::Above(
            placeholders().value(":one").unwrap().as_ref().clone()
        ))
    );
    assert!(
        bind("(r BETWEEN :one AND :two) AND (h = :s)")
            .unwrap()
            .1
            .is_some()
    );
    assert_eq!(bind("h = :s").unwrap().1, None);
    for (text, message) in [
        ("r = :one", "Query condition missed key schema element: h"),
        (
            "h = :s AND x = :s",
            "Query condition missed key schema element: r",
        ),
        ("h < :s", "Query key condition not supported"),
        (
            "h = :one",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "h = :s AND h = :t",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "h = :s OR r = :one",
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "h.x = :s",
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            "h = ",
            "Invalid KeyConditionExpression: Syntax error; token: \"<EOF>\", near: \"=\"",
        ),
    ] {
        assert_eq!(refusal(bind(text)), message, "{text}");
    }
}

/// Prints a condition with a parenthesis around every compound part, so that it reads back as it is.
fn print(condition: &Condition) -> String {
    let part = |part: &Condition| match part {
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => format!("({})", print(part)),
        _ => print(part),
    };
    let join = |parts: &[Condition], word: &str| parts.iter().map(part).collect::<Vec<_>>().join(word);
    match condition {
        Condition::Compare(comparator, a, b) => {
            format!("{} {} {}", operand(a), comparator.sign(), operand(b))
        }
        Condition::Between(value, low, high) => {
            format!(
                "{} BETWEEN {} AND {}",
                operand(value),
                operand(low),
                operand(high)
            )
        }
        Condition::In(value, among) => {
            format!(
                "{} IN ({})",
                operand(value),
                among.iter().map(operand).collect::<Vec<_>>().join(", ")
            )
        }
        Condition::Exists(path) => format!("attribute_exists({path})"),
        Condition::NotExists(path) => format!("attribute_not_exists({path})"),
        Condition::AttributeType(path, name) => format!("attribute_type({path}, {})", operand(name)),
        Condition::BeginsWith(a, b) => format!("begins_with({}, {})", operand(a), operand(b)),
        Condition::Contains(a, b) => format!("contains({}, {})", operand(a), operand(b)),
        Condition::All(parts) => join(parts, " AND "),
        Condition::Any(parts) => join(parts, " OR "),
        Condition::Not(inner) => format!("NOT {}", part(inner)),
    }
}

fn operand(operand: &Operand) -> String {
    let key = |value: &Value| {
        let keys = [":s", ":t", ":one", ":two", ":type", ":bin"];
        let placeholders = placeholders();
        (*keys
            .iter()
            .find(|key| placeholders.value(key).unwrap().as_ref() == value)
            .unwrap())
        .to_owned()
    };
    match operand {
        Operand::Path(path) => path.to_string(),
        Operand::Value(value) => key(value),
        Operand::Size(inner) => format!("size({})", self::operand(inner)),
    }
}

fn any_path(names: &'static [&'static str]) -> impl Strategy<Value = Path> {
    let step = prop_oneof![
        select(vec!["pieces", "deep", "xx"]).prop_map(|name| Step::Field(name.to_owned())),
        (0_usize..12).prop_map(Step::Index),
    ];
    (select(names), vec(step, 0..4)).prop_map(|(name, steps)| Path {
        attribute: name.to_owned(),
        steps,
    })
}

fn any_literal() -> impl Strategy<Value = Operand> {
    let text = select(vec![":s", ":t", ":type"]);
    text.prop_map(|key| Operand::Value(Arc::clone(placeholders().value(key).unwrap())))
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let left = || any_path(&["num", "tags", "nested"]);
    let right = || {
        prop_oneof![
            any_path(&["flag", "octets"]).prop_map(Operand::Path),
            any_literal()
        ]
    };
    let comparator = select(vec![
        Comparator::Equal,
        Comparator::NotEqual,
        Comparator::Less,
        Comparator::LessOrEqual,
        Comparator::Greater,
        Comparator::GreaterOrEqual,
    ]);
    let compared = prop_oneof![
        left().prop_map(Operand::Path),
        left().prop_map(|path| Operand::Size(Box::new(Operand::Path(path)))),
    ];
    let leaf = prop_oneof![
        (comparator, compared, right()).prop_map(|(sign, a, b)| Condition::Compare(sign, a, b)),
        (left(), any_path(&["flag"]), right()).prop_map(|(a, b, c)| Condition::Between(
            Operand::Path(a),
            Operand::Path(b),
            c
        )),
        (left(), vec(right(), 1..4)).prop_map(|(a, b)| Condition::In(Operand::Path(a), b)),
        left().prop_map(Condition::Exists),
        left().prop_map(Condition::NotExists),
        left().prop_map(|path| {
            let name = Operand::Value(Arc::clone(placeholders().value(":type").unwrap()));
            Condition::AttributeType(path, name)
        }),
        (left(), right()).prop_map(|(a, b)| Condition::BeginsWith(Operand::Path(a), b)),
        (left(), right()).prop_map(|(a, b)| Condition::Contains(Operand::Path(a), b)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Condition::All),
            vec(inner.clone(), 2..4).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

/// Pieces of expressions in any order: mostly nonsense, sometimes not.
fn soup() -> impl Strategy<Value = String> {
    let words = vec![
        "a",
        "b",
        "l",
        "#a",
        "#b",
        "#L",
        "#",
        ":",
        ":s",
        ":n",
        ":ss",
        ":l",
        ":m",
        ":z",
        "ss",
        "m.a",
        "l[2].a",
        "l[0]",
        "[",
        "]",
        ".",
        ",",
        "(",
        ")",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "size(",
        "contains(",
        "begins_with(",
        "attribute_exists(",
        "attribute_type(",
        "if_not_exists(",
        "list_append(",
        "9",
        "99999999999",
        "é",
        "\u{0}",
    ];
    vec(select(words), 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn a_printed_condition_reads_back_as_it_was(condition in any_condition()) {
        let text = print(&condition);
        let read = Condition::parse("ConditionExpression", &text, &placeholders());
        prop_assert_eq!(read.unwrap(), condition, "{}", text);
    }

    #[test]
    fn not_is_the_opposite_of_any_condition(condition in any_condition()) {
        let opposite = Condition::Not(Box::new(condition.clone()));
        prop_assert_ne!(condition.holds(&subject()), opposite.holds(&subject()));
    }

    #[test]
    fn no_soup_of_tokens_makes_a_parser_panic(text in soup()) {
        fuzz_expression(&text);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}") {
        fuzz_expression(&text);
    }

    #[test]
    fn what_a_set_writes_a_projection_reads(path in any_path(&["num", "tags"]), number in 0_usize..100) {
        let path = Path { steps: Vec::new(), ..path };
        let values = json!({":v": {"N": number.to_string()}});
        let placeholders = Placeholders::read(None, values.as_object()).unwrap();
        let update = Update::parse(&format!("SET {path} = :v"), &placeholders).unwrap();
        let projected = Projection::of_paths(&[&path]).apply(&update.apply(&subject()).unwrap());
        prop_assert_eq!(item_to_json(&projected), json!({path.attribute: {"N": number.to_string()}}));
    }
}
