//! The embedded library: its tests and the examples of its documentation run, its names leave those of
//! features alone, and what goes wrong in it is told where an author can mend it.

#![allow(clippy::disallowed_methods, reason = "lays out features that import the library")]

use peasy::feature::id::FeatureSource;
use peasy::limit::Limits;
use peasy::script::reference::{self, ModuleReference};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::script::script::ReadOutcome;
use peasy::script::source::{std_names, std_source};
use peasy::script::testing::{TestResult, TestRun};
use std::collections::BTreeMap;
use std::path::Path;

fn runtime() -> ScriptRuntime {
    ScriptRuntime::new(&Limits::default()).expect("the test binary counts its allocations")
}

fn read(path: &Path) -> ReadOutcome {
    let location = Location { path: path.to_owned(), source: FeatureSource::User };
    runtime().read(&[location]).pop().expect("one outcome a location")
}

/// Reads a feature of one file in a folder of its own.
fn read_text(text: &str) -> ReadOutcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("feature.rhai");
    std::fs::write(&path, text).expect("the file can be written");
    read(&path)
}

fn tests_of(outcome: ReadOutcome) -> Vec<TestResult> {
    assert_eq!(outcome.diagnostics, []);
    let script = outcome.script.expect("a script without errors");
    let limits = Limits::default();
    runtime().test(&script, &TestRun { filter: None, limits: &limits })
}

fn assert_all_pass(results: &[TestResult]) {
    for result in results {
        assert_eq!(result.failure, None, "{}: {}", result.file, result.name);
    }
}

#[test]
fn every_module_is_a_file_without_warnings_whose_tests_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the library is there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    files.sort();
    let stem = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let names: Vec<_> = files.iter().map(|path| format!("std/{}", stem(path))).collect();
    assert_eq!(names, std_names().collect::<Vec<_>>(), "`library.rs` lists what `stdlib/` holds");
    for path in files {
        let results = tests_of(read(&path));
        assert!(results.len() >= 3, "{} has {} tests", path.display(), results.len());
        assert_all_pass(&results);
    }
}

/// The lines of examples of a module's documentation: `report::heading("A", 1) // => "# A"`.
fn examples(module: &ModuleReference) -> impl Iterator<Item = &str> {
    let begins = format!("{}::", module.name);
    let lines = module.functions.iter().flat_map(|function| &function.documentation);
    lines.map(String::as_str).filter(move |line| line.starts_with(&begins))
}

#[test]
fn every_function_is_documented_and_its_examples_are_true() {
    for module in reference::library() {
        let name = &module.name;
        assert!(!module.about.is_empty(), "std/{name} does not say what it is about");
        for function in &module.functions {
            let call = format!("{name}::{}(", function.name);
            let says = |line: &String| line.starts_with(&call);
            assert!(function.documentation.iter().any(says), "{call} has no example");
            let untyped = function.parameters.iter().find(|parameter| !parameter.contains(": "));
            assert_eq!(untyped, None, "{call} has a parameter without `@param`");
        }
        let mut text = format!("import \"std/{name}\" as {name};\n");
        for (index, example) in examples(&module).enumerate() {
            let statement = match example.split_once(" // => ") {
                Some((call, result)) => format!("assert_eq({call}, {result});"),
                None => format!("{example};"),
            };
            text += &format!("/// @test\nfn example_{index}() {{ {statement} }}\n");
        }
        let results = tests_of(read_text(&text));
        assert_eq!(results.len(), examples(&module).count());
        assert_all_pass(&results);
    }
}

/// The functions of a text: whether each is private, its name and its number of parameters.
fn heads(text: &str) -> impl Iterator<Item = (bool, &str, usize)> {
    text.lines().filter_map(|line| {
        let (private, head) = match line.strip_prefix("private ") {
            Some(head) => (true, head),
            None => (false, line),
        };
        let (name, rest) = head.strip_prefix("fn ")?.split_once('(')?;
        let parameters = rest.split_once(')')?.0;
        Some((private, name, parameters.split(',').filter(|part| !part.is_empty()).count()))
    })
}

/// Imported files share one set of names, so these must be nobody else's.
#[test]
fn names_meet_neither_natives_nor_each_other() {
    let known = ScriptRuntime::known();
    let mut seen = BTreeMap::new();
    let modules = reference::library();
    for (path, module) in std_names().zip(&modules) {
        let text = std_source(path).expect("the name of a module");
        for (private, name, parameters) in heads(text) {
            if let Some(other) = seen.insert((name, parameters), path) {
                panic!("{path} and {other} both have `fn {name}` with {parameters} parameters");
            }
            assert!(known.is_free(name), "{path}: `{name}` hides a function of the host");
            let is_public = module.functions.iter().any(|function| function.name == name);
            assert!(!(private && is_public), "{path}: `{name}` is public and private");
            let is_own = name.starts_with(&format!("{}_", module.name));
            assert!(is_public || is_own, "{path}: `{name}` does not begin with the module's name");
        }
    }
    assert!(seen.len() > 100, "the functions are found");
}

