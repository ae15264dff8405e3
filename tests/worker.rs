//! The worker: turns with a fake model that speaks as two providers do, well and badly.

use crate::fake_model::FakeModel;
use peasy::feature::call::Cancel;
use peasy::feature::catalog::CallOptions;
use peasy::feature::event::Sink;
use peasy::feature::grant::HostPolicy;
use peasy::feature::hook::HookPoint;
use peasy::feature::id::FeatureSource;
use peasy::feature::question::{Answer, Question};
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::limit::Limits;
use peasy::pod::session::{About, Content, Session, transcript, verify};
use peasy::pod::{Features, Pod, PodOptions};
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::store::Durability;
use peasy::worker::provider::{ModelName, Provider};
use peasy::worker::{
    Answer as Said, Audience, End, Event, Fault, Model, ModelError, ModelResponder, Pause, Piece,
    Request, Silent, Tokens, Turned, Worker, WorkerSettings,
};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const FEATURE: &str = r#"//! @request store
//! @request notify:model
//! @request ask
//! @request hook:post_tool_call:replace

/// Count the words of a text.
/// @tool
/// @param text string
/// @returns int
fn count_words(text) {
    store::incr("calls");
    notify::model(`counted: ${text}`);
    text::words(text).len()
}

/// Say what was given.
/// @tool
/// @param text string
/// @returns string
fn echo(text) { text }

/// As long as it is wanted.
/// @tool
/// @param size int
/// @returns string
fn long(size) { let text = ""; text.pad(size, "x"); text }

/// Ask the person.
/// @tool
fn paint() { if ask::confirm("Paint it red?") { "red" } else { "grey" } }

/// Work without end.
/// @tool
fn spin() { loop {} }

/// Never to be called.
/// @tool
fn erase() { store::set("erased", true); "erased" }

/// @hook pre_tool_call
fn guard(event) { if event.tool == "erase" { return deny("nothing is erased here"); } }

/// @hook post_tool_call tools=echo
fn mask(event) { if event.result == "secret" { return replace("masked"); } }

/// @hook pre_request
fn before(event) {
    if event.text.contains("forbidden") { return stop("not that"); }
    if event.model == "offline" { return stop("no network now"); }
}

/// @hook post_assistant
fn after(event) { if event.text.contains("tell me") { notify::model("you asked to be told"); } }

/// @hook turn_end
fn ends(event) { if event.text.contains("not yet") && event.again < 1 { return again("go on, please"); } }
"#;

/// A hook at every point, narrowed to one tool where it can be.
const HOOKS: &str = r#"
/// Say what was given.
/// @tool
/// @param text string
/// @returns string
fn echo(text) { text }

/// @hook pre_request
fn at_request(event) {}

/// @hook post_assistant
fn at_answer(event) {}

/// @hook pre_tool_call tools=echo
fn at_call(event) {}

/// @hook post_tool_call tools=echo
fn at_result(event) {}

/// @hook turn_end
fn at_end(event) {}
"#;

/// The providers whose speech the fake model knows.
const PROVIDERS: [&str; 2] = ["openai/fake", "anthropic/fake"];

/// A folder, a pod with the feature, a session, and a fake model.
struct Place {
    folder: TempDir,
    pod: Pod,
    session: Session,
    model: FakeModel,
    provider: Provider,
    settings: WorkerSettings,
    waits: Waits,
    log: Heard,
    cancel: Cancel,
}

/// Passes no time, and keeps how long it would have been.
#[derive(Debug, Clone, Default)]
struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Pause for Waits {
    fn pause(&self, wait: Duration, _: &Cancel) {
        self.0.lock().expect("no panic").push(wait);
    }
}

/// Keeps what it hears, in words, and answers as told.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<String>>,
    answers: Mutex<Vec<Answer>>,
    cancels_at: Mutex<Option<(&'static str, Cancel)>>,
}

impl Heard {
    fn list(&self) -> Vec<String> {
        self.events.lock().expect("no panic").clone()
    }

    fn cancel_at(&self, heard: &str) {
        if let Some((word, cancel)) = &*self.cancels_at.lock().expect("no panic")
            && heard.contains(word)
        {
            cancel.cancel();
        }
    }

    /// How often something was heard that begins like this.
    fn count(&self, begin: &str) -> usize {
        self.list().iter().filter(|event| event.starts_with(begin)).count()
    }
}

