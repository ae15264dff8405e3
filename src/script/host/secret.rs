//! `secret`: handles of secrets that the user keeps.
//!
//! A handle holds a name and nothing else: the text is asked for where it is spent, by `http`, at a
//! host that is granted for it. So no script can show, compare or return what it never had.

use super::ModuleBuilder;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, CapabilityError, SecretName};
use crate::feature::grant::command_name;
use crate::script::frame::{self, Native, refusal};
use crate::script::meter;
use crate::script::value::prefix;
use rhai::{Module, Shared};
use std::fmt;

/// A secret as a script holds it: its name.
#[derive(Debug, Clone)]
pub(crate) struct Handle(pub SecretName);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[secret {}]", self.0)
    }
}

/// The module of a feature that asked for `secret=…`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder
        .about(
            "Keys and passwords that the user keeps, `peasy secret set NAME`: request \
             `secret=NAME@HOST`. A script gets a handle, which `http` spends at that host and nothing \
             shows: in text it is `[secret NAME]`.",
        )
        .docs(&[
            "/// The handle of a secret, for `bearer`, `basic` and the values of `headers` in a request.",
            "/// http::get(url, #{ bearer: secret::get(\"API_KEY\") }).status",
            "/// http::get(url, #{ headers: #{ \"x-api-key\": secret::get(\"API_KEY\") } }).status",
        ])
        .function("get", ["name: string", "secret"], get);
    builder.build()
}

fn get(name: &str) -> Native<Handle> {
    meter::charge(10)?;
    let name: SecretName = prefix(name, 80).parse().map_err(|reason: CapabilityError| {
        refusal(Diagnostic::caller("secret/name", reason.to_string()))
    })?;
    frame::with(|frame| {
        let is_of_name = |grant: &Capability| matches!(grant, Capability::Secret { name: granted, .. } if *granted == name);
        if frame.grants().iter().any(is_of_name) {
            return Ok(());
        }
        let feature = frame.feature();
        let message = format!("`secret={name}@HOST` is not granted to `{feature}`");
        let help = format!(
            "allow it with `peasy grant {} secret={name}@HOST`, where HOST is the host that it is spent at",
            command_name(feature)
        );
        Err(refusal(Diagnostic::operator("grant/secret", message).help(help)))
    })?;
    Ok(Handle(name))
}
