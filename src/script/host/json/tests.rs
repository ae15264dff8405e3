//! What `json` does with ordinary values, odd ones, and huge ones.

use crate::limit::Limit;
use crate::script::host::text::trial::{bounded, check, check_examples, check_refused};

#[test]
fn examples_are_true() {
    check_examples("json", &super::module());
}

#[test]
fn values_survive_the_way_there_and_back() {
    for value in [
        "()",
        "true",
        "-9223372036854775807",
        "1.5",
        "\"a\\\"\\\\\\n\\u0001é😀\"",
        "[]",
        "#{}",
        "[[], #{}, [#{ \"\": [] }]]",
        "#{ \"a b\": [1, 2.0, \"x,y:{}\"], c: #{ d: () } }",
    ] {
        check(&format!("json::parse(json::stringify({value}))"), value);
        check(&format!("json::parse(json::pretty({value}))"), value);
    }
    check("json::parse(\"18446744073709551615\")", "18446744073709551615.0");
    check("json::parse(\" {\\\"a\\\":1,\\\"a\\\":2} \")", "#{ a: 2 }");
    check("json::pretty([])", "\"[]\"");
    check(
        "json::pretty([[], #{ a: 1, b: [2] }])",
        "\"[\\n  [],\\n  {\\n    \\\"a\\\": 1,\\n    \\\"b\\\": [\\n      2\\n    ]\\n  }\\n]\"",
    );
}

#[test]
fn paths_reach_into_values() {
    let value = "#{ \"a/b\": 1, \"m~n\": 2, \"\": 3, list: [10, [20]], map: #{ \"0\": 4 } }";
    for (path, wanted) in [
        ("/a~1b", "1"),
        ("/m~0n", "2"),
        ("/", "3"),
        ("list[1][0]", "20"),
        ("list.1.0", "20"),
        ("list[-1]", "[20]"),
        ("list[2]", "()"),
        ("list.x", "()"),
        ("/list/0/x", "()"),
        ("map[0]", "4"),
    ] {
        check(&format!("json::get({value}, \"{path}\")"), wanted);
    }
    check("json::get(5, \"\")", "5");
    check("json::has(#{}, \"a\")", "false");
    check(
        "let m = #{ a: [1] }; let n = json::set(m, \"a[1]\", 2); [m, n]",
        "[#{ a: [1] }, #{ a: [1, 2] }]",
    );
    check("json::set([1], \"/-\", 2)", "[1, 2]");
    check("json::set((), \"a[0]\", 2)", "#{ a: #{ \"0\": 2 } }");
    check("json::set(1, \"\", 2)", "2");
    check("json::remove([1, 2], \"[-1]\")", "[1]");
    check("json::remove(#{ a: 1 }, \"b.c\")", "#{ a: 1 }");
}

#[test]
fn values_are_merged_and_compared() {
    check("json::merge(1, #{ a: 1 })", "#{ a: 1 }");
    check("json::merge(#{ a: [1] }, #{ a: [2] })", "#{ a: [2] }");
    check("json::diff(#{ a: 1 }, #{ a: 1.0 })", "[]");
    check("json::diff(1, 2)", "[#{ path: \"\", kind: \"changed\", before: 1, after: 2 }]");
    check("json::diff([1], [1, 2])[0].kind", "\"added\"");
    check("json::diff(#{ \"a/b~\": 1 }, #{})[0].path", "\"/a~1b~0\"");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("json::parse(\"\")", "line 1 column 0");
    check_refused("json::parse(\"{\\\"a\\\": 1,\\n x}\")", "line 2 column 2");
    check_refused("json::parse(\"1 2\")", "trailing characters");
    check_refused("json::parse(\"[1e999]\")", "out of range");
    check_refused("json::parse(text::repeat(\"[\", 100000))", "recursion limit");
    check_refused("json::stringify(|x| x)", "a function");
    check_refused("json::stringify([1, 0.0 / 0.0])", "`[1]`");
    check_refused("json::get(#{}, \"a[\")", "cannot be read");
    check_refused("json::get(#{}, \"a..b\")", "cannot be read");
    check_refused("json::get(#{}, \"a]\")", "cannot be read");
    check_refused("json::get(#{}, \"a[0]b\")", "cannot be read");
    check_refused("json::get(#{}, text::repeat(\"/a\", 200))", "more than 128");
    check_refused("json::get(#{}, text::repeat(\"a.\", 200))", "more than 128");
    check_refused("json::set([1], \"[5]\", 0)", "a list of 1");
    check_refused("json::set(#{ a: 1 }, \"a.b\", 0)", "an int");
    let deep = "let a = #{}; for i in 0..150 { let b = #{ a: a }; a = b; }";
    check_refused(&format!("{deep} json::stringify(a)"), "nested deeper");
    check_refused(&format!("{deep} json::merge(a, a)"), "nested deeper");
    check_refused(&format!("{deep} json::diff(a, a)"), "nested deeper");
}

#[test]
fn bombs_end_at_the_bounds() {
    let start = "let s = text::repeat(\"a\", 1000000); ";
    for bomb in [
        "json::parse(\"[\" + text::repeat(\"[],\", 3000000) + \"0]\")",
        "json::parse(\"[\" + text::repeat(\"{\\\"\\\":0},\", 500000) + \"0]\")",
        "json::parse(\"[\" + text::repeat(\"1,\", 3000000) + \"0]\")",
        "let hold = []; loop { hold.push(json::parse(\"\\\"\" + s + \"\\\"\")); }",
        "let l = []; l.pad(1000, s); loop { json::stringify([s, s, s]); }",
        "let m = #{}; m[s] = 1; let l = []; for i in 0..25 { l.push(json::diff(m, #{})); } loop {}",
        "let m = #{}; loop { m = json::set(m, `${s}${m.len()}`, 1); }",
    ] {
        let (killed, spent) = bounded(&format!("{start}{bomb}"), 2_000_000, 32 << 20);
        assert!(killed.is_some(), "{bomb} ends with {spent:?}");
        assert!(spent.peak_memory < 40 << 20, "{bomb}: {spent:?}");
    }
}

#[test]
fn a_text_beyond_the_memory_is_refused() {
    let many = "let s = text::repeat(\"a\", 1000000); let l = []; l.pad(100000, s);";
    for call in ["json::stringify(l)", "json::pretty(l)"] {
        let caught = format!("{many} let n = 0; try {{ {call} }} catch {{ n = 1 }} n");
        let (killed, spent) = bounded(&caught, 10_000_000, 32 << 20);
        assert!(matches!(killed, None | Some(Limit::Memory)), "{spent:?}");
        assert!(spent.peak_memory < 40 << 20, "{spent:?}");
    }
}
