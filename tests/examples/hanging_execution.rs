//! An embedded cloud with one execution whose second step hangs, until the process is killed:
//! `hanging_execution FOLDER PROGRAM DEFINITION`.
//!
//! Its output is the execution's id, once the second step executes.
#![expect(clippy::print_stdout, reason = "its output is read by a test")]
#![expect(clippy::unwrap_used, dead_code, reason = "it shares the setup of the tests")]

#[path = "../tests/setup/mod.rs"]
mod setup;

use std::path::Path;
use std::time::Duration;

use sidestep_core::plan::handoff::Handoff;
use sidestep_local::deployment::Planner;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, program, definition] = arguments.as_slice() else {
        panic!("expected FOLDER PROGRAM DEFINITION");
    };
    let functions = vec![setup::hasty_function(program)];
    let planner = Planner::InProcess;
    let (_cloud, engine) =
        setup::start(Path::new(folder), planner, Handoff::Event, functions).await;
    let request = setup::request(&serde_json::from_str(definition).unwrap());
    let id = engine.begin(engine.prepare(request).await.unwrap()).await.unwrap();
    while engine.describe(&id).await.unwrap().steps[1].step_status != Some("Executing") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("{id}");
    std::future::pending::<()>().await;
}
