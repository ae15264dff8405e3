//! Bridges the tools of other MCP servers: they become features like any other, under the same
//! permissions, hooks, bounds and log.
//!
//! The user's settings name the servers ([`crate::config::server`]). Each is started and watched on a thread
//! of its own ([`server`]), spoken to by a [`client`] over a program's standard input and output ([`process`])
//! or over HTTP ([`http`]), and offers what it lists as a feature ([`offer`], [`module`]). Nothing but tools is
//! bridged, nothing that a server sends is without a bound, and no call is made twice.

mod carrier;
mod client;
mod fault;
mod http;
mod inbox;
mod line;
mod module;
mod offer;
mod outcome;
#[cfg(unix)]
mod process;
mod schema;
mod server;
#[cfg(all(test, unix))]
mod tests;
mod wire;

use crate::config::server::{McpServer, Reach};
use crate::diagnostic::Diagnostic;
use crate::feature::id::{FeatureId, FeatureName, ToolName};
use crate::feature::registry::FeatureModule;
use crate::limit::{Limit, Limits};
use crate::secret::Secrets;
use module::BridgeModule;
use serde::Serialize;
use server::Server;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// It is about to come up, for the first time or again.
    Starting,
    /// It can be called.
    Ready,
    /// It can be called, and does not answer as it should.
    Degraded,
    /// It was started too often, and is not started again.
    Failed,
    /// It was ended.
    Stopped,
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        })
    }
}

/// How one server is, for people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct ServerStatus {
    /// What the user calls it.
    pub name: FeatureName,
    /// How it is reached: a command line, or an address. Secrets are named and not shown.
    pub reach: String,
    /// How it is.
    pub lifecycle: Lifecycle,
    /// What it calls itself.
    pub title: Option<String>,
    /// Its version, as it says.
    pub version: Option<String>,
    /// The version of the protocol that both sides speak.
    pub protocol: Option<String>,
    /// The tools that are taken, by the names that they go by.
    pub tools: Vec<ToolName>,
    /// How often it was started anew.
    pub restarts: u32,
    /// What stands in its way, and what of it was left out.
    pub problems: Vec<Diagnostic>,
}

/// How patient the supervision is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long to wait before a server is started anew; twice as long each time after that.
    pub first_pause: Duration,
    /// The longest such wait.
    pub longest_pause: Duration,
    /// How often in a row a server is started anew.
    pub most_restarts: u32,
    /// How long a server has to be up for earlier failures to be forgotten.
    pub steady: Duration,
    /// How often a server that says nothing is asked whether it is there.
    pub ping_every: Duration,
    /// How long it may take to answer that.
    pub ping_wait: Duration,
    /// How often in a row it may leave that unanswered.
    pub most_misses: u32,
    /// How long to wait between two looks at the tools of a server that says that they are others.
    pub relist_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            most_restarts: 5,
            steady: Duration::from_secs(60),
            ping_every: Duration::from_secs(30),
            ping_wait: Duration::from_secs(10),
            most_misses: 2,
            relist_pause: Duration::from_secs(1),
        }
    }
}

/// What a bridge works with.
#[derive(Clone)]
pub struct BridgeOptions {
    /// Where the user keeps secrets.
    secrets: Option<Secrets>,
    /// The bounds of calls, before those of a server's own.
    limits: Limits,
    pace: Pace,
    changed: Arc<dyn Fn() + Send + Sync>,
}

impl BridgeOptions {
    /// The usual patience.
    pub fn new(secrets: Option<Secrets>, limits: Limits) -> Self {
        Self { secrets, limits, pace: Pace::default(), changed: Arc::new(|| ()) }
    }

    /// Other patience.
    #[must_use]
    pub fn pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The most bytes of one message of a server: twice what a result may have, for JSON writes some
    /// characters longer, and enough for a list of tools.
    fn most_bytes(&self) -> usize {
        let result = usize::try_from(self.limits.get(Limit::Result)).unwrap_or(usize::MAX / 2);
        (2 * result).max(4 << 20)
    }
}

/// What a bridge brings into a catalog.
pub struct Bridged {
    /// Which feature.
    pub id: FeatureId,
    /// The feature.
    pub module: Arc<dyn FeatureModule>,
    /// The digest of how the server is reached. No secret is part of it.
    pub digest: String,
    /// The bounds of its calls.
    pub limits: Limits,
}

