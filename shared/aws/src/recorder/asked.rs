//! What a request asks for in IAM's terms.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use std::collections::BTreeSet;

use serde_json::Value;

use super::ask::{Asked, Place};
use super::s3::of_s3;
use super::url::{decoded, path_and_query};

/// Returns what a request asks for. An operation that is not known here is asked for on `*`, which
/// no role allows.
pub(super) fn asked(
    place: &Place,
    service: &str,
    operation: &str,
    uri: &str,
    body: &[u8],
) -> Vec<Asked> {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let found = match service {
        "S3" => of_s3(operation, uri).map(|asked| vec![asked]),
        "DynamoDB" => Some(of_dynamodb(place, operation, &document)),
        "Lambda" => of_lambda(place, operation, uri).map(|asked| vec![asked]),
        "SQS" => of_sqs(place, operation, &document).map(|asked| vec![asked]),
        "EventBridge" => Some(of_event_bus(place, operation, &document)),
        _ => None,
    };
    found.unwrap_or_else(|| vec![Asked::new(format!("{service}:{operation}"), "*")])
}

fn of_dynamodb(place: &Place, operation: &str, document: &Value) -> Vec<Asked> {
    let on = |table: &str, keys: Vec<String>| {
        let resource = match document["IndexName"].as_str() {
            Some(index) => format!("table/{table}/index/{index}"),
            None => format!("table/{table}"),
        };
        let mut asked =
            Asked::new(format!("dynamodb:{operation}"), place.arn("dynamodb", &resource));
        asked.context.insert("dynamodb:LeadingKeys", keys);
        asked
    };
    if let Some(tables) = document["RequestItems"].as_object() {
        let of_table = |(table, requests): (&String, &Value)| on(table, leading_keys(requests));
        return tables.iter().map(of_table).collect();
    }
    let table = document["TableName"].as_str().unwrap_or_default();
    let keys = match document["KeyConditionExpression"].as_str() {
        Some(expression) => hash_value(expression, document).into_iter().collect(),
        None => leading_keys(&serde_json::json!([document["Key"], document["Item"]])),
    };
    vec![on(table, keys)]
}

/// Returns the partition keys of all items and keys in a part of a request.
fn leading_keys(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => match members.get("PK").and_then(|key| key["S"].as_str()) {
            Some(key) => vec![key.to_owned()],
            None => members.values().flat_map(leading_keys).collect(),
        },
        Value::Array(parts) => parts.iter().flat_map(leading_keys).collect(),
        _ => Vec::new(),
    }
}

/// Returns the value that a query gives to the first key: `PK = :pk AND ...`.
fn hash_value(expression: &str, document: &Value) -> Option<String> {
    let (_, rest) = expression.split_once('=')?;
    let name = rest.split_whitespace().next()?;
    document["ExpressionAttributeValues"][name]["S"].as_str().map(str::to_owned)
}

fn of_lambda(place: &Place, operation: &str, uri: &str) -> Option<Asked> {
    let (path, query) = path_and_query(uri)?;
    let action = match operation {
        "Invoke" => "lambda:InvokeFunction",
        "GetFunctionConfiguration" => "lambda:GetFunctionConfiguration",
        _ => return None,
    };
    let name = decoded(path.split('/').nth(2)?);
    let arn = if name.starts_with("arn:") {
        name
    } else {
        place.arn("lambda", &format!("function:{name}"))
    };
    let qualifier = query.get("Qualifier").map(|qualifier| format!(":{qualifier}"));
    Some(Asked::new(action, arn + &qualifier.unwrap_or_default()))
}

fn of_sqs(place: &Place, operation: &str, document: &Value) -> Option<Asked> {
    let url = document["QueueUrl"].as_str()?;
    let name = url.trim_end_matches('/').rsplit('/').next()?;
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    Some(Asked::new(format!("sqs:{action}"), place.arn("sqs", name)))
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
                "SNS:Publish *".to_owned(),
            ),
        ];
        for (service, operation, uri, body, wanted) in cases {
            assert_eq!(of(service, operation, &uri, &body), [wanted]);
        }
    }
}
