//! What to write instead of a name that nothing has: a function of a module, or the word for what
//! people know from other languages.
//!
//! Never decides whether a name exists.

use super::host::{self, Access};
use super::native;
use rhai::Engine;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::OnceLock;

/// What to write instead of the method `name`.
pub(crate) fn of_method(name: &str) -> Option<&'static str> {
    Some(match name {
        "length" | "lenght" | "size" | "count" => "write `value.len()`",
        "strip" => "write `text::trim(value)`",
        "lstrip" | "trimStart" | "trim_left" => "write `text::trim_start(value)`",
        "rstrip" | "trimEnd" | "trim_right" => "write `text::trim_end(value)`",
        "to_uppercase" | "toUpperCase" | "uppercase" | "upcase" => "write `text::upper(value)`",
        "to_lowercase" | "toLowerCase" | "lowercase" | "downcase" => "write `text::lower(value)`",
        "startswith" | "startsWith" => "write `value.starts_with(…)`",
        "endswith" | "endsWith" => "write `value.ends_with(…)`",
        "includes" => "write `value.contains(…)`",
        "indexOf" => "write `value.index_of(…)`",
        "replaceAll" | "replace_all" | "gsub" => "write `text::replace(value, old, new)`",
        "push_str" | "concat" => "write `value + other`",
        "toString" | "to_str" | "str" => "write `value.to_string()`",
        "toFixed" => "write `text::fixed(value, decimals)`",
        "parseInt" => "write `text::parse_int(value)`",
        "is_integer" | "isdigit" | "is_digit" | "is_numeric" => {
            "write `text::parse_int(value) != ()`"
        }
        "forEach" | "each" => "write `for item in value { … }`",
        "every" => "write `value.all(|x| …)`",
        "any" => "write `value.some(|x| …)`",
        "fold" | "inject" => "write `value.reduce(|sum, x| sum + x, 0)`",
        "add" | "append_item" => "write `value.push(…)`",
        "flat" => "write `list::flatten(value)`",
        "isEmpty" | "empty" => "write `value.is_empty()`",
        "has" | "has_key" | "hasOwnProperty" | "contains_key" | "containsKey" => {
            "write `\"key\" in map`"
        }
        "items" | "entries" => "write `for key in map.keys() { … map[key] … }`",
        "iter" | "iter_mut" | "into_iter" | "collect" | "clone" | "to_owned" | "to_vec"
        | "as_str" | "copied" | "cloned" => "leave it out; the value itself will do",
        "unwrap" | "expect" => "leave it out; an error ends the call by itself",
        "unwrap_or" | "unwrap_or_default" | "getOrDefault" => "write `value ?? other`",
        "is_some" => "write `value != ()`",
        "is_none" | "is_null" | "isNull" => "write `value == ()`",
        _ => return None,
    })
}

/// What to write instead of the function `name`.
pub(crate) fn of_function(name: &str) -> Option<&'static str> {
    Some(match name {
        "str" | "string" | "String" => "write `value.to_string()`",
        "float" | "parseFloat" | "Number" => "write `text::parse_float(text)`",
        "parseInt" => "write `text::parse_int(text)`",
        "sorted" => "write `list::sort(list)`",
        "reversed" => "write `list::reverse(list)`",
        "any" => "write `list.some(|x| …)`",
        "isinstance" | "typeof" => "write `type_of(value)`",
        "println" | "printf" | "puts" | "echo" | "eprintln" => "write `print(value)`",
        "error" | "panic" | "bail" => "write `fail(text)` for what the caller can mend",
        "allow" | "pass" | "permit" | "approve" => {
            "write `proceed()`, or return nothing: a hook lets pass what it does not refuse"
        }
        "block" | "reject" | "refuse" => "write `return deny(reason);`",
        "assertEquals" | "assertEqual" | "assert_equal" | "assert_equals" | "assertEq" => {
            "write `assert_eq(left, right)`"
        }
        "assertTrue" | "assert_true" => "write `assert(condition)`",
        "assert_asked" => "write `assert_eq(decision.decision, \"ask\")`",
        "sleep" | "setTimeout" => "there is no waiting; a call is bounded in time",
        _ => return None,
    })
}

/// What to write instead of a variable `name` that was never declared.
pub(crate) fn of_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "JSON" => "write `json::parse(text)` or `json::stringify(value)`",
        "Math" | "math" => {
            "numbers have methods, as in `x.round()` and `x.abs()`; `list::max(list)` and \
             `list::min(list)` look at lists"
        }
        "console" | "logger" => "write `print(value)`, or `log::info(value)`",
        "Date" | "datetime" => "write `time::now()` or `time::iso()`",
        "Object" => "write `map.keys()` or `map.values()`",
        "Number" => "write `text::parse_int(text)` or `text::parse_float(text)`",
        _ => return None,
    })
}

