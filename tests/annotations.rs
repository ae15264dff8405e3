//! Reading scripts: annotations, imports, calls and lints, on the examples of
//! `docs/annotations.md`, on files, and on hostile input.

#![allow(clippy::disallowed_methods, reason = "writes the files that are read")]

use peasy::diagnostic::{Colour, Diagnostic, render};
use peasy::feature::descriptor::Need;
use peasy::feature::id::FeatureSource;
use peasy::limit::{Limit, Limits};
use peasy::script::runtime::ScriptRuntime;
use peasy::script::script::{ReadOutcome, Script};
use peasy::script::source::discover;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/annotations.md"));

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/annotations").join(name)
}

/// On a thread with the stack that the sandbox gives to the parser.
fn deep<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(work);
    thread.expect("a thread starts").join().expect("reading never panics")
}

fn read_text_here(text: &str) -> ReadOutcome {
    Script::read_text(
        "example.rhai",
        text,
        FeatureSource::User,
        ScriptRuntime::known(),
        &Limits::default(),
        &|| None,
    )
}

fn read_text(text: &str) -> ReadOutcome {
    let text = text.to_owned();
    deep(move || read_text_here(&text))
}

fn read(path: &Path) -> ReadOutcome {
    let path = path.to_owned();
    deep(move || {
        Script::read(
            &path,
            FeatureSource::User,
            ScriptRuntime::known(),
            &Limits::default(),
            &|| None,
        )
    })
}

/// `error[code] line:column`, as the document writes it.
fn summary(diagnostic: &Diagnostic) -> String {
    let place = diagnostic
        .labels
        .first()
        .map_or_else(String::new, |label| format!(" {}:{}", label.span.line, label.span.column));
    format!("{}[{}]{place}", diagnostic.severity, diagnostic.code)
}

fn summaries(outcome: &ReadOutcome) -> Vec<String> {
    outcome.diagnostics.iter().map(summary).collect()
}

fn pictures(outcome: &ReadOutcome) -> String {
    let picture = |diagnostic: &Diagnostic| {
        render(diagnostic, outcome.source_text(diagnostic).as_deref(), Colour::Never)
    };
    outcome.diagnostics.iter().map(picture).collect::<Vec<_>>().join("\n\n")
}

/// The fenced blocks of the chapter on tags: language, line, text.
fn blocks() -> Vec<(String, usize, String)> {
    let start = DOCUMENT.find("\n## Tags").expect("the document has a chapter on tags");
    let first = DOCUMENT[..=start].matches('\n').count() + 1;
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (line, number) in DOCUMENT[start + 1..].lines().zip(first..) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(""), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some((language.to_owned(), number, String::new())),
            (_, Some((_, _, text))) => *text += &format!("{line}\n"),
            (_, None) => (),
        }
    }
    blocks
}

