//! Evaluate: measures the model on flights that it has not seen, against always guessing the mean.

use flights_domain::{Metrics, Model, Sample, read_csv};
use serde::{Deserialize, Serialize};
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    features: S3Uri,
    model: S3Uri,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    metrics_uri: S3Uri,
    #[serde(flatten)]
    metrics: Metrics,
}

async fn evaluate(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let features = ctx.download(&arguments.features).await?.bytes().await?;
    let model_json = ctx.download(&arguments.model).await?.bytes().await?;
    let model: Model = serde_json::from_slice(&model_json).map_err(failed)?;
    let metrics = sidestep_step::blocking(move || measure(&read_csv(&features)?, &model)).await??;
    let json = serde_json::to_vec_pretty(&metrics).map_err(failed)?;
    let artifact = ctx.put_artifact("metrics.json", json).await?;
    Ok(Outputs { metrics_uri: artifact.uri, metrics })
}

fn measure(samples: &[Sample], model: &Model) -> Result<Metrics, StepError> {
    let held_out: Vec<_> = samples.iter().filter(|sample| sample.is_held_out).collect();
    if held_out.is_empty() {
        return Err(failed("no flights were held out"));
    }
    let count = f64::from(u32::try_from(held_out.len()).map_err(failed)?);
    let mean =
        |error: &dyn Fn(&Sample) -> f64| held_out.iter().map(|s| error(s)).sum::<f64>() / count;
    let miss = |sample: &Sample| model.predict(sample) - sample.arrival_delay_minutes;
    Ok(Metrics {
        rows: held_out.len(),
        rmse: mean(&|sample| miss(sample).powi(2)).sqrt(),
        mae: mean(&|sample| miss(sample).abs()),
        baseline_rmse: mean(&|s| (model.mean_minutes - s.arrival_delay_minutes).powi(2)).sqrt(),
    })
}

fn failed(error: impl std::fmt::Display) -> StepError {
    StepError::new("Evaluate.Failed", error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(evaluate).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(is_held_out: bool, arrival_delay_minutes: f64) -> Sample {
        let weather = r#"{"origin":"EWR","year":2013,"month":1,"day":1,"hour":5,"temperature_fahrenheit":39,
            "wind_speed_mph":10,"precipitation_inches":0,"visibility_miles":10}"#;
        let flight = r#"{"origin":"EWR","year":2013,"month":1,"day":1,"hour":5,"carrier":"UA","distance_miles":1,
            "departure_delay_minutes":0,"arrival_delay_minutes":0}"#;
        let (flight, weather) = (serde_json::from_str(flight), serde_json::from_str(weather));
        let sample = Sample::new(0, &flight.unwrap(), &weather.unwrap());
        Sample { is_held_out, arrival_delay_minutes, ..sample }
    }

    #[test]
    fn only_held_out_flights_count() {
        let model = Model {
            intercept: 10.0,
            coefficients: vec![0.0; 9],
            mean_minutes: 0.0,
            training_rows: 1,
        };
        let samples = [sample(false, 500.0), sample(true, 7.0), sample(true, 14.0)];
        let metrics = measure(&samples, &model).unwrap();
        assert_eq!(metrics.rows, 2);
        assert!((metrics.mae - 3.5).abs() < 1e-9, "{metrics:?}");
        assert!((metrics.rmse - 12.5_f64.sqrt()).abs() < 1e-9, "{metrics:?}");
        assert!(measure(&samples[..1], &model).is_err());
    }
}
