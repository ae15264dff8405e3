//! Lists of maps: rows with fields.

use super::group::{name_of, slot};
use super::order::{Key, field};
use crate::script::host::ModuleBuilder;
use crate::script::host::text::work::{Pace, a_type, array, refuse, unreadable};
use crate::script::native::compare::{self, Outcome};
use crate::script::value::Kind;
use rhai::{Array, Dynamic, Map, NativeCallContext};

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The field of that name of each map, `()` where it has none.",
            "/// list::pluck([#{ n: 1 }, #{ n: 2 }], \"n\") // => [1, 2]",
        ])
        .function("pluck", ["list: map[]", "name: string", "any[]"], pluck)
        .docs(&[
            "/// The maps whose fields equal all those given.",
            "/// list::matching([#{ n: 1, c: \"x\" }, #{ n: 2, c: \"y\" }], #{ c: \"y\" }) // => [#{ n: 2, c: \"y\" }]",
        ])
        .function("matching", ["list: map[]", "fields: map", "map[]"], matching)
        .docs(&[
            "/// A map from each key, as text, to the last value that has it. The key is a field, or what a function gives.",
            "/// list::index_by([#{ id: \"a\", n: 1 }, #{ id: \"b\", n: 2 }], \"id\").b.n // => 2",
        ])
        .function("index_by", ["list: any[]", "key: string | Fn", "map"], index_by)
        .docs(&[
            "/// A map made of pairs of key and value; the last of equal keys stays.",
            "/// list::to_map([[\"a\", 1], [\"b\", 2]]) // => #{ a: 1, b: 2 }",
        ])
        .function("to_map", ["list: any[][]", "map"], to_map);
}

fn pluck(list: &mut Array, name: &str) -> Outcome<Array> {
    let mut pace = Pace::default();
    let mut result = array(list.len())?;
    for (place, value) in list.iter().enumerate() {
        result.push(field("pluck", &mut pace, place, value, name)?);
    }
    Ok(result)
}

fn matching(list: &mut Array, fields: Map) -> Outcome<Array> {
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for (place, value) in list.iter().enumerate() {
        let mut is_match = true;
        for (name, wanted) in &fields {
            let found = field("matching", &mut pace, place, value, name)?;
            is_match = is_match && compare::equal(&found, wanted)?;
        }
        if is_match {
            let value = pace.copy(value)?;
            pace.push(&mut result, value)?;
        }
    }
    Ok(result)
}

fn index_by(context: NativeCallContext, list: &mut Array, key: Dynamic) -> Outcome<Map> {
    let key = Key::new("list::index_by", key)?;
    let (mut map, mut pace) = (Map::new(), Pace::default());
    for (place, value) in list.iter().enumerate() {
        let name = name_of(&key.of(&context, &mut pace, place, value)?)?;
        *slot(&mut map, &mut pace, &name)? = pace.copy(value)?;
    }
    Ok(map)
}

fn to_map(list: &mut Array) -> Outcome<Map> {
    let (mut map, mut pace) = (Map::new(), Pace::default());
    for (place, pair) in list.iter().enumerate() {
        let what = || match Kind::of(pair) {
            Kind::Array => "a list of another length".to_owned(),
            _ => a_type(pair),
        };
        let refused = || {
            refuse(format!(
                "list::to_map: value {place} is {}; give pairs, as in [[\"a\", 1], [\"b\", 2]]",
                what()
            ))
        };
        if Kind::of(pair) != Kind::Array {
            return Err(refused());
        }
        let pair = pair.as_array_ref().map_err(|_| unreadable("list"))?;
        let [key, value] = pair.as_slice() else { return Err(refused()) };
        let name = name_of(key)?;
        *slot(&mut map, &mut pace, &name)? = pace.copy(value)?;
    }
    Ok(map)
}
