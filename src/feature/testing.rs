//! A feature module made of closures, for the tests of this folder.

use super::call::{CallContext, Outcome};
use super::capability::Capability;
use super::descriptor::{
    CapabilityRequest, FeatureDescriptor, FeatureRuntimeKind, HookDeclaration, ToolDeclaration,
};
use super::event::{FeatureEvent, Sink};
use super::hook::{Decision, Hook, HookContribution, HookOutcome, HookPoint};
use super::id::FeatureId;
use super::registry::{FeatureInstallContext, FeatureInstallError, FeatureModule};
use super::schema::Arguments;
use super::tool::{Tool, ToolContribution};
use serde_json::Value;
use std::sync::{Arc, Mutex};

pub type Install =
    dyn Fn(&mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> + Send + Sync;

/// A descriptor, and what to do at install.
pub struct Module {
    pub descriptor: FeatureDescriptor,
    pub install: Arc<Install>,
}

impl FeatureModule for Module {
    fn descriptor(&self) -> FeatureDescriptor {
        self.descriptor.clone()
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        (self.install)(context)
    }
}

pub fn id(text: &str) -> FeatureId {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

pub fn capability(text: &str) -> Capability {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

pub fn tool(name: &str) -> ToolDeclaration {
    let name = name.parse().unwrap_or_else(|error| panic!("{error}"));
    ToolDeclaration::new(name, "Does what the test needs.")
}

pub fn hook(name: &str, point: HookPoint) -> HookDeclaration {
    HookDeclaration::new(name, point)
}

pub fn success(value: Value) -> Outcome {
    Outcome::success(value)
}

/// A tool made of a closure.
pub struct Run<F>(pub F);

impl<F: Fn(Arguments, &CallContext) -> Outcome + Send + Sync> Tool for Run<F> {
    fn call(&self, arguments: Arguments, context: &CallContext) -> Outcome {
        (self.0)(arguments, context)
    }
}

/// A hook made of a closure.
pub struct Decide<F>(pub F);

impl<F: Fn(Value, &CallContext) -> Decision + Send + Sync> Hook for Decide<F> {
    fn decide(&self, event: &Arc<Value>, context: &CallContext) -> HookOutcome {
        HookOutcome::decided((self.0)(Value::clone(event), context))
    }
}

impl Module {
    /// A feature that declares nothing and installs all that it declares: tools give their arguments
    /// back, hooks proceed.
    pub fn new(feature: &str) -> Self {
        let descriptor = FeatureDescriptor::new(id(feature), FeatureRuntimeKind::Builtin);
        Self { descriptor, install: Arc::new(|_| Ok(())) }.installing_everything()
    }

    fn installing_everything(mut self) -> Self {
        let descriptor = self.descriptor.clone();
        self.install = Arc::new(move |context| {
            for tool in &descriptor.tools {
                let echo = Run(|arguments: Arguments, _: &CallContext| {
                    success(Value::Object(arguments.as_map().clone()))
                });
                context.tools.register(ToolContribution::new(tool.name.clone(), echo))?;
            }
            for hook in &descriptor.hooks {
                let proceed = Decide(|_, _: &CallContext| Decision::Proceed);
                context.hooks.register(HookContribution::new(hook.name.clone(), proceed))?;
            }
            Ok(())
        });
        self
    }

    pub fn tool(mut self, tool: ToolDeclaration) -> Self {
        self.descriptor.tools.push(tool);
        self.installing_everything()
    }

    pub fn hook(mut self, hook: HookDeclaration) -> Self {
        self.descriptor.hooks.push(hook);
        self.installing_everything()
    }

    pub fn requires(mut self, text: &str) -> Self {
        let request = CapabilityRequest::required(capability(text), "for the test");
        self.descriptor.requests.push(request);
        self.installing_everything()
    }

    pub fn can_use(mut self, text: &str) -> Self {
        let request = CapabilityRequest::optional(capability(text), "for the test");
        self.descriptor.requests.push(request);
        self.installing_everything()
    }

    /// Replaces what happens at install. Goes last.
    pub fn install(
        mut self,
        install: impl Fn(&mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.install = Arc::new(install);
        self
    }

    /// Installs one tool that runs `run`, and nothing else. Goes last.
    pub fn running<F>(self, name: &str, run: F) -> Self
    where
        F: Fn(Arguments, &CallContext) -> Outcome + Send + Sync + 'static,
    {
        let (name, run) = (tool(name).name, Arc::new(run));
        self.install(move |context| {
            let run = Arc::clone(&run);
            let run = Run(move |arguments, context: &CallContext| run(arguments, context));
            context.tools.register(ToolContribution::new(name.clone(), run))?;
            Ok(())
        })
    }

    /// Installs one hook that returns `decision`, and nothing else. Goes last.
    pub fn deciding(self, name: &'static str, decision: Decision) -> Self {
        self.install(move |context| {
            let decision = decision.clone();
            let decide = Decide(move |_, _: &CallContext| decision.clone());
            context.hooks.register(HookContribution::new(name, decide))?;
            Ok(())
        })
    }
}

/// A sink that remembers.
#[derive(Default)]
pub struct Memory(pub Mutex<Vec<FeatureEvent>>);

impl Sink for Memory {
    fn emit(&self, event: FeatureEvent) {
        self.0.lock().expect("no test panics while it holds the lock").push(event);
    }
}

impl Memory {
    pub fn take(&self) -> Vec<FeatureEvent> {
        std::mem::take(&mut *self.0.lock().expect("no test panics while it holds the lock"))
    }
}