/// Servers under supervision. They end when this is dropped.
pub struct Bridge {
    servers: Vec<Arc<Server>>,
    told: Arc<Told>,
}

/// Who hears that a server offers something else.
#[derive(Default)]
struct Told {
    servers: Mutex<Vec<Weak<Server>>>,
    /// The revisions that there were when the features were last asked for, all in one number.
    seen: AtomicU64,
    hear: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

/// How long servers may take to end when the bridge does.
const FAREWELL: Duration = Duration::from_secs(2);

impl Bridge {
    /// Starts the servers that are enabled, and waits for none of them.
    pub fn start(servers: &[McpServer], options: BridgeOptions) -> Self {
        let told = Arc::new(Told::default());
        let tell = Arc::clone(&told);
        let options = BridgeOptions { changed: Arc::new(move || tell.changed()), ..options };
        let enabled = servers.iter().filter(|server| server.enabled);
        let servers: Vec<_> =
            enabled.map(|server| Server::new(server.clone(), options.clone())).collect();
        *told.servers.lock().unwrap_or_else(PoisonError::into_inner) =
            servers.iter().map(Arc::downgrade).collect();
        servers.iter().for_each(Server::supervise);
        Self { servers, told }
    }

    /// Waits until every server has come up or failed once, and not longer than that.
    pub fn wait(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        self.servers.iter().for_each(|server| server.wait_settled(until));
    }

    /// What the servers offer now, as features.
    pub fn features(&self) -> Vec<Bridged> {
        let (features, revisions): (Vec<_>, Vec<_>) = self.servers.iter().map(bridged).unzip();
        self.told.seen.store(revisions.iter().sum(), Ordering::Release);
        features
    }

    /// Calls `hear` whenever a server offers something else than it did when the features were last asked
    /// for; at once where that has happened before.
    pub fn on_change(&self, hear: impl Fn() + Send + Sync + 'static) {
        let hear: Arc<dyn Fn() + Send + Sync> = Arc::new(hear);
        *self.told.hear() = Some(Arc::clone(&hear));
        if self.told.is_behind() {
            hear();
        }
    }

    /// How the servers are.
    pub fn statuses(&self) -> Vec<ServerStatus> {
        self.servers.iter().map(|server| server.status()).collect()
    }
}

impl Told {
    fn hear(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Fn() + Send + Sync>>> {
        self.hear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        let hear = self.hear().clone();
        if let Some(hear) = hear.filter(|_| self.is_behind()) {
            hear();
        }
    }

    /// Whether some server offers something else than it did when the features were last asked for.
    fn is_behind(&self) -> bool {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = servers.iter().filter_map(Weak::upgrade);
        servers.map(|server| server.offer().1).sum::<u64>() != self.seen.load(Ordering::Acquire)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Bridge {
    /// Ends the servers, and waits for that a little. Nothing can be called from then on.
    pub fn stop(&self) {
        *self.told.hear() = None;
        let until = Instant::now() + FAREWELL;
        self.servers.iter().for_each(|server| server.stop());
        self.servers.iter().for_each(|server| server.wait_stopped(until));
    }
}

fn bridged(server: &Arc<Server>) -> (Bridged, u64) {
    let (offer, revision) = server.offer();
    let mut limits = server.config_limits();
    let time = u64::try_from(server.config.timeout.as_millis()).unwrap_or(u64::MAX);
    // What the settings take was held against the ceiling.
    let _ = limits.set(Limit::Time, time.clamp(1, Limit::Time.ceiling()));
    let id = offer.descriptor.id.clone();
    let module = Arc::new(BridgeModule { server: Arc::clone(server), offer });
    (Bridged { id, module, digest: digest(&server.config), limits }, revision)
}

/// What tells a server that is reached so from one that is reached otherwise.
fn digest(server: &McpServer) -> String {
    let text = match &server.reach {
        Reach::Program { command, args, env, cwd } => {
            serde_json::json!([command, args, env, cwd]).to_string()
        }
        Reach::Http { url, headers } => serde_json::json!([url, headers]).to_string(),
    };
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
