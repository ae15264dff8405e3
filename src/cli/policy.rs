//! The flags that decide for one run: what features are granted, and how far bounds are raised.
//!
//! They hold for the command they stand on and are kept nowhere.

use super::usage;
use crate::config::settings::Isolation;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::feature::capability::{Capability, CapabilityError};
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::HostPolicy;
use crate::feature::id::{FeatureId, FeatureSource};
use crate::limit::{Limit, Limits};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

/// What features are granted, for this command.
#[derive(Debug, Clone, Default, Args)]
pub struct GrantArguments {
    /// Grant a capability to a feature, by its name or id; may be repeated.
    ///
    /// `--grant word-count=notify:model` grants it to `word-count`. Where one feature is loaded,
    /// `--grant notify:model` is enough.
    #[arg(long = "grant", value_name = "FEATURE=CAPABILITY", help_heading = "Grants and limits")]
    pub grants: Vec<String>,
    /// Trust the features of this command as if they were your own.
    ///
    /// Features inside a project start with pure computation alone: their hooks, `store`, `emit` and
    /// `notify:user` wait for this flag.
    #[arg(long, help_heading = "Grants and limits")]
    pub trust: bool,
}

/// How far the bounds of calls are moved, for this command.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArguments {
    /// Set a bound of each call, such as `time=30s`, `memory=64MiB` or `operations=50_000_000`; may
    /// be repeated.
    #[arg(long = "limit", value_name = "NAME=VALUE", help_heading = "Grants and limits")]
    pub limits: Vec<String>,
}

impl ValueEnum for Isolation {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Thread, Self::Process]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Thread => {
                PossibleValue::new("thread").help("On threads of this process; the default")
            }
            Self::Process => PossibleValue::new("process").help(
                "In processes of their own, under a limit of memory: a call that aborts or hangs \
                 ends its process and nothing else",
            ),
        })
    }
}

/// Where calls run, for this command.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct IsolationArguments {
    /// Where scripts run.
    #[arg(long, value_enum, value_name = "WHERE", help_heading = "Grants and limits")]
    pub isolate: Option<Isolation>,
}

impl LimitArguments {
    /// The bounds in force: `limits` as far as no flag says otherwise.
    ///
    /// # Errors
    ///
    /// A flag names no limit, or a value that cannot be chosen.
    pub(super) fn limits(&self, mut limits: Limits) -> Result<Limits, Box<Diagnostic>> {
        for given in &self.limits {
            let (name, value) = given
                .split_once('=')
                .ok_or_else(|| malformed("--limit", given, "--limit time=30s"))?;
            let limit = Limit::by_name(name).ok_or_else(|| unknown_limit(name))?;
            let value = limit.parse_value(value);
            value.and_then(|value| limits.set(limit, value)).map_err(|reason| split(&reason))?;
        }
        Ok(limits)
    }
}

fn malformed(flag: &str, given: &str, example: &str) -> Diagnostic {
    usage(format!("`{flag} {given}` is not complete")).help(format!("write it as in `{example}`"))
}

fn unknown_limit(name: &str) -> Diagnostic {
    let names: Vec<_> = Limit::all().map(Limit::name).collect();
    let problem = usage(format!("there is no limit `{name}`"));
    match nearest(name, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the limits are: {}", names.join(", "))),
    }
}

impl GrantArguments {
    /// The policy of this run for these features: `policy` and what the flags add, and a warning for each grant that none of them asks
    /// for.
    ///
    /// # Errors
    ///
    /// A flag names no capability, or no feature or several.
    pub(super) fn policy(
        &self,
        mut policy: HostPolicy,
        features: &[&FeatureDescriptor],
    ) -> Result<(HostPolicy, Vec<Diagnostic>), Box<Diagnostic>> {
        let mut unasked = Vec::new();
        for given in &self.grants {
            let (feature, capability) = parse_grant(given, features)?;
            unasked.extend(unasked_for(&feature, &capability, features));
            policy = policy.grant(feature, capability);
        }
        if self.trust {
            policy =
                features.iter().fold(policy, |policy, feature| policy.trust(feature.id.clone()));
        }
        Ok((policy, unasked))
    }
}

/// What to say of a grant of which no request of the feature gets anything.
fn unasked_for(
    feature: &FeatureId,
    capability: &Capability,
    features: &[&FeatureDescriptor],
) -> Option<Diagnostic> {
    let requests = || {
        let named = features.iter().filter(|descriptor| descriptor.id == *feature);
        named.flat_map(|descriptor| &descriptor.requests).map(|request| &request.capability)
    };
    if requests().any(|wanted| capability.narrow(wanted).is_some()) {
        return None;
    }
    let mut warning = usage(format!("`{feature}` does not ask for `{capability}`"));
    warning.severity = Severity::Warning;
    let asked: Vec<_> = requests().map(|wanted| format!("`{wanted}`")).collect();
    Some(match asked.is_empty() {
        true => warning.help("it asks for nothing; leave the flag out"),
        false => warning.help(format!("it asks for {}", asked.join(", "))),
    })
}

fn parse_grant(
    given: &str,
    features: &[&FeatureDescriptor],
) -> Result<(FeatureId, Capability), Box<Diagnostic>> {
    if let Some((name, rest)) = given.split_once('=') {
        let named = named(name, features);
        let is_name = !named.is_empty() || Capability::with_scope(given).is_err();
        if is_name {
            let capability = capability(rest)?;
            return Ok((one(name, &named, features)?, capability));
        }
    }
    let capability = capability(given)?;
    // What is built in is named where it is meant.
    let is_own = |feature: &&&FeatureDescriptor| *feature.id.source() != FeatureSource::Builtin;
    let own: Vec<_> = features.iter().filter(is_own).copied().collect();
    let features = if own.is_empty() { features } else { own.as_slice() };
    match features {
        [only] => Ok((only.id.clone(), capability)),
        [] => Err(usage(format!("there is no feature to grant `{capability}` to")).into()),
        [first, ..] => Err(usage(format!(
            "`--grant {given}` does not say to which of {} features",
            features.len()
        ))
        .help(format!("write `--grant {}={given}`", first.id.name()))
        .into()),
    }
}

