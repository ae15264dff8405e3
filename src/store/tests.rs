#![allow(clippy::disallowed_methods, reason = "damages files of its own")]

use super::*;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

fn owner(feature: &str) -> Owner {
    Owner { feature: feature.parse().expect("an id"), root: "/somewhere".into() }
}

fn stores() -> (TempDir, Stores) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = Stores::new(folder.path().join("store"), Durability::Never);
    (folder, stores)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(200)
}

fn lease(stores: &Stores) -> Lease {
    stores.lease(&owner("user:a"), 1_000, soon()).unwrap_or_else(|error| panic!("{error}"))
}

fn code(error: StoreError) -> String {
    error.diagnostic().code.into_owned()
}

#[test]
fn what_is_committed_stays_and_what_is_dropped_is_gone() {
    let (_folder, stores) = stores();
    let mut first = lease(&stores);
    assert_eq!(first.get("a").expect("empty"), None);
    assert!(!first.is_changed());
    first.set("a", "1").expect("room");
    first.set("b/2", "[2]").expect("room");
    first.set("b/1", "true").expect("room");
    assert_eq!(first.get("a").expect("staged"), Some("1".to_owned()));
    assert!(first.is_changed());
    first.commit("c-1", &["one".into(), "two".into()]).expect("it commits");

    let mut second = lease(&stores);
    assert_eq!(second.keys("b/", 10).expect("keys"), ["b/1", "b/2"]);
    assert_eq!(second.keys("", 2).expect("keys"), ["a", "b/1"]);
    assert!(second.delete("a").expect("it is there"));
    assert!(!second.delete("a").expect("it is gone"));
    drop(second);

    assert_eq!(lease(&stores).get("a").expect("rolled back"), Some("1".to_owned()));
    let texts = |call| stores.committed(&owner("user:a"), call, soon()).expect("it opens");
    assert_eq!(texts("c-1"), Some(vec!["one".to_owned(), "two".to_owned()]));
    assert_eq!(texts("c-2"), None);
    assert_eq!(stores.committed(&owner("user:b"), "c-1", soon()).expect("no file"), None);
    assert!(!stores.file(&owner("user:b")).exists(), "looking makes no file");
}

#[test]
fn owners_share_nothing() {
    let (_folder, stores) = stores();
    let mut mine = lease(&stores);
    mine.set("k", "1").expect("room");
    mine.commit("c", &[]).expect("it commits");
    let elsewhere = Owner { root: "/elsewhere".into(), ..owner("user:a") };
    for other in [owner("project:a"), elsewhere] {
        let lease = stores.lease(&other, 1_000, soon()).expect("it opens");
        assert_eq!(lease.get("k").expect("empty"), None, "{other:?}");
    }
}

#[test]
fn one_call_at_a_time_until_the_deadline() {
    let (folder, stores) = stores();
    let held = lease(&stores);
    let other = stores.lease(&owner("user:a"), 1_000, Instant::now());
    assert_eq!(other.err().map(code).as_deref(), Some("store/busy"));
    // Another process has connections of its own.
    let elsewhere = Stores::new(folder.path().join("store"), Durability::Never);
    let other = elsewhere.lease(&owner("user:a"), 1_000, Instant::now());
    assert_eq!(other.err().map(code).as_deref(), Some("store/busy"));
    drop(held);
    assert!(elsewhere.lease(&owner("user:a"), 1_000, soon()).is_ok());

    std::thread::scope(|scope| {
        for thread in 0..4 {
            let stores = &stores;
            scope.spawn(move || {
                for round in 0..25 {
                    let late = Instant::now() + Duration::from_secs(60);
                    let mut lease = stores.lease(&owner("user:n"), 1_000, late).expect("its turn");
                    let n: u32 =
                        lease.get("n").expect("readable").map_or(0, |n| n.parse().expect("n"));
                    lease.set("n", (n + 1).to_string()).expect("room");
                    lease.commit(&format!("{thread}-{round}"), &[]).expect("it commits");
                }
            });
        }
    });
    let lease = stores.lease(&owner("user:n"), 1_000, soon()).expect("it opens");
    assert_eq!(lease.get("n").expect("readable").as_deref(), Some("100"));
}

#[test]
fn a_quota_counts_keys_and_values_and_lets_go_of_some() {
    let (_folder, stores) = stores();
    let mut full = lease(&stores);
    full.set("key", "x".repeat(997)).expect("just enough");
    assert_eq!(full.set("l", "").err().map(code).as_deref(), Some("limit/store"));
    full.set("key", "x").expect("less is never refused");
    full.set("l", "é".repeat(400)).expect("room again");
    full.commit("c", &[]).expect("it commits");
    let mut again = lease(&stores);
    assert_eq!(again.set("m", "x".repeat(200)).err().map(code).as_deref(), Some("limit/store"));
    again.delete("l").expect("it is there");
    again.set("m", "x".repeat(200)).expect("room again");
    let tight = |lease: &mut Lease| lease.set("m", "x".repeat(150));
    drop(again);
    let mut smaller = stores.lease(&owner("user:a"), 10, soon()).expect("it opens");
    assert!(tight(&mut smaller).is_err());
    assert!(smaller.set("l", "x").is_ok(), "a quota that was lowered lets one shrink");
}

