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
    /// Every fifth flight: never trained on.
    pub is_held_out: bool,
    pub arrival_delay_minutes: f64,
    pub features: [f64; FEATURES.len()],
}

impl Sample {
    /// The sample of the `position`-th flight of a file.
    pub fn new(position: usize, flight: &Flight, weather: &Weather) -> Self {
        let is_from = |airport| f64::from(u8::from(flight.origin == airport));
        Self {
            is_held_out: position % 5 == 4,
            arrival_delay_minutes: flight.arrival_delay_minutes,
            features: [
                flight.departure_delay_minutes,
                flight.distance_miles,
                f64::from(flight.hour),
                weather.temperature_fahrenheit,
                weather.wind_speed_mph,
                weather.precipitation_inches,
                weather.visibility_miles,
                is_from("JFK"),
                is_from("LGA"),
            ],
        }
    }
}
