//! The cost of an execution: what it asked of the services, and the price of that for each kind of
//! step.

use serde::{Deserialize, Serialize};

use crate::view::description::Summary;
use crate::view::price::{Requests, Usage, service};

/// The `Cost` of `run --cost`. It does not include the compute of functions, storage or traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cost {
    pub usd_per_million: UsdPerMillion,
    /// The requests by service and operation.
    pub requests: Requests,
    pub write_units: f64,
    pub read_units: f64,
    /// The length of the longest chain of requests of the planner, each of which began after the
    /// one before had ended.
    pub round_trips: u64,
}

/// The price in USD of a million steps of each kind, at list prices. A kind that the execution did
/// not have is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UsdPerMillion {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_hit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<f64>,
}

impl Cost {
    /// Divides the cost among the steps.
    ///
    /// All steps of the definition share equally what the start asked for, except invocations.
    /// Those, and everything that follows from reports, are the cost of the steps that ran. If none
    /// ran, everything is shared.
    pub fn of(start: &Usage, rest: &Usage, steps: usize, summary: &Summary) -> Self {
        let mut total = start.clone();
        total.add(rest);
        let mut shared = start.clone();
        shared.requests.remove(service::LAMBDA);
        let usd = if summary.run == 0 { total.usd() } else { shared.usd() };
        let share = usd / of(steps.max(1));
        let others = of(steps.saturating_sub(summary.run)) * share;
        let million = |count: usize, usd: f64| (count > 0).then_some(usd * 1e6);
        let run = (total.usd() - others) / of(summary.run.max(1));
        Self {
            usd_per_million: UsdPerMillion {
                run: million(summary.run, run),
                cache_hit: million(summary.cache_hit, share),
                reused: million(summary.reused, share),
                skipped: million(summary.skipped, share),
            },
            write_units: total.write_units,
            read_units: total.read_units,
            round_trips: total.round_trips,
            requests: total.requests,
        }
    }
}

/// Converts a count of steps. Such counts stay far below 2^53, where this would begin to round.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn of(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(write_units: f64, invokes: u64) -> Usage {
        let mut usage = Usage { write_units, ..Usage::default() };
        usage.add_requests(service::LAMBDA, "Invoke", invokes);
        usage
    }

    fn near(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-9)
    }

    #[test]
    fn the_start_is_shared_and_the_rest_is_that_of_steps_that_ran() {
        let summary = Summary { run: 2, cache_hit: 6, skipped: 2, ..Summary::default() };
        let cost = Cost::of(&usage(10.0, 1), &usage(4.0, 1), 10, &summary);
        let UsdPerMillion { run, cache_hit, reused, skipped } = cost.usd_per_million;
        // One write unit of the start for each step; two more and an invocation for each that ran.
        assert!(near(cache_hit, 0.625) && near(skipped, 0.625), "{cache_hit:?} {skipped:?}");
        assert!(near(run, 3.0 * 0.625 + 0.2), "{run:?}");
        assert_eq!(reused, None, "there was none");
    }

    #[test]
    fn when_nothing_ran_everything_is_shared() {
        let summary = Summary { cache_hit: 4, ..Summary::default() };
        let cost = Cost::of(&usage(4.0, 0), &usage(4.0, 0), 4, &summary);
        assert!(near(cost.usd_per_million.cache_hit, 1.25));
        assert_eq!(cost.usd_per_million.run, None);
    }
}
