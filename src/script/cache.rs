//! What reading features came to, kept from one run of a program to the next.
//!
//! An entry stands for the very bytes that it was read from: the digest of a feature's file and of all
//! that it imports, where each import led, where the feature lies and whose that makes it. Whoever asks
//! has read all of those files; what is saved is parsing them. Features with an error are not kept.
//! Nothing here opens the file that entries lie in, and no entry is worth more than the trust in it.

use super::location::Location;
use super::script::{HookEntry, ReadOutcome, Script, TestEntry, ToolEntry};
use super::source::{self, Folders, ImportEdge, Opened};
use crate::diagnostic::Diagnostic;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::id::FeatureSource;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// What the bytes of a cache begin with.
const MAGIC: &[u8] = b"peasy cache 1\n";

/// Features as they were read, by where they lie.
///
/// A cache belongs to one build of a program and to one set of limits, which its stamp names; bytes with
/// another stamp hold nothing for it.
pub struct Cache {
    stamp: String,
    bytes: Vec<u8>,
    /// Where entries stand in `bytes`, by the hash of their keys.
    known: HashMap<u64, Range<usize>>,
    /// What was read since, ready to be written.
    fresh: Vec<Vec<u8>>,
    /// Where the entries that were used stand.
    used: Vec<Range<usize>>,
}

/// What is kept of one feature.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry<'a> {
    digest: Cow<'a, str>,
    imports: Cow<'a, [ImportEdge]>,
    descriptor: Cow<'a, FeatureDescriptor>,
    tools: Cow<'a, [ToolEntry]>,
    hooks: Cow<'a, [HookEntry]>,
    tests: Cow<'a, [TestEntry]>,
    diagnostics: Cow<'a, [Diagnostic]>,
}

/// A feature that was read before.
pub(crate) struct Recalled {
    pub outcome: ReadOutcome,
    place: Range<usize>,
}

impl Cache {
    /// The entries in `bytes`, whatever those are: what is no entry, or has another stamp, is left aside.
    pub fn new(stamp: String, bytes: Vec<u8>) -> Self {
        let known = entries(&stamp, &bytes).unwrap_or_default();
        Self { stamp, bytes, known, fresh: Vec::new(), used: Vec::new() }
    }

    /// Whether something was read that is not in the bytes it was made of.
    pub fn is_changed(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// The entries that were used and those that came, for another [`Cache::new`] of the same stamp.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = header(&self.stamp);
        let used = self.used.iter().filter_map(|place| self.bytes.get(place.clone()));
        for entry in used.chain(self.fresh.iter().map(Vec::as_slice)) {
            bytes.extend(u32::try_from(entry.len()).unwrap_or(0).to_le_bytes());
            bytes.extend(entry);
        }
        bytes
    }

    /// The features of places where what lies now is what was read before. Each file may have `most`
    /// bytes.
    pub(crate) fn recall(&self, locations: &[Location], most: u64) -> Vec<Option<Recalled>> {
        if self.known.is_empty() {
            return locations.iter().map(|_| None).collect();
        }
        let mut folders = Folders::default();
        locations.iter().map(|location| self.recall_one(location, most, &mut folders)).collect()
    }

    fn recall_one(
        &self,
        location: &Location,
        most: u64,
        folders: &mut Folders,
    ) -> Option<Recalled> {
        if location.source == FeatureSource::Builtin {
            // It lies in no file, whatever else has its name.
            return None;
        }
        let opened = source::open(&location.path, most, folders)?;
        let key = key(location, &opened)?;
        let place = self.known.get(&sum(key.as_bytes()))?.clone();
        let entry = Entry::parse(self.bytes.get(place.clone())?, &key)?;
        let tree = opened.follow(&entry.imports, most)?;
        if tree.digest != entry.digest {
            return None;
        }
        let tree = Arc::new(tree);
        let mut diagnostics = entry.diagnostics.into_owned();
        diagnostics.shrink_to_fit();
        let mut descriptor = entry.descriptor.into_owned();
        descriptor.shrink_to_fit();
        let mut script = Script {
            descriptor: Arc::new(descriptor),
            tree: Arc::clone(&tree),
            tools: entry.tools.into_owned(),
            hooks: entry.hooks.into_owned(),
            tests: entry.tests.into_owned(),
            diagnostics: diagnostics.clone(),
        };
        script.tools.shrink_to_fit();
        script.hooks.shrink_to_fit();
        script.tests.shrink_to_fit();
        let outcome = ReadOutcome { script: Some(script), diagnostics, tree: Some(tree) };
        Some(Recalled { outcome, place })
    }

    /// Notes that a feature was recalled.
    pub(crate) fn keep(&mut self, recalled: Recalled) -> ReadOutcome {
        self.used.push(recalled.place);
        recalled.outcome
    }

