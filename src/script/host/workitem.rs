//! `workitem`: what is to be done, with its state and what was said about it.
//!
//! The items of one project are one list, and every feature that is granted it sees the same. A change is
//! kept when its call succeeds. Nothing here knows where items lie.

use super::options::Options;
use super::{ModuleBuilder, commons, require, time};
use crate::diagnostic::nearest;
use crate::feature::capability::{Capability, StoreAccess};
use crate::feature::commons::Commons;
use crate::script::frame::{self, Native, error};
use rhai::{Array, Dynamic, Map, Module, Shared};
use serde::{Deserialize, Serialize};

/// The longest title, text and comment, in characters, and the most comments.
const LONGEST_TITLE: usize = 200;
const LONGEST_BODY: usize = 8_000;
const LONGEST_COMMENT: usize = 4_000;
const MOST_COMMENTS: usize = 100;

/// What an item may be.
const STATUS: [&str; 5] = ["open", "in-progress", "blocked", "done", "cancelled"];

/// An item as it is kept.
#[derive(Serialize, Deserialize)]
struct Item {
    id: u64,
    title: String,
    status: String,
    body: String,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    assignee: Option<String>,
    /// When it was made and changed, in milliseconds.
    created: i64,
    updated: i64,
    /// The feature that made it.
    by: String,
    #[serde(default)]
    comments: Vec<Comment>,
}

#[derive(Serialize, Deserialize)]
struct Comment {
    text: String,
    at: i64,
    by: String,
}

/// An item in a list: how much was said of it, and not what.
#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    title: &'a str,
    status: &'a str,
    labels: &'a [String],
    assignee: Option<&'a str>,
    created: i64,
    updated: i64,
    comments: usize,
}

/// The module of a feature that asked for `workitem` or `workitem:read`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "What is to be done: one list of work items for each project, shared by all features that are \
         granted it. Request `workitem`, or `workitem:read` to look only. An item is a map of `id`, `title`, \
         `status` (`open`, `in-progress`, `blocked`, `done` or `cancelled`), `body`, `labels`, `assignee`, \
         `created` and `updated` in ms, `by` and `comments`. What a call changes is kept when it succeeds, \
         and is as if it had never been when it fails. In a test there are no items.",
    );
    changing(&mut builder);
    looking(&mut builder);
    builder.build()
}

fn changing(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Makes an item of a map with `title`, and where wanted `body`, `status`, `labels` and `assignee`.",
            "/// workitem::create(#{ title: \"mend the build\", labels: [\"ci\"] }).id",
        ])
        .function("create", ["fields: map", "map"], |fields: Map| create(&fields))
        .docs(&[
            "/// Changes the fields that a map has; `assignee: \"\"` takes it from whoever had it.",
            "/// workitem::update(7, #{ status: \"done\" })",
        ])
        .function("update", ["id: int", "fields: map", "map"], |id: i64, fields: Map| update(id, &fields))
        .docs(&[
            "/// Adds a comment to an item.",
            "/// workitem::comment(7, \"it fails on Windows as well\")",
        ])
        .function("comment", ["id: int", "text: string", "map"], comment)
        .docs(&["/// Removes an item, and says whether it was there.", "/// workitem::delete(7)"])
        .function("delete", ["id: int", "bool"], |id: i64| {
            require_access(StoreAccess::ReadWrite)?;
            commons::delete(Commons::WorkItem, commons::number(id))
        });
}

fn looking(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// The item of that number; `()` where there is none.", "/// workitem::get(7)"])
        .function("get", ["id: int", "map?"], get)
        .docs(&[
            "/// The newest items, at most 20; `comments` is how many there are, and `body` is left out.",
            "/// workitem::list().map(|item| item.title)",
        ])
        .function("list", ["map[]"], || list(&Map::new()))
        .docs(&[
            "/// The same with options: `status` (or `\"active\"` for all that are neither done nor cancelled), \
             `label`, `assignee`, `words` that they hold, `most` (200 at most), and `below`, the number that \
             those of the next part are below.",
            "/// workitem::list(#{ status: \"active\", label: \"ci\" })",
        ])
        .function("list", ["options: map", "map[]"], |options: Map| list(&options));
}

fn require_access(access: StoreAccess) -> Native {
    frame::with(|frame| require(frame, &Capability::WorkItem(access)))
}

/// Fields that a script gives; `None` where it does not.
#[derive(Default)]
struct Fields {
    title: Option<String>,
    body: Option<String>,
    status: Option<String>,
    labels: Option<Vec<String>>,
    assignee: Option<String>,
}

impl Fields {
    fn read(function: &'static str, fields: &Map) -> Native<Self> {
        let mut options = Options::new(function, fields);
        let title = options.text("title", "\"mend the build\"")?;
        let body = options.text("body", "\"it fails since Monday\"")?;
        let status = options.text("status", "\"done\"")?;
        let labels = options.names("labels", "[\"ci\"]")?;
        let assignee = options.text("assignee", "\"ann\"")?;
        options.done()?;
        let bounded =
            |name: &str, given: Option<rhai::ImmutableString>, least: usize, most: usize| {
                given.map(|given| commons::text(name, given.trim(), least, most)).transpose()
            };
        Ok(Self {
            title: bounded("title", title, 1, LONGEST_TITLE)?,
            body: bounded("body", body, 0, LONGEST_BODY)?,
            status: status.map(|status| self::status(&status)).transpose()?,
            labels: labels.map(|labels| commons::names("labels", Some(labels))).transpose()?,
            assignee: bounded("assignee", assignee, 0, 100)?,
        })
    }

