//! One server under supervision: started, watched, started anew, and given up after a number of times.
//!
//! One thread a server does nothing else. Calls come from any thread, look at what stands at the moment, and
//! wait for a server that is about to come up no longer than they may.

use super::carrier::Carrier;
use super::client::Client;
use super::fault::{Fault, words};
use super::inbox::{Inbox, Listener, Live};
use super::offer::Offer;
use super::{BridgeOptions, Lifecycle, Pace, ServerStatus};
use crate::config::server::{McpServer, Reach, Spelled};
use crate::diagnostic::{Diagnostic, Severity};
use crate::feature::call::Cancel;
use crate::feature::redact::Redactor;
use serde_json::{Map, Value};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often somebody who waits for a server looks whether the call was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// Characters of what a program wrote last that a problem shows.
const MOST_COMPLAINTS: usize = 1_500;

/// A server, what it offers, and what stands in its way.
pub(super) struct Server {
    pub config: McpServer,
    options: BridgeOptions,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    lifecycle: Lifecycle,
    client: Option<Arc<Client>>,
    offer: Arc<Offer>,
    /// Counts the offers, so that whoever uses one knows whether it is the latest.
    revision: u64,
    problem: Option<Diagnostic>,
    restarts: u32,
    is_stopping: bool,
    /// The server says that its tools are others.
    is_outdated: bool,
    /// Something is to be looked at: the connection ended, or a call was too late.
    is_alarmed: bool,
}

/// How watching a server ended.
enum Watched {
    Stopped,
    Lost(Diagnostic),
}