fn capability(text: &str) -> Result<Capability, Box<Diagnostic>> {
    Capability::with_scope(text).map_err(|reason| {
        match reason {
            CapabilityError::Implied(_) => {
                usage(format!("`{text}` is not granted on its own: it comes with trust"))
                    .help("write `--trust` for the features of this command")
            }
            other => split(&other),
        }
        .into()
    })
}

/// The features of that name or id.
fn named(name: &str, features: &[&FeatureDescriptor]) -> Vec<FeatureId> {
    features
        .iter()
        .map(|feature| &feature.id)
        .filter(|id| id.name().as_str() == name || id.to_string() == name)
        .cloned()
        .collect()
}

fn one(
    name: &str,
    named: &[FeatureId],
    features: &[&FeatureDescriptor],
) -> Result<FeatureId, Box<Diagnostic>> {
    match named {
        [only] => Ok(only.clone()),
        [] => {
            let names = features.iter().map(|feature| feature.id.name().as_str());
            Err(unknown_feature(name, names).into())
        }
        several => {
            let ids: Vec<_> = several.iter().map(|id| format!("`{id}`")).collect();
            Err(usage(format!("`{name}` names {} features", several.len()))
                .help(format!("write one of {}", ids.join(", ")))
                .into())
        }
    }
}

fn unknown_feature<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Diagnostic {
    did_you_mean(
        usage(format!("there is no feature `{name}` here")),
        name,
        &names.collect::<Vec<_>>(),
    )
}

/// Adds the name that was probably meant, or all there are.
pub(super) fn did_you_mean(problem: Diagnostic, given: &str, names: &[&str]) -> Diagnostic {
    match nearest(given, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => problem,
        None => problem.help(format!("there is: {}", names.join(", "))),
    }
}

/// A message that joins with `; ` what is wrong and what to do about it.
pub(super) fn split(reason: &impl ToString) -> Diagnostic {
    let text = reason.to_string();
    match text.split_once("; ") {
        Some((message, help)) => usage(message).help(help),
        None => usage(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::descriptor::{CapabilityRequest, FeatureRuntimeKind};

    fn features(ids: &[&str]) -> Vec<FeatureDescriptor> {
        let feature = |id: &&str| {
            FeatureDescriptor::new(id.parse().expect("an id"), FeatureRuntimeKind::Script)
        };
        ids.iter().map(feature).collect()
    }

    fn grant(given: &str, ids: &[&str]) -> Result<String, String> {
        let features = features(ids);
        let features: Vec<_> = features.iter().collect();
        parse_grant(given, &features)
            .map(|(feature, capability)| format!("{feature} {capability}"))
            .map_err(|problem| problem.message)
    }

    #[test]
    fn a_grant_names_its_feature_or_the_only_one() {
        let one = ["user:word-count"];
        let two = ["project:word-count", "user:word-count", "user:http"];
        for (given, ids, expected) in [
            ("word-count=notify:model", &one[..], "user:word-count notify:model"),
            ("user:word-count=http=a.example.com", &one, "user:word-count http=a.example.com"),
            ("notify:model", &one, "user:word-count notify:model"),
            ("http=a.example.com", &one, "user:word-count http=a.example.com"),
            ("http=store", &two, "user:http store"),
        ] {
            assert_eq!(grant(given, ids).as_deref(), Ok(expected), "{given}");
        }
        for (given, ids) in [
            ("notify:model", &two[..]),
            ("word-count=store", &two),
            ("word-cuont=store", &one),
            ("word-count=stroe", &one),
            ("word-count", &one),
        ] {
            assert!(grant(given, ids).is_err(), "{given}");
        }
    }

    #[test]
    fn a_grant_that_nobody_asked_for_is_said() {
        let mut features = features(&["user:weather", "user:plain"]);
        let wanted = "http=api.example.com".parse().expect("a capability");
        features[0].requests.push(CapabilityRequest::required(wanted, ""));
        let features: Vec<_> = features.iter().collect();
        let unasked = |given: &str| {
            let grants = GrantArguments { grants: vec![given.to_owned()], trust: false };
            let (_, unasked) = grants.policy(HostPolicy::new(), &features).expect("a policy");
            unasked.into_iter().flat_map(|warning| warning.help).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(unasked("weather=http=api.example.com"), "");
        assert_eq!(unasked("weather=http=*.example.com"), "", "more than was asked for");
        assert_eq!(unasked("weather=http=api.exmaple.com"), "it asks for `http=api.example.com`");
        assert_eq!(unasked("weather=emit"), "it asks for `http=api.example.com`");
        assert_eq!(unasked("plain=emit"), "it asks for nothing; leave the flag out");
    }

    #[test]
    fn limits_are_read_with_units() {
        let set = |given: &str| {
            LimitArguments { limits: vec![given.to_owned()] }.limits(Limits::default())
        };
        let limits = set("time=30s").expect("a limit");
        assert_eq!(limits.get(Limit::Time), 30_000);
        for wrong in ["time", "tiem=1s", "time=soon", "time=0", "memory=64GiB"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }
}
