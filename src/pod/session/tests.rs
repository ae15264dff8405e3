#![allow(clippy::disallowed_methods, reason = "tears logs of its own")]

use super::log::{FILE, INSTANCES};
use super::said::{Request, Usage};
use super::*;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Receipt;
use crate::feature::transaction::Act;
use crate::store::Durability;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn check(folder: &Path) -> Verified {
    verify(folder, None, &mut |_| ()).expect("it can be read")
}

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
        let verified = check(folder.path());
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
    let verified = check(folder.path());
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
fn what_a_line_names_is_on_the_disk_before_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Group).expect("it opens");
    let body = log.body(&json!("x".repeat(10_000))).expect("it is written");
    let Body::File { sha256, .. } = &body else { panic!("{body:?}") };
    assert_eq!(log.waiting(), [folder.path().join("bodies").join(sha256)]);
    log.append(&text("c-1")).expect("it is written");
    log.close(false);
    assert_eq!(log.waiting(), Vec::<PathBuf>::new());
}

#[test]
fn large_values_have_files_of_their_own_and_are_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Always).expect("it opens");
    assert_eq!(log.body(&json!([1])).expect("it is small"), Body::Value(json!([1])));
    let large = json!("x".repeat(10_000));
    let body = log.body(&large).expect("it is written");
    assert_eq!(log.body(&large).expect("it is there"), body);
    let Body::File { sha256, bytes, .. } = body.clone() else { panic!("{body:?}") };
    assert_eq!(bytes, 10_002);
    let descriptor = body;
    let feature = entry::FeatureEntry {
        feature: "user:a".parse().expect("an id"),
        root: "/".into(),
        digest: String::new(),
        descriptor,
        source: None,
        grants: Vec::new(),
        limits: Vec::new(),
    };
    let instance = log.instance().to_owned();
    let features = serde_json::to_value(vec![feature]).expect("JSON");
    let features = log.body_above(&features, 0).expect("it is written");
    log.append(&Entry::Catalog { instance, features }).expect("it is written");
    assert!(check(folder.path()).is_sound());
    let file = folder.path().join("bodies").join(sha256);
    fs::write(&file, "changed").expect("the file is ours");
    assert!(!check(folder.path()).is_sound());
    fs::remove_file(&file).expect("the file is ours");
    assert!(!check(folder.path()).is_sound());
}

#[test]
fn ends_without_an_intent_and_double_ends_are_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    log.append(&text("nobody-1")).expect("it is written");
    let verified = check(folder.path());
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
    let read = lines(folder.path()).expect("it can be read");
    let numbers: Vec<_> = read.map(|line| line.expect("it can be read").0.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn drafts_of_openings_that_failed_are_cleared_away_when_they_are_old() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    let stores = crate::store::Stores::new(folder.path().join("store"), Durability::Never);
    let (old, new) =
        (folder.path().join(INSTANCES).join(".a"), folder.path().join(INSTANCES).join(".b"));
    for draft in [&old, &new] {
        fs::write(draft, "0").expect("the folder is ours");
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    fs::File::options()
        .write(true)
        .open(&old)
        .and_then(|file| file.set_modified(long_ago))
        .expect("it is ours");
    log.recover(&stores).expect("there is nothing to bring to an end");
    assert_eq!((old.exists(), new.exists()), (false, true), "one may be about to open the log");
}

#[test]
fn who_could_not_write_a_line_is_looked_after_by_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = crate::store::Stores::new(folder.path().join("store"), Durability::Never);
    let log = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    let call = log.next_call();
    let about = serde_json::from_value(json!({ "contribution": "act", "input": { "value": 1 } }));
    let begun = Some(Box::new(about.expect("what was called")));
    let act = Act::Remove { path: "a".into() };
    let feature = "user:a".parse().expect("an id");
    log.append(&Entry::Act { call: call.clone(), feature, act, begun }).expect("it is written");
    log.has_room(10);
    log.append(&text(&call)).expect_err("the disk is full, and so its end is lost");
    drop(log);
    let next = SessionLog::open(folder.path(), Durability::Never).expect("it opens");
    let recovered = next.recover(&stores).expect("it can be written");
    assert_eq!(recovered.interrupted, [call]);
    assert!(check(folder.path()).is_sound());
}

