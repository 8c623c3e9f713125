//! A tail behind a stored body from which one damaged page of it can be made again.
//!
//! Older versions rest on newer ones, so a single bit that a disk gets wrong would take hundreds of versions along. The tail
//! holds a CRC-32C of each page, which tells the bad one, and the exclusive or of all pages, which makes it again. Whether it
//! came out right is not for this file to say: the seal tells.

use crc_fast::{CrcAlgorithm, checksum};

/// Pages of a body, at most: the tail is about a sixtieth of it.
const PAGES: usize = 64;
/// Smallest page, in bytes.
const PAGE_BYTES_MIN: usize = 64;
/// Bytes of a checksum.
const CRC_BYTES: usize = 4;

fn page_bytes(length: usize) -> usize {
    length.div_ceil(PAGES).next_power_of_two().max(PAGE_BYTES_MIN)
}

fn crc(page: &[u8]) -> [u8; CRC_BYTES] {
    let crc = checksum(CrcAlgorithm::Crc32Iscsi, page);
    // Of the 64 bits that it comes in, 32 are used.
    (crc as u32).to_be_bytes()
}

fn add(to: &mut [u8], page: &[u8]) {
    to.iter_mut().zip(page).for_each(|(to, from)| *to ^= from);
}

/// What goes behind `bytes`.
pub(crate) fn tail(bytes: &[u8]) -> Vec<u8> {
    let page = page_bytes(bytes.len());
    let mut tail: Vec<u8> = bytes.chunks(page).flat_map(crc).collect();
    let mut sum = vec![0; page.min(bytes.len())];
    bytes.chunks(page).for_each(|page| add(&mut sum, page));
    tail.append(&mut sum);
    tail
}

/// Whether the tail behind the first `length` bytes is the one that belongs there.
pub(crate) fn is_whole(stored: &[u8], length: usize) -> bool {
    let split = stored.split_at_checked(length);
    split.is_some_and(|(bytes, found)| tail(bytes) == found)
}

/// The first `length` bytes with the one damaged page made again; `None` when not just one is damaged.
pub(crate) fn mend(stored: &[u8], length: usize) -> Option<Vec<u8>> {
    let (bytes, tail) = stored.split_at_checked(length)?;
    let page = page_bytes(length);
    let (crcs, sum) = tail.split_at_checked(length.div_ceil(page) * CRC_BYTES)?;
    let pages = || bytes.chunks(page).zip(crcs.chunks(CRC_BYTES)).enumerate();
    let mut bad = pages().filter(|(_, (page, found))| crc(page) != *found);
    let (at, _) = bad.next()?;
    if bad.next().is_some() {
        return None;
    }
    let mut again = sum.to_vec();
    let others = pages().filter(|(other, _)| *other != at);
    others.for_each(|(_, (page, _))| add(&mut again, page));
    let mut mended = bytes.to_vec();
    let place = mended.chunks_mut(page).nth(at)?;
    let length = place.len();
    place.copy_from_slice(again.get(..length)?);
    Some(mended)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * n % 251) as u8).collect()
    }

    #[test]
    fn any_damaged_page_is_made_again() {
        for length in [1, 40, 64, 65, 300, 5_000, 100_001] {
            let (whole, tail) = (bytes(length), tail(&bytes(length)));
            let stored = [whole.as_slice(), &tail].concat();
            assert!(is_whole(&stored, length) && mend(&stored, length).is_none());
            for at in (0..stored.len()).step_by(length.div_ceil(97)) {
                let mut damaged = stored.clone();
                damaged[at] ^= 0x10;
                assert!(!is_whole(&damaged, length), "{at} of {length}");
                if at < length {
                    assert_eq!(mend(&damaged, length).unwrap(), whole, "{at} of {length}");
                }
            }
        }
    }

    #[test]
    fn two_damaged_pages_are_not_mended() {
        let whole = bytes(5_000);
        let mut stored = [whole.as_slice(), &tail(&whole)].concat();
        stored[0] ^= 1;
        stored[4_999] ^= 1;
        assert!(mend(&stored, 5_000).is_none());
    }

    #[test]
    fn what_is_cut_off_is_not_mended() {
        let whole = bytes(5_000);
        let stored = [whole.as_slice(), &tail(&whole)].concat();
        for length in [0, 100, 4_999, 5_000, stored.len() - 1] {
            assert!(!is_whole(&stored[..length], 5_000));
            let _ = mend(&stored[..length], 5_000);
        }
        assert!(is_whole(&[], 0));
    }
}
