//! Faults between a planner and its table and bucket, over the real adapters.
//!
//! Planners die at every request, events come twice, clocks go back.
//!
//! The simulator does this in memory, where an adapter's call is one step. Here a call is as many
//! requests as it takes, in their order.

mod batch;
mod delivery_faults;
mod lease;
mod world;

use sidestep_core::execution::ExecutionStatus;
use sidestep_engine::engine::Engine;
use sidestep_engine::ports::executions::ExecutionStore as _;
use sidestep_engine::sweep::Leases;
use sidestep_testkit::proxy::RequestFault;

use self::world::{World, ended};

/// More requests than one turn of a planner may send.
const MOST: u32 = 100;

#[tokio::test]
async fn a_planner_that_dies_at_any_request_of_the_last_turn_leaves_a_list_that_comes_right() {
    let world = World::new().await;
    let mut deaths = 0;
    for fault in [RequestFault::HangBefore, RequestFault::HangAfter] {
        for position in 0..MOST {
            let (id, payload) = world.begin(position).await;
            let event = ended(&payload, "Success");
            let last = async |engine: Engine| drop(engine.handle(event.clone()).await.unwrap());
            let died = world.dies(position, fault, last).await;
            let place = format!("{fault:?} {position}");
            world.assert_listed(&id, &place).await;
            // The event comes again, as after any failure of the planner, or the sweep finds the
            // commit.
            world.sound().sweep(Leases::ByTime).await.unwrap();
            world.sound().handle(event.clone()).await.unwrap();
            let (status, line) = (world.status(&id).await, world.line(&id).await);
            assert_eq!(status, ExecutionStatus::Succeeded, "{place}");
            assert_eq!((line.status, line.ended_at_ms.is_some()), (status, true), "{place}");
            assert!(!world.table.live().await.unwrap().contains(&id), "{place}");
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 8, "a turn loads, commits, lists and moves HEAD: {deaths}");
}

#[tokio::test]
async fn a_retry_whose_planner_dies_is_carried_out_once_it_is_noted() {
    let world = World::new().await;
    let (mut deaths, mut unnoted) = (0, 0);
    for fault in [RequestFault::HangBefore, RequestFault::HangAfter] {
        for position in 0..MOST {
            let (id, payload) = world.begin(position).await;
            world.sound().handle(ended(&payload, "RetriesExhausted")).await.unwrap();
            assert_eq!(world.status(&id).await, ExecutionStatus::Failed);
            let retry = async |engine: Engine| assert!(!engine.retry(&id).await.unwrap().is_over());
            let died = world.dies(position, fault, retry).await;
            let place = format!("{fault:?} {position}");
            let is_noted = world.table.live().await.unwrap().contains(&id);
            world.sound().sweep(Leases::ByTime).await.unwrap();
            let line = world.line(&id).await.status;
            if is_noted {
                assert_eq!(world.status(&id).await, ExecutionStatus::Executing, "{place}");
                assert_eq!(line, ExecutionStatus::Executing, "{place}");
                // Its attempt may have been claimed by the planner that died before it invoked:
                // then the lease lapses.
                let begun = if let Some(begun) = world.invoked() {
                    begun
                } else {
                    world.clock.advance(3_600_000);
                    world.sound().sweep(Leases::ByTime).await.unwrap();
                    world.invoked().unwrap_or_else(|| panic!("{place}: nothing was invoked"))
                };
                world.sound().handle(ended(&begun, "Success")).await.unwrap();
                if world.status(&id).await == ExecutionStatus::Executing {
                    // The planner died before it recorded whose invocation that was.
                    world.clock.advance(3_600_000);
                    world.sound().sweep(Leases::ByTime).await.unwrap();
                    let again =
                        world.invoked().unwrap_or_else(|| panic!("{place}: no new attempt"));
                    world.sound().handle(ended(&again, "Success")).await.unwrap();
                }
                assert_eq!(world.status(&id).await, ExecutionStatus::Succeeded, "{place}");
                assert_eq!(world.line(&id).await.status, ExecutionStatus::Succeeded, "{place}");
            } else {
                unnoted += 1;
                assert!(died, "{place}: it was not noted");
                assert_eq!(
                    (world.status(&id).await, line),
                    (ExecutionStatus::Failed, ExecutionStatus::Failed)
                );
                assert_eq!(world.invoked(), None, "{place}");
            }
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > unnoted && unnoted > 0, "{deaths} deaths, {unnoted} before the note");
}
