//! Ingest: reads a month of flights, keeps those that arrived, and counts the others by reason.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use flights_domain::{Flight, write_csv};
use serde::{Deserialize, Serialize};
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    flights: S3Uri,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    flights: S3Uri,
    rows: usize,
    /// How many rows were refused, by reason.
    refused: BTreeMap<&'static str, usize>,
}

/// A row of the public table: the columns that are used.
#[derive(Deserialize)]
struct Row {
    origin: String,
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    carrier: String,
    distance: f64,
    #[serde(deserialize_with = "csv::invalid_option")]
    dep_delay: Option<f64>,
    #[serde(deserialize_with = "csv::invalid_option")]
    arr_delay: Option<f64>,
}

async fn ingest(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
    let bytes = ctx.download(&arguments.flights).await?.bytes().await?;
    let (flights, refused) =
        sidestep_step::blocking(move || read(GzDecoder::new(&bytes[..]))).await?;
    if flights.is_empty() {
        let text =
            format!("`{}` holds no flight that arrived; refused: {refused:?}", arguments.flights);
        return Err(StepError::new("Ingest.NoFlights", text));
    }
    ctx.progress(format!("{} flights", flights.len()));
    let artifact = ctx.put_artifact("flights.csv", write_csv(&flights)?).await?;
    Ok(Outputs { flights: artifact.uri, rows: flights.len(), refused })
}

fn read(source: impl Read) -> (Vec<Flight>, BTreeMap<&'static str, usize>) {
    let mut flights = Vec::new();
    let mut refused = BTreeMap::new();
    for row in csv::Reader::from_reader(source).into_deserialize::<Row>() {
        match row.map_err(|_| "not a flight").and_then(check) {
            Ok(flight) => flights.push(flight),
            Err(reason) => *refused.entry(reason).or_default() += 1,
        }
    }
    (flights, refused)
}

fn check(row: Row) -> Result<Flight, &'static str> {
    let Some(departure_delay_minutes) = row.dep_delay else { return Err("cancelled") };
    let Some(arrival_delay_minutes) = row.arr_delay else {
        return Err("did not arrive as planned");
    };
    Ok(Flight {
        origin: row.origin,
        year: row.year,
        month: row.month,
        day: row.day,
        hour: row.hour,
        carrier: row.carrier,
        distance_miles: row.distance,
        departure_delay_minutes,
        arrival_delay_minutes,
    })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(ingest).await
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;
    use sidestep_step::testing::StepTest;

    use super::*;

    const HEADER: &str = "year,month,day,dep_delay,arr_delay,carrier,origin,distance,hour\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn flights_that_did_not_arrive_are_refused_with_a_reason() {
        let rows = "2013,1,1,2,11,UA,EWR,1400,5\n2013,1,1,NA,NA,UA,EWR,1400,5\n\
            2013,1,1,3,NA,UA,LGA,1400,5\n2013,1,1,x\n";
        let test = StepTest::new().object("s3://inbox/m.csv.gz", gzip(&format!("{HEADER}{rows}")));
        let report = test.run(ingest, json!({"Flights": "s3://inbox/m.csv.gz"})).await.unwrap();
        assert_eq!(report.outputs["Rows"], 1);
        let refused = json!({"cancelled": 1, "did not arrive as planned": 1, "not a flight": 1});
        assert_eq!(report.outputs["Refused"], refused);
    }

    #[tokio::test]
    async fn a_file_without_flights_is_an_error_that_names_it() {
        let test = StepTest::new().object("s3://inbox/m.csv.gz", gzip(HEADER));
        let error = test.run(ingest, json!({"Flights": "s3://inbox/m.csv.gz"})).await.unwrap_err();
        assert!(error.to_string().contains("s3://inbox/m.csv.gz"), "{error}");
    }
}
