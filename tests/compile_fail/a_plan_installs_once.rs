//! A plan is used up by installing it.

use peasy::feature::FeatureRegistryBuilder;

fn main() {
    let plan = FeatureRegistryBuilder::default().plan();
    let _ = plan.install();
    let _ = plan.install();
}
