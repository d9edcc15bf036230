//! The suites of the table's ports over a DynamoDB that is not ours.

use sidestep_aws::deploy::SdkConfig;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_testkit::table::{batch_suite, cache_suite, execution_suite, trigger_suite};

/// Returns a name that no other test run has.
pub(crate) fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{name}-{}-{}", std::process::id(), now.expect("after 1970").as_millis())
}

/// Runs the suites of the table's ports, each in a table of its own, and returns the tables' names.
pub(crate) async fn tables(config: &SdkConfig) -> [String; 3] {
    let table = async |name: &str| {
        let name = unique(name);
        let table = DynamoTable::new(config, name.as_str());
        create_table(&table).await.expect("created");
        // Twice: a table that exists is as good.
        create_table(&table).await.expect("found");
        (table, name)
    };
    let (executions, cache, triggers) =
        (table("executions").await, table("cache").await, table("triggers").await);
    execution_suite(&executions.0).await;
    cache_suite(&cache.0).await;
    trigger_suite(&triggers.0).await;
    batch_suite(&triggers.0).await;
    [executions, cache, triggers].map(|(_, name)| name)
}
