//! The promises of the crate to the author of a step, tested without any server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sidestep_step::testing::StepTest;
use sidestep_step::{Bytes, Content, S3Uri, StepContext, StepError, blocking};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    text: S3Uri,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    lines: usize,
    copy: S3Uri,
}

async fn copy(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let text = ctx.download(&arguments.text).await?.text().await?;
    let lines = text.lines().count();
    let copy = ctx.put_artifact("copies/one.txt", text).await?;
    Ok(Outputs { lines, copy: copy.uri })
}

fn arguments() -> Value {
    json!({"Text": "s3://inbox/a b.txt"})
}

#[tokio::test]
async fn a_step_reports_its_outputs_and_artifacts() {
    let test = StepTest::new().object("s3://inbox/a b.txt", "one\ntwo\n");
    let report = test.run(copy, arguments()).await.unwrap();

    let copy = "s3://sidestep-test/runs/test/testtesttest/Step/1/copies/one.txt";
    assert_eq!(report.outputs, json!({"Lines": 2, "Copy": copy}));
    assert_eq!(report.artifact("copies/one.txt"), "one\ntwo\n");
    assert!(report.manifest.is_by("token of attempt 1") && report.manifest.token.is_none());
    assert_eq!(Value::from(report.manifest.outputs), report.outputs);
    let [artifact] = report.manifest.artifacts.as_slice() else { panic!("one artifact") };
    assert_eq!((artifact.uri.to_string().as_str(), artifact.bytes), (copy, 8));
    // printf 'one\ntwo\n' | sha256sum
    let sha256 = "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8";
    assert_eq!(artifact.sha256, sha256);
}

#[tokio::test]
async fn a_missing_input_is_named() {
    let error = StepTest::new().run(copy, arguments()).await.unwrap_err();
    assert_eq!(error.error_type(), "Sidestep.InputNotFound");
    assert_eq!(error.message(), "there is no object `s3://inbox/a b.txt`");
}

#[tokio::test]
async fn a_failed_attempt_reports_nothing() {
    async fn fail(_: Value, ctx: StepContext) -> Result<(), StepError> {
        ctx.put_artifact("half.txt", "half").await?;
        Err(StepError::new("Test.Broken", "broke on purpose"))
    }
    let test = StepTest::new();
    let error = test.run(fail, json!({})).await.unwrap_err();
    assert_eq!(error.error_type(), "Test.Broken");
    let left: Vec<_> = test.store().objects().into_keys().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].key().ends_with("/half.txt"));
}

#[tokio::test]
async fn an_invocation_delivered_twice_has_one_result() {
    async fn random(_: Value, _: StepContext) -> Result<Value, StepError> {
        // Different in each run: the address of a fresh allocation that is never freed.
        Ok(json!({"Random": format!("{:p}", Box::leak(Box::new(0_u8)))}))
    }
    let test = StepTest::new();
    let first = test.run_attempt(1, random, json!({})).await.unwrap();
    let second = test.run_attempt(1, random, json!({})).await.unwrap();
    assert_eq!(first.outputs, second.outputs);
    let other = test.run_attempt(2, random, json!({})).await.unwrap();
    assert_ne!(first.outputs, other.outputs);
}

#[tokio::test]
async fn a_second_run_that_writes_other_bytes_retires() {
    async fn write(content: Vec<Value>, ctx: StepContext) -> Result<(), StepError> {
        ctx.put_artifact("a.txt", content[0].as_str().unwrap_or_default().to_owned()).await?;
        Ok(())
    }
    async fn write_text(
        arguments: BTreeMap<String, String>,
        ctx: StepContext,
    ) -> Result<Value, StepError> {
        write(vec![json!(arguments["Text"])], ctx).await?;
        Ok(json!({"Text": arguments["Text"]}))
    }
    let test = StepTest::new();
    let first = test.run_attempt(1, write_text, json!({"Text": "first"})).await.unwrap();
    let second = test.run_attempt(1, write_text, json!({"Text": "second"})).await.unwrap();
    assert_eq!(second.outputs, json!({}), "it answers nothing of its own");
    assert_eq!(second.manifest, first.manifest, "the first report stands");
    assert_eq!(first.artifact("a.txt"), "first");
}

#[tokio::test]
async fn a_step_that_is_too_slow_fails_before_its_deadline() {
    async fn wait(_: Value, _: StepContext) -> Result<(), StepError> {
        std::future::pending().await
    }
    let test = StepTest::new().time_limit(Duration::from_millis(50));
    let error = test.run(wait, json!({})).await.unwrap_err();
    assert_eq!(error.error_type(), "Sidestep.Timeout");
}

