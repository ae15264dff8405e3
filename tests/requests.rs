//! Requests of whole features: granted, recorded, cancelled; and secrets, which nothing but their file
//! and their host ever holds.

use peasy::feature::call::Cancel;
use peasy::feature::catalog::{CallOptions, Catalog};
use peasy::feature::grant::HostPolicy;
use peasy::feature::id::FeatureSource;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::feature::secret::SecretText;
use peasy::limit::Limits;
use peasy::pod::{Pod, PodOptions};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::secret::Secrets;
use peasy::store::Durability;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

const KEY: &str = "sk-4dor9horse8battery";

/// A server for so many requests: `/silent` gets no answer, any other what it sent.
fn serve(requests: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let serving = move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("some time");
            let head = head(&mut stream);
            if head.starts_with("GET /silent ") {
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            } else {
                let answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    };
    (address, std::thread::spawn(serving))
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn script(address: SocketAddr) -> String {
    format!(
        r#"//! @request http={address}
//! @request? secret=KEY@{address}

/// Ask.
/// @tool
/// @param path string
fn ask(path) {{ http::get("http://{address}/" + path).status }}

/// Ask with the key.
/// @tool
fn spend() {{ http::get("http://{address}/", #{{ bearer: secret::get("KEY") }}).body }}

/// Show the key.
/// @tool
fn show() {{
    let key = secret::get("KEY");
    print(key);
    log::info(#{{ key: key }});
    [`${{key}}`, key.to_string(), key.to_debug(), [key].to_string(), "" + key, type_of(key)]
}}

/// Give the key away.
/// @tool
/// @param how string
fn give(how) {{
    let key = secret::get("KEY");
    switch how {{
        "result" => key,
        "list" => [#{{ a: key }}],
        "json" => json::stringify(key),
        "equal" => key == secret::get("KEY"),
        "length" => key.len(),
        "index" => key[0],
        "hash" => hash::sha256(key),
        "throw" => throw key,
        "fail" => fail(`${{key}}`),
    }}
}}
"#
    )
}

fn installed(runtime: &ScriptRuntime, path: &Path, grants: &[String]) -> Catalog {
    let location = Location { path: path.to_owned(), source: FeatureSource::User };
    let outcome = runtime.read(&[location]).remove(0);
    let script = outcome.script.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
    let mut policy = HostPolicy::default();
    for grant in grants {
        let capability = grant.parse().expect("a capability");
        policy = policy.grant("user:asker".parse().expect("an id"), capability);
    }
    FeatureRegistryBuilder::new(policy).module(runtime.feature(script)).plan().install().0
}

fn pod(folder: &TempDir, address: SocketAddr) -> Pod {
    let path = folder.path().join("asker.rhai");
    std::fs::write(&path, script(address)).expect("the folder takes it");
    let runtime = ScriptRuntime::new(&Limits::default()).expect("this binary counts");
    let grants = [format!("http={address}"), format!("secret=KEY@{address}")];
    let catalog = installed(&runtime, &path, &grants);
    let options = PodOptions {
        project: None,
        state: folder.path().join("state"),
        session: "default".into(),
        durability: Durability::Group,
        workspace: None,
        closed: Vec::new(),
        secrets: Some(Secrets::new(folder.path().join("config"))),
    };
    Pod::open(&options, Arc::new(catalog), HashMap::new()).expect("a log")
}

fn keep(folder: &TempDir) {
    let text = SecretText::new(KEY.to_owned().into()).expect("long enough");
    let secrets = Secrets::new(folder.path().join("config"));
    secrets.keep(&"KEY".parse().expect("a name"), &text).expect("the folder takes it");
}

fn call(pod: &Pod, tool: &str, arguments: Value) -> String {
    match pod.call(tool, arguments, CallOptions::default()).result {
        Ok(result) => result.to_string(),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_call_that_is_cancelled_in_the_middle_of_a_request_ends_and_the_next_one_works() {
    let folder = TempDir::new().expect("a folder");
    let (address, server) = serve(2);
    let pod = pod(&folder, address);
    let cancel = Cancel::default();
    let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
    let outcome = std::thread::scope(|scope| {
        let calling = scope.spawn(|| pod.call("ask", json!({ "path": "silent" }), options));
        // The act is in the log before the request goes out.
        let log = folder.path().join("state/session/default/log.jsonl");
        while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("/silent")) {
            assert!(!calling.is_finished(), "the call ended by itself");
            std::thread::yield_now();
        }
        cancel.cancel();
        calling.join().expect("no panic")
    });
    let failure = outcome.result.expect_err("it was cancelled");
    assert_eq!(failure.diagnostics[0].code, "call/cancelled", "{failure}");
    // A thread that was abandoned would have its feature quarantined.
    assert_eq!(call(&pod, "ask", json!({ "path": "" })), "200");
    server.join().expect("both requests came");
}

/// Whether a file below a folder holds a text.
fn holds(folder: &Path, wanted: &str) -> bool {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    entries.map(|entry| entry.expect("a readable entry").path()).any(|path| match path.is_dir() {
        true => holds(&path, wanted),
        false => {
            let text =
                String::from_utf8_lossy(&std::fs::read(path).expect("a file")).to_lowercase();
            text.contains(&wanted.to_lowercase())
        }
    })
}

/// A model or a person may have a secret as well, and say it once it was spent.
#[test]
fn no_log_holds_a_secret_that_was_spent() {
    let folder = TempDir::new().expect("a folder");
    let (address, server) = serve(3);
    keep(&folder);
    let pod = pod(&folder, address);
    assert!(call(&pod, "spend", json!({})).contains("[secret KEY]"));
    let hexadecimal: String = KEY.bytes().map(|byte| format!("{byte:02X}")).collect();
    let percent: String = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let base64 = "c2stNGRvcjlob3JzZThiYXR0ZXJ5";
    let long = format!("{KEY}{}", "x".repeat(10_000));
    for said in [KEY, &hexadecimal, &percent, base64] {
        // In arguments that are right, in those that are not, in names, in long texts, in errors.
        call(&pod, "ask", json!({ "path": 7, "other": said, said: { said: [said] } }));
        call(&pod, said, json!({}));
        call(&pod, "show", json!(said));
    }
    call(&pod, "ask", json!({ "path": KEY }));
    call(&pod, "ask", json!({ "path": 7, "other": long }));
    call(&pod, "spend", json!({}));
    server.join().expect("the requests came");
    drop(pod);
    let session = folder.path().join("state/session");
    for form in [KEY, &hexadecimal, &percent, base64, "4dor9horse8battery"] {
        assert!(!holds(&session, form), "the log holds {form}");
    }
    assert!(holds(&session, "[secret KEY]"));
    let verified = peasy::pod::session::verify(&session.join("default"), None, &mut |_| ());
    let verified = verified.expect("it can be read");
    assert!(verified.is_sound(), "{:?}", verified.findings);
}

#[test]
fn no_script_shows_a_secret() {
    let folder = TempDir::new().expect("a folder");
    keep(&folder);
    let (address, server) = serve(1);
    let pod = pod(&folder, address);
    let shown = call(&pod, "show", json!({}));
    assert_eq!(shown.matches("[secret KEY]").count(), 5, "{shown}");
    assert!(shown.ends_with(r#","secret"]"#), "{shown}");
    for how in ["result", "list", "json", "equal", "length", "index", "hash", "throw", "fail"] {
        let outcome = pod.call("give", json!({ "how": how }), CallOptions::default());
        let said = format!("{:?}", outcome.result.expect_err(how));
        assert!(!said.contains("4dor9"), "{how}: {said}");
    }
    let said = call(&pod, "spend", json!({}));
    assert!(said.contains("Bearer [secret KEY]") && !said.contains("4dor9"), "{said}");
    server.join().expect("one request came");
    drop(pod);
    assert_eq!(holders(folder.path()), ["config/secrets/KEY"]);
}

/// The files below a folder that hold the secret.
fn holders(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path)
                .expect("a readable file")
                .windows(KEY.len())
                .any(|part| part == KEY.as_bytes())
            {
                let name = path.strip_prefix(root).expect("it lies there");
                found.push(name.display().to_string());
            }
        }
    }
    found
}

/// A person with a home folder, in a folder of their own.
struct Person(TempDir);

impl Person {
    fn says(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peasy"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.0.path())
            .env("WEATHER_KEY", KEY)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let all = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&all).into_owned())
    }

    #[track_caller]
    fn done(&self, arguments: &[&str], input: &str) -> String {
        let (exit, said) = self.says(arguments, input);
        assert_eq!(exit, Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("4dor9"), "{arguments:?}: {said}");
        said
    }
}

#[test]
fn a_person_keeps_a_secret_and_a_feature_spends_it() {
    let person = Person(TempDir::new().expect("a home"));
    let (address, server) = serve(3);
    std::fs::write(person.0.path().join("asker.rhai"), script(address)).expect("a feature");
    let spend = ["call", "asker.rhai", "spend", "-vvv"];
    let (exit, said) = person.says(&spend, "");
    assert!(exit == Some(3) && said.contains("grant/http"), "{said}");
    let (http, secret) = (format!("http={address}"), format!("secret=KEY@{address}"));
    person.done(&["grant", "asker.rhai", &http, &secret], "");
    let (exit, said) = person.says(&spend, "");
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("secret/missing") && said.contains("`peasy secret set KEY`"), "{said}");
    // In a file that peasy keeps, in a variable, and in a file of one's own.
    person.done(&["secret", "set", "KEY"], &format!("{KEY}\n"));
    assert!(person.done(&spend, "").contains("Bearer [secret KEY]"));
    assert_eq!(holders(person.0.path()), [".config/peasy/secrets/KEY"]);
    person.done(&["secret", "set", "KEY", "--env", "WEATHER_KEY"], "");
    assert_eq!(holders(person.0.path()), Vec::<String>::new(), "what was kept is gone");
    assert!(person.done(&spend, "").contains("Bearer [secret KEY]"));
    let own = person.0.path().join("own");
    std::fs::write(&own, KEY).expect("a file");
    let set = person.done(&["secret", "set", "KEY", "--file", "own"], "");
    assert!(set.contains("secret/exposed") && set.contains("chmod 600"), "{set}");
    let (exit, said) = person.says(&spend, "");
    assert!(exit == Some(2) && said.contains("secret/exposed"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&own, mode).expect("it is ours");
    assert!(person.done(&spend, "").contains("Bearer [secret KEY]"));
    server.join().expect("three requests came");
    let log = person.done(&["log", "show", "--json", "--last", "0"], "");
    assert_eq!(log.matches(r#""act":"http""#).count(), 3, "{log}");
    assert!(log.contains(r#""secrets":["KEY"]"#), "{log}");
    let summary = person.done(&["log", "verify"], "");
    assert!(summary.contains("3 acts"), "{summary}");
    assert!(person.done(&["log", "show"], "").contains("sends GET "));
    assert_eq!(holders(person.0.path()), ["own"]);
}

#[test]
fn secrets_are_listed_by_name_and_forgotten() {
    let person = Person(TempDir::new().expect("a home"));
    person.done(&["secret", "list"], "");
    person.done(&["secret", "set", "KEPT"], KEY);
    person.done(&["secret", "set", "VARIABLE", "--env", "WEATHER_KEY"], "");
    let set = person.done(&["secret", "set", "UNSET", "--env", "NOT_SET"], "");
    assert!(set.contains("secret/missing"), "{set}");
    std::fs::write(person.0.path().join("asker.rhai"), script(([127, 0, 0, 1], 9).into()))
        .expect("a feature");
    person.done(&["grant", "asker.rhai", "secret=KEPT@api.example.com"], "");
    let listed: Value =
        serde_json::from_str(&person.done(&["secret", "list", "--json"], "")).expect("JSON");
    let secrets = listed["secrets"].as_array().expect("a list");
    let about: Vec<_> = secrets
        .iter()
        .map(|one| json!([one["name"], one["source"], one["place"], one["ready"]]))
        .collect();
    let wanted = [
        json!(["KEPT", "kept", null, true]),
        json!(["UNSET", "env", "NOT_SET", false]),
        json!(["VARIABLE", "env", "WEATHER_KEY", true]),
    ];
    assert_eq!(about, wanted);
    assert_eq!(secrets[0]["granted"][0]["host"], "api.example.com");
    assert_eq!(secrets[0]["granted"][0]["feature"], "user:asker");
    assert_eq!(secrets[1]["problem"]["code"], "secret/missing");
    let text = person.done(&["secret", "list"], "");
    assert!(text.contains("user:asker spends it at api.example.com"), "{text}");
    person.done(&["secret", "remove", "KEPT"], "");
    let (exit, said) = person.says(&["secret", "remove", "UNSE"], "");
    assert!(exit == Some(2) && said.contains("did you mean `UNSET`?"), "{said}");
    for (arguments, input, part) in [
        (&["secret", "set", "SHORT"][..], "1234567\n", "secret/unusable"),
        (&["secret", "set", "LINES"], "12345678\n12345678\n", "secret/unusable"),
        (&["secret", "set", "a b"], KEY, "is not the name of a secret"),
        (&["secret", "set", "X", "--env", KEY], "", "the name of a variable"),
        (&["secret", "set", "X", "--file", "nowhere"], "", "cannot be used"),
        (&["secret", "set", "X", "--keyring", "--env", "X"], "", "cannot be used with"),
    ] {
        let (exit, said) = person.says(arguments, input);
        assert_eq!(exit, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let listed = person.done(&["secret", "list"], "");
    assert!(!listed.contains("KEPT") && !listed.contains("SHORT"), "{listed}");
    assert_eq!(holders(person.0.path()), Vec::<String>::new());
}