impl Audience for Heard {
    fn hear(&self, event: Event<'_>) {
        let text = match event {
            Event::Text(text) => {
                let mut events = self.events.lock().expect("no panic");
                match events.last_mut().filter(|last| last.starts_with("text ")) {
                    Some(last) => last.push_str(text),
                    None => events.push(format!("text {text}")),
                }
                self.cancel_at(events.last().map_or("", String::as_str));
                return;
            }
            Event::Thought(_) => "thought".to_owned(),
            Event::Request(number) => format!("request {number}"),
            Event::Retry { problem, is_discarded, .. } => {
                format!("retry {} {is_discarded}", problem.code)
            }
            Event::Answered { text } => format!("answered {text}"),
            Event::CallBegins { tool, .. } => format!("begins {tool}"),
            Event::CallEnds { tool, shown, is_error, .. } => {
                let word = if is_error { "fails" } else { "gives" };
                format!("{tool} {word} {}", shown.chars().take(120).collect::<String>())
            }
            Event::Notice(text) => format!("notice {text}"),
            Event::Problem(problem) => format!("problem {}", problem.code),
            Event::Usage(tokens) => format!("usage {} {}", tokens.input, tokens.output),
            Event::Compacted(facts) => format!("compacted {facts}"),
            Event::Ended(end) => format!("ended {}", end.word()),
        };
        self.cancel_at(&text);
        self.events.lock().expect("no panic").push(text);
    }

    fn ask(&self, _: &Question) -> Option<Answer> {
        self.answers.lock().expect("no panic").pop()
    }

    fn sink(&self) -> Arc<dyn Sink> {
        CallOptions::default().sink
    }
}

fn pod(folder: &std::path::Path, feature: &str) -> Pod {
    let runtime = ScriptRuntime::new(&Limits::default()).expect("this binary counts");
    let path = folder.join("tools.rhai");
    std::fs::write(&path, feature).expect("a feature");
    let location = Location { path, source: FeatureSource::User };
    let mut policy = HostPolicy::new();
    let mut scripts = Vec::new();
    for outcome in runtime.read(&[location, Location::built_in("pod")]) {
        let script = outcome.script.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
        for request in &script.descriptor.requests {
            policy = policy.grant(script.descriptor.id.clone(), request.capability.clone());
        }
        scripts.push(runtime.feature(script));
    }
    let builder = FeatureRegistryBuilder::new(policy);
    let plan = scripts.into_iter().fold(builder, FeatureRegistryBuilder::module).plan();
    let options = PodOptions {
        project: None,
        state: folder.join("state"),
        session: "s".into(),
        durability: Durability::Never,
        workspace: None,
        closed: Vec::new(),
        secrets: None,
    };
    Pod::open(&options, Arc::new(plan.install().0), Features::new()).expect("a log")
}

fn about() -> About {
    About { front: "test".into(), agent: None, root: None }
}

impl Place {
    fn new(provider: &str, steps: impl IntoIterator<Item = Value>) -> Self {
        Self::with(FEATURE, provider, steps)
    }

    fn with(feature: &str, provider: &str, steps: impl IntoIterator<Item = Value>) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let pod = pod(folder.path(), feature);
        let session = Session::begin(Arc::clone(pod.log()), &about()).expect("a session");
        let model = FakeModel::start(steps);
        let name = ModelName::parse(provider).expect("a model");
        let provider = Provider::new(name, Some(&model.url()), None).expect("an address");
        let waits = Waits::default();
        let settings = WorkerSettings { pause: Arc::new(waits.clone()), ..Default::default() };
        let (log, cancel) = Default::default();
        Self { folder, pod, session, model, provider, settings, waits, log, cancel }
    }

    fn turn(&self, text: &str) -> Turned {
        let worker =
            Worker::new(&self.pod, &self.session, &self.provider, &self.settings, &self.log);
        worker.turn(text, &self.cancel).unwrap_or_else(|error| panic!("{error}"))
    }

    fn session_folder(&self) -> PathBuf {
        self.folder.path().join("state/session/s")
    }

    /// The messages that the model sees, in words.
    fn seen(&self) -> Vec<String> {
        let messages = transcript(&self.session_folder(), None).expect("a session");
        let words = messages.map(|message| match message.expect("a message").content {
            Content::Instructions { text } => format!("system {text}"),
            Content::User { content } => format!("user {}", content.as_str().unwrap_or_default()),
            Content::Assistant { text, calls, .. } => {
                let calls: Vec<_> = calls.iter().map(|call| call.tool.as_str()).collect();
                format!("assistant {text} {calls:?}")
            }
            Content::ToolResult { shown, is_error, .. } => format!("result {shown} {is_error}"),
            Content::Notice { text } => format!("notice {text}"),
            Content::Summary { text, facts } => format!("summary of {facts} {text}"),
        });
        words.collect()
    }

    /// Everything in the log holds, and explains what the model saw.
    fn verify(&self) {
        let verified = verify(&self.session_folder(), None, &mut |_| ()).expect("a log");
        assert!(verified.findings.is_empty(), "{:?}", verified.findings);
    }

    /// The texts of the results that the latest request showed, whichever provider's speech.
    fn shown_at(&self, request: usize) -> String {
        self.model.requests()[request].body.to_string()
    }
}

