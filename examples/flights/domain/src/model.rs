//! The model: linear in the features, so it is a list of coefficients.

use serde::{Deserialize, Serialize};

use crate::Sample;

/// A fitted model of the arrival delay in minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub intercept: f64,
    /// One coefficient for each of [`crate::FEATURES`].
    pub coefficients: Vec<f64>,
    /// The mean arrival delay of the training data: the best guess without a model.
    pub mean_minutes: f64,
    pub training_rows: usize,
}

impl Model {
    /// Returns the arrival delay that the model expects, in minutes.
    pub fn predict(&self, sample: &Sample) -> f64 {
        let terms = self.coefficients.iter().zip(sample.features());
        self.intercept + terms.map(|(coefficient, feature)| coefficient * feature).sum::<f64>()
    }
}

/// The errors of a model, in minutes, on flights that it was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metrics {
    pub rows: usize,
    pub rmse: f64,
    pub mae: f64,
    /// The error of always guessing the training data's mean.
    pub baseline_rmse: f64,
}
