//! Grants: what one feature was given, and the user's policy that decides it.
//!
//! Policy is data of the user. Nothing a feature declares can change it, and nothing here reads
//! files: whoever loads the user's configuration binds it to folders and digests first, and hands
//! over a [`HostPolicy`] that speaks of the features of this host alone.

use super::capability::Capability;
use super::descriptor::{CapabilityRequest, Need};
use super::id::{FeatureId, FeatureSource};
use super::report::CapabilityDenial;
use crate::diagnostic::shell_word;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What one feature was granted. Only the planner makes one that holds anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct GrantSet(BTreeSet<Capability>);

impl GrantSet {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// These and no others.
    pub(crate) fn of(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        Self(capabilities.into_iter().collect())
    }

    /// What is left of these where others bound them: covered by both.
    #[must_use]
    pub fn narrowed(&self, to: &[Capability]) -> Self {
        let both = self.0.iter().flat_map(|grant| to.iter().filter_map(|to| to.narrow(grant)));
        Self(both.collect())
    }

    /// Whether one of the grants is enough for `wanted`.
    pub fn covers(&self, wanted: &Capability) -> bool {
        self.0.iter().any(|grant| grant.covers(wanted))
    }

    /// Whether the grants are enough for a contribution that requires `wanted`: where it leaves the scope
    /// to the user, any will do.
    pub fn meets(&self, wanted: &Capability) -> bool {
        self.covers(wanted) || (wanted.is_open() && self.0.iter().any(|grant| wanted.covers(grant)))
    }

    /// Whether any grant opens the host module of that name, as `granted("http")` asks.
    pub fn opens(&self, module: &str) -> bool {
        self.0.iter().any(|grant| grant.module() == Some(module))
    }

    /// The grants, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the user's policy says of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was asked for.
    Granted,
    /// Some of it.
    Narrowed {
        /// The parts that are granted.
        granted: Vec<Capability>,
        /// Why not all.
        denial: CapabilityDenial,
    },
    /// What the user chose, where the request leaves that to the user.
    Chosen(Vec<Capability>),
    /// Nothing.
    Denied(CapabilityDenial),
}

/// The user's decisions about the features of this host.
///
/// Features built in and features of the user's own get the harmless set
/// ([`Capability::is_harmless`]) and hooks that restrict. Features of projects and packages get pure
/// computation until the user trusts them. Everything else is granted by name.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    granted: BTreeMap<FeatureId, BTreeSet<Capability>>,
    trusted: BTreeSet<FeatureId>,
    folders: BTreeSet<PathBuf>,
    disabled: BTreeSet<FeatureId>,
}

impl HostPolicy {
    /// A policy that grants nothing by name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants `capability` to `feature`, should it ask.
    #[must_use]
    pub fn grant(mut self, feature: FeatureId, capability: Capability) -> Self {
        self.granted.entry(feature).or_default().insert(capability);
        self
    }

    /// Takes back what [`Self::grant`] gave; the harmless set of the user's own features stays.
    #[must_use]
    pub fn revoke(mut self, feature: &FeatureId, capability: &Capability) -> Self {
        if let Some(granted) = self.granted.get_mut(feature) {
            granted.retain(|grant| !capability.covers(grant));
        }
        self
    }

    /// Gives `feature` what a feature of the user's own gets.
    #[must_use]
    pub fn trust(mut self, feature: FeatureId) -> Self {
        self.trusted.insert(feature);
        self
    }

    /// Trusts what lies in the project at `root`, as far as it is not known which features those are:
    /// where one cannot be read.
    #[must_use]
    pub fn trust_project(mut self, root: PathBuf) -> Self {
        self.folders.insert(root);
        self
    }

    /// Whether the project at `root` is trusted.
    pub fn is_project_trusted(&self, root: &Path) -> bool {
        self.folders.contains(root)
    }

    /// Switches `feature` off.
    #[must_use]
    pub fn disable(mut self, feature: FeatureId) -> Self {
        self.disabled.insert(feature);
        self
    }