fn calls(calls: &[(&str, Value)]) -> Value {
    let calls =
        calls.iter().map(|(tool, arguments)| json!({ "tool": tool, "arguments": arguments }));
    json!({ "calls": calls.collect::<Vec<_>>(), "usage": [100, 20] })
}

#[test]
fn tools_run_side_by_side_and_the_model_reads_what_they_gave() {
    for provider in PROVIDERS {
        let place = Place::new(
            provider,
            [
                calls(&[
                    ("count_words", json!({ "text": "to be or not" })),
                    ("echo", json!({ "text": "grün — ✓" })),
                    ("erase", json!({})),
                    ("echo", json!({ "text": "secret" })),
                ]),
                json!({ "text": "Four wörds.", "usage": [150, 7] }),
            ],
        );
        let turned = place.turn("count, please");
        assert_eq!((&turned.end, &*turned.text), (&End::Done, "Four wörds."), "{provider}");
        assert_eq!((turned.rounds, turned.calls), (2, 4));
        assert_eq!((turned.tokens.input, turned.tokens.output), (250, 27));
        let seen = place.seen();
        assert_eq!(
            seen[..4],
            [
                "user count, please",
                r#"assistant  ["count_words", "echo", "erase", "echo"]"#,
                "result 4 false",
                "result \"grün — ✓\" false",
            ],
            "{provider}"
        );
        assert!(
            seen[4].contains("nothing is erased here") && seen[4].ends_with("true"),
            "{seen:?}"
        );
        assert!(seen[5].contains("masked") && !seen[5].contains("secret"), "{seen:?}");
        let replaced = "notice [user:tools] replaced the result";
        assert_eq!(
            seen[6..],
            ["notice counted: to be or not", replaced, "assistant Four wörds. []"]
        );
        // The second request shows all that, in the provider's own form.
        let second = place.shown_at(1);
        for part in ["grün — ✓", "counted: to be or not", "nothing is erased here", "masked"] {
            assert!(second.contains(part), "{provider}: {part}: {second}");
        }
        let requests = place.model.requests();
        let path =
            if provider.starts_with("openai") { "/v1/chat/completions" } else { "/v1/messages" };
        assert_eq!(requests[0].path, path);
        assert!(requests[0].body["tools"].to_string().contains("Count the words of a text."));
        assert_eq!(place.log.count("text Four wörds."), 1, "{:?}", place.log.list());
        place.verify();
    }
}

#[test]
fn thoughts_go_back_to_the_provider_that_had_them() {
    let steps = || {
        let mut step = calls(&[("echo", json!({ "text": "a" }))]);
        step["thought"] = "I had better look.".into();
        [step, json!({ "text": "a" }), json!({ "text": "b" })]
    };
    let place = Place::new("anthropic/fake", steps());
    place.turn("go");
    assert!(place.log.count("thought") > 0);
    let second = &place.model.requests()[1].body;
    let thinking = second["messages"][1]["content"][0].clone();
    assert_eq!(
        thinking,
        json!({ "type": "thinking", "thinking": "I had better look.", "signature": "c2lnbmVk" })
    );
    // Another provider is not shown them.
    let name = ModelName::parse("openai/other").expect("a model");
    let other = Provider::new(name, Some(&place.model.url()), None).expect("an address");
    let worker = Worker::new(&place.pod, &place.session, &other, &place.settings, &place.log);
    worker.turn("and you?", &place.cancel).expect("a turn");
    assert!(!place.shown_at(2).contains("c2lnbmVk"), "{}", place.shown_at(2));
    place.verify();
}

#[test]
fn what_may_help_is_tried_again_and_what_does_not_is_told() {
    for provider in PROVIDERS {
        let place = Place::new(
            provider,
            [
                json!({ "status": 429, "retry_after": 3, "message": "slow down" }),
                json!({ "status": 500 }),
                json!({ "text": "Half of an ans", "cut": true }),
                json!({ "text": "x", "event": "overloaded_error" }),
                json!({ "text": "A whole answer." }),
            ],
        );
        let turned = place.turn("hello");
        assert_eq!(turned.text, "A whole answer.", "{provider} {:?}", place.log.list());
        assert_eq!(
            place.log.list().iter().filter(|event| event.starts_with("retry")).collect::<Vec<_>>(),
            [
                "retry worker/provider false",
                "retry worker/provider false",
                "retry worker/cut true",
                "retry worker/provider true",
            ],
            "{provider}"
        );
        let waits = place.waits.0.lock().expect("no panic").clone();
        assert_eq!(waits[0], Duration::from_secs(3));
        assert_eq!(place.seen(), ["user hello", "assistant A whole answer. []"]);
        place.verify();

        for (status, code) in [(401, "worker/denied"), (400, "worker/refused")] {
            place.model.push([json!({ "status": status, "message": "no such thing" })]);
            let End::Failed(problem) = place.turn("again").end else { panic!("it fails") };
            assert_eq!(problem.code, code);
            assert!(problem.message.contains("no such thing"), "{}", problem.message);
        }
        let tried = place.model.requests().len();
        assert_eq!(tried, 7, "what is refused is not tried again");
        place.verify();
    }
}

