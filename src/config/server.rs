//! Servers whose tools are bridged: `[mcp.servers.NAME]` of the settings.
//!
//! What is written here is the user's alone: a project adds no server. A value may name a secret of the
//! user's, as `secret:NAME`, so that no key stands in the file.

use super::settings::{FILE, Settings, SettingsError};
use crate::diagnostic::shell_word;
use crate::feature::capability::SecretName;
use crate::feature::hook::ToolGlob;
use crate::feature::id::{FeatureName, ToolName};
use crate::limit::Limit;
use crate::private;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// How long a call of a bridged tool may take, where the user does not say.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server may take until it can be called, where the user does not say.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Most servers.
pub const MOST: usize = 64;

/// The word before the name of a secret.
const SECRET: &str = "secret:";

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// What the user calls it.
    pub name: FeatureName,
    /// Whether it is started.
    pub enabled: bool,
    /// How it is reached.
    pub reach: Reach,
    /// The names of tools, as the server says them, that are taken; empty is all.
    pub allow: Vec<ToolGlob>,
    /// Those that are left out, whatever is taken.
    pub deny: Vec<ToolGlob>,
    /// Other names for tools: the server's, and the one that they go by.
    pub rename: BTreeMap<String, ToolName>,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long it may take until it can be called.
    pub start_timeout: Duration,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// A program that is started, and spoken to over its standard input and output.
    Program {
        /// The program: a name that is looked up, or a path.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables of its environment, beside those that every program needs.
        env: Vec<(String, Spelled)>,
        /// The folder that it works in; the one of peasy where there is none.
        cwd: Option<PathBuf>,
    },
    /// An address.
    Http {
        /// The address.
        url: String,
        /// Headers of every request.
        headers: Vec<(String, Spelled)>,
    },
}

/// As one would type it.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { command, args, .. } => {
                let words = std::iter::once(command).chain(args);
                f.write_str(&words.map(|word| shell_word(word)).collect::<Vec<_>>().join(" "))
            }
            Self::Http { url, .. } => f.write_str(url),
        }
    }
}

/// A value that is written in the file, or that ends with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled {
    /// The text, or what stands before the secret.
    pub text: String,
    /// The secret.
    pub secret: Option<SecretName>,
}

/// As it is written in the file.
impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.secret.as_ref().map_or(Ok(()), |name| write!(f, "{SECRET}{name}"))
    }
}

impl Serialize for Spelled {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Spelled {
    /// Reads a value: `secret:NAME` at its beginning or after a space names a secret.
    ///
    /// # Errors
    ///
    /// What stands there is no name of a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at = text.find(SECRET).filter(|at| *at == 0 || text[..*at].ends_with(' '));
        let Some(at) = at else { return Ok(Self { text: text.to_owned(), secret: None }) };
        let secret = text[at + SECRET.len()..].parse();
        let secret = secret.map_err(|_| {
            format!(
                "`{text}` names no secret; write `{SECRET}NAME`, as `peasy secret list` shows it"
            )
        })?;
        Ok(Self { text: text[..at].to_owned(), secret: Some(secret) })
    }
}

impl McpServer {
    /// A server that is reached so, with everything else as usual.
    pub fn new(name: FeatureName, reach: Reach) -> Self {
        let (allow, deny, rename) = Default::default();
        Self {
            name,
            enabled: true,
            reach,
            allow,
            deny,
            rename,
            timeout: TIMEOUT,
            start_timeout: START_TIMEOUT,
        }
    }

    /// Whether a tool of the server is taken.
    pub fn takes(&self, tool: &str) -> bool {
        let fits = |globs: &[ToolGlob]| globs.iter().any(|glob| glob.fits(tool));
        (self.allow.is_empty() || fits(&self.allow)) && !fits(&self.deny)
    }
}

/// The keys of one server.
const KEYS: [&str; 11] = [
    "args",
    "command",
    "cwd",
    "enabled",
    "env",
    "headers",
    "rename",
    "start_timeout",
    "timeout",
    "tools",
    "url",
];

