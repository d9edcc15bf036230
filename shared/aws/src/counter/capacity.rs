//! DynamoDB's capacity units of one call, read from the answer or computed if no answer has them.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{
    DeleteItemError, DeleteItemInput, DeleteItemOutput,
};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::update_item::{
    UpdateItemError, UpdateItemInput, UpdateItemOutput,
};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};

type Item = std::collections::HashMap<String, AttributeValue>;

/// The bytes of a write request unit.
const WRITE_UNIT: usize = 1024;

/// Asks the service to report what a call consumes, if it is a call of the table's adapter.
pub(super) fn ask(input: &mut Input) {
    macro_rules! ask {
        ($($input:ty),*) => {$(
            if let Some(input) = input.downcast_mut::<$input>() {
                input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
            }
        )*};
    }
    ask!(
        BatchGetItemInput,
        BatchWriteItemInput,
        DeleteItemInput,
        GetItemInput,
        PutItemInput,
        QueryInput,
        UpdateItemInput
    );
}

/// Returns the write and read units of a call that succeeded.
pub(super) fn of_output(output: &Output) -> (f64, f64) {
    fn units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
        consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum()
    }
    macro_rules! of {
        ($($output:ty),*) => {
            None$(.or_else(|| Some(units(output.downcast_ref::<$output>()?.consumed_capacity()))))*
        };
    }
    let written: Option<f64> =
        of!(BatchWriteItemOutput, DeleteItemOutput, PutItemOutput, UpdateItemOutput);
    let read: Option<f64> = of!(BatchGetItemOutput, GetItemOutput, QueryOutput);
    (written.unwrap_or_default(), read.unwrap_or_default())
}

/// Returns the write and read units of a call that was refused.
///
/// A failed condition is billed by the existing item, and the answer does not say how much. Other
/// refusals are free.
pub(super) fn of_error(error: &Error) -> (f64, f64) {
    let failed = |error: &ConditionalCheckFailedException| write_units(error.item());
    macro_rules! of {
        ($($error:ident),*) => {
            None$(.or_else(|| match error.downcast_ref::<$error>()? {
                $error::ConditionalCheckFailedException(error) => Some(failed(error)),
                _ => None,
            }))*
        };
    }
    let written: Option<f64> = of!(DeleteItemError, PutItemError, UpdateItemError);
    (written.unwrap_or_default(), 0.0)
}

/// Returns one unit for each started KB, and at least one. An item that the answer leaves out
/// counts as a small one.
fn write_units(item: Option<&Item>) -> f64 {
    let bytes: usize =
        item.into_iter().flatten().map(|(name, value)| name.len() + size(value)).sum();
    let units = bytes.div_ceil(WRITE_UNIT).max(1);
    u32::try_from(units).map_or(f64::INFINITY, f64::from)
}

/// Returns what a value adds to an item's size, by the page above: text counts as UTF-8, a number
/// by its significant digits, two to a byte.
fn size(value: &AttributeValue) -> usize {
    const COLLECTION: usize = 3;
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => {
            numbers.iter().map(|digits| digits.len().div_ceil(2) + 1).sum()
        }
        AttributeValue::Bs(all) => all.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(values) => {
            COLLECTION + values.iter().map(|value| 1 + size(value)).sum::<usize>()
        }
        AttributeValue::M(values) => {
            let member = |(name, value): (&String, &AttributeValue)| 1 + name.len() + size(value);
            COLLECTION + values.iter().map(member).sum::<usize>()
        }
        _ => 1,
    }
}
