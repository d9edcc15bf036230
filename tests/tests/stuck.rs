//! Deployments that fail, at each resource in turn, and stacks that are stuck.
//!
//! MiniStack stands for CloudFormation. Like AWS it imports only resources whose names are texts in
//! the template, and it fails where the test says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sidestep_aws::deploy::{
    DeployError, Leftovers, SdkConfig, Stacks, Template, empty_bucket, leftovers, remove_table,
};
use sidestep_aws::local_config;
use sidestep_core::name::PipelineName;
use sidestep_core::parse::{Format, parse};
use sidestep_deploy::{
    Blueprint, Buckets, Code, Function, Options, PipelineUse, Place, StackName, Upload, synthesise,
};
use sidestep_testkit::emulator::{Emulator, REGION};

const ACCOUNT: &str = "000000000000";
const BUCKETS: [&str; 2] =
    ["air-artifacts-000000000000-us-east-1", "air-inbox-000000000000-us-east-1"];
const CODE: &str = "air-code";
/// A zip without files.
const ZIP: [u8; 22] = *b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Returns a project of one function and one bucket that starts it.
fn blueprint(place: Option<Place>) -> Blueprint {
    let definition = json!({"Version": "2020-12-01", "Parameters": [{"Name": "Object", "Type": "String"}],
        "Steps": [{"Name": "Scan", "Type": "Lambda", "FunctionArn": "scan",
            "Arguments": {"Object": {"Get": "Parameters.Object"}}}]});
    let parsed = parse(definition.to_string().as_bytes(), Format::Json).expect("legal");
    let upload = Upload {
        bucket: "inbox".to_owned(),
        prefix: String::new(),
        suffix: String::new(),
        parameters: vec!["Object".to_owned()],
        object_parameters: vec!["Object".to_owned()],
        listing_parameters: Vec::new(),
    };
    let scan = PipelineUse {
        pipeline: parsed.pipeline,
        uploads: vec![upload],
        schedules: vec!["rate(1 day)".to_owned()],
    };
    let function = Function {
        code: Code::Runtime { runtime: "python3.13".to_owned(), handler: "a.b".to_owned() },
        has_sdk: false,
        renews_leases: false,
        gets_key: false,
        memory_mb: 128,
        timeout_seconds: 60,
        environment: BTreeMap::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        queues: Vec::new(),
    };
    Blueprint {
        stack: StackName::parse("air").expect("legal"),
        functions: [("scan".to_owned(), function)].into(),
        pipelines: [(PipelineName::parse("scan").expect("legal"), scan)].into(),
        buckets: Buckets { created: ["inbox".to_owned()].into(), ..Buckets::default() },
        options: Options { alarms: false, ..Options::default() },
        place,
    }
}

fn here() -> Place {
    Place { account_id: ACCOUNT.to_owned(), region: REGION.to_owned() }
}

/// An account in which everything can be made to fail.
struct Account {
    emulator: Emulator,
    folder: tempfile::TempDir,
    config: SdkConfig,
    stacks: Stacks,
    template: Value,
}

impl Account {
    fn open() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let emulator = Emulator::breakable(folder.path())?;
        let local = local_config(REGION).into_builder();
        let client = sidestep_aws::plain_http_client();
        let config = local.endpoint_url(emulator.endpoint()).http_client(client).build();
        emulator.create_bucket(CODE);
        emulator.put_object(CODE, "a.zip", &ZIP);
        let template = synthesise(&blueprint(Some(here()))).expect("a template");
        Some(Self { emulator, folder, stacks: Stacks::new(&config), config, template })
    }

    /// Lets these fail from now on: `create ID`, `update ID` or `delete ID`.
    fn breaks(&self, what: &[&str]) {
        let file: PathBuf = self.folder.path().join("breaks");
        fs::write(file, what.join("\n")).expect("the folder can be written");
    }

    async fn deploy(&self, template: &Value) -> Result<(), DeployError> {
        let code = ["PlannerCode", "TriggerCode", "StepScanCode"];
        let mut parameters: BTreeMap<_, _> =
            code.map(|name| (name.to_owned(), "a.zip".to_owned())).into();
        parameters.insert("CodeBucket".to_owned(), CODE.to_owned());
        let text = Template::Text(template.to_string());
        let proposal = self.stacks.propose("air", &text, &parameters).await?;
        let change = proposal.expect("something changes");
        self.stacks.apply(change, &mut |_| ()).await.map(drop)
    }

    async fn left(&self) -> Leftovers {
        let buckets = BUCKETS.map(str::to_owned);
        leftovers(&self.config, &self.config, "air", &buckets).await.expect("they are asked for")
    }

    /// Lets a deployment fail at every resource that it creates, one after the other.
    async fn fail_at_each(&self, kept: &[&str]) {
        let resources = self.template["Resources"].as_object().expect("resources");
        let mut count = 0;
        for id in resources.keys().filter(|id| !kept.contains(&id.as_str())) {
            self.breaks(&[&format!("create {id}")]);
            let failed = self.deploy(&self.template).await.expect_err(id);
            assert!(matches!(&failed, DeployError::Failed { .. }), "{id}: {failed}");
            assert!(failed.to_string().contains(id), "{failed}");
            assert_eq!(self.left().await.ours().len(), kept.len(), "after {id}");
            count += 1;
        }
        assert!(count > 25, "only {count} resources");
        self.breaks(&[]);
    }
}