/// A folder of sessions.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self, name: &str) -> Arc<SessionLog> {
        Arc::new(SessionLog::open(&self.folder(name), Durability::Never).expect("it opens"))
    }

    fn begin(&self, name: &str) -> Session {
        Session::begin(self.log(name), &about()).expect("it begins")
    }
}

fn about() -> About {
    About { front: "test".to_owned(), agent: None, root: None }
}

fn asked() -> Asked {
    let (provider, model) = ("test".to_owned(), "tiny".to_owned());
    let tools = Some(json!([{ "name": "add", "description": "x".repeat(500) }]));
    Asked { provider, model, tools, settings: None }
}

fn calls(ids: &[&str]) -> Answered {
    let call = |id: &&str| ((*id).to_owned(), "add".to_owned(), json!({ "to": id }));
    Answered {
        text: "I add.".to_owned(),
        calls: ids.iter().map(call).collect(),
        ..Answered::default()
    }
}

/// Records a call as a pod does, with texts for the model.
fn record_call(log: &SessionLog, result: Value, notices: &[&str]) -> String {
    let call = log.next_call();
    let about = entry::CallEntry {
        feature: Some("user:a".parse().expect("an id")),
        root: None,
        contribution: "add".to_owned(),
        input: log.body(&json!({})).expect("it is written"),
        now: None,
        seed: Some(1),
        answers: Vec::new(),
        catalog: None,
        heard: None,
        kept: None,
    };
    let receipt = Receipt::default();
    let result = log.body(&result).expect("it is written");
    if notices.is_empty() {
        let (result, failure) = (Some(result), Vec::new());
        log.append(&Entry::Call { call: call.clone(), about, result, failure, receipt })
            .expect("it is written");
        return call;
    }
    log.append(&Entry::Intent { call: call.clone(), about, result, receipt })
        .expect("it is written");
    let notices = notices.iter().map(|text| (*text).to_owned()).collect();
    log.append(&Entry::Done { call: call.clone(), notices, recovered: false })
        .expect("it is written");
    call
}

/// Instructions, a question, an answer with two calls, their results, a notification.
fn a_turn(session: &Session) {
    session.append_instructions("Be short.", "settings").expect("a fact");
    session.append_user(&json!("Add.")).expect("a fact");
    let request = session.append_request(&asked()).expect("a request");
    session.append_assistant(request, &calls(&["a", "b"])).expect("a fact");
    let usage = Usage { request, input: 10, output: 2, cached: 0 };
    session.append_usage(usage).expect("it is recorded");
    let call = record_call(session.log(), json!({ "sum": "x".repeat(5_000) }), &["one more"]);
    session.append_tool_result("a", &call).expect("a fact");
    session.append_notices_of(&call).expect("a fact");
    let denied = Reason::Host("permission/denied".to_owned());
    session.append_tool_answer("b", &json!("not allowed"), denied).expect("a fact");
}

fn shown(transcript: Transcript) -> Vec<String> {
    let word = |message: Message| match message.content {
        Content::Instructions { text } => format!("instructions {text}"),
        Content::User { content } => format!("user {content}"),
        Content::Assistant { text, calls, .. } => {
            let ids: Vec<_> = calls.iter().map(|call| call.id.clone()).collect();
            format!("assistant {text} {}", ids.join(","))
        }
        Content::ToolResult { id, shown, is_error } => {
            format!(
                "result {id} {} {is_error}",
                shown.to_string().chars().take(14).collect::<String>()
            )
        }
        Content::Notice { text } => format!("notice {text}"),
        Content::Summary { text, facts } => format!("summary {text} {facts}"),
    };
    transcript.map(|message| word(message.expect("it can be read"))).collect()
}

