//! The parts of a backup file: what a header, a list of digests or a manifest says is what would be written for it, or it is
//! refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidelock_core::archive::{self, BLOCK_BYTES, Manifest, Member};

fuzz_target!(|bytes: &[u8]| {
    if let Some(block) = bytes.first_chunk::<BLOCK_BYTES>() {
        if let Ok(member) = Member::parse(block, 0) {
            assert_eq!(member.header(), *block);
            assert!(member.archived_bytes() >= member.size);
            let small = archive::small_bytes(&member, archive::MANIFEST);
            assert!(small.is_err() || small == Ok(member.size as usize));
        }
    }
    let names = [archive::MANIFEST, archive::DATABASE];
    if let Ok([manifest, database]) = archive::read_sums(bytes, names, archive::SUMS) {
        let again = archive::sums(&[(names[0], manifest), (names[1], database)]);
        assert_eq!(again.as_bytes(), bytes);
    }
    if let Ok(manifest) = Manifest::parse(bytes) {
        let text = serde_json::to_vec(&manifest).expect("a manifest is plain JSON");
        assert_eq!(Manifest::parse(&text), Ok(manifest));
    }
});
