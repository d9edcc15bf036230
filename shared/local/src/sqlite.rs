//! SQLite settings that several stores use.

use rusqlite::Connection;

/// Runs `work` without waiting for the disk.
///
/// Its commits survive the end of this process, but a power loss may undo them.
pub(crate) fn unsynced<T>(
    connection: &Connection,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let result = work();
    connection.pragma_update(None, "synchronous", "FULL")?;
    result
}
