//! The arrows between modules, read from the `use` lines and paths of the source.

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Every module of the crate's top level that `module` names, with where.
fn named_by(module: &str) -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let (folder, file) = (source.join(module), source.join(format!("{module}.rs")));
    if folder.is_dir() {
        rust_files(&folder, &mut files);
    }
    if file.is_file() {
        files.push(file);
    }
    assert!(!files.is_empty(), "no source of `{module}`");
    let mut named = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("source is text");
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let place = format!("{}:{}", file.display(), index + 1);
            named.extend(paths(code, "crate::").map(|name| (name, place.clone())));
            // The binary's own modules name the library by its crate name.
            named.extend(paths(code, "peasy::").map(|name| (name, place.clone())));
        }
    }
    named
}

fn paths<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = String> + 'a {
    code.match_indices(root).flat_map(move |(at, _)| {
        let rest = &code[at + root.len()..];
        let names = rest.strip_prefix('{').map_or_else(
            || vec![rest],
            |list| list.split('}').next().unwrap_or_default().split(',').collect(),
        );
        names
            .into_iter()
            .map(|name| {
                name.trim()
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect::<String>()
            })
            .collect::<Vec<_>>()
    })
}

/// `module` names no other module of the crate's top level than these and itself.
fn uses_only(module: &str, allowed: &[&str]) {
    let modules = [
        "diagnostic",
        "limit",
        "private",
        "builtin",
        "config",
        "feature",
        "script",
        "store",
        "secret",
        "pod",
        "worker",
        "workspace",
        "cli",
        "mcp",
        "agent_hook",
    ];
    for (name, place) in named_by(module) {
        if name != module && modules.contains(&name.as_str()) {
            assert!(
                allowed.contains(&name.as_str()),
                "{place}: `{module}` may not use `{name}`; arrows point from fronts to pod to feature, and from script to feature"
            );
        }
    }
}

#[test]
fn arrows_point_one_way() {
    uses_only("diagnostic", &[]);
    uses_only("limit", &[]);
    uses_only("private", &[]);
    uses_only("builtin", &[]);
    uses_only("feature", &["diagnostic", "limit"]);
    uses_only("script", &["diagnostic", "limit", "feature", "builtin"]);
    uses_only("config", &["diagnostic", "limit", "private", "feature", "store"]);
    uses_only("store", &["diagnostic", "limit", "private", "feature"]);
    uses_only("secret", &["diagnostic", "private", "feature"]);
    uses_only("pod", &["diagnostic", "limit", "private", "feature", "store", "secret"]);
    uses_only("worker", &["diagnostic", "feature", "pod"]);
    uses_only("mcp", &["diagnostic", "limit", "config", "feature", "secret", "pod"]);
    uses_only("agent_hook", &["diagnostic", "private", "feature", "pod"]);
    let core =
        ["diagnostic", "limit", "builtin", "config", "feature", "script", "store", "secret", "pod"];
    uses_only("workspace", &[&core[..], &["private"]].concat());
    uses_only("cli", &[&core[..], &["workspace", "worker", "mcp", "agent_hook"]].concat());
}

#[test]
fn the_feature_api_knows_no_engine_and_no_protocol() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/feature");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    for file in files {
        let text = fs::read_to_string(&file).expect("source is text");
        for foreign in ["rhai::", "rmcp::", "clap::", "std::fs", "std::process", "std::net"] {
            assert!(!text.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}

#[test]
fn one_file_of_the_worker_knows_the_library_of_providers() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let knows = |file: &PathBuf| {
        let text = fs::read_to_string(file).expect("source is text");
        text.contains("genai::") || text.contains("reqwest::")
    };
    let files: Vec<_> = files.into_iter().filter(knows).collect();
    assert_eq!(files, [source.join("worker/provider.rs")]);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let unsafe_files: Vec<_> = files
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).expect("source is text");
            text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains("unsafe ") || code.contains("unsafe_code")
            })
        })
        .collect();
    assert_eq!(unsafe_files, [source.join("script/meter.rs")]);
}

#[test]
fn no_front_calls_around_the_pod() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    // The catalog's own calls pass neither permissions nor hooks: they are the pod's to make, and of
    // programs without one.
    let core = ["feature", "pod", "script"].map(|module| source.join(module));
    // A call that is run again from its record has neither a pod nor a world: nothing comes of it.
    let replay = source.join("workspace/replay.rs");
    let fronts = files
        .into_iter()
        .filter(|file| *file != replay && !core.iter().any(|core| file.starts_with(core)));
    let mut looked_at = 0;
    for file in fronts {
        looked_at += 1;
        let text = fs::read_to_string(&file).expect("source is text");
        let code: String = text.split_whitespace().collect();
        for around in ["catalog.call(", "catalog().call(", "catalog.decide(", "catalog().decide("] {
            assert!(!code.contains(around), "{} calls `{around}…)`", file.display());
        }
    }
    assert!(looked_at > 20, "{looked_at} files");
}
