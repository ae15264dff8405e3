#![allow(clippy::disallowed_methods, reason = "lays out workspaces of its own")]

use super::place::Place;
use super::reach::failed;
use crate::feature::transaction::Act;
use crate::limit::Limit;
use crate::script::frame::Refusal;
use crate::script::host::trial::World;
use rhai::EvalAltResult;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const ALL: [&str; 2] = ["fs:read=**", "fs:write=**"];

/// A workspace with these files, by path and text.
fn world(grants: &[&str], files: &[(&str, &str)]) -> World {
    let world = World::new(grants);
    for (path, text) in files {
        let path = world.workspace().join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    fs::write(world.outside().join("secret"), "hidden").expect("a file");
    world
}

#[track_caller]
fn gives(world: &World, script: &str, wanted: &str) {
    assert_eq!(world.run(script).text, wanted, "{script}");
}

/// The script is refused with `code`, in a way that it could have caught.
#[track_caller]
fn refused(world: &World, script: &str, code: &str) -> String {
    let came = world.run(script);
    assert!(came.text.starts_with(&format!("{code}: ")), "{script}: {came:?}");
    assert!(came.took < Duration::from_secs(5), "{script}: {came:?}");
    let caught = world.run(&format!("let c = 0; try {{ {script} }} catch {{ c = 1 }} c"));
    assert_eq!(caught.text, "1", "{script}");
    came.text
}

/// What somebody else does to the workspace.
type Swap = fn(&Path);

/// Nothing came from the outside, and nothing went there.
#[track_caller]
fn is_untouched(world: &World) {
    let names: Vec<_> = fs::read_dir(world.outside())
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["secret"]);
    let text = fs::read_to_string(world.outside().join("secret")).expect("it is there");
    assert_eq!(text, "hidden");
}

fn link(world: &World, name: &str, target: impl AsRef<Path>) {
    symlink(target, world.workspace().join(name)).expect("a link");
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
}

