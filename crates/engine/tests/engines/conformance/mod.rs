//! What every engine must do, written once: `conformance_tests!` makes a test of each for one engine.

pub mod blobs;
pub mod concurrency;
pub mod records;
pub mod snapshots;

use bytes::Bytes;
use tidelock_engine::{Batch, Committed, Engine, Expect, Revision};

/// Makes one test of every case of the suite. `$engine` gives a fresh engine and whatever must live as long as it;
/// `with_snapshots` adds what holds of engines that copy themselves.
#[macro_export]
macro_rules! conformance_tests {
    ($engine:expr) => {
        $crate::conformance_tests!($engine, records:
            a_missing_key_reads_as_nothing
            a_value_reads_back_with_the_revision_of_its_commit
            an_empty_key_and_an_empty_value_are_kept
            a_value_of_every_byte_reads_back
            a_later_put_replaces_an_earlier_one
            a_deleted_key_is_gone_and_deleting_it_again_is_fine
            a_key_put_and_deleted_in_one_batch_is_gone
            a_scan_is_in_byte_order_from_start_to_before_end
            a_scan_stops_at_its_limit
            a_backward_scan_is_the_forward_one_reversed
            a_backward_scan_with_a_limit_takes_the_last_ones
            an_empty_or_inverted_range_scans_nothing
            absent_is_met_only_while_the_key_is_missing
            at_is_met_only_by_the_last_writer
            one_failed_check_of_several_leaves_nothing_behind
            a_check_of_a_key_that_is_not_written_counts
            a_deleted_and_recreated_key_has_a_new_revision
            all_keys_of_a_batch_share_its_revision
            a_conflict_is_not_an_error_and_the_next_commit_goes_through
        );
        $crate::conformance_tests!($engine, blobs:
            a_missing_blob_reads_as_nothing
            a_blob_reads_back_whole
            a_range_is_cut_at_the_end_of_the_blob
            a_range_past_the_end_is_empty
            an_inverted_range_is_empty
            an_empty_blob_exists
            ranges_across_every_inner_boundary_read_back
            a_conflict_stores_no_blob
            a_dropped_blob_is_gone_and_dropping_it_again_is_fine
            a_blob_put_and_dropped_in_one_batch_is_gone
            a_blob_id_is_not_taken_twice_and_the_batch_leaves_nothing
            blobs_with_neighbouring_ids_do_not_mix
        );
        $crate::conformance_tests!($engine, concurrency:
            concurrent_counters_lose_no_increment
            of_many_claims_to_one_key_exactly_one_wins
            a_read_after_an_answer_sees_the_write
            a_scan_sees_whole_batches_only
            a_commit_whose_caller_went_away_is_whole_or_absent
            revisions_of_concurrent_commits_are_all_different
        );
    };
    ($engine:expr, with_snapshots) => {
        $crate::conformance_tests!($engine);
        $crate::conformance_tests!($engine, snapshots:
            a_snapshot_opens_with_everything_in_it
            a_snapshot_of_nothing_is_an_empty_store
            a_snapshot_is_one_moment_while_others_commit
            a_second_snapshot_at_the_same_time_is_refused
            a_snapshot_whose_caller_went_away_gives_way_to_the_next
        );
    };
    ($engine:expr, $module:ident: $($case:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (engine, _kept) = $engine;
                    $crate::conformance::$module::$case(std::sync::Arc::new(engine)).await;
                }
            )+
        }
    };
}

/// Commits and expects it to be done.
pub async fn done(engine: &impl Engine, batch: Batch) -> Revision {
    match engine.commit(batch).await.unwrap() {
        Committed::Done(revision) => revision,
        Committed::Conflict => panic!("a conflict where none was expected"),
    }
}

/// Commits and expects it to be refused.
pub async fn conflict(engine: &impl Engine, batch: Batch) {
    assert_eq!(engine.commit(batch).await.unwrap(), Committed::Conflict);
}

pub fn put(key: &str, value: &str) -> Batch {
    puts(&[(key, value)])
}

pub fn puts(pairs: &[(&str, &str)]) -> Batch {
    let pair =
        |(key, value): &(&str, &str)| (key.as_bytes().to_vec(), Bytes::copy_from_slice(value.as_bytes()));
    Batch {
        puts: pairs.iter().map(pair).collect(),
        ..Batch::default()
    }
}

pub fn delete(key: &str) -> Batch {
    Batch {
        deletes: vec![key.into()],
        ..Batch::default()
    }
}

pub fn checked(key: &str, expect: Expect, mut batch: Batch) -> Batch {
    batch.checks.push((key.into(), expect));
    batch
}

/// The value of a key as text.
pub async fn text(engine: &impl Engine, key: &str) -> Option<String> {
    let entry = engine.get(key.as_bytes()).await.unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}