    /// Keeps what was read, unless it has an error or does not read back as it is.
    pub(crate) fn add(&mut self, location: &Location, outcome: &ReadOutcome) {
        let Some(script) = &outcome.script else { return };
        if location.source == FeatureSource::Builtin {
            return;
        }
        let tree = &script.tree;
        let Some(key) = key_of(location, &tree.main.name, tree.root.to_str()) else { return };
        let entry = Entry {
            digest: Cow::Borrowed(&tree.digest),
            imports: Cow::Borrowed(&tree.imports),
            descriptor: Cow::Borrowed(&script.descriptor),
            tools: Cow::Borrowed(&script.tools),
            hooks: Cow::Borrowed(&script.hooks),
            tests: Cow::Borrowed(&script.tests),
            diagnostics: Cow::Borrowed(&outcome.diagnostics),
        };
        if script.diagnostics != outcome.diagnostics {
            return;
        }
        let Some(bytes) = entry.write(&key) else { return };
        if Entry::parse(&bytes, &key).is_some_and(|back| back == entry) {
            self.fresh.push(bytes);
        }
    }
}

/// Bytes of the sum that an entry begins with.
const SUM: usize = 8;

impl Entry<'_> {
    /// A sum of what follows, the key, a line break that no key has, and the entry as JSON.
    fn write(&self, key: &str) -> Option<Vec<u8>> {
        let mut bytes = vec![0; SUM];
        bytes.extend(key.as_bytes());
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, self).ok()?;
        let sum = sum(&bytes[SUM..]).to_le_bytes();
        bytes[..SUM].copy_from_slice(&sum);
        Some(bytes)
    }

    fn parse(bytes: &[u8], key: &str) -> Option<Entry<'static>> {
        let (expected, rest) = bytes.split_at_checked(SUM)?;
        let json = rest.strip_prefix(key.as_bytes())?.strip_prefix(b"\n")?;
        if sum(rest).to_le_bytes() != *expected {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

fn key(location: &Location, opened: &Opened) -> Option<String> {
    key_of(location, &opened.main.name, opened.root.to_str())
}

/// Everything that reading depends on beside texts: where the feature lies, how a person names that,
/// and whose it is. `None` for names that are no text.
fn key_of(location: &Location, name: &str, root: Option<&str>) -> Option<String> {
    location.path.to_str()?;
    let key = format!("{:?}\0{name}\0{}", location.source, root?);
    (!key.contains('\n')).then_some(key)
}

fn header(stamp: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(stamp.len()).unwrap_or(0).to_le_bytes());
    bytes.extend(stamp.as_bytes());
    bytes
}

/// Where the entries stand in bytes with this stamp; the last of a key counts.
fn entries(stamp: &str, bytes: &[u8]) -> Option<HashMap<u64, Range<usize>>> {
    let mut at = bytes.strip_prefix(&*header(stamp)).map(|rest| bytes.len() - rest.len())?;
    let mut known = HashMap::new();
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let place = at + 4..at + 4 + length;
        // What was cut off ends the list.
        let Some(entry) = bytes.get(place.clone()) else { break };
        let key = entry.get(SUM..).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        if let Some(key) = key {
            known.insert(sum(key), place.clone());
        }
        at = place.end;
    }
    Some(known)
}