fn import_all() -> String {
    std_names()
        .map(|name| format!("import \"{name}\" as {};\n", name.trim_start_matches("std/")))
        .collect()
}

#[test]
fn all_of_it_goes_into_one_feature_whose_tests_are_its_own() {
    let text = import_all()
        + r##"
/// @test
fn modules_work_side_by_side() {
    let parts = [report::heading("A", 1), tree::path_tree(["a/b"]), human::size_text(1024)];
    assert_eq(report::blocks(parts), "# A\n\n└── a/\n    └── b\n\n1 KiB");
    assert::has_items(cli::split_command("b a"), ["a", "b"]);
}
"##;
    let results = tests_of(read_text(&text));
    assert_all_pass(&results);
    assert_eq!(results.len(), 1, "the tests of the library are not the feature's");
}

fn only_problem(text: &str) -> String {
    let outcome = read_text(text);
    let [problem] = &outcome.diagnostics[..] else { panic!("{:?}", outcome.diagnostics) };
    let file = problem.file.as_deref().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let line = problem.labels.first().map_or(0, |label| label.span.line);
    let helps = problem.help.join(" | ");
    format!("{file}:{line} {}: {} | {helps}", problem.code, problem.message)
}

#[test]
fn a_module_that_is_not_there_is_answered_with_those_that_are() {
    let said = only_problem("import \"std/reprot\" as report;\n/// @test\nfn t() { report::a() }");
    assert!(said.starts_with("feature.rhai:1 import/not-found: "), "{said}");
    assert!(said.contains("did you mean `import \"std/report\"`?"), "{said}");
    for name in std_names() {
        assert!(said.contains(&format!("`{name}`")), "{said} lacks {name}");
    }
    let said = only_problem("import \"report\" as report;\n/// @test\nfn t() { report::a() }");
    assert!(said.contains("did you mean `import \"std/report\"`?"), "{said}");
}

#[test]
fn a_name_of_the_library_is_refused_where_the_feature_has_it() {
    let said = only_problem(
        "import \"std/report\" as report;\nfn bullets(list) { list }\n/// @test\nfn t() { report::bullets(bullets([])); }",
    );
    assert_eq!(
        said,
        "feature.rhai:2 import/duplicate-function: `fn bullets` with 1 parameter is also in \
         `std/report`; imported files share one set of names | rename yours, as in `my_bullets`"
    );
}

#[test]
fn a_function_that_is_not_there_is_answered_with_the_nearest() {
    let said = only_problem(
        "import \"std/report\" as report;\n/// @test\nfn t() { report::headin(\"a\", 1); }",
    );
    assert!(said.contains("call/unknown-function") && said.contains("heading"), "{said}");
}

/// What fails inside of the library has its place where the feature called it; what fails in a
/// function that the feature gave has its own.
#[test]
fn failures_point_at_the_feature() {
    let results = tests_of(read_text(
        "import \"std/assert\" as assert;
import \"std/report\" as report;

/// @test
fn a() {
    assert::is_close(1, 2);
}

/// @test
fn b() {
    assert::fails_with(|| {
        report::heading(\"a\", 9)
    }, \"nothing like it\");
}

/// @test
fn c() { throws_inside([2], |n| fail(\"no\")); }

fn throws_inside(list, work) { report::bullets(list.map(work)) }

/// @test
fn d() { report::heading(5, 1); }
",
    ));
    let lines: Vec<_> = results
        .iter()
        .map(|result| {
            let failure = result.failure.as_ref().expect("it fails");
            let file = failure.file.as_deref().unwrap_or_default();
            (file.ends_with("feature.rhai"), failure.labels[0].span.line)
        })
        .collect();
    assert_eq!(lines, [(true, 6), (true, 11), (true, 17), (true, 22)]);
}

#[test]
fn nobody_puts_a_file_in_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let below = folder.path().join("std");
    std::fs::create_dir(&below).expect("an empty folder");
    std::fs::write(below.join("report.rhai"), "fn heading(a, b) { \"mine\" }").expect("a file");
    let main = folder.path().join("main.rhai");
    let text = "import \"std/report\" as report;\n/// @test\nfn t() { assert_eq(report::heading(\"a\", 1), \"# a\"); }";
    std::fs::write(&main, text).expect("a file");
    let outcome = read(folder.path());
    let tree = outcome.tree.clone().expect("the files were read");
    assert_eq!(Some(&*tree.modules["std/report"].text), std_source("std/report"));
    assert_all_pass(&tests_of(outcome));
}
