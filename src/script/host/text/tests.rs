//! What `text` does with ordinary texts, odd ones, and huge ones.

use super::trial::{bounded, check, check_examples, check_refused, lateness};
use crate::limit::Limit;

#[test]
fn examples_are_true() {
    check_examples("text", &super::module());
}

#[test]
fn parts_are_counted_in_characters() {
    check("text::slice(\"añb→c\", 1, 4)", "\"ñb→\"");
    check("text::slice(\"añb\", -2, -1)", "\"ñ\"");
    check("text::slice(\"abc\", 2, 1)", "\"\"");
    check("text::slice(\"abc\", 5)", "\"\"");
    check("text::slice(\"abc\", -9223372036854775808, 9223372036854775807)", "\"abc\"");
    check("text::find(\"ñañ→x\", \"→\")", "3");
    check("text::find(\"ñañ\", \"ñ\", 1)", "2");
    check("text::find(\"ab\", \"b\", 99)", "()");
    check("text::find_last(\"ñaaa\", \"aa\")", "2");
    check("text::find(\"abc\", \"\")", "0");
    check("text::find_last(\"abc\", \"\")", "3");
    check("text::contains(\"\", \"\")", "true");
    check("text::len(\"\")", "0");
    check("text::reverse(\"\")", "\"\"");
}

#[test]
fn words_end_at_white_space_of_any_kind() {
    check("text::words(\"\")", "[]");
    check("text::words(\" \\t\\n\")", "[]");
    check("text::words(\"a\\u00a0b\\u2003c d\")", "[\"a\", \"b\", \"c\", \"d\"]");
    check("text::words(\"naïve café\")", "[\"naïve\", \"café\"]");
    check("text::words(text::repeat(\"ab c \", 1000)).len()", "2000");
    check(
        "text::join(text::words(text::repeat(\"ab cé \", 999)), \" \") == text::trim(text::repeat(\"ab cé \", 999))",
        "true",
    );
}

#[test]
fn decimals_are_rounded_half_away_from_zero() {
    for (number, decimals, text) in [
        ("0.1 + 0.2", 2, "0.30"),
        ("1.005", 2, "1.01"),
        ("-1.005", 2, "-1.01"),
        ("2.5", 0, "3"),
        ("-0.001", 2, "0.00"),
        ("9223372036854775807", 1, "9223372036854775807.0"),
    ] {
        check(&format!("text::fixed({number}, {decimals})"), &format!("\"{text}\""));
    }
    check("text::fixed(1e300, 2).len()", "304");
    check_refused("text::fixed(1.5, 16)", "write one from 0 to 15");
    check_refused("text::fixed(\"1\", 2)", "give it an int or a float");
}

#[test]
fn characters_will_do_for_texts() {
    check("text::split(\"a,b\", ',')", "[\"a\", \"b\"]");
    check("text::pad_start(\"7\", 3, '0')", "\"007\"");
    check("text::replace(\"aXb\", 'X', '-')", "\"a-b\"");
    check("text::join([\"a\", 'b', 1, 2.5, true, (), [1]], ' ')", "\"a b 1 2.5 true  [1]\"");
}

#[test]
fn splitting_and_replacing_at_the_ends() {
    check("text::split(\"\", \",\")", "[\"\"]");
    check("text::split(\",\", \",\")", "[\"\", \"\"]");
    check("text::split(\"a,b\", \",\", 1)", "[\"a,b\"]");
    check("text::split(\"a→b→c\", \"→\")", "[\"a\", \"b\", \"c\"]");
    check("text::replace(\"aaa\", \"aa\", \"b\")", "\"ba\"");
    check("text::replace(\"abc\", \"x\", \"y\")", "\"abc\"");
    check("text::lines(\"\")", "[]");
    check("text::lines(\"\\n\")", "[\"\"]");
    check("text::between(\"a(b\", \"(\", \")\")", "()");
    check("text::split_once(\"abc\", \"=\")", "()");
}

