//! The questions.

use serde_json::json;
use sidestep_core::execution::ExecutionStatus;

use super::{Project, digest};
use crate::rules::world::World;

/// One question: what changes, and which steps are invoked then.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) change: fn(&mut Project, &mut Asked),
    /// The steps that are invoked, in order.
    pub(super) runs: &'static str,
    pub(super) status: ExecutionStatus,
}

/// What is asked of the next execution beside the project.
#[derive(Default, PartialEq)]
pub(super) struct Asked {
    pub(super) select: Vec<&'static str>,
    pub(super) force: Vec<&'static str>,
    pub(super) supply: Option<(&'static str, &'static str, &'static str)>,
    pub(super) no_cache: bool,
    /// What starts it, in place of what started the first one.
    pub(super) trigger: Option<&'static str>,
    /// What happens to the artifact of a step that the first execution left in S3.
    pub(super) on_artifact: Option<(&'static str, Loss)>,
}

/// How an artifact is lost.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Loss {
    Deleted,
    Overwritten,
}

impl Loss {
    pub(super) fn befall(self, world: &mut World, step: &str) {
        let uri = artifact(world, step);
        match self {
            Self::Deleted => world.contents.remove(&uri),
            Self::Overwritten => world.contents.insert(uri, "sha256:other".to_owned()),
        };
    }
}

pub(super) const ALL: &str = "Ingest Weather Features Train Evaluate Publish Report";

fn artifact(world: &World, step: &str) -> String {
    let mut keys = world.contents.keys();
    keys.find(|uri| uri.contains(&format!("/{step}/"))).expect("written").clone()
}

pub(super) fn case(
    what: &'static str,
    runs: &'static str,
    change: fn(&mut Project, &mut Asked),
) -> Case {
    Case { what, change, runs, status: ExecutionStatus::Succeeded }
}

/// Returns changes to code, data and parameters.
pub(super) fn inputs() -> Vec<Case> {
    vec![
        case("nothing", "", |_, _| {}),
        case("change the code of Train, and the model stays the same", "Train", |p, _| {
            p.code.insert("train", "v2");
        }),
        case(
            "change the code of Train, and the model differs",
            "Train Evaluate Publish",
            |p, _| {
                p.code.insert("train", "v2");
                p.other_results.push("Train");
            },
        ),
        case("change a comment in report.py: its folder's digest differs", "Report", |p, _| {
            p.code.insert("report", "v2");
        }),
        case("change report.py, whose step has had a `CodeVersion`", "", |p, _| {
            p.code.insert("report", "v2");
        }),
        case("raise the `CodeVersion` of Report", "Report", |p, _| {
            p.edit("CodeVersion: one", "CodeVersion: two");
        }),
        case("change the month's file", "Ingest Features Train Evaluate Publish", |p, _| {
            p.data.insert("s3://inbox/flights/2013-01.csv.gz".into(), digest("new"));
        }),
        case("change the month's file in a way that Ingest levels out", "Ingest", |p, _| {
            p.data.insert("s3://inbox/flights/2013-01.csv.gz".into(), digest("new"));
        }),
        case("change the file of another month", "", |p, _| {
            p.data.insert("s3://inbox/flights/2013-02.csv.gz".into(), digest("new"));
        }),
        case(
            "another month: `-p Month=2013-02`",
            "Ingest Features Train Evaluate Publish Report",
            |p, _| p.parameters.push(("Month", json!("2013-02"))),
        ),
        case("another regularisation: `-p Alpha=100`", "Train Evaluate Publish", |p, _| {
            p.parameters.push(("Alpha", json!(100.0)));
        }),
        case("a threshold only: `-p MaxRmse=20`", "", |p, _| {
            p.parameters.push(("MaxRmse", json!(20.0)));
        }),
        Case {
            status: ExecutionStatus::Failed,
            ..case("a threshold that the model misses: `-p MaxRmse=10`", "", |p, _| {
                p.parameters.push(("MaxRmse", json!(10.0)));
            })
        },
    ]
}

/// Returns changes to the definition, and to what earlier executions left.
pub(super) fn surroundings() -> Vec<Case> {
    vec![
        case("rename the pipeline", "", |p, _| p.pipeline = "departures"),
        case("rename a step", "", |p, _| {
            p.edit("Name: Weather", "Name: Sky");
            p.edit("Steps.Weather.", "Steps.Sky.");
        }),
        case("add a step", "Count", |p, _| {
            p.definition += "\n  - { Name: Count, Type: Lambda, FunctionArn: report, Arguments: { Rows: { Get: \"Steps.Ingest.OutputParameters['Rows']\" } } }\n";
        }),
        case("remove a step", "", |p, _| {
            let at = p.definition.find("  - Name: Report").expect("the example has it");
            p.definition.truncate(at);
        }),
        case("make Weather wait for Ingest with `DependsOn`", "", |p, _| {
            p.edit("FunctionArn: weather", "FunctionArn: weather\n    DependsOn: [Ingest]");
        }),
        case("describe a step, tag it", "", |p, _| {
            p.edit(
                "FunctionArn: train",
                "FunctionArn: train\n    Description: fits\n    Tags: [slow]",
            );
        }),
        case("give the functions more memory", "", |p, _| p.memory_mb = 2048),
        case("change an environment variable of Evaluate", "Evaluate", |p, _| {
            p.code.insert("evaluate", "v1 with another environment");
        }),
        case("delete the artifact of Features", "Features", |_, a| {
            a.on_artifact = Some(("Features", Loss::Deleted));
        }),
        case("overwrite the artifact of Features", "Features", |_, a| {
            a.on_artifact = Some(("Features", Loss::Overwritten));
        }),
        case("two days later, Weather has had `ExpireAfter: P1D`", "Weather", |p, _| p.days = 2),
        case("switch caching off for Weather", "Weather", |p, _| {
            p.edit(
                "FunctionArn: weather",
                "FunctionArn: weather\n    CacheConfig: { Enabled: false }",
            );
        }),
        case("rename the pipeline, Train has had `Scope: Pipeline`", "Train", |p, _| {
            p.pipeline = "departures";
        }),
    ]
}

/// Returns other ways to start it.
pub(super) fn requests() -> Vec<Case> {
    vec![
        case("another user runs it", "", |_, a| a.trigger = Some("`sidestep run` by ada")),
        case("`--no-cache`", ALL, |_, a| a.no_cache = true),
        case("`--force Train`", "Train", |_, a| a.force.push("Train")),
        case("`--force Train+`", "Train Evaluate Publish Report", |_, a| a.force.push("Train+")),
        case("change the code of Train and of Report, `--select Train`", "Train", |p, a| {
            p.code.insert("train", "v2");
            p.code.insert("report", "v2");
            p.other_results.push("Train");
            a.select.push("Train");
        }),
        case("change the code of Train, `--select Train+`", "Train Evaluate Publish", |p, a| {
            p.code.insert("train", "v2");
            p.other_results.push("Train");
            a.select.push("Train+");
        }),
        case(
            "`--supply Features.Features=s3://inbox/mine.csv --select Train..Evaluate`",
            "Train Evaluate",
            |_, a| {
                a.supply = Some(("Features", "Features", "s3://inbox/mine.csv"));
                a.select.push("Train..Evaluate");
            },
        ),
    ]
}
