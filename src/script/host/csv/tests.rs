//! What `csv` does with ordinary texts, odd ones, and huge ones.

use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("csv", &super::module());
}

#[test]
fn rows_are_those_of_the_standard() {
    check("csv::rows(\"\")", "[]");
    check("csv::parse(\"\")", "[]");
    check("csv::parse(\"a,b\")", "[]");
    check("csv::rows(\"a,b\\r\\n\\r\\nc,d\\r\\n\")", "[[\"a\", \"b\"], [\"c\", \"d\"]]");
    check("csv::rows(\",\")", "[[\"\", \"\"]]");
    check("csv::rows(\"\\\"\\\"\")", "[[\"\"]]");
    check("csv::rows(\"\\\"a\\\"\\\"b\\n\\\"\\\"\\\",c\")", "[[\"a\\\"b\\n\\\"\", \"c\"]]");
    check("csv::rows(\"a\\\"b,c\")", "[[\"a\\\"b\", \"c\"]]");
    check("csv::rows(\"\u{feff}a;b\", #{ delimiter: ';' })", "[[\"a\", \"b\"]]");
    check("csv::parse(\"a,b\\n1,2\\n\\n3,4\").map(|r| r.b)", "[\"2\", \"4\"]");
    check("csv::parse(\" a , b \\n 1 , 2 \", #{ trim: true })", "[#{ a: \"1\", b: \"2\" }]");
}

#[test]
fn what_is_written_can_be_read() {
    check(
        "let rows = [[\"a\", \"b,c\"], [\"d\\n\\\"e\\\"\", \"\"], [\"ñ\", \" \"]]; csv::rows(csv::stringify(rows)) == rows",
        "true",
    );
    check("csv::rows(csv::stringify([[\"\"], [\"\u{feff}x\"]]))", "[[\"\"], [\"\u{feff}x\"]]");
    check("csv::stringify([])", "\"\"");
    check("csv::stringify([#{ a: 1 }, #{ a: 2.5, b: 9 }, #{}])", "\"a\\n1\\n2.5\\n\\\"\\\"\\n\"");
    check("csv::stringify([#{ a: true }], #{ header: false })", "\"true\\n\"");
    check("csv::stringify([[[1, \"x\"], 'c']])", "\"\\\"[1, \\\"\\\"x\\\"\\\"]\\\",c\\n\"");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("csv::parse(\"a,b\\n\\n1\")", "line 3 has 1 values, and the row of names has 2");
    check_refused("csv::parse(\"a,a\\n1,2\")", "two columns have the name \"a\"");
    check_refused("csv::parse(\"a,b\\n1\", #{ header: false })", "line 2 has 1 values");
    check_refused("csv::rows(\"a\\n\\\"b\")", "the quote in line 2 is never closed");
    check_refused("csv::rows(\"\\\"b\\\" c\")", "more behind the closing quote in line 1");
    check_refused("csv::rows(\"a\", #{ delimiter: \";;\" })", "write one ASCII character");
    check_refused("csv::rows(\"a\", #{ delimiter: 5 })", "`delimiter` is an int");
    check_refused("csv::rows(\"a\", #{ delimeter: \";\" })", "no option `delimeter`");
    check_refused("csv::rows(\"a\", #{ trim: 1 })", "`trim` is an int; write trim: true");
    check_refused("csv::stringify([1])", "row 0 is an int");
    check_refused("csv::stringify([[1], #{}])", "row 1 is of another kind");
    check_refused("csv::stringify([#{ a: || 1 }])", "is a function");
    check_refused("csv::stringify([[1]], #{ columns: [\"a\"] })", "row 0 is of another kind");
    check_refused("csv::stringify([#{}], #{ columns: [1] })", "`columns` is an int");
}

#[test]
fn bombs_end_at_the_bounds() {
    let text = "let s = text::repeat(\"a\", 1000000); ";
    for bomb in [
        "csv::rows(text::repeat(\",\", 3000000))",
        "csv::rows(text::repeat(\"a\\n\", 3000000))",
        "csv::parse(s + \"\\n\" + text::repeat(\"b\\n\", 1000000))",
        "csv::parse(text::repeat(\"a\\n\", 2000000))",
        "csv::rows(text::repeat(\"\\\"a\\\"\\\"\\\",\", 1000000))",
        "loop { csv::rows(\"\\\"\" + s + \"\\\"\") }",
        "let row = []; for i in 0..1000 { row.push(s) } csv::stringify([row])",
        "let rows = []; for i in 0..1000 { rows.push(#{ a: s }) } csv::stringify(rows)",
        "let rows = []; for i in 0..1000 { rows.push(#{}) } let c = []; for i in 0..5000 { c.push(s) } csv::stringify(rows, #{ columns: c })",
        "csv::stringify([[text::repeat(\"\\\"\", 9000000)]])",
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
        "let s = text::repeat(\"a,b,c\\n\", 1000000); loop { csv::rows(s) }",
        "let s = \"\\\"\" + text::repeat(\"a\", 9000000); loop { try { csv::rows(s) } catch { } }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
