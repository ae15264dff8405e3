//! The user's policy on disk: which project is trusted, what each feature was granted, and what is
//! permitted of each call.
//!
//! A feature is known by its id and the canonical folder that it belongs to. Grants that reach the
//! outside world are bound to the digest of a project's feature, and all of a package's: another text
//! under the same name has to be granted anew. Nothing here is ever read from a project.

use super::permission;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, FsAccess};
use crate::feature::grant::{HostPolicy, all_of};
use crate::feature::id::{FeatureId, FeatureSource};
use crate::feature::permission::PermissionRule;
use crate::private;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml_edit::{Array, ArrayOfTables, Document, DocumentMut, InlineTable, Item, Table, Value};

/// The file below the configuration folder.
pub const FILE: &str = "policy.toml";

const HEADER: &str = "\
# What features may do. Written by `peasy grant`, `revoke`, `trust`, `enable`, `disable` and `permission`; edit it
# by hand if you like, comments stay.
";

/// Why the policy cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file system refused.
    #[error("the policy `{}` cannot be {act}: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// `read`, `written`.
        act: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// It is no policy.
    #[error("the policy `{}` cannot be understood: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The name of the folder cannot be written down.
    #[error("the name of the folder `{}` is not UTF-8, so nothing can be written down of it", .0.display())]
    Root(PathBuf),
}

impl PolicyError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Io { reason, .. } if reason.kind() == io::ErrorKind::TimedOut => {
                Diagnostic::operator("config/busy", text)
                    .help("end the process that holds `.policy.lock` beside it, or wait for it")
            }
            Self::Io { reason, .. } if reason.kind() == io::ErrorKind::InvalidData => {
                Diagnostic::operator("config/policy", text).help("mend it, or move it away and grant anew")
            }
            Self::Io { .. } => Diagnostic::operator("config/unreadable", text)
                .help("check who owns the file and its folder"),
            Self::Root(_) => Diagnostic::operator("config/root", text)
                .help("give the folder another name; the flags `--grant` and `--trust` hold for one command without being written down"),
            Self::Malformed { .. } => Diagnostic::operator("config/policy", text).help(
                "mend it, or move it away and grant anew; nothing is granted by a policy that cannot be read",
            ),
        }
    }
}

/// A feature as policy knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub id: FeatureId,
    /// The canonical folder that it belongs to.
    pub root: PathBuf,
    /// The digest of its source and imports.
    pub digest: String,
}

/// What is written down of one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: FeatureId,
    root: PathBuf,
    disabled: bool,
    grants: Vec<Grant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    capability: Capability,
    /// The text that it was given for; any, where there is none.
    digest: Option<String>,
}

/// A grant that was given for another text of the feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The feature.
    pub id: FeatureId,
    /// The folder that it belongs to; another has none of its grants.
    pub root: PathBuf,
    /// What has to be granted anew.
    pub capability: Capability,
}

impl Stale {
    /// What does not hold of each feature, in the order of the policy.
    pub fn by_feature(all: impl IntoIterator<Item = Self>) -> Vec<(FeatureId, Vec<Capability>)> {
        let mut features: Vec<(FeatureId, Vec<Capability>)> = Vec::new();
        for Self { id, capability, .. } in all {
            match features.iter_mut().find(|(known, _)| *known == id) {
                Some((_, capabilities)) => capabilities.push(capability),
                None => features.push((id, vec![capability])),
            }
        }
        features
    }

    /// Whose grants do not hold any more, in a sentence.
    pub fn sentence(id: &FeatureId, capabilities: &[Capability]) -> String {
        let were = if capabilities.len() == 1 { "was" } else { "were" };
        format!("{} {were} granted to `{id}` before it was changed", all_of(capabilities))
    }
}

/// The policy of one user.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The roots of trusted projects.
    trusted: Vec<PathBuf>,
    entries: Vec<Entry>,
    permissions: Vec<PermissionRule>,
}

