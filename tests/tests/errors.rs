//! `docs/errors/` has a page for every failure type that sidestep gives, and for nothing else.

use std::fs;
use std::path::Path;

use sidestep_core::failure::FailureType;

#[test]
fn every_page_is_of_a_failure_type_and_in_the_index() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut pages = 0;
    for page in fs::read_dir(&folder).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        let code = name.strip_suffix(".md").unwrap();
        assert!(FailureType::parse(code).is_some(), "nothing fails with `{code}`");
        assert_eq!(index.matches(&format!("- [{code}]({name}): ")).count(), 1, "{name}");
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(text.starts_with(&format!("# {code}\n\n## What happened\n")), "{name}");
        assert!(text.contains("\n## What to do\n"), "{name}");
        pages += 1;
    }
    // A type without a page does not compile, so equal numbers are the same set.
    assert_eq!(pages, FailureType::ALL.len());
}
