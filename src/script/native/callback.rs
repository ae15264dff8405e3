//! Calling a script's function for each item of an array or map.
//!
//! A callback may take the item as `this`, as a parameter, or as a parameter with its index; Rhai
//! finds out by calling it each way until one fits, copying every argument on the way, for each
//! item anew. Here the way that fits the first item serves the others too.

use crate::script::meter;
use crate::script::native::compare::{Outcome, fail, weight};
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Position};

/// The way in which a callback takes its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The item is `this`.
    This,
    /// The item is a parameter.
    Item,
    /// The item is a parameter, and what stands beside it follows.
    ItemAndExtra,
    /// The item is `this`, and what stands beside it is the last parameter.
    ThisAndExtra,
}

/// A script's function on its way over the items of an array or map.
pub(super) struct Callback<'c> {
    context: &'c NativeCallContext<'c>,
    function: FnPtr,
    /// The native that calls, for its errors.
    caller: &'static str,
    forms: &'static [Form],
    /// The form that fitted an earlier item.
    fitting: Option<Form>,
}

impl<'c> Callback<'c> {
    /// A callback that may take its item as a parameter.
    pub(super) fn new(
        caller: &'static str,
        context: &'c NativeCallContext<'c>,
        function: FnPtr,
    ) -> Self {
        Self::with_forms(caller, context, function, &[Form::This, Form::Item, Form::ItemAndExtra])
    }

    /// A callback that takes its item as `this` only, as `for_each` does.
    pub(super) fn on_this(
        caller: &'static str,
        context: &'c NativeCallContext<'c>,
        function: FnPtr,
    ) -> Self {
        Self::with_forms(caller, context, function, &[Form::This, Form::ThisAndExtra])
    }

    /// A callback that takes two items as parameters, as `zip` does.
    pub(super) fn on_pairs(
        caller: &'static str,
        context: &'c NativeCallContext<'c>,
        function: FnPtr,
    ) -> Self {
        Self::with_forms(caller, context, function, &[Form::Item, Form::ItemAndExtra])
    }

    fn with_forms(
        caller: &'static str,
        context: &'c NativeCallContext<'c>,
        function: FnPtr,
        forms: &'static [Form],
    ) -> Self {
        Self { context, function, caller, forms, fitting: None }
    }

    /// Calls the function for one item; `extra` is its index.
    pub(super) fn call(&mut self, item: &mut Dynamic, extra: usize) -> Outcome<Dynamic> {
        self.call_with(item, [], [index(extra)])
    }

    /// Calls the function for one item with `before` in front of it and `extra` behind it.
    pub(super) fn call_with<const B: usize, const E: usize>(
        &mut self,
        item: &mut Dynamic,
        before: [Dynamic; B],
        extra: [Dynamic; E],
    ) -> Outcome<Dynamic> {
        if let Some(form) = self.fitting {
            return self.attempt(form, item, before, extra).map_err(|error| self.inside(error));
        }
        let mut last = None;
        for &form in self.forms {
            for value in &before {
                copying(value)?;
            }
            match self.attempt(form, item, before.clone(), extra.clone()) {
                Err(error) if self.does_not_fit(&error) => last = Some(error),
                Err(error) => return Err(self.inside(error)),
                Ok(result) => {
                    self.fitting = Some(form);
                    return Ok(result);
                }
            }
        }
        match last {
            Some(error) => Err(self.inside(error)),
            None => fail("the callback cannot be called"),
        }
    }

    fn attempt<const B: usize, const E: usize>(
        &self,
        form: Form,
        item: &mut Dynamic,
        before: [Dynamic; B],
        extra: [Dynamic; E],
    ) -> Outcome<Dynamic> {
        if form == Form::This {
            return self.function.call_raw(self.context, Some(item), before);
        }
        let mut arguments = Vec::with_capacity(B + E + 1);
        arguments.extend(before);
        match form {
            Form::ThisAndExtra => {
                arguments.extend(extra);
                return self.function.call_raw(self.context, Some(item), arguments);
            }
            Form::ItemAndExtra => {
                arguments.push(copied(item)?);
                arguments.extend(extra);
            }
            Form::This | Form::Item => arguments.push(copied(item)?),
        }
        self.function.call_raw(self.context, None, arguments)
    }

    /// Whether the function itself was not found, with that many parameters.
    fn does_not_fit(&self, error: &EvalAltResult) -> bool {
        matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, ..)
            if signature.starts_with(self.function.fn_name()))
    }

    /// The error as one inside the native that called. What is no error of the script's passes as it
    /// is: wrapped, a limit could be caught, and so could `exit`, whose value the engine would then
    /// print without a bound.
    fn inside(&self, error: Box<EvalAltResult>) -> Box<EvalAltResult> {
        if error.is_pseudo_error() || error.is_system_exception() {
            return error;
        }
        EvalAltResult::ErrorInFunctionCall(
            self.caller.to_owned(),
            self.context.call_source().unwrap_or_default().to_owned(),
            error,
            Position::NONE,
        )
        .into()
    }
}

/// An index as the script counts.
pub(super) fn index(at: usize) -> Dynamic {
    Dynamic::from_int(i64::try_from(at).unwrap_or(i64::MAX))
}

/// Whether a callback said yes; anything but `true` is no, as in stock Rhai.
pub(super) fn is_true(answer: &Dynamic) -> bool {
    answer.as_bool().unwrap_or(false)
}

/// Pays for a copy of `value` and reserves its memory.
pub(crate) fn copying(value: &Dynamic) -> Outcome<()> {
    let bytes = weight(value);
    if bytes == 0 {
        return Ok(());
    }
    if bytes == usize::MAX {
        return fail("the value is too large or nested too deep to be copied; flatten it");
    }
    meter::charge_bytes(bytes)?;
    meter::reserve(bytes)
}

/// A copy of `value`, paid for.
pub(crate) fn copied(value: &Dynamic) -> Outcome<Dynamic> {
    copying(value)?;
    Ok(value.clone())
}