#[test]
fn a_search_sees_across_its_windows() {
    for before in [1000, 1023, 1024, 1025, 4090, 5119, 5120, 5121, 300_000] {
        for unit in ["a", "é"] {
            let text = format!("text::repeat(\"{unit}\", {before}) + \"needle\" + \"x\"");
            check(&format!("text::find({text}, \"needle\")"), &before.to_string());
            check(&format!("text::find_last({text}, \"needle\")"), &before.to_string());
            check(&format!("text::split({text}, \"needle\")[1]"), "\"x\"");
        }
    }
    check("text::count(text::repeat(\"ab\", 5000), \"ba\")", "4999");
    check("text::count(text::repeat(\"aa\", 5000), \"aaa\")", "3333");
    check("text::split(text::repeat(\"é,\", 5000), \",\").len()", "5001");
    check("text::find_last(\"needle\" + text::repeat(\"x\", 5000), \"needle\")", "0");
}

#[test]
fn windows_do_not_show() {
    let long = "text::repeat(\"Ñandú É \", 40000)";
    check(&format!("text::len({long})"), "320000");
    check(&format!("text::lower({long}) == text::repeat(\"ñandú é \", 40000)"), "true");
    check(&format!("text::reverse(text::reverse({long})) == {long}"), "true");
    check(&format!("text::chars({long}).len()"), "320000");
    check(&format!("text::slice({long}, 319998)"), "\"É \"");
    check(&format!("text::title(text::lower({long})) == {long}"), "true");
    check("text::len(text::snake(text::repeat(\"aB\", 50000)))", "150000");
    check("text::escape_html(text::repeat(\"<\", 70000)) == text::repeat(\"&lt;\", 70000)", "true");
}

#[test]
fn names_in_all_styles() {
    for (name, words) in [
        ("", ""),
        ("--", ""),
        ("userId", "user-id"),
        ("HTTPServer2Go", "http-server2-go"),
        ("  some File_name ", "some-file-name"),
        ("ÉtéÀBas", "été-à-bas"),
    ] {
        check(&format!("text::kebab(\"{name}\")"), &format!("\"{words}\""));
    }
    check("text::pascal(\"été_à-bas\")", "\"ÉtéÀBas\"");
    check("text::camel(\"HTTP server\")", "\"httpServer\"");
    check("text::slug(\"--A  b--\")", "\"a-b\"");
    check("text::capitalize(\"\")", "\"\"");
    check("text::capitalize(\"ßA\")", "\"SSa\"");
}

#[test]
fn shapes_at_their_edges() {
    check("text::truncate(\"añb→c\", 3)", "\"añ…\"");
    check("text::truncate(\"abc\", 3)", "\"abc\"");
    check("text::truncate(\"abc\", 0)", "\"\"");
    check("text::truncate(\"abcdef\", 2, \"...\")", "\"..\"");
    check("text::truncate(\"abc\", 9223372036854775807)", "\"abc\"");
    check("text::wrap(\"abcdefgh ij\", 3)", "\"abc\\ndef\\ngh\\nij\"");
    check("text::wrap(\"a b\\n\\n  c\", 10)", "\"a b\\n\\n  c\"");
    check("text::wrap(\"ab cd\", 5)", "\"ab cd\"");
    check("text::wrap(\"ab cd\", 4)", "\"ab\\ncd\"");
    check("text::wrap(\"\", 1)", "\"\"");
    check("text::dedent(\"\\ta\\n\\t\\tb\\n\\n\")", "\"a\\n\\tb\\n\\n\"");
    check("text::dedent(\"a\\n  b\")", "\"a\\n  b\"");
    check("text::dedent(\"  a\\n \\n  b\")", "\"a\\n\\nb\"");
    check("text::center(\"a\", 4, \"xy\")", "\"xaxy\"");
    check("text::pad_start(\"abc\", 2)", "\"abc\"");
    check("text::repeat(\"ab\", 0)", "\"\"");
    check("text::repeat(\"\", 9223372036854775807)", "\"\"");
    check("text::number_lines(\"\")", "\"\"");
    check("text::indent(\"a\", 0)", "\"a\"");
    check("text::trim(\"\")", "\"\"");
    check("text::trim(\"xyx\", \"xy\")", "\"\"");
    check("text::trim(\"abc\", \"\")", "\"abc\"");
    check("text::strip_prefix(\"aa\", \"\")", "\"aa\"");
}

