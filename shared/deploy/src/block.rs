//! The blocks of `infra/`, read as they are, so that the files which people read are what is
//! deployed.

use serde_json::{Map, Value};

const STATE: &str = include_str!("../../../infra/state.yaml");
const ENGINE: &str = include_str!("../../../infra/engine.yaml");
const JOBS: &str = include_str!("../../../infra/jobs.yaml");
const ALARMS: &str = include_str!("../../../infra/alarms.yaml");
const DEPLOYER: &str = include_str!("../../../infra/deployer.yaml");

/// The template of the bucket for code, which is a stack of its own.
pub const CODE_TEMPLATE: &str = include_str!("../../../infra/code.yaml");

/// The sections of a template that blocks may have.
const SECTIONS: [&str; 3] = ["Parameters", "Resources", "Outputs"];

/// Returns the engine's own part: table, bucket, planner, trigger, and the job function and the
/// alarms if asked for.
pub(crate) fn engine(alarms: bool, jobs: bool) -> Map<String, Value> {
    let mut template = Map::new();
    template.insert("AWSTemplateFormatVersion".to_owned(), "2010-09-09".into());
    let asked_for = [jobs.then_some(JOBS), alarms.then_some(ALARMS)];
    for text in [STATE, ENGINE].into_iter().chain(asked_for.into_iter().flatten()) {
        let block = parse(text);
        for section in SECTIONS {
            let Some(Value::Object(entries)) = block.get(section) else { continue };
            let merged = template
                .entry(section)
                .or_insert_with(|| Map::new().into())
                .as_object_mut()
                .expect("a section is a map");
            for (name, entry) in entries {
                let before = merged.insert(name.clone(), entry.clone());
                assert!(before.is_none(), "`{name}` is in two blocks");
            }
        }
    }
    template
}

/// Returns the policy of the person who deploys, for any project.
pub(crate) fn deployer() -> Map<String, Value> {
    match parse(DEPLOYER) {
        Value::Object(policy) => policy,
        other => panic!("`{other}` is no policy"),
    }
}

fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("the tests read every block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_read() {
        let template = engine(true, true);
        assert!(template["Resources"]["Table"].is_object());
        assert_eq!(template["Resources"]["Planner"]["Properties"]["RecursiveLoop"], "Allow");
        let input = &template["Resources"]["Sweep"]["Properties"]["Target"]["Input"];
        assert_eq!(input, r#"{"Sweep": true}"#);
        assert!(template["Resources"]["StuckAlarm"].is_object());
        assert!(template["Resources"]["Jobs"].is_object());
        assert!(parse(CODE_TEMPLATE)["Resources"]["Code"].is_object());
        assert!(engine(false, false)["Resources"].get("StuckAlarm").is_none());
    }
}
