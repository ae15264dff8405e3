//! What `regex` does with ordinary texts, odd ones, and huge ones.

use super::program::kept;
use super::search::Search;
use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("regex", &super::module());
}

#[test]
fn matches_are_those_of_the_language() {
    check("regex::find(\"foobar\", `foo|foobar`)", "\"foo\"");
    check("regex::find(\"aaa\", `a*?`)", "\"\"");
    check("regex::find(\"xaab\", `a+b?`)", "\"aab\"");
    check("regex::is_match(\"Straße\", `(?i)STRASSE|STRAẞE`)", "true");
    check("regex::find_all(\"añb\", ``)", "[\"\", \"\", \"\", \"\"]");
    check("regex::find_all(\"baac\", `a*`)", "[\"\", \"aa\", \"\"]");
    check("regex::find_all(\"ähnlich ist es\", `\\b\\w+\\b`)", "[\"ähnlich\", \"ist\", \"es\"]");
    check("regex::find_all(\"a\\nb\\n\", `(?m)^.$`)", "[\"a\", \"b\"]");
    check("regex::find_all(\"one two\", `(?-u:\\B)o|(?-u:\\B)`).len()", "4");
    check("regex::count(\"ñññ\", `(?-u:\\B)`)", "4");
    check("regex::is_match(\"ñ\", `^(?-u:\\B)ñ`)", "true");
    check("regex::find(\"a\\r\\nb\", `(?sR)a.*$`)", "\"a\\r\\nb\"");
    check("regex::split(\"\", `,`)", "[\"\"]");
    check("regex::split(\"ab\", ``)", "[\"\", \"a\", \"b\", \"\"]");
    check("regex::split(\"a,b\", `,`, 1)", "[\"a,b\"]");
    check(
        "regex::is_match(`a.b[c]-d e#f&g~h`, `^` + regex::escape(`a.b[c]-d e#f&g~h`) + `$`)",
        "true",
    );
    check("regex::is_match(\"a b#c\", `(?x)^` + regex::escape(\"a\") + ` \\  b \\#c$`)", "true");
}

#[test]
fn groups_are_told() {
    check(
        "regex::captures(\"ñ a=1\", `(?<k>\\w)=(?<v>\\d)(x)?`)",
        "#{ text: \"a=1\", start: 2, end: 5, groups: [\"a\", \"1\", ()], names: #{ k: \"a\", v: \"1\" } }",
    );
    check("regex::captures(\"a\", `b`)", "()");
    check("regex::captures_all(\"ñ1ñ2\", `\\d`).map(|m| m.start)", "[1, 3]");
    check("regex::captures(\"aab\", `(a|ab)(c|bcd)?(b*)`).groups", "[\"a\", (), \"\"]");
    check("regex::captures(\"abab\", `(?:(a)|(b))*`).groups", "[\"a\", \"b\"]");
    check("regex::captures(\"xay\", `\\b(a)?`).groups", "[()]");
}

#[test]
fn replacements_are_filled_in() {
    check("regex::replace(\"a1\", `(?<l>[a-z])(\\d)`, \"${l}0$2-$l.$$1\")", "\"a01-a.$1\"");
    check("regex::replace(\"a1\", `([a-z])`, \"$1a\")", "\"aa1\"");
    check("regex::replace(\"abc\", `x`, \"$0\")", "\"abc\"");
    check("regex::replace(\"ab\", ``, \"-\")", "\"-a-b-\"");
    check("regex::replace(\"ab\", `(a)|(b)`, \"[$1$2]\")", "\"[a][b]\"");
    check("regex::replace_first(\"aa\", `a`, 'b')", "\"ba\"");
    check(
        "let n = 0; regex::replace(\"aaa\", `a`, |m| { n += 1; `${m.start}${n}` })",
        "\"011223\"",
    );
    check(
        "regex::replace(\"a b\", `\\w`, |m| regex::replace(m.text, `\\w`, \"<$0>\"))",
        "\"<a> <b>\"",
    );
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("regex::find(\"a\", \"(\")", "is no pattern: unclosed group");
    check_refused("regex::find(\"a\", \"(?=a)\")", "look-around");
    check_refused("regex::find(\"a\", `(a)\\1`)", "backreferences are not supported");
    check_refused("regex::find(\"a\", `\\w{1000}`)", "too large once compiled");
    check_refused("regex::find(\"a\", `(?:(?:a{100}){100}){100}`)", "too large once compiled");
    check_refused("regex::find(\"a\", text::repeat(\"a\", 5000))", "4096 is the most");
    check_refused("regex::find(\"a\", text::repeat(\"(a)\", 200))", "99 is the most");
    check_refused(
        "regex::find(\"a\", text::repeat(\"(\", 500) + text::repeat(\")\", 500))",
        "no pattern",
    );
    check_refused("regex::replace(\"a\", `a`, \"$1\")", "no group `1`");
    check_refused("regex::replace(\"a\", `a`, \"$x\")", "no group `x`");
    check_refused("regex::replace(\"a\", `a`, \"5$\")", "followed by no group");
    check_refused("regex::replace(\"a\", `a`, \"${x\")", "followed by no group");
    check_refused("regex::replace(\"a\", `a`, 5)", "`to` is an int");
    check_refused("regex::replace(\"a\", `a`, |m| 5)", "what the function gave is an int");
    check_refused("regex::split(\"a\", `a`, 0)", "`parts` is 0");
}

