//! The log as a whole: written, read, followed, handed on, broken and mended.
#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::symlink, path::Path};

use futures_util::future::join_all;
use tidelock_doors::audit::Filter;

use super::*;

/// Small enough for many segments.
const SEGMENT_BYTES: u64 = 4_096;

fn entry(address: &str) -> Entry {
    Entry {
        door: "s3".to_owned(),
        operation: "GetObject".to_owned(),
        address: address.to_owned(),
        status: 200,
        ..Entry::default()
    }
}

fn open_log(data: &Path, collector: Option<Collector>) -> AuditLog {
    AuditLog::with_segments_of(SEGMENT_BYTES, data, collector).unwrap()
}

/// A log of so many entries, between the two of the server itself, closed.
async fn written(data: &Path, count: usize) {
    let log = open_log(data, None);
    for number in 0..count {
        log.record(entry(&format!("b/{number}"))).await.unwrap();
    }
    log.close().await;
}

fn checked(data: &Path) -> Verified {
    verify::verify(&Segments::of(data), None, None).unwrap()
}

fn broken(data: &Path) -> String {
    checked(data).broken.unwrap()
}

/// The names of the segments, oldest first.
fn names(data: &Path) -> Vec<String> {
    let firsts = Segments::of(data).list().unwrap();
    firsts.into_iter().map(Segments::name).collect()
}

/// Has `change` rewrite the lines of a segment.
fn rewrite(data: &Path, name: &str, change: impl FnOnce(&mut Vec<String>)) {
    let path = data.join("audit").join(name);
    let mut lines: Vec<_> = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    change(&mut lines);
    fs::write(
        &path,
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
}

async fn addresses(log: &AuditLog, wanted: Wanted) -> Vec<String> {
    let pieces: Vec<_> = log.read(wanted).collect().await;
    let text = pieces
        .into_iter()
        .map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap());
    let text: String = text.collect();
    let entries = text
        .lines()
        .map(|line| serde_json::from_str::<Entry>(line).unwrap());
    entries
        .map(|entry| entry.address)
        .filter(|address| !address.is_empty())
        .collect()
}

#[tokio::test]
async fn entries_that_come_together_are_chained_across_segments_and_starts() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let log = open_log(dir.path(), None);
        let all = join_all((0..100).map(|number| log.record(entry(&format!("b/{number}"))))).await;
        assert!(all.iter().all(Result::is_ok));
        log.close().await;
    }
    let verified = checked(dir.path());
    assert_eq!((verified.checked, verified.broken), (204, None));
    assert!(names(dir.path()).len() > 1);
}

#[tokio::test]
async fn what_is_behind_the_last_whole_line_is_moved_aside_and_noted() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3).await;
    let last = dir.path().join("audit").join(names(dir.path()).pop().unwrap());
    let mut text = fs::read(&last).unwrap();
    text.extend_from_slice(b"{\"seq\":6,\"prev\":\"0");
    fs::write(&last, text).unwrap();
    assert!(
        broken(dir.path()).contains("18 bytes that are no entry"),
        "{}",
        broken(dir.path())
    );
    written(dir.path(), 1).await;
    let verified = checked(dir.path());
    assert_eq!((verified.checked, verified.broken), (9, None));
    assert_eq!(
        fs::read(dir.path().join("audit/torn-000000000006")).unwrap(),
        b"{\"seq\":6,\"prev\":\"0"
    );
    let text = fs::read_to_string(last).unwrap();
    assert!(
        text.contains("AuditMended") && text.contains("18 bytes"),
        "{text}"
    );
}

#[tokio::test]
async fn a_whole_line_that_a_crash_has_garbled_is_moved_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3).await;
    fs::remove_file(dir.path().join("audit/head")).unwrap();
    let name = names(dir.path()).pop().unwrap();
    rewrite(dir.path(), &name, |lines| {
        let last = lines.last_mut().unwrap();
        *last = last.replace("ServerStopped", "SssssrStopped");
    });
    written(dir.path(), 0).await;
    let verified = checked(dir.path());
    assert_eq!((verified.checked, verified.broken), (7, None));
}

#[tokio::test]
async fn every_change_of_what_was_written_is_found_and_named() {
    type Change = fn(&mut Vec<String>);
    let cases: [(Change, &str); 5] = [
        (
            |lines| lines[2] = lines[2].replace("b/1", "b/9"),
            "entry 3 was changed",
        ),
        (
            |lines| drop(lines.remove(2)),
            "entries 3 to 3 before this are missing",
        ),
        (|lines| lines.swap(2, 3), "entries 3 to 3 before this are missing"),
        (
            |lines| lines.insert(2, lines[1].clone()),
            "entry 2 comes after entry 2",
        ),
        (|lines| lines[2] = "{}".to_owned(), "this is no entry"),
    ];
    for (change, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), 30).await;
        let first = names(dir.path()).remove(0);
        rewrite(dir.path(), &first, change);
        assert!(broken(dir.path()).contains(expected), "{}", broken(dir.path()));
    }
}