/// Reads `[mcp]`.
pub(super) fn servers(item: &Item) -> Result<Vec<McpServer>, String> {
    let table = item.as_table_like().ok_or("`mcp` is no table; write `[mcp.servers.NAME]`")?;
    let mut servers = Vec::new();
    for (key, item) in table.iter() {
        if key != "servers" {
            return Err(super::settings::unknown(&format!("mcp.{key}"), &["mcp.servers"]));
        }
        let all = item.as_table_like().ok_or("`mcp.servers` is no table of servers")?;
        for (name, item) in all.iter() {
            let place = format!("mcp.servers.{name}");
            let name: FeatureName = name.parse().map_err(|_| {
                format!("`{name}` is no name of a server; write 1 to 64 of `a-z 0-9 -`, beginning with a letter")
            })?;
            let table = item.as_table_like().ok_or_else(|| format!("`{place}` is no table"))?;
            servers.push(server(name, &place, table)?);
        }
    }
    if servers.len() > MOST {
        return Err(format!("{} servers are named and {MOST} may be", servers.len()));
    }
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(servers)
}

fn server(name: FeatureName, place: &str, table: &dyn TableLike) -> Result<McpServer, String> {
    if let Some((key, _)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
        let names = KEYS.map(|key| format!("{place}.{key}"));
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        return Err(super::settings::unknown(&format!("{place}.{key}"), &names));
    }
    let get = |key: &str| table.get(key).map(|item| (format!("{place}.{key}"), item));
    let text = |key: &str| get(key).map(|(place, item)| string(&place, item)).transpose();
    let reach = match (text("command")?, text("url")?) {
        (Some(command), None) => {
            only(place, table, "headers", "url")?;
            Reach::Program {
                command,
                args: get("args").map_or(Ok(Vec::new()), |(place, item)| strings(&place, item))?,
                env: get("env").map_or(Ok(Vec::new()), |(place, item)| spelled(&place, item))?,
                cwd: text("cwd")?.map(|folder| absolute(place, folder)).transpose()?,
            }
        }
        (None, Some(url)) => {
            for key in ["args", "env", "cwd"] {
                only(place, table, key, "command")?;
            }
            let headers = get("headers");
            let headers = headers.map_or(Ok(Vec::new()), |(place, item)| spelled(&place, item))?;
            Reach::Http { url, headers }
        }
        (None, None) => {
            return Err(format!("`{place}` has neither `command` nor `url`; write one of them"));
        }
        (Some(_), Some(_)) => {
            return Err(format!("`{place}` has both `command` and `url`; write one of them"));
        }
    };
    let mut server = McpServer::new(name, reach);
    if let Some((place, item)) = get("enabled") {
        let given = item.as_bool();
        server.enabled = given.ok_or_else(|| format!("`{place}` is one of true, false"))?;
    }
    if let Some((place, item)) = get("tools") {
        (server.allow, server.deny) = tools(&place, item)?;
    }
    if let Some((place, item)) = get("rename") {
        server.rename = renames(&place, item)?;
    }
    if let Some((place, item)) = get("timeout") {
        server.timeout = duration(&place, item)?;
    }
    if let Some((place, item)) = get("start_timeout") {
        server.start_timeout = duration(&place, item)?;
    }
    Ok(server)
}

/// Refuses a key that means nothing beside `other`.
fn only(place: &str, table: &dyn TableLike, key: &str, other: &str) -> Result<(), String> {
    match table.get(key) {
        Some(_) => Err(format!("`{place}.{key}` means nothing without `{other}`")),
        None => Ok(()),
    }
}

fn string(place: &str, item: &Item) -> Result<String, String> {
    let given = item.as_str().filter(|text| !text.is_empty() && !text.contains('\0'));
    given.map(str::to_owned).ok_or_else(|| format!("`{place}` is a text that is not empty"))
}

