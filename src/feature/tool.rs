//! The contribution that carries a tool.

use super::call::{CallContext, Outcome};
use super::id::ToolName;
use super::schema::Arguments;
use crate::diagnostic::Diagnostic;
use std::sync::Arc;

/// A tool that can be called.
pub trait Tool: Send + Sync {
    /// Runs the tool on arguments that were checked against its declaration. Blocks until the
    /// outcome is there, at most until the deadline in the context's limits.
    fn call(&self, arguments: Arguments, context: &CallContext) -> Outcome;

    /// Says where in the feature's source a problem with a result of this tool comes from, if the
    /// tool knows.
    fn locate(&self, problem: Diagnostic) -> Diagnostic {
        problem
    }
}

/// A tool and the name it was declared by.
#[derive(Clone)]
pub struct ToolContribution {
    /// The declared name.
    pub name: ToolName,
    /// What answers.
    pub tool: Arc<dyn Tool>,
}

impl ToolContribution {
    /// A contribution for the tool declared as `name`.
    pub fn new(name: ToolName, tool: impl Tool + 'static) -> Self {
        Self { name, tool: Arc::new(tool) }
    }
}
