//! Prices: requests and capacity units as they are counted, and all list prices in one dated place.
//!
//! The prices are those of us-east-1, on demand, in USD, first tier, without the free tier, read in
//! November 2026.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::execution::savings::Savings;

/// The price of Lambda compute on arm64, first tier, per GB-second
/// (<https://aws.amazon.com/lambda/pricing/>).
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// The price of one Lambda request (same page).
const LAMBDA_REQUEST: f64 = 0.000_000_2;
/// The price of one write request unit of a table on demand: one item of up to 1 KB
/// (<https://aws.amazon.com/dynamodb/pricing/on-demand/>).
const WRITE_UNIT: f64 = 0.000_000_625;
/// The price of one read request unit: up to 4 KB with strong consistency. Eventually consistent
/// reads take half a unit (same page).
const READ_UNIT: f64 = 0.000_000_125;
/// The price of one S3 request that writes or lists, Standard storage
/// (<https://aws.amazon.com/s3/pricing/>).
const S3_WRITE: f64 = 0.000_005;
/// The price of one S3 request that reads (same page).
const S3_READ: f64 = 0.000_000_4;
/// The price of one SQS request of a standard queue, of up to 64 KB
/// (<https://aws.amazon.com/sqs/pricing/>).
const SQS_REQUEST: f64 = 0.000_000_4;

/// The services that have prices, by the names that the SDK gives them.
pub mod service {
    pub const DYNAMODB: &str = "DynamoDB";
    pub const LAMBDA: &str = "Lambda";
    pub const S3: &str = "S3";
    pub const SQS: &str = "SQS";
}

/// Returns the price of the invocations that were saved, memory included.
pub fn savings_usd(saved: Savings) -> f64 {
    let gb_seconds = f64_of(saved.mb_ms) / 1024.0 / 1000.0;
    f64_of(saved.invocations) * LAMBDA_REQUEST + gb_seconds * LAMBDA_GB_SECOND
}

/// Counts of requests by service and operation: `{"DynamoDB": {"PutItem": 3}}`.
pub type Requests = BTreeMap<String, BTreeMap<String, u64>>;

/// What a piece of work asked of the services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Usage {
    /// All requests that were sent. Those that failed are among them, because they are billed too.
    pub requests: Requests,
    /// Those of [`Usage::requests`] that repeat a failed one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retries: Requests,
    /// DynamoDB's write request units, including those of its indexes.
    pub write_units: f64,
    /// DynamoDB's read request units. Eventually consistent reads take halves.
    pub read_units: f64,
    /// The length of the longest chain of calls, each of which began after the one before had
    /// ended. Calls at the same time count once.
    pub round_trips: u64,
}

impl Usage {
    /// Returns how often an operation was asked for.
    pub fn count(&self, service: &str, operation: &str) -> u64 {
        let operations = self.requests.get(service);
        operations.and_then(|operations| operations.get(operation)).copied().unwrap_or_default()
    }

    /// Counts `more` requests of an operation.
    pub fn add_requests(&mut self, service: &str, operation: &str, more: u64) {
        add(&mut self.requests, service, operation, more);
    }

    /// Counts one repeated request, beside its count in [`Usage::requests`].
    pub fn add_retry(&mut self, service: &str, operation: &str) {
        add(&mut self.retries, service, operation, 1);
    }

    /// Adds what other work asked for, at another time.
    pub fn add(&mut self, other: &Self) {
        for (into, from) in
            [(&mut self.requests, &other.requests), (&mut self.retries, &other.retries)]
        {
            for (service, operations) in from {
                for (operation, count) in operations {
                    add(into, service, operation, *count);
                }
            }
        }
        self.write_units += other.write_units;
        self.read_units += other.read_units;
        self.round_trips += other.round_trips;
    }

    /// Returns the list price of the requests and units. It does not include compute and storage.
    pub fn usd(&self) -> f64 {
        let prices = self.requests.iter().flat_map(|(service, operations)| {
            operations
                .iter()
                .map(move |(operation, count)| request_usd(service, operation) * f64_of(*count))
        });
        prices.sum::<f64>() + self.write_units * WRITE_UNIT + self.read_units * READ_UNIT
    }

