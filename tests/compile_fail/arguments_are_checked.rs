//! Only a check makes arguments.

use peasy::feature::schema::Arguments;

fn main() {
    let _ = Arguments(serde_json::Map::new());
}