fn strings(place: &str, item: &Item) -> Result<Vec<String>, String> {
    let wrong = || format!("`{place}` is a list of texts");
    let list = item.as_array().ok_or_else(wrong)?;
    let text =
        |value: &Value| value.as_str().filter(|text| !text.contains('\0')).map(str::to_owned);
    list.iter().map(|value| text(value).ok_or_else(wrong)).collect()
}

fn spelled(place: &str, item: &Item) -> Result<Vec<(String, Spelled)>, String> {
    let wrong = || format!("`{place}` is a table of texts");
    let table = item.as_table_like().ok_or_else(wrong)?;
    let one = |(name, item): (&str, &Item)| {
        let text = item.as_str().filter(|text| !text.contains(['\0', '\n', '\r']));
        let is_name = !name.is_empty() && !name.contains(['=', '\0', ':', ' ', '\n', '\r']);
        if !is_name {
            return Err(format!("`{place}` has a name that is none: `{name}`"));
        }
        Ok((name.to_owned(), Spelled::parse(text.ok_or_else(wrong)?)?))
    };
    table.iter().map(one).collect()
}

/// A folder that is another in every project would be another server.
fn absolute(place: &str, folder: String) -> Result<PathBuf, String> {
    let path = PathBuf::from(&folder);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(format!("`{place}.cwd` is an absolute path, and `{folder}` is none")),
    }
}

fn globs(place: &str, item: &Item) -> Result<Vec<ToolGlob>, String> {
    strings(place, item)?
        .iter()
        .map(|text| text.parse::<ToolGlob>().map_err(|reason| reason.to_string()))
        .collect()
}

/// A list of what is taken, or a table of what is taken and what is left out.
fn tools(place: &str, item: &Item) -> Result<(Vec<ToolGlob>, Vec<ToolGlob>), String> {
    if item.is_array() {
        return Ok((globs(place, item)?, Vec::new()));
    }
    let wrong = || format!("`{place}` is a list of names, or a table of `allow` and `deny`");
    let table = item.as_table_like().ok_or_else(wrong)?;
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    for (key, item) in table.iter() {
        match key {
            "allow" => allow = globs(&format!("{place}.allow"), item)?,
            "deny" => deny = globs(&format!("{place}.deny"), item)?,
            _ => return Err(wrong()),
        }
    }
    Ok((allow, deny))
}

fn renames(place: &str, item: &Item) -> Result<BTreeMap<String, ToolName>, String> {
    let wrong = || format!("`{place}` is a table of names, as in `{{ search = \"web_search\" }}`");
    let table = item.as_table_like().ok_or_else(wrong)?;
    let one = |(old, new): (&str, &Item)| {
        let new = new.as_str().ok_or_else(wrong)?;
        Ok((old.to_owned(), new.parse::<ToolName>().map_err(|reason| reason.to_string())?))
    };
    table.iter().map(one).collect()
}

fn duration(place: &str, item: &Item) -> Result<Duration, String> {
    let wrong = || format!("`{place}` is a time from 1 ms to 10 min, such as \"30s\"");
    let text = item.as_integer().map(|number| number.to_string());
    let text = text.or_else(|| item.as_str().map(str::to_owned)).ok_or_else(wrong)?;
    let milliseconds = Limit::Time.parse_value(&text).map_err(|_| wrong())?;
    let is_right = (1..=Limit::Time.ceiling()).contains(&milliseconds);
    if is_right { Ok(Duration::from_millis(milliseconds)) } else { Err(wrong()) }
}

/// What became of a change of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A server is there that was not.
    Added,
    /// One is gone that was there.
    Removed,
    /// There is nothing to change: it was there, or was not.
    Nothing,
}

