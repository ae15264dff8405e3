//! The server: what a client may ask, and how a call is run for it.
//!
//! Calls run on blocking threads, so that one that takes long keeps no other waiting. A request that
//! is cancelled stops its script.

use super::list::ToolList;
use super::reply;
use super::sink::{ChannelSink, Forwarder};
use super::stdio::StdioTransport;
use crate::diagnostic::{Blame, nearest};
use crate::feature::call::{Cancel, Failure, Outcome};
use crate::feature::catalog::{CallOptions, InstalledTool};
use crate::feature::event::FeatureEvent;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode, ErrorData,
    Implementation, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
    ServerConfig, SubscriptionFilter, Tool,
};
#[expect(deprecated, reason = "clients of the handshake era set the level of log messages")]
use rmcp::model::{LoggingLevel, SetLevelRequestParams};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Takes note of calls that failed for a reason that the model cannot mend.
pub trait FailureObserver: Send + Sync {
    /// A call failed, and its author, its operator or we must act.
    fn failed(&self, tool: &InstalledTool, failure: &Failure);
}

/// Why the server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The operating system gave no threads.
    #[error("no thread could be started: {0}")]
    Threads(#[from] io::Error),
    /// The client and the server did not come together; the client must act, or whoever started it.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The server's own task ended before its time.
    #[error("the server stopped: {0}")]
    Stopped(String),
}

/// Serves the tools of a catalog over standard input and output, until input ends and every request
/// was answered. `observer` learns of the calls that failed.
///
/// # Errors
///
/// No threads could be started, the handshake failed, or the server stopped. A client that leaves is
/// no error.
pub fn serve_stdio(
    tools: Arc<ToolList>,
    observer: Option<Arc<dyn FailureObserver>>,
) -> Result<(), ServeError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let transport = StdioTransport::new(io::stdin(), io::stdout())?;
    let served = runtime.block_on(serve(Server::new(tools, observer), transport));
    // A script that was given up must not keep the process alive.
    runtime.shutdown_background();
    served
}

async fn serve(server: Server, transport: StdioTransport) -> Result<(), ServeError> {
    use rmcp::service::ServerInitializeError::ConnectionClosed;
    let running = match server.serve(transport).await {
        Ok(running) => running,
        // Nobody ever spoke.
        Err(ConnectionClosed(_)) => return Ok(()),
        Err(reason) => return Err(ServeError::Handshake(reason.to_string())),
    };
    match running.waiting().await {
        Ok(reason) => tracing::info!(?reason, "the client left"),
        Err(reason) => return Err(ServeError::Stopped(reason.to_string())),
    }
    Ok(())
}

/// A catalog behind the protocol.
struct Server {
    tools: Arc<ToolList>,
    observer: Option<Arc<dyn FailureObserver>>,
    #[expect(deprecated, reason = "as above")]
    level: Mutex<LoggingLevel>,
}

impl Server {
    #[expect(deprecated, reason = "as above")]
    fn new(tools: Arc<ToolList>, observer: Option<Arc<dyn FailureObserver>>) -> Self {
        Self { tools, observer, level: Mutex::new(LoggingLevel::Info) }
    }

    /// The least level of log messages for this request: the session's in the handshake era, what
    /// the request itself says after it.
    #[expect(deprecated, reason = "as above")]
    fn level(&self, context: &RequestContext<RoleServer>) -> Option<LoggingLevel> {
        let is_modern = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if is_modern {
            return context.meta.log_level();
        }
        Some(*self.level.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn unknown_tool(&self, name: &str) -> ErrorData {
        let shown: String = name.chars().take(80).collect();
        let tools = self.tools.tools();
        let near = nearest(&shown, tools.iter().map(|tool| &*tool.name));
        let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        ErrorData::invalid_params(format!("there is no tool `{shown}`{help}"), None)
    }

    fn observe(&self, name: &str, outcome: &Outcome) {
        if let (Some(observer), Err(failure)) = (&self.observer, &outcome.result)
            && failure.blame() != Blame::Caller
            && let Some(tool) = self.tools.pod().catalog().tool(name)
        {
            observer.failed(tool, failure);
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        #[expect(deprecated, reason = "as above")]
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("peasy", env!("CARGO_PKG_VERSION")))
    }

    /// Tells clients of the handshake era when the tools have changed; those after it subscribe.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut changes = self.tools.changes();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                if context.peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        });
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.tools.changes();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.changed() => {
                    if changed.is_err() || context.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            // All tools are on the first page, so no cursor was ever handed out.
            return Err(ErrorData::invalid_params("the cursor is not one of this server", None));
        }
        Ok(ListToolsResult::with_all_items((*self.tools.tools()).clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.tools().iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.into_owned();
        let pod = Arc::clone(self.tools.pod());
        if pod.catalog().tool(&name).is_none() {
            return Err(self.unknown_tool(&name));
        }
        let (sink, events) = mpsc::unbounded_channel();
        let options = CallOptions { sink: Arc::new(ChannelSink(sink)), ..CallOptions::default() };
        let cancel = options.cancel.clone();
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let called = name.clone();
        let call = tokio::task::spawn_blocking(move || pod.call(&called, arguments, options));
        let forwarder = Forwarder {
            token: context.meta.get_progress_token(),
            level: self.level(&context),
            peer: context.peer.clone(),
            last: f64::NEG_INFINITY,
        };
        let outcome = finish(call, events, forwarder, &context, &cancel).await?;
        self.observe(&name, &outcome);
        Ok(reply::result(outcome).into())
    }

    #[expect(deprecated, reason = "as above")]
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let shown: String = request.method.chars().take(80).collect();
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            format!("there is no method `{shown}`"),
            None,
        ))
    }
}

/// Waits for the call, sends its events on the way, and stops it when the client no longer wants it.
/// Every event goes out before the answer.
async fn finish(
    mut call: tokio::task::JoinHandle<Outcome>,
    mut events: mpsc::UnboundedReceiver<FeatureEvent>,
    mut forwarder: Forwarder,
    context: &RequestContext<RoleServer>,
    cancel: &Cancel,
) -> Result<Outcome, ErrorData> {
    let outcome = loop {
        tokio::select! {
            biased;
            () = context.ct.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
            Some(event) = events.recv() => forwarder.forward(event).await,
            outcome = &mut call => break outcome,
        }
    };
    while let Ok(event) = events.try_recv() {
        forwarder.forward(event).await;
    }
    outcome.map_err(|_| ErrorData::internal_error("the call ended without an outcome", None))
}
