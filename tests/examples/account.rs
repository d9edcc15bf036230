//! Runs the suites of the stores in an AWS account.
//!
//! `SIDESTEP_TEST_AWS=1 cargo run -p sidestep-tests --example account` takes credentials and a
//! region as the AWS CLI does. It makes one bucket, one stack and three tables, and removes them;
//! that costs about a cent. It is a program and not a test, because a test that hardly a machine
//! can run would look green. It has never run yet.
#![expect(clippy::print_stdout, reason = "its output is for a person")]

#[path = "../tests/store_suites.rs"]
mod store_suites;

use std::collections::BTreeMap;

use sidestep_aws::deploy::{Stacks, Template, account_config, empty_bucket, remove_table};
use sidestep_aws::object::S3ObjectStore;
use sidestep_testkit::object;

use store_suites::{tables, unique};

/// The switch that says that it may cost something.
const ACCOUNT: &str = "SIDESTEP_TEST_AWS";

/// A bucket of its own, in a stack of its own.
const BUCKET: &str = r#"{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain",
    "UpdateReplacePolicy": "Retain"}}, "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}}"#;

#[tokio::main]
async fn main() {
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
    stacks.remove(&name, &mut |_| ()).await.expect("deleted");
    empty_bucket(&config, &bucket).await.expect("removed");
    println!("the stores pass their suites in this account");
}