    /// Returns the list price for a million steps if the work was that of `steps` steps, and 0 for
    /// none.
    pub fn usd_per_million(&self, steps: u64) -> f64 {
        if steps == 0 { 0.0 } else { self.usd() / f64_of(steps) * 1e6 }
    }
}

/// Returns the price of one request, without DynamoDB's units. Requests that only manage functions
/// are free.
fn request_usd(service: &str, operation: &str) -> f64 {
    let multipart = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"];
    let writes = ["Put", "Copy", "Post", "List", "Create"];
    match (service, operation) {
        (service::LAMBDA, "Invoke") => LAMBDA_REQUEST,
        (service::S3, "AbortMultipartUpload" | "DeleteObject" | "DeleteObjects") => 0.0,
        (service::S3, operation)
            if multipart.contains(&operation)
                || writes.iter().any(|verb| operation.starts_with(verb)) =>
        {
            S3_WRITE
        }
        (service::S3, _) => S3_READ,
        (service::SQS, _) => SQS_REQUEST,
        _ => 0.0,
    }
}

fn add(requests: &mut Requests, service: &str, operation: &str, more: u64) {
    if more > 0 {
        let operations = requests.entry(service.to_owned()).or_default();
        *operations.entry(operation.to_owned()).or_default() += more;
    }
}

/// Converts a count. Counts stay far below 2^53, where this would begin to round.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn f64_of(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(price: f64, expected: f64) {
        assert!((price - expected).abs() < 1e-12, "{price}, not {expected}");
    }

    #[test]
    fn a_gigabyte_second_costs_the_list_price_and_a_request() {
        let saved = |ms, mb, invocations| Savings { ms, mb_ms: ms * mb, invocations };
        assert_near(savings_usd(saved(1000, 1024, 1)), 0.000_013_533_4);
        assert_near(savings_usd(saved(500, 128, 3)), 0.000_001_433_337_5);
        assert_near(savings_usd(Savings::default()), 0.0);
    }

    #[test]
    fn a_request_costs_what_its_service_charges_for_the_operation() {
        let cases = [
            (service::LAMBDA, "Invoke", 0.2),
            (service::LAMBDA, "GetFunctionConfiguration", 0.0),
            (service::S3, "PutObject", 5.0),
            (service::S3, "ListObjectsV2", 5.0),
            (service::S3, "UploadPart", 5.0),
            (service::S3, "GetObject", 0.4),
            (service::S3, "HeadObject", 0.4),
            (service::S3, "DeleteObject", 0.0),
            (service::DYNAMODB, "PutItem", 0.0),
            (service::SQS, "SendMessage", 0.4),
        ];
        for (service, operation, usd_per_million) in cases {
            let mut usage = Usage::default();
            usage.add_requests(service, operation, 1);
            assert_near(usage.usd() * 1e6, usd_per_million);
        }
    }

    #[test]
    fn a_step_by_event_with_one_commit_costs_its_parts() {
        let mut usage = Usage { write_units: 2.0, read_units: 0.5, ..Usage::default() };
        usage.add_requests(service::LAMBDA, "Invoke", 2);
        usage.add_requests(service::S3, "PutObject", 1);
        usage.add_requests(service::S3, "GetObject", 1);
        // 2 x 0.20 + 5.00 + 0.40 + 2 x 0.625 + 0.5 x 0.125
        assert_near(usage.usd_per_million(1), 7.1125);
        assert_near(usage.usd_per_million(2), 7.1125 / 2.0);
        assert_near(usage.usd_per_million(0), 0.0);
    }

    #[test]
    fn usage_adds_up_and_reads_as_the_cost_document_has_it() {
        let mut usage = Usage { write_units: 1.0, round_trips: 1, ..Usage::default() };
        usage.add_requests(service::DYNAMODB, "PutItem", 1);
        usage.add_retry(service::DYNAMODB, "PutItem");
        let mut sum = usage.clone();
        sum.add(&usage);
        let expected = serde_json::json!({
            "Requests": {"DynamoDB": {"PutItem": 2}}, "Retries": {"DynamoDB": {"PutItem": 2}},
            "WriteUnits": 2.0, "ReadUnits": 0.0, "RoundTrips": 2,
        });
        assert_eq!(serde_json::to_value(&sum).expect("plain data"), expected);
        assert_eq!(sum.count(service::DYNAMODB, "PutItem"), 2);
    }
}
