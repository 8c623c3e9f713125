//! Whether the checksums that are kept with an object still hold, for whoever verifies what is stored.

use tidelock_core::Content;

use super::checksum::{Algorithm, Checksum};

/// Whether a checksum is of the whole object or of the checksums of its parts.
pub const TYPE: &str = "x-amz-checksum-type";
/// Of the checksums of the parts.
pub const COMPOSITE: &str = "COMPOSITE";

/// Whether the checksums kept with an object are those of its bytes, which came in parts of these sizes.
///
/// # Errors
/// Which one is not.
pub fn hold(content: &Content, bytes: &[u8], part_sizes: &[u64]) -> Result<(), String> {
    let is_composite = content.headers.get(TYPE).is_some_and(|kind| kind == COMPOSITE);
    for algorithm in Algorithm::ALL {
        let Some(kept) = content.headers.get(algorithm.header()) else {
            continue;
        };
        let found = match is_composite {
            false => Some(Checksum::of(algorithm, bytes).to_base64()),
            true => Checksum::composite(&of_parts(algorithm, bytes, part_sizes)),
        };
        if found.as_ref() != Some(kept) {
            return Err(format!("its {} is not {kept}, as it was", algorithm.name()));
        }
    }
    Ok(())
}

fn of_parts(algorithm: Algorithm, mut bytes: &[u8], part_sizes: &[u64]) -> Vec<Checksum> {
    let part = |size: &u64| {
        let size = usize::try_from(*size).ok().filter(|size| *size <= bytes.len())?;
        let (part, rest) = bytes.split_at(size);
        bytes = rest;
        Some(Checksum::of(algorithm, part))
    };
    part_sizes.iter().map_while(part).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kept_checksums_hold_for_these_bytes_and_no_others() {
        let bytes = b"partsof";
        let [five, two] = [&bytes[..5], &bytes[5..]].map(|part| Checksum::of(Algorithm::Sha256, part));
        let whole = Checksum::of(Algorithm::Crc64Nvme, bytes).to_base64();
        let composite = Checksum::composite([&five, &two]).unwrap();
        for (algorithm, value, kind) in [
            (Algorithm::Crc64Nvme, whole, "FULL_OBJECT"),
            (Algorithm::Sha256, composite, COMPOSITE),
        ] {
            let mut content = Content::default();
            content.headers.insert(algorithm.header().to_owned(), value);
            content.headers.insert(TYPE.to_owned(), kind.to_owned());
            assert_eq!(hold(&content, bytes, &[5, 2]), Ok(()));
            let why = hold(&content, b"partsoF", &[5, 2]).unwrap_err();
            assert!(why.contains(algorithm.name()), "{why}");
        }
        assert_eq!(hold(&Content::default(), bytes, &[]), Ok(()));
    }
}
