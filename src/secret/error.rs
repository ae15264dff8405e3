//! Why a secret cannot be had. None of these holds anything of its text.

use crate::diagnostic::Diagnostic;
use crate::feature::capability::SecretName;
use crate::feature::secret::SecretTextError;
use std::io;
use std::path::PathBuf;

/// Why a secret cannot be read, kept or removed.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The user keeps none of that name.
    #[error("there is no secret `{0}`")]
    Missing(SecretName),
    /// The variable that it is in is not set.
    #[error("the secret `{name}` is in the variable `{variable}`, which is not set")]
    Unset {
        /// Which secret.
        name: SecretName,
        /// Which variable.
        variable: String,
    },
    /// The file that it is in is not there.
    #[error("the secret `{name}` is in the file `{}`, which does not exist", file.display())]
    NoFile {
        /// Which secret.
        name: SecretName,
        /// Which file.
        file: PathBuf,
    },
    /// Others than its owner may read the file.
    #[error("the secret `{name}` is in the file `{}`, which others may read", file.display())]
    Exposed {
        /// Which secret.
        name: SecretName,
        /// Which file.
        file: PathBuf,
    },
    /// It is no text that can be spent.
    #[error("the secret `{name}` cannot be spent: {reason}")]
    Unusable {
        /// Which secret.
        name: SecretName,
        /// Why.
        reason: SecretTextError,
    },
    /// The keyring of the system refuses, or does not answer.
    #[error("the keyring gives no secret `{name}`: {reason}")]
    Keyring {
        /// Which secret.
        name: SecretName,
        /// Why.
        reason: String,
    },
    /// A file cannot be used.
    #[error("`{}` cannot be {act}: {reason}", file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// `read`, `written`, `removed`.
        act: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// The list of secrets is none.
    #[error("the list of secrets `{}` cannot be understood: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl SecretError {
    /// The problem as data, for whoever runs the host.
    pub fn diagnostic(&self) -> Diagnostic {
        let problem = |code: &'static str| Diagnostic::operator(code, self.to_string());
        match self {
            Self::Missing(name) | Self::NoFile { name, .. } => {
                problem("secret/missing").help(format!("keep one with `peasy secret set {name}`"))
            }
            Self::Unset { name, .. } => problem("secret/missing")
                .help("set it where peasy is started")
                .help(format!("or keep one with `peasy secret set {name}`")),
            Self::Exposed { file, .. } => problem("secret/exposed")
                .help(format!("close it with `chmod 600 {}`", file.display())),
            Self::Unusable { name, .. } => problem("secret/unusable")
                .help(format!("keep another with `peasy secret set {name}`")),
            Self::Keyring { name, .. } => problem("secret/keyring")
                .help("unlock the keyring and try again")
                .help(format!("or keep the secret in a file, with `peasy secret set {name}`")),
            Self::Io { reason, .. } if reason.kind() == io::ErrorKind::TimedOut => {
                problem("config/busy")
                    .help("end the process that holds `.secrets.lock` beside it, or wait for it")
            }
            Self::Io { .. } => {
                problem("secret/unreadable").help("check who owns the file and its folder")
            }
            Self::Malformed { .. } => problem("config/secrets").help(
                "mend it, or move it away and name the secrets anew; the secrets themselves stay",
            ),
        }
    }
}