impl Policy {
    /// Reads the policy below `folder`; where there is none, nothing is granted by name.
    ///
    /// # Errors
    ///
    /// The file cannot be read or understood.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        let file = folder.join(FILE);
        let text = match open(&file).and_then(|mut open| read(&mut open)) {
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => String::new(),
            text => {
                text.map_err(|reason| PolicyError::Io { file: file.clone(), act: "read", reason })?
            }
        };
        Self::parse(&file, &text)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        let malformed = |problem: String| PolicyError::Malformed { file: file.to_owned(), problem };
        let document =
            Document::parse(text).map_err(|error| malformed(super::toml_problem(text, &error)))?;
        understand(text, document.as_table()).map_err(malformed)
    }

    /// The rules that each call is held against, in the order of the file.
    pub fn permissions(&self) -> &[PermissionRule] {
        &self.permissions
    }

    /// The policy for these features, and the grants that do not hold because their texts changed.
    pub fn host_policy<'a>(
        &self,
        features: impl IntoIterator<Item = &'a Subject>,
    ) -> (HostPolicy, Vec<Stale>) {
        let mut policy = HostPolicy::new();
        for root in &self.trusted {
            policy = policy.trust_project(root.clone());
        }
        let mut stale = Vec::new();
        let mut entries: HashMap<_, Vec<_>> = HashMap::new();
        for entry in &self.entries {
            entries.entry(&entry.id).or_default().push(entry);
        }
        for feature in features {
            if self.trusted.contains(&feature.root) {
                policy = policy.trust(feature.id.clone());
            }
            let of_id = entries.get(&feature.id);
            let Some(entry) = of_id.and_then(|list| list.iter().find(|one| one.is_of(feature)))
            else {
                continue;
            };
            if entry.disabled {
                policy = policy.disable(feature.id.clone());
            }
            for grant in &entry.grants {
                let capability = grant.capability.clone();
                if grant.digest.as_ref().is_none_or(|digest| *digest == feature.digest) {
                    policy = policy.grant(feature.id.clone(), capability);
                } else {
                    let (id, root) = (feature.id.clone(), feature.root.clone());
                    stale.push(Stale { id, root, capability });
                }
            }
        }
        (policy, stale)
    }

    fn entry(&self, feature: &Subject) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_of(feature))
    }

    /// Whether the feature may run at all.
    pub fn is_enabled(&self, feature: &Subject) -> bool {
        self.entry(feature).is_none_or(|entry| !entry.disabled)
    }

    /// What the feature was granted by name, for the text that it has now.
    pub fn granted<'a>(&'a self, feature: &'a Subject) -> impl Iterator<Item = &'a Capability> {
        let grants = self.entry(feature).into_iter().flat_map(|entry| &entry.grants);
        let holds =
            |grant: &&Grant| grant.digest.as_ref().is_none_or(|digest| *digest == feature.digest);
        grants.filter(holds).map(|grant| &grant.capability)
    }

    /// Every grant that is written down, with the feature that has it and the folder it belongs to.
    pub fn grants(&self) -> impl Iterator<Item = (&FeatureId, &Path, &Capability)> {
        self.entries.iter().flat_map(|entry| {
            let grants = entry.grants.iter().map(|grant| &grant.capability);
            grants.map(|grant| (&entry.id, entry.root.as_path(), grant))
        })
    }

    /// Whether the project at `root` is trusted.
    pub fn is_trusted(&self, root: &Path) -> bool {
        self.trusted.iter().any(|trusted| trusted == root)
    }
}

impl Entry {
    fn is_of(&self, feature: &Subject) -> bool {
        self.id == feature.id && self.root == feature.root
    }
}

/// One change of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Grant a capability to a feature.
    Grant(Subject, Capability),
    /// Take back what a capability covers; all grants without one.
    Revoke(Subject, Option<Capability>),
    /// Trust the project at a root, or no longer.
    Trust(PathBuf, bool),
    /// Switch a feature on or off.
    Enable(Subject, bool),
    /// Hold calls against a rule, in the place of another about the same calls.
    Permit(PermissionRule),
    /// Hold them against it no longer, whatever it says of these calls.
    Unpermit(PermissionRule),
}