/// Ends a step, too, that computes without ever giving way.
#[tokio::test]
async fn a_busy_step_fails_before_its_deadline() {
    static ANSWERED: AtomicBool = AtomicBool::new(false);
    async fn spin(_: Value, _: StepContext) -> Result<(), StepError> {
        blocking(|| {
            while !ANSWERED.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
        .await
    }
    let test = StepTest::new().time_limit(Duration::from_millis(50));
    let error = test.run(spin, json!({})).await.unwrap_err();
    ANSWERED.store(true, Ordering::Relaxed);
    assert_eq!(error.error_type(), "Sidestep.Timeout");
}

#[tokio::test]
async fn a_panic_is_the_steps_failure() {
    async fn panic(arguments: Value, _: StepContext) -> Result<(), StepError> {
        if arguments["Thread"] == true {
            blocking(|| panic!("in a thread")).await
        } else {
            panic!("in the handler")
        }
    }
    for (thread, message) in [
        (true, "the handler panicked: in a thread"),
        (false, "the handler panicked: in the handler"),
    ] {
        let error = StepTest::new().run(panic, json!({"Thread": thread})).await.unwrap_err();
        assert_eq!((error.error_type(), error.message()), ("Sidestep.Panic", message));
    }
}

#[tokio::test]
async fn outputs_are_an_object_within_the_limit() {
    async fn echo(arguments: BTreeMap<String, Value>, _: StepContext) -> Result<Value, StepError> {
        Ok(match arguments["Length"].as_u64() {
            Some(length) => json!({"Text": "x".repeat(usize::try_from(length)?)}),
            None => arguments["Value"].clone(),
        })
    }
    let empty = StepTest::new().run(echo, json!({"Length": null, "Value": null})).await.unwrap();
    assert_eq!(empty.outputs, json!({}));

    let cases = [
        (json!({"Length": null, "Value": [1]}), "Sidestep.OutputNotObject"),
        (json!({"Length": null, "Value": {"Sidestep": 1}}), "Sidestep.OutputNotObject"),
        (json!({"Length": 999_990}), "Sidestep.OutputTooLarge"),
    ];
    for (arguments, error_type) in cases {
        let error = StepTest::new().run(echo, arguments).await.unwrap_err();
        assert_eq!(error.error_type(), error_type, "{error}");
    }
    StepTest::new().run(echo, json!({"Length": 999_989})).await.unwrap();
}

#[tokio::test]
async fn content_of_every_kind_arrives_whole() {
    async fn write(_: Value, ctx: StepContext) -> Result<(), StepError> {
        ctx.put_artifact("bytes", vec![1, 2, 3]).await?;
        ctx.put_artifact("text", "text").await?;
        ctx.put_artifact("empty", "").await?;
        ctx.put_artifact("json", Content::json(&json!({"b": 1, "a": [2]}))?).await?;
        ctx.put_artifact("reader", Content::reader(&b"from a reader"[..])).await?;
        let pieces = [Ok(Bytes::from("from ")), Ok(Bytes::from("a stream"))];
        ctx.put_artifact("stream", Content::stream(stream::iter(pieces))).await?;
        Ok(())
    }
    let report = StepTest::new().run(write, json!({})).await.unwrap();
    let expected: [(&str, &[u8]); 6] = [
        ("bytes", &[1, 2, 3]),
        ("text", b"text"),
        ("empty", b""),
        ("json", b"{\n  \"a\": [\n    2\n  ],\n  \"b\": 1\n}\n"),
        ("reader", b"from a reader"),
        ("stream", b"from a stream"),
    ];
    for (name, content) in expected {
        assert_eq!(report.artifact(name), content, "{name}");
    }
    let uris: Vec<_> = report.manifest.artifacts.iter().map(|artifact| &artifact.uri).collect();
    assert!(uris.is_sorted() && uris.len() == 6, "{uris:?}");
}

#[tokio::test]
async fn an_artifact_name_is_checked_and_used_once() {
    async fn write(
        names: BTreeMap<String, Vec<String>>,
        ctx: StepContext,
    ) -> Result<(), StepError> {
        for name in &names["Names"] {
            ctx.put_artifact(name, "x").await?;
        }
        Ok(())
    }
    for names in [["../up"].as_slice(), &["manifest.json"], &["a", "a"]] {
        let error = StepTest::new().run(write, json!({"Names": names})).await.unwrap_err();
        assert_eq!(error.error_type(), "Sidestep.Artifact", "{names:?}");
    }
}

#[tokio::test]
async fn a_download_is_a_stream_a_reader_text_or_a_file() {
    use futures::TryStreamExt;
    use tokio::io::AsyncBufReadExt;

    async fn read(arguments: Arguments, ctx: StepContext) -> Result<Value, StepError> {
        let open = async || ctx.download(&arguments.text).await;
        let stream: Vec<Bytes> = open().await?.stream().try_collect().await?;
        let mut first = String::new();
        open().await?.reader().read_line(&mut first).await?;
        let file = open().await?.file().await?;
        Ok(json!({
            "Bytes": open().await?.facts().bytes,
            "Stream": stream.concat().len(),
            "Whole": open().await?.bytes().await?.len(),
            "First": first,
            "File": std::fs::read_to_string(file.path())?.len(),
        }))
    }
    let lines = "a line\n".repeat(20_000);
    let length = lines.len();
    let test = StepTest::new().object("s3://inbox/a b.txt", lines);
    let report = test.run(read, arguments()).await.unwrap();
    let expected = json!({"Bytes": length, "Stream": length, "Whole": length, "First": "a line\n", "File": length});
    assert_eq!(report.outputs, expected);
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_an_error() {
    let test = StepTest::new().object("s3://inbox/a b.txt", vec![b'a', 0xff]);
    let error = test.run(copy, arguments()).await.unwrap_err();
    assert!(error.message().starts_with("`s3://inbox/a b.txt` is not UTF-8 text"), "{error}");
}
