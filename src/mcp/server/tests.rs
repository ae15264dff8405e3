use super::*;
use crate::feature::call::CallContext;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::ToolDeclaration;
use crate::feature::event::{EventBody, FeatureEvent, Level};
use crate::feature::grant::HostPolicy;
use crate::feature::question::{Answer, Question, Wanted};
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::schema::{Arguments, Parameters as Form, Type};
use crate::feature::testing::{Module, id, tool};
use crate::mcp::message::{Parsed, parse};
use crate::pod::{Pod, PodOptions};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use tempfile::TempDir;

/// Keeps what a client would read.
#[derive(Default)]
struct Kept(Mutex<Vec<Option<Value>>>);

impl Channel for Kept {
    fn tell(&self, text: String) {
        self.push(Some(&text));
    }

    fn end(&self, reply: Option<Reply>) {
        self.push(reply.as_ref().map(|reply| &*reply.text));
    }
}

impl Kept {
    fn push(&self, text: Option<&str>) {
        assert!(text.is_none_or(|text| !text.contains('\n')), "a message is one line");
        let message = text.map(|text| serde_json::from_str(text).expect("JSON"));
        self.0.lock().expect("no test panics with it").push(message);
    }

    /// What came since; `null` stands for a request that ended without an answer.
    fn take(&self) -> Vec<Value> {
        let all = std::mem::take(&mut *self.0.lock().expect("no test panics with it"));
        all.into_iter().map(Option::unwrap_or_default).collect()
    }
}

/// A server, and one client of it.
struct Peer {
    _folder: TempDir,
    pod: Arc<Pod>,
    server: Arc<Server>,
    session: Arc<Session>,
    kept: Arc<Kept>,
    channel: Arc<dyn Channel>,
}

fn catalog(modules: impl IntoIterator<Item = Module>) -> Arc<Catalog> {
    let builder = FeatureRegistryBuilder::new(HostPolicy::new());
    let builder = modules.into_iter().fold(builder, FeatureRegistryBuilder::module);
    Arc::new(builder.plan().install().0)
}

