//! What `diff` does with ordinary texts, odd ones, and huge ones.

use super::lines::{Change, Lines};
use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("diff", &super::module());
}

#[test]
fn diffs_are_those_of_the_program() {
    check("diff::unified(\"a\\n\", \"a\\n\")", "\"\"");
    check("diff::unified(\"\", \"a\\n\")", "\"--- before\\n+++ after\\n@@ -0,0 +1 @@\\n+a\\n\"");
    check(
        "diff::unified(\"a\", \"a\\n\")",
        "\"--- before\\n+++ after\\n@@ -1 +1 @@\\n-a\\n\\\\ No newline at end of file\\n+a\\n\"",
    );
    check(
        "diff::unified(\"1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n\", \"1\\nx\\n3\\n4\\n5\\n6\\n7\\n9\\n\", #{ context: 1 })",
        "\"--- before\\n+++ after\\n@@ -1,3 +1,3 @@\\n 1\\n-2\\n+x\\n 3\\n@@ -7,3 +7,2 @@\\n 7\\n-8\\n 9\\n\"",
    );
    check(
        "diff::lines(\"a\\r\\nb\\r\\n\", \"b\\r\\n\")",
        "[#{ kind: \"removed\", line: 1, text: \"a\" }]",
    );
    check("diff::stat(\"\", \"\")", "#{ added: 0, removed: 0, same: 0 }");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("diff::unified(\"a\", \"b\", #{ context: -1 })", "`context` is -1");
    check_refused("diff::unified(\"a\", \"b\", #{ from: \"x\\n+y\" })", "without line breaks");
    check_refused("diff::unified(\"a\", \"b\", #{ lines: 1 })", "no option `lines`");
}

fn text(numbers: &[usize]) -> String {
    numbers.iter().map(|number| format!("{number}\n")).collect()
}

/// Checks that the changes turn one text into the other, and gives how many lines they touch.
fn checked(before: &str, after: &str) -> usize {
    let lines = Lines::of(before, after).expect("nothing is bounded");
    let changes = lines.changes().expect("nothing is bounded");
    let (mut x, mut y, mut touched) = (0, 0, 0);
    for Change { before: old, after: new } in &changes {
        assert!(old.start >= x && new.start >= y, "{changes:?}");
        assert_eq!(lines.before[x..old.start], lines.after[y..new.start], "{before:?} {after:?}");
        (x, y) = (old.end, new.end);
        touched += old.len() + new.len();
    }
    assert_eq!(lines.before[x..], lines.after[y..], "{before:?} {after:?} {changes:?}");
    touched
}

#[test]
fn changes_lead_from_one_text_to_the_other() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..2_000 {
        let kinds = random.usize(1..6);
        let mut numbers =
            || -> Vec<_> { (0..random.usize(..12)).map(|_| random.usize(..kinds)).collect() };
        let (before, after) = (numbers(), numbers());
        // The shortest way, by the table of longest common parts.
        let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
        for (x, old) in before.iter().enumerate() {
            for (y, new) in after.iter().enumerate() {
                common[x + 1][y + 1] = if old == new {
                    common[x][y] + 1
                } else {
                    common[x][y + 1].max(common[x + 1][y])
                };
            }
        }
        let shortest = before.len() + after.len() - 2 * common[before.len()][after.len()];
        assert_eq!(checked(&text(&before), &text(&after)), shortest, "{before:?} {after:?}");
    }
}

#[test]
fn long_ways_are_right_as_well() {
    let before: Vec<_> = (0..4_000).collect();
    let after: Vec<_> = (0..4_000).map(|n| if n % 4 == 0 { n + 10_000 } else { n }).collect();
    assert_eq!(checked(&text(&before), &text(&after)), 2_000);
    let reversed: Vec<_> = before.iter().rev().copied().collect();
    assert_eq!(checked(&text(&before), &text(&reversed)), 7_998);
    let others: Vec<_> = (5_000..9_000).collect();
    assert_eq!(checked(&text(&before), &text(&others)), 8_000);
    let same: Vec<_> = before.iter().map(|n| n % 2).collect();
    checked(&text(&same), &text(&before));
}

#[test]
fn bombs_end_at_the_bounds() {
    let text = "let a = text::number_lines(text::repeat(\"\\n\", 100000)); let b = text::replace(a, \"1\", \"2\"); ";
    for bomb in [
        "loop { diff::unified(a, b) }",
        "diff::lines(a, \"\")",
        "let n = text::repeat(\"\\n\", 9000000); diff::lines(n, \"a\")",
        "loop { diff::stat(text::repeat(\"a\\nb\\n\", 50000), text::repeat(\"b\\nb\\na\\n\", 50000)) }",
        "let s = text::repeat(\"a\", 9000000); diff::unified(s, s + \"b\")",
    ] {
        let started = std::time::Instant::now();
        let (killed, spent) = bounded(&format!("{text}{bomb}"), 2_000_000, 32 << 20);
        assert!(killed.is_some(), "{bomb} ends with {spent:?}");
        assert!(spent.peak_memory < 34 << 20, "{bomb}: {spent:?}");
        assert!(started.elapsed().as_secs() < 15, "{bomb}: {:?}", started.elapsed());
    }
}

#[test]
fn long_work_sees_the_deadline() {
    for work in [
        "let a = text::repeat(\"a\\nb\\n\", 1000000); let b = text::repeat(\"b\\nb\\na\\n\", 1000000); loop { diff::stat(a, b) }",
        "let a = text::number_lines(text::repeat(\"\\n\", 500000)); let b = text::replace(a, \"1\", \"2\"); loop { diff::stat(a, b) }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
