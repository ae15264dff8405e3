#![allow(clippy::disallowed_methods, reason = "lays out workspaces of its own")]

use crate::feature::transaction::Act;
use crate::limit::Limit;
use crate::script::host::trial::{Came, World};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A world in which a script may run anything, to have programs that do all kinds of things.
fn world() -> World {
    World::new(&["exec=sh", "exec=cat", "exec=env", "exec=printf", "exec=none"])
}

fn shell(world: &World, script: &str, options: &str, then: &str) -> Came {
    world.run(&format!(r#"let r = exec::run("sh", ["-c", `{script}`], {options}); {then}"#))
}

#[track_caller]
fn refused(world: &World, script: &str, code: &str) -> String {
    let came = world.run(script);
    assert!(came.text.starts_with(&format!("{code}: ")), "{script}: {came:?}");
    came.text
}

/// Whether a process of that number is still there and no zombie.
fn is_alive(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.trim()));
    state.is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

#[track_caller]
fn ends(process: &str) {
    let until = Instant::now() + Duration::from_secs(3);
    while is_alive(process) {
        assert!(Instant::now() < until, "process {process} outlived its call");
        std::thread::yield_now();
    }
}

fn text(world: &World, name: &str) -> String {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        match fs::read_to_string(world.workspace().join(name)) {
            Ok(text) if text.ends_with('\n') => return text,
            other => assert!(Instant::now() < until, "{other:?}"),
        }
    }
}

