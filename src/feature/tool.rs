//! The contribution that carries a tool.

use super::call::{CallContext, Outcome};
use super::grant::GrantSet;
use super::id::ToolName;
use super::schema::Arguments;
use crate::diagnostic::Diagnostic;
use std::sync::Arc;

/// A tool that can be called.
pub trait Tool: Send + Sync {
    /// Runs the tool on arguments that were checked against its declaration. Blocks until the
    /// outcome is there, at most until the deadline in the context's limits.
    fn call(&self, arguments: Arguments, context: &CallContext) -> Outcome;

    /// The same tool with these grants, which are fewer than it was installed with. `None` where the tool
    /// cannot do with fewer: then it is left out wherever grants are narrowed.
    fn narrowed(&self, grants: &GrantSet) -> Option<Arc<dyn Tool>> {
        let _ = grants;
        None
    }

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
