//! How large a descriptor may be, part by part. A descriptor out of bounds is refused as a whole.

use crate::diagnostic::Diagnostic;
use crate::feature::descriptor::{FeatureDescriptor, HookDeclaration, ToolDeclaration};
use crate::feature::id::FeatureSource;
use crate::feature::measure::json_bytes;
use crate::limit::{Limit, Limits};

/// Most tools of one feature.
pub const MAX_TOOLS: usize = 128;
/// Most hooks of one feature.
pub const MAX_HOOKS: usize = 64;
/// Most event channels of one feature.
pub const MAX_CHANNELS: usize = 32;
/// Most requests of one feature.
pub const MAX_REQUESTS: usize = 64;
/// Most capabilities that one contribution may reach.
pub const MAX_REQUIRES: usize = 64;
/// Most limits that one feature, tool or hook may lower.
pub const MAX_LIMITS: usize = 32;
/// Most examples of one tool.
pub const MAX_EXAMPLES: usize = 32;
/// Most globs, and most kinds, that one hook may listen for.
pub const MAX_FILTERS: usize = 64;
/// Most bytes of a hook's name and of a version.
pub const MAX_NAME: usize = 64;
/// Most bytes of a title.
pub const MAX_TITLE: usize = 128;
/// Most bytes of a description or a reason.
pub const MAX_DESCRIPTION: usize = 4 * 1024;
/// Most bytes of the parameters of a tool, and of its result type, each as JSON.
pub const MAX_SCHEMA: usize = 16 * 1024;

/// Everything that is too large, or `[]`.
pub(super) fn check(descriptor: &FeatureDescriptor, limits: &Limits) -> Vec<Diagnostic> {
    let mut check = Check(Vec::new());
    check.feature(descriptor);
    if check.0.is_empty() {
        let most = limits.get(Limit::Descriptor);
        let bytes = json_bytes(descriptor, most);
        // What is small as a whole has no large part.
        let is_small = bytes.is_some_and(|bytes| bytes <= MAX_SCHEMA as u64);
        descriptor.tools.iter().for_each(|tool| check.tool(tool, is_small));
        descriptor.hooks.iter().for_each(|hook| check.hook(hook));
        if check.0.is_empty() && bytes.is_none() {
            check.refuse(format!("the descriptor has more than {most} bytes as JSON"));
        }
    }
    check.0
}

struct Check(Vec<Diagnostic>);

impl Check {
    fn feature(&mut self, descriptor: &FeatureDescriptor) {
        self.count("tools", descriptor.tools.len(), MAX_TOOLS);
        self.count("hooks", descriptor.hooks.len(), MAX_HOOKS);
        self.count("event channels", descriptor.channels.len(), MAX_CHANNELS);
        self.count("requests", descriptor.requests.len(), MAX_REQUESTS);
        self.count("limits", descriptor.limits.len(), MAX_LIMITS);
        let is_built_in = *descriptor.id.source() == FeatureSource::Builtin;
        let open = descriptor.requests.iter().find(|request| request.capability.is_open());
        if let Some(request) = open.filter(|_| !is_built_in) {
            let wanted = &request.capability;
            self.0.push(
                Diagnostic::author(
                    "capability/malformed",
                    format!("`{}` asks for `{wanted}` and does not say for which", descriptor.id),
                )
                .help("only what is built in leaves that to the user; name each"),
            );
        }
        self.text("the title", &descriptor.title, MAX_TITLE);
        self.text("the version", descriptor.version.as_deref().unwrap_or_default(), MAX_NAME);
        self.text("the description", &descriptor.description, MAX_DESCRIPTION);
        for request in descriptor.requests.iter().take(MAX_REQUESTS) {
            self.text(
                &format!("the reason for `{}`", request.capability),
                &request.reason,
                MAX_DESCRIPTION,
            );
        }
        for channel in descriptor.channels.iter().take(MAX_CHANNELS) {
            let what = format!("the description of channel `{}`", channel.name);
            self.text(&what, &channel.description, MAX_DESCRIPTION);
        }
    }

    fn tool(&mut self, tool: &ToolDeclaration, is_small: bool) {
        let name = &tool.name;
        self.count(&format!("examples of `{name}`"), tool.examples.len(), MAX_EXAMPLES);
        self.count(&format!("limits of `{name}`"), tool.limits.len(), MAX_LIMITS);
        self.count(&format!("capabilities of `{name}`"), tool.requires.len(), MAX_REQUIRES);
        let title = tool.title.as_deref().unwrap_or_default();
        self.text(&format!("the title of `{name}`"), title, MAX_TITLE);
        let what = format!("the description of `{name}`");
        self.text(&what, &tool.description, MAX_DESCRIPTION);
        if is_small {
            return;
        }
        let most = MAX_SCHEMA as u64;
        if json_bytes(&tool.parameters, most).is_none() {
            self.refuse(format!("the parameters of `{name}` have more than {most} bytes as JSON"));
        }
        if json_bytes(&tool.returns, most).is_none() {
            self.refuse(format!("the result type of `{name}` has more than {most} bytes"));
        }
    }

    fn hook(&mut self, hook: &HookDeclaration) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !(1..=MAX_NAME).contains(&hook.name.len()) || !hook.name.chars().all(plain) {
            let name = crate::feature::measure::shortened(&hook.name, MAX_NAME);
            self.refuse(format!(
                "`{name}` is not a hook's name; write 1 to {MAX_NAME} of `A-Z a-z 0-9 _ -`"
            ));
            return;
        }
        let name = &hook.name;
        self.count(&format!("limits of `{name}`"), hook.limits.len(), MAX_LIMITS);
        self.count(&format!("capabilities of `{name}`"), hook.requires.len(), MAX_REQUIRES);
        self.count(&format!("globs of `{name}`"), hook.filter.tools.len(), MAX_FILTERS);
        self.count(&format!("kinds of `{name}`"), hook.filter.kinds.len(), MAX_FILTERS);
        let what = format!("the description of `{name}`");
        self.text(&what, &hook.description, MAX_DESCRIPTION);
    }

    fn count(&mut self, what: &str, given: usize, most: usize) {
        if given > most {
            self.refuse(format!("{given} {what} are declared and {most} may be"));
        }
    }

    fn text(&mut self, what: &str, text: &str, most: usize) {
        if text.len() > most {
            self.refuse(format!("{what} has {} bytes and may have {most}", text.len()));
        }
    }

    fn refuse(&mut self, message: String) {
        let help = "shorten it, or split the feature in two";
        self.0.push(Diagnostic::author(Limit::Descriptor.code(), message).help(help));
    }
}
