//! The refusal of a command because functions cannot run on this machine.

use crate::output::error::CommandError;

/// Refuses the command because one of these functions cannot be built or installed.
pub(crate) fn refused(names: &[&str], why: CommandError) -> CommandError {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let subject = match &*quoted {
        [name] => format!("function {name}"),
        names => format!("one of the functions {}", names.join(", ")),
    };
    let hint = format!(
        "to do without a function on machines that cannot run it, set `optional = true` in `[functions.{}]`",
        names.first().unwrap_or(&"NAME")
    );
    why.within(format!("{subject} cannot run")).hint(hint)
}
