//! `docs/reference/` is written from what the code knows of its functions, and is never behind it.
//!
//! `UPDATE_DOCS=1 cargo test reference` writes it.

#![allow(clippy::disallowed_methods, reason = "reads and writes the documentation")]

use peasy::script::reference::{self, FunctionReference, ModuleReference, Openness};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const NOTE: &str =
    "<!-- Written by `UPDATE_DOCS=1 cargo test reference`; change the code instead. -->";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference")
}

/// The functions of one name.
type Overloads<'a> = Vec<&'a FunctionReference>;

fn by_name(functions: &[FunctionReference]) -> BTreeMap<&str, Overloads<'_>> {
    let mut names: BTreeMap<_, Overloads<'_>> = BTreeMap::new();
    for function in functions {
        names.entry(function.name.as_str()).or_default().push(function);
    }
    names
}

/// `text::pad_start(text: string, width: int) -> string`
fn signature(function: &FunctionReference, qualifier: &str) -> String {
    let result = match function.result.as_str() {
        "" => String::new(),
        kind => format!(" -> {kind}"),
    };
    let parameters = function.parameters.join(", ");
    match function.name.strip_prefix("get$") {
        Some(property) => format!("({parameters}).{property}{result}"),
        None => format!("{qualifier}{}({parameters}){result}", function.name),
    }
}

/// Documentation as sentences and examples. An example is a line that begins with a call, with or
/// without backticks around it, or that says what it gives; of a property, one that reads it.
fn parts(function: &FunctionReference, qualifier: &str) -> (Vec<String>, Vec<String>) {
    let call = format!("{qualifier}{}(", function.name);
    let read = function.name.strip_prefix("get$").map(|property| format!(".{property}"));
    let (mut text, mut examples) = (Vec::new(), Vec::new());
    for line in &function.documentation {
        let inner = line.strip_prefix('`').map(|line| line.trim_end_matches([',', '`']));
        let bare = inner.unwrap_or(line);
        let is_call =
            bare.starts_with(&call) || !qualifier.is_empty() && bare.starts_with(qualifier);
        let is_read = read.as_ref().is_some_and(|read| line.contains(read));
        if is_call || is_read || line.contains(" // => ") {
            examples.extend(bare.split("`, `").map(str::to_owned));
        } else {
            text.push(line.clone());
        }
    }
    while text.last().is_some_and(String::is_empty) {
        text.pop();
    }
    (text, examples)
}

// Writing to a string cannot fail, so the results of `write!` are dropped below.

fn function_text(page: &mut String, name: &str, overloads: &[&FunctionReference], qualifier: &str) {
    let shown = name.trim_start_matches("get$");
    // The functions of a module are the parts of its page.
    let mark = if qualifier.is_empty() { "###" } else { "##" };
    let _ = match name.starts_with("get$") {
        true => writeln!(page, "\n{mark} `.{shown}`\n\n```rust"),
        false => writeln!(page, "\n{mark} `{qualifier}{shown}`\n\n```rust"),
    };
    let mut last = None;
    for function in overloads {
        let signature = signature(function, qualifier);
        if last.as_ref() != Some(&signature) {
            let _ = writeln!(page, "{signature}");
        }
        last = Some(signature);
    }
    let _ = writeln!(page, "```");
    let (mut said, mut shown) = (BTreeSet::new(), Vec::new());
    for function in overloads {
        let (text, examples) = parts(function, qualifier);
        let text = text.join("\n");
        if !text.is_empty() && said.insert(text.clone()) {
            let _ = writeln!(page, "\n{text}");
        }
        for example in examples {
            if !shown.contains(&example) {
                shown.push(example);
            }
        }
    }
    if !shown.is_empty() {
        let _ = writeln!(page, "\n```rust\n{}\n```", shown.join("\n"));
    }
}

