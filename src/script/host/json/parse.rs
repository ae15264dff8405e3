//! JSON text to values, paid for as they grow.

use crate::script::host::text::work::{Pace, WINDOW, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

pub(super) fn parse(text: &str) -> Outcome<Dynamic> {
    let mut pace = Pace::default();
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Reader(&mut pace).deserialize(&mut source);
    value.and_then(|value| source.end().map(|()| value)).map_err(|error| match meter::killed() {
        Some(limit) => meter::kill(limit),
        None => refuse(format!("json::parse: {error}")),
    })
}

/// Reads one value.
struct Reader<'a>(&'a mut Pace);

/// Ends the reading; the caller finds the reason in the meter.
fn ended<E: Error>(_: Box<EvalAltResult>) -> E {
    E::custom("a bound is passed")
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Dynamic, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Dynamic, E> {
        Ok(Dynamic::from_bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Dynamic, E> {
        Ok(Dynamic::from_int(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond the integers, as for arguments")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Dynamic, E> {
        Ok(i64::try_from(number)
            .map_or_else(|_| Dynamic::from_float(number as f64), Dynamic::from_int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Dynamic, E> {
        Ok(Dynamic::from_float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Dynamic, E> {
        if text.len() >= WINDOW {
            meter::reserve(text.len()).map_err(ended)?;
        }
        self.0.touch(text.len()).map_err(ended)?;
        Ok(ImmutableString::from(text).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::new();
        while let Some(item) = items.next_element_seed(Reader(self.0))? {
            self.0.push(&mut array, item).map_err(ended)?;
        }
        self.0.pay(1).map_err(ended)?;
        Ok(Dynamic::from_array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key_seed(Name(self.0))? {
            let value = fields.next_value_seed(Reader(self.0))?;
            let compared = key.len().saturating_mul(map.len().max(1).ilog2() as usize);
            self.0.touch(compared).map_err(ended)?;
            map.insert(key.as_str().into(), value);
        }
        self.0.pay(8).map_err(ended)?;
        Ok(Dynamic::from_map(map))
    }
}

/// Reads the name of a field.
struct Name<'a>(&'a mut Pace);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<String, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        meter::reserve(text.len()).map_err(ended)?;
        self.0.touch(text.len()).map_err(ended)?;
        Ok(text.to_owned())
    }
}
