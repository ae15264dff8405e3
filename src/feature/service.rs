//! Typed services of the host: what a feature may ask for while it is installed.
//!
//! A service is found by its type and opened by a grant. What was not granted is `Denied`, what this
//! host does not have is `Unavailable`; neither hands out a part of the host in its place.

use super::capability::Capability;
use super::grant::{GrantSet, grant_command};
use super::id::FeatureId;
use crate::diagnostic::Diagnostic;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// A service that a host offers to features.
pub trait HostService: Any + Send + Sync {
    /// What people call it: `work item store`.
    const NAME: &'static str;

    /// The capability that opens it.
    fn capability() -> Capability
    where
        Self: Sized;

    /// Whether `grants` open it. A service whose capability has a scope (`http=HOST`) says here
    /// that any scope will do, and holds each use against the scope in [`Self::scoped`].
    fn admits(grants: &GrantSet) -> bool
    where
        Self: Sized,
    {
        grants.covers(&Self::capability())
    }

    /// The service as `feature` may use it: narrowed to its grants, where it has a scope.
    #[must_use]
    fn scoped(self: Arc<Self>, feature: &FeatureId, grants: &GrantSet) -> Arc<Self>
    where
        Self: Sized,
    {
        let _ = (feature, grants);
        self
    }
}

/// Why a service was not handed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The grant is missing; whether the host has the service is not said.
    #[error("the service `{service}` needs `{capability}`, which is not granted to `{feature}`")]
    Denied {
        /// The service's name.
        service: &'static str,
        /// Who asked.
        feature: FeatureId,
        /// What opens it.
        capability: Capability,
    },
    /// This host has none.
    #[error("this host has no service `{service}`, which `{feature}` asks for")]
    Unavailable {
        /// The service's name.
        service: &'static str,
        /// Who asked.
        feature: FeatureId,
    },
}

impl ServiceError {
    /// The problem as data, for whoever runs the host.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Denied { feature, capability, .. } => {
                Diagnostic::operator("service/denied", self.to_string())
                    .help(format!("allow it with `{}`", grant_command(feature, capability)))
            }
            Self::Unavailable { .. } => {
                Diagnostic::operator("service/unavailable", self.to_string())
                    .help("run the feature in a host that offers the service")
            }
        }
    }
}

/// The services of one host, one for each type.
#[derive(Default)]
pub struct HostServices(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl HostServices {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service, in place of any other of its type.
    #[must_use]
    pub fn with<S: HostService>(mut self, service: Arc<S>) -> Self {
        self.0.insert(TypeId::of::<S>(), service);
        self
    }

    fn find<S: HostService>(&self) -> Option<Arc<S>> {
        Arc::clone(self.0.get(&TypeId::of::<S>())?).downcast().ok()
    }
}

/// Hands out the services that one feature's grants open.
pub struct FeatureServiceProvider<'a> {
    services: &'a HostServices,
    feature: &'a FeatureId,
    grants: &'a GrantSet,
}

impl<'a> FeatureServiceProvider<'a> {
    pub(super) fn new(
        services: &'a HostServices,
        feature: &'a FeatureId,
        grants: &'a GrantSet,
    ) -> Self {
        Self { services, feature, grants }
    }

    /// The service of that type, scoped to this feature's grants.
    ///
    /// # Errors
    ///
    /// The grant is missing, or the host has no such service. Passing the error on with `?` disables
    /// the whole feature; a feature that can do without installs what is left.
    pub fn get<S: HostService>(&self) -> Result<Arc<S>, ServiceError> {
        let feature = self.feature;
        if !S::admits(self.grants) {
            return Err(ServiceError::Denied {
                service: S::NAME,
                feature: feature.clone(),
                capability: S::capability(),
            });
        }
        let service = self.services.find::<S>().ok_or_else(|| ServiceError::Unavailable {
            service: S::NAME,
            feature: feature.clone(),
        })?;
        Ok(service.scoped(feature, self.grants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Blame;

    struct Clock(u64);

    impl HostService for Clock {
        const NAME: &'static str = "clock";

        fn capability() -> Capability {
            Capability::Ask
        }
    }

    /// A service with a scope: each feature gets one that knows its hosts.
    struct Web(Vec<String>);

    impl HostService for Web {
        const NAME: &'static str = "web";

        fn capability() -> Capability {
            "http=api.example.com".parse().expect("a capability")
        }

        fn admits(grants: &GrantSet) -> bool {
            grants.opens("http")
        }

        fn scoped(self: Arc<Self>, _: &FeatureId, grants: &GrantSet) -> Arc<Self> {
            Arc::new(Self(grants.iter().map(ToString::to_string).collect()))
        }
    }

    fn feature() -> FeatureId {
        "user:a".parse().expect("an id")
    }

    fn get<S: HostService>(
        services: &HostServices,
        grants: &[&str],
    ) -> Result<Arc<S>, ServiceError> {
        let grants = GrantSet::of(grants.iter().map(|text| text.parse().expect("a capability")));
        FeatureServiceProvider::new(services, &feature(), &grants).get::<S>()
    }

    #[test]
    fn denied_and_unavailable_are_two_things() {
        let denied = get::<Clock>(&HostServices::new(), &[]).err().expect("no grant");
        assert!(matches!(denied, ServiceError::Denied { capability: Capability::Ask, .. }));
        let diagnostic = denied.diagnostic();
        assert_eq!(
            (diagnostic.code.as_ref(), diagnostic.blame),
            ("service/denied", Blame::Operator)
        );
        assert_eq!(diagnostic.help, ["allow it with `peasy grant a ask`"]);

        let absent = get::<Clock>(&HostServices::new(), &["ask"]).err().expect("no service");
        assert!(matches!(absent, ServiceError::Unavailable { service: "clock", .. }));
        assert_eq!(absent.diagnostic().code, "service/unavailable");
    }

    #[test]
    fn without_the_grant_nobody_learns_whether_the_service_exists() {
        let with = HostServices::new().with(Arc::new(Clock(1)));
        let (with, without) = (get::<Clock>(&with, &[]), get::<Clock>(&HostServices::new(), &[]));
        assert_eq!(with.err(), without.err());
    }

    #[test]
    fn a_granted_service_is_handed_out_by_type() {
        let services = HostServices::new().with(Arc::new(Clock(1))).with(Arc::new(Clock(2)));
        assert_eq!(get::<Clock>(&services, &["ask"]).map(|clock| clock.0), Ok(2));
        assert!(get::<Web>(&services, &["http=a.example"]).is_err());
    }

    #[test]
    fn a_service_with_a_scope_learns_the_grants() {
        let services = HostServices::new().with(Arc::new(Web(Vec::new())));
        let web =
            get::<Web>(&services, &["http=a.example"]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(web.0, ["http=a.example"]);
        assert!(get::<Web>(&services, &["ask"]).is_err());
    }
}