#[test]
fn a_value_that_is_set_again_and_again_takes_its_room_once() {
    let (_folder, stores) = stores();
    for call in 0..20 {
        let mut counter = lease(&stores);
        for step in 0..20 {
            counter.set("n", format!("{:0>100}", call * 20 + step)).expect("room for one of it");
            counter.set(format!("k{}", step % 5), "x".repeat(100)).expect("room for five");
        }
        assert_eq!(counter.keys("", 10).expect("staged ones as well").len(), 6);
        counter.commit(&format!("c-{call}"), &[]).expect("it commits");
    }
    let last = lease(&stores).get("n").expect("readable").expect("it is there");
    assert_eq!(last, format!("{:0>100}", 399));
}

#[test]
fn many_values_of_one_call_are_all_kept() {
    let (_folder, stores) = stores();
    let mut many = stores.lease(&owner("user:a"), 1_000_000, soon()).expect("it opens");
    for n in 0..2_500 {
        many.set(format!("k{n:04}"), "v".repeat(60)).expect("room");
    }
    many.set("k0000", "new").expect("room");
    assert!(many.delete("k0001").expect("it is there, written or not"));
    assert_eq!(many.get("k0001").expect("readable"), None);
    many.commit("c", &[]).expect("it commits");
    let mut kept = lease(&stores);
    assert_eq!(kept.keys("", 10_000).expect("keys").len(), 2_499);
    assert_eq!(kept.get("k0000").expect("readable").as_deref(), Some("new"));
}

#[test]
fn a_disk_that_is_full_at_the_end_keeps_nothing_of_the_call() {
    let (_folder, stores) = stores();
    let mut big = stores.lease(&owner("user:a"), u64::MAX, soon()).expect("it opens");
    big.limit_pages(12);
    for n in 0..20 {
        big.set(format!("k{n}"), "x".repeat(3_000)).expect("it waits to be written");
    }
    assert_eq!(big.commit("c", &[]).err().map(code).as_deref(), Some("store/full"));
    assert!(lease(&stores).keys("", 10).expect("keys").is_empty());
}

#[test]
fn a_damaged_file_is_set_aside_and_kept() {
    for damage in
        [&b"not a database at all, but long enough to be looked at by somebody"[..], &[0xff; 8192]]
    {
        let (_folder, stores) = stores();
        let mut first = lease(&stores);
        first.set("k", "1").expect("room");
        first.commit("c", &[]).expect("it commits");
        let file = stores.file(&owner("user:a"));
        let stores = Stores::new(stores.folder(), Durability::Never);
        for tail in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{tail}", file.display()));
        }
        fs::write(&file, damage).expect("the file is ours");
        let error = stores.lease(&owner("user:a"), 1_000, soon()).err().expect("it is damaged");
        let StoreError::Damaged(aside) = &error else { panic!("{error}") };
        assert_eq!(fs::read(aside).expect("it is kept"), damage);
        assert_eq!(code(error), "store/damaged");
        assert_eq!(lease(&stores).get("k").expect("a new one"), None);
    }
}

#[test]
fn damage_that_is_met_at_the_end_of_a_call_is_set_aside_as_well() {
    let (_folder, stores) = stores();
    let mut first = stores.lease(&owner("user:a"), 1_000_000, soon()).expect("it opens");
    for n in 0..200 {
        first.set(format!("k{n}"), "x".repeat(500)).expect("room");
    }
    first.commit("c-1", &[]).expect("it commits");
    let file = stores.file(&owner("user:a"));
    // The first pages stay, so that it opens and can be set; those of the entries are none any more.
    let connection = Connection::open(&file).expect("it opens");
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(checkpoint, [], |_| Ok(())).expect("nobody is at it");
    drop(connection);
    let stores = Stores::new(stores.folder(), Durability::Never);
    let mut bytes = fs::read(&file).expect("the file is there");
    bytes[4 * 4096..].fill(0xff);
    fs::write(&file, &bytes).expect("the file is ours");
    for tail in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{tail}", file.display()));
    }
    let mut second = stores.lease(&owner("user:a"), 1_000_000, soon()).expect("it opens");
    // All of them, for which lies where is by chance.
    for n in 0..200 {
        second.set(format!("k{n}"), "1").expect("it is written at the end");
    }
    let error = second.commit("c-2", &[]).expect_err("it is damaged");
    assert_eq!(code(error), "store/damaged");
    assert_eq!(lease(&stores).keys("", 10).expect("a new one"), [""; 0]);
}

