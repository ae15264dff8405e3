//! A catalog comes from a plan, and a plan from planning.

use peasy::feature::{Catalog, FeatureRegistryBuilder, InstallPlan};

fn main() {
    let _ = FeatureRegistryBuilder::default().install();
    let _: InstallPlan = Default::default();
    let _: Catalog = Default::default();
}
