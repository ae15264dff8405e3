//! A feature cannot make a set of grants that holds anything.

use peasy::feature::{Capability, GrantSet};
use std::collections::BTreeSet;

fn main() {
    let _ = GrantSet::of([Capability::Emit]);
    let _ = GrantSet(BTreeSet::from([Capability::Emit]));
    let mut grants = GrantSet::none();
    grants.insert(Capability::Emit);
}
