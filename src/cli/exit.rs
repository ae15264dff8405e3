//! How the process ends. Who must act decides it, and nothing else.

use crate::diagnostic::{Blame, Diagnostic};
use std::process::ExitCode;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: the feature failed; its author must act.
    Failed,
    /// 2: wrong use or arguments; whoever called must act.
    Usage,
    /// 3: denied; whoever runs the host must grant.
    Denied,
    /// 4: a defect of peasy.
    Fault,
}

impl Exit {
    /// What a problem ends the process with.
    pub fn of(problem: &Diagnostic) -> Self {
        match problem.blame {
            Blame::Caller => Self::Usage,
            Blame::Author => Self::Failed,
            Blame::Operator if is_denial(problem) => Self::Denied,
            Blame::Operator => Self::Usage,
            Blame::Host => Self::Fault,
        }
    }

    /// What a command that found these problems ends with: what the first error says, or done.
    pub(super) fn of_first<'a>(problems: impl IntoIterator<Item = &'a Diagnostic>) -> Self {
        problems.into_iter().find(|problem| problem.is_error()).map_or(Self::Done, Self::of)
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Fault => 4,
        }
    }
}

/// Whether a problem of the operator is a power that was withheld, not a file or a flag gone wrong.
pub(super) fn is_denial(problem: &Diagnostic) -> bool {
    let code = &*problem.code;
    const FAMILIES: [&str; 4] = ["grant/", "permission/", "hook/", "ask/"];
    FAMILIES.iter().any(|family| code.starts_with(family))
        || code == "service/denied"
        || code == "registry/disabled"
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must_act_decides_the_code() {
        for (problem, code) in [
            (Diagnostic::caller("arguments/type", ""), 2),
            (Diagnostic::author("script/throw", ""), 1),
            (Diagnostic::operator("grant/http", ""), 3),
            (Diagnostic::operator("permission/denied", ""), 3),
            (Diagnostic::operator("hook/denied", ""), 3),
            (Diagnostic::operator("ask/unanswered", ""), 3),
            (Diagnostic::operator("source/unreadable", ""), 2),
            (Diagnostic::host("host/panic", ""), 4),
        ] {
            assert_eq!(Exit::of(&problem).code(), code, "{problem}");
        }
    }
}
