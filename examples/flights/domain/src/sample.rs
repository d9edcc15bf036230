//! Samples: what is known when a flight leaves the gate, and how late it arrived.

use serde::{Deserialize, Serialize};

use crate::{Flight, Weather};

/// The names of a sample's features, in order.
pub const FEATURES: [&str; 9] = [
    "departure_delay_minutes",
    "distance_miles",
    "hour",
    "temperature_fahrenheit",
    "wind_speed_mph",
    "precipitation_inches",
    "visibility_miles",
    "from_jfk",
    "from_lga",
];

/// A flight as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// True for every fifth flight, which is kept for the evaluation and never trained on.
    pub is_held_out: bool,
    pub arrival_delay_minutes: f64,
    pub departure_delay_minutes: f64,
    pub distance_miles: f64,
    pub hour: f64,
    pub temperature_fahrenheit: f64,
    pub wind_speed_mph: f64,
    pub precipitation_inches: f64,
    pub visibility_miles: f64,
    pub from_jfk: f64,
    pub from_lga: f64,
}

impl Sample {
    /// Makes the sample of the flight at `position` of a file.
    pub fn new(position: usize, flight: &Flight, weather: &Weather) -> Self {
        let is_from = |airport| f64::from(u8::from(flight.origin == airport));
        Self {
            is_held_out: position % 5 == 4,
            arrival_delay_minutes: flight.arrival_delay_minutes,
            departure_delay_minutes: flight.departure_delay_minutes,
            distance_miles: flight.distance_miles,
            hour: f64::from(flight.hour),
            temperature_fahrenheit: weather.temperature_fahrenheit,
            wind_speed_mph: weather.wind_speed_mph,
            precipitation_inches: weather.precipitation_inches,
            visibility_miles: weather.visibility_miles,
            from_jfk: is_from("JFK"),
            from_lga: is_from("LGA"),
        }
    }

    /// Returns the values of [`FEATURES`], in their order.
    pub fn features(&self) -> [f64; FEATURES.len()] {
        [
            self.departure_delay_minutes,
            self.distance_miles,
            self.hour,
            self.temperature_fahrenheit,
            self.wind_speed_mph,
            self.precipitation_inches,
            self.visibility_miles,
            self.from_jfk,
            self.from_lga,
        ]
    }
}