const TURN: [&str; 6] = [
    "instructions Be short.",
    "user \"Add.\"",
    "assistant I add. a,b",
    "result a {\"sum\":\"xxxxxx false",
    "notice one more",
    "result b \"not allowed\" true",
];

#[test]
fn a_transcript_comes_of_the_log_alone() {
    let place = Place::new();
    let session = place.begin("s");
    a_turn(&session);
    assert_eq!(shown(session.transcript().expect("it can be read")), TURN);
    session.append_turn_end("done").expect("it is recorded");
    assert!(Session::resume(place.log("s"), &about()).is_err(), "it is in the hands of this one");
    drop(session);
    let session = Session::resume(place.log("s"), &about()).expect("it goes on");
    assert_eq!(shown(session.transcript().expect("it can be read")), TURN);
    assert_eq!(shown(transcript(&place.folder("s"), None).expect("it can be read")), TURN);
    let verified = check(&place.folder("s"));
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!((verified.facts, verified.requests), (6, 1));
}

#[test]
fn what_nothing_explains_is_not_written() {
    let place = Place::new();
    let session = place.begin("s");
    let lines = || check(&place.folder("s")).lines;
    session.append_user(&json!("Add.")).expect("a fact");
    let before = lines();
    let call = record_call(session.log(), json!(1), &[]);
    let refused =
        |outcome: Result<u64, SessionError>| matches!(outcome, Err(SessionError::Unexplained(_)));
    assert!(refused(session.append_tool_result("a", &call)), "the model did not call");
    assert!(refused(session.append_assistant(1, &calls(&[]))), "the model was not asked");
    assert!(refused(session.append_notice("hm", Reason::Sent(call.clone(), 0))), "it has no texts");
    assert!(refused(session.append_notice("hm", Reason::Call("nobody-1".into()))), "no such call");
    let host = || Reason::Host("worker/compaction".to_owned());
    assert!(refused(session.append_compaction(0, 2, "much", host())), "there is one message");
    let request = session.append_request(&asked()).expect("a request");
    assert!(refused(session.append_assistant(request, &calls(&["a", "a"]))), "twice the same id");
    session.append_assistant(request, &calls(&["a"])).expect("a fact");
    assert!(refused(session.append_request(&asked())), "a call is open");
    assert!(refused(session.append_tool_result("a", "nobody-1")), "no such call");
    session.append_tool_result("a", &call).expect("a fact");
    assert!(refused(session.append_tool_result("a", &call)), "it was shown already");
    assert_eq!(lines(), before + 4);
    assert!(check(&place.folder("s")).is_sound());
}

#[test]
fn a_summary_stands_where_the_messages_were() {
    let place = Place::new();
    let session = place.begin("s");
    a_turn(&session);
    session.append_user(&json!("And?")).expect("a fact");
    let made = Reason::Host("worker/compaction".to_owned());
    session.append_compaction(1, 5, "They added.", made.clone()).expect("a fact");
    let expected = ["instructions Be short.", "summary They added. 5", "user \"And?\""];
    assert_eq!(shown(session.transcript().expect("it can be read")), expected);
    session.append_request(&asked()).expect("a request");
    session.append_compaction(1, 2, "All.", made).expect("a fact");
    let expected = ["instructions Be short.", "summary All. 2"];
    assert_eq!(shown(session.transcript().expect("it can be read")), expected);
    session.append_request(&asked()).expect("a request");
    drop(session);
    let verified = check(&place.folder("s"));
    assert!(verified.is_sound(), "{:?}", verified.findings);
    let session = Session::resume(place.log("s"), &about()).expect("it goes on");
    assert_eq!(shown(session.transcript().expect("it can be read")), expected);
}

