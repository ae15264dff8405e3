//! A feature written in Rust, through the same door as a script: a tool with state, a hook, and a
//! service that the host offers. Run it with `cargo run --example rust_feature`.

use peasy::diagnostic::Diagnostic;
use peasy::feature::schema::{Arguments, Type};
use peasy::feature::{
    CallContext, CallOptions, Capability, CapabilityRequest, Decision, FeatureDescriptor,
    FeatureId, FeatureInstallContext, FeatureInstallError, FeatureInstallReport, FeatureModule,
    FeatureRegistryBuilder, FeatureRuntimeKind, Hook, HookContribution, HookDeclaration,
    HookOutcome, HookPoint, HostPolicy, HostService, HostServices, Outcome, Tool, ToolContribution,
    ToolDeclaration, ToolName,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// What the host offers: words and what they mean.
struct Dictionary(BTreeMap<&'static str, &'static str>);

impl HostService for Dictionary {
    const NAME: &'static str = "dictionary";

    fn capability() -> Capability {
        DICTIONARY.clone()
    }
}

static DICTIONARY: LazyLock<Capability> =
    LazyLock::new(|| "provider=dictionary".parse().expect("written as the type wants it"));

/// The feature. Its state is its own: the host holds tools and hooks, and never looks inside.
struct Glossary {
    id: FeatureId,
    define: ToolName,
    asked: Arc<AtomicU64>,
}

impl FeatureModule for Glossary {
    fn descriptor(&self) -> FeatureDescriptor {
        let mut define = ToolDeclaration::new(self.define.clone(), "Says what a word means.");
        let word = define.parameters.add("word", Type::string(), None, "The word to look up");
        word.expect("a plain name and no default");
        define.returns = Some(Type::string());
        define.requires = vec![DICTIONARY.clone()];
        FeatureDescriptor::new(self.id.clone(), FeatureRuntimeKind::Builtin)
            .request(CapabilityRequest::required(DICTIONARY.clone(), "Look up words."))
            .tool(define)
            .hook(HookDeclaration::new("guard", HookPoint::PreToolCall))
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        // Without the grant the plan leaves the tool out; the hook works all the same.
        if context.tools.is_wanted(&self.define) {
            let dictionary = context.services.get::<Dictionary>()?;
            let tool = Define { dictionary, asked: Arc::clone(&self.asked) };
            context.tools.register(ToolContribution::new(self.define.clone(), tool))?;
        }
        context.hooks.register(HookContribution::new("guard", Guard))?;
        Ok(())
    }
}

struct Define {
    dictionary: Arc<Dictionary>,
    asked: Arc<AtomicU64>,
}

impl Tool for Define {
    fn call(&self, arguments: Arguments, _: &CallContext) -> Outcome {
        let word = arguments.get("word").and_then(Value::as_str).unwrap_or_default();
        let times = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        match self.dictionary.0.get(word) {
            Some(meaning) => Outcome::success(format!("{meaning} (question {times})")),
            None => Outcome::failure(Diagnostic::caller(
                "call/failed",
                format!("the dictionary has no `{word}`"),
            )),
        }
    }
}

struct Guard;

impl Hook for Guard {
    fn decide(&self, event: &Arc<Value>, _: &CallContext) -> HookOutcome {
        let command = event["command"].as_str().unwrap_or_default();
        HookOutcome::decided(if command.contains("rm -rf ~") {
            Decision::Deny { reason: "not the home folder".into() }
        } else {
            Decision::Proceed
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let id = FeatureId::builtin("glossary")?;
    let install = |policy: HostPolicy| -> Result<_, Box<dyn Error>> {
        let words = BTreeMap::from([("pod", "the host of one agent session")]);
        let feature = Glossary { id: id.clone(), define: "define".parse()?, asked: Arc::default() };
        let services = HostServices::new().with(Arc::new(Dictionary(words)));
        Ok(FeatureRegistryBuilder::new(policy).services(services).module(feature).plan().install())
    };

    println!("# Without a grant");
    let (_, reports) = install(HostPolicy::new())?;
    reports.iter().for_each(print_report);

    println!("\n# With `provider=dictionary`");
    let policy = HostPolicy::new().grant(id.clone(), DICTIONARY.clone());
    let (catalog, reports) = install(policy)?;
    reports.iter().for_each(print_report);

    println!("\n# Calls");
    for arguments in
        [json!({ "word": "pod" }), json!({ "word": "gizmo" }), json!({ "wrod": "pod" })]
    {
        let outcome = catalog.call("define", arguments.clone(), CallOptions::default());
        match &outcome.result {
            Ok(value) => println!("define {arguments} => {value}"),
            Err(failure) => println!("define {arguments} failed: {failure}"),
        }
        let receipt = outcome.receipt;
        println!("  {} bytes in, {} bytes out", receipt.bytes_in, receipt.bytes_out);
    }

    println!("\n# A hook");
    let event = json!({ "kind": "shell", "command": "rm -rf ~/work" });
    let decided = catalog.decide(&id, "guard", event, CallOptions::default());
    println!("guard: {:?}", decided.decision?);
    Ok(())
}

fn print_report(report: &FeatureInstallReport) {
    println!("{} is {}", report.feature, report.state);
    for tool in &report.tools {
        println!("  tool {tool}");
    }
    for hook in &report.hooks {
        println!("  hook {hook}");
    }
    for problem in report.problems() {
        println!("  {problem}");
        for help in &problem.help {
            println!("    {help}");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example goes through");
    }
}
