//! Which newer version an older one is stored as the difference from.
//!
//! Plain states of one address are counted from 1; the count is their place. A place that 4 divides L times, L at most 4,
//! is L steps high. Each rests on the next place that is higher: 1, 2 and 3 on 4, 4, 8 and 12 on 16. Those that are four
//! steps high, every 256th, stand alone. So the way to one that stands alone is at most four steps, which is what reading
//! any version costs; most versions differ from one that came shortly after, which is what keeping them costs; and what a
//! version rests on is always newer, so that ending history at its old end leaves nothing without its base.

use crate::limits::CHAIN_STEPS_MAX;

/// How high the highest places are.
const TOP: u32 = 4;

/// The place that the version at `place` rests on when `newest` is the newest; `None` when it stands alone.
///
/// One whose base has not been written yet stands alone until it is: those are at most three of each height. Of the lowest,
/// which are most, each rests on its successor meanwhile, so that a history of a few versions takes little too.
#[must_use]
pub fn base(place: u64, newest: u64) -> Option<u64> {
    let height = height(place);
    if height == TOP || place >= newest {
        return None;
    }
    let own = place.next_multiple_of(4_u64.pow(height + 1));
    if own <= newest {
        return Some(own);
    }
    (height == 0).then_some(place + 1)
}

/// Whether the version at `place` rests on one that stands alone for good: then so do, by whatever way, all before it, and
/// the answers for all of them never change again.
#[must_use]
pub fn ends(place: u64, newest: u64) -> bool {
    base(place, newest).is_some_and(|base| height(base) == TOP)
}

fn height(place: u64) -> u32 {
    (place.trailing_zeros() / 2).min(TOP)
}

const _: () = assert!(CHAIN_STEPS_MAX == TOP as usize);

#[cfg(test)]
mod tests {
    use super::*;

    /// The places from one to that which stands alone.
    fn way(place: u64, newest: u64) -> Vec<u64> {
        let mut way = vec![place];
        while let Some(next) = base(way[way.len() - 1], newest) {
            way.push(next);
        }
        way
    }

    #[test]
    fn every_version_is_a_few_steps_from_one_that_stands_alone() {
        for newest in 1..1_500 {
            for place in 1..=newest {
                let way = way(place, newest);
                assert!(way.is_sorted(), "{way:?} goes back");
                assert!(way.len() <= CHAIN_STEPS_MAX + 1, "{way:?} of {newest}");
            }
        }
    }

    #[test]
    fn few_stand_alone() {
        for newest in 1..1_500 {
            let alone = (1..newest).filter(|place| base(*place, newest).is_none()).count() as u64;
            assert!(alone <= newest / 256 + 3 * 3, "{alone} of {newest}");
        }
    }

    #[test]
    fn before_one_that_rests_on_the_top_nothing_changes_any_more() {
        for newest in 1..1_500 {
            let last = (1..newest).rev().find(|place| ends(*place, newest));
            for place in 1..=last.unwrap_or(0) {
                assert_eq!(
                    base(place, newest),
                    base(place, newest + 1),
                    "{place} of {newest}"
                );
            }
        }
        assert!(!ends(255, 255) && ends(255, 256) && ends(255, 400) && !ends(256, 400));
    }

    #[test]
    fn a_version_is_stored_anew_once_or_twice() {
        let mut changes = 0;
        for newest in 1..2_000 {
            changes += (1..newest)
                .filter(|place| base(*place, newest) != base(*place, newest - 1))
                .count();
        }
        assert!(changes < 2_000 * 3 / 2, "{changes}");
    }
}