    fn change(self, item: &mut Item) {
        item.title = self.title.unwrap_or_else(|| std::mem::take(&mut item.title));
        item.body = self.body.unwrap_or_else(|| std::mem::take(&mut item.body));
        item.status = self.status.unwrap_or_else(|| std::mem::take(&mut item.status));
        item.labels = self.labels.unwrap_or_else(|| std::mem::take(&mut item.labels));
        if let Some(assignee) = self.assignee {
            item.assignee = Some(assignee).filter(|assignee| !assignee.is_empty());
        }
    }
}

fn status(given: &str) -> Native<String> {
    if STATUS.contains(&given) {
        return Ok(given.to_owned());
    }
    let shown = crate::script::value::prefix(given, 40);
    let meant =
        nearest(shown, STATUS).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Err(error(format!("`{shown}` is no status; {meant}there are `{}`", STATUS.join("`, `"))))
}

fn create(fields: &Map) -> Native<Dynamic> {
    require_access(StoreAccess::ReadWrite)?;
    let fields = Fields::read("workitem::create", fields)?;
    if fields.title.is_none() {
        return Err(error("workitem::create: `title` is missing; write title: \"mend the build\""));
    }
    let now = time::now()?;
    let mut item = Item {
        id: commons::new_number(Commons::WorkItem)?,
        title: String::new(),
        status: STATUS[0].to_owned(),
        body: String::new(),
        labels: Vec::new(),
        assignee: None,
        created: now,
        updated: now,
        by: commons::author()?,
        comments: Vec::new(),
    };
    fields.change(&mut item);
    keep(&item)
}

fn update(id: i64, fields: &Map) -> Native<Dynamic> {
    require_access(StoreAccess::ReadWrite)?;
    let fields = Fields::read("workitem::update", fields)?;
    let mut item = existing(id)?;
    fields.change(&mut item);
    item.updated = time::now()?;
    keep(&item)
}

fn comment(id: i64, text: &str) -> Native<Dynamic> {
    require_access(StoreAccess::ReadWrite)?;
    let text = commons::text("text", text.trim(), 1, LONGEST_COMMENT)?;
    let mut item = existing(id)?;
    if item.comments.len() >= MOST_COMMENTS {
        return Err(error(format!(
            "the item {id} has {MOST_COMMENTS} comments, the most that one may have"
        )));
    }
    let at = time::now()?;
    item.comments.push(Comment { text, at, by: commons::author()? });
    item.updated = at;
    keep(&item)
}

fn existing(id: i64) -> Native<Item> {
    let found = commons::get(Commons::WorkItem, commons::number(id))?;
    found.ok_or_else(|| {
        error(format!("there is no work item {id}; workitem::list gives those that there are"))
    })
}

fn keep(item: &Item) -> Native<Dynamic> {
    let mut words = format!("{}\n{}\n{}", item.title, item.body, item.labels.join(" "));
    for comment in &item.comments {
        words.push('\n');
        words.push_str(&comment.text);
    }
    commons::set(Commons::WorkItem, item.id, item, &words)?;
    commons::shown(item)
}

fn get(id: i64) -> Native<Dynamic> {
    require_access(StoreAccess::Read)?;
    match commons::get::<Item>(Commons::WorkItem, commons::number(id))? {
        Some(item) => commons::shown(&item),
        None => Ok(Dynamic::UNIT),
    }
}

fn list(options: &Map) -> Native<Array> {
    require_access(StoreAccess::Read)?;
    let mut options = Options::new("workitem::list", options);
    let status = options.text("status", "\"open\"")?;
    let label = options.text("label", "\"ci\"")?;
    let assignee = options.text("assignee", "\"ann\"")?;
    let words = options.text("words", "\"build\"")?;
    let most = commons::most(options.number("most")?)?;
    let below = commons::below(options.number("below")?);
    options.done()?;
    if let Some(status) = status.as_deref().filter(|status| *status != "active") {
        self::status(status)?;
    }
    let is_wanted = |item: &Item| {
        let has_status = match status.as_deref() {
            Some("active") => !matches!(item.status.as_str(), "done" | "cancelled"),
            Some(status) => item.status == status,
            None => true,
        };
        has_status
            && label.as_deref().is_none_or(|label| item.labels.iter().any(|one| one == label))
            && assignee.as_deref().is_none_or(|one| item.assignee.as_deref() == Some(one))
    };
    let found = match words {
        Some(words) => commons::search(Commons::WorkItem, &words, most, is_wanted)?,
        None => commons::newest(Commons::WorkItem, below, most, is_wanted, |item: &Item| item.id)?,
    };
    let line = |item: &Item| {
        commons::shown(&Line {
            id: item.id,
            title: &item.title,
            status: &item.status,
            labels: &item.labels,
            assignee: item.assignee.as_deref(),
            created: item.created,
            updated: item.updated,
            comments: item.comments.len(),
        })
    };
    found.iter().map(line).collect()
}