#[test]
fn a_fork_goes_on_from_where_it_was_made() {
    let place = Place::new();
    let session = place.begin("one");
    a_turn(&session);
    let at = session.append_turn_end("done").expect("it is recorded");
    session.append_user(&json!("More.")).expect("a fact");
    let fork = |name: &str, at| Session::fork(place.log(name), &place.folder("one"), at, &about());
    let forked = fork("two", Some(at)).expect("it is forked off");
    forked.append_user(&json!("Other.")).expect("a fact");
    let expected: Vec<_> = TURN.into_iter().chain(["user \"Other.\""]).collect();
    assert_eq!(shown(forked.transcript().expect("it can be read")), expected);
    forked.append_request(&asked()).expect("a request");
    drop(forked);
    // A fork of a fork, after the first one went on.
    let third = Session::fork(place.log("three"), &place.folder("two"), None, &about());
    let third = third.expect("it is forked off");
    assert_eq!(shown(third.transcript().expect("it can be read")), expected);
    third.append_compaction(1, 6, "All.", Reason::Host("x".into())).expect("a fact");
    assert_eq!(third.transcript().expect("it can be read").len(), 2);
    for name in ["one", "two", "three"] {
        let verified = check(&place.folder(name));
        assert!(verified.is_sound(), "{name}: {:?}", verified.findings);
    }
    let middle = fork("four", Some(6));
    assert!(matches!(middle, Err(SessionError::Fork { .. })), "a call is open there");
    // What it was forked off is not what it was.
    let log = place.folder("one").join(FILE);
    let text = fs::read_to_string(&log).expect("the log");
    fs::write(&log, text.replacen("Be short.", "Be long..", 1)).expect("the log is ours");
    assert!(!check(&place.folder("one")).is_sound());
}

#[test]
fn a_request_that_shows_something_else_is_found() {
    for (facts, digest) in [(2, "0".repeat(64)), (1, "0".repeat(64))] {
        let place = Place::new();
        let session = place.begin("s");
        session.append_user(&json!("Add.")).expect("a fact");
        let request = Request {
            provider: "test".to_owned(),
            model: "tiny".to_owned(),
            catalog: 0,
            tools: None,
            settings: None,
            facts,
            digest,
        };
        session.log().append(&Entry::Request(request)).expect("it is written");
        assert_eq!(check(&place.folder("s")).findings.len(), 1);
    }
}

#[test]
fn a_session_that_ended_in_the_middle_of_calls_goes_on() {
    let place = Place::new();
    let session = place.begin("s");
    session.append_user(&json!("Add.")).expect("a fact");
    let request = session.append_request(&asked()).expect("a request");
    session.append_assistant(request, &calls(&["a", "b"])).expect("a fact");
    let call = record_call(session.log(), json!(1), &[]);
    session.append_tool_result("a", &call).expect("a fact");
    drop(session);
    let session = Session::resume(place.log("s"), &about()).expect("it goes on");
    assert_eq!(session.open_calls(), Vec::<String>::new());
    session.append_request(&asked()).expect("a request");
    assert!(check(&place.folder("s")).is_sound());
}

#[test]
fn a_session_cut_at_any_byte_loses_at_most_its_last_entry() {
    let place = Place::new();
    let session = place.begin("s");
    a_turn(&session);
    let trouble = Diagnostic::host("worker/failed", "no");
    session.append_trouble(None, vec![trouble]).expect("it is recorded");
    drop(session);
    let path = place.folder("s").join(FILE);
    let whole = fs::read(&path).expect("the log");
    let begun = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1);
    let begun = begun.expect("it was opened, and begun").0 + 1;
    let is_near_an_end =
        |end: &usize| whole[end.saturating_sub(4)..whole.len().min(end + 4)].contains(&b'\n');
    // In the middle of a line, one byte is as another.
    for end in (begun..whole.len()).filter(|end| is_near_an_end(end) || end % 7 == 0) {
        fs::write(&path, &whole[..end]).expect("the log is ours");
        let before = transcript(&place.folder("s"), None).expect("it can be read").len();
        let session = Session::resume(place.log("s"), &about()).expect("it goes on");
        let closed = session.transcript().expect("it can be read");
        assert!(closed.len() >= before, "cut at {end}: nothing that was whole is gone");
        shown(closed);
        drop(session);
        let verified = check(&place.folder("s"));
        let findings: Vec<_> =
            verified.findings.iter().filter(|one| !one.problem.contains("has no end")).collect();
        assert!(findings.is_empty(), "cut at {end}: {findings:?}");
    }
}

