//! Publish: puts the model and its metrics into one document, which the users of the model read.

use flights_domain::{FEATURES, Metrics, Model};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    month: String,
    model: S3Uri,
    metrics: S3Uri,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    published: S3Uri,
}

async fn publish(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let model_json = ctx.download(&arguments.model).await?.bytes().await?;
    let model: Model = serde_json::from_slice(&model_json).map_err(failed)?;
    let metrics_json = ctx.download(&arguments.metrics).await?.bytes().await?;
    let metrics: Metrics = serde_json::from_slice(&metrics_json).map_err(failed)?;
    let document =
        json!({"Month": arguments.month, "Features": FEATURES, "Model": model, "Metrics": metrics});
    let artifact = ctx.put_artifact("published.json", format!("{document:#}\n")).await?;
    Ok(Outputs { published: artifact.uri })
}

fn failed(error: impl std::fmt::Display) -> StepError {
    StepError::new("Publish.Failed", error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(publish).await
}

#[cfg(test)]
mod tests {
    use sidestep_step::testing::StepTest;

    use super::*;

    #[tokio::test]
    async fn the_published_document_holds_model_and_metrics() {
        let model =
            r#"{"intercept":1.0,"coefficients":[2.0],"mean_minutes":3.0,"training_rows":4}"#;
        let metrics = r#"{"Rows":5,"Rmse":6.0,"Mae":7.0,"BaselineRmse":8.0}"#;
        let test = StepTest::new().object("s3://runs/m", model).object("s3://runs/e", metrics);
        let arguments =
            json!({"Month": "2013-01", "Model": "s3://runs/m", "Metrics": "s3://runs/e"});
        let report = test.run(publish, arguments).await.unwrap();
        let document: serde_json::Value =
            serde_json::from_slice(&report.artifact("published.json")).unwrap();
        assert_eq!(
            (&document["Model"]["intercept"], &document["Metrics"]["Rmse"]),
            (&json!(1.0), &json!(6.0))
        );
    }
}