impl Change {
    /// The folder that it is written down with.
    fn root(&self) -> Option<&Path> {
        match self {
            Self::Grant(subject, _) | Self::Revoke(subject, _) | Self::Enable(subject, _) => {
                Some(&subject.root)
            }
            Self::Trust(root, _) => Some(root),
            Self::Permit(_) | Self::Unpermit(_) => None,
        }
    }
}

/// Makes changes to the policy below `folder`, one after another, and says how many of them changed
/// something. Another process that changes it waits; comments and order of the file stay.
///
/// # Errors
///
/// The file cannot be read, understood or written; it is then as it was.
pub fn change(folder: &Path, changes: &[Change]) -> Result<usize, PolicyError> {
    // What is written otherwise is another folder when it is read back.
    let lost = changes.iter().filter_map(Change::root).find(|root| root.to_str().is_none());
    if let Some(root) = lost {
        return Err(PolicyError::Root(root.to_owned()));
    }
    let file = folder.join(FILE);
    let io = |act: &'static str| {
        let file = file.clone();
        move |reason| PolicyError::Io { file, act, reason }
    };
    private::make_folder(folder).map_err(io("written"))?;
    // The lock is on a file of its own: the policy itself is replaced.
    let lock = private::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(".policy.lock"));
    let lock = lock.map_err(io("written"))?;
    private::lock(&lock, private::PATIENCE).map_err(io("written"))?;
    let whole = match open(&file).and_then(|mut open| read(&mut open)) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => HEADER.to_owned(),
        text => text.map_err(io("read"))?,
    };
    // What stands first stays first: it would go with the table below it.
    let (header, text) = match whole.strip_prefix(HEADER) {
        Some(rest) => (HEADER, rest),
        None => ("", &*whole),
    };
    // All of it, so that a problem is told with the line that the file has it in.
    let policy = Policy::parse(&file, &whole)?;
    let mut document: DocumentMut = text.parse().unwrap_or_default();
    let before = policy.entries.len();
    let mut policy = policy;
    let changed = changes.iter().filter(|change| apply(change, &mut policy)).count();
    if policy.permissions.len() > permission::MOST_RULES {
        let problem = format!("there would be more than {} permissions", permission::MOST_RULES);
        return Err(PolicyError::Malformed { file, problem });
    }
    if changed > 0 {
        write(&mut document, &policy.entries, before, &policy.trusted);
        write_permissions(&mut document, &policy.permissions);
        private::replace(&file, format!("{header}{document}").as_bytes()).map_err(io("written"))?;
    }
    Ok(changed)
}

/// Applies a change; whether there is a difference.
fn apply(change: &Change, policy: &mut Policy) -> bool {
    let Policy { entries, trusted, permissions } = policy;
    match change {
        Change::Grant(feature, capability) => {
            let digest = binds(feature.id.source(), capability).then(|| feature.digest.clone());
            let grants = &mut of(feature, entries).grants;
            let new = Grant { capability: capability.clone(), digest };
            if grants.contains(&new) {
                return false;
            }
            grants.retain(|grant| grant.capability != new.capability);
            grants.push(new);
            true
        }
        Change::Revoke(feature, capability) => {
            let grants = &mut of(feature, entries).grants;
            let before = grants.len();
            grants.retain(|grant| {
                capability.as_ref().is_some_and(|taken| !taken.covers(&grant.capability))
            });
            grants.len() < before
        }
        Change::Trust(root, trust) => {
            let is_trusted = trusted.contains(root);
            match trust {
                true if !is_trusted => trusted.push(root.clone()),
                false => trusted.retain(|trusted| trusted != root),
                true => (),
            }
            is_trusted != *trust
        }
        Change::Enable(feature, enable) => {
            let entry = of(feature, entries);
            std::mem::replace(&mut entry.disabled, !enable) == *enable
        }
        Change::Permit(rule) => {
            if permissions.contains(rule) {
                return false;
            }
            permissions.retain(|other| !is_about_the_same(other, rule));
            permissions.push(rule.clone());
            true
        }
        Change::Unpermit(rule) => {
            let before = permissions.len();
            permissions.retain(|other| !is_about_the_same(other, rule));
            permissions.len() < before
        }
    }
}

