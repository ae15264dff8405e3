//! Permissions: whether a call may run, asked for each call, whatever was granted before.
//!
//! Rules are data of the user and of the project, in two layers. Within a layer the strictest rule that
//! fits decides; a rule for every tool (`*`, without conditions) holds only where no other of its layer
//! fits. The project's layer can narrow what the user's allows, and never widen it. Nothing here reads
//! files or asks a person.

use super::hook::ToolGlob;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// What rules say of a call; each holds back more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It may run.
    Allow,
    /// A person decides.
    Ask,
    /// It does not run.
    Deny,
}

impl Permission {
    /// Every one, the laxest first.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Deny];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A pattern over the value of an argument: `*` stands for any characters, line breaks and `/`
/// included, everything else for itself. It fits a value as a whole, and case counts.
///
/// Matching takes time in proportion to the value and the pattern, whatever either holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ValueGlob(String);

/// Most bytes of one [`ValueGlob`].
const MAX_VALUE_GLOB: usize = 512;

/// Most bytes of the name of an argument in a condition.
const MAX_ARGUMENT: usize = 128;

/// Why a rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// The pattern of a value is too long.
    #[error("a pattern of a value has more than {MAX_VALUE_GLOB} bytes; write less")]
    LongGlob,
    /// There is no argument of that name anywhere.
    #[error(
        "`{0}` is not the name of an argument; write 1 to {MAX_ARGUMENT} characters, with `.` before a field, as in `place.city`"
    )]
    Argument(String),
}

impl ValueGlob {
    /// Whether the pattern fits `text` as a whole.
    pub fn fits(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ValueGlob {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        match text.len() {
            ..=MAX_VALUE_GLOB => Ok(Self(text.to_owned())),
            _ => Err(PermissionError::LongGlob),
        }
    }
}

impl TryFrom<String> for ValueGlob {
    type Error = PermissionError;

    fn try_from(text: String) -> Result<Self, PermissionError> {
        text.parse()
    }
}

impl From<ValueGlob> for String {
    fn from(glob: ValueGlob) -> Self {
        glob.0
    }
}

/// A condition of a rule: the value of one argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// The argument; `.` leads to a field of it.
    pub argument: String,
    /// What its value is.
    pub value: ValueGlob,
}

impl Condition {
    /// A condition on the argument of that name.
    ///
    /// # Errors
    ///
    /// No argument can have the name.
    pub fn new(argument: impl Into<String>, value: ValueGlob) -> Result<Self, PermissionError> {
        let argument = argument.into();
        let is_name = (1..=MAX_ARGUMENT).contains(&argument.len())
            && argument.split('.').all(|part| !part.is_empty());
        match is_name {
            true => Ok(Self { argument, value }),
            false => Err(PermissionError::Argument(argument.chars().take(MAX_ARGUMENT).collect())),
        }
    }

    /// Whether the arguments meet it. A text is taken as it is, any other value as its JSON. Of a list,
    /// one part is enough to hold a call back, and every part has to fit to allow it. What is missing
    /// fits nothing.
    fn holds(&self, permission: Permission, arguments: &Map<String, Value>) -> bool {
        let mut path = self.argument.split('.');
        let found = path.next().and_then(|name| arguments.get(name));
        let found = found.and_then(|value| path.try_fold(value, |value, name| value.get(name)));
        let Some(value) = found else { return false };
        let fits = |value: &Value| match value {
            Value::String(text) => self.value.fits(text),
            other => self.value.fits(&other.to_string()),
        };
        match value {
            Value::Null => false,
            Value::Array(parts) if permission == Permission::Allow => {
                !parts.is_empty() && parts.iter().all(fits)
            }
            Value::Array(parts) => parts.iter().any(fits),
            one => fits(one),
        }
    }
}

/// One rule: tools, conditions on their arguments, and what is said of such a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PermissionRule {
    /// What it says.
    pub permission: Permission,
    /// Which tools.
    pub tool: ToolGlob,
    /// What their arguments are; all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Condition>,
}

impl PermissionRule {
    /// A rule without conditions.
    pub fn new(permission: Permission, tool: ToolGlob) -> Self {
        Self { permission, tool, arguments: Vec::new() }
    }

    /// Whether it is about every call.
    fn is_about_all(&self) -> bool {
        self.arguments.is_empty() && self.tool.as_str() == "*"
    }

    /// Whether it is about this call.
    pub fn fits(&self, tool: &str, arguments: &Map<String, Value>) -> bool {
        let holds = |condition: &Condition| condition.holds(self.permission, arguments);
        self.tool.fits(tool) && self.arguments.iter().all(holds)
    }
}

