//! What `markdown` does with ordinary texts, odd ones, and huge ones.

use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("markdown", &super::module());
}

#[test]
fn headings_are_found() {
    check("markdown::headings(\"\")", "[]");
    let show = |text: &str, wanted: &str| {
        check(
            &format!(
                "markdown::headings({text:?}).map(|h| `${{h.level}} ${{h.text}} ${{h.id}} ${{h.line}}`)"
            ),
            wanted,
        );
    };
    show("# A #\n## A\n#b\n    # c\n####### d", "[\"1 A a 1\", \"2 A a-1 2\"]");
    show(
        "---\ntitle: x\n---\nOne\n===\n\ntwo\nlines\n---\n- item\n---",
        "[\"1 One one 4\", \"2 two\\nlines twolines 7\"]",
    );
    show(
        "```\n# no\n```\n~~~~\n~~~\n# no\n~~~~\n<!-- \n# no\n-->\n# `c` [l](u) \\*",
        "[\"1 c l * c-l- 11\"]",
    );
    show("---\n# a", "[\"1 a a 2\"]");
    show("# Ünï-code_x!", "[\"1 Ünï-code_x! ünï-code_x 1\"]");
}

#[test]
fn sections_and_code_are_found() {
    check("markdown::section(\"# a\\n1\\n## b\\n2\\n# c\\n3\", \"# a\")", "\"1\\n## b\\n2\"");
    check("markdown::section(\"# a\", \"b\")", "()");
    check("markdown::section(\"# a\", \"a\")", "\"\"");
    check(
        "markdown::code_blocks(\"~~~ js x\\na\\n\\nb\\n~~~\\n```\\nopen\")",
        "[#{ code: \"a\\n\\nb\", language: \"js\", line: 1 }, #{ code: \"open\", language: \"\", line: 6 }]",
    );
    check(
        "markdown::toc(\"## a_b\\n# c\\n### d\")",
        "\"- [a\\\\_b](#a_b)\\n- [c](#c)\\n  - [d](#d)\"",
    );
}

#[test]
fn links_are_found() {
    let show = |text: &str, wanted: &str| {
        check(
            &format!("markdown::links({text:?}).map(|l| `${{l.text}}|${{l.url}}|${{l.line}}`)"),
            wanted,
        );
    };
    show("[a](b) ![c](d)\n[![e](f)](g)", "[\"a|b|1\", \"c|d|1\", \"e|g|2\", \"e|f|2\"]");
    show("`[a](b)` \\[c](d) <https://e.f> <a href='x'>", "[\"https://e.f|https://e.f|1\"]");
    show(
        "[a][R e] [r E][] [R  E] [x][y]\n\n[r e]: <u v> 'T'",
        "[\"a|u v|1\", \"r E|u v|1\", \"R  E|u v|1\"]",
    );
    show("[a](b(c)d) [e](f\\)g)", "[\"a|b(c)d|1\", \"e|f)g|1\"]");
    show("[a]( b \"t\" ) [no](x y)", "[\"a|b|1\"]");
    show("a ] b [ c ](", "[]");
}

#[test]
fn words_are_left() {
    let show = |text: &str, wanted: &str| {
        check(&format!("markdown::plain({text:?})"), &format!("{wanted:?}"))
    };
    show("a *b* **c** ***d*** ~~e~~ `f*` snake_case _g_", "a b c d e f* snake_case g");
    show("2 * 3 * 4, 5*6", "2 * 3 * 4, 5*6");
    show("a\n\n\nb\n```\nc\n```\nd", "a\n\nb\nc\nd");
    show("x <b>y</b> a < b > c", "x y a < b > c");
    show("``a`b`` `c", "a`b `c");
    show("\\*a\\* \\z", "*a* \\z");
    for text in ["1. a", "# b", "- c", "*d* _e_ [f](g) `h` <i> \\j", "a\n2) b", "+ x", "a | b"] {
        check(&format!("markdown::plain(markdown::escape({text:?}))"), &format!("{text:?}"));
        check(&format!("markdown::headings(markdown::escape({text:?}))"), "[]");
        check(&format!("markdown::links(markdown::escape({text:?}))"), "[]");
    }
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("markdown::toc(\"# a\", 0)", "`level` is 0");
    check_refused("markdown::section(\"# a\", \"#\")", "`heading` is empty");
}

#[test]
fn bombs_end_at_the_bounds() {
    for bomb in [
        "markdown::headings(text::repeat(\"# a\\n\", 1000000))",
        "loop { markdown::plain(text::repeat(\"*a\", 100000)) }",
        "let s = text::repeat(\"a\", 1000000); markdown::links(text::repeat(\"[a]\\n\", 1000) + \"\\n[a]: \" + s + \"\\n\" + text::repeat(\"[a](b)\", 1000000))",
        "markdown::links(text::repeat(\"[a](b)\", 1000000))",
        "markdown::code_blocks(text::repeat(\"```\\n\", 2000000))",
        "markdown::escape(text::repeat(\"*\", 15000000))",
        "markdown::plain(text::repeat(\"[a]: b\\n\", 1000000))",
        "let s = text::repeat(\"a\", 1000000); loop { markdown::section(\"# \" + s, s) }",
    ] {
        let started = std::time::Instant::now();
        let (killed, spent) = bounded(bomb, 2_000_000, 32 << 20);
        assert!(killed.is_some(), "{bomb} ends with {spent:?}");
        assert!(spent.peak_memory < 34 << 20, "{bomb}: {spent:?}");
        assert!(started.elapsed().as_secs() < 15, "{bomb}: {:?}", started.elapsed());
    }
}

#[test]
fn long_work_sees_the_deadline() {
    for unit in [
        "[",
        "]",
        "![[a](",
        "[a](<b",
        "`",
        "``\\\\`",
        "*a ",
        "a***",
        "*_~~",
        "<a",
        "<!--\\n",
        "[a][",
        "# ",
        "\\n",
        "a\\n",
        "[ (](",
        "[*_a",
        "* ",
        "[x]: x\\n[x]",
        "> ",
        "``` \\n",
    ] {
        let work = format!(
            "let s = text::repeat(\"{unit}\", 200000); loop {{ markdown::plain(s); markdown::links(s); markdown::toc(s) }}"
        );
        let late = lateness(&work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
