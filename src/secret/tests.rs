#![allow(clippy::disallowed_methods, reason = "lays out folders of its own")]

use super::keyring::Keyring;
use super::*;
use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};

/// A keyring in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, String>>);

impl Keyring for Memory {
    fn get(&self, name: &SecretName) -> Result<Option<Zeroizing<String>>, String> {
        let texts = self.0.lock().expect("no test panics with it");
        Ok(texts.get(name.as_str()).cloned().map(Zeroizing::new))
    }

    fn set(&self, name: &SecretName, text: &str) -> Result<(), String> {
        self.0.lock().expect("no test panics with it").insert(name.to_string(), text.to_owned());
        Ok(())
    }

    fn remove(&self, name: &SecretName) -> Result<(), String> {
        self.0.lock().expect("no test panics with it").remove(name.as_str());
        Ok(())
    }
}

/// A keyring that waits for a person.
struct Locked(Mutex<mpsc::Receiver<()>>);

impl Keyring for Locked {
    fn get(&self, _: &SecretName) -> Result<Option<Zeroizing<String>>, String> {
        let _ = self.0.lock().expect("no test panics with it").recv();
        Ok(Some(Zeroizing::new("too late for this call".to_owned())))
    }

    fn set(&self, _: &SecretName, _: &str) -> Result<(), String> {
        Err("it is locked".to_owned())
    }

    fn remove(&self, _: &SecretName) -> Result<(), String> {
        Err("it is locked".to_owned())
    }
}

/// One test at a time asks a keyring, as one call of a process does.
static KEYRING: Mutex<()> = Mutex::new(());

fn secrets(folder: &Path, keyring: Arc<dyn Keyring>) -> Secrets {
    let variable = |name: &str| (name == "SET").then(|| "of the environment".to_owned());
    Secrets { folder: folder.to_owned(), keyring, variable, exposed: Default::default() }
}

fn name(text: &str) -> SecretName {
    text.parse().expect("a name")
}

fn text(text: &str) -> SecretText {
    SecretText::new(Zeroizing::new(text.to_owned())).expect("long enough")
}

fn read(secrets: &Secrets, wanted: &str) -> String {
    match secrets.read(&name(wanted), Instant::now() + Duration::from_secs(5)) {
        Ok(text) => text.expose().to_owned(),
        Err(error) => error.diagnostic().code.to_string(),
    }
}

#[test]
fn a_secret_is_where_the_user_says() {
    let _alone = KEYRING.lock();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("config");
    let keyring = Arc::new(Memory::default());
    let secrets = secrets(&config, Arc::clone(&keyring) as Arc<dyn Keyring>);
    assert_eq!(read(&secrets, "A"), "secret/missing");
    secrets.keep(&name("A"), &text("kept in a file")).expect("the folder takes it");
    assert_eq!(read(&secrets, "A"), "kept in a file");
    secrets.keep_in_keyring(&name("A"), &text("in the keyring")).expect("the keyring takes it");
    assert_eq!(read(&secrets, "A"), "in the keyring");
    assert!(!config.join("secrets/A").exists(), "nothing is left of it");
    secrets.point(&name("A"), &Source::Environment("SET".into())).expect("the list is ours");
    assert_eq!(read(&secrets, "A"), "of the environment");
    assert!(keyring.0.lock().expect("no test panics with it").is_empty());
    secrets.point(&name("A"), &Source::Environment("UNSET".into())).expect("the list is ours");
    assert_eq!(read(&secrets, "A"), "secret/missing");
    secrets.point(&name("A"), &Source::Keyring).expect("the list is ours");
    assert_eq!(read(&secrets, "A"), "secret/missing");
    assert!(secrets.remove(&name("A")).expect("the list is ours"));
    assert!(!secrets.remove(&name("A")).expect("the list is ours"));
    assert_eq!(secrets.list().expect("a list"), []);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_gives_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    let secrets = secrets(folder.path(), Arc::new(Memory::default()));
    secrets.point(&name("T"), &Source::File(file.clone())).expect("the list is ours");
    assert_eq!(read(&secrets, "T"), "secret/missing");
    for (mode, wanted) in [
        (0o644, "secret/exposed"),
        (0o640, "secret/exposed"),
        (0o602, "secret/exposed"),
        (0o600, "one line of it"),
    ] {
        std::fs::write(&file, "one line of it\n").expect("the folder takes it");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("ours");
        assert_eq!(read(&secrets, "T"), wanted, "{mode:o}");
    }
    for (bytes, wanted) in [
        (&b"short"[..], "secret/unusable"),
        (b"two lines\nof it", "secret/unusable"),
        (&[b'x'; MAX_BYTES + 1], "secret/unusable"),
        (b"\xff\xfe\xfd\xff\xfe\xfd\xff\xfe", "secret/unreadable"),
    ] {
        std::fs::write(&file, bytes).expect("the folder takes it");
        assert_eq!(read(&secrets, "T"), wanted);
    }
    secrets.point(&name("T"), &Source::File(folder.path().to_owned())).expect("the list is ours");
    assert_eq!(read(&secrets, "T"), "secret/unreadable");
    // What peasy keeps is for its owner alone from its first byte.
    secrets.keep(&name("T"), &text("kept in a file")).expect("the folder takes it");
    let mode = |path: &str| {
        std::fs::metadata(folder.path().join(path)).expect("it is there").permissions().mode()
    };
    assert_eq!((mode("secrets") & 0o777, mode("secrets/T") & 0o777), (0o700, 0o600));
    assert!(file.exists(), "a file of the user's stays");
}