#[test]
fn every_example_of_the_document_holds() {
    let blocks = blocks();
    let mut failures = Vec::new();
    let mut examples = 0;
    for pair in blocks.windows(2) {
        let [(language, line, text), (next, _, expected)] = pair else { unreachable!() };
        if language != "rhai" {
            continue;
        }
        assert_eq!(next, "expect", "the example in line {line} says what to expect");
        examples += 1;
        let outcome = read_text(text);
        let found = summaries(&outcome);
        let expected: Vec<&str> = expected.lines().filter(|line| *line != "ok").collect();
        if found != expected {
            let pictures = pictures(&outcome);
            failures.push(format!(
                "line {line}: expected\n{}\nfound\n{}\n{pictures}",
                expected.join("\n"),
                found.join("\n")
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(examples >= 14, "{examples} examples");
}

#[test]
fn a_whole_feature_becomes_a_descriptor() {
    let outcome = read(&fixture("word_count.rhai"));
    assert_eq!(summaries(&outcome), Vec::<String>::new(), "{}", pictures(&outcome));
    let script = outcome.script.expect("no error stands in the way");
    let descriptor = &script.descriptor;
    assert_eq!(descriptor.id.to_string(), "user:word-count");
    assert_eq!(descriptor.version.as_deref(), Some("1.0.0"));
    assert_eq!(descriptor.description, "Counts words and keeps the length of the longest text.");
    let requests: Vec<_> = descriptor
        .requests
        .iter()
        .map(|request| (request.capability.to_string(), request.need, request.reason.as_str()))
        .collect();
    assert_eq!(
        requests,
        [
            ("store".to_owned(), Need::Required, "Keep the length of the longest text."),
            ("emit".to_owned(), Need::Optional, "Tell of long texts."),
        ]
    );
    let [words, lines] = &descriptor.tools[..] else { panic!("{:?}", descriptor.tools) };
    assert_eq!(words.name.as_str(), "count_words");
    assert_eq!(words.description, "Count the words in a text.");
    assert_eq!(words.examples.len(), 1);
    assert_eq!(words.examples[0].line, Some(17));
    let unique = words.parameters.get("unique").expect("the parameter is there");
    assert_eq!(unique.default, Some(false.into()));
    assert_eq!(unique.description, "Count each distinct word once.");
    let requires = |tool: &peasy::feature::descriptor::ToolDeclaration| {
        tool.requires.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(requires(words), ["store"]);
    // `emit` is reached through a helper, and optional: it holds nothing back.
    assert_eq!(requires(lines), Vec::<String>::new());
    assert_eq!(script.tools[0].parameters, ["text", "unique"]);
    assert_eq!(script.hooks[0].function, "guard");
    assert_eq!((script.tests[0].function.as_str(), script.tests[0].line), ("counts", 44));
    assert_eq!(script.tree.digest.len(), 64);
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(path, text).expect("it is written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> ReadOutcome {
        read(&self.path(name))
    }
}

const USE_PARSE: &str = "import \"parse\" as p;\n/// Use it.\n/// @tool\nfn used() { p::one() }\n";

#[test]
fn imports_are_followed_inside_the_folder_and_loaded_once() {
    let folder = Folder::new(&[
        (
            "order/main.rhai",
            "import \"a\";\nimport \"lib/b\" as b;\n/// Add.\n/// @tool\nfn add() { a::one() + b::two() }\n",
        ),
        (
            "order/a.rhai",
            "import \"lib/c\" as c;\nfn one() { c::three() }\n/// @test\nfn one_is_three() { assert(true) }\n",
        ),
        ("order/lib/b.rhai", "import \"c\" as c;\nfn two() { c::three() + c::LIMIT }\n"),
        ("order/lib/c.rhai", "const LIMIT = 3;\nfn three() { LIMIT }\n"),
    ]);
    let outcome = folder.read("order");
    let script = outcome.script.clone().unwrap_or_else(|| panic!("{}", pictures(&outcome)));
    assert_eq!(script.descriptor.id.to_string(), "user:order");
    assert_eq!(script.tree.modules.keys().collect::<Vec<_>>(), ["a", "lib/b", "lib/c"]);
    let edges: Vec<_> = script
        .tree
        .imports
        .iter()
        .map(|edge| (edge.from.as_deref(), &*edge.alias, &*edge.module))
        .collect();
    assert_eq!(
        edges,
        [
            (None, "a", "a"),
            (Some("a"), "c", "lib/c"),
            (None, "b", "lib/b"),
            (Some("lib/b"), "c", "lib/c"),
        ]
    );
    let test = &script.tests[0];
    assert_eq!((test.module.as_deref(), test.function.as_str()), (Some("a"), "one_is_three"));
    // The digest is that of the texts, wherever they lie, and changes with any of them.
    let digest = script.tree.digest.clone();
    std::fs::write(folder.path("order/lib/c.rhai"), "const LIMIT = 4;\nfn three() { LIMIT }\n")
        .expect("it is written");
    let changed = folder.read("order/main.rhai").script.expect("it still reads");
    assert_ne!(changed.tree.digest, digest);
    assert_eq!(changed.descriptor.id, script.descriptor.id);
}

#[test]
fn what_a_tool_requires_is_what_its_calls_reach() {
    let folder = Folder::new(&[
        (
            "main.rhai",
            "//! @request store\n//! @request emit\n//! @request? notify:user\n\
             import \"save\";\n\
             /// By import and closure.\n/// @tool\nfn one(x) { [x].map(|y| save::keep(y)) }\n\
             /// By a helper that calls itself.\n/// @tool\nfn two(x) { loop_(x) }\n\
             fn loop_(x) { if x > 0 { loop_(x - 1) } else { emit::info(\"x\") } }\n\
             /// By none.\n/// @tool\nfn three() { if granted(\"notify:user\") { notify::user(\"x\") } }\n\
             /// By a break.\n/// @tool\nfn four() { loop { break store::get(\"a\") } }\n\
             /// In a switch.\n/// @tool\nfn five(x) { switch x { 1 => `${store::get(\"a\")}`, _ => () } }\n",
        ),
        ("save.rhai", "fn keep(x) { store::set(x, x) }\n"),
    ]);
    let outcome = folder.read("main.rhai");
    let script = outcome.script.clone().unwrap_or_else(|| panic!("{}", pictures(&outcome)));
    let requires: Vec<Vec<String>> = script
        .descriptor
        .tools
        .iter()
        .map(|tool| tool.requires.iter().map(ToString::to_string).collect())
        .collect();
    assert_eq!(requires, [vec!["store"], vec!["emit"], vec![], vec!["store"], vec!["store"]]);
}

#[test]
fn imports_that_go_wrong_are_told() {
    let case = |files: &[(&str, &str)]| {
        let folder = Folder::new(files);
        let outcome = folder.read("main.rhai");
        assert!(outcome.script.is_none());
        (summaries(&outcome), pictures(&outcome))
    };
    let (found, picture) = case(&[("main.rhai", USE_PARSE), ("prse.rhai", "fn one() { 1 }")]);
    assert_eq!(found, ["error[import/not-found] 1:8"]);
    assert!(picture.contains("did you mean `import \"prse\"`?"), "{picture}");

    let (found, picture) = case(&[
        ("main.rhai", USE_PARSE),
        ("parse.rhai", "import \"b\" as b;\nfn one() { b::two() }"),
        ("b.rhai", "import \"parse\" as p;\nfn two() { p::one() }"),
    ]);
    assert_eq!(found, ["error[import/cycle] 1:8"]);
    assert!(picture.contains("parse → b → parse"), "{picture}");

    let (found, _) = case(&[("main.rhai", "import \"main\" as me;\nfn f() { me::f() }")]);
    assert!(found.contains(&"error[import/cycle] 1:8".to_owned()), "{found:?}");

    let (found, _) = case(&[
        ("main.rhai", USE_PARSE),
        ("parse.rhai", "/// Mine.\n/// @tool\nfn one() { 1 }\nfn used() { 2 }"),
    ]);
    assert_eq!(found, ["error[annotation/imported] 2:5", "error[import/duplicate-function] 4:4"]);

    let (found, _) = case(&[("main.rhai", USE_PARSE), ("parse.rhai", "fn one( { 1 }")]);
    assert_eq!(found, ["error[source/syntax] 1:9"]);

    let (found, picture) =
        case(&[("main.rhai", USE_PARSE), ("parse.rhai", "private fn one() { 1 }\nfn on() { 2 }")]);
    assert_eq!(found, ["error[call/unknown-function] 4:13"]);
    assert!(picture.contains("private"), "{picture}");

    let (found, _) = case(&[
        (
            "main.rhai",
            "import \"text\";\nimport \"a-b\";\nimport \"c\" as x;\nimport \"d\" as x;\nfn f() { 1 }",
        ),
        ("text.rhai", ""),
    ]);
    assert_eq!(
        found,
        [
            "error[import/alias] 1:8",
            "error[import/alias] 2:8",
            "error[import/not-found] 3:8",
            "error[import/alias] 4:15",
        ]
    );
}

#[test]
#[cfg(unix)]
fn links_do_not_lead_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new(&[("in/main.rhai", USE_PARSE), ("secret.rhai", "fn one() { 1 }")]);
    symlink(folder.path("secret.rhai"), folder.path("in/parse.rhai")).expect("a link");
    assert_eq!(summaries(&folder.read("in")), ["error[import/outside] 1:8"]);
    // A link to itself, and a folder that holds itself.
    let folder = Folder::new(&[("main.rhai", USE_PARSE)]);
    symlink(folder.path("parse.rhai"), folder.path("parse.rhai")).expect("a link");
    assert_eq!(summaries(&folder.read("main.rhai")), ["error[source/unreadable] 1:8"]);
    let folder = Folder::new(&[
        ("main.rhai", "import \"d/d/parse\" as p;\n/// Use.\n/// @tool\nfn used() { p::one() }\n"),
        ("parse.rhai", "import \"d/parse\" as again;\nfn one() { 1 }"),
    ]);
    symlink(folder.path("."), folder.path("d")).expect("a link");
    assert_eq!(summaries(&folder.read("main.rhai")), ["error[import/cycle] 1:8"]);
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let folder = Folder::new(&[("empty.rhai", ""), ("dir/other.rhai", "")]);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path(name), bytes).expect("it is written");
        summaries(&folder.read(name))
    };
    assert_eq!(write("latin.rhai", b"// gr\xfc\xdfe"), ["error[source/not-utf8] 1:6"]);
    assert_eq!(write("large.rhai", &[b' '; 65_537]), ["error[limit/source]"]);
    assert_eq!(write("fits.rhai", &[b' '; 65_536]), ["note[annotation/nothing-offered] 1:1"]);
    assert_eq!(
        write("bom.rhai", b"\xef\xbb\xbf//! @feature x\n/// T.\n/// @tool\nfn t() {}"),
        [""; 0]
    );
    assert_eq!(write("cr.rhai", b"// a\rfn f() { 1 }\n"), ["error[source/carriage-return] 1:5"]);
    assert_eq!(
        write("42.rhai", b"/// T.\n/// @tool\nfn t() {}"),
        ["error[annotation/feature] 1:1"]
    );
    assert_eq!(summaries(&folder.read("none.rhai")), ["error[source/unreadable]"]);
    assert_eq!(summaries(&folder.read("dir")), ["error[source/no-main]"]);
    assert_eq!(summaries(&folder.read("empty.rhai")), ["note[annotation/nothing-offered] 1:1"]);
}

#[test]
#[cfg(unix)]
fn one_bad_entry_of_a_features_folder_leaves_the_others() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new(&[
        ("b.rhai", ""),
        ("a.rhai", ""),
        ("c/main.rhai", ""),
        ("d/other.rhai", ""),
        (".hidden.rhai", ""),
        ("readme.md", ""),
    ]);
    symlink(folder.path("loop.rhai"), folder.path("loop.rhai")).expect("a link");
    symlink(folder.path("gone"), folder.path("gone.rhai")).expect("a link");
    let found = discover(&folder.path(""));
    let names: Vec<_> = found
        .features
        .iter()
        .map(|path| path.strip_prefix(folder.path("")).expect("inside").display().to_string())
        .collect();
    assert_eq!(names, ["a.rhai", "b.rhai", "c/main.rhai"]);
    assert_eq!(found.diagnostics.len(), 2, "{:?}", found.diagnostics);
    assert!(discover(&folder.path("nowhere")).features.is_empty());
}

/// Habits of other languages: the text, where the label goes, and a part of the help.
const HABITS: &[(&str, &str, &str)] = &[
    ("fn f() { let a = 1 let b = 2; }", "1:20", "write `;`"),
    ("fn f(x) { if x { 1 } elif x { 2 } }", "1:22", "write `else if`"),
    ("fn f(a, b) { if a and b { 1 } }", "1:19", "write `&&`"),
    ("fn f(a, b) { if a or b { 1 } }", "1:19", "write `||`"),
    ("fn f(a) { if not a { 1 } }", "1:14", "write `!`"),
    ("def f(x) { x }", "1:1", "write `fn f(…) { … }`"),
    ("function f(x) { x }", "1:1", "write `fn f(…) { … }`"),
    ("fn f() { let x = null; }", "1:18", "`()`"),
    ("fn f() { let x = nil; }", "1:18", "`()`"),
    ("fn f() { let mut x = 1; }", "1:14", "write `let x = …;`"),
    ("fn f() { 'hello' }", "1:10", "double quotes"),
    ("# comment\nfn f() { 1 }", "1:1", "write `//`"),
    ("fn f() {\n    /// inner\n    1\n}", "2:5", "`//`"),
    ("/// doc\nconst A = 1;", "1:1", "`//!`"),
    ("fn f(default) { default }", "1:6", "write `default_`"),
    ("fn f() { let new = 1; }", "1:14", "write `new_`"),
    ("fn f() { var x = 1; }", "1:10", "write `let x = …;`"),
    ("fn f(x) { match x { 1 => 2 } }", "1:11", "switch"),
    ("fn f(x) { x++ }", "1:12", "write `x += 1`"),
    ("fn f(x) { x ? 1 : 2 }", "1:13", "if condition"),
    ("fn f(x) { x === 1 }", "1:13", "write `==`"),
    ("fn f(x) -> int { x }", "1:9", "@returns"),
    ("fn f(x: int) { x }", "1:7", "@param x TYPE"),
    ("fn f(x = 1) { x }", "1:8", "@param x TYPE = VALUE"),
    ("fn f(x) { let m = { a: 1 }; m }", "1:22", "#{ name: value }"),
    ("fn f(x) { f\"{x}\" }", "1:11", "${name}"),
    ("fn f() { for (let i = 0; i < 3; i++) { } }", "1:15", "for item in list"),
    ("fn f(x) { let g = (a) => a; }", "1:23", "|x| x + 1"),
    ("fn f() { throw new Error(\"x\"); }", "1:16", "throw \"…\""),
    ("fn f() { fn g() { 1 } }", "1:10", "closure"),
    ("fn f() { let x = \"open; }", "1:18", "close it"),
    ("fn f() {\n    if true {\n", "2:14", "fn f"),
    ("fn f() { 1 }\nfn f() { 2 }", "2:1", "another name"),
    ("fn f() { try { 1 } catch e { 2 } }", "1:26", "catch (error)"),
    ("import parse from \"parse\";\nfn f() { 1 }", "1:14", "import \"parse\" as parse"),
];

#[test]
fn habits_of_other_languages_are_told() {
    let mut failures = Vec::new();
    for (text, place, help) in HABITS {
        let outcome = read_text(text);
        let found = summaries(&outcome);
        let picture = pictures(&outcome);
        let said =
            outcome.diagnostics.iter().any(|one| one.help.iter().any(|one| one.contains(help)));
        if found.first() != Some(&format!("error[source/syntax] {place}")) || !said {
            failures.push(format!("{text}\nwanted {place}, `{help}`, found {found:?}\n{picture}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn calls_by_name_are_explained() {
    for text in ["fn f() { eval(\"1\") }", "fn f() { Fn(\"g\") }", "fn f(x) { x.curry(1) }"] {
        let outcome = read_text(text);
        assert!(
            summaries(&outcome)[0].starts_with("error[call/by-name] 1:"),
            "{}",
            pictures(&outcome)
        );
    }
}

#[test]
fn annotations_are_checked_after_a_syntax_error_too() {
    let outcome = read_text(
        "//! @reqest store\n/// A.\n/// @tool\n/// @param x strng\nfn a(x) { x }\n\
         fn b() { let = 1; }\n/// C.\n/// @tool\n/// @param y int\nfn c(x) { x }\n",
    );
    assert_eq!(
        summaries(&outcome),
        [
            "warning[annotation/unknown-tag] 1:5",
            "error[annotation/unknown-type] 4:14",
            "error[source/syntax] 6:14",
            "error[annotation/unknown-param] 9:12",
            "note[annotation/untyped] 10:4",
        ],
        "{}",
        pictures(&outcome)
    );
}

#[test]
fn capturing_closures_and_constants_are_no_unknown_names() {
    let outcome = read_text(
        "const LIMIT = 3;\nconst TABLE = #{ a: [1, -2], b: \"x\" };\n\
         /// T.\n/// @tool\n/// @param list int[]\nfn t(list) {\n    let n = 1;\n    \
         let add = |x| { let deeper = |y| y + x + n + LIMIT; deeper.call(1) };\n    \
         for (item, index) in list { n += item + index; }\n    \
         try { n += add.call(2) } catch (error) { n = error.len() }\n    \
         let f = helper;\n    list.filter(helper);\n    let found = 3 in list;\n    \
         switch n { 1 | 2 => n, 3..5 if n > LIMIT => this, _ => global::LIMIT + TABLE.a[0] }\n}\n\
         fn helper(x) { `${x} of ${LIMIT}` }\n",
    );
    assert_eq!(summaries(&outcome), [""; 0], "{}", pictures(&outcome));
}

#[test]
fn a_limit_ends_the_parse() {
    let outcome = deep(|| {
        let known = ScriptRuntime::known();
        Script::read_text(
            "slow.rhai",
            "fn f() { 1 }",
            FeatureSource::User,
            known,
            &Limits::default(),
            &|| Some(Limit::Time),
        )
    });
    assert!(outcome.script.is_none());
    assert_eq!(outcome.diagnostics[0].code, "limit/time");
    assert_eq!(outcome.diagnostics.len(), 1);
}

#[test]
fn diagnostics_are_bounded_and_errors_come_through() {
    let mut text = String::new();
    for index in 0..300 {
        text += &format!("/// @tool\nfn t{index}(x) {{ x }}\n");
    }
    text += "fn broken() { no_such_function() }\n";
    let outcome = read_text(&text);
    assert_eq!(outcome.diagnostics.len(), 100);
    assert!(outcome.diagnostics.iter().any(|one| one.code == "call/unknown-function"));
    assert_eq!(outcome.diagnostics[99].code, "limit/diagnostics");
}

#[test]
fn hostile_files_are_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let found = discover(&folder);
    assert!(found.features.len() > 100);
    deep(move || {
        for path in found.features {
            let _ = Script::read(
                &path,
                FeatureSource::User,
                ScriptRuntime::known(),
                &Limits::default(),
                &|| None,
            );
        }
    });
    let long = |piece: &str| piece.repeat(60_000 / piece.len());
    let texts = [
        long("("),
        long("{"),
        long("["),
        long("!"),
        long("-"),
        long("|x|"),
        long("//!\n"),
        long("/// @param a "),
        long("/// @tool\n"),
        long("\n"),
        long("@"),
        long("`${"),
        long("\""),
        long("/*"),
        long("/**\n@tool "),
        long("a."),
        long("a::"),
        long("fn f"),
        long("import \"a\";\n"),
        long("//! @request store\n"),
        long("const A = 1;\n"),
        format!("/// @tool\n/// @param x {}", long("{a:")),
        format!("/// @tool\n/// @example {}\nfn f() {{}}", long("[")),
        format!("/// @tool\nfn f({}) {{}}", long("a,")),
        format!("fn f() {{ {} }}", long("a();")),
        format!("fn f() {{ x{} }}", long(".f()")),
        format!("fn f() {{ 1{} }}", long("+1")),
        format!("fn f() {{ {} }}", long("|x|{x};")),
        format!("fn f(x) {{ switch x {{ {} _ => 0 }} }}", long("'a' => 1,")),
    ];
    deep(move || texts.iter().for_each(|text| drop(read_text_here(text))));
}

fn mutated() -> impl Strategy<Value = String> {
    let scripts: Vec<String> = blocks()
        .into_iter()
        .filter(|(language, ..)| language == "rhai")
        .map(|(.., text)| text)
        .chain([include_str!("fixtures/annotations/word_count.rhai").to_owned()])
        .collect();
    let pieces = prop::sample::select(vec![
        "@", "\"", "`", "${", "{", "}", "(", ")", "|", "'", "///", "//!", "/*", "*/", "\n", "\r",
        " ", "::", ".", "=", "=>", "?", "fn ", "import ", "é", "\u{202e}", "\u{0}", "[]", "..=",
        "@tool",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..20_usize, pieces), 1..6);
    (prop::sample::select(scripts), edits).prop_map(|(mut text, edits)| {
        for (at, removed, piece) in edits {
            let places: Vec<usize> =
                text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let start = at.index(places.len());
            let end = (start + removed).min(places.len() - 1);
            text.replace_range(places[start]..places[end], piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_of_a_script_makes_reading_panic(text in mutated()) {
        let outcome = read_text(&text);
        prop_assert!(outcome.diagnostics.len() <= 100);
        prop_assert_eq!(outcome.script.is_none(), outcome.diagnostics.iter().any(Diagnostic::is_error));
        // Every label points into the text, and every picture can be drawn.
        let lines = text.split('\n').count() as u32;
        for label in outcome.diagnostics.iter().flat_map(|one| &one.labels) {
            prop_assert!(label.span.line <= lines + 1, "{:?}", label);
        }
        pictures(&outcome);
        // Reading is a function of the text.
        prop_assert_eq!(summaries(&outcome), summaries(&read_text(&text)));
    }
}