fn openness(module: &ModuleReference) -> String {
    let name = &module.name;
    match module.openness {
        Openness::Everybody => "*Open to every script.*".into(),
        Openness::Granted => format!(
            "*Needs a `//! @request`; without the grant its functions refuse, \
             [`grant/{name}`](../diagnostics/grant/{name}.md).*"
        ),
        Openness::Silent => {
            "*Needs a `//! @request`; without the grant its functions do nothing.*".into()
        }
        Openness::Imported => format!(
            "*Part of the embedded library: `import \"std/{name}\" as {name};`. \
             [Its source](../../stdlib/{name}.rhai).*"
        ),
    }
}

fn title(module: &ModuleReference) -> String {
    match module.openness {
        Openness::Imported => format!("std/{}", module.name),
        _ => module.name.clone(),
    }
}

fn module_page(module: &ModuleReference) -> String {
    let mut page = format!("{NOTE}\n\n# `{}`\n\n{}\n", title(module), openness(module));
    if !module.about.is_empty() {
        let _ = writeln!(page, "\n{}", module.about.trim());
    }
    let qualifier = format!("{}::", module.name);
    for (name, overloads) in by_name(&module.functions) {
        function_text(&mut page, name, &overloads, &qualifier);
    }
    page
}

fn globals_page() -> String {
    let mut page = format!(
        "{NOTE}\n\n# Without a module\n\nWhat every script calls by its bare name, and the methods of values.\n\n\
         ## Functions\n"
    );
    for (name, overloads) in by_name(&reference::globals()) {
        function_text(&mut page, name, &overloads, "");
    }
    page += "\n## Methods\n\n\
        What a value answers to, with the types of the other arguments: `\"abc\".contains(\"b\")`. They do what \
        [the book of Rhai](https://rhai.rs/book/) says; all of them are of our own making where the original has \
        no bound of its cost. Methods work on the value itself: `trim`, `replace`, `sort`, `reverse`, `push` and others change it, \
        and give nothing. The functions of modules give a new value.\n";
    let methods = reference::methods();
    let kinds = [
        ("string", "texts"),
        ("array", "lists"),
        ("map", "maps"),
        ("int", "whole numbers"),
        ("float", "numbers with a fraction"),
        ("char", "characters"),
        ("range", "ranges"),
        ("any", "any value"),
    ];
    for (kind, words) in kinds {
        let mut forms = BTreeMap::<&str, BTreeSet<String>>::new();
        for (name, types) in &methods[kind] {
            let types = types.join(", ").replace("range=", "range");
            forms.entry(name).or_default().insert(format!("`{name}({types})`"));
        }
        let _ = writeln!(page, "\n### Of {words}\n\n| method | forms |\n|---|---|");
        for (name, forms) in forms {
            let forms: Vec<_> = forms.into_iter().collect();
            let _ = writeln!(page, "| `{name}` | {} |", forms.join(" "));
        }
    }
    page
}

/// The first sentence of a text, with the line ends as spaces.
fn first_sentence(text: &str) -> String {
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match text.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => text.trim().to_owned(),
    }
}

fn table(modules: &[&ModuleReference]) -> String {
    let mut table = String::from("| module | what for | functions |\n|---|---|---|\n");
    for module in modules {
        let names: Vec<_> = by_name(&module.functions)
            .into_keys()
            .map(|name| {
                let anchor = format!("{}{name}", module.name);
                format!("[`{name}`]({}.md#{anchor})", file_stem(module))
            })
            .collect();
        let _ = writeln!(
            table,
            "| [`{}`]({}.md) | {} | {} |",
            title(module),
            file_stem(module),
            first_sentence(&module.about),
            names.join(" ")
        );
    }
    table
}

fn file_stem(module: &ModuleReference) -> String {
    title(module).replace('/', "-")
}