#[test]
fn what_is_granted_is_read() {
    let world = world(
        &["fs:read=src/**", "fs:read=*.md"],
        &[
            ("src/a.rs", "one\r\ntwo\nthree"),
            ("src/deep/b.rs", ""),
            ("README.md", "# é"),
            (".env", "K=1"),
        ],
    );
    gives(&world, r#"fs::read("README.md")"#, "\"# é\"");
    gives(&world, r#"fs::read("./src//deep/../a.rs").len()"#, "14");
    gives(&world, r#"fs::read_lines("src/a.rs", 1, 2)"#, r#"["one", "two"]"#);
    gives(&world, r#"fs::read_lines("src/a.rs", 3, 9)"#, r#"["three"]"#);
    gives(&world, r#"fs::read_lines("src/a.rs", 9, 9)"#, "[]");
    gives(&world, r#"fs::read_lines("src/deep/b.rs", 1, 9)"#, "[]");
    gives(
        &world,
        r#"[fs::exists("src/a.rs"), fs::exists("src/x/y"), fs::exists("src")]"#,
        "[true, false, true]",
    );
    gives(
        &world,
        r#"let s = fs::stat("src/a.rs"); [s.kind, s.size, s.modified > 1000000000000]"#,
        r#"["file", 14, true]"#,
    );
    gives(&world, r#"fs::stat("src/deep").kind"#, "\"folder\"");
    gives(
        &world,
        r#"fs::list(".").map(|e| `${e.kind} ${e.name}`)"#,
        r#"["file README.md", "folder src"]"#,
    );
    gives(&world, r#"fs::list("src").map(|e| e.name)"#, r#"["a.rs", "deep"]"#);
    gives(&world, r#"fs::glob("**/*.rs")"#, r#"["src/a.rs", "src/deep/b.rs"]"#);
    gives(&world, r#"fs::glob("./src/*")"#, r#"["src/a.rs"]"#);
    gives(&world, r#"fs::glob("*")"#, r#"["README.md"]"#);
    gives(&world, r#"fs::glob("src/none/*")"#, "[]");
    let whole = world.workspace().join("src/a.rs").display().to_string();
    gives(&world, &format!(r#"fs::read("{whole}").len()"#), "14");
    assert!(world.acts().is_empty());
}

#[test]
fn what_is_written_is_on_record_first_and_there_at_once() {
    let world = world(&["fs:write=out/**", "fs:read=out/**"], &[]);
    gives(&world, r#"[fs::make_folder("out/a/b"), fs::make_folder("out/a")]"#, "[true, false]");
    gives(
        &world,
        r#"fs::write("out/a/x.txt", "old"); fs::write("out/a/x.txt", "new"); fs::read("out/a/x.txt")"#,
        "\"new\"",
    );
    gives(
        &world,
        r#"fs::append("out/log", "1\n"); fs::append("out/log", "2\n"); fs::read("out/log")"#,
        r#""1\n2\n""#,
    );
    gives(
        &world,
        r#"fs::copy("out/log", "out/a/log"); fs::rename("out/log", "out/b"); fs::glob("out/**")"#,
        r#"["out/a/log", "out/a/x.txt", "out/b"]"#,
    );
    gives(
        &world,
        r#"[fs::remove("out/b"), fs::remove("out/b"), fs::remove("out/a/b")]"#,
        "[true, false, true]",
    );
    let write = |path: &str, bytes| Act::Write { path: path.into(), bytes };
    let acts = world.acts();
    assert_eq!(
        acts[..4],
        [write("out", 0), write("out/a", 0), write("out/a/b", 0), write("out/a/x.txt", 3)]
    );
    assert!(acts.contains(&Act::Remove { path: "out/b".into() }), "{acts:?}");
    let names = world.run(r#"fs::list("out/a").map(|e| e.name)"#).text;
    assert_eq!(names, r#"["log", "x.txt"]"#, "nothing of the writing is left");
}

#[test]
fn an_act_that_is_not_recorded_does_not_happen() {
    let world = world(&ALL, &[("a", "x")]);
    for script in [
        r#"fs::read("a")"#,
        r#"fs::read("/etc/hostname")"#,
        r#"fs::read("~/.profile")"#,
        r#"fs::write("b", "")"#,
        r#"fs::exists("a")"#,
        r#"fs::glob("**")"#,
        r#"fs::list("/")"#,
    ] {
        let came = world.run_as_test(script);
        assert!(came.text.starts_with("host/no-workspace: "), "{script}: {came:?}");
        assert!(came.text.contains("a test has no files"), "{came:?}");
    }
    // What the host hears of has not happened yet.
    let seen = Arc::new(AtomicBool::new(false));
    let too_early = Arc::clone(&seen);
    world.meanwhile(move |folder| too_early.store(folder.join("b").exists(), Ordering::Relaxed));
    gives(&world, r#"fs::write("b", "x")"#, "()");
    assert!(!seen.load(Ordering::Relaxed));
}

#[test]
fn what_is_not_granted_is_refused_with_the_very_grant() {
    let world = world(
        &["fs:read=src/*.rs", "fs:write=out/**"],
        &[("src/a.rs", ""), ("src/b.txt", ""), ("out/x", ""), ("odd[1].rs", "")],
    );
    for (script, grant) in [
        (r#"fs::read("src/b.txt")"#, "fs:read=src/b.txt"),
        (r#"fs::read("src/deep/a.rs")"#, "fs:read=src/deep/a.rs"),
        (r#"fs::read("src/../out/x")"#, "fs:read=out/x"),
        (r#"fs::read("SRC/a.rs")"#, "fs:read=SRC/a.rs"),
        (r#"fs::read("src/a.RS")"#, "fs:read=src/a.RS"),
        (r#"fs::read("src\\a.rs")"#, "fs:read=**"),
        (r#"fs::read("src／a.rs")"#, "fs:read=src／a.rs"),
        (r#"fs::read("ｓrc/a.rs")"#, "fs:read=ｓrc/a.rs"),
        (r#"fs::read("odd[1].rs")"#, "fs:read=**"),
        (r#"fs::read("lib/*.rs")"#, "fs:read=lib/**"),
        (r#"fs::read("/etc/passwd")"#, "fs:read=/etc/passwd"),
        (r#"fs::read("~/.ssh/id_rsa")"#, "fs:read=~/.ssh/id_rsa"),
        (r#"fs::list("out")"#, "fs:read=out/**"),
        (r#"fs::list("/")"#, "fs:read=/**"),
        (r#"fs::glob("out/**")"#, "fs:read=out/**"),
        (r#"fs::exists("out/x")"#, "fs:read=out/x/**"),
        (r#"fs::write("src/a.rs", "")"#, "fs:write=src/a.rs"),
        (r#"fs::append("src/a.rs", "")"#, "fs:write=src/a.rs"),
        (r#"fs::remove("src/a.rs")"#, "fs:write=src/a.rs"),
        (r#"fs::make_folder("src/new")"#, "fs:write=src/new"),
        (r#"fs::copy("src/a.rs", "src/c.rs")"#, "fs:write=src/c.rs"),
        (r#"fs::copy("out/x", "out/y")"#, "fs:read=out/x"),
        (r#"fs::rename("out/x", "out/y")"#, "fs:read=out/x"),
    ] {
        let text = refused(&world, script, "grant/fs");
        let command = format!("peasy grant builtin:trial '{grant}'");
        let bare = format!("peasy grant builtin:trial {grant}");
        assert!(text.contains(&command) || text.contains(&bare), "{script}: {text}");
    }
    assert!(world.acts().is_empty());
    // Following the advice is enough.
    let world = world.granted(&["fs:read=out/x".to_owned()]);
    gives(&world, r#"fs::read("out/x")"#, "\"\"");
}

#[test]
fn no_path_is_written_so_that_it_leads_out() {
    let world = world(&ALL, &[("a/b", "x")]);
    for path in
        ["..", "../outside/secret", "a/../../outside/secret", "./..", "~/../x", "/..", "a//..//.."]
    {
        refused(&world, &format!(r#"fs::read("{path}")"#), "fs/outside");
        refused(&world, &format!(r#"fs::write("{path}", "")"#), "fs/outside");
        refused(&world, &format!(r#"fs::list("{path}")"#), "fs/outside");
        refused(&world, &format!(r#"fs::remove("{path}")"#), "fs/outside");
    }
    let long = "a/".repeat(3000);
    let deep = "a/".repeat(200);
    for path in ["", r"a\x00b", r"a\nb", r"\x1b[2J", r"a\u007f", &long, &deep] {
        refused(&world, &format!(r#"fs::read("{path}")"#), "fs/path");
    }
    let name = "n".repeat(300);
    refused(&world, &format!(r#"fs::read("{name}")"#), "fs/path");
    refused(&world, r#"fs::glob("../**")"#, "fs/path");
    refused(&world, r#"fs::glob("{a,b}")"#, "fs/path");
    refused(&world, r#"fs::glob("")"#, "fs/path");
    // These are names like any other, and there is nothing of that name.
    for path in ["a/...", "‥/x", "a/．．/b", "~root/x", "%2e%2e/outside", "a:b"] {
        let read = format!(r#"fs::read("{path}")"#);
        refused(&world, &read, "fs/not-found");
    }
    refused(&world, r#"fs::write(".", "")"#, "fs/kind");
    refused(&world, r#"fs::remove(".")"#, "fs/kind");
    is_untouched(&world);
}

#[test]
fn a_link_leads_only_to_what_is_granted() {
    let world = world(
        &["fs:read=open/**", "fs:write=open/**"],
        &[("open/a", "a"), ("open/deep/b", "b"), ("closed/c", "c")],
    );
    link(&world, "open/near", "a");
    link(&world, "open/up", "../open/deep/../a");
    link(&world, "open/folder", "deep");
    link(&world, "open/whole", world.workspace().join("open/a"));
    for name in ["near", "up", "folder/b", "whole"] {
        let text = if name == "folder/b" { "\"b\"" } else { "\"a\"" };
        gives(&world, &format!(r#"fs::read("open/{name}")"#), text);
    }
    // A file is written where the link leads, and the link stays.
    gives(&world, r#"fs::write("open/near", "new"); fs::read("open/a")"#, "\"new\"");
    assert!(world.workspace().join("open/near").is_symlink());
    link(&world, "open/other", "../closed/c");
    link(&world, "open/others", "../closed");
    for path in ["open/other", "open/others/c"] {
        let text = refused(&world, &format!(r#"fs::read("{path}")"#), "grant/fs");
        assert!(text.contains("fs:read=closed/c"), "{text}");
        refused(&world, &format!(r#"fs::write("{path}", "")"#), "grant/fs");
    }
    refused(&world, r#"fs::list("open/others")"#, "grant/fs");
    for (name, target) in [
        ("out", "../../outside/secret"),
        ("out2", "../../../../../../../../etc/passwd"),
        ("out3", "/etc/passwd"),
        ("out4", "/"),
        ("out5", "deep/../../../outside/secret"),
    ] {
        link(&world, &format!("open/{name}"), target);
        refused(&world, &format!(r#"fs::read("open/{name}")"#), "fs/outside");
        refused(&world, &format!(r#"fs::write("open/{name}", "x")"#), "fs/outside");
        refused(&world, &format!(r#"fs::append("open/{name}", "x")"#), "fs/outside");
        refused(&world, &format!(r#"fs::exists("open/{name}")"#), "fs/outside");
        refused(&world, &format!(r#"fs::stat("open/{name}")"#), "fs/outside");
    }
    link(&world, "open/new", "../../outside/new");
    refused(&world, r#"fs::write("open/new", "x")"#, "fs/outside");
    link(&world, "open/outside", world.outside());
    refused(&world, r#"fs::make_folder("open/outside/x")"#, "fs/outside");
    refused(&world, r#"fs::copy("open/a", "open/outside/x")"#, "fs/outside");
    refused(&world, r#"fs::rename("open/outside/secret", "open/mine")"#, "fs/outside");
    refused(&world, r#"fs::glob("open/outside/*")"#, "fs/outside");
    link(&world, "open/circle", "circle");
    link(&world, "open/to", "fro");
    link(&world, "open/fro", "to");
    refused(&world, r#"fs::read("open/circle")"#, "fs/loop");
    refused(&world, r#"fs::read("open/to/x")"#, "fs/loop");
    // No walk goes through a link, and removing one leaves what it leads to.
    let found = world.run(r#"fs::glob("**")"#).text;
    assert_eq!(found, r#"["open/a", "open/deep/b"]"#);
    gives(&world, r#"fs::remove("open/outside")"#, "true");
    is_untouched(&world);
}

#[test]
fn a_link_that_grows_while_it_is_walked_ends() {
    let world = world(&ALL, &[]);
    link(&world, "a", "a/a/a/a/a/a/a/a");
    refused(&world, r#"fs::read("a")"#, "fs/loop");
    for at in 0..60 {
        link(&world, &format!("l{at}"), format!("l{}", at + 1));
    }
    refused(&world, r#"fs::read("l0")"#, "fs/loop");
    refused(&world, r#"fs::write("l0", "")"#, "fs/loop");
}

#[test]
fn what_is_swapped_in_during_the_call_is_not_followed() {
    // The host hears of an act when everything was checked: the worst moment for a swap.
    let swaps: [(&str, Swap); 4] = [
        ("file", |work| {
            let _ = fs::remove_file(work.join("d/a"));
            let _ = symlink("../../outside/secret", work.join("d/a"));
        }),
        ("folder", |work| {
            let _ = fs::rename(work.join("d"), work.join("moved"));
            let _ = symlink("../outside", work.join("d"));
        }),
        ("pipe", |work| {
            let _ = fs::remove_file(work.join("d/a"));
            fifo(&work.join("d/a"));
        }),
        ("hole", |work| {
            let _ = fs::remove_dir_all(work.join("d"));
        }),
    ];
    for script in [
        r#"fs::write("d/a", "x")"#,
        r#"fs::append("d/a", "x")"#,
        r#"fs::remove("d/a")"#,
        r#"fs::copy("b", "d/a")"#,
        r#"fs::rename("b", "d/a")"#,
        r#"fs::make_folder("d/new")"#,
    ] {
        for (name, swap) in &swaps {
            let world = world(&ALL, &[("d/a", "old"), ("b", "b")]);
            let (swap, done) = (*swap, AtomicBool::new(false));
            world.meanwhile(move |work| {
                if !done.swap(true, Ordering::Relaxed) {
                    swap(work);
                }
            });
            let came = world.run(script);
            assert!(came.took < Duration::from_secs(5), "{script} {name}: {came:?}");
            assert_eq!(came.killed, None, "{script} {name}: {came:?}");
            is_untouched(&world);
        }
    }
}

#[test]
fn a_folder_that_is_exchanged_for_a_link_all_the_time_leads_nowhere() {
    let world = world(&ALL, &[("d/secret", "mine"), ("spare/secret", "mine")]);
    link(&world, "l", "../outside");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let work = world.workspace();
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::rename(work.join("d"), work.join("away"));
                let _ = fs::rename(work.join("l"), work.join("d"));
                let _ = fs::rename(work.join("d"), work.join("l"));
                let _ = fs::rename(work.join("away"), work.join("d"));
            }
        });
        for _ in 0..300 {
            let read = world.run(r#"fs::read("d/secret")"#).text;
            assert!(!read.contains("hidden"), "{read}");
            world.run(r#"fs::write("d/new", "x")"#);
            world.run(r#"fs::remove("d/secret2")"#);
        }
        stop.store(true, Ordering::Relaxed);
    });
    is_untouched(&world);
}

#[test]
fn special_files_are_refused_and_nothing_waits_for_them() {
    let world = world(&ALL, &[("a", "x")]);
    fifo(&world.workspace().join("pipe"));
    let _socket = UnixListener::bind(world.workspace().join("socket")).expect("a socket");
    for path in ["pipe", "socket"] {
        for script in [
            format!(r#"fs::read("{path}")"#),
            format!(r#"fs::read_lines("{path}", 1, 1)"#),
            format!(r#"fs::write("{path}", "x")"#),
            format!(r#"fs::append("{path}", "x")"#),
            format!(r#"fs::copy("{path}", "b")"#),
            format!(r#"fs::copy("a", "{path}")"#),
            format!(r#"fs::rename("{path}", "b")"#),
            format!(r#"fs::remove("{path}")"#),
        ] {
            refused(&world, &script, "fs/special");
        }
        gives(&world, &format!(r#"fs::stat("{path}").kind"#), "\"special\"");
    }
    gives(&world, r#"fs::glob("*")"#, r#"["a"]"#);
    refused(&world, r#"fs::read(".")"#, "fs/kind");
    refused(&world, r#"fs::list("a")"#, "fs/kind");
    refused(&world, r#"fs::read("a/b")"#, "fs/kind");
    refused(&world, r#"fs::make_folder("a")"#, "fs/exists");
}

#[test]
#[cfg(target_os = "linux")]
fn no_grant_opens_devices_or_the_kernel() {
    let world = world(&["fs:read=/**", "fs:write=/**", "fs:read=**"], &[]);
    for path in [
        "/dev/zero",
        "/dev/tty",
        "/dev/null",
        "/dev/stdin",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/self/fd/0",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/a",
        "/proc/1/environ",
        "/proc/self/exe",
        "/proc/sysrq-trigger",
        "/sys/kernel/mm/ksm/run",
        "/dev/fd/1",
    ] {
        if Path::new(path).symlink_metadata().is_err() && !path.starts_with("/proc/self") {
            continue;
        }
        for script in
            [format!(r#"fs::read("{path}")"#), format!(r#"fs::read_lines("{path}", 1, 1)"#)]
        {
            let came = world.run(&script);
            let is_refused = ["fs/special: ", "fs/not-found: ", "fs/kind: ", "fs/denied: "]
                .iter()
                .any(|code| came.text.starts_with(code));
            // `/proc/self/root` and the like are links: read as what they say, and walked anew.
            let is_plain = path.contains("root/etc")
                || path.contains("/fd/")
                || ["exe", "stdin"].iter().any(|end| path.ends_with(end));
            assert!(is_refused || is_plain, "{path}: {came:?}");
            assert!(came.took < Duration::from_secs(5), "{path}: {came:?}");
        }
        let came = world.run(&format!(r#"fs::exists("{path}")"#));
        assert!(came.took < Duration::from_secs(5), "{path}: {came:?}");
    }
    refused(&world, r#"fs::list("/proc")"#, "fs/special");
    refused(&world, r#"fs::list("/sys")"#, "fs/special");
    refused(&world, r#"fs::glob("/proc/*/environ")"#, "fs/special");
    refused(&world, r#"fs::write("/proc/self/comm", "x")"#, "fs/special");
    refused(&world, r#"fs::write("/dev/null", "x")"#, "fs/special");
    link(&world, "p", "/proc/self/environ");
    refused(&world, r#"fs::read("p")"#, "fs/outside");
    gives(&world, r#"fs::glob("p*")"#, "[]");
    // What was granted with all of it is open: a path may name its file from any root.
    let whole = world.outside().join("secret");
    gives(&world, &format!(r#"fs::read("{}")"#, whole.display()), "\"hidden\"");
}

#[test]
fn sizes_are_bounded_before_anything_is_held() {
    let mut world = world(&ALL, &[("small", "x"), ("bad", "")]);
    fs::write(world.workspace().join("bad"), b"one\ntwo \xff").expect("a file");
    let sparse = fs::File::create(world.workspace().join("huge")).expect("a file");
    sparse.set_len(1 << 40).expect("a sparse file");
    let text = refused(&world, r#"fs::read("huge")"#, "fs/too-large");
    assert!(text.contains("fs::read_lines"), "{text}");
    assert!(world.run(r#"fs::read("huge")"#).spent.peak_memory < 1 << 20);
    refused(&world, r#"fs::read_lines("huge", 1, 1)"#, "fs/too-large");
    let text = refused(&world, r#"fs::read("bad")"#, "fs/not-utf8");
    assert!(text.contains("line 2"), "{text}");
    gives(&world, r#"fs::read_lines("bad", 1, 1)"#, r#"["one"]"#);
    refused(&world, r#"fs::read_lines("bad", 1, 2)"#, "fs/not-utf8");
    for script in [
        r#"fs::read_lines("small", 0, 1)"#,
        r#"fs::read_lines("small", 1, -1)"#,
        r#"fs::read_lines("small", 1, 1000000)"#,
    ] {
        assert!(world.run(script).text.starts_with("error: "), "{script}");
    }
    // Going through it is paid for, and looks at the clock.
    world.operations = 1_000_000;
    let skipped = world.run(r#"fs::read_lines("huge", 2, 1)"#);
    assert_eq!(skipped.killed, Some(Limit::Operations), "{skipped:?}");
    let copied = world.run(r#"fs::copy("huge", "copy")"#);
    assert_eq!(copied.killed, Some(Limit::Operations), "{copied:?}");
    world.operations = u64::MAX;
    world.time = Duration::from_millis(200);
    let late = world.run(r#"fs::read_lines("huge", 2, 1)"#);
    assert_eq!(late.killed, Some(Limit::Time), "{late:?}");
    assert!(late.took < Duration::from_secs(2), "{late:?}");
    let names = fs::read_dir(world.workspace()).expect("it is there").count();
    assert_eq!(names, 3, "a copy that was ended leaves nothing");
}

#[test]
fn memory_of_the_call_bounds_what_is_read() {
    let mut world = world(&ALL, &[("a", &"x".repeat(3 << 20))]);
    world.memory = 4 << 20;
    refused(&world, r#"fs::read("a")"#, "fs/too-large");
    world.memory = 64 << 20;
    gives(&world, r#"fs::read("a").len()"#, "3145728");
    world.memory = 8 << 20;
    let hoard =
        world.run(r#"let all = []; loop { all.push(fs::read("a").len() + fs::read("a")); }"#);
    assert!(
        hoard.text.starts_with("fs/too-large") || hoard.killed == Some(Limit::Memory),
        "{hoard:?}"
    );
}

#[test]
fn folders_of_many_entries_and_many_levels_are_bounded() {
    let mut world = world(&ALL, &[("deep/x", "")]);
    let mut folder = world.workspace().join("deep");
    for _ in 0..90 {
        folder.push("d");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("x"), "").expect("a file");
    }
    gives(&world, r#"fs::glob("deep/**/x").len()"#, "65");
    let many = world.workspace().join("many");
    fs::create_dir(&many).expect("a folder");
    for number in 0..10_001 {
        fs::write(many.join(number.to_string()), "").expect("a file");
    }
    refused(&world, r#"fs::list("many")"#, "fs/too-many");
    refused(&world, r#"fs::glob("many/*")"#, "fs/too-many");
    gives(&world, r#"fs::glob("many/77?").len()"#, "10");
    world.operations = 20_000;
    assert_eq!(world.run(r#"fs::list("many")"#).killed, Some(Limit::Operations));
}

#[test]
fn a_file_keeps_its_mode_and_loses_what_lends_rights() {
    let world = world(&ALL, &[("a", "x"), ("b", "x")]);
    let mode = |name: &str| {
        let about = fs::metadata(world.workspace().join(name)).expect("it is there");
        about.permissions().mode() & 0o7777
    };
    let set = |name: &str, mode| {
        let file = world.workspace().join(name);
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("the owner may");
    };
    set("a", 0o600);
    set("b", 0o4755);
    gives(&world, r#"fs::write("a", "y"); fs::write("b", "y"); fs::copy("a", "c")"#, "()");
    assert_eq!((mode("a"), mode("b"), mode("c")), (0o600, 0o755, 0o600));
}

#[test]
fn a_hard_link_to_the_outside_is_not_written_through() {
    let world = world(&ALL, &[]);
    fs::hard_link(world.outside().join("secret"), world.workspace().join("a")).expect("one disk");
    gives(&world, r#"fs::write("a", "mine")"#, "()");
    is_untouched(&world);
}

#[test]
fn errors_of_the_system_say_what_to_do() {
    let place = Place::parse("a/b").expect("a path");
    for (error, code) in [
        (Errno::NOENT, "fs/not-found"),
        (Errno::ACCESS, "fs/denied"),
        (Errno::PERM, "fs/denied"),
        (Errno::ROFS, "fs/read-only"),
        (Errno::NOSPC, "fs/full"),
        (Errno::DQUOT, "fs/full"),
        (Errno::LOOP, "fs/changed"),
        (Errno::NOTEMPTY, "fs/not-empty"),
        (Errno::IO, "fs/failed"),
        (Errno::MFILE, "fs/failed"),
    ] {
        let EvalAltResult::ErrorRuntime(value, _) = *failed(&place, error) else {
            panic!("a refusal is a value");
        };
        let refusal = value.read_lock::<Refusal>().expect("a refusal");
        assert_eq!(refusal.0.code, code);
        assert!(refusal.0.message.contains("a/b"), "{:?}", refusal.0);
    }
    let world = world(&ALL, &[("d/a", "x")]);
    refused(&world, r#"fs::remove("d")"#, "fs/not-empty");
    refused(&world, r#"fs::read("none")"#, "fs/not-found");
    refused(&world, r#"fs::write("none/a", "")"#, "fs/not-found");
    refused(&world, r#"fs::stat("none")"#, "fs/not-found");
    refused(&world, r#"fs::write("d", "")"#, "fs/kind");
    refused(&world, r#"fs::rename("none", "d/b")"#, "fs/not-found");
}