#[test]
fn a_newer_log_is_shown_and_not_written() {
    let place = Place::new();
    let session = place.begin("s");
    session.append_user(&json!("Add.")).expect("a fact");
    drop(session);
    let path = place.folder("s").join(FILE);
    let text = fs::read_to_string(&path).expect("the log");
    fs::write(&path, text.replacen("\"format\":1", "\"format\":9", 1)).expect("the log is ours");
    let refused = SessionLog::open(&place.folder("s"), Durability::Never);
    assert!(matches!(refused, Err(LogError::Newer { format: 9, .. })));
    assert_eq!(lines(&place.folder("s")).expect("it can be read").count(), 3);
    assert_eq!(transcript(&place.folder("s"), None).expect("it can be read").len(), 1);
}

#[test]
fn what_a_newer_version_adds_is_passed_over_and_kept() {
    let place = Place::new();
    let folder = place.folder("s");
    drop(place.log("s"));
    let path = folder.join(FILE);
    let before = fs::read_to_string(&path).expect("the log");
    let prev = entry::check_hash(before.trim_end()).expect("a line").to_owned();
    let line =
        json!({ "n": 2, "at": 1, "prev": prev, "kind": "thought", "text": "hm", "facts": "many" });
    let line = line.to_string();
    let hash = entry::hash_of(line.as_bytes());
    let line = format!("{},\"hash\":\"{hash}\"}}\n", &line[..line.len() - 1]);
    fs::write(&path, format!("{before}{line}")).expect("the log is ours");
    let session = place.begin("s");
    session.append_user(&json!("Add.")).expect("a fact");
    let verified = check(&folder);
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!((verified.unknown, verified.facts), (1, 1));
    assert!(fs::read_to_string(&path).expect("the log").contains(&line), "it is as it was");
}

#[test]
fn a_disk_that_fills_during_a_turn_shows_nothing() {
    // A disk that is full at once, in the middle of a line, and at the end of one.
    for room in [0, 1, 100, 250, 600, 1_000, 2_000] {
        let place = Place::new();
        let session = place.begin("s");
        session.append_user(&json!("Add.")).expect("a fact");
        session.log().has_room(room);
        let mut shown = 1;
        let is_full = |error: SessionError| error.diagnostic().code == "log/full";
        let outcome = (|| -> Result<(), SessionError> {
            let request = session.append_request(&asked())?;
            session.append_assistant(request, &calls(&["a"]))?;
            shown += 1;
            session.append_tool_answer("a", &json!("no"), Reason::Host("x".into()))?;
            shown += 1;
            for _ in 0..10 {
                session.append_notice("more", Reason::Host("x".into()))?;
                shown += 1;
            }
            Ok(())
        })();
        assert!(outcome.is_err_and(is_full), "{room}: the disk is full");
        let transcript = |session: &Session| session.transcript().expect("it can be read").len();
        assert_eq!(transcript(&session), shown, "{room}: nothing is seen that is not on record");
        assert!(check(&place.folder("s")).is_sound(), "{room}: no part of a line is left");
        // Somebody makes room.
        session.log().has_room(u64::MAX);
        session.append_notice("again", Reason::Host("x".into())).expect("a fact");
        assert_eq!(transcript(&session), shown + 1, "{room}");
        drop(session);
        let session = Session::resume(place.log("s"), &about()).expect("it goes on");
        session.append_request(&asked()).expect("a request");
        assert!(check(&place.folder("s")).is_sound());
    }
}
