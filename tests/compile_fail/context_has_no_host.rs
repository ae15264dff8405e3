//! A feature that is being installed finds no way to the host behind its registrars.

use peasy::feature::{
    FeatureDescriptor, FeatureInstallContext, FeatureInstallError, FeatureModule,
};

struct Curious(FeatureDescriptor);

impl FeatureModule for Curious {
    fn descriptor(&self) -> FeatureDescriptor {
        self.0.clone()
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        let _ = context.pod;
        let _ = context.catalog;
        let _ = context.registry;
        let _ = context.policy;
        let _ = context.tools.0;
        let _ = context.notify.gate;
        let _ = context.services.services;
        Ok(())
    }
}

fn main() {}