    /// Switches `feature` on again.
    #[must_use]
    pub fn enable(mut self, feature: &FeatureId) -> Self {
        self.disabled.remove(feature);
        self
    }

    /// Whether `feature` may run at all.
    pub fn is_enabled(&self, feature: &FeatureId) -> bool {
        !self.disabled.contains(feature)
    }

    /// Whether `feature` gets the harmless set and may add hooks that restrict.
    pub fn is_trusted(&self, feature: &FeatureId) -> bool {
        match feature.source() {
            // A server is bridged because the user's configuration names it.
            FeatureSource::Builtin | FeatureSource::User | FeatureSource::Bridge => true,
            FeatureSource::Project | FeatureSource::Plugin(_) => self.trusted.contains(feature),
        }
    }

    /// Decides about one request of `feature`. Has no effects.
    pub fn decide(&self, feature: &FeatureId, request: &CapabilityRequest) -> Verdict {
        let wanted = &request.capability;
        // A grant says what it is for: one that leaves it open gives nothing.
        let named = self.granted.get(feature).into_iter().flatten();
        let named: Vec<_> = named.filter(|grant| !grant.is_open()).collect();
        let harmless = wanted.is_harmless() && self.is_trusted(feature);
        if harmless || named.iter().any(|grant| grant.covers(wanted)) {
            return Verdict::Granted;
        }
        let parts: BTreeSet<_> = named.iter().filter_map(|grant| grant.narrow(wanted)).collect();
        if wanted.is_open() && !parts.is_empty() {
            return Verdict::Chosen(parts.into_iter().collect());
        }
        let denial = denial(feature, wanted, request.need, &parts);
        match parts.is_empty() {
            true => Verdict::Denied(denial),
            false => Verdict::Narrowed { granted: parts.into_iter().collect(), denial },
        }
    }
}

fn denial(
    feature: &FeatureId,
    wanted: &Capability,
    need: Need,
    parts: &BTreeSet<Capability>,
) -> CapabilityDenial {
    let command = grant_command(feature, wanted);
    let reason = if parts.is_empty() {
        format!("`{wanted}` is not granted to `{feature}`")
    } else {
        let list: Vec<_> = parts.iter().map(|part| format!("`{part}`")).collect();
        format!("of `{wanted}`, `{feature}` is granted only {}", list.join(", "))
    };
    CapabilityDenial { capability: wanted.clone(), need, reason, command }
}

/// The command that allows `capability` to `feature`.
pub fn grant_command(feature: &FeatureId, capability: &Capability) -> String {
    grant_all_command(feature, &[capability])
}

/// The one command that allows all of these to `feature`. What trust gives is given by trust where it is all
/// that is wanted, for a project's hooks wait for it as well.
pub fn grant_all_command(feature: &FeatureId, capabilities: &[&Capability]) -> String {
    let is_own = !matches!(feature.source(), FeatureSource::Project | FeatureSource::Plugin(_));
    if !is_own && capabilities.iter().all(|capability| capability.is_harmless()) {
        return trust_command(feature);
    }
    format!("peasy grant {}{}", command_name(feature), scopes(capabilities))
}

/// The command that takes back what [`grant_command`] allows.
pub fn revoke_command(feature: &FeatureId, capability: &Capability) -> String {
    revoke_all_command(feature, &[capability])
}

/// The command that takes back what [`grant_all_command`] allows.
pub fn revoke_all_command(feature: &FeatureId, capabilities: &[&Capability]) -> String {
    format!("peasy revoke {}{}", command_name(feature), scopes(capabilities))
}

/// Several in a sentence: `` `store`, `emit` and `ask` ``.
pub fn all_of<'a>(capabilities: impl IntoIterator<Item = &'a Capability>) -> String {
    let names: Vec<_> = capabilities.into_iter().map(|one| format!("`{one}`")).collect();
    match names.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        names => names.concat(),
    }
}

/// Each as a word of a command line, with a space before it.
fn scopes(capabilities: &[&Capability]) -> String {
    let word = |capability: &&Capability| match capability {
        Capability::Open(open) => format!(" {}", open.form()),
        _ => format!(" {}", shell_word(&capability.to_string())),
    };
    capabilities.iter().map(word).collect()
}