fn index_page(host: &[ModuleReference], library: &[ModuleReference]) -> String {
    let of = |wanted: &dyn Fn(Openness) -> bool| -> Vec<&ModuleReference> {
        host.iter().filter(|module| wanted(module.openness)).collect()
    };
    let absent: Vec<_> =
        reference::absent_modules().iter().map(|name| format!("`{name}`")).collect();
    format!(
        "{NOTE}\n\n# Reference\n\n\
         Every function that a script can call, with its parameters, what it gives, and an example. How features are \
         written is in [the guide](../guide.md), and what their comments say in [annotations](../annotations.md).\n\n\
         Types are written as in annotations: `string?` may be `()`, and `string[]` is a list of texts. A value that does not \
         fit is an error that says what was given. `// =>` shows what a call gives.\n\n\
         [Without a module](globals.md): `fail`, `granted`, decisions, assertions, and the methods of values.\n\n\
         ## Open to every script\n\n{}\n\
         ## On request\n\nA feature asks for these with `//! @request`, and the user grants them.\n\n{}\n\
         Known by name, and not part of this version: {}.\n\n\
         ## The embedded library\n\n\
         Modules written in Rhai on top of the others, which are a part of `peasy`: `import \"std/report\" as report;`, then \
         `report::heading(\"Files\", 2)`. What a feature uses of them is part of its digest, so a release that changes such a \
         module asks again for grants that hold for one text of a feature. The names of their functions are taken for a \
         feature that imports them: a function of its own with one of them and as many parameters is an error that says so. \
         An error inside of the library is shown where the feature called it.\n\n{}",
        table(&of(&|openness| openness == Openness::Everybody)),
        table(&of(&|openness| openness != Openness::Everybody)),
        absent.join(", "),
        table(&library.iter().collect::<Vec<_>>()),
    )
}

/// Every page by its file name.
fn pages() -> BTreeMap<String, String> {
    let (host, library) = (reference::host_modules(), reference::library());
    let mut pages: BTreeMap<_, _> = host
        .iter()
        .chain(&library)
        .map(|module| (format!("{}.md", file_stem(module)), module_page(module)))
        .collect();
    pages.insert("globals.md".to_owned(), globals_page());
    pages.insert("README.md".to_owned(), index_page(&host, &library));
    pages
}

#[test]
fn reference_is_what_the_code_says() {
    let pages = pages();
    let present: BTreeSet<String> = std::fs::read_dir(folder())
        .map(|entries| {
            let names = entries.map(|entry| entry.expect("a readable entry").file_name());
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(folder()).expect("a folder");
        for name in present.iter().filter(|name| !pages.contains_key(*name)) {
            std::fs::remove_file(folder().join(name)).expect("a page that can be removed");
        }
        for (name, text) in &pages {
            std::fs::write(folder().join(name), text).expect("a page that can be written");
        }
        return;
    }
    let names: BTreeSet<String> = pages.keys().cloned().collect();
    let read = |name: &String| std::fs::read_to_string(folder().join(name)).unwrap_or_default();
    let stale: Vec<_> = names
        .symmetric_difference(&present)
        .chain(pages.iter().filter(|(name, text)| read(name) != **text).map(|(name, _)| name))
        .collect();
    assert!(
        stale.is_empty(),
        "docs/reference/ is behind the code: {stale:?}\nrun `UPDATE_DOCS=1 cargo test reference`"
    );
}

#[test]
fn every_function_says_what_it_does_and_shows_a_call() {
    let mut poor = Vec::new();
    let globals = reference::globals();
    let modules = reference::host_modules();
    let all = modules
        .iter()
        .flat_map(|module| {
            let qualifier = format!("{}::", module.name);
            by_name(&module.functions).into_iter().map(move |found| (qualifier.clone(), found))
        })
        .chain(by_name(&globals).into_iter().map(|found| (String::new(), found)));
    for (qualifier, (name, overloads)) in all {
        let all: Vec<_> = overloads.iter().map(|function| parts(function, &qualifier)).collect();
        if all.iter().any(|(text, _)| text.is_empty()) {
            poor.push(format!("{qualifier}{name} does not say what it does"));
        }
        // In a sentence will do as well.
        let call = format!("{qualifier}{}(", name);
        let shown = all.iter().any(|(text, examples)| {
            !examples.is_empty() || text.iter().any(|line| line.contains(&call))
        });
        if !shown {
            poor.push(format!("{qualifier}{name} shows no call"));
        }
    }
    for module in &modules {
        if module.about.is_empty() {
            poor.push(format!("{} does not say what it is about", module.name));
        }
    }
    assert!(poor.is_empty(), "{}", poor.join("\n"));
}