/// Writes a server down in the settings below `folder`. One of its name stays as it is. Comments and
/// order of the file stay.
///
/// # Errors
///
/// The file cannot be read, understood or written; it is then as it was.
pub fn add(folder: &Path, server: &McpServer) -> Result<Changed, SettingsError> {
    change(folder, |servers| {
        if servers.contains_key(server.name.as_str()) {
            return Changed::Nothing;
        }
        servers.insert(server.name.as_str(), Item::Table(written(server)));
        Changed::Added
    })
}

/// Takes a server out of the settings below `folder`.
///
/// # Errors
///
/// As [`add`].
pub fn remove(folder: &Path, name: &FeatureName) -> Result<Changed, SettingsError> {
    change(folder, |servers| match servers.remove(name.as_str()) {
        Some(_) => Changed::Removed,
        None => Changed::Nothing,
    })
}

fn change(
    folder: &Path,
    act: impl FnOnce(&mut Table) -> Changed,
) -> Result<Changed, SettingsError> {
    let file = folder.join(FILE);
    let failed = |reason| SettingsError::Io { file: file.clone(), reason };
    private::make_folder(folder).map_err(failed)?;
    let lock = folder.join(".config.lock");
    let lock = private::options().write(true).create(true).truncate(false).open(lock);
    let lock = lock.map_err(failed)?;
    lock.lock().map_err(failed)?;
    let text = super::settings::read(&file)?;
    // What cannot be understood is not written over.
    let malformed = |problem| SettingsError::Malformed { file: file.clone(), problem };
    Settings::parse(&text).map_err(malformed)?;
    let mut document: DocumentMut =
        text.parse().map_err(|reason| malformed(super::toml_problem(&text, &reason)))?;
    let in_line = || {
        malformed(
            "`mcp` or `mcp.servers` is written in one line; write it as `[mcp.servers.NAME]`"
                .into(),
        )
    };
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let mcp = document.entry("mcp").or_insert_with(implicit);
    let mcp = mcp.as_table_mut().ok_or_else(in_line)?;
    let servers = mcp.entry("servers").or_insert_with(implicit);
    let changed = act(servers.as_table_mut().ok_or_else(in_line)?);
    if changed != Changed::Nothing {
        private::replace(&file, document.to_string().as_bytes()).map_err(failed)?;
    }
    Ok(changed)
}