/// Tells whole bytes from damaged ones. The same in every process of one build, which the stamp names.
fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "lays out files of its own")]

    use super::*;
    use crate::feature::id::FeatureSource;
    use crate::limit::Limits;
    use crate::script::runtime::ScriptRuntime;
    use std::fs;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;

    const STAMP: &str = "a build";

    const MAIN: &str = "//! Counts.\n//! @request? emit\n//!   Shows progress.\n\nimport \"part\" as part;\nimport \"std/lines\" as lines;\n\n/// Counts.\n/// @tool\n/// @param text string(..=20) = \"a\"\n///   What to count.\n/// @param more { a: int(1..=9), b?: float[]? }?\n/// @returns { words: int }\n/// @example { \"text\": \"a b\", \"untold\": 1 } => { \"words\": 2 }\nfn count(text, more, untold) { emit::info(\"x\"); #{ words: part::count(text) } }\n\n/// Guards.\n/// @hook pre_tool_call tools=a*\nfn guard(event) { if event.kind == \"shell\" { return deny(\"no\"); } }\n\n/// @test\nfn counts() { assert_eq(part::count(\"a b\"), 2); }\n";
    const PART: &str = "fn count(text) { text::words(text).len() }\n\n/// @test\nfn counts_parts() { assert_eq(count(\"a\"), 1); }\n";

    struct Files(TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(TempDir::new().expect("a temporary folder"));
            fs::create_dir(files.path("one")).expect("a folder");
            files.write("one/main.rhai", MAIN);
            files.write("one/part.rhai", PART);
            files.write("two.rhai", "/// Gives.\n/// @tool\nfn two() { 2 }\n");
            files.write("broken.rhai", "fn one( {");
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).expect("a file");
        }

        fn locations(&self) -> Vec<Location> {
            let place =
                |name: &str| Location { path: self.path(name), source: FeatureSource::User };
            ["one", "two.rhai", "broken.rhai"].map(place).to_vec()
        }
    }

    fn runtime() -> ScriptRuntime {
        ScriptRuntime::new(&Limits::default()).expect("the tests count allocations")
    }

    /// What reading says, and whether something was parsed that has no error.
    fn read(files: &[Location], bytes: &[u8]) -> (Vec<String>, bool, Vec<u8>) {
        let mut cache = Cache::new(STAMP.to_owned(), bytes.to_vec());
        let outcomes = runtime().read_with(files, &mut cache);
        let shown = outcomes.iter().map(|outcome| format!("{outcome:#?}")).collect();
        (shown, cache.is_changed(), cache.to_bytes())
    }

    fn plainly(files: &[Location]) -> Vec<String> {
        runtime().read(files).iter().map(|outcome| format!("{outcome:#?}")).collect()
    }

    #[test]
    fn what_is_recalled_is_what_reading_gives() {
        let files = Files::new();
        let mut all = files.locations();
        for folder in ["scripts", "benches/measure/features", "docs"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let found = source::discover(&folder).features.into_iter();
            all.extend(found.map(|path| Location { path, source: FeatureSource::Project }));
        }
        assert!(all.len() > 10, "there are features to read");
        let (first, is_new, bytes) = read(&all, &[]);
        assert!(is_new);
        let (second, is_new, again) = read(&all, &bytes);
        assert!(!is_new, "all was recalled");
        assert_eq!((first, bytes), (second.clone(), again));
        assert_eq!(second, plainly(&all));
    }

    #[test]
    fn another_byte_anywhere_is_read_again() {
        let files = Files::new();
        let locations = files.locations();
        let (_, _, bytes) = read(&locations, &[]);
        let is_parsed = |what: &str| {
            let (shown, is_new, _) = read(&locations, &bytes);
            assert_eq!(shown, plainly(&locations), "{what}");
            is_new
        };
        assert!(!is_parsed("nothing"));
        files.write("one/main.rhai", &MAIN.replace("Counts.", "Counts!"));
        assert!(is_parsed("the main file"));
        files.write("one/main.rhai", MAIN);
        files.write("one/part.rhai", &PART.replace("words", "lines"));
        assert!(is_parsed("an import"));
        fs::remove_file(files.path("one/part.rhai")).expect("it was there");
        assert!(!is_parsed("without the import it is broken, and nothing is kept"));
        files.write("one/part.rhai", PART);
        assert!(!is_parsed("as before"));
    }

    #[cfg(unix)]
    #[test]
    fn an_import_that_leads_elsewhere_is_read_again() {
        let files = Files::new();
        let locations = files.locations();
        let (_, _, bytes) = read(&locations, &[]);
        // The same text, under the name of another module.
        fs::rename(files.path("one/part.rhai"), files.path("one/other.rhai")).expect("it moves");
        std::os::unix::fs::symlink("other.rhai", files.path("one/part.rhai")).expect("a link");
        let (shown, is_new, _) = read(&locations, &bytes);
        assert!(is_new);
        assert_eq!(shown, plainly(&locations));
    }

    #[test]
    fn another_place_owner_or_build_is_read_again() {
        let files = Files::new();
        let locations = files.locations();
        let (_, _, bytes) = read(&locations, &[]);
        let theirs = locations
            .iter()
            .map(|location| Location { source: FeatureSource::Project, ..location.clone() });
        assert!(read(&theirs.collect::<Vec<_>>(), &bytes).1, "another owner");
        let moved = Files::new();
        assert!(read(&moved.locations(), &bytes).1, "another place");
        let mut other = Cache::new("another build".to_owned(), bytes);
        runtime().read_with(&locations, &mut other);
        assert!(other.is_changed(), "another build");
        let shown = plainly(&locations);
        assert!(shown[..2].iter().all(|one| one.contains("script: Some")), "{}", shown[0]);
    }

    #[test]
    fn no_damage_changes_what_is_read() {
        let files = Files::new();
        let locations = files.locations();
        let (expected, _, bytes) = read(&locations, &[]);
        let step = bytes.len() / 60 + 1;
        for at in (0..bytes.len()).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x15;
            for bytes in [&damaged[..], &bytes[..at], &[&bytes[..at], &bytes[at + 1..]].concat()] {
                assert_eq!(read(&locations, bytes).0, expected, "at {at}");
            }
        }
        // Lengths that lead nowhere.
        let mut lengths = header(STAMP);
        lengths.extend([0xff; 64]);
        assert_eq!(read(&locations, &lengths).0, expected);
    }
}
