//! `pod`: sessions of their own below this one, each with tools and grants of this one or fewer.
//!
//! A message is sent and answered in the sub-pod's own time, so that no call holds anything while a model
//! thinks: whoever wants the answer looks for it, in this call or in a later one. Nothing here knows where a
//! sub-pod runs or what answers in it.

use super::options::Options;
use super::{ModuleBuilder, require};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, CapabilityError, PodAct};
use crate::feature::hook::{ToolGlob, ToolGlobError};
use crate::feature::subpod::{MOST_TEXT, Narrowing, PodAnswer, PodAsk, SpawnTerms, SubPodState};
use crate::script::frame::{self, Native, Role, error, refusal};
use crate::script::meter;
use crate::script::outside;
use crate::script::value::prefix;
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use serde_json::json;
use std::time::{Duration, Instant};

/// The operations that a look costs, and those of what begins or ends something.
const COST: u64 = 50;
const ACT: u64 = 1_000;

/// How long the host is asked to wait at a time: as often the bounds of the call are looked at.
const SLICE: u64 = 20;

/// Operations of one look at the bounds, so many that each sees the deadline of the call.
const LOOK: u64 = 256;

/// What is left of a call's time for what it does after it waited.
const RESERVE: Duration = Duration::from_millis(500);

/// The longest that a script may ask to wait, in milliseconds; the call's own bound is as long.
const MOST_TIME: i64 = 600_000;

/// The module of a feature that asked for `pod:…`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Sub-pods: sessions of their own with a model each, which work beside this one. Request \
         `pod:spawn`, `pod:message`, `pod:restore`. A sub-pod has the tools and the grants of this session \
         or fewer, never more; the same hooks and permissions hold for its calls, and what a person \
         would have to be asked is denied there. A message is answered in the sub-pod's own time: \
         `pod::wait` waits for as long as the call may, and a later call may look again. A feature reaches \
         the sub-pods that it started itself. The state of one is a map of `pod` (its id), `session` (where \
         it is on record), `state` (`idle`, `working` or `stopped`), `turns`, `text`, the answer to the last \
         message, and `error`, why there is none. What is done with sub-pods is not undone when a call fails. \
         Hooks and tests have none.",
    );
    beginning(&mut builder);
    talking(&mut builder);
    builder.build()
}

fn beginning(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// Starts a sub-pod with everything that this session has.", "/// pod::start().pod"])
        .function("start", ["map"], || spawn(&Map::new()))
        .docs(&[
            "/// The same with options: `name`, a word that its id begins with; `instructions`, what its model is \
             told first; `tools`, the names or patterns of those that it has; `grants`, what is left of the \
             grants of each feature there.",
            "/// pod::start(#{ name: \"reader\", tools: [\"read_*\", \"grep\"], grants: [\"fs:read=docs/**\"] }).pod",
        ])
        .function("start", ["options: map", "map"], |options: Map| spawn(&options))
        .docs(&[
            "/// Brings back a sub-pod that was stopped, or whose process ended, with what it had at most.",
            "/// pod::restore(\"reader-1\").state",
        ])
        .function("restore", ["pod: string", "map"], |pod: &str| {
            let ask = |pod| PodAsk::Restore { pod };
            one("pod::restore", PodAct::Restore, pod, ask)
        })
        .docs(&[
            "/// Ends a sub-pod with its turn and with what it started; whether there was something to end. Its \
             record stays.",
            "/// pod::stop(\"reader-1\")",
        ])
        .function("stop", ["pod: string", "bool"], |pod: &str| -> Native<bool> {
            begin(PodAct::Spawn, ACT)?;
            let pod = named(pod)?;
            let asked = || json!([pod]);
            outside::from("pod::stop", asked, || {
                match frame::ask_host(|host| host.pod(&PodAsk::Stop { pod: pod.clone() }))? {
                    PodAnswer::Done(done) => acted().map(|()| done),
                    _ => Err(lost()),
                }
            })
        });
}