#[tokio::test]
async fn a_rewritten_entry_is_found_by_the_next_and_a_rewritten_end_by_the_head() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 5).await;
    let noted = checked(dir.path()).last.unwrap();
    let first = names(dir.path()).remove(0);
    // Whoever knows how the hash is made replaces one entry…
    let forge = |lines: &mut Vec<String>, from: usize, to: usize| {
        let mut last = chain::link(lines[from - 1].as_bytes()).unwrap().mark;
        for line in &mut lines[from..to] {
            let (mut sealed, entry) = (Vec::new(), entry("b/forged"));
            chain::seal(&entry, &mut last, &mut sealed);
            sealed.pop();
            *line = String::from_utf8(sealed).unwrap();
        }
    };
    rewrite(dir.path(), &first, |lines| forge(lines, 2, 3));
    let why = broken(dir.path());
    assert!(why.contains("entry 4 does not follow from entry 3"), "{why}");
    // …and then all that follow…
    rewrite(dir.path(), &first, |lines| {
        let end = lines.len();
        forge(lines, 2, end);
    });
    let why = broken(dir.path());
    assert!(why.contains("entry 7 is not the one that was on disk"), "{why}");
    // …and the head, which only who has noted it elsewhere can tell.
    let text = fs::read_to_string(dir.path().join("audit").join(&first)).unwrap();
    let head = chain::link(text.lines().last().unwrap().as_bytes()).unwrap().mark;
    fs::write(dir.path().join("audit/head"), head.to_string()).unwrap();
    assert_eq!(checked(dir.path()).broken, None);
    let pinned = verify::verify(&Segments::of(dir.path()), Some(&noted), None).unwrap();
    assert!(pinned.broken.unwrap().contains("entry 7 is another one now"));
}

#[tokio::test]
async fn a_missing_segment_is_a_fault_unless_it_is_one_of_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 60).await;
    let names = names(dir.path());
    fs::remove_file(dir.path().join("audit").join(&names[0])).unwrap();
    let verified = checked(dir.path());
    assert_eq!(verified.broken, None);
    assert!(verified.first.unwrap().seq > 1);
    fs::remove_file(dir.path().join("audit").join(&names[2])).unwrap();
    assert!(broken(dir.path()).contains("before this are missing"));
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_and_stays_to_be_seen() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 5).await;
    let name = names(dir.path()).remove(0);
    rewrite(dir.path(), &name, |lines| lines.truncate(4));
    assert!(broken(dir.path()).contains("entries 5 to 7 at the end are missing"));
    written(dir.path(), 2).await;
    let why = broken(dir.path());
    assert!(why.contains("entries 5 to 7 before this are missing"), "{why}");
    let log = open_log(dir.path(), None);
    let pieces: Vec<_> = log
        .read(Wanted {
            after: 7,
            ..Wanted::default()
        })
        .collect()
        .await;
    let text = String::from_utf8(pieces[0].clone().unwrap().to_vec()).unwrap();
    assert!(
        text.starts_with("{\"seq\":8,") && text.contains("AuditEndMissing"),
        "{text}"
    );
    log.close().await;
}

#[tokio::test]
async fn a_known_entry_is_where_verification_begins() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 60).await;
    let segments = Segments::of(dir.path());
    let all = checked(dir.path());
    let text = fs::read_to_string(dir.path().join("audit").join(&names(dir.path())[2])).unwrap();
    let mark = chain::link(text.lines().nth(1).unwrap().as_bytes()).unwrap().mark;
    let rest = verify::verify(&segments, Some(&mark), None).unwrap();
    assert_eq!((rest.broken, rest.last), (None, all.last));
    assert_eq!(rest.checked + mark.seq, 62);
    let other = Mark {
        hash: Mark::default().hash,
        ..mark.clone()
    };
    let why = verify::verify(&segments, Some(&other), None)
        .unwrap()
        .broken
        .unwrap();
    assert!(
        why.contains(&format!("entry {} is another one now", mark.seq)),
        "{why}"
    );
    let beyond = Mark { seq: 99, ..mark };
    let why = verify::verify(&segments, Some(&beyond), None)
        .unwrap()
        .broken
        .unwrap();
    assert!(why.contains("entry 99 is not there"), "{why}");
}

/// A log of a hundred entries in several segments: odd and even ones, from 1,000 ms on. The server's own start is entry 1.
async fn hundred(data: &Path) -> AuditLog {
    let log = open_log(data, None);
    for number in 0..100 {
        let kind = if number % 2 == 0 { "even" } else { "odd" };
        let entry = Entry {
            time_ms: 1_000 + number,
            ..entry(&format!("{kind}/{number}"))
        };
        log.record(entry).await.unwrap();
    }
    assert!(names(data).len() > 3);
    log
}

