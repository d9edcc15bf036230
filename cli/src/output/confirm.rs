//! Questions.

use std::io::{IsTerminal as _, Write as _};

use crate::output::error::{CommandError, user};

pub(crate) fn check_terminal() -> Result<(), CommandError> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(user("there is nobody to ask").hint("`--yes` makes the change without asking"))
}

/// Asks on the terminal.
pub(crate) fn confirmed() -> Result<bool, CommandError> {
    check_terminal()?;
    let mut out = std::io::stderr().lock();
    write!(out, "go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
