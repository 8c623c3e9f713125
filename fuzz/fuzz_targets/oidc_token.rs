//! A token of an OIDC issuer comes from whoever likes to send one: read, it must not panic, and what is read of it must keep its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidelock_core::{Time, jwt::Token, limits::JWT_BYTES_MAX};

fuzz_target!(|text: &str| {
    let Ok(token) = Token::parse(text) else { return };
    assert!(text.len() <= JWT_BYTES_MAX && text.starts_with(token.signed));
    assert!(!token.audiences.is_empty() && !token.subject.is_empty());
    assert!(token.audience(&token.audiences).is_ok());
    let values = token.condition_values();
    assert_eq!(values["aud"], token.audiences);
    assert!(!values.keys().any(|name| name.contains(['/', ':'])));
    let _ = (token.check_time(Time(0)), token.handed_on());
});
