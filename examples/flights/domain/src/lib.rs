//! The vocabulary of the flights pipeline: rows that steps pass on, samples, and the model.

mod model;
mod rows;
mod sample;

pub use model::{Metrics, Model};
pub use rows::{Flight, Hour, Weather};
pub use sample::{FEATURES, Sample};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sidestep_step::StepError;

/// Writes rows as CSV with a header.
pub fn write_csv<R: Serialize>(rows: &[R]) -> Result<Vec<u8>, StepError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| StepError::new("Flights.Csv", error.to_string()))?;
    }
    writer.into_inner().map_err(|error| StepError::new("Flights.Csv", error.to_string()))
}

/// Reads rows that [`write_csv`] wrote.
pub fn read_csv<R: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<R>, StepError> {
    let rows = csv::Reader::from_reader(bytes).into_deserialize();
    rows.collect::<Result<_, _>>().map_err(|error| StepError::new("Flights.Csv", error.to_string()))
}