#[test]
fn a_granted_program_runs_and_says_how_it_ended() {
    let world = world();
    let came = world.run(r#"exec::run("printf", ["%s-%s", "a b", 7])"#);
    assert_eq!(
        came.text,
        r#"#{"cut": false, "status": 0, "stderr": "", "stdout": "a b-7", "timed_out": false}"#
    );
    let came =
        shell(&world, "echo out; echo err >&2; exit 3", "#{}", "[r.status, r.stdout, r.stderr]");
    assert_eq!(came.text, r#"[3, "out\n", "err\n"]"#);
    let came = shell(&world, "kill -TERM $$", "#{}", "r.status");
    assert_eq!(came.text, "143");
    let came = world.run(r#"exec::run("cat", [], #{ input: "text" }).stdout"#);
    assert_eq!(came.text, "\"text\"");
    // Without input there is nothing to read, and no terminal to wait for.
    let came = world.run(r#"exec::run("cat", []).stdout"#);
    assert_eq!(came.text, "\"\"");
    let record = Act::Exec {
        program: "printf".into(),
        arguments: vec!["%s-%s".into(), "a b".into(), "7".into()],
    };
    assert_eq!(world.acts()[0], record);
}

#[test]
fn no_shell_reads_the_arguments() {
    let world = world();
    let came = world.run(r#"exec::run("printf", ["%s", "$HOME `id`; touch x > y | *"]).stdout"#);
    assert_eq!(came.text, r#""$HOME `id`; touch x > y | *""#);
    assert_eq!(fs::read_dir(world.workspace()).expect("it is there").count(), 0);
}

#[test]
fn a_program_gets_a_small_environment_and_the_workspace() {
    let world = world();
    let came = world.run(r#"exec::run("env", []).stdout"#);
    let names: Vec<_> =
        came.text.trim_matches('"').split("\\n").filter_map(|line| line.split_once('=')).collect();
    let mut known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(known, ["HOME", "LANG", "PATH", "TERM"], "{came:?}");
    assert!(names.contains(&("TERM", "dumb")), "{came:?}");
    let path = names.iter().find(|(name, _)| *name == "PATH").map_or("", |(_, path)| path);
    assert!(path.split(':').all(|folder| folder.starts_with('/')), "{path}");
    let came = shell(&world, "pwd", "#{}", "r.stdout");
    assert_eq!(came.text, format!("\"{}\\n\"", world.workspace().display()));
}

#[test]
fn what_is_not_granted_does_not_start() {
    let world = World::new(&["exec=git"]);
    let text = refused(&world, r#"exec::run("sh", ["-c", "touch x"])"#, "grant/exec");
    assert!(
        text.contains("`exec=sh` is not granted")
            && text.contains("peasy grant builtin:trial exec=sh"),
        "{text}"
    );
    for program in
        ["/bin/sh", "../sh", "./sh", "sh -c id", "", "sh;id", "sh\\n", "git/", "-c", "gït"]
    {
        refused(&world, &format!(r#"exec::run("{program}", [])"#), "exec/program");
    }
    refused(&world, r#"exec::run("GIT", [])"#, "grant/exec");
    assert!(world.acts().is_empty());
    let came = world.run_as_test(r#"exec::run("git", [])"#);
    assert!(came.text.starts_with("host/no-workspace: "), "{came:?}");
}

#[test]
fn a_program_of_the_workspace_is_not_found() {
    let world = world();
    let file = world.workspace().join("none");
    fs::write(&file, "#!/bin/sh\necho mine\n").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the owner may");
    refused(&world, r#"exec::run("none", [])"#, "exec/not-found");
    assert!(world.acts().is_empty());
}

#[test]
fn arguments_and_options_are_held_against_their_bounds() {
    let world = world();
    refused(&world, r#"let a = []; a.pad(1001, "x"); exec::run("printf", a)"#, "exec/arguments");
    refused(
        &world,
        r#"let a = "x"; a.pad(200000, "x"); exec::run("printf", [a])"#,
        "exec/arguments",
    );
    refused(&world, r#"exec::run("printf", ["a\x00b"])"#, "exec/arguments");
    for script in [
        r#"exec::run("printf", [[1]])"#,
        r#"exec::run("printf", [()])"#,
        r#"exec::run("printf", [], #{ shell: true })"#,
        r#"exec::run("printf", [], #{ timeout: 0 })"#,
        r#"exec::run("printf", [], #{ timeout: "1s" })"#,
        r#"exec::run("printf", [], #{ most: 999999999 })"#,
        r#"exec::run("printf", [], #{ input: 1 })"#,
    ] {
        let came = world.run(script);
        assert!(came.text.starts_with("error: "), "{script}: {came:?}");
    }
    assert!(world.acts().is_empty());
}

#[test]
fn output_is_cut_and_read_to_its_end() {
    let world = world();
    let big = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; echo 0123456789012345678901234567890123456789 >&2; i=$((i+1)); done; echo end";
    let came =
        shell(&world, big, "#{ most: 1000 }", "[r.status, r.stdout.len(), r.stderr.len(), r.cut]");
    assert_eq!(came.text, "[0, 1000, 1000, true]");
    let came = shell(&world, big, "#{}", "[r.status, r.stdout.len(), r.stderr.len(), r.cut]");
    assert_eq!(came.text, "[0, 123004, 123000, false]");
    // More than a pipe holds, in both directions at once.
    let came = world.run(r#"let t = "x"; t.pad(1000000, "x"); let r = exec::run("cat", [], #{ input: t, most: 2000000 }); [r.stdout.len(), r.cut]"#);
    assert_eq!(came.text, "[1000000, false]");
    // What reads nothing does not hold the call up.
    let came = world.run(r#"let t = "x"; t.pad(1000000, "x"); exec::run("sh", ["-c", "exit 4"], #{ input: t }).status"#);
    assert_eq!(came.text, "4");
    let came = shell(&world, "printf '\\377ok'", "#{}", "r.stdout");
    assert_eq!(came.text, "\"\u{fffd}ok\"", "what is no UTF-8 is shown as such");
}

#[test]
fn time_is_up_for_what_ignores_every_signal() {
    let world = world();
    let stubborn = "trap '' TERM INT HUP PIPE; echo $$ > pid; while :; do :; done";
    let came = shell(&world, stubborn, "#{ timeout: 300 }", "[r.timed_out, r.status]");
    assert_eq!(came.text, "[true, 137]");
    assert!(came.took < Duration::from_secs(3), "{came:?}");
    ends(&text(&world, "pid"));
    let came = shell(
        &world,
        "echo before; exec sleep 100",
        "#{ timeout: 300 }",
        "[r.timed_out, r.stdout]",
    );
    assert_eq!(came.text, r#"[true, "before\n"]"#);
}

#[test]
fn the_deadline_of_the_call_ends_the_program() {
    let mut world = world();
    world.time = Duration::from_millis(400);
    let script = "trap '' TERM; echo $$ > pid; while :; do echo x; done";
    let came = shell(&world, script, "#{ timeout: 60000 }", "r");
    assert_eq!(came.killed, Some(Limit::Time), "{came:?}");
    assert!(came.took < Duration::from_millis(1500), "{came:?}");
    ends(&text(&world, "pid"));
    // No `try` goes on after that.
    let came = world.run(r#"loop { try { exec::run("sh", ["-c", "exec sleep 9"]); } catch { } }"#);
    assert_eq!(came.killed, Some(Limit::Time), "{came:?}");
}

#[test]
fn an_end_by_another_bound_ends_the_program() {
    let mut world = world();
    world.operations = 40_000;
    let came = shell(&world, "echo $$ > pid; exec cat /dev/zero", "#{}", "r");
    assert_eq!(came.killed, Some(Limit::Operations), "{came:?}");
    ends(&text(&world, "pid"));
    world.operations = 10_000_000;
    world.memory = 1 << 20;
    let came = shell(&world, "echo $$ > pid2", "#{ most: 4000000 }", "r");
    assert_eq!(came.killed, Some(Limit::Memory), "{came:?}");
    assert!(!world.workspace().join("pid2").exists(), "it was not begun");
}

#[test]
fn what_was_put_into_the_background_ends_with_the_program() {
    let world = world();
    let script = "(trap '' TERM HUP INT; echo $$ > /dev/null; while :; do sleep 1; done) & echo $! > pid; echo done";
    let came = shell(&world, script, "#{}", "[r.status, r.stdout]");
    assert_eq!(came.text, r#"[0, "done\n"]"#);
    assert!(came.took < Duration::from_secs(3), "it holds the pipes open: {came:?}");
    ends(&text(&world, "pid"));
    let nohup = "nohup sleep 50 >/dev/null 2>&1 & echo $! > pid2; exit 0";
    assert_eq!(shell(&world, nohup, "#{}", "r.status").text, "0");
    ends(&text(&world, "pid2"));
}

#[test]
fn a_swarm_of_processes_ends_at_once() {
    let world = world();
    let swarm = "n() { while :; do sleep 0.01 & done; }; i=0; while [ $i -lt 8 ]; do n & i=$((i+1)); done; echo $! > pid; wait";
    let came = shell(&world, swarm, "#{ timeout: 200 }", "r.timed_out");
    assert_eq!(came.text, "true");
    assert!(came.took < Duration::from_secs(5), "{came:?}");
    ends(&text(&world, "pid"));
}

#[test]
fn one_that_leaves_the_group_does_not_hold_the_call_up() {
    if !Path::new("/usr/bin/setsid").exists() {
        return;
    }
    let world = world();
    // It keeps our pipes, and says more for as long as it lives.
    let script = "setsid sh -c 'echo $$ > pid; while [ -e stay ]; do echo more; done' & touch stay; while [ ! -s pid ]; do :; done; echo first";
    fs::write(world.workspace().join("stay"), "").expect("a file");
    let came = shell(&world, script, "#{}", "r.status");
    assert_eq!(came.text, "0");
    assert!(came.took < Duration::from_secs(5), "{came:?}");
    // This is what is not promised; see docs/security.md.
    fs::remove_file(world.workspace().join("stay")).expect("it is there");
    ends(&text(&world, "pid"));
}

#[test]
fn a_program_that_stops_is_ended() {
    let world = world();
    let came = world.run(r#"exec::run("sh", ["-c", "echo $$ > pid; kill -STOP $$; echo woken"])"#);
    assert!(came.text.starts_with("exec/stopped: "), "{came:?}");
    ends(&text(&world, "pid"));
}

#[test]
fn a_file_that_is_no_program_is_refused() {
    // `PATH` may hold folders in which anything lies; what cannot be executed is passed over.
    let world = World::new(&["exec=no-such-program-anywhere"]);
    let text = refused(&world, r#"exec::run("no-such-program-anywhere", [])"#, "exec/not-found");
    assert!(text.contains("`PATH`"), "{text}");
}

#[test]
fn a_program_that_leaves_its_own_group_is_ended() {
    if !Path::new("/usr/bin/python3").exists() {
        return;
    }
    let world = World::new(&["exec=python3"]);
    let script = "import os,time\\nos.setpgid(0, os.getpgid(os.getppid()))\\nprint(os.getpid(), file=open('pid', 'w'), flush=True)\\ntime.sleep(99)";
    let came = world.run(&format!(
        r#"exec::run("python3", ["-c", "{script}"], #{{ timeout: 1500 }}).timed_out"#
    ));
    assert_eq!(came.text, "true", "{came:?}");
    ends(&text(&world, "pid"));
}