/// Whether two rules are about the same calls.
fn is_about_the_same(one: &PermissionRule, other: &PermissionRule) -> bool {
    one.tool == other.tool && one.arguments == other.arguments
}

fn of<'a>(feature: &Subject, entries: &'a mut Vec<Entry>) -> &'a mut Entry {
    let place = entries.iter().position(|entry| entry.is_of(feature)).unwrap_or_else(|| {
        let (id, root) = (feature.id.clone(), feature.root.clone());
        entries.push(Entry { id, root, disabled: false, grants: Vec::new() });
        entries.len() - 1
    });
    &mut entries[place]
}

/// Whether a grant holds for one text alone: what reaches the world, of a project, and everything of
/// a package.
pub fn binds(source: &FeatureSource, capability: &Capability) -> bool {
    match source {
        FeatureSource::Builtin | FeatureSource::User | FeatureSource::Bridge => false,
        FeatureSource::Plugin(_) => true,
        FeatureSource::Project => matches!(
            capability,
            Capability::Exec(_)
                | Capability::Http(_)
                | Capability::Secret { .. }
                | Capability::Fs { access: FsAccess::Write, .. }
        ),
    }
}

fn understand(text: &str, table: &Table) -> Result<Policy, String> {
    let mut permissions = Vec::new();
    let mut trusted = Vec::new();
    let mut entries = Vec::new();
    for (key, item) in table {
        match key {
            "trusted" => {
                let roots = item.as_array().ok_or("`trusted` is no list of folders")?;
                for root in roots {
                    trusted.push(folder("trusted", root.as_str())?);
                }
            }
            "feature" => {
                let tables = item
                    .as_array_of_tables()
                    .ok_or("`feature` is no list of tables; write `[[feature]]`")?;
                for table in tables {
                    let new = entry(table).map_err(|problem| match table.span() {
                        Some(span) => format!(
                            "{problem}, in the `[[feature]]` of line {}",
                            super::line_of(text, span.start)
                        ),
                        None => problem,
                    })?;
                    let is_twin = |other: &Entry| other.id == new.id && other.root == new.root;
                    if entries.iter().any(is_twin) {
                        return Err(format!(
                            "`{}` of `{}` has two `[[feature]]` blocks; make one of them",
                            new.id,
                            new.root.display()
                        ));
                    }
                    entries.push(new);
                }
            }
            permission::KEY => permissions = permission::rules(item)?,
            other => {
                return Err(format!(
                    "`{other}` is nothing that a policy has; there are `trusted`, `[[feature]]` and `[[permission]]`"
                ));
            }
        }
    }
    Ok(Policy { trusted, entries, permissions })
}

fn folder(key: &str, text: Option<&str>) -> Result<PathBuf, String> {
    text.map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(|| format!("`{key}` needs the absolute path of a folder, in quotes"))
}

fn entry(table: &Table) -> Result<Entry, String> {
    let text = |key: &str| table.get(key).and_then(Item::as_str);
    let id = text("id").ok_or("a `[[feature]]` has no `id`")?;
    let id: FeatureId = id.parse().map_err(|error| format!("{error}"))?;
    let root = match (id.source(), text("root")) {
        // What is built in lies in no folder.
        (FeatureSource::Builtin, None) => PathBuf::new(),
        (_, root) => folder("root", root)?,
    };
    let disabled = table.get("disabled").map_or(Ok(false), |item| {
        item.as_bool().ok_or("`disabled` is neither `true` nor `false`")
    })?;
    let mut grants = Vec::new();
    if let Some(item) = table.get("grants") {
        let list = item.as_array().ok_or("`grants` is no list")?;
        for value in list {
            grants.push(grant(value)?);
        }
    }
    if let Some((key, _)) =
        table.iter().find(|(key, _)| !["id", "root", "disabled", "grants"].contains(key))
    {
        return Err(format!("`{key}` is nothing that a `[[feature]]` has"));
    }
    Ok(Entry { id, root, disabled, grants })
}

