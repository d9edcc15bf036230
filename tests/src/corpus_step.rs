//! The functions that the definitions of the corpus name, as one program.
//!
//! They are plain Lambda functions whose results follow from their inputs.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let arguments = event.payload;
    let function = event.context.env_config.function_name.clone();
    let text = |name: &str| match &arguments[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(match function.as_str() {
        // Wherever the file lies: so a file that moves wakes this step and no other.
        "etl-extract" => {
            let uri = text("uri");
            let file = uri.rsplit('/').next().unwrap_or_default();
            json!({"rows_uri": format!("rows of {file}"), "row_count": 3})
        }
        "etl-transform" => json!({"clean_uri": format!("clean {}", text("uri")), "dropped": 1}),
        "etl-load" if text("uri").contains("broken") => return Err("the file is broken".into()),
        "etl-load" => json!({"loaded": arguments["expected"]}),
        "snapshot" => json!({"uri": format!("snapshot of {}", text("day"))}),
        "features" | "labels" => {
            json!({"uri": format!("{function} of {}", text("uri")), "n": text("uri").len()})
        }
        "dataset" => {
            json!({"uri": format!("{} and {}, {}", text("features"), text("labels"), text("n"))})
        }
        "evaluate-model" => {
            json!({"mse": 5.5, "report_uri": format!("report on {}", text("model"))})
        }
        "publish-model" => json!({"version": 18}),
        "probe" => json!({"count": 3, "ratio": 0.25, "state": "idle", "ok": true}),
        "prepare" => json!({"uri": "prepared"}),
        "fast" | "slow" => json!({"uri": format!("{function} {}", text("uri"))}),
        "plan-shards" => json!({"manifest": format!("shards of {}", text("size"))}),
        "work-shard" => {
            json!({"part_uri": format!("part {} of {}", text("index"), text("manifest"))})
        }
        "gather" => json!({"uri": text("parts")}),
        _ => arguments,
    })
}
