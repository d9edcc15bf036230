//! What requests of DynamoDB ask for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Asked, Place};

/// The key of a partition whose value a request hides from the reader. No pattern matches it.
const UNKNOWN: &str = "";

/// The attribute of the table's partition key. An index is called as its own.
const PARTITION: &str = "PK";

/// Returns what a request asks for: each action on each table, with the partitions.
pub(super) fn of_dynamodb(place: &Place, operation: &str, document: &Value) -> Vec<Asked> {
    let on = |action: &str, table: &str, keys: Vec<String>| {
        let table = if table.starts_with("arn:") {
            table.to_owned()
        } else {
            place.arn("dynamodb", &format!("table/{table}"))
        };
        let resource = match document["IndexName"].as_str() {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        };
        let mut asked = Asked::new(format!("dynamodb:{action}"), resource);
        asked.context.insert("dynamodb:LeadingKeys", keys);
        asked
    };
    if let Some(tables) = document["RequestItems"].as_object() {
        let of_table =
            |(table, requests): (&String, &Value)| on(operation, table, leading_keys(requests));
        return tables.iter().map(of_table).collect();
    }
    if let Some(items) = document["TransactItems"].as_array() {
        // Each part of a transaction needs the permission of its own operation.
        let parts = items.iter().filter_map(Value::as_object).flatten();
        let of_part = |(kind, part): (&String, &Value)| {
            let action = if kind == "ConditionCheck" {
                "ConditionCheckItem".to_owned()
            } else {
                format!("{kind}Item")
            };
            let table = part["TableName"].as_str().unwrap_or_default();
            on(&action, table, leading_keys(&json!([part["Key"], part["Item"]])))
        };
        return parts.map(of_part).collect();
    }
    let table = document["TableName"].as_str().unwrap_or_default();
    let keys = match operation {
        "Query" => vec![partition(document).unwrap_or_else(|| UNKNOWN.to_owned())],
        _ => leading_keys(&json!([document["Key"], document["Item"]])),
    };
    vec![on(operation, table, keys)]
}

/// Returns the partition keys of all items and keys in a part of a request.
fn leading_keys(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => match members.get(PARTITION).and_then(|key| key["S"].as_str()) {
            Some(key) => vec![key.to_owned()],
            None => members.values().flat_map(leading_keys).collect(),
        },
        Value::Array(parts) => parts.iter().flat_map(leading_keys).collect(),
        _ => Vec::new(),
    }
}

/// Returns the partition of a query: the value that its expression compares the key with.
fn partition(document: &Value) -> Option<String> {
    let wanted = document["IndexName"].as_str().unwrap_or(PARTITION);
    if let Some(old) = document["KeyConditions"].as_object() {
        return old.get(wanted)?["AttributeValueList"][0]["S"].as_str().map(str::to_owned);
    }
    let expression = document["KeyConditionExpression"].as_str()?.replace(['(', ')'], " ");
    let sides = expression.replace('=', " = ");
    let words: Vec<_> = sides.split_whitespace().collect();
    let named = |word: &str| {
        let name = document["ExpressionAttributeNames"][word].as_str();
        name.map_or_else(|| word.to_owned(), str::to_owned)
    };
    let mut values = BTreeMap::new();
    for three in words.windows(3).filter(|three| three[1] == "=") {
        for (name, value) in [(three[0], three[2]), (three[2], three[0])] {
            values.insert(named(name), value);
        }
    }
    let value = values.get(wanted)?;
    document["ExpressionAttributeValues"][*value]["S"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_query_is_the_one_that_its_expression_names() {
        let values = json!({ ":a": { "S": "E#1" }, ":b": { "S": "P#air" } });
        let cases = [
            ("PK = :a", "E#1"),
            ("PK=:a AND begins_with(SK, :b)", "E#1"),
            ("SK = :a AND PK = :b", "P#air"),
            ("(:b = PK) AND SK > :a", "P#air"),
            ("#p = :b and SK between :a and :a", "P#air"),
            ("SK = :a", UNKNOWN),
        ];
        let place = Place { region: "eu-west-1".to_owned(), account_id: "1".repeat(12) };
        for (expression, wanted) in cases {
            let document = json!({ "TableName": "t", "KeyConditionExpression": expression,
                "ExpressionAttributeNames": { "#p": "PK" }, "ExpressionAttributeValues": values });
            let asked = of_dynamodb(&place, "Query", &document);
            assert_eq!(asked[0].context["dynamodb:LeadingKeys"], [wanted], "{expression}");
        }
    }

    #[test]
    fn a_transaction_asks_for_the_operation_of_each_part() {
        let place = Place { region: "eu-west-1".to_owned(), account_id: "1".repeat(12) };
        let key = json!({ "PK": { "S": "E#1" }, "SK": { "S": "S" } });
        let document = json!({ "TransactItems": [
            { "Put": { "TableName": "t", "Item": key } },
            { "ConditionCheck": { "TableName": "t", "Key": key } },
        ] });
        let asked = of_dynamodb(&place, "TransactWriteItems", &document);
        let actions: Vec<_> = asked.iter().map(|asked| asked.action.as_str()).collect();
        assert_eq!(actions, ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"]);
        assert!(asked.iter().all(|asked| asked.context["dynamodb:LeadingKeys"] == ["E#1"]));
    }
}
