//! The windows of batch triggers in the table.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use sidestep_core::event::batch::{BatchObject, Part, WindowId};
use sidestep_core::event::trigger::Trigger;
use sidestep_engine::ports::batches::{BatchStore, OpenWindow};
use sidestep_engine::ports::executions::TableError;

use super::DynamoTable;
use super::error::classify;
use super::item::{
    EXPIRES_AT, Item, body, document, keyed, number, numeric, string, text, unreadable,
};
use super::key::{WINDOWS, window_key};

const NOTES: &str = "Notes";
/// How long the table keeps the uploads of a window: longer than a queue keeps an event (14 days)
/// and then its dead letter (14 more).
const KEPT_SECONDS: u64 = 45 * 86_400;

#[async_trait]
impl BatchStore for DynamoTable {
    async fn note(
        &self,
        id: &WindowId,
        trigger: &Trigger,
        object: &BatchObject,
    ) -> Result<u64, TableError> {
        let mut item = document(window_key(id), format!("O#{}", object.id()), object);
        item.insert(EXPIRES_AT.to_owned(), number(expiry()));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await;
        put.map_err(|error| classify("note", id.as_str(), error))?;
        let trigger = serde_json::to_string(trigger).expect("a trigger is plain JSON");
        let noted = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(WINDOWS, id.as_str())))
            .update_expression("SET Body = if_not_exists(Body, :trigger) ADD Notes :one")
            .expression_attribute_values(":trigger", text(trigger))
            .expression_attribute_values(":one", number(1_u64))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| classify("open", id.as_str(), error))?;
        numeric(&noted.attributes.unwrap_or_default(), NOTES)
    }

    async fn open_windows(&self) -> Result<Vec<OpenWindow>, TableError> {
        self.query_all(WINDOWS).await?.iter().map(open_window).collect()
    }

    async fn open_window(&self, id: &WindowId) -> Result<Option<OpenWindow>, TableError> {
        self.get(WINDOWS.to_owned(), id.as_str()).await?.as_ref().map(open_window).transpose()
    }

    async fn window(&self, id: &WindowId) -> Result<(Vec<BatchObject>, Vec<Part>), TableError> {
        let (mut objects, mut parts) = (Vec::new(), Vec::new());
        // The uploads sort before the parts, so every part that holds one of them is read too.
        for item in self.query_all(&window_key(id)).await? {
            match string(&item, "SK")?.split_once('#') {
                Some(("O", _)) => objects.push(body(&item)?),
                Some(("P", _)) => parts.push(body(&item)?),
                _ => return Err(unreadable(&item, "neither an object nor a part")),
            }
        }
        Ok((objects, parts))
    }

    async fn record_part(&self, id: &WindowId, part: &Part) -> Result<bool, TableError> {
        let mut item = document(window_key(id), format!("P#{:06}", part.number), part);
        item.insert(EXPIRES_AT.to_owned(), number(expiry()));
        Ok(self.put_new(item).await?.is_none())
    }

    async fn close_window(&self, id: &WindowId, notes: u64) -> Result<bool, TableError> {
        let closed = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(keyed(WINDOWS, id.as_str())))
            .condition_expression("Notes = :notes")
            .expression_attribute_values(":notes", number(notes))
            .send()
            .await;
        match closed {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(classify("close", id.as_str(), error)),
        }
    }
}

fn is_refused(error: &SdkError<DeleteItemError>) -> bool {
    error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception)
}

fn open_window(item: &Item) -> Result<OpenWindow, TableError> {
    let id = WindowId::parse(string(item, "SK")?)
        .ok_or_else(|| unreadable(item, "not the name of a window"))?;
    Ok(OpenWindow { id, trigger: body(item)?, notes: numeric(item, NOTES)? })
}

/// Returns when an item that is written now expires, in seconds since 1970.
fn expiry() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() + KEPT_SECONDS
}