#[test]
fn commits_are_brought_to_the_disk_when_it_is_their_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = Stores::new(folder.path().join("store"), Durability::Group);
    let file = stores.file(&owner("user:a"));
    let commit = || {
        let mut lease = lease(&stores);
        lease.set("k", "1").expect("room");
        lease.commit("c", &[]).expect("it commits");
    };
    commit();
    stores.sync().expect("the file of what was committed is there");
    let wal = format!("{}-wal", file.display());
    let aside = format!("{wal}.aside");
    fs::rename(&wal, &aside).expect("the file is ours");
    fs::create_dir(&wal).expect("the name is free");
    stores.sync().expect("nothing waits any more");
    fs::remove_dir(&wal).expect("it is empty");
    fs::rename(&aside, &wal).expect("the file is ours");
    commit();
    assert!(stores.all().values().any(|store| store.is_dirty()));
    stores.sync().expect("it is there again");
    assert!(!stores.all().values().any(|store| store.is_dirty()));
}

#[test]
fn a_file_of_a_newer_format_or_of_somebody_else_is_left_alone() {
    let (_folder, stores) = stores();
    drop(lease(&stores));
    let file = stores.file(&owner("user:a"));
    let connection = Connection::open(&file).expect("it opens");
    connection.pragma_update(None, "user_version", 2).expect("it can be written");
    drop(connection);
    let stores = Stores::new(stores.folder(), Durability::Never);
    let error = stores.lease(&owner("user:a"), 1_000, soon()).err().expect("it is newer");
    assert_eq!(code(error), "store/newer");
    assert!(file.exists());
}

#[test]
fn a_file_that_went_away_is_begun_anew() {
    let (_folder, stores) = stores();
    let mut first = lease(&stores);
    first.set("k", "1").expect("room");
    first.commit("c", &[]).expect("it commits");
    let file = stores.file(&owner("user:a"));
    fs::remove_file(&file).expect("it is there");
    assert_eq!(lease(&stores).get("k").expect("a new one"), None);
    assert!(file.exists());
}

#[test]
fn a_full_disk_keeps_nothing_of_the_call() {
    let (_folder, stores) = stores();
    let mut first = lease(&stores);
    first.set("k", "1").expect("room");
    first.commit("c-1", &[]).expect("it commits");
    let mut big = stores.lease(&owner("user:a"), u64::MAX, soon()).expect("it opens");
    big.limit_pages(30);
    let error = big.set("big", "x".repeat(1_000_000)).expect_err("there are not so many pages");
    assert_eq!(code(error), "store/full");
    drop(big);
    assert_eq!(lease(&stores).keys("", 10).expect("keys"), ["k"]);
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("the folder takes it");
    let stores = Stores::new(file.join("store"), Durability::Never);
    let error = stores.lease(&owner("user:a"), 1_000, soon()).err().expect("a file is no folder");
    assert_eq!(code(error), "store/unreadable");
}

#[test]
fn keys_are_held_to_their_form() {
    let (_folder, stores) = stores();
    let lease = lease(&stores);
    for key in ["", "a\nb", &"k".repeat(MAX_KEY + 1)] {
        assert_eq!(lease.get(key).err().map(code).as_deref(), Some("store/key"));
    }
}

#[test]
fn only_the_latest_calls_are_remembered() {
    let (_folder, stores) = stores();
    for call in 0..1_110 {
        lease(&stores).commit(&format!("c-{call}"), &["text".into()]).expect("it commits");
    }
    let known = |call: &str| stores.committed(&owner("user:a"), call, soon()).expect("it opens");
    assert_eq!(known("c-0"), None);
    assert!(known("c-1109").is_some());
    assert_eq!(lease(&stores).calls(), 1_010);
}

#[test]
fn stores_are_listed_with_what_is_wrong_with_some() {
    let (_folder, stores) = stores();
    assert!(stores.list().expect("no folder yet").is_empty());
    let mut first = lease(&stores);
    first.set("key", "12345").expect("room");
    first.commit("c", &[]).expect("it commits");
    fs::write(stores.folder().join("zzz.sqlite"), "no store").expect("the folder takes it");
    let list = stores.list().expect("the folder is there");
    let info = list[0].as_ref().expect("a store");
    assert_eq!((info.feature.as_str(), info.keys, info.bytes), ("user:a", 1, 8));
    let (_, error) = list.into_iter().nth(1).and_then(Result::err).expect("no store");
    assert_eq!(code(error), "store/damaged");
    // One that is being made has nothing in it yet.
    fs::write(stores.folder().join("zz.sqlite"), "").expect("the folder takes it");
    assert_eq!(stores.list().expect("the folder is there").len(), 2);
}