impl Peer {
    fn of(modules: impl IntoIterator<Item = Module>) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let options = PodOptions {
            project: None,
            state: folder.path().to_owned(),
            session: "test".to_owned(),
            durability: Default::default(),
            workspace: None,
            secrets: None,
            closed: Vec::new(),
        };
        let pod = Pod::open(&options, catalog(modules), HashMap::new()).expect("a log");
        let pod = Arc::new(pod);
        let tools = Arc::new(ToolList::new(Arc::clone(&pod)));
        let server = Server::new(tools, ServeOptions::default()).expect("random numbers");
        let kept: Arc<Kept> = Arc::default();
        let channel = Arc::clone(&kept) as Arc<dyn Channel>;
        Self { _folder: folder, pod, server, session: Arc::default(), kept, channel }
    }

    /// After a handshake in which the client says that of itself.
    fn agreed(self, version: &str, capabilities: Value, name: &str) -> Self {
        let about = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": { "name": name, "version": "1" },
        });
        let answer = self.ask(0, "initialize", about);
        assert_eq!(answer["result"]["serverInfo"]["name"], "peasy");
        self.take(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        self
    }

    fn take(&self, message: &Value) -> Step {
        let line = message.to_string();
        match parse(line.as_bytes()) {
            Parsed::Request(request) => self.server.request(&self.session, &self.channel, request),
            Parsed::Notification { method, parameters } => {
                let channel = Some(&self.channel);
                self.server.notification(&self.session, &method, &parameters, channel);
                Step::Done
            }
            Parsed::Response { id, result } => Server::response(&self.session, &id, result),
            Parsed::Refused(reply) => Step::Reply(reply),
            Parsed::Nothing => Step::Done,
        }
    }

    /// Everything that comes of a message.
    fn all(&self, message: &Value) -> Vec<Value> {
        match self.take(message) {
            Step::Done => (),
            Step::Reply(reply) => self.kept.push(Some(&reply.text)),
            Step::Call(call) => call.run(),
        }
        self.kept.take()
    }

    fn one(&self, message: &Value) -> Value {
        let mut all = self.all(message);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn ask(&self, id: i64, method: &str, parameters: Value) -> Value {
        let answer = self
            .one(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&self, name: &str, arguments: Value) -> Value {
        self.ask(7, "tools/call", json!({ "name": name, "arguments": arguments }))
    }
}

/// What a request of the stateless era carries.
fn stateless(mut parameters: Value, capabilities: &Value) -> Value {
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    parameters
}

fn echo() -> Module {
    let mut echo = tool("echo");
    echo.parameters.add("text", Type::string(), None, "for the test").expect("a parameter");
    Module::new("user:echo").tool(echo)
}

/// A tool that asks for a name and then for consent, and says what it was answered and under which
/// conditions it ran.
fn asking() -> Module {
    Module::new("user:asking").tool(taking_anything("greet")).running("greet", |_, context| {
        let question = |text: &str, wanted| {
            let text = text.to_owned();
            let question = Question { feature: Some(id("user:asking")), name: None, text, wanted };
            let diagnostic = Diagnostic::caller("call/failed", "a person has to answer");
            let question = Some(Box::new(question));
            Outcome::failure(Failure { diagnostics: vec![diagnostic], question })
        };
        match &*context.answers {
            [] => {
                let mut form = Form::new();
                form.add("name", Type::string(), None, "Yours").expect("a parameter");
                form.add("age", Type::int().optional(), None, "").expect("a parameter");
                question("who are you?", Wanted::Form(form))
            }
            [Answer::Given(_)] => question("greet them?", Wanted::Consent),
            answers => {
                let conditions = context.conditions;
                let ran = json!([conditions.now.is_some(), conditions.seed.to_string()]);
                Outcome::success(json!({ "answers": answers, "ran": ran }))
            }
        }
    })
}

fn taking_anything(name: &str) -> ToolDeclaration {
    let mut tool = tool(name);
    let kind = Type::int().optional();
    tool.parameters.add("n", kind, None, "for the test").expect("a parameter");
    tool
}

/// A tool that says when it has begun, and waits until it is told to end.
fn waiting() -> (Module, Receiver<()>, Sender<()>) {
    let ((begun, has_begun), (end, told)) = (channel(), channel());
    let both = Mutex::new((begun, told));
    let run = move |_: Arguments, context: &CallContext| {
        let both = both.lock().expect("one call at a time");
        both.0.send(()).expect("the test waits for it");
        both.1.recv().expect("the test ends it");
        Outcome::success(context.cancel.is_cancelled())
    };
    let module = Module::new("user:waiting").tool(tool("wait")).running("wait", run);
    (module, has_begun, end)
}

#[test]
fn a_handshake_agrees_on_a_version_and_on_nothing_else() {
    for (wanted, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let answer = Peer::of([]).ask(0, "initialize", json!({ "protocolVersion": wanted }));
        assert_eq!(answer["result"]["protocolVersion"], agreed, "{wanted}");
        let capabilities = json!({ "logging": {}, "tools": { "listChanged": true } });
        assert_eq!(answer["result"]["capabilities"], capabilities);
    }
    for parameters in [json!({}), json!({ "protocolVersion": 1 }), json!([])] {
        let answer = Peer::of([]).ask(0, "initialize", parameters);
        assert_eq!(answer["error"]["code"], -32602);
    }
}

#[test]
fn before_the_handshake_there_is_nothing_but_ping() {
    let peer = Peer::of([echo()]);
    assert_eq!(peer.ask(1, "ping", json!({}))["result"], json!({}));
    for method in ["tools/list", "tools/call", "logging/setLevel", "server/discover"] {
        assert_eq!(peer.ask(1, method, json!({}))["error"]["code"], -32602, "{method}");
    }
    assert_eq!(peer.ask(1, "prompts/list", json!({}))["error"]["code"], -32601);
}

#[test]
fn each_request_of_the_stateless_era_stands_for_itself() {
    let peer = Peer::of([echo()]);
    let ask =
        |method: &str, parameters: Value| peer.ask(1, method, stateless(parameters, &json!({})));
    let found = ask("server/discover", json!({}))["result"].clone();
    assert_eq!(
        found["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    );
    let listed = ask("tools/list", json!({}))["result"].clone();
    for result in [&found, &listed] {
        assert_eq!(result["resultType"], "complete");
        assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "peasy");
    }
    assert_eq!(listed["tools"][0]["name"], "echo");
    let called = ask("tools/call", json!({ "name": "echo", "arguments": { "text": "é" } }));
    assert_eq!(called["result"]["structuredContent"], json!({ "text": "é" }));
    assert_eq!(called["result"]["resultType"], "complete");
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "x"] {
        assert_eq!(ask(method, json!({}))["error"]["code"], -32601, "{method}");
    }
    assert!(peer.session.client().is_none(), "nothing is remembered");
}

#[test]
fn what_each_request_has_to_say_is_asked_for() {
    let peer = Peer::of([echo()]);
    let ask = |meta: Value| peer.ask(1, "tools/list", json!({ "_meta": meta }))["error"].clone();
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for meta in [
        json!({ version: STATELESS }),
        json!({ version: STATELESS, capabilities: [] }),
        json!({ version: 1, capabilities: {} }),
    ] {
        assert_eq!(ask(meta.clone())["code"], -32602, "{meta}");
    }
    for unknown in ["v999.0.0", "2025-06-18"] {
        let error = ask(json!({ version: unknown, capabilities: {} }));
        assert_eq!(error["code"], -32022);
        assert_eq!(error["data"], json!({ "requested": unknown, "supported": [STATELESS] }));
    }
}

#[test]
fn a_person_is_asked_with_a_request_of_ours() {
    let peer = Peer::of([asking()]).agreed("2025-06-18", json!({ "elicitation": {} }), "test");
    let begin =
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "greet" } });
    let question = peer.one(&begin);
    assert_eq!(
        question,
        json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "elicitation/create",
            "params": {
                "message": "asking: who are you?",
                "requestedSchema": {
                    "type": "object",
                    "properties": {
                        "name": { "description": "Yours", "type": "string" },
                        "age": { "type": "integer" },
                    },
                    "required": ["name"],
                },
            },
        })
    );
    let answer =
        |id: i64, result: Value| peer.all(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    assert!(answer(99, json!({ "action": "accept" })).is_empty(), "nobody asked that");
    let again = answer(1, json!({ "action": "accept", "content": { "name": 5 } }));
    let message = again[0]["params"]["message"].as_str().expect("a text").to_owned();
    assert!(message.contains("did not fit") && message.contains("`name`"), "{message}");
    assert!(answer(1, json!({ "action": "accept" })).is_empty(), "that was answered");
    let next = answer(2, json!({ "action": "accept", "content": { "name": "Ann" } }));
    assert_eq!(next[0]["params"]["message"], "asking: greet them?");
    let schema = json!({ "type": "object", "properties": {} });
    assert_eq!(next[0]["params"]["requestedSchema"], schema);
    let last = answer(3, json!({ "action": "decline" }));
    assert_eq!(last[0]["id"], 7);
    let result = &last[0]["result"]["structuredContent"];
    assert_eq!(result["answers"], json!([{ "given": { "name": "Ann" } }, "declined"]));
    assert_eq!(result["ran"][0], true, "the clock is that of the first run");
    assert!(last[0]["result"].get("resultType").is_none(), "that era knows no such thing");
}

