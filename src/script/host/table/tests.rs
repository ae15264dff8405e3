//! What `table` does with ordinary rows, odd ones, and huge ones.

use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("table", &super::module());
}

#[test]
fn tables_are_aligned() {
    check("table::text([])", "\"\"");
    check("table::text([#{}])", "\"\"");
    check("table::text([[\"a\"]])", "\"a\\n-\"");
    check("table::text([[\"漢字\", \"b\"], [\"x\", 'y']])", "\"漢字  b\\n----  -\\nx     y\"");
    check(
        "table::text([[\"a\", \"b\"], [1.5, \"x\\ny\"], [()]])",
        "\"  a  b\\n---  ---\\n1.5  x y\\n     \"",
    );
    check("table::text([[\"a\"], [\"long text\"]], #{ width: 4 })", "\"a\\n----\\nlon…\"");
    check("table::text([[\"a\"], [\"漢字漢\"]], #{ width: 4 })", "\"a\\n---\\n漢…\"");
    check(
        "table::markdown([#{ a: \"x\\r\\ny\" }, #{ a: `\\` }])",
        "\"| a      |\\n| ------ |\\n| x<br>y |\\n| \\\\\\\\     |\"",
    );
    check("table::columns([[\"x\", \"y\"], [1]])", "[\"x\", \"y\"]");
}

#[test]
fn rows_stay_rows() {
    check(
        "table::select([#{ a: 1 }, #{ a: 2, b: [3] }], [\"b\", \"a\"])",
        "[#{ a: 1, b: () }, #{ a: 2, b: [3] }]",
    );
    check("table::sort([], \"a\")", "[]");
    check(
        "table::sort([[\"a\", \"b\"], [2, \"x\"], [1, \"y\"], [1, \"z\"]], \"a\")",
        "[[\"a\", \"b\"], [1, \"y\"], [1, \"z\"], [2, \"x\"]]",
    );
    check("table::sort_desc([#{ a: 1 }, #{}, #{ a: \"x\" }], \"a\").len()", "3");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("table::text([1])", "row 0 is an int");
    check_refused("table::text([#{ a: 1 }, [1]])", "row 1 is an array");
    check_refused(
        "table::text([[\"a\"], [1, 2]])",
        "row 1 has 2 values, and the first row names 1",
    );
    check_refused("table::text([[1]])", "`the first row` is an int");
    check_refused("table::text([#{ a: || 1 }])", "a value is a function");
    check_refused("table::select([#{ a: 1 }], [\"b\"])", "no column `b`; there are `a`");
    check_refused("table::sort([#{ a: 1 }], \"b\")", "no column `b`; there are `a`");
    check_refused("table::text([#{ a: 1 }], #{ column: [\"a\"] })", "no option `column`");
    check_refused("table::text([#{ a: 1 }], #{ width: 0 })", "`width` is 0");
    check_refused("table::sort([#{ a: || 1 }, #{ a: 1 }], \"a\")", "has no order");
    check_refused(
        "let m = #{}; for i in 0..2000 { m[`k${i}`] = 1; } table::text([m])",
        "more than 1024 columns",
    );
}

#[test]
fn bombs_end_at_the_bounds() {
    let text = "let s = text::repeat(\"a\", 1000000); let rows = []; for i in 0..1000 { rows.push(#{ a: 1, b: 2 }) } ";
    for bomb in [
        "rows.push(#{ a: s }); table::text(rows)",
        "rows.push(#{ a: s }); table::markdown(rows)",
        "for i in 0..500 { rows.push(#{ a: s }) } table::text(rows)",
        "let v = []; for i in 0..1000 { v.push(s) } table::text([#{ a: v }])",
        "table::text([[\"a\"], [text::repeat(\"|\", 9000000)]])",
        "let c = []; for i in 0..1000 { c.push(\"a\") } loop { table::text(rows, #{ columns: c }) }",
        "loop { table::sort(rows, \"a\") }",
        "let c = []; for i in 0..1000 { c.push(s) } table::text([c])",
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
        "let rows = []; for i in 0..20000 { rows.push(#{ a: i, b: \"x\" }) } loop { table::markdown(rows) }",
        "let rows = [[\"a\"], [text::repeat(\"é|\", 1000000)]]; loop { table::markdown(rows) }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
