//! The file of a token: read, or made where it is missing, for its owner alone.

use crate::diagnostic::Diagnostic;
use crate::private;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Most bytes of such a file.
const MOST: u64 = 4 * 1024;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("the token file `{}` cannot be {act}: {reason}", file.display())]
pub struct TokenFileError {
    file: PathBuf,
    act: &'static str,
    reason: io::Error,
}

impl TokenFileError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::operator("mcp/token", self.to_string())
            .help("give a file that you may read, or a new name in a folder that you may write")
    }
}

/// The text in `file`, without the space around it. Where there is no such file, it is made with what
/// `draw` gives.
///
/// # Errors
///
/// It cannot be read or made.
pub fn read_or_make(
    file: &Path,
    draw: impl FnOnce() -> io::Result<String>,
) -> Result<String, TokenFileError> {
    let failed = |act| move |reason| TokenFileError { file: file.to_owned(), act, reason };
    match read(file) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => {
            let token = draw().map_err(failed("made"))?;
            let mut made = private::options()
                .write(true)
                .create_new(true)
                .open(file)
                .map_err(failed("made"))?;
            writeln!(made, "{token}").map_err(failed("made"))?;
            Ok(token)
        }
        Err(reason) => Err(failed("read")(reason)),
        Ok(text) => Ok(text.trim().to_owned()),
    }
}

fn read(file: &Path) -> io::Result<String> {
    use io::Read;
    #[expect(clippy::disallowed_methods, reason = "reads the file that the user named")]
    let file = std::fs::File::open(file)?;
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}