#[test]
fn a_keyring_that_waits_for_a_person_does_not_hold_a_call_up() {
    let _alone = KEYRING.lock();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (unlock, waiting) = mpsc::channel();
    let secrets = secrets(folder.path(), Arc::new(Locked(Mutex::new(waiting))));
    secrets.point(&name("K"), &Source::Keyring).expect("the list is ours");
    let ask = || match secrets.read(&name("K"), Instant::now() + Duration::from_millis(20)) {
        Ok(text) => text.expose().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(ask().contains("it does not answer"));
    assert!(ask().contains("it still waits for an answer"));
    assert!(secrets.keep_in_keyring(&name("K"), &text("12345678")).is_err());
    drop(unlock);
    // The answer to the first question comes now, and nobody hears it; then it can be asked again.
    let until = Instant::now() + Duration::from_secs(20);
    while ask().contains("still waits") {
        assert!(Instant::now() < until, "it was unlocked");
        std::thread::yield_now();
    }
}

#[test]
fn a_list_that_cannot_be_understood_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("secrets.toml");
    let secrets = secrets(folder.path(), Arc::new(Memory::default()));
    secrets.point(&name("B"), &Source::Environment("SET".into())).expect("the list is ours");
    let written = std::fs::read_to_string(&file).expect("it is there");
    assert!(
        written.starts_with("# Where secrets are") && written.contains("B = { env = \"SET\" }")
    );
    std::fs::write(&file, written + "# mine\nA = { file = \"/a/b\" }\n").expect("it is ours");
    secrets.point(&name("B"), &Source::Environment("OTHER".into())).expect("the list is ours");
    assert!(std::fs::read_to_string(&file).expect("it is there").contains("# mine"));
    let listed = secrets.list().expect("a list");
    let wanted = [
        (name("A"), Source::File("/a/b".into())),
        (name("B"), Source::Environment("OTHER".into())),
    ];
    assert_eq!(listed, wanted);
    for list in [
        "= broken",
        "A = 1",
        "A = \"the secret itself\"",
        "A = {}",
        "A = { file = \"relative\" }",
        "A = { env = \"\" }",
        "A = { kept = false }",
        "A = { env = \"A\", kept = true }",
        "A = { variable = \"A\" }",
        "\"a b\" = { kept = true }",
    ] {
        std::fs::write(&file, list).expect("it is ours");
        let error = secrets.read(&name("A"), Instant::now()).expect_err(list);
        assert_eq!(error.diagnostic().code, "config/secrets", "{list}");
        assert!(secrets.keep(&name("C"), &text("12345678")).is_err(), "{list}");
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), list);
    }
}
