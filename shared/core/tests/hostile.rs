//! Text made to hurt: huge, deep, wide, cyclic, or random.
//!
//! The parser answers each with a problem, without a panic or a stack overflow.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use sidestep_core::limits;
use sidestep_core::parse::problem::{Code, Problem};
use sidestep_core::parse::{Format, parse};

fn problems(text: impl AsRef<[u8]>, format: Format) -> Vec<Problem> {
    parse(text.as_ref(), format).expect_err("refused")
}

fn only(text: impl AsRef<[u8]>, format: Format) -> Problem {
    let mut problems = problems(text, format);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

const BOTH: [Format; 2] = [Format::Json, Format::Yaml];

/// Returns a definition of Lambda steps, each `(name, depends on)`.
fn steps<'a>(steps: impl Iterator<Item = (String, Vec<String>)> + 'a) -> String {
    let step = |(name, depends_on): (String, Vec<String>)| {
        serde_json::json!({"Name": name, "Type": "Lambda", "FunctionArn": "f", "Arguments": {},
            "DependsOn": depends_on})
    };
    serde_json::json!({ "Steps": steps.map(step).collect::<Vec<_>>() }).to_string()
}

#[test]
fn ten_megabytes_are_refused_by_their_size() {
    let text =
        format!("{{\"Steps\": [], \"Metadata\": {{\"x\": \"{}\"}}}}", "x".repeat(10_000_000));
    for format in BOTH {
        let problem = only(&text, format);
        assert_eq!(problem.code, Code::LimitExceeded);
        assert!(problem.message.contains("over the limit of 1048576"), "{problem}");
    }
}

#[test]
fn nesting_is_refused_where_it_exceeds_the_limit() {
    let deep = 10_000;
    let block: String = (0..1_000).fold(String::new(), |mut text, depth| {
        let _ = writeln!(text, "{}a:", " ".repeat(depth));
        text
    });
    for (text, format) in [
        ("[".repeat(deep), Format::Json),
        ("{\"a\":".repeat(deep), Format::Json),
        ("[".repeat(deep) + &"]".repeat(deep), Format::Yaml),
        ("{a: ".repeat(deep) + &"}".repeat(deep), Format::Yaml),
        ("- ".repeat(deep), Format::Yaml),
        (block, Format::Yaml),
    ] {
        let problem = only(&text, format);
        assert_eq!(problem.code, Code::LimitExceeded, "{problem}");
        assert!(problem.message.contains("more than 100 deep"), "{problem}");
        assert!(problem.column > 1 || problem.line > 1);
    }
    // Keys within keys within keys end at the first.
    assert_eq!(only("? ".repeat(deep), Format::Yaml).code, Code::UnsupportedYaml);
}

#[test]
fn the_deepest_legal_nesting_is_read() {
    // The document, Steps, the step and Arguments are the other four.
    let inner = limits::DEFINITION_DEPTH - 4;
    let list = "[".repeat(inner) + &"]".repeat(inner);
    let text = |list: &str| {
        format!(
            "{{\"Steps\": [{{\"Name\": \"A\", \"Type\": \"Lambda\", \"FunctionArn\": \"f\", \"Arguments\": {{\"x\": {list}}}}}]}}"
        )
    };
    for format in BOTH {
        assert!(parse(text(&list).as_bytes(), format).is_ok());
        assert_eq!(only(text(&format!("[{list}]")), format).code, Code::LimitExceeded);
    }
}

#[test]
fn a_million_elements_are_refused_by_their_number_or_size() {
    let list = format!("[{}1]", "1,".repeat(1_000_000));
    assert_eq!(only(&list, Format::Json).code, Code::LimitExceeded);
    let list = format!("[{}1]", "1,".repeat(400_000));
    for format in BOTH {
        let problem = only(&list, format);
        assert_eq!(problem.code, Code::LimitExceeded);
        assert!(problem.message.contains("more than 200000 values"), "{problem}");
    }
    let blocks = "- 1\n".repeat(250_000);
    assert_eq!(only(&blocks, Format::Yaml).code, Code::LimitExceeded);
}

#[test]
fn the_count_of_values_is_exact_at_the_limit() {
    // The list itself counts; empty lists count once.
    let list = |count| format!("[{}[]]", "[],".repeat(count - 1));
    let legal = only(list(limits::DEFINITION_NODES - 1), Format::Json);
    assert_eq!(legal.code, Code::WrongType, "{legal}");
    let too_many = only(list(limits::DEFINITION_NODES), Format::Json);
    assert_eq!(too_many.code, Code::LimitExceeded);
}

#[test]
fn a_cycle_of_400_steps_is_named_with_both_ends() {
    let ring = (0..400).map(|i| (format!("S{i}"), vec![format!("S{}", (i + 1) % 400)]));
    let problem = only(steps(ring), Format::Json);
    assert_eq!(problem.code, Code::Cycle);
    assert!(problem.message.starts_with("400 steps wait"), "{problem}");
    assert!(problem.message.contains("S0 -> S1 -> "), "{problem}");
    assert!(problem.message.contains("(360 more)"), "{problem}");
    assert!(problem.message.ends_with("S399 -> S0"), "{problem}");
}

