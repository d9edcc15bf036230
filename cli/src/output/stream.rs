//! The macros that print, on streams whose reader may leave.
//!
//! The standard macros panic when the reader has left, as in `sidestep list | head -1`. An
//! execution is worth more than its display, so here that is not an error, and the command ends
//! with the status it would have had. Any other failure of stdout, such as a full disk behind a
//! redirection, is remembered, and [`finish`] returns it: the output is incomplete.
//!
//! All text passes [`printable`] here, so no place that prints can forget it.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use super::printable;

/// The first failure of stdout, other than a closed pipe.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// `print!`, but it does not panic if the pipe is closed.
macro_rules! print {
    ($($text:tt)*) => { $crate::output::stream::out(format_args!($($text)*)) };
}

/// `println!`, but it does not panic if the pipe is closed.
macro_rules! println {
    ($($text:tt)*) => { $crate::output::stream::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprintln!`, but it does not panic if the pipe is closed.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::stream::say(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints to stdout, for the macros.
pub(crate) fn out(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    let text = shown(&text, console::colors_enabled());
    if let Err(error) = stdout.write_all(text.as_bytes()) {
        remember(error);
    }
}

/// Prints to stderr, for the macros. A failure is ignored: there is no other place to report it.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut stderr = io::stderr().lock();
    let text = shown(&text, console::colors_enabled_stderr());
    let _ = stderr.write_all(text.as_bytes());
}

/// Returns text as it is sent: parts from outside can not command the terminal.
///
/// Colours are kept where the stream has them.
fn shown(text: &fmt::Arguments<'_>, has_color: bool) -> String {
    let text = text.to_string();
    let shown = if has_color { printable::styled(&text) } else { printable::block(&text) };
    shown.into_owned()
}

/// Returns true if the error means that the reader of a stream has left.
pub(crate) fn reader_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Prints what is still buffered, and returns the first failure.
pub(crate) fn finish() -> io::Result<()> {
    if let Err(error) = io::stdout().lock().flush() {
        remember(error);
    }
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

fn remember(error: io::Error) {
    if !reader_left(&error) {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
