//! The table of executions, behind faults.

use async_trait::async_trait;
use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::start::Start;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, ListRange, Summary, TableError,
};

use super::{Fault, Faulty, table};

#[async_trait]
impl ExecutionStore for Faulty {
    async fn create(&self, start: &Start, step_count: usize) -> Result<Creation, TableError> {
        let call = || self.world.table.create(start, step_count);
        effect!(&self.world.sim, "create", call(), table("create"))
    }

    async fn start(&self, id: &ExecutionId) -> Result<Option<Start>, TableError> {
        effect!(&self.world.sim, "start", self.world.table.start(id), table("read"))
    }

    async fn head(&self, id: &ExecutionId) -> Result<Option<Execution>, TableError> {
        effect!(&self.world.sim, "head", self.world.table.head(id), table("read"))
    }

    async fn commits(&self, id: &ExecutionId, of: &[Revision]) -> Result<Vec<Commit>, TableError> {
        effect!(&self.world.sim, "commits", self.world.table.commits(id, of), table("read"))
    }

    async fn commits_after(
        &self,
        id: &ExecutionId,
        revision: Revision,
    ) -> Result<Vec<Commit>, TableError> {
        let call = || self.world.table.commits_after(id, revision);
        effect!(&self.world.sim, "commits after", call(), table("query"))
    }

    async fn all_commits(&self, id: &ExecutionId) -> Result<Vec<Commit>, TableError> {
        effect!(&self.world.sim, "all commits", self.world.table.all_commits(id), table("query"))
    }

    async fn commit(&self, id: &ExecutionId, commit: &Commit) -> Result<Committed, TableError> {
        effect!(&self.world.sim, "commit", self.world.commit(id, commit), table("create"))
    }

    async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        change: HeadChange<'_>,
    ) -> Result<(), TableError> {
        let call = || self.world.table.advance_head(start, execution, change);
        effect!(&self.world.sim, "advance HEAD", call(), table("update"))
    }

    async fn ask_retry(&self, id: &ExecutionId, revision: Revision) -> Result<bool, TableError> {
        let call = || self.world.table.ask_retry(id, revision);
        effect!(&self.world.sim, "ask retry", call(), table("update"))
    }

    async fn is_retry_asked(&self, id: &ExecutionId) -> Result<bool, TableError> {
        let call = || self.world.table.is_retry_asked(id);
        effect!(&self.world.sim, "is retry asked", call(), table("read"))
    }

    async fn forget(&self, id: &ExecutionId, after: Revision) -> Result<(), TableError> {
        self.world.table.forget(id, after).await
    }

    async fn put_callback(&self, token: &str, record: &CallbackRecord) -> Result<(), TableError> {
        let call = || self.world.table.put_callback(token, record);
        effect!(&self.world.sim, "put callback", call(), table("put"))
    }

    async fn callback(&self, token: &str) -> Result<Option<CallbackRecord>, TableError> {
        effect!(&self.world.sim, "callback", self.world.table.callback(token), table("read"))
    }

    async fn put_request(
        &self,
        request_id: &str,
        record: &RequestRecord,
    ) -> Result<(), TableError> {
        let call = || self.world.table.put_request(request_id, record);
        effect!(&self.world.sim, "put request", call(), table("put"))
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>, TableError> {
        let found = effect!(
            &self.world.sim,
            "request",
            self.world.table.request(request_id),
            table("read")
        );
        if matches!(found, Ok(None)) {
            self.world.note("request not known yet");
        }
        found
    }

    async fn note_late_report(
        &self,
        id: &ExecutionId,
        late: &LateReport,
    ) -> Result<(), TableError> {
        effect!(
            &self.world.sim,
            "note late",
            self.world.table.note_late_report(id, late),
            table("put")
        )
    }

    async fn late(&self, id: &ExecutionId) -> Result<Vec<LateReport>, TableError> {
        effect!(&self.world.sim, "late", self.world.table.late(id), table("query"))
    }

    async fn live(&self) -> Result<Vec<ExecutionId>, TableError> {
        let live = effect!(&self.world.sim, "live", self.world.table.live(), table("query"));
        let chance = self.world.sim.state().faults.stale_index;
        Ok(live?.into_iter().filter(|_| !self.world.sim.chance(chance)).collect())
    }

    async fn list(
        &self,
        pipeline_name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<Summary>, TableError> {
        let call = || self.world.table.list(pipeline_name, limit);
        effect!(&self.world.sim, "list", call(), table("query"))
    }

    async fn list_range(
        &self,
        pipeline_name: &PipelineName,
        range: &ListRange,
    ) -> Result<Vec<Summary>, TableError> {
        let call = || self.world.table.list_range(pipeline_name, range);
        effect!(&self.world.sim, "list range", call(), table("query"))
    }
}
