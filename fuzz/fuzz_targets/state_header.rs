//! The state header must agree with a full JSON parser on every body, and must refuse rather than crash: it reads
//! whatever a client puts at an address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidelock_core::StateHeader;

fuzz_target!(|body: &[u8]| {
    let header = StateHeader::parse(body);
    let whole = serde_json::from_slice::<Value>(body);
    match (&header, &whole) {
        (Ok(header), Ok(whole)) => {
            assert_eq!(whole["serial"].as_u64(), Some(header.serial));
            assert_eq!(whole["lineage"].as_str(), Some(header.lineage.as_str()));
            assert_eq!(whole["version"].as_u64(), header.version);
            assert_eq!(
                whole["terraform_version"].as_str(),
                header.terraform_version.as_deref()
            );
            assert_eq!(whole.get("encrypted_data").is_some(), header.encrypted);
            let is_vacant = |field: &str| match &whole[field] {
                Value::Array(members) => members.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => false,
            };
            assert_eq!(is_vacant("resources") && is_vacant("outputs"), header.empty);
        }
        // Depth and the values that the header skips are all that the full parser may refuse beyond it.
        (Ok(_), Err(error)) => assert!(error.is_syntax(), "taken for a state: {error}"),
        (Err(_), _) => {}
    }
});
