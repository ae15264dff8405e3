//! What `list` does with ordinary lists, odd ones, and huge ones.

use crate::limit::Limit;
use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("list", &super::module());
}

#[test]
fn the_list_given_stays() {
    check("let a = [3, 1, 2]; list::sort(a); list::reverse(a); list::take(a, 1); a", "[3, 1, 2]");
    check("const A = [3, 1, 2]; list::sort(A)", "[1, 2, 3]");
    check("let a = [1]; let f = || a; list::union(a, [2])", "[1, 2]");
}

#[test]
fn equal_values_are_one() {
    check(
        "list::unique([1, 1.0, \"1\", '1', true, (), (), 2.5, 2.5])",
        "[1, \"1\", true, (), 2.5]",
    );
    check(
        "list::unique([[1, [2]], [1, [2]], #{ a: 1 }, #{ a: 1 }, #{ a: 2 }, []])",
        "[[1, [2]], #{ a: 1 }, #{ a: 2 }, []]",
    );
    check("list::unique([0.0, -0.0, 0.0/0.0, 0.0/0.0]).len()", "2");
    check("list::unique([9007199254740993, 9007199254740992.0]).len()", "2");
    check(
        "list::count([\"b\", \"a\", \"a\", \"b\", \"c\"])",
        "[#{ count: 2, value: \"b\" }, #{ count: 2, value: \"a\" }, #{ count: 1, value: \"c\" }]",
    );
    check("list::count([])", "[]");
    check("list::most_common([1, 2, 2], 0)", "[]");
    check("list::difference([1, 2], [])", "[1, 2]");
    check("list::intersection([], [1])", "[]");
    check("list::unique(list::range(100000)).len()", "100000");
    check("list::unique(list::range(1000).map(|n| `key number ${n} of many`)).len()", "1000");
}

#[test]
fn groups_have_names() {
    check(
        "list::group_by([#{ k: 1 }, #{ k: true }, #{}, #{ k: 1.5 }], \"k\").keys()",
        "[\"()\", \"1\", \"1.5\", \"true\"]",
    );
    check(
        "list::index_by([\"a\", \"bb\", \"c\"], |w| w.len())",
        "#{ \"1\": \"c\", \"2\": \"bb\" }",
    );
    check("list::to_map([])", "#{}");
    check("list::pluck([#{}, #{ a: 1 }], \"a\")", "[(), 1]");
    check("list::matching([#{ a: 1 }, #{ a: 1.0, b: 2 }], #{})", "[#{ a: 1 }, #{ a: 1.0, b: 2 }]");
}

#[test]
fn sorting_is_stable_and_takes_all_kinds() {
    check(
        "list::sort([\"b\", 2, true, (), 1.5, \"a\", [1]])",
        "[(), true, 1.5, 2, \"a\", \"b\", [1]]",
    );
    check(
        "list::sort_by([#{ k: 1, n: 1 }, #{ k: 0, n: 2 }, #{ k: 1, n: 3 }], \"k\").map(|r| r.n)",
        "[2, 1, 3]",
    );
    check(
        "list::sort_by_desc([#{ k: 1, n: 1 }, #{ k: 0, n: 2 }, #{ k: 1, n: 3 }], \"k\").map(|r| r.n)",
        "[1, 3, 2]",
    );
    check(
        "let a = list::range(5000).map(|n| (n * 7919) % 5000); list::sort(a) == list::range(5000)",
        "true",
    );
    check(
        "let a = list::range(5000).map(|n| text::pad_start(`${(n * 7919) % 5000}`, 4, '0')); let s = list::sort(a); s[0] + s[4999]",
        "\"00004999\"",
    );
    check("list::sort([0.0 / 0.0, 1.0, -1.0]).len()", "3");
    check("list::top([1, 3, 2], 9)", "[3, 2, 1]");
    check("list::min([])", "()");
    check("list::max_by([\"a\", \"b\"], |w| 1)", "\"a\"");
}

#[test]
fn sums_stay_exact() {
    check("list::sum([])", "0");
    check("list::sum([9223372036854775807, -9223372036854775807])", "0");
    check("list::mean([])", "()");
    check("list::median([])", "()");
    check("list::median([2])", "2.0");
    check("list::mean([9223372036854775807, 9223372036854775807]) > 9.2e18", "true");
}

