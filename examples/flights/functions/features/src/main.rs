//! Features: joins each flight with the weather at its airport in its scheduled hour.

use std::collections::BTreeMap;

use flights_domain::{Flight, Sample, Weather, read_csv, write_csv};
use serde::{Deserialize, Serialize};
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    flights: S3Uri,
    weather: S3Uri,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    features: S3Uri,
    rows: usize,
    without_weather: usize,
}

async fn features(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let flights = ctx.download(&arguments.flights).await?.bytes().await?;
    let weather = ctx.download(&arguments.weather).await?.bytes().await?;
    let joined = sidestep_step::blocking(move || join(&flights, &weather)).await??;
    let (samples, without_weather) = joined;
    let artifact = ctx.put_artifact("features.csv", write_csv(&samples)?).await?;
    Ok(Outputs { features: artifact.uri, rows: samples.len(), without_weather })
}

fn join(flights: &[u8], weather: &[u8]) -> Result<(Vec<Sample>, usize), StepError> {
    let measurements: Vec<Weather> = read_csv(weather)?;
    let by_hour: BTreeMap<_, _> =
        measurements.iter().map(|weather| (weather.hour(), weather)).collect();
    let flights: Vec<Flight> = read_csv(flights)?;
    let joined = flights.iter().enumerate().filter_map(|(position, flight)| {
        Some(Sample::new(position, flight, by_hour.get(&flight.departure())?))
    });
    let samples: Vec<_> = joined.collect();
    let without_weather = flights.len() - samples.len();
    Ok((samples, without_weather))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(features).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sidestep_step::testing::StepTest;

    use super::*;

    #[tokio::test]
    async fn a_flight_without_weather_is_counted_and_left_out() {
        let flights = "origin,year,month,day,hour,carrier,distance_miles,departure_delay_minutes,arrival_delay_minutes\n\
            EWR,2013,1,1,5,UA,1400,2,11\nEWR,2013,1,1,6,UA,1400,2,11\n";
        let weather = "origin,year,month,day,hour,temperature_fahrenheit,wind_speed_mph,precipitation_inches,visibility_miles\n\
            EWR,2013,1,1,5,39,10,0,10\n";
        let test =
            StepTest::new().object("s3://runs/f.csv", flights).object("s3://runs/w.csv", weather);
        let arguments = json!({"Flights": "s3://runs/f.csv", "Weather": "s3://runs/w.csv"});
        let report = test.run(features, arguments).await.unwrap();
        let samples: Vec<Sample> = read_csv(&report.artifact("features.csv")).unwrap();
        assert!((samples[0].temperature_fahrenheit - 39.0).abs() < 1e-9, "{samples:?}");
        assert_eq!(
            (&report.outputs["Rows"], &report.outputs["WithoutWeather"]),
            (&json!(1), &json!(1))
        );
    }
}
