//! Whose configuration a command writes: the user's own, or that of this project.

use clap::Args;

/// For whom something is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Scope {
    /// For all projects of this user.
    User,
    /// For one project, in its folder.
    Project,
}

/// The flags of commands that write into the configuration of another program.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScopeArguments {
    /// In the folder of this project, for whoever works in it.
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// In your own configuration, for all your projects; so it is without either.
    #[arg(long)]
    user: bool,
    /// Show what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl ScopeArguments {
    /// For whom.
    pub fn scope(&self) -> Scope {
        if self.project { Scope::Project } else { Scope::User }
    }

    /// `name` with the flags that lead to the same file.
    pub fn words(&self, name: &str) -> String {
        format!("{name}{}", if self.project { " --project" } else { "" })
    }
}