/// Every place that a search finds, with its groups.
fn all(mut search: Search) -> Vec<Vec<Option<std::ops::Range<usize>>>> {
    let mut found = Vec::new();
    while let Some(place) = search.next().expect("nothing is bounded") {
        found.push(search.groups(&place).expect("nothing is bounded"));
    }
    found
}

#[test]
fn the_automata_and_the_machine_agree() {
    const PIECES: [&str; 22] = [
        "a", "b", "é", ".", "[ab]", "[^a]", "\\b", "\\B", "^", "$", "(?m:^)", "(?m:$)", "*", "+",
        "?", "*?", "{2,3}", "|", "(", ")", "(?:", "\\w",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut compared = 0;
    for _ in 0..4_000 {
        let pattern: String = (0..random.usize(1..8)).map(|_| PIECES[random.usize(..22)]).collect();
        let text: String = (0..random.usize(..12))
            .map(|_| random.choice(['a', 'b', 'é', '\n', ' ']).expect("one"))
            .collect();
        let Ok(search) = Search::new("test", &pattern, &text) else { continue };
        let fast = all(search);
        let slow = all(Search::new("test", &pattern, &text).expect("as before").by_machine());
        assert_eq!(fast, slow, "{pattern:?} in {text:?}");
        let is_match =
            Search::new("test", &pattern, &text).and_then(|mut search| search.is_match());
        assert_eq!(is_match.expect("as before"), !fast.is_empty(), "{pattern:?} in {text:?}");
        compared += 1;
    }
    assert!(compared > 1_000, "{compared} patterns");
}

#[test]
fn patterns_are_kept_and_are_no_leak() {
    let script =
        "let n = 0; for i in 0..200 { if regex::is_match(`x${i}y`, `^x${i}y$`) { n += 1 } } n";
    let (killed, spent) = bounded(script, 10_000_000, 32 << 20);
    assert_eq!(killed, None);
    assert!(spent.left_behind.abs() < 4096, "{spent:?}");
    let (count, bytes) = kept();
    assert!(count <= 32 && bytes <= 4 << 20, "{count} patterns, {bytes} bytes");
    let errors = "for i in 0..100 { try { regex::find(\"a\", `(${i}`) } catch { } try { regex::find(\"a\", `\\w{9${i}}`) } catch { } } 0";
    let (killed, spent) = bounded(errors, 10_000_000, 32 << 20);
    assert_eq!(killed, None);
    assert!(spent.left_behind.abs() < 4096, "{spent:?}");
}

#[test]
fn bombs_end_at_the_bounds() {
    let text = "let s = text::repeat(\"a\", 1000000); ";
    for bomb in [
        "loop { regex::is_match(s, `a*b`) }",
        "regex::find_all(s, `a(?:.*b)?`)",
        "loop { regex::is_match(s, `(?:a{0,200}){0,20}b`) }",
        "loop { regex::is_match(s, `(?:a?){2000}b`) }",
        "regex::captures(s, `(?:(a|aa|aaa)*)*b|(a*)*`)",
        "regex::find_all(s, ``)",
        "regex::captures_all(s, `(a)(a)(a)`)",
        "regex::replace(s, `a`, s)",
        "regex::replace(s, ``, \"$0$0$0\" + s)",
        "regex::replace(s, `(a*)`, text::repeat(\"$1\", 1000))",
        "regex::replace(s, `a`, |m| s)",
        "regex::split(s, `a`)",
        "loop { regex::split(\"a,b\", `,`) }",
        "let i = 0; loop { i += 1; regex::is_match(s, `b${i}`) }",
        "let i = 0; loop { i += 1; regex::is_match(\"\", `(?i:\\pL\\w{9})${i}`) }",
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
        "let s = text::repeat(\"ab\", 5000000); loop { regex::is_match(s, `c$`) }",
        "let s = text::repeat(\"aé \", 3000000); loop { regex::is_match(s, `\\b[cd]+\\b`) }",
        "let s = text::repeat(\"abbabaa\", 1000000); loop { regex::is_match(s, `[ab]*a[ab]{300}c`) }",
        "let s = text::repeat(\"a\", 1000000); loop { regex::is_match(s, `(?:a{0,200}){0,20}b`) }",
        "let s = text::repeat(\"é\", 1000000); loop { regex::is_match(s, `\\b(?:\\w{0,5}){0,2}b`) }",
        "let p = text::repeat(`(?i:\\pL)`, 200); let i = 0; loop { i += 1; try { regex::is_match(\"a\", p + i) } catch { } }",
        "let p = text::repeat(`[\\w--\\d&&\\pL]`, 150); let i = 0; loop { i += 1; try { regex::is_match(\"a\", p + i) } catch { } }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}

#[test]
fn common_calls_are_cheap() {
    let script = "regex::find_all(text::repeat(\"word 12 \", 10000), `\\d+`).len()";
    let (killed, spent) = bounded(script, 1_000_000, 8 << 20);
    assert_eq!(killed, None);
    assert!(spent.operations < 150_000, "{spent:?}");
}