#[test]
fn what_is_no_answer_ends_a_question_after_a_while() {
    let peer = Peer::of([asking()]).agreed("2025-11-25", json!({ "elicitation": {} }), "test");
    let begin =
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "greet" } });
    peer.one(&begin);
    for id in 1..=2 {
        let again = peer.one(&json!({ "jsonrpc": "2.0", "id": id, "result": 5 }));
        assert_eq!(again["method"], "elicitation/create");
    }
    let last = peer.one(&json!({ "jsonrpc": "2.0", "id": 3, "result": { "action": "?" } }));
    assert_eq!(last["result"]["structuredContent"]["answers"], json!(["dismissed"]));
    peer.one(&begin);
    let error = json!({ "code": -1, "message": "no" });
    let last = peer.one(&json!({ "jsonrpc": "2.0", "id": 4, "error": error }));
    assert_eq!(last["result"]["structuredContent"]["answers"], json!(["dismissed"]));
}

#[test]
fn a_question_that_nobody_wants_answered_is_forgotten() {
    let peer = Peer::of([asking()]).agreed("2025-06-18", json!({ "elicitation": {} }), "test");
    let begin =
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "greet" } });
    peer.one(&begin);
    assert_eq!(peer.one(&begin)["error"]["code"], -32600, "the id is in use");
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    assert!(peer.all(&cancel).is_empty());
    let late = json!({ "jsonrpc": "2.0", "id": 1, "result": { "action": "accept" } });
    assert!(peer.all(&late).is_empty());
    assert_eq!(peer.one(&begin)["method"], "elicitation/create", "the id is free again");
    for call in peer.session.unanswered() {
        call.give_up();
    }
    let told = peer.kept.take();
    assert_eq!((&told[0]["id"], &told[0]["result"]["isError"]), (&json!(7), &json!(true)));
    assert!(peer.session.wait_until_idle(None));
}

