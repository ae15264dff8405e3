//! What a feature that nobody calls costs in memory.

use crate::Result;
use crate::report::{Report, Target};
use crate::rounds::Spread;
use crate::server::User;

pub const ABOUT: &str = "resident memory of a server that has listed its tools: what each of 1,000 \
                         more features adds to that of 20";

const ROUNDS: usize = 5;
const FEW: usize = 20;
const MORE: usize = 1_000;

/// Measures with and without what an earlier start kept, for the two read differently.
pub fn take(report: &mut Report) -> Result<()> {
    let user = User::new()?;
    let (few, many) = (user.folder(FEW)?, user.folder(FEW + MORE)?);
    let resident = |folder, count| {
        let server = user.serve(folder, count)?;
        let bytes = server.resident()?;
        server.end().map(|()| bytes as f64 / 1024.0)
    };
    for (what, is_cold) in [("read by an earlier start", false), ("read by nobody before", true)] {
        let (mut each, mut least) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            if is_cold {
                user.forget()?;
            }
            let alone = resident(&few, FEW)?;
            each.push((resident(&many, FEW + MORE)? - alone) / MORE as f64);
            least.push(alone / 1024.0);
        }
        let each = Spread::of(each);
        let beside = format!("{:.1} MiB with 20", Spread::of(least).median);
        let what = format!("a feature, {what}");
        report.number(&what, each.median, " KiB", &beside, Target::AtMost(16.0));
    }
    Ok(())
}
