//! Order, pages and page tokens of every list.

use serde_json::{Value, json};

use crate::server::{Server, column, definition, step};

/// A list: its operation, its request, and the members that hold the lines and name one.
type List = (&'static str, Value, &'static str, &'static str);

/// Reads a list page by page.
async fn pages(server: &Server, list: &List, size: usize) -> Vec<Vec<Value>> {
    let (operation, request, lines, name) = list;
    let mut body = request.clone();
    body["MaxResults"] = json!(size);
    let mut pages = Vec::new();
    loop {
        let answer = server.ok(operation, body.clone()).await;
        pages.push(column(&answer, lines, name).into_iter().cloned().collect());
        match answer.get("NextToken") {
            Some(token) => body["NextToken"] = token.clone(),
            None => return pages,
        }
    }
}

/// Makes three pipelines, five executions of the first, and five tags.
async fn world(server: &Server) -> (Vec<Value>, Vec<List>) {
    let steps = ["A", "B", "C"].map(|name| step(name, None));
    for name in ["flights", "flights-2", "weather"] {
        server.create(name, &definition(&steps)).await;
    }
    let mut arns = Vec::new();
    for _ in 0..5 {
        arns.push(server.start("flights").await);
        server.succeed().await;
    }
    let update = json!({
        "PipelineName": "flights",
        "PipelineDefinition": definition(&[step("D", None)]).to_string(),
    });
    server.ok("UpdatePipeline", update).await;
    let execution = json!({ "PipelineExecutionArn": arns[0], "SortOrder": "Ascending" });
    let named = json!({ "PipelineName": "flights" });
    let lists = vec![
        ("ListPipelines", json!({ "SortBy": "Name" }), "PipelineSummaries", "PipelineName"),
        (
            "ListPipelineExecutions",
            named.clone(),
            "PipelineExecutionSummaries",
            "PipelineExecutionArn",
        ),
        ("ListPipelineVersions", named, "PipelineVersionSummaries", "PipelineVersionId"),
        ("ListPipelineExecutionSteps", execution, "PipelineExecutionSteps", "StepName"),
    ];
    (arns, lists)
}

#[tokio::test]
async fn every_list_is_sorted_and_its_pages_hold_each_line_once() {
    let server = Server::new();
    let (arns, lists) = world(&server).await;
    let newest_first: Vec<Value> = arns.into_iter().rev().collect();
    let expected = [
        vec![json!("weather"), json!("flights-2"), json!("flights")],
        newest_first,
        vec![json!(2), json!(1)],
        vec![json!("A"), json!("B"), json!("C")],
    ];
    for (list, expected) in lists.iter().zip(expected) {
        for size in [1, 2, 5] {
            let pages = pages(&server, list, size).await;
            let full = expected.len().div_ceil(size);
            assert_eq!(pages.len(), full, "{} by {size}", list.0);
            assert!(pages.iter().all(|page| page.len() <= size));
            assert_eq!(pages.concat(), expected, "{} by {size}", list.0);
        }
    }
}

#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_only() {
    let server = Server::new();
    let (_, lists) = world(&server).await;
    let mut tokens = Vec::new();
    for (operation, request, ..) in &lists {
        let mut body = request.clone();
        body["MaxResults"] = json!(1);
        tokens.push(server.ok(operation, body).await["NextToken"].clone());
    }
    for (number, (operation, request, ..)) in lists.iter().enumerate() {
        let others = tokens.iter().enumerate().filter(|(other, _)| *other != number);
        for token in others.map(|(_, token)| token.clone()).chain([json!("nonsense")]) {
            let mut body = request.clone();
            body["NextToken"] = token;
            let (code, text) = server.refused(operation, body).await;
            assert_eq!(code, "ValidationException", "{operation}");
            assert_eq!(text, "Invalid pagination token: it is not of this list.");
        }
    }
}

#[tokio::test]
async fn lists_are_filtered_by_name_time_and_alias() {
    let server = Server::new();
    let (arns, _) = world(&server).await;
    let prefix = json!({ "PipelineNamePrefix": "flights", "SortOrder": "Ascending" });
    let listed = server.ok("ListPipelines", prefix).await;
    let names = column(&listed, "PipelineSummaries", "PipelineName");
    assert_eq!(names, ["flights", "flights-2"]);

    let body = json!({ "PipelineName": "flights", "SortOrder": "Ascending" });
    let all = server.ok("ListPipelineExecutions", body.clone()).await;
    let lines = "PipelineExecutionSummaries";
    let second = column(&all, lines, "StartTime")[1].clone();
    for (bound, expected) in [("CreatedBefore", &arns[..1]), ("CreatedAfter", &arns[2..])] {
        let mut bounded = body.clone();
        bounded[bound] = second.clone();
        let listed = server.ok("ListPipelineExecutions", bounded).await;
        let found = column(&listed, lines, "PipelineExecutionArn");
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{bound}");
    }
    let mut sorted = arns.clone();
    sorted.sort_by_key(|arn| arn.as_str().unwrap().to_owned());
    let mut by_arn = body.clone();
    by_arn["SortBy"] = json!("PipelineExecutionArn");
    let listed = server.ok("ListPipelineExecutions", by_arn).await;
    assert_eq!(column(&listed, lines, "PipelineExecutionArn"), sorted.iter().collect::<Vec<_>>());
    let mut of_alias = body;
    of_alias["PipelineVersionAlias"] = json!("never");
    let listed = server.ok("ListPipelineExecutions", of_alias).await;
    assert_eq!(listed[lines], json!([]));
}