#[test]
fn a_provider_that_goes_on_failing_ends_the_turn() {
    let place = Place::new("openai/fake", (0..9).map(|_| json!({ "status": 503 })));
    let End::Failed(problem) = place.turn("hello").end else { panic!("it fails") };
    assert_eq!(problem.code, "worker/provider");
    assert_eq!(place.model.requests().len(), 5, "one attempt and four more");
    // The session goes on as soon as the provider does.
    drop(place.session);
    let session = Session::resume(Arc::clone(place.pod.log()), &about()).expect("it goes on");
    let model = FakeModel::start([json!({ "text": "Here I am." })]);
    let name = ModelName::parse("openai/fake").expect("a model");
    let provider = Provider::new(name, Some(&model.url()), None).expect("an address");
    let worker = Worker::new(&place.pod, &session, &provider, &place.settings, &place.log);
    assert_eq!(worker.turn("still there?", &place.cancel).expect("a turn").text, "Here I am.");
}

#[test]
fn nobody_there_is_told_as_that() {
    let place = Place::new("openai/fake", []);
    let name = ModelName::parse("openai/fake").expect("a model");
    let provider = Provider::new(name, Some("http://127.0.0.1:1/v1"), None).expect("an address");
    let worker = Worker::new(&place.pod, &place.session, &provider, &place.settings, &place.log);
    let End::Failed(problem) = worker.turn("hello", &place.cancel).expect("a turn").end else {
        panic!("nobody listens there")
    };
    assert_eq!(problem.code, "worker/unreachable", "{}", problem.message);
}

#[test]
fn a_model_that_calls_what_is_not_there_or_writes_no_json_reads_so() {
    for provider in PROVIDERS {
        let place = Place::new(
            provider,
            [
                json!({ "calls": [
                    { "tool": "count_word", "arguments": { "text": "a" } },
                    { "tool": "echo", "raw": "{\"text\": \"half" },
                    { "tool": "echo", "raw": "[1, 2]" },
                    { "tool": "echo", "arguments": { "txt": "a" } },
                    { "tool": "echo", "id": "call-1", "arguments": { "text": "same id" } },
                ] }),
                json!({ "text": "I see." }),
            ],
        );
        let turned = place.turn("go");
        assert_eq!(turned.text, "I see.", "{provider} {:?}", place.log.list());
        let seen = place.seen();
        for (at, part) in [
            (2, "count_word"),
            (3, "the arguments are not JSON"),
            (4, "no JSON object"),
            (5, "txt"),
        ] {
            assert!(
                seen[at].contains(part) && seen[at].ends_with("true"),
                "{provider} {:?}",
                seen[at]
            );
        }
        assert_eq!(seen[6], "result \"same id\" false");
        place.verify();
        // What the provider gets back is what it takes: objects, and names that differ.
        let second = place.shown_at(1);
        assert!(second.contains("unreadable"), "{second}");
    }
}

#[test]
fn a_call_that_a_provider_counts_from_one_runs_once() {
    for is_whole in [true, false] {
        let mut step = calls(&[("count_words", json!({ "text": "a b" }))]);
        (step["first"], step["whole"]) = (1.into(), is_whole.into());
        let place = Place::new("openai/fake", [step, json!({ "text": "Two." })]);
        let turned = place.turn("go");
        assert_eq!((&*turned.text, turned.calls), ("Two.", 1), "{:?}", place.log.list());
        assert_eq!(place.log.count("count_words gives 2"), 1, "{:?}", place.log.list());
        place.verify();
    }
}

#[test]
fn endless_output_is_cut_with_a_word() {
    for provider in PROVIDERS {
        for what in ["text", "call"] {
            let mut place = Place::new(provider, [json!({ "text": "I begin", "endless": what })]);
            place.settings.max_output = 4_000;
            let turned = place.turn("go");
            assert_eq!(turned.end, End::Cut, "{provider} {what}");
            assert!(
                turned.text.ends_with("[cut: the answer was longer than 4000 bytes, and was cut]")
            );
            assert!(turned.text.len() < 4_200);
            assert_eq!(place.log.count("problem worker/output"), 1);
            place.verify();
        }
    }
}

#[test]
fn long_results_are_cut_and_rounds_are_bounded() {
    let long = || calls(&[("long", json!({ "size": 3_000 }))]);
    let mut place = Place::new("anthropic/fake", (0..9).map(|_| long()));
    (place.settings.max_result, place.settings.max_rounds) = (1_000, 3);
    let turned = place.turn("go");
    assert_eq!((turned.end, turned.rounds), (End::Rounds(3), 3));
    assert!(place.seen()[2].contains("[cut: the first 1000 of 3000 bytes"), "{}", place.seen()[2]);
    place.verify();
}