/// As the command line writes it: `ask fs_* path=/etc/*`.
impl fmt::Display for PermissionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.permission, self.tool)?;
        self.arguments.iter().try_for_each(|condition| {
            write!(f, " {}={}", condition.argument, condition.value.as_str())
        })
    }
}

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The user's policy.
    User,
    /// The project's file, which can only narrow.
    Project,
}

/// What the rules say of one call, and which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling<'a> {
    /// What they say.
    pub permission: Permission,
    /// The rule, and whose it is; `None` where none fits and the tool's own default holds.
    pub rule: Option<(Layer, &'a PermissionRule)>,
}

/// In words: ``the user's rule `deny fs_*` ``.
impl fmt::Display for Ruling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rule, self.permission) {
            (Some((Layer::User, rule)), _) => write!(f, "the user's rule `{rule}`"),
            (Some((Layer::Project, rule)), _) => write!(f, "the project's rule `{rule}`"),
            (None, Permission::Allow) => f.write_str("no rule"),
            (None, _) => f.write_str("the tool's own default"),
        }
    }
}

/// The rules that hold for the calls of one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The user's.
    pub user: Vec<PermissionRule>,
    /// The project's. What they allow counts for nothing.
    pub project: Vec<PermissionRule>,
}

impl Permissions {
    /// What holds of a call. `asks` is whether the tool asks where no rule of the user's fits.
    pub fn decide(&self, tool: &str, asks: bool, arguments: &Map<String, Value>) -> Ruling<'_> {
        let default = if asks { Permission::Ask } else { Permission::Allow };
        let user = strictest(&self.user, tool, arguments);
        let ruling = match user {
            Some(rule) => Ruling { permission: rule.permission, rule: Some((Layer::User, rule)) },
            None => Ruling { permission: default, rule: None },
        };
        match strictest(&self.project, tool, arguments) {
            Some(rule) if rule.permission > ruling.permission => {
                Ruling { permission: rule.permission, rule: Some((Layer::Project, rule)) }
            }
            _ => ruling,
        }
    }
}

