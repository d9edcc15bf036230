//! Rows that have been checked.

use serde::{Deserialize, Serialize};

/// An hour at an airport: the key that joins flights with weather.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hour {
    /// `EWR`, `JFK` or `LGA`.
    pub origin: String,
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
}

/// A flight that arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    pub origin: String,
    pub year: u16,
    pub month: u8,
    pub day: u8,
    /// The hour of the scheduled departure.
    pub hour: u8,
    pub carrier: String,
    pub distance_miles: f64,
    pub departure_delay_minutes: f64,
    pub arrival_delay_minutes: f64,
}

impl Flight {
    /// Returns the hour and airport of the scheduled departure.
    pub fn departure(&self) -> Hour {
        let Self { origin, year, month, day, hour, .. } = self;
        Hour { origin: origin.clone(), year: *year, month: *month, day: *day, hour: *hour }
    }
}

/// The weather in an hour at an airport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weather {
    pub origin: String,
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub temperature_fahrenheit: f64,
    pub wind_speed_mph: f64,
    pub precipitation_inches: f64,
    pub visibility_miles: f64,
}

impl Weather {
    /// Returns the hour and airport of the measurement.
    pub fn hour(&self) -> Hour {
        let Self { origin, year, month, day, hour, .. } = self;
        Hour { origin: origin.clone(), year: *year, month: *month, day: *day, hour: *hour }
    }
}