fn grant(value: &Value) -> Result<Grant, String> {
    let capability = |text: &str| Capability::with_scope(text).map_err(|error| error.to_string());
    if let Some(text) = value.as_str() {
        return Ok(Grant { capability: capability(text)?, digest: None });
    }
    let table =
        value.as_inline_table().ok_or("a grant is a text, or has `capability` and `digest`")?;
    let text = |key: &str| {
        table.get(key).and_then(Value::as_str).ok_or_else(|| format!("a grant has no `{key}`"))
    };
    Ok(Grant {
        capability: capability(text("capability")?)?,
        digest: Some(text("digest")?.to_owned()),
    })
}

/// Writes what changed into the document; what did not is left as it stands.
fn write(document: &mut DocumentMut, entries: &[Entry], before: usize, trusted: &[PathBuf]) {
    let roots: Vec<_> = trusted.iter().map(|root| root.display().to_string()).collect();
    let known = document.get("trusted").and_then(Item::as_array);
    let known: Vec<_> = known.into_iter().flatten().filter_map(Value::as_str).collect();
    if known != roots {
        document["trusted"] = toml_edit::value(roots.into_iter().collect::<Array>());
    }
    let tables = document.entry("feature").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(tables) = tables.as_array_of_tables_mut() else { return };
    for (index, entry) in entries.iter().enumerate() {
        if index >= before {
            tables.push(Table::new());
        }
        let Some(table) = tables.get_mut(index) else { continue };
        set(table, entry);
    }
    if tables.is_empty() {
        document.remove("feature");
    }
}

/// Takes out the rules that hold no more, and adds those that are new; others stay as they stand.
fn write_permissions(document: &mut DocumentMut, rules: &[PermissionRule]) {
    let key = permission::KEY;
    let item = document.entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(tables) = item.as_array_of_tables_mut() else { return };
    let mut known = Vec::new();
    tables.retain(|table| {
        let rule = permission::rule(table).ok().filter(|rule| rules.contains(rule));
        let keeps = rule.is_some();
        known.extend(rule);
        keeps
    });
    for rule in rules.iter().filter(|rule| !known.contains(rule)) {
        tables.push(permission::table_of(rule));
    }
    if tables.is_empty() {
        document.remove(key);
    }
}

fn set(table: &mut Table, entry: &Entry) {
    let before = self::entry(table).ok();
    if before.is_none() {
        table["id"] = toml_edit::value(entry.id.to_string());
        if !entry.root.as_os_str().is_empty() {
            table["root"] = toml_edit::value(entry.root.display().to_string());
        }
    }
    if before.as_ref().is_some_and(|before| before.disabled) != entry.disabled {
        match entry.disabled {
            true => table["disabled"] = toml_edit::value(true),
            false => drop(table.remove("disabled")),
        }
    }
    if before.map(|before| before.grants).unwrap_or_default() == entry.grants {
        return;
    }
    let grants: Array = entry
        .grants
        .iter()
        .map(|grant| match &grant.digest {
            None => Value::from(grant.capability.to_string()),
            Some(digest) => {
                let mut table = InlineTable::new();
                table.insert("capability", grant.capability.to_string().into());
                table.insert("digest", digest.as_str().into());
                Value::InlineTable(table)
            }
        })
        .collect();
    table["grants"] = toml_edit::value(grants);
}

#[expect(clippy::disallowed_methods, reason = "the configuration is this module's to read")]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Most bytes of a policy.
const MAX_BYTES: u64 = 4 << 20;