#[test]
fn a_call_asks_the_person_after_the_others_and_runs_again() {
    let paint = || calls(&[("paint", json!({})), ("echo", json!({ "text": "b" }))]);
    let place = Place::new(
        "openai/fake",
        [paint(), json!({ "text": "Red." }), paint(), json!({ "text": "Nobody." })],
    );
    place.log.answers.lock().expect("no panic").push(Answer::Given(Default::default()));
    place.turn("paint it");
    assert_eq!(place.log.count("paint gives red"), 1, "{:?}", place.log.list());
    // Nobody answers: the model reads that an answer is needed.
    place.turn("again");
    assert_eq!(place.log.count("paint fails"), 1, "{:?}", place.log.list());
    assert!(place.seen().iter().any(|seen| seen.contains("Paint it red?")), "{:?}", place.seen());
    place.verify();
}

#[test]
fn hooks_of_a_turn_stop_it_add_to_it_and_make_it_go_on() {
    let place = Place::new(
        "openai/fake",
        [json!({ "text": "not yet" }), json!({ "text": "now, and tell me" })],
    );
    let turned = place.turn("something forbidden");
    assert!(matches!(&turned.end, End::Stopped(reason) if reason.contains("not that")));
    assert_eq!(place.model.requests().len(), 0, "what is stopped is not sent");
    let turned = place.turn("fine");
    assert_eq!((turned.end, turned.rounds), (End::Done, 2));
    let seen = place.seen();
    assert!(seen[0].contains("A message of the user was stopped"), "{seen:?}");
    assert_eq!(seen[1], "user fine");
    for asked in place.model.requests() {
        assert!(!asked.body.to_string().contains("something forbidden"), "it is sent: {asked:?}");
    }
    assert!(seen[3].starts_with("notice") && seen[3].contains("go on, please"), "{seen:?}");
    assert!(seen[5].starts_with("notice") && seen[5].contains("you asked to be told"), "{seen:?}");
    place.verify();
}

#[test]
fn a_turn_is_cancelled_in_the_middle_and_the_session_goes_on() {
    for provider in PROVIDERS {
        let place = Place::new(
            provider,
            [json!({ "text": "I think that STOP", "hold": true }), json!({ "text": "Fine." })],
        );
        *place.log.cancels_at.lock().expect("no panic") = Some(("STOP", place.cancel.clone()));
        let turned = place.turn("go");
        assert_eq!(turned.end, End::Cancelled);
        assert_eq!(place.seen(), ["user go", "assistant I think that STOP []"]);
        let worker =
            Worker::new(&place.pod, &place.session, &place.provider, &place.settings, &place.log);
        let turned = worker.turn("and?", &Cancel::default()).expect("a turn");
        assert_eq!(turned.text, "Fine.");
        place.verify();
    }
}

#[test]
fn what_no_hook_saw_is_not_sent_with_the_next_message() {
    let place = Place::new("openai/fake", [json!({ "text": "Hello." })]);
    place.cancel.cancel();
    assert_eq!(place.turn("something forbidden").end, End::Cancelled);
    let worker =
        Worker::new(&place.pod, &place.session, &place.provider, &place.settings, &place.log);
    let turned = worker.turn("hi", &Cancel::default()).expect("a turn");
    assert_eq!(turned.text, "Hello.");
    assert!(!place.shown_at(0).contains("forbidden"), "{}", place.shown_at(0));
    place.verify();
}

#[test]
fn a_call_that_is_under_way_is_cancelled_with_its_turn() {
    let place = Place::new("openai/fake", [calls(&[("spin", json!({}))])]);
    *place.log.cancels_at.lock().expect("no panic") = Some(("begins spin", place.cancel.clone()));
    let turned = place.turn("go");
    assert_eq!((turned.end, turned.rounds), (End::Cancelled, 1));
    let seen = place.seen();
    assert!(seen[2].starts_with("result") && seen[2].ends_with("true"), "{seen:?}");
    place.verify();
}

#[test]
fn calls_beyond_the_bound_are_told_to_come_again() {
    let echo = || ("echo", json!({ "text": "a" }));
    let mut place =
        Place::new("openai/fake", [calls(&[echo(), echo(), echo()]), json!({ "text": "So." })]);
    (place.settings.max_calls, place.settings.parallel) = (2, 1);
    place.turn("go");
    assert_eq!((place.log.count("echo gives a"), place.log.count("echo fails not called")), (2, 1));
    place.verify();
}

/// A model in this process: what it does at each request.
struct Own<F>(F);

impl<F: Fn(u64) -> Result<Said, ModelError> + Send + Sync> Model for Own<F> {
    fn provider(&self) -> &str {
        "own"
    }

    fn name(&self) -> &str {
        "own"
    }

