//! The house rules that a machine can see: no file uses another one in a circle, words and lengths
//! stay within their bounds, and no test file is forgotten.
//!
//! `cargo test -p sidestep-tests house -- --nocapture` prints what is counted.

mod counts;
mod forgotten;
mod imports;
mod sizes;
mod sources;
mod words;

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use self::counts::{House, Measured, measure};
use self::imports::Imports;
use self::sources::{Part, read};

/// Parts without any circle. The files of the others may use each other as `tests/house.toml` says.
const WITHOUT_CIRCLES: [&str; 9] =
    ["api", "aws", "cli", "core", "deploy", "engine", "local", "step", "testkit"];

/// Places that are listed of each count over its bound.
const LISTED: usize = 40;

#[test]
fn no_count_is_over_its_bound() {
    let parts = read();
    let measured = measure(&parts);
    let house = House::of(&parts, &measured);
    print(&house, &measured);
    let summaries: usize = measured.iter().map(|one| one.words.summaries).sum();
    assert!(summaries > 1_000, "the search finds nothing any more: {summaries} summaries");
    if std::env::var_os("HOUSE_UPDATE").is_some() {
        house.write();
        return;
    }
    let bounds = House::read();
    let mut over = String::new();
    if house.test_binaries > bounds.test_binaries {
        let _ = writeln!(over, "{} test binaries > {}", house.test_binaries, bounds.test_binaries);
    }
    for one in &measured {
        let allowed = bounds.parts.get(one.name).cloned().unwrap_or_default();
        for ((name, count), (_, bound)) in one.counts.numbers().into_iter().zip(allowed.numbers()) {
            if count > bound {
                let _ = writeln!(over, "{}: {name} = {count}, the bound is {bound}", one.name);
                list(&mut over, places(one, name));
            }
        }
    }
    let advice = "write the new code by STYLE.md; after other counts have fallen, \
        `HOUSE_UPDATE=1 cargo test -p sidestep-tests house` lowers the bounds";
    assert!(over.is_empty(), "{over}{advice}");
}

#[test]
fn files_use_each_other_in_no_circle() {
    let bounds = House::read();
    let mut found = String::new();
    for part in read() {
        let imports = Imports::read(&part);
        let allowed = bounds.parts.get(part.name).cloned().unwrap_or_default();
        let is_strict = WITHOUT_CIRCLES.contains(&part.name);
        for circle in imports.circles() {
            if is_strict || !allowed.allows(&circle) {
                let _ = writeln!(found, "{}: {}", part.name, circle.join(", "));
                list(&mut found, &imports.edges_within(&circle));
            }
        }
    }
    assert!(found.is_empty(), "files in a circle, and what they use of each other:\n{found}");
}

#[test]
fn nothing_in_core_uses_what_is_made_for_people() {
    let parts = read();
    let core = parts.iter().find(|part| part.name == "core").expect("it is measured");
    let imports = Imports::read(core);
    assert!(!imports.users_of("definition").is_empty(), "the search finds nothing any more");
    assert_eq!(imports.users_of("view"), [] as [&str; 0]);
}

#[test]
fn no_test_file_is_forgotten() {
    let forgotten_of = |part: &Part| {
        let files = forgotten::forgotten(part).into_iter();
        files.map(|file| part.folder.join(file)).collect::<Vec<_>>()
    };
    let forgotten: Vec<_> = read().iter().flat_map(forgotten_of).collect();
    assert!(forgotten.is_empty(), "no `mod` of a test binary leads to {forgotten:#?}");
}

/// Prints the counts of every part, and how lengths are spread.
fn print(house: &House, measured: &[Measured]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names = measured[0].counts.numbers().map(|(name, _)| name.to_owned());
    let mut head = vec![String::new()];
    head.extend(names);
    head.extend(
        ["circles", "files: median p90 max", "functions: median p90 max"].map(str::to_owned),
    );
    table.set_header(head);
    for one in measured {
        let mut row = vec![one.name.to_owned()];
        row.extend(one.counts.numbers().map(|(_, count)| count.to_string()));
        row.push(one.counts.circles.iter().map(Vec::len).sum::<usize>().to_string());
        if let Some(sizes) = &one.sizes {
            for spread in [&sizes.files, &sizes.functions] {
                let (median, p90, max) = (spread.median, spread.p90, spread.max);
                row.push(format!("{}: {median} {p90} {max}", spread.count));
            }
        }
        table.add_row(row);
    }
    println!("{table}\n{} test binaries", house.test_binaries);
}

