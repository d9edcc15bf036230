//! Asks the user before a change.

use std::io::{IsTerminal as _, Write as _};

use crate::output::error::{CommandError, user};

/// Checks that the user can be asked.
pub(crate) fn check_terminal() -> Result<(), CommandError> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(user("a confirmation is needed, but stdin is not a terminal")
        .hint("`--yes` goes ahead without asking"))
}

/// Asks on the terminal and returns true if the user agrees.
pub(crate) fn confirmed() -> Result<bool, CommandError> {
    check_terminal()?;
    let mut out = std::io::stderr().lock();
    write!(out, "go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
