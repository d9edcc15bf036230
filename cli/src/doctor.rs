//! `sidestep doctor`: looks at a project's stack and says what is wrong with it. Writes nothing.

use std::path::Path;

use sidestep_aws::deploy::Releases;
use sidestep_core::uri::S3Uri;
use sidestep_engine::object::ObjectStore as _;

use crate::error::exit;
use crate::project::Project;
use crate::remote::Remote;

pub(crate) async fn doctor(project: Option<&Path>) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let mut findings = Findings::default();
    // What cannot be opened has said why; there is nothing behind it to look at.
    let remote = Remote::open(&project).await?;
    findings.right(&format!(
        "stack `{}` in {} of account {}",
        remote.stack, remote.region, remote.account_id
    ));
    if let Some(stack) = remote.account.stacks.find(remote.stack.as_str()).await? {
        let is_settled = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        findings.check(is_settled, &format!("the stack is {}", stack.status), "deploy again");
    }
    let listed = remote.engine.executions().list(None, 1).await;
    findings.result(&format!("table `{}` can be read", remote.table), listed.map(drop));
    for (name, bucket) in remote.buckets() {
        let found = remote.account.objects().list(&S3Uri::new(&bucket, ""), 1).await;
        // More than one object is as right as none.
        let found = match found {
            Err(sidestep_engine::object::StoreError::TooManyObjects { .. }) => Ok(()),
            found => found.map(drop),
        };
        findings.result(&format!("bucket `{bucket}` ({name}) can be read"), found);
    }
    let releases = Releases::new(&remote.account.config);
    for name in project.settings.functions.keys() {
        let function = remote.stack.function(name);
        match releases.live(&function).await? {
            Some(version) => {
                findings.right(&format!("function `{function}` runs version {version}"));
            }
            None => {
                findings.wrong(&format!("function `{function}` has no version"), "deploy again");
            }
        }
    }
    println!("{} right, {} wrong", findings.right, findings.wrong);
    Ok(if findings.wrong == 0 { exit::SUCCEEDED } else { exit::FAILED })
}

#[derive(Debug, Default)]
struct Findings {
    right: usize,
    wrong: usize,
}

impl Findings {
    fn right(&mut self, what: &str) {
        self.right += 1;
        println!("ok     {what}");
    }

    fn wrong(&mut self, what: &str, hint: &str) {
        self.wrong += 1;
        println!("wrong  {what}: {hint}");
    }

    fn check(&mut self, is_right: bool, what: &str, hint: &str) {
        if is_right { self.right(what) } else { self.wrong(what, hint) }
    }

    fn result<E: std::error::Error>(&mut self, what: &str, result: Result<(), E>) {
        match result {
            Ok(()) => self.right(what),
            Err(error) => self.wrong(what, &sidestep_engine::engine::error_chain(&error)),
        }
    }
}
