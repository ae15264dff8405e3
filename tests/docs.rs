//! The documentation is true: commands print what is shown, scripts do what is said of them, every
//! code has a page, links lead somewhere, and the map names tests that exist.
//!
//! A line of shown output may hold `[..]` for what differs from run to run, and be `...` for any
//! lines. `UPDATE_DOCS=1 cargo test docs` writes what the commands print into the pages.

#![allow(clippy::disallowed_methods, reason = "reads the documentation and runs its commands")]

use crate::fake_model::FakeModel;
use peasy::diagnostic::{Diagnostic, Severity};
use peasy::feature::id::FeatureSource;
use peasy::limit::{Limit, Limits};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::script::script::ReadOutcome;
use peasy::script::testing::TestRun;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The first parts of codes. A literal of the source that begins with one is a code.
const FAMILIES: [&str; 36] = [
    "bridge",
    "ask",
    "background",
    "permission",
    "pod",
    "config",
    "exec",
    "fs",
    "log",
    "store",
    "annotation",
    "arguments",
    "call",
    "capability",
    "cli",
    "feature",
    "grant",
    "hook",
    "host",
    "http",
    "import",
    "install",
    "limit",
    "lint",
    "mcp",
    "registry",
    "reload",
    "replay",
    "result",
    "script",
    "secret",
    "service",
    "session",
    "source",
    "test",
    "worker",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder whose name ends like that, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), ".md");
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    pages
}

