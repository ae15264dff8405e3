#![allow(clippy::disallowed_methods, reason = "tears logs of its own")]

use super::log::{FILE, INSTANCES};
use super::*;
use crate::store::Durability;
use serde_json::json;
use std::fs;

fn text(call: &str) -> Entry {
    Entry::Done { call: call.to_owned(), notices: vec!["é".repeat(20)], recovered: false }
}

#[test]
fn a_log_cut_at_any_byte_loses_at_most_its_last_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    for call in 0..4 {
        log.append(&Entry::Cut { bytes: call }).expect("it is written");
    }
    drop(log);
    let path = folder.path().join(FILE);
    let whole = fs::read(&path).expect("the log");
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).expect("the log is ours");
        let kept = whole[..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens again");
        drop(log);
        let verified = verify(folder.path(), None).expect("it can be read");
        assert!(verified.is_sound(), "cut at {end}: {:?}", verified.findings);
        let torn = u64::from(end > 0 && whole[end - 1] != b'\n');
        assert_eq!(
            verified.lines,
            kept + torn + 1,
            "cut at {end}: what was whole, a note, the opening"
        );
    }
}

#[test]
fn two_openings_write_one_chain() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = || SessionLog::open(folder.path(), Durability::Group).expect("it opens");
    let (first, second) = (open(), open());
    assert_ne!(first.instance(), second.instance());
    std::thread::scope(|scope| {
        for log in [&first, &second, &first, &second] {
            scope.spawn(move || {
                for _ in 0..50 {
                    log.append(&Entry::Cut { bytes: 1 }).expect("it is written");
                }
            });
        }
    });
    let verified = verify(folder.path(), None).expect("it can be read");
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!(verified.lines, 202);
    drop((first, second));
    assert_eq!(fs::read_dir(folder.path().join(INSTANCES)).expect("a folder").count(), 0);
}

#[test]
fn a_log_that_was_moved_away_takes_no_line_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    let path = folder.path().join(FILE);
    let code = |log: &SessionLog| {
        let refused = log.append(&text("c-1")).expect_err("nobody would find it");
        refused.diagnostic().code.into_owned()
    };
    fs::rename(&path, folder.path().join("old.jsonl")).expect("the log is ours");
    assert_eq!(code(&log), "log/moved");
    // Another one has its name now.
    let next = SessionLog::open(folder.path(), Durability::Never).expect("it begins anew");
    assert_eq!(code(&log), "log/moved");
    next.append(&text("c-2")).expect("it is the one of that name");
}

#[test]
fn what_a_line_speaks_of_is_on_the_disk_before_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Group).expect("it opens");
    let (tell, told) = std::sync::mpsc::channel();
    log.sync_first(move || tell.send(()).map_err(std::io::Error::other));
    log.append(&text("c-1")).expect("it is written");
    told.recv().expect("it is brought to the disk before the line");
    log.append(&text("c-2")).expect("it is written");
    drop(log);
    assert!(told.try_recv().is_ok(), "at the end as well");
}

#[test]
fn large_values_have_files_of_their_own_and_are_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Always).expect("it opens");
    assert_eq!(log.body(&json!([1])).expect("it is small"), Body::Value(json!([1])));
    let large = json!("x".repeat(10_000));
    let body = log.body(&large).expect("it is written");
    assert_eq!(log.body(&large).expect("it is there"), body);
    let Body::File { sha256, bytes } = body.clone() else { panic!("{body:?}") };
    assert_eq!(bytes, 10_002);
    let descriptor = body;
    let feature = entry::FeatureEntry {
        feature: "user:a".parse().expect("an id"),
        root: "/".into(),
        digest: String::new(),
        descriptor,
    };
    let instance = log.instance().to_owned();
    log.append(&Entry::Catalog { instance, features: vec![feature] }).expect("it is written");
    assert!(verify(folder.path(), None).expect("it can be read").is_sound());
    let file = folder.path().join("bodies").join(sha256);
    fs::write(&file, "changed").expect("the file is ours");
    assert!(!verify(folder.path(), None).expect("it can be read").is_sound());
    fs::remove_file(&file).expect("the file is ours");
    assert!(!verify(folder.path(), None).expect("it can be read").is_sound());
}

#[test]
fn ends_without_an_intent_and_double_ends_are_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    log.append(&text("nobody-1")).expect("it is written");
    let verified = verify(folder.path(), None).expect("it can be read");
    assert_eq!(verified.findings.len(), 1, "{:?}", verified.findings);
}

#[test]
fn what_is_at_the_end_of_a_file_is_found_from_its_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    // Longer than what is read at once.
    for _ in 0..3 {
        let reason = "x".repeat(50_000);
        log.append(&Entry::Void { call: "c".into(), reason }).expect("it is written");
    }
    drop(log);
    let again = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    again.append(&Entry::Cut { bytes: 0 }).expect("it is written");
    let lines = read_lines(folder.path()).expect("it can be read");
    assert_eq!(lines.iter().map(|(line, _)| line.n).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}