#[tokio::test]
async fn a_reader_gets_all_or_the_last_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let log = hundred(dir.path()).await;
    let all = addresses(&log, Wanted::default()).await;
    assert_eq!(
        (all.len(), all[0].as_str(), all[99].as_str()),
        (100, "even/0", "odd/99")
    );
    let last = |last| Wanted {
        last: Some(last),
        ..Wanted::default()
    };
    assert_eq!(addresses(&log, last(2)).await, ["even/98", "odd/99"]);
    assert!(addresses(&log, last(0)).await.is_empty());
    let last_odd = Wanted {
        filter: Filter {
            address: Some("odd/".to_owned()),
            ..Filter::default()
        },
        ..last(30)
    };
    let found = addresses(&log, last_odd).await;
    assert_eq!((found.len(), found[0].as_str()), (30, "odd/41"));
    log.close().await;
}

#[tokio::test]
async fn a_reader_begins_behind_an_entry_or_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = hundred(dir.path()).await;
    let after = |after| Wanted {
        after,
        ..Wanted::default()
    };
    assert_eq!(addresses(&log, after(99)).await, ["even/98", "odd/99"]);
    assert!(addresses(&log, after(9_999)).await.is_empty());
    let since = Wanted {
        since_ms: Some(1_098),
        ..Wanted::default()
    };
    assert_eq!(addresses(&log, since).await, ["even/98", "odd/99"]);
    log.close().await;
}

#[tokio::test]
async fn who_follows_sees_what_comes_and_ends_with_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path(), None);
    log.record(entry("b/old")).await.unwrap();
    let mut follower = log.read(Wanted {
        last: Some(1),
        follow: true,
        ..Wanted::default()
    });
    let first = follower.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("b/old"));
    // Enough for a segment or two more.
    for number in 0..40 {
        log.record(entry(&format!("b/new-{number}"))).await.unwrap();
    }
    let mut seen = String::new();
    while !seen.contains("b/new-39") {
        seen.push_str(&String::from_utf8_lossy(&follower.next().await.unwrap().unwrap()));
    }
    assert_eq!(seen.lines().filter(|line| !line.is_empty()).count(), 40);
    log.close().await;
    while follower.next().await.is_some() {}
}

#[tokio::test]
async fn a_collector_gets_every_line_once_though_its_file_is_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let (file, old) = (dir.path().join("lines"), dir.path().join("lines.1"));
    let log = open_log(dir.path(), Some(Collector::File(file.clone())));
    log.record(entry("b/1")).await.unwrap();
    while !fs::read_to_string(&file).unwrap_or_default().contains("b/1") {
        task::yield_now().await;
    }
    fs::rename(&file, &old).unwrap();
    log.record(entry("b/2")).await.unwrap();
    log.close().await;
    let text = [old, file].map(|path| fs::read_to_string(path).unwrap()).concat();
    let seqs: Vec<_> = text
        .lines()
        .map(|line| chain::seq(line.as_bytes()).unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    assert!(
        text.lines()
            .all(|line| chain::link(line.as_bytes()).unwrap().holds)
    );
}

#[tokio::test]
async fn nothing_is_let_through_while_the_disk_is_full_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let segments = Segments::of(dir.path());
    segments.make().unwrap();
    let path = segments.path(&Segments::name(1));
    symlink("/dev/full", &path).unwrap();
    // Opened by hand, since a start looks at what is there.
    let shared = Arc::new(Shared::at(0));
    let end = open::End {
        last: Mark::default(),
        segment: None,
        notes: Vec::new(),
    };
    let writer = Writer::new(segments.clone(), shared.clone(), end, SEGMENT_BYTES);
    let (jobs, todo) = mpsc::channel();
    let tasks = Tasks {
        writer: thread::spawn(move || writer.run(&todo)),
        collector: None,
    };
    let log = AuditLog {
        segments,
        jobs,
        shared,
        tasks: Mutex::new(Some(tasks)),
    };
    let refused = log.record(entry("b/in-flight")).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be written"), "{refused}");
    assert!(log.ready().is_err() && log.ready().is_err());
    fs::remove_file(&path).unwrap();
    while log.ready().is_err() {
        time::sleep(Duration::from_millis(10)).await;
    }
    log.record(entry("b/after")).await.unwrap();
    log.close().await;
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("b/in-flight") && text.contains("b/after"), "{text}");
    assert!(
        text.contains("AuditResumed") && text.contains("requests were refused"),
        "{text}"
    );
    assert_eq!(checked(dir.path()).broken, None);
}