#[test]
fn parts_at_their_edges() {
    check("list::take([1], 9223372036854775807)", "[1]");
    check("list::skip([1], 9223372036854775807)", "[]");
    check("list::slice([1, 2, 3], -9223372036854775808)", "[1, 2, 3]");
    check("list::chunk([1, 2], 9223372036854775807)", "[[1, 2]]");
    check("list::window([1, 2], 9223372036854775807)", "[]");
    check("list::chunk([], 1)", "[]");
    check("list::range(0)", "[]");
    check("list::range(5, 0)", "[]");
    check(
        "list::range(9223372036854775806, 9223372036854775807, 9223372036854775807)",
        "[9223372036854775806]",
    );
    check("list::first([])", "()");
    check("list::flatten([[], [[]]])", "[[]]");
    check("list::zip([], [1])", "[]");
    check("list::partition([], |n| n)", "[[], []]");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("list::take([1], -1)", "`n` is -1");
    check_refused("list::chunk([1], 0)", "`n` is 0");
    check_refused("list::window([1], -5)", "`n` is -5");
    check_refused("list::range(1, 2, 0)", "`step` is 0");
    check_refused("list::sum([1, \"2\"])", "value 1 is a string");
    check_refused("list::sum([9223372036854775807, 1])", "beyond the integers");
    check_refused("list::sort([1, |x| x])", "has no order");
    check_refused("list::unique([|x| x, |x| x])", "cannot be compared");
    check_refused("list::sort_by([1], \"a\")", "value 0 is an int");
    check_refused("list::sort_by([1], 5)", "`key` is an int");
    check_refused("list::sort_by([1, 2], |x| throw \"no\")", "no");
    check_refused("list::group_by([1], |x| [x])", "cannot be an array");
    check_refused("list::partition([1], |x| x)", "gives an int");
    check_refused("list::to_map([1])", "value 0 is an int");
    check_refused("list::to_map([[1]])", "another length");
    check_refused("list::sort(5)", "list::sort");
    let deep = "let a = []; for i in 0..150 { let b = [a]; a = b; }";
    check_refused(&format!("{deep} list::unique([a])"), "nested deeper");
}

#[test]
fn bombs_end_at_the_bounds() {
    let start = "let s = text::repeat(\"a\", 1000000); let l = []; l.pad(20000, s); \
                 let big = list::range(100000); ";
    for bomb in [
        "list::range(9223372036854775807)",
        "list::range(-9223372036854775807, 9223372036854775807)",
        "list::count(l)",
        "let m = [0]; for i in 0..1000 { m.push(s + i); } list::sort(m)",
        "list::sort_by(l, |x| loop {})",
        "list::group_by(l, |x| x)",
        "list::index_by(l, |x| { x + \"b\" })",
        "list::window(big, 50000)",
        "loop { list::unique(big) }",
        "loop { list::contains(big, -1) }",
        "let hold = []; loop { hold.push(list::sort(big)); }",
        "let hold = []; loop { hold.push(list::chunk(big, 1)); }",
        "let hold = []; loop { hold.push(list::count(big)); }",
        "let m = #{}; m[s] = 1; let n = []; for i in 0..1000 { n.push(#{ v: m }); } list::reverse(n)",
    ] {
        let started = std::time::Instant::now();
        let (killed, spent) = bounded(&format!("{start}{bomb}"), 2_000_000, 32 << 20);
        assert!(killed.is_some(), "{bomb} ends with {spent:?}");
        assert!(spent.peak_memory < 40 << 20, "{bomb}: {spent:?}");
        assert!(started.elapsed().as_secs() < 15, "{bomb}: {:?}", started.elapsed());
    }
}

#[test]
fn an_end_inside_a_function_is_not_swallowed() {
    for call in [
        "list::sort_by([2, 1], |x| loop {})",
        "list::partition([1], |x| loop {})",
        "list::unique([1], |x| loop {})",
        "list::max_by([1], |x| loop {})",
        "try { list::group_by([1], |x| loop {}) } catch { }",
    ] {
        assert_eq!(bounded(call, 10_000, 1 << 20).0, Some(Limit::Operations), "{call}");
    }
}

#[test]
fn long_work_sees_the_deadline() {
    for work in [
        "list::sort(list::range(3000000, 0, -1).map(|n| (n * 7919) % 1000003))",
        "loop { list::count(list::range(500000)) }",
        "loop { list::enumerate(list::range(500000)) }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
