//! What hooks around a call have to know of what is called: a tool that is installed here, or one of an
//! agent's own. Nothing here calls it.

use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::{Catalog, InstalledTool};
use crate::feature::content::ResultForm;
use crate::feature::hook_event::{ForeignCall, ToolEvent};
use crate::feature::schema::Arguments;
use serde_json::{Map, Value};

/// What a call is of.
pub(super) trait Callee: Send + 'static {
    /// Arguments that it takes.
    type Arguments: Send + 'static;

    /// Its name, as the rules know it.
    fn name(&self) -> &str;

    /// Whether it asks where no rule fits.
    fn asks(&self) -> bool;

    /// Arguments that a hook gives to it.
    fn fit(&self, catalog: &Catalog, arguments: Value) -> Result<Self::Arguments, Failure>;

    /// The arguments by name.
    fn as_map(arguments: &Self::Arguments) -> &Map<String, Value>;

    /// The event of a call with these arguments.
    fn event(
        &self,
        catalog: &Catalog,
        arguments: &Map<String, Value>,
    ) -> Result<ToolEvent, Failure>;

    /// A result that a hook gives in its place.
    fn fit_result(
        &self,
        catalog: &Catalog,
        result: Value,
        form: ResultForm,
    ) -> Result<Value, Failure>;
}

/// A tool of the catalog, by name: the catalog is another thread's as well.
pub(super) struct Installed {
    name: String,
    asks: bool,
}

impl Installed {
    pub fn new(tool: &InstalledTool) -> Self {
        let declaration = tool.declaration();
        Self { name: declaration.name.to_string(), asks: declaration.asks }
    }

    fn tool<'a>(&self, catalog: &'a Catalog) -> Result<&'a InstalledTool, Failure> {
        let lost =
            || Diagnostic::host("host/lost", format!("`{}` is not there any more", self.name));
        catalog.tool(&self.name).ok_or_else(|| lost().into())
    }
}

impl Callee for Installed {
    type Arguments = Arguments;

    fn name(&self) -> &str {
        &self.name
    }

    fn asks(&self) -> bool {
        self.asks
    }

    fn fit(&self, catalog: &Catalog, arguments: Value) -> Result<Arguments, Failure> {
        self.tool(catalog)?.fit(arguments)
    }

    fn as_map(arguments: &Arguments) -> &Map<String, Value> {
        arguments.as_map()
    }

    fn event(
        &self,
        catalog: &Catalog,
        arguments: &Map<String, Value>,
    ) -> Result<ToolEvent, Failure> {
        let tool = self.tool(catalog)?;
        Ok(ToolEvent::of_tool(tool.declaration(), tool.runtime(), arguments))
    }

    fn fit_result(
        &self,
        catalog: &Catalog,
        result: Value,
        form: ResultForm,
    ) -> Result<Value, Failure> {
        self.tool(catalog)?.fit_result(result, form)
    }
}

/// The agent's own types are the agent's to check.
impl Callee for ForeignCall {
    type Arguments = Map<String, Value>;

    fn name(&self) -> &str {
        &self.event().tool
    }

    fn asks(&self) -> bool {
        false
    }

    fn fit(&self, _: &Catalog, arguments: Value) -> Result<Map<String, Value>, Failure> {
        match arguments {
            Value::Object(arguments) => Ok(arguments),
            _ => Err(Diagnostic::author(
                "hook/decision-type",
                "the arguments that the hook gives are no object",
            )
            .help("return `rewrite(#{ … })` with every argument by its name")
            .into()),
        }
    }

    fn as_map(arguments: &Map<String, Value>) -> &Map<String, Value> {
        arguments
    }

    fn event(&self, _: &Catalog, arguments: &Map<String, Value>) -> Result<ToolEvent, Failure> {
        self.with_arguments(arguments.clone()).map_err(|error| error.diagnostic().into())
    }

    fn fit_result(&self, _: &Catalog, result: Value, _: ResultForm) -> Result<Value, Failure> {
        Ok(result)
    }
}
