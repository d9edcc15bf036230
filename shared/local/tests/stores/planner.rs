//! A planner in this process whose table fails it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sidestep_engine::options::EngineOptions;
use sidestep_local::cloud::{Cloud, Ports};
use sidestep_local::deployment::{PLANNER, Planner, TABLE, cloud_engine, deploy};
use sidestep_local::lambda::InvocationType;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_the_planner_is_told_to_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
    let engine = Arc::new(cloud_engine(&cloud, EngineOptions::default()));
    deploy(&mut cloud, &engine, &[], Planner::InProcess).await.unwrap();
    let mut failed = cloud.failed().subscribe();
    let sweep = json!({ "Sweep": true }).to_string();
    let invoke = || cloud.lambda().invoke(PLANNER, sweep.clone(), InvocationType::RequestResponse);
    assert_eq!(invoke().await.unwrap().function_error, None);
    assert_eq!(*failed.borrow_and_update(), None);

    let database = rusqlite::Connection::open(folder.path().join("dynamodb.sqlite")).unwrap();
    let tables: Vec<String> = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(!tables.is_empty(), "{TABLE} is kept somewhere");
    for table in tables {
        database.execute(&format!("DROP TABLE \"{table}\""), []).unwrap();
    }
    assert!(invoke().await.unwrap().function_error.is_some());
    let told = failed.borrow_and_update().clone().expect("a failure");
    assert!(told.causes.starts_with("could not ") && !told.is_disk_full, "{told:?}");
    cloud.shutdown(Duration::ZERO).await;
}
