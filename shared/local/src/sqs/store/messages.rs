//! Messages in the store: sent, received, given back, deleted.

use uuid::Uuid;

use super::{Store, find, forget_old};
use crate::s3::now_ms;
use crate::sqlite::unsynced;
use crate::sqs::digest;
use crate::sqs::error::SqsServerError;
use crate::sqs::message::{NewMessage, Received, Sent};
use crate::sqs::queue::{DELAY_SECONDS, in_range};

impl Store {
    /// Adds a message.
    pub(in crate::sqs) fn send(
        &self,
        name: &str,
        message: &NewMessage,
    ) -> Result<Sent, SqsServerError> {
        let connection = self.lock();
        let settings = find(&connection, name)?;
        message.check(settings.maximum_message_size)?;
        let asked = message.delay_seconds;
        let delay = in_range("DelaySeconds", asked, settings.delay_seconds, DELAY_SECONDS)?;
        let (id, sent_ms) = (Uuid::new_v4().to_string(), now_ms());
        connection
            .prepare_cached(
                "INSERT INTO message (queue, id, body, attributes, sent_ms, visible_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                name,
                &id,
                &message.body,
                serde_json::to_string(&message.attributes)?,
                sent_ms,
                sent_ms + i64::from(delay) * 1000,
            ))?;
        self.changed.send_modify(|count| *count += 1);
        let md5_of_body = digest::of_body(&message.body);
        let md5_of_attributes = digest::of_attributes(&message.attributes);
        Ok(Sent { id, md5_of_body, md5_of_attributes })
    }

    /// Takes up to `limit` visible messages and hides them for `visibility` seconds.
    ///
    /// Without a `visibility` the queue's setting applies.
    pub(in crate::sqs) fn receive(
        &self,
        name: &str,
        limit: usize,
        visibility: Option<u32>,
    ) -> Result<Vec<Received>, SqsServerError> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let settings = find(&transaction, name)?;
        forget_old(&transaction, name, settings)?;
        let visibility = visibility.unwrap_or(settings.visibility_timeout);
        let now = now_ms();
        let mut received = Vec::new();
        {
            let mut select = transaction.prepare_cached(
                "SELECT sequence, id, body, attributes, sent_ms, received, first_ms FROM message
                 WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, sequence LIMIT ?3",
            )?;
            let mut update = transaction.prepare_cached(
                "UPDATE message SET visible_ms = ?2, received = ?3, first_ms = ?4, receipt = ?5
                 WHERE sequence = ?1",
            )?;
            let mut rows = select.query((name, now, limit))?;
            while let Some(row) = rows.next()? {
                let sequence: i64 = row.get(0)?;
                let attributes: String = row.get(3)?;
                let (count, first): (i64, i64) = (row.get(5)?, row.get(6)?);
                received.push((
                    sequence,
                    Received {
                        id: row.get(1)?,
                        receipt_handle: format!("{sequence}.{}", Uuid::new_v4().simple()),
                        body: row.get(2)?,
                        attributes: serde_json::from_str(&attributes)?,
                        sent_ms: row.get(4)?,
                        first_received_ms: if count == 0 { now } else { first },
                        receive_count: count + 1,
                    },
                ));
            }
            for (sequence, message) in &received {
                update.execute((
                    sequence,
                    now + i64::from(visibility) * 1000,
                    message.receive_count,
                    message.first_received_ms,
                    &message.receipt_handle,
                ))?;
            }
        }
        transaction.commit()?;
        Ok(received.into_iter().map(|(_, message)| message).collect())
    }

    /// Returns when the next message becomes visible, in milliseconds since 1970.
    pub(in crate::sqs) fn next_visible_ms(
        &self,
        name: &str,
    ) -> Result<Option<i64>, SqsServerError> {
        let connection = self.lock();
        find(&connection, name)?;
        let next = connection
            .prepare_cached("SELECT min(visible_ms) FROM message WHERE queue = ?1")?
            .query_row([name], |row| row.get(0))?;
        Ok(next)
    }

    /// Deletes the messages that these receipts hold, in one transaction.
    ///
    /// After a power loss they may come again.
    pub(in crate::sqs) fn delete_all(
        &self,
        name: &str,
        handles: &[String],
    ) -> Result<(), SqsServerError> {
        let connection = self.lock();
        unsynced(&connection, || {
            let transaction = connection.unchecked_transaction()?;
            let mut delete = transaction.prepare_cached(
                "DELETE FROM message WHERE queue = ?1 AND sequence = ?2 AND receipt = ?3",
            )?;
            for handle in handles {
                delete.execute((name, sequence(handle).unwrap_or_default(), handle))?;
            }
            drop(delete);
            transaction.commit()
        })?;
        Ok(())
    }

    /// Deletes the message that this receipt holds. A message that was received again since stays.
    pub(in crate::sqs) fn delete(&self, name: &str, handle: &str) -> Result<(), SqsServerError> {
        let connection = self.lock();
        find(&connection, name)?;
        connection
            .prepare_cached(
                "DELETE FROM message WHERE queue = ?1 AND sequence = ?2 AND receipt = ?3",
            )?
            .execute((name, sequence(handle)?, handle))?;
        Ok(())
    }

    /// Hides a message that is in flight for `seconds` from now.
    pub(in crate::sqs) fn change_visibility(
        &self,
        name: &str,
        handle: &str,
        seconds: u32,
    ) -> Result<(), SqsServerError> {
        let connection = self.lock();
        find(&connection, name)?;
        let now = now_ms();
        let changed = connection.execute(
            "UPDATE message SET visible_ms = ?5
             WHERE queue = ?1 AND sequence = ?2 AND receipt = ?3 AND visible_ms > ?4",
            (name, sequence(handle)?, handle, now, now + i64::from(seconds) * 1000),
        )?;
        self.changed.send_modify(|count| *count += 1);
        if changed == 0 { Err(SqsServerError::MessageNotInflight) } else { Ok(()) }
    }
}

/// Returns the message's number, with which a receipt handle begins.
fn sequence(handle: &str) -> Result<i64, SqsServerError> {
    let sequence = handle.split_once('.').and_then(|(sequence, _)| sequence.parse().ok());
    let invalid =
        || SqsServerError::ReceiptHandleIsInvalid { handle: handle.chars().take(80).collect() };
    sequence.ok_or_else(invalid)
}
