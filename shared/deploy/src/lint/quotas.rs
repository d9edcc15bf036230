//! Quotas of an account that a template would exceed. They are asked for before anything is sent.

use serde_json::Value;

use super::problem::Problem;

/// What an account and region allow, as Lambda's `GetAccountSettings` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// The number of functions that may run at once.
    pub concurrency: i32,
    /// The part of it that no function has reserved.
    pub unreserved: i32,
    /// What the stack's planner has reserved already.
    pub planner_reserved: i32,
    /// The bytes of code of all functions and versions, and how many there may be.
    pub code_bytes: i64,
    pub code_bytes_limit: i64,
}

/// What AWS leaves without a reservation, in an account of the usual size and in a new one.
const UNRESERVED: (i32, i32) = (100, 10);
/// The concurrency of an account with reduced quotas
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const REDUCED: i32 = 10;
/// The memory that such an account takes for a function, in MB.
const REDUCED_MEMORY: u64 = 3_008;

const ASK: &str = "ask for more with Service Quotas, `Concurrent executions` of Lambda";

/// Returns what AWS would refuse. `new_code_bytes` is the size of the code that is sent.
pub fn exceeded(template: &Value, quotas: &Quotas, new_code_bytes: i64) -> Vec<Problem> {
    let mut problems = Vec::new();
    let functions = template["Resources"].as_object().into_iter().flatten();
    for (id, resource) in functions.filter(|(_, one)| one["Type"] == "AWS::Lambda::Function") {
        let properties = &resource["Properties"];
        if let Some(reserved) = properties["ReservedConcurrentExecutions"].as_i64() {
            problems.extend(reservation(reserved, quotas));
        }
        let memory = properties["MemorySize"].as_u64().unwrap_or_default();
        if quotas.concurrency <= REDUCED && memory > REDUCED_MEMORY {
            let what = format!(
                "`{id}` has {memory} MB, but this account has reduced quotas (concurrency {}), and takes {REDUCED_MEMORY}",
                quotas.concurrency
            );
            problems.push(Problem::error(what, format!("lower `memory_mb`, or {ASK}")));
        }
    }
    let after = quotas.code_bytes.saturating_add(new_code_bytes);
    if quotas.code_bytes_limit > 0 && after > quotas.code_bytes_limit {
        let what = format!(
            "the code of all functions and versions of this account and region would have {after} bytes: it takes {}",
            quotas.code_bytes_limit
        );
        problems.push(Problem::error(what, "delete versions of functions that no execution uses"));
    }
    problems
}

fn reservation(reserved: i64, quotas: &Quotas) -> Option<Problem> {
    let (usual, reduced) = UNRESERVED;
    let kept = if quotas.concurrency > usual { usual } else { reduced };
    let free = i64::from(quotas.unreserved) + i64::from(quotas.planner_reserved);
    if free - reserved >= i64::from(kept) {
        return None;
    }
    let what = format!(
        "`planner_concurrency = {reserved}` leaves {} of {} concurrent executions of this account and region unreserved: AWS keeps {kept}",
        free - reserved,
        quotas.concurrency
    );
    Some(Problem::error(what, format!("lower `[deploy] planner_concurrency`, or {ASK}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_new_account_would_refuse_is_found_before() {
        let quotas = |concurrency: i32, planner_reserved: i32| Quotas {
            concurrency,
            unreserved: concurrency - planner_reserved,
            planner_reserved,
            code_bytes: 90,
            code_bytes_limit: 100,
        };
        let found = |reserved: Option<i64>, memory: u64, quotas: &Quotas, code: i64| {
            let mut properties = json!({ "MemorySize": memory });
            if let Some(reserved) = reserved {
                properties["ReservedConcurrentExecutions"] = json!(reserved);
            }
            let planner = json!({ "Type": "AWS::Lambda::Function", "Properties": properties });
            let found = exceeded(&json!({ "Resources": { "P": planner } }), quotas, code);
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(found(Some(900), 10_240, &quotas(1_000, 0), 10), "");
        assert!(found(Some(901), 128, &quotas(1_000, 0), 0).contains("leaves 99 of 1000"));
        assert_eq!(found(Some(900), 128, &quotas(1_000, 900), 0), "", "it has them already");
        assert!(found(Some(1), 128, &quotas(10, 0), 0).contains("AWS keeps 10"));
        assert_eq!(found(None, 3_008, &quotas(10, 0), 0), "");
        assert!(found(None, 3_009, &quotas(10, 0), 0).contains("takes 3008"));
        assert!(found(None, 128, &quotas(10, 0), 11).contains("101 bytes"));
    }
}
