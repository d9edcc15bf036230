//! The operations of DynamoDB: one JSON document in, one out.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Performs each operation by the method of the database that has its name.
macro_rules! operations {
    ($($operation:literal => $method:ident),* $(,)?) => {
        /// Performs an operation. Returns `None` if there is none of this name.
        pub(super) fn perform(
            database: &Database,
            operation: &str,
            body: &[u8],
        ) -> Result<Option<String>, DynoxideError> {
            match operation {
                $($operation => written(&database.$method(read(body)?)?).map(Some),)*
                _ => Ok(None),
            }
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeStream" => describe_stream,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "GetRecords" => get_records,
    "GetShardIterator" => get_shard_iterator,
    "ListStreams" => list_streams,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))
}

fn written(answer: &impl Serialize) -> Result<String, DynoxideError> {
    serde_json::to_string(answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// Returns the error of a request that cannot be read.
///
/// `dynoxide` marks its own errors with a class in capitals, such as `VALIDATION:`.
fn unreadable(message: &str) -> DynoxideError {
    let is_class = |class: &&str| class.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let class = message.split(':').next().filter(is_class).unwrap_or_default();
    let rest = message[class.len()..].trim_start_matches(':');
    let text = rest.rfind(" at line ").map_or(rest, |end| &rest[..end]).to_owned();
    let is_invalid = ["missing field", "unknown variant", "invalid type: null", "AttributeValue"]
        .iter()
        .any(|reason| text.contains(reason));
    if class.starts_with("VALIDATION") || (class.is_empty() && is_invalid) {
        DynoxideError::ValidationException(text)
    } else {
        DynoxideError::SerializationException(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_cannot_be_read_has_the_class_that_dynamodb_gives_it() {
        let of = |message| unreadable(message).to_json();
        let validation = of("VALIDATION: too long at line 1 column 2");
        assert!(validation.contains("ValidationException") && validation.contains("too long\""));
        assert!(of("missing field `TableName`").contains("ValidationException"));
        assert!(of("SERIALIZATION:bad").contains("SerializationException"));
        assert!(of("expected value at line 1 column 1").contains("SerializationException"));
    }

    #[test]
    fn an_unknown_operation_is_none() {
        let database = Database::memory().expect("memory");
        assert_eq!(perform(&database, "Nothing", b"{}").expect("no error"), None);
        let tables = perform(&database, "ListTables", b"{}").expect("no error");
        assert_eq!(tables.as_deref(), Some(r#"{"TableNames":[]}"#));
    }
}