#[test]
fn a_chain_of_as_many_steps_as_are_allowed_is_ordered_from_its_end() {
    let chain = |count: usize| {
        steps((0..count).map(move |i| {
            (format!("S{i}"), if i + 1 < count { vec![format!("S{}", i + 1)] } else { vec![] })
        }))
    };
    let parsed = parse(chain(limits::STEPS).as_bytes(), Format::Json).expect("legal");
    let order = &parsed.pipeline.topological_order;
    assert!(order.iter().map(|index| index.0).eq((0..limits::STEPS).rev()));
    assert_eq!(only(chain(limits::STEPS + 1), Format::Json).code, Code::LimitExceeded);
}

#[test]
fn thousands_of_mistakes_are_listed_up_to_the_bound() {
    let wrong = (0..4_000).map(|i| (format!("S{i}"), vec![format!("Missing{i}")]));
    let problems = problems(steps(wrong), Format::Json);
    assert_eq!(problems.len(), limits::PROBLEMS + 1);
    let last = problems.last().expect("not empty");
    assert_eq!((last.code, last.is_error()), (Code::TooManyProblems, true));
    assert_eq!(last.message, "3000 more problems are not listed");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    for (text, format) in
        [("\u{feff}{\"Steps\": 1}", Format::Json), ("\u{feff}Steps: 1", Format::Yaml)]
    {
        let problem = only(text, format);
        assert_eq!((problem.code, problem.line), (Code::WrongType, 1));
    }
}

#[test]
fn invalid_utf8_is_placed_by_byte_line_and_column() {
    let problem = only(b"{\n\"\xc3\xa9\": \"\xff\"}", Format::Json);
    assert_eq!((problem.code, problem.line, problem.column), (Code::InvalidUtf8, 2, 7));
    assert!(problem.message.contains("byte 9"), "{problem}");
}

#[test]
fn yaml_that_would_multiply_itself_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let list = vec![format!("*a{}", i - 1); 9].join(", ");
        let _ = writeln!(text, "a{i}: &a{i} [{list}]");
    }
    let problems = problems(&text, Format::Yaml);
    assert!(problems.iter().any(|problem| problem.code == Code::UnsupportedYaml));
}

/// Checks that the problems of any bytes have places inside the text.
fn check(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let problems = match parse(bytes, format) {
        Ok(parsed) => parsed.warnings,
        Err(problems) => problems,
    };
    let text = String::from_utf8_lossy(bytes);
    let lines =
        text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    let lengths: Vec<usize> = lines.map(|line| line.chars().count()).collect();
    for problem in problems {
        prop_assert!((1..=lengths.len()).contains(&problem.line), "{problem:?}");
        // A line break is a place too.
        prop_assert!((1..=lengths[problem.line - 1] + 2).contains(&problem.column), "{problem:?}");
    }
    Ok(())
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let names = [
        "corpus/quality-gate.json",
        "corpus/property-files.json",
        "valid/aliases.json",
        "valid/quality-gate.yaml",
        "corpus/cached-steps.json",
    ];
    names.iter().map(|name| std::fs::read(folder.join(name)).expect("a fixture")).collect()
}

#[derive(Debug, Clone)]
enum Mutation {
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Swap(usize, usize),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "null",
        "1e400",
        "-",
        "- ",
        "&a ",
        "*a",
        "? ",
        "| ",
        "\n",
        "\t",
        "\\ud800",
        "{\"Get\":\"Steps.Gate.Outcome\"}",
        "\"Gate\"",
        "'",
        "#",
        "\r",
        "é",
        "Std:Join",
        "\0",
    ]);
    prop_oneof![
        (any::<usize>(), 0..40_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (any::<usize>(), token)
            .prop_map(|(at, text)| Mutation::Insert(at, text.as_bytes().to_vec())),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        (any::<usize>(), 0..400_usize).prop_map(|(at, length)| Mutation::Repeat(at, length)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: Mutation) {
    let count = bytes.len().max(1);
    match mutation {
        Mutation::Remove(at, length) => {
            let start = (at % count).min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.drain(start..end);
        }
        Mutation::Insert(at, text) => {
            let at = (at % count).min(bytes.len());
            bytes.splice(at..at, text);
        }
        Mutation::Swap(a, b) if !bytes.is_empty() => bytes.swap(a % count, b % count),
        Mutation::Swap(..) => {}
        Mutation::Repeat(at, length) => {
            let start = (at % count).min(bytes.len());
            let end = (start + length).min(bytes.len());
            let copy = bytes[start..end].to_vec();
            bytes.splice(end..end, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in BOTH {
            check(&bytes, format)?;
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}|[\\[\\]{}:,\"'\\-&*!|>#? \n\ta-c0-9.]{0,200}") {
        for format in BOTH {
            check(text.as_bytes(), format)?;
        }
    }

    #[test]
    fn mutations_of_real_definitions_never_panic(
        file in 0..5_usize,
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = corpus().swap_remove(file);
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        for format in BOTH {
            check(&bytes, format)?;
        }
    }
}