/// The rule of a layer that decides: of those that fit the strictest, the first where several are; a
/// rule about every call only where none else fits.
fn strictest<'a>(
    rules: &'a [PermissionRule],
    tool: &str,
    arguments: &Map<String, Value>,
) -> Option<&'a PermissionRule> {
    let of = |about_all: bool| {
        let fitting = rules
            .iter()
            .filter(|rule| rule.is_about_all() == about_all && rule.fits(tool, arguments));
        fitting.reduce(|best, rule| if rule.permission > best.permission { rule } else { best })
    };
    of(false).or_else(|| of(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rule(text: &str) -> PermissionRule {
        let mut words = text.split(' ');
        let permission = words.next().expect("a permission");
        let permission = Permission::ALL.into_iter().find(|one| one.name() == permission);
        let tool = words.next().expect("a pattern").parse().expect("a pattern");
        let condition = |word: &str| {
            let (name, value) = word.split_once('=').expect("a condition");
            Condition::new(name, value.parse().expect("a pattern")).expect("a condition")
        };
        let arguments = words.map(condition).collect();
        PermissionRule { permission: permission.expect("a permission"), tool, arguments }
    }

    fn rules(texts: &[&str]) -> Vec<PermissionRule> {
        texts.iter().map(|text| rule(text)).collect()
    }

    fn ruled(user: &[&str], project: &[&str], tool: &str, arguments: Value) -> String {
        let permissions = Permissions { user: rules(user), project: rules(project) };
        let Value::Object(arguments) = arguments else { panic!("an object") };
        let ruling = permissions.decide(tool, false, &arguments);
        format!("{} by {ruling}", ruling.permission)
    }

    #[test]
    fn the_strictest_rule_that_fits_decides() {
        let none = || json!({});
        for (user, tool, arguments, expected) in [
            (&[][..], "t", none(), "allow by no rule"),
            (&["allow t", "deny t*"], "t", none(), "deny by the user's rule `deny t*`"),
            (&["deny *", "allow t"], "t", none(), "allow by the user's rule `allow t`"),
            (&["deny *", "allow t"], "u", none(), "deny by the user's rule `deny *`"),
            (&["ask *", "deny u"], "t", none(), "ask by the user's rule `ask *`"),
            (
                &["deny t a=/etc/*"],
                "t",
                json!({ "a": "/etc/x/y" }),
                "deny by the user's rule `deny t a=/etc/*`",
            ),
            (&["deny t a=/etc/*"], "t", json!({ "a": "/home" }), "allow by no rule"),
            (&["deny t a=/etc/*"], "t", none(), "allow by no rule"),
            (&["deny * a=x"], "t", json!({ "a": "x" }), "deny by the user's rule `deny * a=x`"),
            (
                &["deny t a.b=1"],
                "t",
                json!({ "a": { "b": 1 } }),
                "deny by the user's rule `deny t a.b=1`",
            ),
            (
                &["deny t a=x", "deny *", "allow t"],
                "t",
                json!({ "a": ["y", "x"] }),
                "deny by the user's rule `deny t a=x`",
            ),
            (
                &["deny *", "allow t a=x*"],
                "t",
                json!({ "a": ["x1", "y"] }),
                "deny by the user's rule `deny *`",
            ),
            (
                &["deny *", "allow t a=x*"],
                "t",
                json!({ "a": ["x1", "x2"] }),
                "allow by the user's rule `allow t a=x*`",
            ),
            (
                &["deny *", "allow t a=x*"],
                "t",
                json!({ "a": [] }),
                "deny by the user's rule `deny *`",
            ),
        ] {
            assert_eq!(ruled(user, &[], tool, arguments), expected, "{user:?}");
        }
    }

    #[test]
    fn a_project_narrows_and_never_widens() {
        let none = || json!({});
        let deny = "deny by the project's rule `deny t`";
        assert_eq!(ruled(&["allow t"], &["deny t"], "t", none()), deny);
        assert_eq!(ruled(&[], &["deny t"], "t", none()), deny);
        let users = "deny by the user's rule `deny t`";
        assert_eq!(ruled(&["deny t"], &["allow t", "ask t"], "t", none()), users);
        let permissions = Permissions { user: Vec::new(), project: rules(&["allow *"]) };
        assert_eq!(permissions.decide("t", true, &Map::new()).permission, Permission::Ask);
        let permissions = Permissions { user: rules(&["allow t"]), project: Vec::new() };
        assert_eq!(permissions.decide("t", true, &Map::new()).permission, Permission::Allow);
    }

    #[test]
    fn what_cannot_be_a_rule_is_refused() {
        let glob = || "x".parse::<ValueGlob>().expect("a pattern");
        for name in ["", ".", "a.", ".a", "a..b", &"x".repeat(129)] {
            assert!(Condition::new(name, glob()).is_err(), "{name}");
        }
        assert!("x".repeat(513).parse::<ValueGlob>().is_err());
        assert_eq!(rule("ask fs_* path=/etc/*").to_string(), "ask fs_* path=/etc/*");
    }

    fn any_rule() -> impl Strategy<Value = PermissionRule> {
        let word = prop::sample::select(vec!["allow", "ask", "deny"]);
        let tool = prop::sample::select(vec!["*", "a", "b", "a*", "?"]);
        let condition = prop::sample::select(vec!["", " x=1", " x=*", " y=1*"]);
        (word, tool, condition)
            .prop_map(|(word, tool, condition)| rule(&format!("{word} {tool}{condition}")))
    }

    fn any_rules() -> impl Strategy<Value = Vec<PermissionRule>> {
        prop::collection::vec(any_rule(), 0..6)
    }

    fn any_arguments() -> impl Strategy<Value = Map<String, Value>> {
        let value =
            prop::sample::select(vec![json!("1"), json!(1), json!(["1", "2"]), json!(null)]);
        prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), value, 0..3)
            .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    proptest! {
        #[test]
        fn no_rule_of_a_project_widens(user in any_rules(), project in any_rules(), asks: bool, arguments in any_arguments()) {
            let alone = Permissions { user: user.clone(), project: Vec::new() };
            let both = Permissions { user, project };
            let (alone, both) = (alone.decide("a", asks, &arguments), both.decide("a", asks, &arguments));
            prop_assert!(both.permission >= alone.permission);
        }

        #[test]
        fn the_order_of_rules_makes_no_difference(user in any_rules(), project in any_rules(), asks: bool, arguments in any_arguments()) {
            let reversed = Permissions {
                user: user.iter().rev().cloned().collect(),
                project: project.iter().rev().cloned().collect(),
            };
            let permissions = Permissions { user, project };
            let ruled = |permissions: &Permissions| permissions.decide("a", asks, &arguments).permission;
            prop_assert_eq!(ruled(&permissions), ruled(&reversed));
        }

        #[test]
        fn one_more_denial_that_fits_denies(user in any_rules(), asks: bool, arguments in any_arguments()) {
            let mut user = user;
            user.push(rule("deny a"));
            let permissions = Permissions { user, project: Vec::new() };
            prop_assert_eq!(permissions.decide("a", asks, &arguments).permission, Permission::Deny);
        }

        #[test]
        fn a_pattern_fits_as_a_whole(text in "[ab*]{0,12}", pattern in "[ab*]{0,8}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, _) => text.is_empty(),
                    (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
                    (Some((one, rest)), Some((other, behind))) => one == other && slow(rest, behind),
                    (Some(_), None) => false,
                }
            }
            let glob: ValueGlob = pattern.parse().expect("a pattern");
            prop_assert_eq!(glob.fits(&text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