/// Returns the places behind a count, where they are known.
fn places<'a>(one: &'a Measured, name: &str) -> &'a [String] {
    match name {
        "summaries_without_verb" => &one.words.summaries_without_verb,
        "rebound_names" => &one.words.rebound_names,
        "comment_lines_over_100" => &one.words.long_comments,
        _ => &[],
    }
}

fn list(text: &mut String, places: &[String]) {
    for place in places.iter().take(LISTED) {
        let _ = writeln!(text, "    {place}");
    }
    if places.len() > LISTED {
        let _ = writeln!(text, "    and {} more", places.len() - LISTED);
    }
}

mod tests {
    use super::*;

    /// Returns a crate of these files below `src`.
    fn part(files: &[(&str, &str)]) -> Part {
        let file = |(path, text): &(&str, &str)| sources::SourceFile {
            path: format!("src/{path}").into(),
            text: (*text).to_owned(),
            syntax: syn::parse_file(text).unwrap(),
        };
        let files = files.iter().map(file).collect();
        Part { name: "sample", folder: "sample".into(), files }
    }

    #[test]
    fn a_circle_is_found_through_every_kind_of_path() {
        let ways = [
            "use crate::b::B;",
            "use super::b;",
            "fn f() { let _ = crate::b::g(); }",
            "fn f() { println!(\"{}\", crate::b::g()); }",
            "fn f(_: super::b::B) {}",
        ];
        for way in ways {
            let part =
                part(&[("lib.rs", "mod a; mod b;"), ("a.rs", way), ("b.rs", "use super::a::A;")]);
            let circle = [["a.rs".to_owned(), "b.rs".to_owned()].to_vec()].to_vec();
            assert_eq!(Imports::read(&part).circles(), circle, "{way}");
        }
    }

    #[test]
    fn a_parent_that_uses_a_child_which_uses_it_is_a_circle_unless_it_only_passes_a_name_on() {
        let circles = |parent: &str| {
            let child = ("plan/child.rs", "use super::Facts;");
            let facts = ("plan/facts.rs", "pub struct Facts;");
            Imports::read(&part(&[("lib.rs", "mod plan;"), ("plan/mod.rs", parent), child, facts]))
                .circles()
        };
        let own = "mod child; struct Facts; fn f() { child::g() }";
        assert_eq!(circles(own), [["plan/child.rs".to_owned(), "plan/mod.rs".to_owned()]]);
        let passed_on = "mod child; mod facts; pub use facts::Facts; fn f() { child::g() }";
        assert_eq!(circles(passed_on), [] as [Vec<String>; 0]);
    }

    #[test]
    fn unit_tests_and_other_crates_make_no_edge() {
        let part = part(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use other::b::B; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("b.rs", "use crate::a::A;"),
        ]);
        assert_eq!(Imports::read(&part).circles(), [] as [Vec<String>; 0]);
    }

    #[test]
    fn words_are_counted_as_the_rules_say() {
        let long = "x ".repeat(60);
        let text = format!(
            "// {long}\n// {}\n/// Returns a name.\nfn a() {{ let x = 1; let x = x + 1; }}\n\
            /// The name.\nfn b() {{ let x = 1; let y = x; }}\n/// Tests.\n#[test]\nfn c() {{}}\n\
            // {}\n",
            "x".repeat(120),
            concat!("who", "ever has mend", "ed it"),
        );
        let part = part(&[("lib.rs", text.as_str())]);
        let mut words = words::Words::default();
        words.read_file(&part.files[0], "lib.rs");
        assert_eq!(words.long_comments.len(), 1, "a word alone cannot be wrapped");
        assert_eq!((words.unnamed_actors, words.banned, words.summaries), (1, 1, 2));
        assert_eq!(words.summaries_without_verb, ["lib.rs:6 The name."]);
        assert_eq!(words.rebound_names, ["lib.rs:4 `x`"]);
    }
}
