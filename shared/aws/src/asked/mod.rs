//! What a request asks for in IAM's terms: action, resource, condition keys.
//!
//! The recorder of the tests and the embedded cloud's guard both read requests so.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

mod ask;
mod dynamodb;
mod s3;
mod url;

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::ask::{Asked, Place};
pub use self::s3::{S3Target, absence, of_s3};

use self::dynamodb::of_dynamodb;
use self::url::{decoded, path_and_query};

/// Returns what a request asks for. An operation that is not known here is asked for on `*`, which
/// no role allows.
pub fn asked(place: &Place, service: &str, operation: &str, uri: &str, body: &[u8]) -> Vec<Asked> {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let found = match service {
        "S3" => S3Target::read(uri).and_then(|target| of_s3(operation, &target)),
        "DynamoDB" => Some(of_dynamodb(place, operation, &document)),
        "Lambda" => of_lambda(place, operation, uri).map(|asked| vec![asked]),
        "SQS" => of_sqs(place, operation, &document).map(|asked| vec![asked]),
        "EventBridge" => Some(of_event_bus(place, operation, &document)),
        _ => None,
    };
    found.unwrap_or_else(|| vec![unknown(service, operation)])
}

/// Returns what an operation asks for of which nothing is known.
pub fn unknown(service: &str, operation: &str) -> Asked {
    Asked::new(format!("{}:{operation}", service.to_ascii_lowercase()), "*")
}

fn of_lambda(place: &Place, operation: &str, uri: &str) -> Option<Asked> {
    let (path, query) = path_and_query(uri)?;
    let action = match operation {
        "Invoke" => "lambda:InvokeFunction",
        "GetFunction" => "lambda:GetFunction",
        "GetFunctionConfiguration" => "lambda:GetFunctionConfiguration",
        _ => return None,
    };
    let name = decoded(path.split('/').nth(2)?);
    let arn = if name.starts_with("arn:") {
        name
    } else {
        // `ACCOUNT:function:NAME` is a short form of the ARN.
        let name = name.rsplit("function:").next().unwrap_or_default();
        place.arn("lambda", &format!("function:{name}"))
    };
    let qualifier = query.get("Qualifier").map(|qualifier| format!(":{qualifier}"));
    Some(Asked::new(action, arn + &qualifier.unwrap_or_default()))
}

fn of_sqs(place: &Place, operation: &str, document: &Value) -> Option<Asked> {
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    let arn = match document["QueueUrl"].as_str() {
        Some(url) => queue_arn(place, url)?,
        None => place.arn("sqs", document["QueueName"].as_str()?),
    };
    Some(Asked::new(format!("sqs:{action}"), arn))
}

/// Converts a queue's URL to its ARN. What the URL does not say is the place's own.
fn queue_arn(place: &Place, url: &str) -> Option<String> {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let (name, account, host) = (parts.next()?, parts.next(), parts.next());
    let region = host.and_then(|host| host.strip_prefix("sqs.")?.split('.').next());
    let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let at = Place {
        region: region.unwrap_or(&place.region).to_owned(),
        account_id: account.filter(is_account).unwrap_or(&place.account_id).to_owned(),
    };
    Some(at.arn("sqs", name))
}

