//! Laying out: what is changed, what is not, and that twice is once.

#![allow(clippy::disallowed_methods, reason = "reads the scripts of the repository")]

use super::format;
use std::path::{Path, PathBuf};

fn laid_out(text: &str) -> String {
    format("test.rhai", text, || None).unwrap_or_else(|problem| panic!("{problem}\n{text}"))
}

#[track_caller]
fn check(before: &str, after: &str) {
    let found = laid_out(before);
    assert_eq!(found, after, "of {before:?}");
    assert_eq!(laid_out(&found), found, "twice");
}

#[test]
fn lines_are_indented_by_what_is_open() {
    check(
        "fn f(a) {\nif a {\n  g(1,\n2)\n}\n    else { 2 }\n}\n",
        "fn f(a) {\n    if a {\n        g(1,\n            2)\n    }\n    else { 2 }\n}\n",
    );
    check(
        "fn f(a) {\n  call(#{\n a: 1,\n    })\n}",
        "fn f(a) {\n    call(#{\n        a: 1,\n    })\n}\n",
    );
    check(
        "fn f(a) {\nswitch a {\n1 => {\n2\n}\n_ => 3,\n}\n}\n",
        "fn f(a) {\n    switch a {\n        1 => {\n            2\n        }\n        _ => 3,\n    }\n}\n",
    );
}

#[test]
fn a_statement_that_goes_on_stands_deeper() {
    check(
        "fn f(a) {\nlet b = a\n.map(|x| {\nx\n})\n.len();\nb\n}\n",
        "fn f(a) {\n    let b = a\n        .map(|x| {\n            x\n        })\n        .len();\n    b\n}\n",
    );
    check(
        "fn f(a) {\nif a > 1\n&& a < 9 {\na\n}\nlet c =\n1;\nc\n}\n",
        "fn f(a) {\n    if a > 1\n        && a < 9 {\n        a\n    }\n    let c =\n        1;\n    c\n}\n",
    );
}

#[test]
fn what_begins_beside_its_bracket_goes_on_as_deep_as_what_stands_in_it() {
    check(
        "fn f(a) {\nlet b = a.some(|x| x > 1\n&& x < 9);\ng(1,\n2)\n}\n",
        "fn f(a) {\n    let b = a.some(|x| x > 1\n        && x < 9);\n    g(1,\n        2)\n}\n",
    );
}

#[test]
fn spaces_stand_round_operators_and_not_inside_of_brackets() {
    check(
        "fn f(a,b) { let c=a+b*-1; c+=1 ; g( c ,[ 1,2 ] )}\n",
        "fn f(a, b) { let c = a + b * -1; c += 1; g(c, [1, 2]) }\n",
    );
    check("fn f() { #{a:1,\"b\" :2} }\n", "fn f() { #{ a: 1, \"b\": 2 } }\n");
    check("fn f(a) { a.map( | x | x*2 ) . len () }\n", "fn f(a) { a.map(|x| x * 2).len() }\n");
    check("fn f(a) { if(a){ ! a }else{ -a } }\n", "fn f(a) { if (a) { ! a } else { -a } }\n");
    check("fn f(a) { a.map(||1); x|y || z }\n", "fn f(a) { a.map(|| 1); x | y || z }\n");
    check("fn f(a) { for i in 0..a{ g(i) } }\n", "fn f(a) { for i in 0..a { g(i) } }\n");
    check("fn f(a) { a[0] = 1.5e-3; a ?. b }\n", "fn f(a) { a[0] = 1.5e-3; a?.b }\n");
}

#[test]
fn strings_and_comments_stay_to_the_letter() {
    check(
        "fn f() {\nlet s = `a  ${ g( 1 ) }\n  b`;   // why  not\n/* a\n  b */\ns\n}\n",
        "fn f() {\n    let s = `a  ${ g( 1 ) }\n  b`;   // why  not\n    /* a\n  b */\n    s\n}\n",
    );
    check("fn f() { \"a,b  +c\" + 'x' }\n", "fn f() { \"a,b  +c\" + 'x' }\n");
    check("//plain\nfn f() { 1 } //x\n", "//plain\nfn f() { 1 } //x\n");
}

#[test]
fn white_space_and_empty_lines_are_few() {
    check("\n\n//! a  \n\n\n\nfn f() { 1 }   \n\n", "//! a\n\nfn f() { 1 }\n");
    check("fn f() {\t\n\t1\n}", "fn f() {\n    1\n}\n");
    check("", "");
}