    fn ask(
        &self,
        request: Request<'_>,
        hear: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
        _: &Cancel,
    ) -> Result<Said, ModelError> {
        let answer = (self.0)(request.messages.len() as u64)?;
        if answer.calls.is_empty() {
            let _ = hear(Piece::Text("done"));
        }
        Ok(answer)
    }
}

fn calling(tool: &str, arguments: Value, count: usize) -> Said {
    let call = |index| (format!("c{index}"), tool.to_owned(), arguments.clone());
    Said { calls: (0..count).map(call).collect(), ..Said::default() }
}

#[test]
fn a_request_keeps_the_tools_that_it_began_with() {
    let place = Place::new("openai/fake", []);
    let swapped = AtomicBool::new(false);
    let own = Own(|_| {
        if swapped.swap(true, Ordering::SeqCst) {
            return Ok(Said::default());
        }
        // While the model thinks, everything is taken away.
        let plan = FeatureRegistryBuilder::new(HostPolicy::new()).plan();
        place.pod.swap(Arc::new(plan.install().0), Features::new()).expect("a log");
        Ok(calling("echo", json!({ "text": "still here" }), 1))
    });
    let worker = Worker::new(&place.pod, &place.session, &own, &place.settings, &place.log);
    worker.turn("go", &place.cancel).expect("a turn");
    assert_eq!(place.log.count("echo gives still here"), 1, "{:?}", place.log.list());
    assert_eq!(place.pod.catalog().tools().len(), 0);
    place.verify();
}

/// Pages that this process has in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4_096
}

#[test]
fn a_model_answers_the_messages_to_sub_pods() {
    let place = Place::new("openai/fake", []);
    let rounds = AtomicU64::new(0);
    let below = Own(move |_| match rounds.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(calling("count_words", json!({ "text": "one two" }), 1)),
        1 => Ok(Said::default()),
        _ => Err(ModelError::new(Fault::Denied, "nobody knows me")),
    });
    let settings = place.settings.clone();
    place.pod.set_responder(Arc::new(ModelResponder::new(Arc::new(below), settings)));
    let call = |tool: &str, arguments| {
        let outcome = place.pod.call(tool, arguments, CallOptions::default());
        outcome.result.unwrap_or_else(|failure| panic!("{failure}"))
    };
    let started = call("spawn_pod", json!({ "name": "below", "tools": ["count_words"] }));
    let id = started["pod"].clone();
    let answer = |text: &str| {
        let mut told = call("message_pod", json!({ "pod": id, "text": text }));
        while told["state"] == "working" {
            told = call("read_pod", json!({ "pod": id }));
        }
        told
    };
    assert_eq!(answer("count")["text"], "done");
    let failed = answer("again");
    assert!(failed["error"].to_string().contains("nobody knows me"), "{failed}");
    let folder = place.folder.path().join("state/session");
    let name = started["session"].as_str().expect("a name");
    let messages = transcript(&folder.join(name), None).expect("a session");
    let results = messages.filter(|message| {
        matches!(&message.as_ref().expect("it").content, Content::ToolResult { shown, .. } if *shown == 2)
    });
    assert_eq!(results.count(), 1);
}

#[test]
fn every_point_fires_in_a_turn_and_in_one_of_a_sub_pod() {
    let steps = || [calls(&[("echo", json!({ "text": "a" }))]), json!({ "text": "done" })];
    let mut place = Place::with(HOOKS, "openai/fake", [steps(), steps()].concat());
    let expected = |turns: u64| {
        HookPoint::ALL.map(|point| match point {
            HookPoint::PreRequest | HookPoint::PostAssistant => (point, 2 * turns),
            HookPoint::PreToolCall | HookPoint::PostToolCall | HookPoint::TurnEnd => (point, turns),
        })
    };
    let asked = |pod: &Pod| {
        HookPoint::ALL.map(|point| {
            let report = pod.hook_report();
            let of = report.iter().filter(|hook| hook.point == point && hook.failures == 0);
            (point, of.map(|hook| hook.asked).sum::<u64>())
        })
    };
    assert_eq!(place.turn("go").end, End::Done);
    assert_eq!(asked(&place.pod), expected(1));

    let settings = place.settings.clone();
    let name = ModelName::parse("openai/fake").expect("a model");
    let own = Provider::new(name, Some(&place.model.url()), None).expect("an address");
    let model = std::mem::replace(&mut place.provider, own);
    place.pod.set_responder(Arc::new(ModelResponder::new(Arc::new(model), settings)));
    let call = |tool: &str, arguments| {
        let outcome = place.pod.call(tool, arguments, CallOptions::default());
        outcome.result.unwrap_or_else(|failure| panic!("{failure}"))
    };
    let started = call("spawn_pod", json!({ "name": "below", "tools": ["echo"] }));
    let mut told = call("message_pod", json!({ "pod": started["pod"], "text": "go" }));
    while told["state"] == "working" {
        told = call("read_pod", json!({ "pod": started["pod"] }));
    }
    assert_eq!(told["text"], "done", "{told}");
    assert_eq!(asked(&place.pod), expected(2));
}

