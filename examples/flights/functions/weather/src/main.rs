//! Weather: reads hourly weather and keeps the hours that are complete.

use std::io::Read;

use flate2::read::GzDecoder;
use flights_domain::{Weather, write_csv};
use serde::{Deserialize, Serialize};
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    weather: S3Uri,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    weather: S3Uri,
    hours: usize,
    incomplete: usize,
}

/// A row of the public table: the columns that are used.
#[derive(Deserialize)]
struct Row {
    origin: String,
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    temp: f64,
    wind_speed: f64,
    precip: f64,
    visib: f64,
}

async fn weather(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let bytes = ctx.download(&arguments.weather).await?.bytes().await?;
    let (hours, incomplete) =
        sidestep_step::blocking(move || read(GzDecoder::new(&bytes[..]))).await?;
    let artifact = ctx.put_artifact("weather.csv", write_csv(&hours)?).await?;
    Ok(Outputs { weather: artifact.uri, hours: hours.len(), incomplete })
}

fn read(source: impl Read) -> (Vec<Weather>, usize) {
    let mut hours = Vec::new();
    let mut incomplete = 0;
    for row in csv::Reader::from_reader(source).into_deserialize::<Row>() {
        // `NA` stands where nothing was measured, and is not a number.
        let Ok(row) = row else {
            incomplete += 1;
            continue;
        };
        hours.push(Weather {
            origin: row.origin,
            year: row.year,
            month: row.month,
            day: row.day,
            hour: row.hour,
            temperature_fahrenheit: row.temp,
            wind_speed_mph: row.wind_speed,
            precipitation_inches: row.precip,
            visibility_miles: row.visib,
        });
    }
    (hours, incomplete)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(weather).await
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;
    use sidestep_step::testing::StepTest;

    use super::*;

    #[tokio::test]
    async fn hours_without_a_measurement_are_counted_and_left_out() {
        let text = "origin,year,month,day,hour,temp,wind_speed,precip,visib\n\
            EWR,2013,1,1,1,39.02,10.3,0,10\nEWR,2013,1,1,2,NA,10.3,0,10\n";
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let test = StepTest::new().object("s3://inbox/w.csv.gz", encoder.finish().unwrap());
        let report = test.run(weather, json!({"Weather": "s3://inbox/w.csv.gz"})).await.unwrap();
        assert_eq!(
            (&report.outputs["Hours"], &report.outputs["Incomplete"]),
            (&json!(1), &json!(1))
        );
    }
}
