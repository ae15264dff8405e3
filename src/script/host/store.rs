//! `store`: what a feature keeps between calls, as JSON values under keys.
//!
//! The first of these functions locks the feature's store until the call is over; what a call changes
//! becomes lasting when it succeeds, all of it or nothing. Nothing here knows where a store lies.

use super::{ModuleBuilder, json, require};
use crate::feature::capability::{Capability, StoreAccess};
use crate::limit::Limit;
use crate::script::frame::{self, Native, error};
use crate::script::meter;
use crate::script::value::{Budget, to_json_text};
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Module, NativeCallContext, Shared};

/// Most keys that one `store::keys` gives; with a prefix, a script can ask for the rest.
const MOST_KEYS: usize = 10_000;

/// The operations that one look into the store costs.
const COST: u64 = 50;

/// The module of a feature that asked for `store` or `store:read`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "What a feature keeps from call to call: JSON values under keys, for this feature alone. \
         Request `store`, or `store:read` to look only. The first of these functions locks the \
         feature's store until the call is over; what was changed is kept when the call \
         succeeds, and is as if it had never been when it fails. In a test the store is empty.",
    );
    builder
        .docs(&[
            "/// The value kept under a key; `()`, or the default, where there is none.",
            "/// store::get(\"longest\", 0)",
        ])
        .function("get", ["key: string", "any"], |key: &str| get(key, || Dynamic::UNIT))
        .function("get", ["key: string", "default: any", "any"], |key: &str, default: Dynamic| {
            get(key, || default)
        })
        .docs(&[
            "/// Keeps a value under a key: a number, a text, `true`, `()`, a list or a map of those.",
            "/// store::set(\"todo/1\", #{ text: \"call\" })",
        ])
        .function("set", ["key: string", "value: any"], |key: &str, value: Dynamic| {
            require_write()?;
            set(key, &value)
        })
        .docs(&[
            "/// Removes a key, and says whether it was there.",
            "/// store::delete(\"todo/1\")",
        ])
        .function("delete", ["key: string", "bool"], |key: &str| {
            require_write()?;
            meter::charge(COST)?;
            frame::ask_host(|host| host.store_delete(key))
        })
        .docs(&[
            "/// The keys in order, at most 10,000; with a prefix, those that begin with it.",
            "/// store::keys(\"todo/\")",
        ])
        .function("keys", ["string[]"], || keys(""))
        .function("keys", ["prefix: string", "string[]"], keys)
        .docs(&[
            "/// Adds 1, or `by`, to the whole number under a key, from 0, and gives the sum.",
            "/// store::incr(\"calls\")",
            "/// store::incr(\"bytes\", 20)",
        ])
        .function("incr", ["key: string", "int"], |key: &str| incr(key, 1))
        .function("incr", ["key: string", "by: int", "int"], incr)
        .docs(&[
            "/// Changes the value under a key with a function, which gets the value, or the default where \
             there is none, and gives the new one; that is the result as well.",
            "/// store::update(\"longest\", 0, |n| if words > n { words } else { n })",
        ])
        .function("update", ["key: string", "default: any", "change: Fn", "any"], update);
    builder.build()
}

fn require_read() -> Native {
    frame::with(|frame| require(frame, &Capability::Store(StoreAccess::Read)))
}

fn require_write() -> Native {
    frame::with(|frame| require(frame, &Capability::Store(StoreAccess::ReadWrite)))
}

fn get(key: &str, default: impl FnOnce() -> Dynamic) -> Native<Dynamic> {
    require_read()?;
    meter::charge(COST)?;
    match frame::ask_host(|host| host.store_get(key))? {
        Some(text) => {
            meter::charge_bytes(text.len())?;
            json::parse_text(&text)
        }
        None => Ok(default()),
    }
}

fn set(key: &str, value: &Dynamic) -> Native {
    meter::charge(COST)?;
    let most = frame::with(|frame| Ok(frame.limit(Limit::Store)))?;
    let budget = Budget::of_bytes(usize::try_from(most).unwrap_or(usize::MAX));
    let text = to_json_text(value, budget)
        .map_err(|reason| error(format!("the value for `{key}` cannot be kept: {reason}")))?;
    meter::charge_bytes(text.len())?;
    frame::ask_host(|host| host.store_set(key, &text))
}

fn keys(prefix: &str) -> Native<Array> {
    require_read()?;
    meter::charge(COST)?;
    let keys = frame::ask_host(|host| host.store_keys(prefix, MOST_KEYS))?;
    meter::charge(keys.len() as u64)?;
    Ok(keys.into_iter().map(|key| ImmutableString::from(key).into()).collect())
}

fn incr(key: &str, by: i64) -> Native<i64> {
    require_write()?;
    let before = get(key, || Dynamic::from_int(0))?;
    let sum = before.as_int().ok().map(|before| before.checked_add(by));
    let Some(sum) = sum else {
        return Err(error(format!("what is kept under `{key}` is no whole number")));
    };
    let sum = sum.ok_or_else(|| error(format!("the number under `{key}` is too large")))?;
    set(key, &Dynamic::from_int(sum))?;
    Ok(sum)
}

fn update(
    context: NativeCallContext,
    key: &str,
    default: Dynamic,
    change: FnPtr,
) -> Native<Dynamic> {
    require_write()?;
    let before = get(key, || default)?;
    let after: Dynamic = change.call_within_context(&context, (before,))?;
    set(key, &after)?;
    Ok(after)
}
