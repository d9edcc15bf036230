//! Every status of a stack: what `deploy` and `destroy` do about it, and the way out. Pure.

use std::time::Duration;

/// What has to happen before a template can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeDeploy {
    /// Nothing: the stack is created.
    Create,
    /// Nothing: the stack is updated.
    Update,
    /// What is left is deleted, then the stack is created. Table and buckets stay.
    Delete,
    /// The rollback of the last update is continued, then the stack is updated.
    ContinueRollback,
    /// The last update is rolled back, then the stack is updated.
    RollBack,
    /// A change that runs is waited for.
    Wait,
}

/// What has to happen so that a stack is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeDestroy {
    /// Nothing: there is none.
    Nothing,
    /// It is deleted.
    Delete,
    /// A change that runs is waited for, then it is deleted.
    Wait,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// CloudFormation's word.
    pub status: &'static str,
    pub deploy: BeforeDeploy,
    pub destroy: BeforeDestroy,
    /// What the user does about it, in a stack that a command finds like this.
    pub way_out: &'static str,
}

/// A status as a command needs it: a row, or a word that CloudFormation added later.
pub type StackState = Option<&'static Status>;

const NONE: &str = "`sidestep deploy` creates the stack";
const GOOD: &str = "nothing has to be done";
const UNDONE: &str = "the last change failed and was undone: `sidestep deploy` tries again";
const RUNS: &str = "wait for the change that runs: `sidestep deploy` and `sidestep destroy` do";
const EMPTY: &str = "`sidestep deploy` deletes what is left and creates the stack anew; `sidestep destroy` only deletes it. Table and buckets with data stay";
const CONTINUE: &str = "`sidestep deploy` continues the rollback. If that fails again, `sidestep destroy` deletes the stack but keeps its data, and `sidestep deploy` takes the data in again";
const HALF: &str = "`sidestep deploy` rolls the last update back and tries again";

const fn row(
    status: &'static str,
    deploy: BeforeDeploy,
    destroy: BeforeDestroy,
    way_out: &'static str,
) -> Status {
    Status { status, deploy, destroy, way_out }
}

/// All statuses
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).
pub const STATUSES: [Status; 23] = {
    use BeforeDeploy::{ContinueRollback, Create, RollBack, Update};
    use BeforeDestroy::Nothing;
    const DELETE: BeforeDestroy = BeforeDestroy::Delete;
    const ANEW: BeforeDeploy = BeforeDeploy::Delete;
    const WAITS: BeforeDeploy = BeforeDeploy::Wait;
    const WAIT: BeforeDestroy = BeforeDestroy::Wait;
    [
        row("CREATE_COMPLETE", Update, DELETE, GOOD),
        row("CREATE_FAILED", ANEW, DELETE, EMPTY),
        row("CREATE_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("DELETE_COMPLETE", Create, Nothing, NONE),
        row("DELETE_FAILED", ANEW, DELETE, EMPTY),
        row("DELETE_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("IMPORT_COMPLETE", Update, DELETE, GOOD),
        row("IMPORT_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("IMPORT_ROLLBACK_COMPLETE", Update, DELETE, UNDONE),
        row("IMPORT_ROLLBACK_FAILED", ANEW, DELETE, EMPTY),
        row("IMPORT_ROLLBACK_IN_PROGRESS", WAITS, WAIT, RUNS),
        // The shell of a change set that was never executed. It holds nothing.
        row("REVIEW_IN_PROGRESS", Create, DELETE, NONE),
        row("ROLLBACK_COMPLETE", ANEW, DELETE, EMPTY),
        row("ROLLBACK_FAILED", ANEW, DELETE, EMPTY),
        row("ROLLBACK_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("UPDATE_COMPLETE", Update, DELETE, GOOD),
        row("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("UPDATE_FAILED", RollBack, DELETE, HALF),
        row("UPDATE_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("UPDATE_ROLLBACK_COMPLETE", Update, DELETE, UNDONE),
        row("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", WAITS, WAIT, RUNS),
        row("UPDATE_ROLLBACK_FAILED", ContinueRollback, DELETE, CONTINUE),
        row("UPDATE_ROLLBACK_IN_PROGRESS", WAITS, WAIT, RUNS),
    ]
};

/// Returns the row of a status.
pub fn state(status: &str) -> StackState {
    STATUSES.iter().find(|row| row.status == status)
}

/// Failures that a second try cures, by a part of AWS's reason, and how long to wait before it.
///
/// SQS keeps a deleted queue's name for 60 seconds. S3, Scheduler and Lambda look at permissions
/// and roles that were made a moment ago, and IAM takes seconds to tell everyone.
const PASSING: [(&str, Duration); 6] = [
    ("QueueDeletedRecently", Duration::from_secs(61)),
    ("You must wait 60 seconds after deleting a queue", Duration::from_secs(61)),
    ("Unable to validate the following destination configurations", Duration::from_secs(10)),
    ("must allow AWS EventBridge Scheduler to assume the role", Duration::from_secs(10)),
    ("The role defined for the function cannot be assumed by Lambda", Duration::from_secs(10)),
    ("does not have permissions to call ReceiveMessage on SQS", Duration::from_secs(10)),
];

/// Returns how long to wait before a second try, if AWS's reason is one that passes.
pub fn passing(reason: &str) -> Option<Duration> {
    PASSING.iter().find(|(part, _)| reason.contains(part)).map(|(_, pause)| *pause)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    #[test]
    fn every_status_has_a_row_and_a_way_out_that_names_a_command() {
        let known: Vec<_> = STATUSES.iter().map(|row| row.status).collect();
        for status in StackStatus::values() {
            assert!(known.contains(status), "{status} has no row");
        }
        assert!(known.is_sorted(), "{known:?}");
        for row in STATUSES {
            let runs = row.status.ends_with("_IN_PROGRESS") && row.status != "REVIEW_IN_PROGRESS";
            assert_eq!(row.deploy == BeforeDeploy::Wait, runs, "{}", row.status);
            assert_eq!(row.destroy == BeforeDestroy::Wait, runs, "{}", row.status);
            // A failed stack never stays as it is.
            let is_failed = row.status.ends_with("_FAILED");
            assert!(!is_failed || row.deploy != BeforeDeploy::Update, "{}", row.status);
            assert!(row.way_out == GOOD || row.way_out.contains("`sidestep "), "{}", row.status);
        }
        assert_eq!(state("TAKEN_APART"), None);
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let queue = "Resource handler returned message: \"You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        assert_eq!(passing(queue), Some(Duration::from_secs(61)));
        let s3 = "Unable to validate the following destination configurations (Service: S3)";
        assert_eq!(passing(s3), Some(Duration::from_secs(10)));
        assert_eq!(passing("air already exists in stack other"), None);
    }
}
