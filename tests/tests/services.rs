//! The stores over services that are not ours: the same suites as in memory and on the embedded cloud, on an emulator and in an account.

use std::collections::BTreeMap;

use sidestep_aws::deploy::{
    SdkConfig, Stacks, Template, account_config, empty_bucket, remove_table,
};
use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_testkit::emulator::{Emulator, REGION};
use sidestep_testkit::object;
use sidestep_testkit::table::{batch_suite, cache_suite, execution_suite, trigger_suite};

/// The switch of the test that costs money.
const ACCOUNT: &str = "SIDESTEP_TEST_AWS";

/// A bucket of the test's own, in a stack of the test's own.
const BUCKET: &str = r#"{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain",
    "UpdateReplacePolicy": "Retain"}}, "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}}"#;

/// A name that no other test run has.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{name}-{}-{}", std::process::id(), now.expect("after 1970").as_millis())
}

/// Runs the suites of the table's ports, each in a table of its own, and returns the tables' names.
async fn tables(config: &SdkConfig) -> [String; 3] {
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

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_pass_their_suites_on_the_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
    let config = local_config(REGION).into_builder().endpoint_url(emulator.endpoint()).build();
    let bucket = unique("suite");
    emulator.create_bucket(&bucket);
    object::suite(&S3ObjectStore::new(&config), &bucket).await;
    tables(&config).await;
}

/// `SIDESTEP_TEST_AWS=1 cargo test -p sidestep-tests --test services -- --ignored`, with credentials and a region as the AWS CLI takes them.
/// It makes one bucket, one stack and three tables, and removes them. Never run yet.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an AWS account, and costs a cent"]
async fn the_stores_pass_their_suites_in_an_account() {
    let switch = std::env::var(ACCOUNT);
    assert_eq!(switch.as_deref(), Ok("1"), "`{ACCOUNT}=1` says that it may cost something");
    let config = account_config().await.expect("a region");
    let stacks = Stacks::new(&config);
    let name = unique("sidestep-test");
    let template = Template::Text(BUCKET.to_owned());
    let proposal = stacks.propose(&name, &template, &BTreeMap::new()).await.expect("proposed");
    let stack = stacks.apply(proposal.expect("a bucket"), &mut |_| ()).await.expect("made");
    let bucket = stack.outputs["Bucket"].clone();
    object::suite(&S3ObjectStore::new(&config), &bucket).await;
    for table in tables(&config).await {
        remove_table(&config, &table).await.expect("removed");
    }
    stacks.delete(&name, &mut |_| ()).await.expect("deleted");
    empty_bucket(&config, &bucket).await.expect("removed");
}
