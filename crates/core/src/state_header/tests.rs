//! What is taken for a state, and what is read of one.

use super::*;

#[test]
fn a_plain_state_is_read() {
    let header = StateHeader::parse(
        br#"{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"a-b","outputs":{"x":{"serial":99}},"resources":[]}"#,
    )
    .unwrap();
    assert_eq!(
        (header.serial, header.lineage.as_str(), header.encrypted),
        (7, "a-b", false)
    );
}

#[test]
fn an_encrypted_state_shows_serial_and_lineage() {
    let body = br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"AAAA","encryption_version":"v0"}"#;
    assert!(StateHeader::parse(body).is_ok_and(|h| h.encrypted && h.serial == 3 && h.version.is_none()));
}

#[test]
fn a_state_without_resources_and_outputs_is_empty() {
    let is_empty = |fields: &str| {
        let body = format!(r#"{{"version":4,"serial":1,"lineage":"l"{fields}}}"#);
        StateHeader::parse(body.as_bytes()).unwrap().empty
    };
    for empty in [
        r#","outputs":{},"resources":[],"check_results":null"#,
        ",\"outputs\":{ },\"resources\":[\n]",
    ] {
        assert!(is_empty(empty), "{empty}");
    }
    for other in [
        r#","outputs":{},"resources":[{}]"#,
        r#","outputs":{"a":{"value":1}},"resources":[]"#,
        r#","outputs":{},"resources":null"#,
        r#","outputs":{},"resources":true"#,
        r#","outputs":{},"resources":1"#,
        r#","outputs":{},"resources":-1.5"#,
        r#","outputs":{},"resources":-1"#,
        r#","outputs":{},"resources":"[]""#,
        r#","outputs":{}"#,
        r#","modules":[{"resources":{"a":{}}}]"#,
    ] {
        assert!(!is_empty(other), "{other}");
    }
}

#[test]
fn another_serial_leaves_every_other_byte() {
    let body = br#" {"version":4, "serial" : 7 ,"lineage":"serial","outputs":{"serial":7},"s\u0065rial":8}"#;
    let raised = with_serial(body, 12_345).unwrap();
    assert_eq!(
        String::from_utf8(raised.clone()).unwrap(),
        r#" {"version":4, "serial" : 12345 ,"lineage":"serial","outputs":{"serial":7},"s\u0065rial":12345}"#
    );
    assert_eq!(StateHeader::parse(&raised).unwrap().serial, 12_345);
    assert!(with_serial(b"[7]", 1).is_err());
}

#[test]
fn depth_does_not_exhaust_the_stack() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    for field in ["x", "resources", "outputs"] {
        let body = format!(r#"{{"version":4,"serial":1,"lineage":"l","{field}":{deep}}}"#);
        assert!(StateHeader::parse(body.as_bytes()).is_ok(), "{field}");
    }
}

#[test]
fn what_is_not_a_state_is_not_taken_for_one() {
    let long = format!(r#"{{"version":4,"serial":1,"lineage":"{}"}}"#, "x".repeat(2_000));
    let others = [
        "",
        "{}",
        "[]",
        "7",
        r#"{"version":4,"serial":-1,"lineage":"l"}"#,
        r#"{"version":4,"serial":1}"#,
    ];
    for body in others
        .into_iter()
        .chain([long.as_str(), r#"{"version":4,"serial":1,"lineage":"l"} x"#])
    {
        assert!(
            StateHeader::parse(body.as_bytes()).is_err(),
            "{}",
            &body[..body.len().min(60)]
        );
    }
}

#[test]
fn the_beginning_of_a_state_tells_serial_and_lineage_once_both_are_whole() {
    let plain = br#"{"version":4,"terraform_version":"1.11.4","serial":1234,"lineage":"l","outputs":{"a":{"value":"x"#;
    let sealed = br#"{"serial":7,"lineage":"l","meta":{"key_provider.pbkdf2":"e30="},"encrypted_data":"AAAA"#;
    assert_eq!(of_start(plain), Some((1234, "l".to_owned())));
    assert_eq!(of_start(sealed), Some((7, "l".to_owned())));
    let whole = br#"{"version":4,"lineage":"l","serial":12}"#;
    assert_eq!(of_start(whole), Some((12, "l".to_owned())));
    for end in 0..whole.len() {
        assert_eq!(
            of_start(&whole[..end]),
            None,
            "the serial may go on after {end} bytes"
        );
    }
    for other in [
        &b""[..],
        b"[1]",
        b"{}",
        br#"{"serial":-1,"lineage":"l","a":"#,
        b"\xff",
    ] {
        assert_eq!(of_start(other), None);
    }
}
