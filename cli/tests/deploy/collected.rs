//! What deployments leave behind in the account, and who collects it.

use std::fs;

use serde_json::Value;

use super::anew::World;

/// Returns what `gc` removes, or would, besides results and artifacts.
fn collected(world: &World, arguments: &[&str]) -> Vec<String> {
    let all = [&["gc", "--target", "aws", "--json"], arguments].concat();
    let said = world.runs(&world.project(), &all);
    let text = said.find('{').map_or("", |start| &said[start..]);
    let document: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {said}"));
    let files = document["Files"].as_array().expect("a list").iter();
    files.map(|file| file["Path"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn replaced_versions_and_code_that_no_stack_names_are_collected() {
    let Some(world) = World::open() else { return };
    let deploy = ["deploy", "--yes"];
    world.says(&deploy, &["4 of 4 packages uploaded", "anew-scan", "now version 1"]);
    for count in [2, 3] {
        let code = format!("def handler(event, context): return {{'Count': {count}}}\n");
        fs::write(world.project().join("scan/scan.py"), code).expect("written");
        world.says(&deploy, &["1 of 4 packages uploaded", &format!("now version {count}")]);
    }
    assert_eq!(collected(&world, &[]), [""; 0], "nothing is a month old");

    let now = ["--older-than", "0m"];
    let would = collected(&world, &[&now[..], &["--dry-run"]].concat());
    let versions: Vec<_> =
        would.iter().filter(|path| path.contains(':') && !path.contains('/')).collect();
    assert_eq!(versions, ["anew-scan:1", "anew-scan:2"], "{would:?}");
    let code = would.iter().filter(|path| path.contains("/code/"));
    assert_eq!(code.count(), 2, "{would:?}");
    assert_eq!(collected(&world, &now), would);
    assert_eq!(collected(&world, &now), [""; 0]);

    // What is live was left alone.
    world.says(
        &deploy,
        &["0 of 4 packages uploaded", "the stack needs no change", "still version 3"],
    );
    // Code that is needed again is uploaded again.
    let first = "def handler(event, context): return {'Count': 2}\n";
    fs::write(world.project().join("scan/scan.py"), first).expect("written");
    world.says(&deploy, &["1 of 4 packages uploaded", "now version 4"]);
}
