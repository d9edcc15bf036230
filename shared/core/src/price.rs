//! List prices, in one dated place: us-east-1, on demand, USD, no free tier, read in November 2026.

/// Lambda compute on arm64, first tier, per GB-second (<https://aws.amazon.com/lambda/pricing/>).
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
/// One Lambda request.
const LAMBDA_REQUEST: f64 = 0.000_000_2;

/// The price of one invocation that took `duration_ms` with `memory_mb`.
pub fn invocation_usd(duration_ms: u64, memory_mb: u32) -> f64 {
    let seconds = std::time::Duration::from_millis(duration_ms).as_secs_f64();
    LAMBDA_REQUEST + seconds * f64::from(memory_mb) / 1024.0 * LAMBDA_GB_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_second_costs_the_list_price_and_a_request() {
        let price = invocation_usd(1000, 1024);
        assert!((price - 0.000_013_533_4).abs() < 1e-12, "{price}");
    }
}