fn read(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    if text.len() as u64 > MAX_BYTES {
        return Err(invalid(format!("it has more than {MAX_BYTES} bytes")));
    }
    String::from_utf8(text).map_err(|_| invalid("it is not text in UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "writes policies of its own")]

    use super::*;
    use crate::feature::descriptor::CapabilityRequest;
    use crate::feature::grant::Verdict;

    fn subject(id: &str, digest: &str) -> Subject {
        Subject { id: id.parse().expect("an id"), root: "/work".into(), digest: digest.into() }
    }

    fn capability(text: &str) -> Capability {
        text.parse().expect("a capability")
    }

    fn grants(folder: &Path, feature: &Subject, wanted: &str) -> bool {
        let (policy, _) = Policy::load(folder).expect("a policy").host_policy([feature]);
        let request = CapabilityRequest::required(capability(wanted), "");
        policy.decide(&feature.id, &request) == Verdict::Granted
    }

    fn apply(folder: &Path, change: Change) -> usize {
        super::change(folder, &[change]).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn grants_come_and_go_and_comments_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let feature = subject("user:a", "1");
        assert!(!grants(folder, &feature, "http=a.example.com"));
        let http = || Change::Grant(subject("user:a", "1"), capability("http=*.example.com"));
        assert_eq!((apply(folder, http()), apply(folder, http())), (1, 0));
        assert!(grants(folder, &feature, "http=a.example.com"));
        assert!(
            grants(folder, &subject("user:a", "2"), "http=a.example.com"),
            "its own text may change"
        );
        let elsewhere = Subject { root: "/other".into(), ..feature.clone() };
        assert!(
            !grants(folder, &elsewhere, "http=a.example.com"),
            "another folder is another feature"
        );

        let file = folder.join(FILE);
        let text =
            fs_read(&file) + "\n# mine\n[[feature]]\nid = \"user:b\"   # kept\nroot = \"/work\"\n";
        std::fs::write(&file, text).expect("the file is ours");
        apply(folder, Change::Revoke(feature.clone(), Some(capability("http=*.example.com"))));
        assert!(!grants(folder, &feature, "http=a.example.com"));
        apply(folder, Change::Enable(subject("user:b", "1"), false));
        let text = fs_read(&file);
        assert!(
            text.starts_with(HEADER) && text.contains("# mine") && text.contains("# kept"),
            "{text}"
        );
        let (policy, _) =
            Policy::load(folder).expect("a policy").host_policy([&subject("user:b", "1")]);
        assert!(!policy.is_enabled(&subject("user:b", "1").id));
        apply(folder, Change::Enable(subject("user:b", "1"), true));
        assert!(!fs_read(&file).contains("disabled"));
    }

    fn fs_read(file: &Path) -> String {
        std::fs::read_to_string(file).expect("the file is there")
    }

    #[test]
    fn what_reaches_the_world_is_granted_to_one_text_of_a_project() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let (old, new) = (subject("project:a", "1"), subject("project:a", "2"));
        for wanted in ["exec=git", "fs:read=src/**"] {
            apply(folder, Change::Grant(old.clone(), capability(wanted)));
            assert!(grants(folder, &old, wanted));
        }
        assert!(!grants(folder, &new, "exec=git") && grants(folder, &new, "fs:read=src/**"));
        let (_, stale) = Policy::load(folder).expect("a policy").host_policy([&new]);
        let (id, root) = (new.id.clone(), new.root.clone());
        assert_eq!(stale, [Stale { id, root, capability: capability("exec=git") }]);
        apply(folder, Change::Grant(new.clone(), capability("exec=git")));
        assert!(grants(folder, &new, "exec=git") && !grants(folder, &old, "exec=git"));
    }

    #[test]
    fn permissions_come_and_go_and_comments_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let rule = |permission, tool: &str| {
            PermissionRule::new(permission, tool.parse().expect("a pattern"))
        };
        let shown = || {
            let policy = Policy::load(folder).expect("a policy");
            policy.permissions().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        use crate::feature::permission::Permission::{Allow, Ask, Deny};
        assert_eq!(apply(folder, Change::Permit(rule(Deny, "fs_*"))), 1);
        assert_eq!(apply(folder, Change::Permit(rule(Deny, "fs_*"))), 0);
        let text = fs_read(&folder.join(FILE)).replace("[[permission]]", "# mine\n[[permission]]");
        std::fs::write(folder.join(FILE), text).expect("the file is ours");
        apply(folder, Change::Permit(rule(Ask, "run")));
        assert_eq!(shown(), ["deny fs_*", "ask run"]);
        apply(folder, Change::Permit(rule(Allow, "run")));
        assert_eq!(shown(), ["deny fs_*", "allow run"]);
        assert!(fs_read(&folder.join(FILE)).contains("# mine"));
        assert_eq!(apply(folder, Change::Unpermit(rule(Ask, "run"))), 1);
        assert_eq!(apply(folder, Change::Unpermit(rule(Ask, "run"))), 0);
        assert_eq!(apply(folder, Change::Trust("/work".into(), true)), 1);
        assert_eq!(shown(), ["deny fs_*"]);
    }

    #[test]
    fn a_project_is_trusted_by_its_root() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let feature = subject("project:a", "1");
        assert!(!grants(folder, &feature, "store"));
        assert_eq!(apply(folder, Change::Trust("/work".into(), true)), 1);
        assert!(
            grants(folder, &feature, "store")
                && grants(folder, &subject("project:b", "1"), "store")
        );
        assert!(!grants(folder, &Subject { root: "/other".into(), ..feature.clone() }, "store"));
        assert_eq!(apply(folder, Change::Trust("/work".into(), false)), 1);
        assert!(!grants(folder, &feature, "store"));
    }

    #[test]
    fn what_cannot_be_understood_grants_nothing_and_is_not_overwritten() {
        for text in [
            "trusted = \"/work\"",
            "trusted = [\"relative\"]",
            "[[feature]]\nid = \"user:a\"",
            "[[feature]]\nroot = \"/\"",
            "[[feature]]\nid = \"nobody\"\nroot = \"/\"",
            "[[feature]]\nid = \"user:a\"\nroot = \"/\"\ngrants = [\"htpt=a\"]",
            "[[feature]]\nid = \"builtin:exec\"\ngrants = [\"exec\"]",
            "[[feature]]\nid = \"user:a\"\nroot = \"/\"\ngrant = []",
            "[feature]\nid = 1",
            "trust = []",
            "[[feature]]\nid = \"user:a\"\nroot = \"/\"\n[[feature]]\nid = \"user:a\"\nroot = \"/\"\ndisabled = true",
            "[[permission]]\ndeny = 1",
            "= broken",
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            std::fs::write(folder.path().join(FILE), text).expect("the folder takes it");
            let error = Policy::load(folder.path()).expect_err(text);
            assert_eq!(error.diagnostic().code, "config/policy", "{text}");
            let change = Change::Trust("/work".into(), true);
            assert!(super::change(folder.path(), &[change]).is_err(), "{text}");
            assert_eq!(fs_read(&folder.path().join(FILE)), text);
        }
    }

    #[test]
    fn a_problem_is_told_with_the_line_of_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (text, told) in [
            ("trusted = [oops]\n", "understood: line 3, column 12: string values must be quoted"),
            (
                "[[feature]]\nid = \"user:a\"\nroot = \"/\"\n\n[[feature]]\nid = \"user:b\"\n",
                "in the `[[feature]]` of line 7",
            ),
        ] {
            let whole = format!("{HEADER}{text}");
            std::fs::write(folder.path().join(FILE), &whole).expect("the folder takes it");
            let change = Change::Trust("/work".into(), true);
            let read = Policy::load(folder.path()).expect_err(text).to_string();
            let written = super::change(folder.path(), &[change]).expect_err(text).to_string();
            for problem in [read, written] {
                assert!(problem.contains(told), "{problem}");
                assert_eq!(problem.lines().count(), 1, "{problem}");
            }
        }
    }
}
