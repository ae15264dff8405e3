//! The two tools on rmcp: over standard input and output, or with `http PORT` over HTTP.

use axum::serve::ListenerExt;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Json, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::error::Error;
use tokio::net::TcpListener;

#[derive(Deserialize, JsonSchema)]
struct Counted {
    text: String,
    #[serde(default)]
    unique: bool,
}

#[derive(Serialize, JsonSchema)]
struct Count {
    words: u64,
    chars: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Echoed {
    text: String,
}

#[derive(Clone)]
struct Peer {
    tools: ToolRouter<Self>,
}

#[tool_router(router = tools)]
impl Peer {
    #[tool(name = "word_count", description = "Count words and characters")]
    async fn word_count(&self, Parameters(Counted { text, unique }): Parameters<Counted>) -> Json<Count> {
        let words = text.split_whitespace();
        let words = if unique { words.collect::<HashSet<_>>().len() } else { words.count() };
        Json(Count { words: words as u64, chars: text.chars().count() as u64 })
    }

    #[tool(name = "echo", description = "Echo the text")]
    async fn echo(&self, Parameters(Echoed { text }): Parameters<Echoed>) -> String {
        text
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Peer {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let peer = || Peer { tools: Peer::tools() };
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [how, port] = words.as_slice() else {
        peer().serve(stdio()).await?.waiting().await?;
        return Ok(());
    };
    assert_eq!(how, "http");
    let sessions = LocalSessionManager::default().into();
    let service = StreamableHttpService::new(move || Ok(peer()), sessions, StreamableHttpServerConfig::default());
    // Without this the peer would be slowed by its sockets alone.
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