/// Set in the process that the test starts: what is in memory there is the session's alone.
#[cfg(target_os = "linux")]
const ALONE: &str = "PEASY_WORKER_ALONE";

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_calls_take_no_memory_that_stays() {
    if std::env::var_os(ALONE).is_some() {
        return ten_thousand_calls();
    }
    let program = std::env::current_exe().expect("the test runs from a file");
    let output = std::process::Command::new(program)
        .args(["--exact", "worker::ten_thousand_calls_take_no_memory_that_stays", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("the test binary runs");
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{shown}\n{errors}", output.status);
    assert!(shown.contains("1 passed"), "nothing ran: {shown}");
}

#[cfg(target_os = "linux")]
fn ten_thousand_calls() {
    peasy::script::meter::settle_allocator();
    let mut place = Place::new("openai/fake", []);
    place.settings.compact_at = Some(1_000);
    let rounds = AtomicU64::new(0);
    // Ten rounds of ten calls make a turn; the session is summarised whenever it has grown.
    let own = Own(|messages| {
        let tokens = Some(Tokens { input: messages * 10, output: 1, cached: 0 });
        let round = rounds.fetch_add(1, Ordering::SeqCst);
        let calls = if round % 11 == 10 { 0 } else { 10 };
        let text = json!({ "text": "x".repeat(1_000) });
        Ok(Said { tokens, ..calling("echo", text, calls) })
    });
    let worker = Worker::new(&place.pod, &place.session, &own, &place.settings, &Silent);
    let mut calls = 0;
    let mut at_a_third = 0;
    while calls < 10_000 {
        calls += worker.turn("go on", &place.cancel).expect("a turn").calls;
        if at_a_third == 0 && calls > 3_300 {
            at_a_third = resident();
        }
    }
    let grown = resident().saturating_sub(at_a_third);
    println!("{at_a_third} bytes at a third, {grown} more at the end");
    // What was said meanwhile is six megabytes of texts, and as much of record.
    assert!(grown < 12 << 20, "{grown} bytes more after the last two thirds");
    place.verify();
    let log = Arc::clone(place.pod.log());
    drop(place.session);
    let session = Session::resume(log, &about()).expect("it goes on");
    assert!(session.transcript().expect("a log").len() < 200);
}

#[test]
fn a_long_session_is_summarised_and_the_log_keeps_everything() {
    let mut place = Place::new(
        "openai/fake",
        [
            json!({ "text": "One.", "usage": [10, 5] }),
            json!({ "text": "Two.", "usage": [2_000, 5] }),
            json!({ "text": "They counted to two.", "usage": [2_100, 5] }),
            json!({ "text": "Three.", "usage": [50, 5] }),
        ],
    );
    place.settings.compact_at = Some(1_000);
    place.session.append_instructions("Be brief.", "the test").expect("a fact");
    let worker =
        Worker::new(&place.pod, &place.session, &place.provider, &place.settings, &place.log);
    for text in ["one", "two", "three"] {
        worker.turn(text, &place.cancel).expect("a turn");
    }
    assert_eq!(
        place.seen(),
        ["system Be brief.", "summary of 7 They counted to two.", "assistant Three. []"],
    );
    assert_eq!(place.log.count("compacted 5"), 1, "{:?}", place.log.list());
    let last = place.shown_at(3);
    assert!(last.contains("They counted to two.") && !last.contains("One."), "{last}");
    place.verify();
    let all = std::fs::read_to_string(place.session_folder().join("log.jsonl")).expect("the log");
    assert!(all.contains("One.") && all.contains("Two."));
}

#[test]
fn hooks_are_asked_of_a_summary_as_of_every_request() {
    let mut place = Place::new(
        "openai/fake",
        [
            json!({ "text": "One." }),
            json!({ "text": "Two.", "usage": [2_000, 5] }),
            json!({ "text": "They counted; tell me more." }),
        ],
    );
    place.settings.compact_at = Some(1_000);
    let worker = |provider: &Provider, work: &dyn Fn(&Worker<'_>)| {
        let (pod, session, settings) = (&place.pod, &place.session, &place.settings);
        work(&Worker::new(pod, session, provider, settings, &place.log).after(2, 2_005));
    };
    place.turn("one");
    place.turn("two");
    let name = ModelName::parse("openai/offline").expect("a model");
    let offline = Provider::new(name, Some(&place.model.url()), None).expect("an address");
    worker(&offline, &|worker| {
        assert_eq!(worker.compact(&place.cancel).expect("the log works"), 0);
        let turned = worker.turn("three", &place.cancel).expect("a turn");
        assert!(matches!(&turned.end, End::Stopped(why) if why.contains("no network now")));
    });
    assert_eq!(place.log.count("problem hook/stopped"), 1, "{:?}", place.log.list());
    assert_eq!(place.model.requests().len(), 2, "what is stopped is not sent");
    assert!(!place.seen().contains(&"user three".to_owned()), "{:?}", place.seen());
    worker(&place.provider, &|worker| {
        assert_eq!(worker.compact(&place.cancel).expect("the log works"), 5);
    });
    let seen = place.seen();
    assert!(seen[0].ends_with("They counted; tell me more."), "{seen:?}");
    assert!(seen[1].contains("you asked to be told"), "{seen:?}");
    place.verify();
}

#[test]
fn a_summary_that_did_not_come_is_asked_for_again_when_the_session_has_grown() {
    let text = |text: &str, read: u64| json!({ "text": text, "usage": [read, 0] });
    let mut place = Place::new(
        "openai/fake",
        [
            text("One.", 10),
            text("Two.", 2_000),
            json!({ "status": 400 }),
            text("Three.", 2_050),
            text("Four.", 2_399),
            text("Five.", 2_400),
            text("They counted to five.", 2_450),
            text("Six.", 50),
        ],
    );
    place.settings.compact_at = Some(1_000);
    // Each turn has a worker of its own, as in a chat.
    let (mut context, mut unsummarised) = (0, 0);
    for text in ["one", "two", "three", "four", "five", "six"] {
        let (pod, session, settings) = (&place.pod, &place.session, &place.settings);
        let worker = Worker::new(pod, session, &place.provider, settings, &place.log)
            .after(0, context)
            .unsummarised_at(unsummarised);
        assert_eq!(worker.turn(text, &place.cancel).expect("a turn").end, End::Done, "{text}");
        (context, unsummarised) = (worker.context(), worker.unsummarised());
    }
    assert_eq!((place.log.count("problem"), place.log.count("compacted")), (1, 1));
    assert_eq!(place.model.requests().len(), 8);
    let seen = place.seen();
    assert!(seen[0].ends_with("They counted to five."), "{seen:?}");
    place.verify();
}

#[test]
fn a_session_is_summarised_where_the_provider_counts_nothing() {
    let mut place = Place::new("openai/fake", []);
    place.settings.compact_at = Some(1_000);
    let own = Own(|_| Ok(Said::default()));
    let worker = Worker::new(&place.pod, &place.session, &own, &place.settings, &place.log);
    for _ in 0..3 {
        worker.turn(&"x".repeat(2_000), &place.cancel).expect("a turn");
    }
    assert_eq!(place.log.count("compacted 5"), 1, "{:?}", place.log.list());
    assert!(worker.context() < 100, "{}", worker.context());
    place.verify();
}

#[test]
fn a_summary_that_does_not_come_leaves_the_session_as_it_was() {
    for step in [
        json!({ "status": 400 }),
        json!({ "calls": [{ "tool": "echo", "arguments": { "text": "a" } }] }),
        json!({ "text": " " }),
    ] {
        let place = Place::new(
            "anthropic/fake",
            [
                json!({ "text": "One." }),
                json!({ "text": "Two." }),
                step,
                json!({ "text": "Three." }),
            ],
        );
        let worker =
            Worker::new(&place.pod, &place.session, &place.provider, &place.settings, &place.log);
        worker.turn("one", &place.cancel).expect("a turn");
        worker.turn("two", &place.cancel).expect("a turn");
        assert_eq!(worker.compact(&place.cancel).expect("the log works"), 0);
        worker.turn("three", &place.cancel).expect("a turn");
        let seen = place.seen();
        assert_eq!(seen[..4], ["user one", "assistant One. []", "user two", "assistant Two. []"]);
        assert_eq!(seen[5..], ["user three", "assistant Three. []"], "{seen:?}");
        place.verify();
    }
}

#[test]
fn a_key_is_sent_and_told_to_nobody() {
    let model = FakeModel::start([
        json!({ "status": 401, "message": "the key sk-very-secret-0123456789 is wrong" }),
    ]);
    let key =
        peasy::feature::secret::SecretText::new("sk-very-secret-0123456789".to_owned().into());
    let name = ModelName::parse("openai/fake").expect("a model");
    let provider =
        Provider::new(name, Some(&model.url()), Some(key.expect("a key"))).expect("an address");
    let place = Place::new("openai/fake", []);
    let worker = Worker::new(&place.pod, &place.session, &provider, &place.settings, &place.log);
    let End::Failed(problem) = worker.turn("hello", &place.cancel).expect("a turn").end else {
        panic!("it is denied")
    };
    assert!(!problem.message.contains("sk-very"), "{}", problem.message);
    assert!(!format!("{provider:?}").contains("sk-very"));
    let sent = &model.requests()[0].headers;
    assert!(sent.contains("authorization: bearer sk-very-secret-0123456789"), "{sent}");
}