fn of_event_bus(place: &Place, operation: &str, document: &Value) -> Vec<Asked> {
    let entries = document["Entries"].as_array().into_iter().flatten();
    let bus = |entry: &Value| entry["EventBusName"].as_str().unwrap_or("default").to_owned();
    let buses: BTreeSet<_> = entries.map(bus).collect();
    let asked = |bus: String| {
        Asked::new(format!("events:{operation}"), place.arn("events", &format!("event-bus/{bus}")))
    };
    buses.into_iter().map(asked).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(service: &str, operation: &str, uri: &str, body: &Value) -> Vec<String> {
        let place = Place { region: "eu-west-1".to_owned(), account_id: "1".repeat(12) };
        let all = asked(&place, service, operation, uri, body.to_string().as_bytes());
        let line = |Asked { action, resource, context }: Asked| {
            let keys =
                context.into_iter().map(|(key, values)| format!(" {key}={}", values.join(",")));
            format!("{action} {resource}{}", keys.collect::<String>())
        };
        all.into_iter().map(line).collect()
    }

    #[test]
    fn requests_of_dynamodb_name_the_partitions() {
        let table = "arn:aws:dynamodb:eu-west-1:111111111111:table/t";
        let key = |key: &str| json!({ "PK": { "S": key }, "SK": { "S": "S" } });
        let cases = [
            (
                "GetItem",
                json!({ "TableName": "t", "Key": key("E#1") }),
                format!("{table} dynamodb:LeadingKeys=E#1"),
            ),
            (
                "PutItem",
                json!({ "TableName": "t", "Item": key("K#1") }),
                format!("{table} dynamodb:LeadingKeys=K#1"),
            ),
            (
                "BatchGetItem",
                json!({ "RequestItems": { "t": { "Keys": [key("K#1"), key("K#2")] } } }),
                format!("{table} dynamodb:LeadingKeys=K#1,K#2"),
            ),
            (
                "Query",
                json!({ "TableName": "t", "KeyConditionExpression": "PK = :pk AND SK > :sk",
                "ExpressionAttributeValues": { ":pk": { "S": "P#air" }, ":sk": { "S": "1" } } }),
                format!("{table} dynamodb:LeadingKeys=P#air"),
            ),
            (
                "Query",
                json!({ "TableName": "t", "IndexName": "Live", "KeyConditionExpression": "Live = :live",
                "ExpressionAttributeValues": { ":live": { "S": "1" } } }),
                format!("{table}/index/Live dynamodb:LeadingKeys=1"),
            ),
        ];
        for (operation, body, wanted) in cases {
            let found = of("DynamoDB", operation, "http://127.0.0.1:9/", &body);
            assert_eq!(found, [format!("dynamodb:{operation} {wanted}")]);
        }
    }

    #[test]
    fn requests_of_functions_queues_and_buses_name_their_arns() {
        let function = "http://127.0.0.1:9/2015-03-31/functions";
        let arn = "arn:aws:lambda:eu-west-1:111111111111:function:air-fit";
        let encoded = arn.replace(':', "%3A");
        let cases = [
            (
                "Lambda",
                "Invoke",
                format!("{function}/{encoded}%3A7/invocations"),
                json!({}),
                format!("lambda:InvokeFunction {arn}:7"),
            ),
            (
                "Lambda",
                "GetFunctionConfiguration",
                format!("{function}/air-fit/configuration?Qualifier=live"),
                json!({}),
                format!("lambda:GetFunctionConfiguration {arn}:live"),
            ),
            (
                "SQS",
                "SendMessage",
                "http://127.0.0.1:9/".to_owned(),
                json!({ "QueueUrl": "http://127.0.0.1:9/111111111111/air-timers" }),
                "sqs:SendMessage arn:aws:sqs:eu-west-1:111111111111:air-timers".to_owned(),
            ),
            (
                "SQS",
                "SendMessageBatch",
                "http://127.0.0.1:9/".to_owned(),
                json!({ "QueueUrl": "https://sqs.us-east-1.amazonaws.com/222222222222/other" }),
                "sqs:SendMessage arn:aws:sqs:us-east-1:222222222222:other".to_owned(),
            ),
            (
                "EventBridge",
                "PutEvents",
                "http://127.0.0.1:9/".to_owned(),
                json!({ "Entries": [{ "EventBusName": "p" }, { "EventBusName": "p" }] }),
                "events:PutEvents arn:aws:events:eu-west-1:111111111111:event-bus/p".to_owned(),
            ),
            (
                "SNS",
                "Publish",
                "http://127.0.0.1:9/".to_owned(),
                json!({}),
                "sns:Publish *".to_owned(),
            ),
        ];
        for (service, operation, uri, body, wanted) in cases {
            assert_eq!(of(service, operation, &uri, &body), [wanted]);
        }
    }
}