#[test]
fn a_person_is_asked_in_the_result() {
    let peer = Peer::of([asking()]);
    let can_ask = json!({ "elicitation": { "form": {} } });
    let call = |more: Value| {
        let mut parameters = json!({ "name": "greet", "arguments": { "n": 1 } });
        parameters
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        peer.ask(7, "tools/call", stateless(parameters, &can_ask))
    };
    let first = call(json!({}))["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    let request = &first["inputRequests"]["question-1"];
    assert_eq!(request["method"], "elicitation/create");
    assert_eq!(request["params"]["message"], "asking: who are you?");
    let state = first["requestState"].clone();
    // What is not answered is asked again, and so is what does not fit.
    for responses in [json!({}), json!({ "other": {} }), json!(5), json!(null)] {
        let again = call(json!({ "requestState": state, "inputResponses": responses }));
        assert_eq!(again["result"]["inputRequests"], first["inputRequests"]);
    }
    let wrong = json!({ "question-1": { "action": "accept", "content": {} } });
    let again = call(json!({ "requestState": state, "inputResponses": wrong }));
    let message = again["result"]["inputRequests"]["question-1"]["params"]["message"].to_string();
    assert!(message.contains("did not fit"), "{message}");
    // Answers without a state are answers to nothing.
    let right = json!({ "question-1": { "action": "accept", "content": { "name": "Ann" } } });
    let fresh = call(json!({ "inputResponses": right }));
    assert_eq!(fresh["result"]["inputRequests"], first["inputRequests"]);
    let second = call(json!({ "requestState": state, "inputResponses": right }))["result"].clone();
    assert_eq!(second["inputRequests"]["question-2"]["params"]["message"], "asking: greet them?");
    assert_ne!(second["requestState"], state);
    let yes = json!({ "question-2": { "action": "accept" } });
    let last = call(json!({ "requestState": second["requestState"], "inputResponses": yes }));
    let result = &last["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(
        result["structuredContent"]["answers"],
        json!([{ "given": { "name": "Ann" } }, { "given": {} }])
    );
    // It belongs to these arguments, and nobody writes one.
    for (state, arguments) in [(&state, json!({ "n": 2 })), (&json!("x.y"), json!({ "n": 1 }))] {
        let parameters = json!({ "name": "greet", "arguments": arguments, "requestState": state });
        let answer = peer.ask(7, "tools/call", stateless(parameters, &can_ask));
        assert_eq!(answer["error"]["code"], -32602);
    }
}

#[test]
fn who_asks_nobody_reads_what_is_missing() {
    let old = Peer::of([asking()]).agreed("2025-06-18", json!({}), "test");
    let before_questions =
        Peer::of([asking()]).agreed("2025-03-26", json!({ "elicitation": {} }), "test");
    let addresses_only =
        Peer::of([asking()]).agreed("2025-11-25", json!({ "elicitation": { "url": {} } }), "test");
    for peer in [old, before_questions, addresses_only] {
        let answer = peer.call("greet", json!({}));
        assert_eq!(answer["result"]["isError"], true);
        let said = answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned();
        assert!(said.contains("a person has to answer"), "{said}");
    }
    let peer = Peer::of([asking()]);
    let answer = peer.ask(7, "tools/call", stateless(json!({ "name": "greet" }), &json!({})));
    assert_eq!(answer["error"]["code"], -32021);
    let needed = json!({ "requiredCapabilities": { "elicitation": { "form": {} } } });
    assert_eq!(answer["error"]["data"], needed);
}

#[test]
fn a_request_is_answered_once_and_a_cancelled_one_never() {
    let (module, has_begun, end) = waiting();
    let peer = Peer::of([module]).agreed("2025-06-18", json!({}), "test");
    let begin = json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": { "name": "wait" } });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "a" } });
    for is_cancelled in [false, true] {
        let Step::Call(call) = peer.take(&begin) else { panic!("it is to be run") };
        let running = std::thread::spawn(move || call.run());
        has_begun.recv().expect("it begins");
        assert_eq!(peer.one(&begin)["error"]["code"], -32600, "the id is in use");
        if is_cancelled {
            peer.take(&cancel);
        }
        end.send(()).expect("it waits");
        running.join().expect("it ends");
        let told = peer.kept.take();
        assert_eq!(told.len(), 1);
        match is_cancelled {
            true => assert_eq!(told[0], Value::Null),
            false => assert_eq!(told[0]["result"]["content"][0]["text"], "false"),
        }
        assert!(peer.session.wait_until_idle(None));
    }
}

#[test]
fn what_a_call_tells_stands_before_its_answer() {
    let chatty = Module::new("user:chatty").tool(tool("chatty")).can_use("emit").running(
        "chatty",
        |_, context| {
            let emit = |body| {
                let (feature, channel) = (id("user:chatty"), None);
                context.sink.emit(FeatureEvent { feature, channel, body });
            };
            let message = |level| EventBody::Message { level, summary: "s".into(), detail: None };
            emit(EventBody::Progress { done: 1.0, total: None, text: None });
            emit(EventBody::Progress { done: 1.0, total: None, text: None });
            emit(message(Level::Info));
            emit(message(Level::Error));
            Outcome::success(1)
        },
    );
    let peer = Peer::of([chatty]).agreed("2025-06-18", json!({}), "test");
    let methods = |messages: Vec<Value>| -> Vec<String> {
        let method = |message: &Value| message["method"].as_str().unwrap_or("answer").to_owned();
        messages.iter().map(method).collect()
    };
    let call = |meta: Value| {
        let parameters = json!({ "name": "chatty", "_meta": meta });
        peer.all(
            &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters }),
        )
    };
    let (progress, message) = ("notifications/progress", "notifications/message");
    let token = json!({ "progressToken": "p" });
    assert_eq!(methods(call(token.clone())), [progress, message, message, "answer"]);
    assert_eq!(methods(call(json!({}))), [message, message, "answer"]);
    assert_eq!(methods(call(json!({ "progressToken": [] }))), [message, message, "answer"]);
    assert_eq!(peer.ask(2, "logging/setLevel", json!({ "level": "error" }))["result"], json!({}));
    assert_eq!(methods(call(token)), [progress, message, "answer"]);
    let level = peer.ask(2, "logging/setLevel", json!({ "level": "loud" }));
    assert_eq!(level["error"]["code"], -32602);
    // In the stateless era, each request says what it wants to hear.
    let call = |level: Option<&str>| {
        let mut parameters = stateless(json!({ "name": "chatty" }), &json!({}));
        if let Some(level) = level {
            parameters["_meta"]["io.modelcontextprotocol/logLevel"] = level.into();
        }
        methods(peer.all(
            &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters }),
        ))
    };
    assert_eq!(call(None), ["answer"]);
    assert_eq!(call(Some("warning")), [message, "answer"]);
    assert_eq!(call(Some("debug")), [message, message, "answer"]);
}

