//! What the command prints, on streams that may go away.
//!
//! The standard macros panic when nobody reads any more, as in `sidestep list | head -1`. An execution is worth more than its
//! display, so here a reader that left is no error and the command ends with the status it would have had. Any other failure of
//! stdout, such as a full disk behind a redirection, is remembered: what was printed is not whole, and [`finish`] says so.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// The first failure of stdout that was not its reader's leaving.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// `print!`, except that a closed pipe is no panic.
macro_rules! print {
    ($($text:tt)*) => { $crate::output::stream::out(format_args!($($text)*)) };
}

/// `println!`, except that a closed pipe is no panic.
macro_rules! println {
    ($($text:tt)*) => { $crate::output::stream::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprintln!`, except that a closed pipe is no panic.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::stream::say(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints to stdout.
pub(crate) fn out(text: fmt::Arguments<'_>) {
    if let Err(error) = io::stdout().lock().write_fmt(text) {
        remember(error);
    }
}

/// Says on stderr; where nobody can be told there is nobody to tell that either.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Whether an error is that the reader of stdout has left.
pub(crate) fn reader_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Prints what is still buffered, and returns whether everything got out.
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
