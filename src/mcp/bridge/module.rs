//! What a server offers, as a feature like any other.

use super::inbox::Live;
use super::offer::{Offer, rename_line, renamed};
use super::outcome::outcome;
use super::server::Server;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Outcome};
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::id::ToolName;
use crate::feature::registry::{FeatureInstallContext, FeatureInstallError, FeatureModule};
use crate::feature::schema::Arguments;
use crate::feature::tool::{Tool, ToolContribution};
use crate::feature::transaction::Act;
use std::sync::Arc;
use std::time::Instant;

/// A server as it was when its catalog was planned.
pub(super) struct BridgeModule {
    pub server: Arc<Server>,
    pub offer: Arc<Offer>,
}

impl FeatureModule for BridgeModule {
    fn descriptor(&self) -> FeatureDescriptor {
        FeatureDescriptor::clone(&self.offer.descriptor)
    }

    fn shared_descriptor(&self) -> Arc<FeatureDescriptor> {
        Arc::clone(&self.offer.descriptor)
    }

    fn rename_help(&self, tool: &ToolName) -> Option<String> {
        let own = self.offer.remote.get(tool)?;
        let name = renamed(&self.server.config, tool)?;
        Some(rename_line(&self.server.config, own, &name))
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        for (name, own) in &self.offer.remote {
            let tool = BridgedTool { server: Arc::clone(&self.server), own: own.clone() };
            context.tools.register(ToolContribution::new(name.clone(), tool))?;
        }
        for problem in self.offer.problems.iter().cloned().chain(self.server.troubles()) {
            context.diagnostics.report(problem);
        }
        Ok(())
    }
}

/// A tool of a server.
struct BridgedTool {
    server: Arc<Server>,
    /// The server's own name for it.
    own: String,
}

impl Tool for BridgedTool {
    fn call(&self, arguments: Arguments, context: &CallContext) -> Outcome {
        let server = &self.server.config.name;
        // What the server does is out of our hands, so that it is on record before.
        let act = Act::Bridge { server: server.to_string(), tool: self.own.clone() };
        if let Err(problem) = context.transaction.act(&act) {
            return Outcome::failure(problem);
        }
        let begun = Instant::now();
        let live = Live { feature: Arc::clone(&context.feature), sink: Arc::clone(&context.sink) };
        let (until, cancel) = (context.deadline, &context.cancel);
        let result = self.server.call(&self.own, arguments.as_map(), live, until, cancel);
        let mut outcome = match result {
            Ok(result) => outcome(server, &self.own, result),
            Err(fault) => {
                Outcome::failure(fault.diagnostic(server, &format!("the call of `{}`", self.own)))
            }
        };
        outcome.receipt.elapsed = begun.elapsed();
        outcome
    }

    fn locate(&self, problem: Diagnostic) -> Diagnostic {
        let server = &self.server.config.name;
        problem.help(format!("the server `{server}` answers otherwise than it says"))
    }
}