#[test]
fn a_change_is_told_to_those_who_listen() {
    let peer = Peer::of([echo()]).agreed("2025-06-18", json!({}), "test");
    let swap = |modules: Vec<Module>| {
        peer.pod.swap(catalog(modules), HashMap::new()).expect("a log");
        peer.server.tools.refresh()
    };
    assert!(!swap(vec![echo()]), "a client lists the same");
    assert!(peer.kept.take().is_empty());
    assert!(swap(vec![asking()]));
    assert_eq!(
        peer.kept.take(),
        [json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })]
    );
    let listen = |id: i64, wanted: Value| {
        let parameters = stateless(json!({ "notifications": wanted }), &json!({}));
        peer.one(&json!({
            "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": parameters,
        }))
    };
    let mark = |id: i64| json!({ "io.modelcontextprotocol/subscriptionId": id });
    let accepted = listen(5, json!({ "toolsListChanged": true, "promptsListChanged": true }));
    assert_eq!(accepted["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        accepted["params"],
        json!({ "_meta": mark(5), "notifications": { "toolsListChanged": true } })
    );
    let accepted = listen(6, json!({ "promptsListChanged": true }));
    assert_eq!(accepted["params"]["notifications"], json!({}));
    assert_eq!(peer.ask(8, "subscriptions/listen", json!({}))["error"]["code"], -32601);
    assert!(swap(vec![echo()]));
    let told = peer.kept.take();
    assert_eq!(told.len(), 2, "the client of the handshake, and the one that listens: {told:?}");
    assert_eq!(told[1]["params"], json!({ "_meta": mark(5) }));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } });
    assert!(peer.all(&cancel).is_empty());
    assert!(swap(vec![asking()]));
    assert_eq!(peer.kept.take().len(), 1, "nobody listens but the client of the handshake");
    peer.session.end_listening(Server::end_of_listening);
    let last = peer.kept.take();
    assert_eq!((last.len(), &last[0]["id"]), (1, &json!(6)));
    assert_eq!(last[0]["result"]["resultType"], "complete");
    assert_eq!(last[0]["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 6);
}

#[test]
fn who_never_lists_again_reaches_what_came_later() {
    let peer = Peer::of([echo()]).agreed("2025-06-18", json!({}), "codex-mcp-client");
    let listed = peer.ask(1, "tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<_> =
        listed.as_array().expect("a list").iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["echo", "peasy_tools", "peasy_call"]);
    peer.pod.swap(catalog([asking(), echo()]), HashMap::new()).expect("a log");
    peer.server.tools.refresh();
    peer.kept.take();
    let tools = peer.call("peasy_tools", json!({}));
    let text = tools["result"]["content"][0]["text"].as_str().expect("a text").to_owned();
    assert!(text.contains("\"greet\"") && text.contains("inputSchema"), "{text}");
    let called = peer.call("peasy_call", json!({ "tool": "echo", "arguments": { "text": "x" } }));
    assert_eq!(called["result"]["structuredContent"], json!({ "text": "x" }));
    let called = peer.call("peasy_call", json!({ "tool": "echo", "arguments": { "text": 1 } }));
    assert_eq!(called["result"]["isError"], true, "the real tool's types hold");
    let called = peer.call("peasy_call", json!({ "tool": "ehco" }));
    assert_eq!(called["error"]["code"], -32602);
    for wrong in [json!({}), json!({ "tool": 1 }), json!({ "tool": "echo", "args": {} })] {
        let called = peer.call("peasy_call", wrong);
        let said = called["result"]["content"][0]["text"].as_str().expect("a text").to_owned();
        assert!(said.contains("write {\"tool\":\"NAME\",\"arguments\":{}}"), "{said}");
    }
    let other = Peer::of([echo()]).agreed("2025-06-18", json!({}), "another");
    let listed = other.ask(1, "tools/list", json!({}))["result"]["tools"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(other.call("peasy_call", json!({}))["error"]["code"], -32602);
}

#[test]
fn a_tool_of_that_name_goes_before_ours() {
    let theirs = Module::new("user:theirs").tool(tool("peasy_call"));
    let peer = Peer::of([theirs]).agreed("2025-06-18", json!({}), "Codex");
    assert_eq!(peer.call("peasy_call", json!({}))["result"]["structuredContent"], json!({}));
}

#[test]
fn arguments_that_are_too_large_are_not_taken_apart() {
    let peer = Peer::of([echo()]).agreed("2025-06-18", json!({}), "test");
    let said = |text: String| {
        let answer = peer.call("echo", json!({ "text": text }));
        answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
    };
    assert!(said("x".repeat(2 << 20)).contains("limit/arguments"));
    // Room that a text only seems to take: it is escaped, and means little.
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{ {}"text":"{}"}}}}}}"#,
        " ".repeat(2 << 20),
        "\\u0061".repeat(200_000)
    );
    let Parsed::Request(request) = parse(line.as_bytes()) else { panic!("it is a request") };
    let step = peer.server.request(&peer.session, &peer.channel, request);
    assert!(matches!(step, Step::Call(_)));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_is_refused_that_fits(value in any_json()) {
        let fits = value.to_string().len() as u64;
        let spaced = serde_json::to_string_pretty(&value).expect("it is JSON");
        prop_assert!(least_bytes(&spaced) <= fits);
        // As large as it can be written.
        let escaped: String = spaced
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            })
            .collect();
        prop_assert!(least_bytes(&escaped) <= fits, "{}", escaped);
    }
}
