//! `memory`: notes that outlast the session, found again by their words.
//!
//! One memory belongs to one project, and every feature that is granted it sees the same. A note is kept when
//! its call succeeds. Nothing here knows where notes lie.

use super::options::Options;
use super::{ModuleBuilder, commons, require, time};
use crate::feature::capability::{Capability, StoreAccess};
use crate::feature::commons::Commons;
use crate::script::frame::{self, Native};
use rhai::{Array, Dynamic, Map, Module, Shared};
use serde::{Deserialize, Serialize};

/// The longest note, in characters.
const LONGEST: usize = 8_000;

/// A note as it is kept.
#[derive(Serialize, Deserialize)]
struct Note {
    id: u64,
    text: String,
    #[serde(default)]
    tags: Vec<String>,
    /// When it was written, in milliseconds.
    at: i64,
    /// The feature that wrote it.
    by: String,
}

/// The module of a feature that asked for `memory` or `memory:read`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Notes that outlast the session: one memory for each project, shared by all features that are \
         granted it. Request `memory`, or `memory:read` to look only. A note is a map of `id`, `text`, \
         `tags`, `at` (when it was written, in ms) and `by` (the feature that wrote it). What a call changes \
         is kept when it succeeds, and is as if it had never been when it fails. In a test the memory is empty.",
    );
    builder
        .docs(&[
            "/// Keeps a note of at most 8,000 characters, and gives it back.",
            "/// memory::remember(\"the tests need a database\").id",
        ])
        .function("remember", ["text: string", "map"], |text: &str| remember(text, &Map::new()))
        .docs(&[
            "/// The same with options: `tags`, at most 16; `id`, the note that this one takes the place of.",
            "/// memory::remember(\"the tests need no database\", #{ tags: [\"tests\"], id: 7 })",
        ])
        .function("remember", ["text: string", "options: map", "map"], |text: &str, options: Map| {
            remember(text, &options)
        })
        .docs(&[
            "/// The notes with the words of a text, those that have all of them first, at most 20. A word may be \
             given by its beginning.",
            "/// memory::recall(\"database tests\").map(|note| note.text)",
        ])
        .function("recall", ["words: string", "map[]"], |words: &str| recall(words, &Map::new()))
        .docs(&[
            "/// The same with options: `tag`, which they must have, and `most`, at most 200.",
            "/// memory::recall(\"database\", #{ tag: \"tests\", most: 5 })",
        ])
        .function("recall", ["words: string", "options: map", "map[]"], |words: &str, options: Map| {
            recall(words, &options)
        })
        .docs(&["/// The note of that number; `()` where there is none.", "/// memory::get(7)"])
        .function("get", ["id: int", "map?"], get)
        .docs(&[
            "/// The newest notes, at most 20.",
            "/// memory::list().len()",
        ])
        .function("list", ["map[]"], || list(&Map::new()))
        .docs(&[
            "/// The same with options: `tag`, `most`, and `below`, the number that those of the next part are below.",
            "/// memory::list(#{ tag: \"tests\", below: 7 })",
        ])
        .function("list", ["options: map", "map[]"], |options: Map| list(&options))
        .docs(&["/// Removes a note, and says whether it was there.", "/// memory::forget(7)"])
        .function("forget", ["id: int", "bool"], forget);
    builder.build()
}

fn require_access(access: StoreAccess) -> Native {
    frame::with(|frame| require(frame, &Capability::Memory(access)))
}

fn remember(text: &str, options: &Map) -> Native<Dynamic> {
    require_access(StoreAccess::ReadWrite)?;
    let mut options = Options::new("memory::remember", options);
    let tags = options.names("tags", "[\"tests\"]")?;
    let id = options.number("id")?;
    options.done()?;
    let text = commons::text("text", text, 1, LONGEST)?;
    let tags = commons::names("tags", tags)?;
    let id = match id {
        Some(id) if commons::get::<Note>(Commons::Memory, commons::number(id))?.is_some() => {
            commons::number(id)
        }
        Some(id) => {
            return Err(frame::error(format!("there is no note {id} to take the place of")));
        }
        None => commons::new_number(Commons::Memory)?,
    };
    let note = Note { id, text, tags, at: time::now()?, by: commons::author()? };
    let words = format!("{}\n{}", note.text, note.tags.join(" "));
    commons::set(Commons::Memory, id, &note, &words)?;
    commons::shown(&note)
}

/// Whether a note has the tag, where one is wanted.
fn has(tag: Option<&str>) -> impl Fn(&Note) -> bool {
    move |note| tag.is_none_or(|tag| note.tags.iter().any(|one| one == tag))
}

fn shown(notes: &[Note]) -> Native<Array> {
    notes.iter().map(commons::shown).collect()
}

fn recall(words: &str, options: &Map) -> Native<Array> {
    require_access(StoreAccess::Read)?;
    let mut options = Options::new("memory::recall", options);
    let tag = options.text("tag", "\"tests\"")?;
    let most = commons::most(options.number("most")?)?;
    options.done()?;
    shown(&commons::search(Commons::Memory, words, most, has(tag.as_deref()))?)
}

fn get(id: i64) -> Native<Dynamic> {
    require_access(StoreAccess::Read)?;
    match commons::get::<Note>(Commons::Memory, commons::number(id))? {
        Some(note) => commons::shown(&note),
        None => Ok(Dynamic::UNIT),
    }
}

fn list(options: &Map) -> Native<Array> {
    require_access(StoreAccess::Read)?;
    let mut options = Options::new("memory::list", options);
    let tag = options.text("tag", "\"tests\"")?;
    let most = commons::most(options.number("most")?)?;
    let below = commons::below(options.number("below")?);
    options.done()?;
    shown(&commons::newest(Commons::Memory, below, most, has(tag.as_deref()), |note: &Note| {
        note.id
    })?)
}

fn forget(id: i64) -> Native<bool> {
    require_access(StoreAccess::ReadWrite)?;
    commons::delete(Commons::Memory, commons::number(id))
}