fn talking(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Sends a sub-pod a message of at most 64 KiB, and does not wait for the answer. One that is at a \
             message takes no other.",
            "/// pod::message(\"reader-1\", \"What do the docs say about retries?\")",
        ])
        .function("message", ["pod: string", "text: string", "map"], message)
        .docs(&["/// How a sub-pod is now.", "/// pod::get(\"reader-1\").state"])
        .function("get", ["pod: string", "map"], |pod: &str| {
            one("pod::get", PodAct::Message, pod, |pod| PodAsk::Look { pod, patience: 0 })
        })
        .docs(&[
            "/// How a sub-pod is when its turn is over, or when the time of this call is nearly up. Whoever ends \
             this call meanwhile ends that turn as well.",
            "/// pod::wait(\"reader-1\").text",
        ])
        .function("wait", ["pod: string", "map"], |pod: &str| wait(pod, MOST_TIME))
        .docs(&["/// The same, for so many ms at most.", "/// pod::wait(\"reader-1\", 2000).state"])
        .function("wait", ["pod: string", "ms: int", "map"], wait)
        .docs(&[
            "/// The sub-pods that this feature started, the stopped ones that are on record among them.",
            "/// pod::list().map(|one| one.pod)",
        ])
        .function("list", ["map[]"], list);
}

/// Whether this call may do that with sub-pods.
fn begin(act: PodAct, cost: u64) -> Native {
    meter::charge(cost)?;
    frame::with(|frame| {
        require(frame, &Capability::Pod(act))?;
        if frame.role() == Role::Hook {
            let message = "sub-pods are for tools; a hook decides at once";
            return Err(refusal(Diagnostic::author("pod/hook", message)));
        }
        Ok(())
    })
}

/// Running the call again would do it twice.
fn acted() -> Native {
    frame::with(|frame| {
        frame.acted();
        Ok(())
    })
}

fn lost() -> Box<rhai::EvalAltResult> {
    refusal(Diagnostic::host("host/lost", "the host gave an answer to another question"))
}

/// As much of an id as one has.
fn named(pod: &str) -> Native<String> {
    meter::reserve(128)?;
    Ok(prefix(pod, 64).to_owned())
}

/// Asks about one sub-pod, or does something with it.
fn one(
    function: &'static str,
    act: PodAct,
    pod: &str,
    ask: impl FnOnce(String) -> PodAsk,
) -> Native<Map> {
    let is_act = act != PodAct::Message;
    begin(act, if is_act { ACT } else { COST })?;
    let pod = named(pod)?;
    outside::from(
        function,
        || json!([pod]),
        || {
            let state = state(&ask(pod.clone()))?;
            if is_act {
                acted()?;
            }
            shown(&state)
        },
    )
}

fn state(ask: &PodAsk) -> Native<SubPodState> {
    match frame::ask_host(|host| host.pod(ask))? {
        PodAnswer::One(state) => Ok(*state),
        _ => Err(lost()),
    }
}

fn spawn(options: &Map) -> Native<Map> {
    begin(PodAct::Spawn, ACT)?;
    let terms = terms(options)?;
    let asked = || serde_json::to_value(&terms).unwrap_or_default();
    outside::from("pod::start", asked, || {
        let state = state(&PodAsk::Spawn(Box::new(terms.clone())))?;
        acted()?;
        shown(&state)
    })
}

fn terms(options: &Map) -> Native<SpawnTerms> {
    let mut options = Options::new("pod::start", options);
    let name = options.text("name", "\"reader\"")?;
    let instructions = options.text("instructions", "\"You read, and change nothing.\"")?;
    let tools = options.names("tools", "[\"read_*\"]")?;
    let grants = options.names("grants", "[\"fs:read=docs/**\"]")?;
    options.done()?;
    if instructions.as_ref().is_some_and(|text| text.len() > MOST_TEXT) {
        return Err(too_long("instructions"));
    }
    let lists = [&tools, &grants].into_iter().flatten().flatten();
    let all: usize = lists.chain(&instructions).map(|one: &ImmutableString| one.len()).sum();
    meter::charge_bytes(all)?;
    meter::reserve(all.saturating_mul(4))?;
    let wrong = |reason: String| refusal(Diagnostic::caller("pod/terms", reason));
    let tools = tools.map(|list| {
        let globs = list.iter().map(|one| one.parse());
        globs.collect::<Result<Vec<ToolGlob>, ToolGlobError>>()
    });
    let tools = tools.transpose().map_err(|reason| wrong(reason.to_string()))?;
    let grants = grants.map(|list| {
        let parsed = list.iter().map(|one| Capability::with_scope(one));
        parsed.collect::<Result<Vec<_>, CapabilityError>>()
    });
    let grants = grants.transpose().map_err(|reason| wrong(reason.to_string()))?;
    Ok(SpawnTerms {
        name: name.map(|name| name.to_string()),
        instructions: instructions.map(|text| text.to_string()),
        scope: Narrowing { tools, grants },
    })
}

