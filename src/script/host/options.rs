//! Maps of options: the last argument of a helper that can do its work in several ways.

use super::text::work::{a_type, refuse, unreadable};
use crate::diagnostic::nearest;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, prefix};
use rhai::{Array, Dynamic, ImmutableString, Map};

/// The options of one call. What is misspelt is refused by [`Options::done`].
pub(super) struct Options<'m> {
    function: &'static str,
    map: &'m Map,
    known: Vec<&'static str>,
}

impl<'m> Options<'m> {
    pub(super) fn new(function: &'static str, map: &'m Map) -> Self {
        Self { function, map, known: Vec::new() }
    }

    /// The value of an option, of any type; `()` is as good as none.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'m Dynamic> {
        self.known.push(name);
        self.map.get(name).filter(|value| !value.is_unit())
    }

    fn wrong<T>(&self, name: &str, value: &Dynamic, example: &str) -> Outcome<T> {
        let function = self.function;
        Err(refuse(format!("{function}: `{name}` is {}; write {name}: {example}", a_type(value))))
    }

    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Outcome<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(value) if Kind::of(value) == Kind::Bool => {
                value.as_bool().map_err(|_| unreadable(name))
            }
            Some(value) => self.wrong(name, value, if default { "false" } else { "true" }),
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Outcome<Option<i64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) if Kind::of(value) == Kind::Int => {
                value.as_int().map(Some).map_err(|_| unreadable(name))
            }
            Some(value) => self.wrong(name, value, "a whole number"),
        }
    }

    pub(super) fn text(
        &mut self,
        name: &'static str,
        example: &str,
    ) -> Outcome<Option<ImmutableString>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) if matches!(Kind::of(value), Kind::Text | Kind::Char) => {
                super::text::work::text_of(self.function, name, value).map(Some)
            }
            Some(value) => self.wrong(name, value, example),
        }
    }

    /// A list of texts.
    pub(super) fn names(
        &mut self,
        name: &'static str,
        example: &str,
    ) -> Outcome<Option<Vec<ImmutableString>>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) if Kind::of(value) == Kind::Array => {
                let list = value.as_array_ref().map_err(|_| unreadable(name))?;
                texts(self.function, name, &list).map(Some)
            }
            Some(value) => self.wrong(name, value, example),
        }
    }

    /// The names of the map that are no options so far.
    pub(super) fn others(&self) -> impl Iterator<Item = &'m str> {
        self.map.keys().map(|name| name.as_str()).filter(|name| !self.known.contains(name))
    }

    /// Refuses names that are no options.
    pub(super) fn done(&self) -> Outcome<()> {
        let Some(name) = self.others().next() else { return Ok(()) };
        let name = prefix(name, 40);
        let near = nearest(name, self.known.iter().copied());
        let meant = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        Err(refuse(format!(
            "{}: there is no option `{name}`; {meant}there are `{}`",
            self.function,
            self.known.join("`, `")
        )))
    }
}

/// The texts of a list.
pub(super) fn texts(function: &str, name: &str, list: &Array) -> Outcome<Vec<ImmutableString>> {
    crate::script::meter::charge(list.len() as u64)?;
    crate::script::meter::reserve(list.len().saturating_mul(size_of::<ImmutableString>()))?;
    list.iter().map(|value| super::text::work::text_of(function, name, value)).collect()
}