/// What to write instead of a property `name` of a value of type `kind`, as scripts call it.
pub(crate) fn of_property(name: &str, kind: &str) -> Option<&'static str> {
    match (name, kind) {
        ("length" | "size" | "count", _) => Some("write `value.len()`"),
        ("msg" | "error", "string") => Some("write `reason.message`, whatever was caught"),
        _ => None,
    }
}

/// The call of a method, written as a function of the first value.
pub(crate) fn call_of(module: &str, name: &str, receiver: &str, arguments: usize) -> String {
    let more = if arguments == 0 { "" } else { ", …" };
    format!("`{module}::{name}({receiver}{more})`")
}

/// Modules that work on values of the language; others work on texts of a kind of their own.
const GENERAL: [&str; 3] = ["text", "list", "json"];

/// Of several modules that have a function those that work on values of the language, or else all.
pub(crate) fn general<'a>(modules: &[&'a str]) -> Vec<&'a str> {
    let general = modules.iter().copied().filter(|module| GENERAL.contains(module));
    let general: Vec<_> = general.collect();
    if general.is_empty() { modules.to_vec() } else { general }
}

/// Of several modules that have a function the one that works on values of type `kind`, as scripts
/// call it; where that says nothing, one that works on values of the language, or else the first.
pub(crate) fn home<'a>(modules: &[&'a str], kind: &str) -> Option<&'a str> {
    let own = match kind {
        "string" | "char" => "text",
        "array" => "list",
        "map" => "json",
        _ => "",
    };
    let preferred = std::iter::once(own).chain(GENERAL);
    let mut found = preferred.filter_map(|name| modules.iter().find(|module| **module == name));
    found.next().or(modules.first()).copied()
}

/// Modules that everybody may call and that have a function of that name; where some take that many
/// arguments, only those.
pub(crate) fn modules_with(name: &str, arguments: usize) -> Vec<&'static str> {
    static FUNCTIONS: OnceLock<BTreeMap<&str, BTreeSet<(String, usize)>>> = OnceLock::new();
    let functions = FUNCTIONS.get_or_init(|| {
        let open = host::modules().iter().filter(|module| module.access == Access::Everybody);
        open.map(|module| (module.name, module.functions().into_iter().collect())).collect()
    });
    let with = |fits: &dyn Fn(usize) -> bool| -> Vec<&'static str> {
        functions
            .iter()
            .filter(|(_, all)| all.iter().any(|(known, count)| known == name && fits(*count)))
            .map(|(module, _)| *module)
            .collect()
    };
    let exact = with(&|count| count == arguments);
    if exact.is_empty() { with(&|_| true) } else { exact }
}

/// Whether a native of the language has that name, whatever it takes.
pub(crate) fn is_native(name: &str) -> bool {
    static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let mut engine = Engine::new_raw();
        engine.register_global_module(native::package());
        let name = |info: rhai::FuncInfo<'_>| Some(info.metadata.name.to_string());
        engine.collect_fn_metadata(None, name, true).into_iter().collect()
    });
    names.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_in_its_module() {
        assert_eq!(modules_with("upper", 1), ["text"]);
        assert_eq!(
            modules_with("format", 1),
            ["date", "text"],
            "where the number does not fit either"
        );
        assert_eq!(home(&modules_with("reverse", 1), "string"), Some("text"));
        assert_eq!(home(&modules_with("reverse", 1), "array"), Some("list"));
        assert!(modules_with("no_such", 1).is_empty());
        assert!(is_native("contains") && !is_native("upper"));
    }

    /// What is advised exists.
    #[test]
    fn no_advice_names_a_function_that_is_not_there() {
        let names = ["strip", "lstrip", "rstrip", "to_uppercase", "to_lowercase", "replaceAll"];
        let more = ["toFixed", "flat", "is_integer"];
        let functions = ["float", "parseInt", "sorted", "reversed"];
        let methods = names.into_iter().chain(more).filter_map(of_method);
        for help in methods.chain(functions.into_iter().filter_map(of_function)) {
            let call = help.split('`').nth(1).unwrap_or_default();
            let (module, rest) = call.split_once("::").unwrap_or_else(|| panic!("{help}"));
            let (name, arguments) = rest.split_once('(').unwrap_or_else(|| panic!("{help}"));
            let inside = arguments.split(')').next().unwrap_or_default();
            let count = inside.split(',').count();
            assert!(modules_with(name, count).contains(&module), "{help}");
        }
    }
}
