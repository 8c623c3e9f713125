//! What is read of a token, and what is refused before any key is asked for.

use serde_json::json;

use super::*;

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn token(header: &Value, claims: &Value) -> String {
    format!("{}.{}.c2ln", part(header), part(claims))
}

fn header() -> Value {
    json!({"alg": "RS256", "kid": "k1", "typ": "JWT"})
}

fn claims() -> Value {
    json!({
        "iss": "https://token.actions.githubusercontent.com", "sub": "repo:org/app:ref:refs/heads/main",
        "aud": "sts.amazonaws.com", "exp": 1_000, "iat": 700, "nbf": 690, "repository": "org/app", "run_attempt": 2,
        "private": true, "roles": ["a", "b"], "SUB": "repo:evil/app", "Aud": "other", "Team": "t", "nested": {"x": 1}, "mixed": ["a", {"x": 1}],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn a_token_is_read_with_its_claims_as_condition_values() {
    let text = token(&header(), &claims());
    let read = Token::parse(&text).unwrap();
    assert_eq!(read.algorithm, Algorithm::Rs256);
    assert_eq!(read.key_id.as_deref(), Some("k1"));
    assert_eq!(read.signature, b"sig");
    assert!(text.starts_with(read.signed) && !read.signed.ends_with('.'));
    let values = read.condition_values();
    assert_eq!(values["aud"], ["sts.amazonaws.com"]);
    assert_eq!(values["repository"], ["org/app"]);
    assert_eq!(values["run_attempt"], ["2"]);
    assert_eq!(values["private"], ["true"]);
    assert_eq!(values["roles"], ["a", "b"]);
    assert_eq!(values["Team"], ["t"]);
    for left_out in [
        "SUB", "Aud", "nested", "mixed", "iss", "exp", "iat", "nbf", "oaud",
    ] {
        assert!(!values.contains_key(left_out), "{left_out}");
    }
}

#[test]
fn whatever_is_not_a_signed_token_of_a_known_kind_is_refused() {
    let good = token(&header(), &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let mut bad = vec![
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        signed.to_owned(),
        format!("{signed}.c2ln="),
        format!("{signed}.c2 ln"),
        format!("{good}.c2ln"),
        format!(" {good}"),
        "x".repeat(JWT_BYTES_MAX + 1),
    ];
    for alg in ["none", "None", "HS256", "HS512", "ES512", "rs256", "", "ES256K"] {
        bad.push(token(&json!({"alg": alg, "kid": "k1"}), &claims()));
    }
    for header in [
        json!({"kid": "k1"}),
        json!({"alg": "RS256", "crit": ["b64"], "b64": false}),
        json!({"alg": "RS256", "crit": []}),
        json!({"alg": "RS256", "typ": "at+jwt"}),
        json!({"alg": "RS256", "kid": "k".repeat(JWT_KID_BYTES_MAX + 1)}),
        json!({"alg": ["RS256"]}),
        json!([]),
    ] {
        bad.push(token(&header, &claims()));
    }
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","alg":"RS256"}"#);
    bad.push(format!("{twice}.{}.c2ln", part(&claims())));
    for text in bad {
        assert!(
            matches!(Token::parse(&text), Err(JwtError::Malformed(_))),
            "{text}"
        );
    }
}

#[test]
fn claims_that_are_needed_must_be_there_and_of_their_kind() {
    let bad = [
        without("iss"),
        without("sub"),
        without("aud"),
        without("exp"),
        without("iat"),
        with("iss", json!(1)),
        with("sub", json!("")),
        with("aud", json!([])),
        with("aud", json!([1])),
        with("aud", json!({"a": 1})),
        with("azp", json!(["a"])),
        with("exp", json!("1000")),
        with("exp", json!(-1)),
        with("exp", json!(1e300)),
        with("nbf", json!(null)),
    ];
    for claims in bad {
        let text = token(&header(), &claims);
        assert!(
            matches!(Token::parse(&text), Err(JwtError::Malformed(_))),
            "{claims}"
        );
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!("{}.{}.c2ln", part(&header()), URL_SAFE_NO_PAD.encode(deep));
    assert!(Token::parse(&deep).is_err());
}

#[test]
fn a_token_counts_between_its_beginning_and_its_end_with_a_minute_for_the_clocks() {
    let text = token(&header(), &claims());
    let read = Token::parse(&text).unwrap();
    let at = |second: i64| read.check_time(Time(second * 1_000));
    assert_eq!(at(639), Err(JwtError::TooEarly));
    assert_eq!(at(640), Ok(()));
    assert_eq!(at(1_059), Ok(()));
    assert_eq!(at(1_060), Err(JwtError::Expired(Time(1_000_000))));
    let text = token(&header(), &with("nbf", json!(900.5)));
    let later = Token::parse(&text).unwrap();
    assert_eq!(later.check_time(Time(840_499)), Err(JwtError::TooEarly));
    assert_eq!(later.check_time(Time(840_500)), Ok(()));
}

#[test]
fn the_authorized_party_stands_for_the_audience_where_it_is_said() {
    let known = ["other".to_owned(), "sts.amazonaws.com".to_owned()];
    let text = token(&header(), &with("aud", json!(["x", "sts.amazonaws.com"])));
    assert_eq!(
        Token::parse(&text).unwrap().audience(&known),
        Ok("sts.amazonaws.com")
    );
    let text = token(&header(), &with("azp", json!("client")));
    let party = Token::parse(&text).unwrap();
    assert_eq!(party.audience(&known), Err(JwtError::Audience));
    assert_eq!(party.audience(&["client".to_owned()]), Ok("client"));
    let values = party.condition_values();
    assert_eq!(
        (&values["aud"], &values["oaud"]),
        (&vec!["client".to_owned()], &vec!["sts.amazonaws.com".to_owned()])
    );
}

#[test]
fn session_tags_come_in_the_form_that_aws_describes_or_not_at_all() {
    let handed_on = |claims: Value| {
        let text = token(&header(), &claims);
        Token::parse(&text).unwrap().handed_on()
    };
    assert_eq!(handed_on(claims()), Ok(HandedOn::default()));
    let tags = json!({"principal_tags": {"Team": ["infra"]}, "transitive_tag_keys": ["Team"]});
    let mut claims = with(TAGS, tags);
    claims[SOURCE_IDENTITY] = json!("alice");
    let given = handed_on(claims).unwrap();
    assert_eq!(given.tags["Team"], "infra");
    assert_eq!(
        (given.transitive, given.source_identity),
        (vec!["Team".to_owned()], Some("alice".to_owned()))
    );
    for tags in [
        json!({"principal_tags": {"Team": "infra"}}),
        json!({"principal_tags": {"T": ["a", "b"]}}),
        json!([1]),
    ] {
        assert!(handed_on(with(TAGS, tags)).is_err());
    }
}
