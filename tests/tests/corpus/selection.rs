//! A part of a definition is run, and the rest comes from an earlier execution or by hand.

use serde_json::{Value, json};
use sidestep_engine::start::selection::SourceRequest;

use super::{Corpus, decisions, id, output, reason};

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_one_step_runs_and_the_rest_comes_from_the_source() {
    let corpus = Corpus::open("wide-fanout-40").await;
    let first = corpus.run(&[]).await;
    let mut request = corpus.selecting(&["Shard-07+"], SourceRequest::Latest);
    request.selection.force = vec!["Shard-07".to_owned()];
    let second = corpus.setup.run(request).await;
    let summary = &second.summary;
    assert_eq!(
        (summary.run, summary.cache_hit, summary.reused, summary.not_selected),
        (1, 1, 40, 0),
        "{second:#?}"
    );
    assert_eq!(output(&second, "Gather", "uri"), output(&first, "Gather", "uri"));

    // A limit of steps at a time changes when they run, not what comes out.
    let mut request = corpus.request(&[("ShardSize", "7")]);
    request.max_parallel_execution_steps = Some(3);
    let third = corpus.setup.run(request).await;
    assert_eq!((third.pipeline_execution_status, third.summary.run), ("Succeeded", 42));
    assert!(output(&third, "Gather", "uri").as_str().unwrap().ends_with("part 39 of shards of 7"));
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_step_takes_the_rest_from_the_source_that_is_named_or_the_latest_that_will_do() {
    let corpus = Corpus::open("lambda-chain").await;
    let none = corpus.refusal(corpus.selecting(&["Transform"], SourceRequest::Latest)).await;
    let expected = "Invalid SourcePipelineExecutionArn: null. The selected steps [Transform] have dependencies on [Extract]";
    assert!(none.contains(expected), "{none}");

    let first = corpus.run(&[]).await;
    let second = corpus.run(&[("SourceUri", "s3://data-lake/raw/returns.csv")]).await;
    for (source, of, rows) in [
        (SourceRequest::Latest, &second, "rows of returns.csv"),
        (SourceRequest::Execution(id(&first)), &first, "rows of orders.csv"),
    ] {
        let selected = corpus.setup.run(corpus.selecting(&["Transform"], source)).await;
        assert_eq!(
            decisions(&selected),
            ["Extract Reused Succeeded", "Transform CacheHit Succeeded", "Load NotSelected -"]
        );
        assert_eq!(output(&selected, "Extract", "rows_uri"), rows);
        let from = selected.steps[0].selective_execution_result.as_ref().unwrap();
        assert_eq!(from.source_pipeline_execution_arn, of.pipeline_execution_arn);
    }

    let failed = corpus.run(&[("SourceUri", "s3://data-lake/raw/broken.csv")]).await;
    assert_eq!((failed.pipeline_execution_status, failed.summary.failed), ("Failed", 1));
    let source = SourceRequest::Execution(id(&failed));
    let again = corpus.setup.run(corpus.selecting(&["result:failed"], source.clone())).await;
    assert_eq!(
        decisions(&again),
        ["Extract Reused Succeeded", "Transform Reused Succeeded", "Load Run Failed"]
    );
    let only = corpus.setup.run(corpus.selecting(&["Extract"], SourceRequest::None)).await;
    assert_eq!(only.summary.not_selected, 2);
    let lacking = SourceRequest::Execution(id(&only));
    let refused = corpus.refusal(corpus.selecting(&["Load"], lacking)).await;
    assert!(refused.contains("`Transform` was not selected there"), "{refused}");
    let latest = corpus.setup.run(corpus.selecting(&["Load"], SourceRequest::Latest)).await;
    let from = latest.steps[1].selective_execution_result.as_ref().unwrap();
    assert_eq!(from.source_pipeline_execution_arn, again.pipeline_execution_arn);
    corpus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_given_by_hand_take_the_place_of_their_steps_and_stay_out_of_the_cache() {
    let corpus = Corpus::open("lambda-chain").await;
    let supplying = |outputs: &[(&str, Value)]| {
        let mut request = corpus.selecting(&["Load"], SourceRequest::None);
        request.selection.supplied_by = "a test".to_owned();
        for (name, value) in outputs {
            let (step, output) = name.split_once('.').unwrap();
            let step = request.selection.supply.entry(step.to_owned()).or_default();
            step.insert(output.to_owned(), value.clone());
        }
        request
    };
    let some =
        supplying(&[("Transform.clean_uri", json!("mine")), ("Extract.rows_uri", json!("x"))]);
    let refused = corpus.refusal(some).await;
    assert!(refused.contains("[Extract.row_count]"), "{refused}");

    let all =
        supplying(&[("Transform.clean_uri", json!("mine")), ("Extract.row_count", json!("7"))]);
    let supplied = corpus.setup.run(all).await;
    assert_eq!(
        decisions(&supplied),
        ["Extract Reused Succeeded", "Transform Reused Succeeded", "Load Run Succeeded"]
    );
    assert_eq!(output(&supplied, "Load", "loaded"), 7, "the text became an Integer");
    assert_eq!(supplied.steps[2].tainted_by, ["Extract", "Transform"]);
    assert_eq!(reason(&supplied, "Transform"), "supplied by a test: `clean_uri`");

    let whole = corpus.run(&[]).await;
    assert_eq!(whole.summary.run, 3, "nothing of it was cached under a step's key: {whole:#?}");
    corpus.close().await;
}