/// The pages whose blocks are run here. Others have tests of their own, or none to run.
fn living_pages() -> Vec<PathBuf> {
    let mut others = vec!["annotations.md", "feature-api.md", "mcp.md", "measures.md"];
    if cfg!(not(feature = "worker")) {
        others.push("chat.md");
    }
    pages().into_iter().filter(|page| !others.iter().any(|other| page.ends_with(other))).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// One fenced block of a page.
struct Block {
    /// What stands behind the fence: `rhai`, `rhai error`, `console`, …
    info: String,
    /// The line of its first line in the page, from 0.
    line: usize,
    text: String,
}

impl Block {
    fn place(&self, page: &Path) -> String {
        format!("{}:{}", shown(page), self.line)
    }

    /// The file that the block stands for: `// parse.rhai` in its first line.
    fn file(&self) -> Option<&str> {
        let name = self.text.lines().next()?.strip_prefix("// ")?;
        (name.ends_with(".rhai") && !name.contains(' ')).then_some(name)
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => {
                open = Some(Block { info: info.to_owned(), line: index + 1, text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => (),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A folder with the scripts of the repository, as commands of a page find them. For the README it is
/// a checkout, and what lies in it belongs to a project.
fn workplace(is_checkout: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scripts = folder.path().join("scripts");
    fs::create_dir(&scripts).expect("an empty folder");
    for file in files(&root().join("scripts"), ".rhai") {
        let name = file.file_name().expect("a file has a name");
        fs::copy(&file, scripts.join(name)).expect("a script can be copied");
    }
    if is_checkout {
        fs::create_dir(folder.path().join(".git")).expect("an empty folder");
    }
    folder
}

/// Runs a command in the shell, with nothing of the environment but where `peasy` is.
fn shell(folder: &Path, command: &str) -> Output {
    shell_with(folder, command, None)
}

/// As [`shell`], with the address of a model in `MODEL`.
fn shell_with(folder: &Path, command: &str, model: Option<&str>) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_peasy"));
    let tools = binary.parent().expect("a file has a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let command = command.replace("cargo run -- ", "peasy ");
    Command::new("sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{tools}:{path}"))
        .env("HOME", folder)
        .env("PEASY_HOME", folder.join(".config/peasy"))
        .env("NO_COLOR", "1")
        .env("MODEL", model.unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .expect("sh is there")
}

/// What a command prints, standard error included.
fn run(folder: &Path, command: &str) -> String {
    String::from_utf8(shell(folder, command).stdout).expect("peasy prints UTF-8")
}

/// Whether a line of output is what the page shows.
fn fits(wanted: &str, line: &str) -> bool {
    let Some((start, rest)) = wanted.split_once("[..]") else { return wanted == line };
    let Some(after) = line.strip_prefix(start) else { return false };
    (0..=after.len()).any(|at| after.is_char_boundary(at) && fits(rest, &after[at..]))
}

/// Whether the output is what the page shows.
fn fit(wanted: &[&str], lines: &[&str]) -> bool {
    match wanted {
        [] => lines.is_empty(),
        ["...", rest @ ..] => (0..=lines.len()).any(|at| fit(rest, &lines[at..])),
        [first, rest @ ..] => {
            lines.first().is_some_and(|line| fits(first, line)) && fit(rest, &lines[1..])
        }
    }
}

/// Runs the commands of a `console` block; gives the block as it should be, or `None` where it is.
fn corrected(block: &Block, folder: &Path, model: Option<&str>) -> Option<String> {
    let mut text = String::new();
    let mut lines = block.text.lines().peekable();
    let mut is_right = true;
    while let Some(line) = lines.next() {
        let mut command =
            line.strip_prefix("$ ").expect("a block begins with a command").to_owned();
        text.push_str(line);
        text.push('\n');
        while command.ends_with('\\') {
            let more = lines.next().expect("the command goes on");
            command = format!("{command}\n{more}");
            text.push_str(more);
            text.push('\n');
        }
        let mut wanted = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            wanted.push(line);
        }
        if command == "cargo test" {
            continue;
        }
        let output = shell_with(folder, &command, model);
        let output = String::from_utf8(output.stdout).expect("peasy prints UTF-8");
        let lines: Vec<&str> = output.trim_end().lines().map(str::trim_end).collect();
        let kept = if fit(&wanted, &lines) { &wanted } else { &lines };
        is_right &= fit(&wanted, &lines);
        kept.iter().for_each(|line| text.extend([line, "\n"]));
    }
    (!is_right).then_some(text)
}

/// What the model of a page says, request by request.
fn steps(block: &Block) -> Vec<serde_json::Value> {
    serde_json::from_str(&block.text).expect("a block `json model` is a script for the fake model")
}

#[test]
fn commands_print_what_is_shown() {
    let mut wrong = Vec::new();
    for page in living_pages() {
        let text = read(&page);
        let folder = workplace(page.ends_with("README.md") && page.parent() == Some(root()));
        let mut new: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut model = None;
        for block in blocks(&text).iter() {
            if block.info == "json model" {
                model = Some(FakeModel::start(steps(block)));
            }
            let model = model.as_ref().map(FakeModel::url);
            if let Some(file) = block.file() {
                write(block, file, folder.path());
            }
            if block.info == "console"
                && let Some(right) = corrected(block, folder.path(), model.as_deref())
            {
                wrong.push(format!(
                    "{} shows\n{}and should show\n{right}",
                    block.place(&page),
                    block.text
                ));
                let count = block.text.lines().count();
                new[block.line] = right.trim_end().to_owned();
                new[block.line + 1..block.line + count].fill("\0".to_owned());
            }
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            new.retain(|line| line != "\0");
            fs::write(&page, new.join("\n") + "\n").expect("the page can be written");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands of a help text: what stands under its headings of examples, up to a wide gap.
fn examples(help: &str) -> Vec<String> {
    let below = help.lines().skip_while(|line| !matches!(*line, "Examples:" | "Try it:")).skip(1);
    below
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.trim().split("  ").next())
        .filter(|command| command.starts_with("peasy "))
        .map(|command| command.split(" | ").next().unwrap_or(command).to_owned())
        .collect()
}

#[test]
fn examples_of_the_help_can_be_copied() {
    let anywhere = tempfile::tempdir().expect("a temporary folder");
    let mut commands = examples(&run(anywhere.path(), "peasy --help"));
    for command in [
        "new",
        "completions",
        "doctor",
        "fmt",
        "check",
        "list",
        "describe",
        "call",
        "test",
        "serve",
    ] {
        let help = run(anywhere.path(), &format!("peasy {command} --help"));
        assert!(help.contains("Examples:"), "{command} shows no examples");
        commands.extend(examples(&help));
    }
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let setup = |command: &str| {
            let output = shell(folder.path(), command);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        };
        if !command.contains("peasy new") {
            setup("peasy new greet");
            setup("peasy new guard --hook");
            setup("echo to be or not > README.md");
            let words = root().join("scripts/word-count.rhai").display().to_string();
            let home = if command.contains(".peasy/") { ".peasy" } else { ".config/peasy" };
            setup(&format!("mkdir -p {home}/features"));
            setup(&format!("cp '{words}' {home}/features"));
        }
        let output = shell(folder.path(), &command);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "`{command}` of the help fails:\n{said}");
    }
}

fn runtime() -> ScriptRuntime {
    ScriptRuntime::new(&Limits::default()).expect("the test binary counts its allocations")
}

fn read_script(runtime: &ScriptRuntime, path: PathBuf) -> ReadOutcome {
    runtime.read(&[Location { path, source: FeatureSource::User }]).remove(0)
}

/// Writes the file that a block stands for, and gives its path.
fn write(block: &Block, name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder takes it");
    fs::write(&path, &block.text).expect("the folder takes it");
    path
}

/// The code that a block must give: what stands behind the colon, or the page's own.
fn code_of(info: &str, page: &Path) -> Option<String> {
    if let Some((_, code)) = info.split_once(": ") {
        return Some(code.to_owned());
    }
    let below = page.strip_prefix(root().join("docs/diagnostics")).ok()?.with_extension("");
    let below = below.to_str().expect("pages have plain names").to_owned();
    below.contains('/').then_some(below)
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|found| format!("{} ({})", found.code, found.message)).collect()
}

/// Why a script of a page does not do what is said of it.
fn problem_of(
    block: &Block,
    code: Option<&str>,
    path: PathBuf,
    runtime: &ScriptRuntime,
) -> Option<String> {
    let outcome = read_script(runtime, path);
    let has = |code: &str| outcome.diagnostics.iter().any(|found| found.code == code);
    let found = codes(&outcome.diagnostics);
    if block.info.starts_with("rhai error") {
        let code = code?;
        return (!has(code)).then(|| format!("is read with {found:?}, and not with {code}"));
    }
    let Some(script) = outcome.script else { return Some(format!("has errors: {found:?}")) };
    let limits = Limits::default();
    let results = runtime.test(&script, &TestRun { filter: None, limits: &limits });
    let failures: Vec<_> = results.into_iter().filter_map(|result| result.failure).collect();
    let failed = codes(&failures);
    if block.info.starts_with("rhai fails") {
        let code = code?;
        let is_right = failures.iter().any(|failure| failure.code == code);
        return (!is_right).then(|| format!("fails with {failed:?}, and not with {code}"));
    }
    if code.is_some_and(has) {
        return Some(format!("is said to be right and gives {found:?}"));
    }
    // A page about one diagnostic may show code that has another.
    let warned = outcome.diagnostics.iter().any(|found| found.severity == Severity::Warning);
    if code.is_none() && warned {
        return Some(format!("has warnings: {found:?}"));
    }
    (!failures.is_empty()).then(|| format!("has tests that fail: {failed:?}"))
}

#[test]
fn scripts_do_what_is_said_of_them() {
    let runtime = runtime();
    let mut wrong = Vec::new();
    for page in living_pages() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for block in blocks(&read(&page)) {
            if block.info.split(' ').next() != Some("rhai") {
                continue;
            }
            let path = write(&block, block.file().unwrap_or("example.rhai"), folder.path());
            let code = code_of(&block.info, &page);
            if let Some(problem) = problem_of(&block, code.as_deref(), path, &runtime) {
                wrong.push(format!("{} {problem}", block.place(&page)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The literals of a source that look like codes, with the text in front of each.
fn literals(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('"') {
        let after = &rest[start + 1..];
        let end = after.find('"').unwrap_or(after.len());
        let literal = &after[..end];
        let is_code = literal.split_once('/').is_some_and(|(family, name)| {
            let is_word = |text: &str| {
                text.starts_with(|c: char| c.is_ascii_lowercase())
                    && text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            };
            is_word(family) && is_word(name)
        });
        if is_code {
            found.push((rest[..start].trim_end().to_owned(), literal.to_owned()));
            rest = &after[end + 1..];
        } else {
            // Not the end of a literal for sure: go on right behind the quote.
            rest = after;
        }
    }
    found
}

/// The names given to `function` in a source, as in `absent("store"`.
fn named(source: &str, function: &str) -> Vec<String> {
    let mut parts = source.split(function);
    parts.next();
    parts
        .filter_map(|part| part.trim_start().strip_prefix('"')?.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Every code that the source can give.
fn codes_of_source() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in files(&root().join("src"), ".rs") {
        if file.ends_with("tests.rs") || file.ends_with("trial.rs") {
            continue;
        }
        let text = read(&file);
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: Vec<_> = text
            .lines()
            .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
            .collect();
        for (before, literal) in literals(&code.join("\n")) {
            let family = literal.split('/').next().unwrap_or_default();
            let is_given = ["author(", "caller(", "operator(", "host(", "warning(", "note("]
                .iter()
                .any(|call| before.ends_with(&format!("Diagnostic::{call}")));
            assert!(
                !is_given || FAMILIES.contains(&family),
                "{} begins a family of codes that this test does not know: {literal}",
                shown(&file)
            );
            if FAMILIES.contains(&family) {
                codes.insert(literal);
            }
        }
    }
    // What a script meets when it calls a module that it has not: `service/NAME`, `grant/NAME`.
    let modules = read(&root().join("src/script/host/mod.rs"));
    codes.extend(named(&modules, "absent(").iter().map(|name| format!("service/{name}")));
    codes.extend(named(&modules, "guarded(").iter().map(|name| format!("grant/{name}")));
    codes.extend(Limit::all().map(|limit| limit.code().to_owned()));
    codes
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = root().join("docs/diagnostics");
    let pages: BTreeSet<String> = files(&folder, ".md")
        .iter()
        .map(|page| page.strip_prefix(&folder).expect("it lies there").with_extension(""))
        .map(|page| page.to_str().expect("plain names").to_owned())
        .filter(|page| page != "README")
        .collect();
    let codes = codes_of_source();
    let without: Vec<_> = codes.difference(&pages).collect();
    let stale: Vec<_> = pages.difference(&codes).collect();
    assert!(without.is_empty(), "codes without a page in docs/diagnostics: {without:?}");
    assert!(stale.is_empty(), "pages of docs/diagnostics without a code: {stale:?}");
    let index = read(&folder.join("README.md"));
    for page in &pages {
        assert!(index.contains(&format!("({page}.md)")), "the index lacks {page}");
        let text = read(&folder.join(page).with_extension("md"));
        assert!(text.starts_with(&format!("# {page}\n\n*")), "{page} has another head");
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The text outside of blocks and of code in backticks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let parts = line.split('`').enumerate();
            prose.extend(parts.filter(|(index, _)| index % 2 == 0).map(|(_, part)| part));
            prose.push('\n');
        }
    }
    prose
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = prose(&read(&page));
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = page.parent().expect("a file has a folder");
            let file = if file.is_empty() { page.clone() } else { folder.join(file) };
            let has_heading = |file: &Path| {
                heading.is_empty()
                    || read(file).lines().any(|line| {
                        line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading
                    })
            };
            if !file.exists() || !has_heading(&file) {
                broken.push(format!("{}: {target}", shown(&page)));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_map_is_short_and_invariants_name_tests_that_exist() {
    let map = read(&root().join("docs/ARCHITECTURE.md"));
    assert!(map.lines().count() < 200, "docs/ARCHITECTURE.md has {} lines", map.lines().count());
    let text = read(&root().join("docs/invariants.md"));
    let mut sources: String =
        files(&root().join("src"), ".rs").iter().map(|file| read(file)).collect();
    sources.extend(files(&root().join("tests"), ".rs").iter().map(|file| read(file)));
    let mut named = 0;
    // An invariant ends with `*Held by*` and the names of its tests.
    for part in text.split("*Held by*").skip(1) {
        // They stand on the rest of the line and on indented lines below.
        let is_own = |(index, line): &(usize, &str)| *index == 0 || line.starts_with(' ');
        let own = part.lines().enumerate().take_while(is_own).map(|(_, line)| line);
        let part = own.collect::<Vec<_>>().join(" ");
        for test in part.split('`').skip(1).step_by(2) {
            let is_function = sources.contains(&format!("fn {test}("));
            let is_case = root().join(test).exists();
            assert!(
                is_function || is_case,
                "docs/invariants.md names `{test}`, and there is no such test"
            );
            named += 1;
        }
    }
    assert!(named > 10, "the invariants name no tests");
}

#[test]
fn every_limit_is_in_the_table() {
    let text = read(&root().join("docs/limits.md"));
    for limit in Limit::all() {
        let row = format!(
            "| `{}` | {} | {} | {} |",
            limit.name(),
            in_words(limit.default_value(), limit.unit()),
            in_words(limit.ceiling(), limit.unit()),
            format_args!("[`{0}`](diagnostics/{0}.md)", limit.code()),
        );
        assert!(text.contains(&row), "docs/limits.md lacks\n{row}");
    }
}

/// `32 MiB`, `5,000 ms`, `64 calls`
fn in_words(value: u64, unit: &str) -> String {
    const MIB: u64 = 1 << 20;
    match unit {
        "bytes" if value.is_multiple_of(MIB) => return format!("{} MiB", value / MIB),
        "bytes" => return format!("{} KiB", value / 1024),
        _ => (),
    }
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if unit == "operations" || unit == "diagnostics" { text } else { format!("{text} {unit}") }
}
