//! From starting `peasy serve` to its list of tools, with a thousand features and with twenty.

use crate::Result;
use crate::report::{Report, Target};
use crate::rounds::{Rounds, micros};
use crate::server::User;

pub const ABOUT: &str = "a whole process, from its start to the answer of tools/list: 1,000 \
                         features of thirty lines against 20, with what an earlier start kept of \
                         reading them and without";

const ROUNDS: usize = 15;
const FEW: usize = 20;
const MANY: usize = 1_000;

const WARM_MANY: usize = 0;
const WARM_FEW: usize = 1;
const COLD_MANY: usize = 2;
const COLD_FEW: usize = 3;

/// Measures both.
pub fn take(report: &mut Report) -> Result<()> {
    let user = User::new()?;
    let (few, many) = (user.folder(FEW)?, user.folder(MANY)?);
    let rounds = Rounds::take(ROUNDS, || {
        let start = |folder, count| {
            let server = user.serve(folder, count)?;
            let took = micros(server.took);
            server.end().map(|()| took)
        };
        user.forget()?;
        let (cold_many, cold_few) = (start(&many, MANY)?, start(&few, FEW)?);
        Ok([start(&many, MANY)?, start(&few, FEW)?, cold_many, cold_few])
    })?;
    let warm = [("1,000", WARM_MANY), ("20", WARM_FEW)];
    report.ratio("features that an earlier start read", &rounds, warm, Target::AtMost(3.0));
    let cold = [("1,000", COLD_MANY), ("20", COLD_FEW)];
    report.ratio("features that nobody read before", &rounds, cold, Target::None);
    let few = [("first", COLD_FEW), ("later", WARM_FEW)];
    report.ratio("20 features: the first start against a later one", &rounds, few, Target::None);
    Ok(())
}
