//! The memory and the work items in the hands of one call, and what becomes of them when it ends.
//!
//! The call's own store decides whether what was staged here happened; see [`crate::store`] for how that is
//! kept together over a process that dies. A call locks its own store first, then the memory, then the
//! work items, so that no two calls wait for each other.

use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::id::FeatureId;
use crate::store::{CommonsLease, Lease, Owner, StoreError, Stores};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for a commons that another call has locked, once the call is lasting. What is not made
/// then is made by the next that opens the commons.
const PATIENCE: Duration = Duration::from_secs(10);

/// The commons that a call has locked.
#[derive(Default)]
pub(super) struct Leased(BTreeMap<Commons, (Owner, CommonsLease)>);

/// What a call needs to lock one.
pub(super) struct Terms<'a> {
    pub stores: &'a Stores,
    /// The folder that both belong to.
    pub project: &'a Path,
    /// Those that the call may come to ask for.
    pub granted: &'a [Commons],
    pub quota: u64,
    pub deadline: Instant,
}

/// Whose store a commons is.
fn owner_of(commons: Commons, project: &Path) -> Owner {
    let feature =
        FeatureId::builtin(commons.name()).expect("the name of a commons is one of a feature");
    Owner { feature, root: project.to_owned() }
}

impl Leased {
    /// Looks at a commons, or stages a change of it. `own` is the call's own store.
    pub fn answer(
        &mut self,
        commons: Commons,
        ask: &CommonsAsk,
        own: &mut Lease,
        terms: &Terms<'_>,
    ) -> Result<CommonsAnswer, StoreError> {
        for before in Commons::ALL.into_iter().filter(|one| *one <= commons) {
            let is_wanted = before == commons || terms.granted.contains(&before);
            if is_wanted && !self.0.contains_key(&before) {
                let owner = owner_of(before, terms.project);
                let lease =
                    terms.stores.commons(&owner, Some(&mut *own), terms.quota, terms.deadline)?;
                self.0.insert(before, (owner, lease));
            }
        }
        let Some((_, lease)) = self.0.get_mut(&commons) else { return Err(StoreError::Closed) };
        lease.answer(ask).map_err(|error| lease.examined(error))
    }

    /// Whether anything was staged.
    pub fn is_changed(&self) -> bool {
        self.0.values().any(|(_, lease)| lease.is_changed())
    }

    /// Writes down what was staged, to be made once the store of `owner` has committed the call; whose
    /// commons these are.
    pub fn prepare(self, call: &str, owner: &Owner) -> Result<Vec<Owner>, StoreError> {
        let changed = self.0.into_values().filter(|(_, lease)| lease.is_changed());
        changed.map(|(commons, lease)| lease.prepare(call, owner).map(|()| commons)).collect()
    }
}

/// Makes what a call that is lasting has prepared.
pub(super) fn settle(stores: &Stores, commons: &[Owner]) {
    for commons in commons {
        if let Err(error) = stores.settle(commons, Instant::now() + PATIENCE) {
            tracing::warn!(%error, commons = %commons.feature, "what a call kept is made lasting later");
        }
    }
}