/// A server as a table of the file; what is as usual is left out.
fn written(server: &McpServer) -> Table {
    let mut table = Table::new();
    let pairs = |list: &[(String, Spelled)]| {
        let mut pairs = InlineTable::new();
        for (name, value) in list {
            pairs.insert(name, value.to_string().into());
        }
        Item::Value(pairs.into())
    };
    match &server.reach {
        Reach::Program { command, args, env, cwd } => {
            table.insert("command", command.as_str().into());
            if !args.is_empty() {
                table.insert("args", Item::Value(args.iter().collect::<Array>().into()));
            }
            if !env.is_empty() {
                table.insert("env", pairs(env));
            }
            if let Some(cwd) = cwd {
                table.insert("cwd", cwd.display().to_string().into());
            }
        }
        Reach::Http { url, headers } => {
            table.insert("url", url.as_str().into());
            if !headers.is_empty() {
                table.insert("headers", pairs(headers));
            }
        }
    }
    if server.timeout != TIMEOUT {
        table.insert("timeout", format!("{}ms", server.timeout.as_millis()).into());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<McpServer>, String> {
        Settings::parse(text).map(|settings| settings.servers)
    }

    #[test]
    fn servers_are_read_as_people_write_them() {
        let servers = parse(
            r#"
[mcp.servers.files]
command = "npx"
args = ["-y", "server-filesystem", "/data"]
env = { TOKEN = "secret:FILES_TOKEN", DEBUG = "1" }
cwd = "/data"
tools = { allow = ["read_*", "list_*"], deny = ["read_secret"] }
rename = { read_file = "read_data" }
timeout = "90s"

[mcp.servers.cloud]
url = "https://mcp.example.com/mcp"
headers = { Authorization = "Bearer secret:CLOUD" }
enabled = false
"#,
        )
        .expect("it is sound");
        let [cloud, files] = servers.as_slice() else { panic!("two servers") };
        assert!(!cloud.enabled && files.enabled);
        assert!(files.takes("read_file") && files.takes("list_x"));
        assert!(!files.takes("read_secret") && !files.takes("write_file"));
        assert_eq!(files.rename["read_file"].as_str(), "read_data");
        assert_eq!(files.timeout, Duration::from_secs(90));
        let Reach::Program { env, .. } = &files.reach else { panic!("a program") };
        assert_eq!(
            env[0].1.secret.as_ref().map(ToString::to_string).as_deref(),
            Some("FILES_TOKEN")
        );
        let Reach::Http { headers, .. } = &cloud.reach else { panic!("an address") };
        assert_eq!(
            (headers[0].1.text.as_str(), headers[0].1.to_string().as_str()),
            ("Bearer ", "Bearer secret:CLOUD")
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("mcp = 1", "write `[mcp.servers.NAME]`"),
            ("[mcp.server.a]", "did you mean `mcp.servers`?"),
            ("[mcp.servers.A]\ncommand = \"x\"", "is no name of a server"),
            ("[mcp.servers.a]", "neither `command` nor `url`"),
            ("[mcp.servers.a]\ncommand = \"x\"\nurl = \"y\"", "both"),
            ("[mcp.servers.a]\ncommand = \"\"", "not empty"),
            ("[mcp.servers.a]\ncomand = \"x\"", "did you mean `mcp.servers.a.command`?"),
            ("[mcp.servers.a]\nurl = \"x\"\nargs = []", "means nothing without `command`"),
            ("[mcp.servers.a]\ncommand = \"x\"\nargs = [1]", "a list of texts"),
            ("[mcp.servers.a]\ncommand = \"x\"\ncwd = \"here\"", "absolute"),
            ("[mcp.servers.a]\ncommand = \"x\"\nenv = { K = \"secret:\" }", "names no secret"),
            ("[mcp.servers.a]\ncommand = \"x\"\ntools = 1", "`allow` and `deny`"),
            ("[mcp.servers.a]\ncommand = \"x\"\nrename = { a = \"b.c\" }", "is not a tool name"),
            ("[mcp.servers.a]\ncommand = \"x\"\ntimeout = \"1h\"", "such as \"30s\""),
            ("[mcp.servers.a]\ncommand = \"x\"\ntimeout = 0", "such as \"30s\""),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn servers_come_and_go_and_the_rest_of_the_file_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(FILE);
        let before = "# mine\ndurability = \"always\" # so\n\n[limits]\ntime = \"9s\"\n";
        private::replace(&file, before.as_bytes()).expect("the folder takes it");
        let name: FeatureName = "everything".parse().expect("a name");
        let reach = Reach::Program {
            command: "npx".into(),
            args: vec!["-y".into(), "a \"b\"".into()],
            env: vec![("KEY".into(), Spelled::parse("secret:KEY").expect("a name"))],
            cwd: None,
        };
        let server = McpServer::new(name.clone(), reach);
        assert_eq!(add(folder.path(), &server).ok(), Some(Changed::Added));
        assert_eq!(add(folder.path(), &server).ok(), Some(Changed::Nothing));
        assert_eq!(Settings::load(folder.path()).expect("it is sound").servers, [server]);
        let text = crate::config::settings::read(&file).expect("it is there");
        assert!(text.starts_with(before), "{text}");
        assert_eq!(remove(folder.path(), &name).ok(), Some(Changed::Removed));
        assert_eq!(remove(folder.path(), &name).ok(), Some(Changed::Nothing));
        assert_eq!(Settings::load(folder.path()).expect("it is sound").servers, []);
        private::replace(&file, b"mcp = [").expect("the folder takes it");
        assert!(remove(folder.path(), &name).is_err());
        assert_eq!(crate::config::settings::read(&file).ok().as_deref(), Some("mcp = ["));
    }
}