/// The command that gives the features of a project what a feature of the user's own gets.
pub fn trust_command(feature: &FeatureId) -> String {
    format!("peasy trust {}", command_name(feature))
}

/// The command that switches a feature on again.
pub fn enable_command(feature: &FeatureId) -> String {
    format!("peasy enable {}", command_name(feature))
}

/// A feature of the user's own goes by its name, any other by its whole id.
pub fn command_name(feature: &FeatureId) -> String {
    match feature.source() {
        FeatureSource::User => feature.name().to_string(),
        _ => feature.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> FeatureId {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn capability(text: &str) -> Capability {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn decide(policy: &HostPolicy, feature: &str, wanted: &str) -> Verdict {
        policy.decide(&id(feature), &CapabilityRequest::required(capability(wanted), "for a test"))
    }

    #[test]
    fn the_users_own_features_get_the_harmless_set() {
        let policy = HostPolicy::new();
        for feature in ["user:a", "builtin:a", "bridge:a"] {
            for wanted in ["store", "store:read", "emit", "notify:user"] {
                assert_eq!(
                    decide(&policy, feature, wanted),
                    Verdict::Granted,
                    "{feature} {wanted}"
                );
            }
            for wanted in ["notify:model", "http=a.example", "exec=git", "ask", "memory:read"] {
                assert!(matches!(decide(&policy, feature, wanted), Verdict::Denied(_)), "{wanted}");
            }
        }
    }

    #[test]
    fn a_project_and_a_package_get_nothing_until_trusted() {
        for feature in ["project:a", "plugin:0123abcd:a"] {
            let policy = HostPolicy::new();
            assert!(matches!(decide(&policy, feature, "store"), Verdict::Denied(_)));
            assert!(!policy.is_trusted(&id(feature)));
            let policy = policy.trust(id(feature));
            assert_eq!(decide(&policy, feature, "store"), Verdict::Granted);
            assert!(matches!(decide(&policy, feature, "exec=git"), Verdict::Denied(_)));
        }
    }

    #[test]
    fn a_grant_is_for_one_feature_of_one_source() {
        let policy = HostPolicy::new().grant(id("user:a"), capability("exec=git"));
        assert_eq!(decide(&policy, "user:a", "exec=git"), Verdict::Granted);
        for other in ["user:b", "project:a", "builtin:a", "plugin:0123abcd:a"] {
            assert!(matches!(decide(&policy, other, "exec=git"), Verdict::Denied(_)), "{other}");
        }
    }

    #[test]
    fn part_of_a_request_can_be_granted() {
        let policy = HostPolicy::new()
            .grant(id("user:a"), capability("http=api.example.com"))
            .grant(id("user:a"), capability("http=www.example.com"));
        let Verdict::Narrowed { granted, denial } = decide(&policy, "user:a", "http=*.example.com")
        else {
            panic!("two of its hosts are granted")
        };
        assert_eq!(
            granted,
            [capability("http=api.example.com"), capability("http=www.example.com")]
        );
        assert_eq!(
            denial.reason,
            "of `http=*.example.com`, `user:a` is granted only `http=api.example.com`, `http=www.example.com`"
        );
        assert_eq!(denial.command, "peasy grant a 'http=*.example.com'");
    }

    #[test]
    fn a_request_may_leave_the_scope_to_the_user_and_a_grant_may_not() {
        let policy = HostPolicy::new()
            .grant(id("builtin:exec"), capability("exec=git"))
            .grant(id("builtin:exec"), capability("exec=make"))
            .grant(id("builtin:exec"), capability("fs:read=**"));
        let chosen = Verdict::Chosen(vec![capability("exec=git"), capability("exec=make")]);
        assert_eq!(decide(&policy, "builtin:exec", "exec"), chosen);
        let wide = HostPolicy::new().grant(id("builtin:exec"), capability("exec"));
        for wanted in ["exec", "exec=git"] {
            let Verdict::Denied(denial) = decide(&wide, "builtin:exec", wanted) else {
                panic!("a grant without a scope gives nothing: {wanted}")
            };
            let form = if wanted == "exec" { "exec=PROGRAM" } else { wanted };
            assert_eq!(denial.command, format!("peasy grant builtin:exec {form}"));
        }
        let grants = GrantSet::of([capability("exec=git")]);
        assert!(grants.meets(&capability("exec")) && !grants.covers(&capability("exec")));
        assert!(!grants.meets(&capability("http")) && !grants.meets(&capability("exec=make")));
    }

    #[test]
    fn a_denial_carries_the_command_that_ends_it() {
        let Verdict::Denied(denial) = decide(&HostPolicy::new(), "project:a", "fs:read=it's/**")
        else {
            panic!("nothing is granted")
        };
        let diagnostic = denial.diagnostic();
        assert_eq!(diagnostic.code, "grant/fs");
        assert_eq!(diagnostic.blame, crate::diagnostic::Blame::Operator);
        let help = r"allow it with `peasy grant project:a 'fs:read=it'\''s/**'`";
        assert_eq!(diagnostic.help, [help]);
    }

    #[test]
    fn what_is_revoked_is_gone_with_all_that_it_covers() {
        let policy = HostPolicy::new()
            .grant(id("user:a"), capability("http=api.example.com"))
            .grant(id("user:a"), capability("exec=git"))
            .revoke(&id("user:a"), &capability("http=*.example.com"));
        assert!(matches!(decide(&policy, "user:a", "http=api.example.com"), Verdict::Denied(_)));
        assert_eq!(decide(&policy, "user:a", "exec=git"), Verdict::Granted);
    }

    #[test]
    fn features_are_switched_off_and_on() {
        let policy = HostPolicy::new().disable(id("user:a"));
        assert!(!policy.is_enabled(&id("user:a")) && policy.is_enabled(&id("user:b")));
        assert!(policy.enable(&id("user:a")).is_enabled(&id("user:a")));
    }

    #[test]
    fn a_grant_set_answers_for_capabilities_and_modules() {
        let grants = GrantSet::of([capability("store:read"), capability("http=*.example.com")]);
        assert!(grants.covers(&capability("store:read")) && !grants.covers(&capability("store")));
        assert!(grants.covers(&capability("http=api.example.com")));
        assert!(grants.opens("store") && grants.opens("http") && !grants.opens("fs"));
        let json = serde_json::to_string(&grants).expect("strings");
        assert_eq!(json, r#"["store:read","http=*.example.com"]"#);
        assert!(GrantSet::none().is_empty());
    }

    proptest! {
        /// What comes out of a decision is never more than was asked for, nor more than was listed.
        #[test]
        fn no_verdict_exceeds_request_or_policy(
            listed in prop::sample::subsequence(vec![
                "store", "store:read", "http=*.example.com", "http=a.example.com:443",
                "http=example.org", "fs:read=src/**", "fs:read=src/*/a", "exec=git", "exec", "http",
            ], 0..5),
            wanted in prop::sample::select(vec![
                "store", "http=a.example.com", "http=*.a.example.com", "http=*.example.com:443",
                "fs:read=src/b/a", "fs:read=**", "exec=git", "ask", "exec", "http", "fs:read",
            ]),
        ) {
            let feature = id("project:a");
            let policy = listed.iter().fold(HostPolicy::new(), |policy, text| {
                policy.grant(feature.clone(), capability(text))
            });
            let named = listed.iter().map(|text| capability(text)).filter(|one| !one.is_open());
            let named = GrantSet::of(named);
            match decide(&policy, "project:a", wanted) {
                Verdict::Granted => prop_assert!(named.covers(&capability(wanted))),
                Verdict::Narrowed { granted, .. } => for part in granted {
                    prop_assert!(named.covers(&part) && capability(wanted).covers(&part));
                },
                Verdict::Chosen(parts) => for part in parts {
                    prop_assert!(named.covers(&part) && capability(wanted).covers(&part));
                    prop_assert!(!part.is_open());
                },
                Verdict::Denied(denial) => prop_assert_eq!(denial.capability, capability(wanted)),
            }
        }
    }
}
