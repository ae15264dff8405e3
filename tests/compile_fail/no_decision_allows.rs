//! No decision of a hook allows what the host denied.

use peasy::feature::Decision;

fn main() {
    let _ = Decision::Allow;
}
