//! Add, list and delete tags.

use serde_json::{Value, json};

use crate::server::{Server, column, definition, step};

fn tags(count: usize) -> Value {
    (0..count).map(|n| json!({ "Key": format!("k{n:02}"), "Value": "v" })).collect()
}

#[tokio::test]
async fn tags_are_added_replaced_listed_and_deleted() {
    let server = Server::new();
    let arn = server.create("flights", &definition(&[step("One", None)])).await;
    let add = |tags: Value| server.ok("AddTags", json!({ "ResourceArn": arn, "Tags": tags }));
    let list = || server.ok("ListTags", json!({ "ResourceArn": arn }));
    add(json!([{ "Key": "team", "Value": "air" }, { "Key": "cost", "Value": "1" }])).await;
    let answer = add(json!([{ "Key": "team", "Value": "data" }])).await;
    let expected = json!({
        "Tags": [{ "Key": "cost", "Value": "1" }, { "Key": "team", "Value": "data" }],
    });
    assert_eq!(answer, expected);
    assert_eq!(list().await, expected);
    let delete = json!({ "ResourceArn": arn, "TagKeys": ["cost", "unknown"] });
    assert_eq!(server.ok("DeleteTags", delete).await, json!({}));
    assert_eq!(column(&list().await, "Tags", "Key"), ["team"]);
}

#[tokio::test]
async fn a_pipeline_has_at_most_fifty_tags() {
    let server = Server::new();
    let arn = server.create("flights", &definition(&[step("One", None)])).await;
    server.ok("AddTags", json!({ "ResourceArn": arn, "Tags": tags(50) })).await;
    let more = json!({ "ResourceArn": arn, "Tags": [{ "Key": "more", "Value": "v" }] });
    assert_eq!(server.refused("AddTags", more).await.0, "ResourceLimitExceeded");
    let listed = server.ok("ListTags", json!({ "ResourceArn": arn })).await;
    assert_eq!(column(&listed, "Tags", "Key").len(), 50);
}
