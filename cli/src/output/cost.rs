//! The cost of an execution, as `run --cost` prints it.

use serde_json::{Value, json};
use sidestep_core::view::cost::Cost;
use sidestep_core::view::description::ExecutionDescription;

use super::rows::Rows;
use super::screen::Screen;
use crate::output::error::CommandError;

/// Returns the description as JSON, with the cost added.
pub(crate) fn with(description: &ExecutionDescription, cost: &Cost) -> Result<Value, CommandError> {
    let mut value = serde_json::to_value(description)?;
    value["Cost"] = json!(cost);
    Ok(value)
}

/// Returns requests, units and prices as a table.
pub(crate) fn text(cost: &Cost) -> String {
    let mut rows = Rows::new(&["service", "operation", "requests"], &[]);
    for (service, operations) in &cost.requests {
        for (operation, count) in operations {
            rows.add([service.clone(), operation.clone(), count.to_string()]);
        }
    }
    let usd = cost.usd_per_million;
    let kinds = [
        ("run", usd.run),
        ("cached", usd.cache_hit),
        ("reused", usd.reused),
        ("skipped", usd.skipped),
    ];
    let prices: Vec<_> =
        kinds.iter().filter_map(|(kind, usd)| Some(format!("{kind} ${:.3}", (*usd)?))).collect();
    format!(
        "{}{} write units, {} read units; price of a million steps without the functions' own time: {}\n",
        rows.text(Screen::of_stdout(true)),
        cost.write_units,
        cost.read_units,
        prices.join(", ")
    )
}
