//! peasy's side, through its public API alone: features written to a folder, read, installed,
//! called with JSON text and answered with JSON text.

#![expect(clippy::disallowed_methods, reason = "writes the features that it measures")]

use crate::Result;
use peasy::feature::call::Receipt;
use peasy::feature::catalog::{CallOptions, Catalog};
use peasy::feature::grant::HostPolicy;
use peasy::feature::id::FeatureSource;
use peasy::feature::registry::FeatureRegistryBuilder;
use peasy::limit::Limits;
use peasy::script::runtime::{Location, ScriptRuntime};
use peasy::script::script::{ReadOutcome, Script};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A runtime, and the folder its features lie in.
pub struct Host {
    pub runtime: ScriptRuntime,
    pub limits: Limits,
    folder: TempDir,
}

impl Host {
    /// A host that bounds memory, under `limits`.
    pub fn new(limits: Limits) -> Result<Self> {
        let runtime = ScriptRuntime::new(&limits)?;
        Ok(Self { runtime, limits, folder: TempDir::new()? })
    }

    /// A host without a memory bound.
    pub fn unbounded(limits: Limits) -> Result<Self> {
        let runtime = ScriptRuntime::unbounded(&limits);
        Ok(Self { runtime, limits, folder: TempDir::new()? })
    }

    /// Writes a feature and says where it lies.
    pub fn write(&self, name: &str, text: &str) -> Result<Location> {
        let path = self.folder.path().join(format!("{name}.rhai"));
        std::fs::write(&path, text)?;
        Ok(Location { path, source: FeatureSource::User })
    }

    /// Plans and installs scripts.
    pub fn install(&self, scripts: Vec<Script>) -> Catalog {
        let registry =
            FeatureRegistryBuilder::new(HostPolicy::default()).limits(self.limits.clone());
        let modules = scripts.into_iter().map(|script| self.runtime.feature(script));
        modules.fold(registry, FeatureRegistryBuilder::module).plan().install().0
    }

    /// A catalog of features given by name and text.
    pub fn catalog(&self, features: &[(&str, &str)]) -> Result<Catalog> {
        let locations = features
            .iter()
            .map(|(name, text)| self.write(name, text))
            .collect::<Result<Vec<_>>>()?;
        let outcomes = self.runtime.read(&locations);
        Ok(self.install(outcomes.into_iter().map(accepted).collect::<Result<_>>()?))
    }
}

/// The script, or what is wrong with it.
pub fn accepted(outcome: ReadOutcome) -> Result<Script> {
    let ReadOutcome { script, diagnostics, .. } = outcome;
    let reason = || diagnostics.first().map_or("no reason given".into(), ToString::to_string);
    script.ok_or_else(|| format!("a feature was refused: {}", reason()).into())
}

/// One call, JSON text to JSON text.
pub struct Answer {
    pub text: String,
    /// From the text of the arguments to the text of the result.
    pub whole: Duration,
    pub receipt: Receipt,
}

impl Answer {
    /// What the hand-over took: there, waiting, and back.
    pub fn hand_over(&self) -> Duration {
        self.receipt.elapsed.saturating_sub(self.receipt.time)
    }

    /// All but the hand-over: both conversions of text, every check of the catalog, and the time
    /// on the sandbox thread.
    pub fn worked(&self) -> Duration {
        self.whole.saturating_sub(self.hand_over())
    }
}

/// Calls a tool and expects a result.
pub fn call(catalog: &Catalog, tool: &str, arguments: &str) -> Result<Answer> {
    let begun = Instant::now();
    let arguments = serde_json::from_str(arguments)?;
    let outcome = catalog.call(tool, arguments, CallOptions::default());
    let text = serde_json::to_string(&outcome.result?)?;
    Ok(Answer { text, whole: begun.elapsed(), receipt: outcome.receipt })
}