fn too_long(what: &str) -> Box<rhai::EvalAltResult> {
    error(format!("{what} for a sub-pod: at most {MOST_TEXT} bytes"))
}

fn message(pod: &str, text: &str) -> Native<Map> {
    begin(PodAct::Message, ACT)?;
    if text.trim().is_empty() {
        return Err(error("the message is empty"));
    }
    if text.len() > MOST_TEXT {
        return Err(too_long("a message"));
    }
    meter::charge_bytes(text.len())?;
    meter::reserve(text.len().saturating_mul(2))?;
    let pod = named(pod)?;
    outside::from(
        "pod::message",
        || json!([pod, text]),
        || {
            let state = state(&PodAsk::Message { pod: pod.clone(), text: text.to_owned() })?;
            acted()?;
            shown(&state)
        },
    )
}

fn wait(pod: &str, ms: i64) -> Native<Map> {
    begin(PodAct::Message, COST)?;
    let pod = named(pod)?;
    if !(0..=MOST_TIME).contains(&ms) {
        return Err(error(format!("`ms` is a whole number from 0 to {MOST_TIME}")));
    }
    let asked = || json!([pod, ms]);
    outside::from("pod::wait", asked, || {
        let now = Instant::now();
        let left = frame::with(|frame| Ok(frame.deadline().saturating_duration_since(now)))?;
        let wanted = Duration::from_millis(ms.unsigned_abs());
        let until = now + wanted.min(left.saturating_sub(RESERVE.min(left / 2)));
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let patience = u64::try_from(left).unwrap_or(SLICE).min(SLICE);
            let state = state(&PodAsk::Look { pod: pod.clone(), patience })?;
            if state.state != crate::feature::subpod::Working::Working || patience == 0 {
                return shown(&state);
            }
            if let Err(end) = meter::charge(LOOK) {
                // Whoever ends a call ends what it waits for.
                if frame::with(|frame| Ok(frame.is_cancelled())).unwrap_or_default() {
                    let _ =
                        frame::ask_host(|host| host.pod(&PodAsk::Interrupt { pod: pod.clone() }));
                }
                return Err(end);
            }
        }
    })
}

fn list() -> Native<Array> {
    begin(PodAct::Message, COST)?;
    outside::from(
        "pod::list",
        || json!([]),
        || match frame::ask_host(|host| host.pod(&PodAsk::List))? {
            PodAnswer::All(states) => {
                meter::charge(states.len() as u64)?;
                states.iter().map(|state| shown(state).map(Dynamic::from)).collect()
            }
            _ => Err(lost()),
        },
    )
}

/// A state as scripts see it.
fn shown(state: &SubPodState) -> Native<Map> {
    let text = state.text.as_deref();
    let failure = state.failure.as_deref();
    let bytes = text.map_or(0, str::len) + failure.map_or(0, |one| one.message.len()) + 256;
    meter::charge_bytes(bytes)?;
    meter::reserve(bytes)?;
    let mut map = Map::new();
    let mut put = |name: &str, value: Dynamic| _ = map.insert(name.into(), value);
    put("pod", state.pod.as_str().into());
    put("session", state.session.as_str().into());
    put("state", state.state.name().into());
    put("turns", i64::try_from(state.turns).unwrap_or(i64::MAX).into());
    put("text", text.map_or(Dynamic::UNIT, Into::into));
    let error = failure.map(|one| {
        let mut error = Map::new();
        error.insert("code".into(), one.code.as_ref().into());
        error.insert("message".into(), one.message.as_str().into());
        error
    });
    put("error", error.map_or(Dynamic::UNIT, Dynamic::from));
    Ok(map)
}