const KEPT: [&str; 3] = ["Artifacts", "BucketInbox", "Table"];

#[tokio::test]
async fn a_deployment_that_failed_at_any_resource_can_be_repeated() {
    let Some(account) = Account::open() else { return };
    // The first deployment: what fails leaves nothing.
    account.fail_at_each(&[]).await;
    account.deploy(&account.template).await.expect("nothing fails any more");
    account.emulator.put_object(BUCKETS[1], "a.csv", b"data");

    // Without the stack its data stays, and the next deployment takes it in.
    let removed = account.stacks.remove("air", &mut |_| ()).await.expect("it is deleted");
    assert!(removed.was_there && removed.left.is_empty(), "{removed:?}");
    assert_eq!(account.left().await.ours().len(), 3);
    let by_reference = synthesise(&blueprint(None)).expect("a template");
    let failed = account.deploy(&by_reference).await.expect_err("names by reference do not count");
    assert!(matches!(failed, DeployError::Failed { .. } | DeployError::Refused { .. }), "{failed}");
    account.fail_at_each(&KEPT).await;
    account.deploy(&account.template).await.expect("the data is taken in");

    // Everything goes, with a stack and without one, and all can begin anew.
    for has_stack in [true, false] {
        let removed = account.stacks.remove("air", &mut |_| ()).await.expect("it is deleted");
        assert_eq!(removed.was_there, has_stack);
        for bucket in BUCKETS {
            empty_bucket(&account.config, bucket).await.expect("it is emptied");
        }
        remove_table(&account.config, "air").await.expect("it is deleted");
        assert!(account.left().await.is_empty());
    }
    account.deploy(&account.template).await.expect("the names are free");
}

#[tokio::test]
async fn a_stack_that_is_stuck_gets_out_of_it() {
    let Some(account) = Account::open() else { return };
    let status = async || {
        let found = account.stacks.find("air").await.expect("it is asked for");
        found.map(|stack| stack.status).unwrap_or_default()
    };
    // A creation whose rollback fails.
    account.breaks(&["create UploadsToTrigger", "delete Timers"]);
    account.deploy(&account.template).await.expect_err("it fails");
    assert_eq!(status().await, "ROLLBACK_FAILED");
    account.breaks(&[]);
    account.deploy(&account.template).await.expect("what was left is deleted first");

    // An update whose rollback fails.
    let mut changed = account.template.clone();
    for id in ["Timers", "Uploads"] {
        changed["Resources"][id]["Properties"]["VisibilityTimeout"] = json!(420);
    }
    account.breaks(&["create Z", "update Timers 2"]);
    changed["Resources"]["Z"] = json!({ "Type": "AWS::SQS::Queue", "DependsOn": ["Timers"],
        "Properties": { "QueueName": "air-z" } });
    account.deploy(&changed).await.expect_err("it fails");
    assert_eq!(status().await, "UPDATE_ROLLBACK_FAILED");
    account.breaks(&[]);
    account.deploy(&changed).await.expect("the rollback is continued first");

    // A deletion that fails for good: what cannot be deleted is named and let go.
    account.breaks(&["delete Timers"]);
    let removed = account.stacks.remove("air", &mut |_| ()).await.expect("the stack goes");
    let [(kind, name)] = removed.left.as_slice() else { panic!("{removed:?}") };
    assert_eq!(kind, "AWS::SQS::Queue");
    assert!(name.ends_with("air-timers"), "{name}");
    assert_eq!(status().await, "");
    account.breaks(&[]);
    let again = account.stacks.remove("air", &mut |_| ()).await.expect("there is nothing");
    assert!(!again.was_there);
}

#[tokio::test]
async fn a_table_of_others_is_not_taken_for_a_leftover() {
    let Some(account) = Account::open() else { return };
    let mut template = account.template.clone();
    let table = &mut template["Resources"]["Table"]["Properties"];
    *table = json!({ "TableName": "air", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }] });
    let resources = json!({ "Table": template["Resources"]["Table"] });
    let other = json!({ "Resources": resources, "Parameters": template["Parameters"] });
    account.deploy(&other).await.expect("a stack with one table");
    let left = account.left().await;
    assert_eq!(left.foreign(), ["table `air`"]);
    assert!(left.ours().is_empty());
}
