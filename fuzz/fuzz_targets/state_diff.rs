//! Two bodies, parted by a byte that no JSON has: their comparison must refuse rather than crash, mirror when its sides are
//! swapped, print and serialise, and find nothing between a state and itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidelock_core::diff::{Contents, Diff, Sensitive};

fuzz_target!(|bodies: &[u8]| {
    let mut bodies = bodies.splitn(2, |byte| *byte == 0xff);
    let (old, new) = (
        bodies.next().unwrap_or_default(),
        bodies.next().unwrap_or_default(),
    );
    if let Ok(same) = Diff::between(old, old, Sensitive::Hide) {
        assert!(same.is_empty());
    }
    if let Ok(contents) = Contents::read(old, Sensitive::Hide) {
        let outputs = &contents.outputs;
        assert!(
            outputs
                .iter()
                .all(|output| !output.sensitive || output.value.is_none())
        );
        assert!(serde_json::to_string(&contents).is_ok());
    }
    let there = Diff::between(old, new, Sensitive::Hide);
    let back = Diff::between(new, old, Sensitive::Hide);
    assert_eq!(there.is_ok(), back.is_ok());
    if let (Ok(there), Ok(back)) = (there, back) {
        assert_eq!(there.counts().added, back.counts().removed);
        assert_eq!(there.counts().changed, back.counts().changed);
        assert_eq!(there.output_counts().added, back.output_counts().removed);
        // As it is printed: a number that no float holds is still a number of the state.
        assert!(serde_json::to_string(&there).is_ok());
        assert!(!there.to_string().is_empty());
        for value in there
            .resources
            .iter()
            .chain(&there.outputs)
            .flat_map(|change| &change.values)
        {
            assert!(!value.sensitive || (value.old.is_none() && value.new.is_none()));
        }
    }
});
