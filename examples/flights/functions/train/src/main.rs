//! Train: fits a ridge regression of the arrival delay on all flights that are not held out.

use flights_domain::{FEATURES, Model, Sample, read_csv};
use serde::{Deserialize, Serialize};
use sidestep_step::{Error, S3Uri, StepContext, StepError};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::ridge_regression::{RidgeRegression, RidgeRegressionParameters};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    features: S3Uri,
    /// The strength of the penalty on large coefficients.
    alpha: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    model: S3Uri,
    rows: usize,
}

async fn train(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let bytes = ctx.download(&arguments.features).await?.bytes().await?;
    let model = sidestep_step::blocking(move || fit(&read_csv(&bytes)?, arguments.alpha)).await??;
    let json = serde_json::to_vec_pretty(&model).map_err(failed)?;
    let artifact = ctx.put_artifact("model.json", json).await?;
    Ok(Outputs { model: artifact.uri, rows: model.training_rows })
}

fn fit(samples: &[Sample], alpha: f64) -> Result<Model, StepError> {
    let training: Vec<_> = samples.iter().filter(|sample| !sample.is_held_out).collect();
    let rows: Vec<Vec<f64>> = training.iter().map(|sample| sample.features().to_vec()).collect();
    let delays: Vec<f64> = training.iter().map(|sample| sample.arrival_delay_minutes).collect();
    let matrix = DenseMatrix::from_2d_vec(&rows).map_err(failed)?;
    let parameters = RidgeRegressionParameters::default().with_alpha(alpha);
    let fitted = RidgeRegression::fit(&matrix, &delays, parameters).map_err(failed)?;
    let coefficients = (0..FEATURES.len()).map(|i| *fitted.coefficients().get((i, 0)));
    let count = f64::from(u32::try_from(delays.len()).map_err(failed)?);
    Ok(Model {
        intercept: *fitted.intercept(),
        coefficients: coefficients.collect(),
        mean_minutes: delays.iter().sum::<f64>() / count,
        training_rows: training.len(),
    })
}

fn failed(error: impl std::fmt::Display) -> StepError {
    StepError::new("Train.Failed", error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(train).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes flights whose arrival delay is their departure delay less five minutes.
    fn samples() -> Vec<Sample> {
        let sample = |n: u8| {
            let x = f64::from(n);
            Sample {
                is_held_out: n % 5 == 4,
                arrival_delay_minutes: x - 5.0,
                departure_delay_minutes: x,
                distance_miles: x * x % 7.0,
                hour: x % 24.0,
                temperature_fahrenheit: x % 31.0,
                wind_speed_mph: x % 11.0,
                precipitation_inches: x % 3.0,
                visibility_miles: x % 10.0,
                from_jfk: f64::from(n % 2),
                from_lga: f64::from(u8::from(n.is_multiple_of(3))),
            }
        };
        (0..200).map(sample).collect()
    }

    #[test]
    fn the_fit_finds_a_linear_law_and_repeats_to_the_bit() {
        let model = fit(&samples(), 0.001).unwrap();
        let worst = samples()
            .iter()
            .map(|s| (model.predict(s) - s.arrival_delay_minutes).abs())
            .fold(0.0, f64::max);
        assert!(worst < 0.1, "{worst}");
        assert_eq!(model, fit(&samples(), 0.001).unwrap());
        assert_eq!(model.training_rows, 160);
    }
}