impl Server {
    pub fn new(config: McpServer, options: BridgeOptions) -> Arc<Self> {
        let state = State {
            lifecycle: Lifecycle::Starting,
            client: None,
            offer: Arc::new(Offer::none(&config)),
            revision: 0,
            problem: None,
            restarts: 0,
            is_stopping: false,
            is_outdated: false,
            is_alarmed: false,
        };
        Arc::new(Self { config, options, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Supervises the server on a thread of its own.
    pub fn supervise(self: &Arc<Self>) {
        let server = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("peasy-bridge-{}", self.config.name));
        if let Err(reason) = thread.spawn(move || server.run()) {
            let message = format!("no thread could be started: {reason}");
            self.give_up(Diagnostic::operator("host/no-thread", message));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, most: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The bounds of all features' calls.
    pub fn config_limits(&self) -> crate::limit::Limits {
        self.options.limits.clone()
    }

    /// What the server offers now, and the number of that offer.
    pub fn offer(&self) -> (Arc<Offer>, u64) {
        let state = self.state();
        (Arc::clone(&state.offer), state.revision)
    }

    /// Waits until the server has come up for the first time, or will not.
    pub fn wait_settled(&self, until: Instant) {
        let mut state = self.state();
        while state.lifecycle == Lifecycle::Starting && state.revision == 0 && state.restarts == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Tells the server to end, and does not wait for it.
    pub fn stop(&self) {
        self.update(|state| state.is_stopping = true);
    }

    /// Waits until a server that was told to end has ended.
    pub fn wait_stopped(&self, until: Instant) {
        let mut state = self.state();
        while !matches!(state.lifecycle, Lifecycle::Stopped | Lifecycle::Failed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// How the server is.
    pub fn status(&self) -> ServerStatus {
        let state = self.state();
        let descriptor = &state.offer.descriptor;
        let mut problems: Vec<_> = state.problem.iter().cloned().collect();
        problems.extend(state.offer.problems.iter().cloned());
        if let Some(client) = &state.client {
            problems.extend(self.oddities(client));
        }
        ServerStatus {
            name: self.config.name.clone(),
            reach: self.config.reach.to_string(),
            lifecycle: state.lifecycle,
            title: (state.revision > 0).then(|| descriptor.title.clone()),
            version: descriptor.version.clone(),
            protocol: state.client.as_ref().map(|client| client.about.protocol.clone()),
            tools: descriptor.tools.iter().map(|tool| tool.name.clone()).collect(),
            restarts: state.restarts,
            problems,
        }
    }

    /// What the server did that a bridge leaves aside.
    pub fn oddities(&self, client: &Client) -> Vec<Diagnostic> {
        let (beyond, garbage) = client.oddities();
        let server = &self.config.name;
        let mut problems = Vec::new();
        if !beyond.is_empty() {
            let message = format!(
                "the server `{server}` asked its client for {}, and was refused",
                beyond.join(", ")
            );
            problems.push(Diagnostic::operator("bridge/beyond-tools", message));
        }
        if let Some(line) = garbage {
            let message = format!(
                "the server `{server}` writes to standard output what is no message: `{line}`"
            );
            problems.push(
                Diagnostic::author("bridge/malformed", message)
                    .help("what is for people belongs on standard error"),
            );
        }
        for problem in &mut problems {
            problem.severity = Severity::Warning;
        }
        problems
    }

    /// What stands in the server's way, and what it did that a bridge leaves aside.
    pub fn troubles(&self) -> Vec<Diagnostic> {
        let state = self.state();
        let oddities = state.client.as_ref().map(|client| self.oddities(client));
        state.problem.iter().cloned().chain(oddities.into_iter().flatten()).collect()
    }

    /// Calls a tool by the name that the server has for it.
    ///
    /// # Errors
    ///
    /// There is no result.
    pub fn call(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        live: Live,
        until: Instant,
        cancel: &Cancel,
    ) -> Result<Value, Fault> {
        let client = self.client(until, cancel)?;
        let result = client.call(tool, arguments, live, until, cancel);
        match result {
            // It may hang, or be slow with this one call: whether it answers at all is looked at now.
            Err(Fault::Late(after)) => {
                self.update(|state| state.is_alarmed = true);
                Err(Fault::Late(after))
            }
            // Whoever called should read why, and not whoever looks at the server alone.
            Err(gone @ Fault::Gone(_)) => {
                let problem = gone.diagnostic(&self.config.name, &format!("the call of `{tool}`"));
                Err(Fault::Down(Box::new(with_complaints(problem, &client.complaints()))))
            }
            result => result,
        }
    }

    /// The client of a server that is up; of one that is about to be, as soon as it is.
    fn client(&self, until: Instant, cancel: &Cancel) -> Result<Arc<Client>, Fault> {
        let mut state = self.state();
        loop {
            match (&state.client, state.lifecycle) {
                // One that has just ended is about to come up again.
                (Some(client), Lifecycle::Ready | Lifecycle::Degraded)
                    if client.closed().is_none() =>
                {
                    return Ok(Arc::clone(client));
                }
                (_, Lifecycle::Failed | Lifecycle::Stopped) => {
                    return Err(Fault::Down(Box::new(self.down(&state))));
                }
                _ => (),
            }
            if cancel.is_cancelled() {
                return Err(Fault::Cancelled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::Down(Box::new(self.down(&state))));
            }
            state = self.wait(state, left.min(LOOK));
        }
    }

    fn down(&self, state: &State) -> Diagnostic {
        let message = format!(
            "the server `{}` cannot be called: it is {}",
            self.config.name, state.lifecycle
        );
        let problem = Diagnostic::operator("bridge/down", message);
        let why = state.problem.as_ref().map(|why| why.message.clone());
        let problem = why.into_iter().fold(problem, Diagnostic::help);
        problem.help("see how it is with `peasy mcp servers`")
    }

    // What the thread of the server does.

    fn run(self: Arc<Self>) {
        let Pace { first_pause, longest_pause, most_restarts, steady, .. } = self.options.pace;
        let mut failures = 0;
        let mut pause = first_pause;
        loop {
            let begun = Instant::now();
            let problem = match self.start() {
                Ok(client) => match self.watch(&client) {
                    Watched::Stopped => break,
                    Watched::Lost(problem) => problem,
                },
                Err(problem) => problem,
            };
            if begun.elapsed() >= steady {
                (failures, pause) = (0, first_pause);
            }
            if self.state().is_stopping {
                break;
            }
            failures += 1;
            if failures > most_restarts {
                self.give_up(problem);
                return;
            }
            tracing::warn!(server = %self.config.name, problem = %problem.message, "starting anew");
            self.update(|state| {
                state.lifecycle = Lifecycle::Starting;
                state.restarts += 1;
                state.problem = Some(problem);
            });
            self.rest(pause);
            pause = (pause * 2).min(longest_pause);
        }
        self.update(|state| (state.lifecycle, state.client) = (Lifecycle::Stopped, None));
    }

    fn give_up(&self, problem: Diagnostic) {
        tracing::warn!(server = %self.config.name, problem = %problem.message, "given up");
        self.update(|state| {
            (state.lifecycle, state.client) = (Lifecycle::Failed, None);
            state.problem = Some(problem);
            state.revision += 1;
        });
        // Whoever shows the server should show why.
        (self.options.changed)();
    }

    /// Waits for some time, or until the server is told to end.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        while !state.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Starts the server, comes together with it, and takes up what it offers.
    fn start(self: &Arc<Self>) -> Result<Arc<Client>, Diagnostic> {
        let until = Instant::now() + self.config.start_timeout;
        self.update(|state| (state.is_outdated, state.is_alarmed) = (false, false));
        let (inbox, carrier) = self.carrier(until)?;
        let opened = Client::open(inbox, Arc::clone(&carrier), until)
            .and_then(|client| Ok((client.tools(until)?, client)));
        match opened {
            Ok((tools, client)) => {
                let client = Arc::new(client);
                let offer = Offer::of(&self.config, &client.about, tools, &self.options.limits);
                self.take_up(offer, Some(&client));
                Ok(client)
            }
            Err(fault) => {
                // Ended first, so that all it wrote is there.
                carrier.end();
                let problem = match fault {
                    Fault::Down(problem) => *problem,
                    Fault::Gone(how) => {
                        let message = format!(
                            "the server `{}` ended before it could be called: {how}",
                            self.config.name
                        );
                        Diagnostic::operator("bridge/handshake", message)
                    }
                    Fault::Late(_) => {
                        let message = format!(
                            "the server `{}` could not be called within {} ms",
                            self.config.name,
                            self.config.start_timeout.as_millis()
                        );
                        Diagnostic::operator("bridge/handshake", message).help(format!(
                            "give it longer: `start_timeout` under `[mcp.servers.{}]`",
                            self.config.name
                        ))
                    }
                    other => {
                        let problem = other.diagnostic(&self.config.name, "the handshake");
                        Diagnostic {
                            code: "bridge/handshake".into(),
                            blame: crate::diagnostic::Blame::Operator,
                            ..problem
                        }
                    }
                };
                Err(with_complaints(problem, &carrier.complaints()))
            }
        }
    }

    fn carrier(
        self: &Arc<Self>,
        until: Instant,
    ) -> Result<(Arc<Inbox>, Arc<dyn Carrier>), Diagnostic> {
        let mut redactor = Redactor::default();
        let most = self.options.most_bytes();
        let listener = Arc::new(Ear(Arc::downgrade(self)));
        match &self.config.reach {
            #[cfg(unix)]
            Reach::Program { command, args, env, cwd } => {
                let env = env.iter().map(|(name, value)| {
                    Ok((name.clone(), self.spell(value, until, &mut redactor)?.into()))
                });
                let launch = super::process::Launch {
                    command: command.clone(),
                    args: args.clone(),
                    env: env.collect::<Result<_, Diagnostic>>()?,
                    cwd: cwd.clone(),
                };
                let inbox = Inbox::new(most, redactor, listener);
                let process = super::process::Process::start(&self.config.name, &launch, &inbox)?;
                Ok((inbox, process))
            }
            #[cfg(not(unix))]
            Reach::Program { .. } => {
                let message = "a program cannot be ended with all that it starts on this system";
                Err(Diagnostic::operator("bridge/start", message))
            }
            Reach::Http { url, headers } => {
                let has_secrets = headers.iter().any(|(_, value)| value.secret.is_some());
                let headers = headers.iter().map(|(name, value)| {
                    Ok((name.clone(), self.spell(value, until, &mut redactor)?))
                });
                let headers = headers.collect::<Result<_, Diagnostic>>()?;
                let inbox = Inbox::new(most, redactor, listener);
                let http =
                    super::http::Http::new(&self.config.name, url, headers, has_secrets, &inbox)?;
                Ok((inbox, http))
            }
        }
    }

    /// A value as the server gets it.
    fn spell(
        &self,
        value: &Spelled,
        until: Instant,
        redactor: &mut Redactor,
    ) -> Result<String, Diagnostic> {
        let mut text = value.text.clone();
        if let Some(name) = &value.secret {
            let Some(secrets) = &self.options.secrets else {
                return Err(Diagnostic::operator(
                    "secret/unavailable",
                    "this host keeps no secrets",
                ));
            };
            let secret = secrets.read(name, until).map_err(|error| error.diagnostic())?;
            text.push_str(secret.expose());
            redactor.add(name, secret.expose());
        }
        Ok(text)
    }

    /// Takes up what a server offers now; whoever plans with it hears of it where it is something else.
    fn take_up(&self, offer: Offer, client: Option<&Arc<Client>>) {
        let is_new = self.update(|state| {
            if state.is_stopping {
                return false;
            }
            if let Some(client) = client {
                state.client = Some(Arc::clone(client));
            }
            state.lifecycle = Lifecycle::Ready;
            state.problem = None;
            let is_new = state.revision == 0 || *state.offer != offer;
            if is_new {
                state.offer = Arc::new(offer);
                state.revision += 1;
            }
            is_new
        });
        if is_new {
            (self.options.changed)();
        }
    }

    /// Watches a server that is up, until it is told to end or is of no use any more.
    fn watch(&self, client: &Arc<Client>) -> Watched {
        let Pace { ping_every, ping_wait, most_misses, relist_pause, .. } = self.options.pace;
        let mut misses = 0;
        let mut listed = Instant::now();
        let watched = loop {
            let must_look = self.sleep(client, ping_every, misses > 0);
            if self.state().is_stopping {
                break Watched::Stopped;
            }
            if let Some(how) = client.closed() {
                break Watched::Lost(
                    Fault::Gone(how).diagnostic(&self.config.name, "what it was asked"),
                );
            }
            let is_outdated = self.update(|state| {
                state.is_alarmed = false;
                std::mem::replace(&mut state.is_outdated, false)
            });
            if is_outdated {
                // A server that says so all the time is listened to once in a while.
                self.rest(relist_pause.saturating_sub(listed.elapsed()));
                self.update(|state| state.is_outdated = false);
                listed = Instant::now();
                if let Err(problem) = self.list(client) {
                    self.degrade(problem);
                }
                continue;
            }
            if !must_look {
                continue;
            }
            let answer = match client.pushes() {
                true => client.ping(Instant::now() + ping_wait),
                // One that cannot say that its tools are others is asked for them.
                false => self.look_again(client, Instant::now() + ping_wait),
            };
            match answer {
                Ok(()) => {
                    misses = 0;
                    self.update(|state| {
                        (state.lifecycle, state.problem) = (Lifecycle::Ready, None);
                    });
                }
                Err(fault) => {
                    misses += 1;
                    let problem = fault.diagnostic(&self.config.name, "a ping");
                    // One that does one thing at a time answers nothing while it works at a call.
                    if misses > most_misses && !client.is_busy() {
                        break Watched::Lost(problem);
                    }
                    self.degrade(problem);
                }
            }
        };
        client.end();
        match watched {
            Watched::Lost(problem) => Watched::Lost(with_complaints(problem, &client.complaints())),
            Watched::Stopped => Watched::Stopped,
        }
    }

    /// Sleeps until there is something to do; whether the server should be asked how it is.
    fn sleep(&self, client: &Client, ping_every: Duration, is_degraded: bool) -> bool {
        let pause = if is_degraded { self.options.pace.first_pause } else { ping_every };
        let until = Instant::now() + pause;
        let mut state = self.state();
        loop {
            if state.is_stopping || state.is_outdated || client.closed().is_some() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.is_alarmed || left.is_zero() {
                return true;
            }
            state = self.wait(state, left);
        }
    }

    fn list(&self, client: &Arc<Client>) -> Result<(), Diagnostic> {
        let until = Instant::now() + self.config.start_timeout;
        let listed = self.look_again(client, until);
        listed.map_err(|fault| fault.diagnostic(&self.config.name, "the list of its tools"))
    }

    fn look_again(&self, client: &Client, until: Instant) -> Result<(), Fault> {
        let tools = client.tools(until)?;
        self.take_up(Offer::of(&self.config, &client.about, tools, &self.options.limits), None);
        Ok(())
    }

    fn degrade(&self, problem: Diagnostic) {
        self.update(|state| {
            state.lifecycle = Lifecycle::Degraded;
            state.problem = Some(problem);
        });
    }
}

/// Shows what a program wrote last beside what went wrong.
fn with_complaints(problem: Diagnostic, complaints: &str) -> Diagnostic {
    let lines: Vec<_> = complaints.lines().filter(|line| !line.trim().is_empty()).collect();
    let last: Vec<_> = lines.iter().rev().take(8).rev().map(|line| words(line, 300)).collect();
    match last.is_empty() {
        true => problem,
        false => {
            let text = words(&last.join(" ⏎ "), MOST_COMPLAINTS);
            problem.help(format!("it wrote last: {text}"))
        }
    }
}

/// Hears what belongs to no call.
struct Ear(std::sync::Weak<Server>);

impl Listener for Ear {
    fn tools_changed(&self) {
        if let Some(server) = self.0.upgrade() {
            server.update(|state| state.is_outdated = true);
        }
    }

    fn closed(&self) {
        if let Some(server) = self.0.upgrade() {
            server.update(|state| state.is_alarmed = true);
        }
    }
}