#[test]
fn numbers_and_templates() {
    check("text::parse_int(\"-9223372036854775808\") == -9223372036854775807 - 1", "true");
    check("text::parse_int(\"9223372036854775808\")", "()");
    check("text::parse_int(\"\")", "()");
    check("text::parse_int(\"-ff\", 16)", "-255");
    check("text::parse_float(\"nan\")", "()");
    check("text::parse_float(\"1e999\")", "()");
    check("text::parse_float(\"2\")", "2.0");
    check("text::format(\"{{{a}}} {b}\", #{ a: 1, b: [\"x\"] })", "\"{1} [\\\"x\\\"]\"");
    check("text::format(\"{1}{0}{}{}\", [1, \"b\"])", "\"b11b\"");
    check("text::format(\"\", #{})", "\"\"");
    check("text::distance(\"\", \"añb\")", "3");
    check("text::distance(\"flaw\", \"lawn\")", "2");
    check("text::distance(\"lawn\", \"flaw\")", "2");
    check("text::similarity(\"\", \"\")", "1.0");
    check("text::similarity(\"abc\", \"xyz\")", "0.0");
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("text::split(\"a\", \"\")", "`separator` is empty");
    check_refused("text::split(\"a\", 5)", "`separator` is an int");
    check_refused("text::split(\"a\", \",\", 0)", "`parts` is 0");
    check_refused("text::replace(\"a\", \"\", \"b\")", "`from` is empty");
    check_refused("text::replace(\"a\", \"a\", [])", "`to` is an array");
    check_refused("text::count(\"a\", \"\")", "`part` is empty");
    check_refused("text::repeat(\"a\", -1)", "`times` is -1");
    check_refused("text::pad_start(\"a\", 5, \"\")", "`fill` is empty");
    check_refused("text::pad_end(\"a\", -1)", "`width` is -1");
    check_refused("text::wrap(\"a\", 0)", "`width` is 0");
    check_refused("text::truncate(\"a\", -1)", "`length` is -1");
    check_refused("text::parse_int(\"1\", 1)", "`base` is 1");
    check_refused("text::find(\"a\", \"a\", -1)", "`start` is -1");
    check_refused("text::format(\"{x}\", #{ y: 1 })", "the values hold `y`");
    check_refused("text::format(\"{}\", [])", "the list has 0");
    check_refused("text::format(\"a}\", [])", "a `}` stands alone");
    check_refused("text::format(\"{a\", [])", "a `{` stands alone");
    check_refused("text::upper(5)", "text::upper");
}

#[test]
fn a_mistake_has_its_place() {
    let message = super::trial::show("let a = 1;\ntext::repeat(\"a\", -1)");
    assert!(message.contains("line 2"), "{message}");
}

/// Scripts that would need far more than the bounds; none may hold more than a little beyond.
#[test]
fn bombs_end_at_the_bounds() {
    let text = "let s = text::repeat(\"a\", 1000000); ";
    for bomb in [
        "text::repeat(\"ab\", 9223372036854775807)",
        "text::pad_start(\"a\", 9223372036854775807)",
        "text::pad_end(\"a\", 9223372036854775807, \"xyz\")",
        "text::indent(\"a\", 9223372036854775807)",
        "let b = text::repeat(\"b\", 1000000); text::replace(s, \"a\", b)",
        "text::indent(text::replace(s, \"a\", \"a\\n\"), s)",
        "let l = []; for i in 0..1000 { l.push(s); } text::join(l, s)",
        "text::join(text::chars(s), s)",
        "text::distance(s, s)",
        "text::similarity(s, s)",
        "text::format(text::repeat(\"{a}\", 1000), #{ a: s })",
        "loop { text::find(s, \"b\") }",
        "loop { text::trim(s, s) }",
        "loop { text::contains(s, text::repeat(\"a\", 500000) + \"b\") }",
        "text::trim(s, text::repeat(\"b\", 1000000) + \"a\")",
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
        "text::distance(text::repeat(\"ab\", 100000), text::repeat(\"ba\", 100000))",
        "loop { text::words(text::repeat(\"ab \", 1000000)) }",
        "loop { text::upper(text::repeat(\"é\", 1000000)) }",
        "loop { text::wrap(text::repeat(\"word \", 1000000), 7) }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}

#[test]
fn common_calls_are_cheap() {
    let (killed, spent) =
        bounded("text::words(text::repeat(\"word \", 20000))", 1_000_000, 8 << 20);
    assert_eq!(killed, None::<Limit>);
    assert!(spent.operations < 40_000, "{spent:?}");
}
