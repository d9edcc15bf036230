//! The model: linear in the features, so it is a list of coefficients.

use serde::{Deserialize, Serialize};

use crate::Sample;

/// A fitted model of the arrival delay in minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub intercept: f64,
    /// One for each of [`crate::FEATURES`].
    pub coefficients: Vec<f64>,
    /// The mean arrival delay of the training data: what to expect without a model.
    pub mean_minutes: f64,
    pub training_rows: usize,
}

impl Model {
    pub fn predict(&self, sample: &Sample) -> f64 {
        let terms = self.coefficients.iter().zip(sample.features());
        self.intercept + terms.map(|(coefficient, feature)| coefficient * feature).sum::<f64>()
    }
}

/// How well a model does on flights it has not seen. Errors in minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metrics {
    pub rows: usize,
    pub rmse: f64,
    pub mae: f64,
    /// The error of always saying the training data's mean.
    pub baseline_rmse: f64,
}
