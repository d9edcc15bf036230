//! What the stores in SQLite share.

use rusqlite::Connection;

/// Runs `work`, whose commits may be lost in a power loss, though not by the end of this process.
pub(crate) fn unsynced<T>(
    connection: &Connection,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let result = work();
    connection.pragma_update(None, "synchronous", "FULL")?;
    result
}