#[test]
fn the_line_ends_of_a_file_stay() {
    check("fn f() {\r\n1\r\n}\r\n", "fn f() {\r\n    1\r\n}\r\n");
    check("fn f() {\r\n1\n}\r\n", "fn f() {\n    1\n}\n");
    check("\u{feff}fn f() { 1 }\r\n", "fn f() { 1 }\r\n");
}

#[test]
fn a_description_behind_a_tag_moves_below_it() {
    check(
        "/// Do.\n/// @tool\n/// @param a \"x - y\" | \"z\" = \"x - y\" - What it is.\n/// @returns int - How many.\nfn f(a) { 1 }\n",
        "/// Do.\n/// @tool\n/// @param a \"x - y\" | \"z\" = \"x - y\"\n///   What it is.\n/// @returns int\n///   How many.\nfn f(a) { 1 }\n",
    );
    check(
        "/// Do.\n/// @tool\n/// @param a int – One.\n///     Two - three.\nfn f(a) { 1 }\n",
        "/// Do.\n/// @tool\n/// @param a int\n///     One.\n///     Two - three.\nfn f(a) { 1 }\n",
    );
    check(
        "//! @request store - Keep\n//! @feature x 1.0.0\n/// Do it - or not.\n/// @tool\nfn f() { 1 }\n",
        "//! @request store\n//!   Keep\n//! @feature x 1.0.0\n/// Do it - or not.\n/// @tool\nfn f() { 1 }\n",
    );
}

#[test]
fn a_comment_without_a_space_gets_one() {
    check(
        "///Do.\n///@tool\n///@param a int\n///  What.\nfn f(a) { 1 }\n",
        "/// Do.\n/// @tool\n/// @param a int\n///   What.\nfn f(a) { 1 }\n",
    );
}

#[test]
fn what_cannot_be_parsed_is_refused() {
    let refused = format("test.rhai", "fn f( {", || None).expect_err("it is broken");
    assert_eq!(refused.code, "source/syntax");
    assert!(format("test.rhai", "fn f() { \"a }", || None).is_err());
}

/// Every script of the repository that can be parsed, the attacks included.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rhai") {
            found.push(path);
        }
    }
}

/// Runs on a stack as large as those of the sandbox.
fn deep(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(check);
    thread.expect("a thread").join().expect("it holds");
}

#[test]
fn every_script_of_the_repository_means_what_it_did() {
    deep(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut all = Vec::new();
        for folder in ["scripts", "stdlib", "tests"] {
            scripts(&root.join(folder), &mut all);
        }
        assert!(all.len() > 100, "{}", all.len());
        let mut laid = 0;
        for path in all {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            match format("test.rhai", &text, || None) {
                Ok(once) => {
                    let twice = format("test.rhai", &once, || None);
                    assert_eq!(twice.as_ref().ok(), Some(&once), "{}", path.display());
                    laid += 1;
                }
                Err(problem) => assert_ne!(problem.code, "source/format", "{}", path.display()),
            }
        }
        assert!(laid > 100, "{laid}");
    });
}

/// White space thrown about between the lines and words of a script changes what comes out of `fmt` in
/// nothing but where lines break.
#[test]
fn spaces_thrown_about_are_put_in_order() {
    use proptest::prelude::*;
    deep(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut all = Vec::new();
        scripts(&root.join("scripts"), &mut all);
        let texts: Vec<_> =
            all.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect();
        let config =
            ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(index in 0..texts.len(), cuts in proptest::collection::vec((0..9_usize, any::<bool>()), 64))| {
            let text = &texts[index];
            let mut thrown = String::new();
            for (line, (spaces, is_tab)) in text.lines().zip(cuts.iter().cycle()) {
                // A text of several lines is no place for it.
                if text.matches('`').count() == 0 && !line.trim_start().starts_with("//") {
                    let blank = if *is_tab { "\t" } else { " " };
                    thrown.push_str(&blank.repeat(*spaces));
                    thrown.push_str(line.trim_start());
                    thrown.push_str(&blank.repeat(spaces / 2));
                } else {
                    thrown.push_str(line);
                }
                thrown.push('\n');
            }
            prop_assert_eq!(laid_out(&thrown), laid_out(text));
        });
    });
}
