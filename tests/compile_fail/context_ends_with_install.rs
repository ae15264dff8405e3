//! Nothing of the install context can be kept, nor handed to another thread.

use peasy::feature::{
    FeatureDescriptor, FeatureInstallContext, FeatureInstallError, FeatureModule, GrantSet,
};
use std::sync::Mutex;

struct Keeper {
    descriptor: FeatureDescriptor,
    kept: Mutex<Option<&'static GrantSet>>,
}

impl FeatureModule for Keeper {
    fn descriptor(&self) -> FeatureDescriptor {
        self.descriptor.clone()
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        if let Ok(mut kept) = self.kept.lock() {
            *kept = Some(context.grants);
        }
        Ok(())
    }
}

struct Background(FeatureDescriptor);

impl FeatureModule for Background {
    fn descriptor(&self) -> FeatureDescriptor {
        self.0.clone()
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        let tools = &mut context.tools;
        std::thread::spawn(move || drop(tools));
        Ok(())
    }
}

fn main() {}
