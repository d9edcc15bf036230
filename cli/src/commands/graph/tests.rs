//! Each format on a small pipeline, and on graphs that are long or wide.

use std::fmt::Write as _;

use sidestep_core::parse::{Format, parse};

use super::dot::dot;
use super::drawing::{Drawing, Mark, Tone};
use super::mermaid::mermaid;
use super::svg::svg;
use super::text::{Colour, text};

const NESTED: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Train", "Type": "Lambda", "FunctionArn": "train", "Arguments": {}, "OutputParameters": [{"OutputName": "Rmse", "OutputType": "Float"}]},
    {"Name": "Check", "Type": "Condition", "Arguments": {
        "Conditions": [{"Type": "LessThan", "LeftValue": {"Get": "Steps.Train.OutputParameters['Rmse']"}, "RightValue": 5}],
        "IfSteps": [
            {"Name": "Publish", "Type": "Lambda", "FunctionArn": "publish", "Arguments": {}},
            {"Name": "Tell", "Type": "Lambda", "FunctionArn": "tell", "Arguments": {}, "DependsOn": ["Publish"]}],
        "ElseSteps": [{"Name": "Far", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "GreaterThan", "LeftValue": {"Get": "Steps.Train.OutputParameters['Rmse']"}, "RightValue": 50}],
            "IfSteps": [{"Name": "Reject", "Type": "Fail", "Arguments": {"ErrorMessage": "too far off"}}],
            "ElseSteps": []}}]}}]}"#;

fn nested() -> Drawing {
    let parsed = parse(NESTED.as_bytes(), Format::Json).expect("legal");
    Drawing::of_pipeline("nested", &parsed.pipeline)
}

/// Returns the drawing with a mark on every step; some reasons need escapes.
fn marked() -> Drawing {
    let marks = [
        (Tone::CacheHit, "CacheHit", "equal to \"Train\" of <another> & C:\\run\nsecond line"),
        (Tone::Run, "Run, False", "`Rmse` 50.5 < 5"),
        (Tone::Skipped, "Skipped", "the branch was not taken"),
        (Tone::Skipped, "Skipped", ""),
        (Tone::Run, "Run, True", ""),
        (Tone::Failed, "Run, Failed", "too far off"),
    ];
    let mut drawing = nested();
    for (node, (tone, text, reason)) in drawing.nodes.iter_mut().zip(marks) {
        node.mark = Some(Mark { text: text.to_owned(), tone, reason: reason.to_owned() });
    }
    drawing
}

/// Returns a pipeline whose step `N` waits for `waits(N)`.
fn generated(count: usize, waits: impl Fn(usize) -> Vec<usize>) -> Drawing {
    let mut steps = Vec::new();
    for step in 0..count {
        let waits: Vec<_> = waits(step).iter().map(|other| format!("\"S{other}\"")).collect();
        steps.push(format!(
            r#"{{"Name": "S{step}", "Type": "Lambda", "FunctionArn": "f", "Arguments": {{}}, "DependsOn": [{}]}}"#,
            waits.join(", ")
        ));
    }
    let mut definition = String::from(r#"{"Version": "2020-12-01", "Steps": ["#);
    let _ = write!(definition, "{}]}}", steps.join(","));
    let parsed = parse(definition.as_bytes(), Format::Json).expect("legal");
    Drawing::of_pipeline("generated", &parsed.pipeline)
}

#[test]
fn a_definition_is_drawn_as_text() {
    insta::assert_snapshot!(text(&nested(), Colour::Ansi), @r#"
    nested

                    [Train: Lambda]
                         ┌─┴───────┐
                         ↓         │
                [Check: Condition] │
                  ┌──────┴─────────┼──┐
               "true"              "false"
                  │                └──┤
                  ↓                   ↓
          [Publish: Lambda]   [Far: Condition]
                  └┐                ┌─┘
                   │             "true"
                   ↓                ↓
            [Tell: Lambda]   [Reject: Fail]
    "#);
}

#[test]
fn decisions_stand_in_the_text_and_colour_only_repeats_them() {
    let plain = text(&marked(), Colour::None);
    insta::assert_snapshot!(plain, @r#"
    nested

                         [Train: Lambda, CacheHit]
                                   ┌─┴─────────────┐
                                   ↓               │
                    [Check: Condition, Run, False] │
                       ┌───────────┴───────────────┼┐
                    "true"                       "false"
                       │                           └┤
                       ↓                            ↓
          [Publish: Lambda, Skipped]   [Far: Condition, Run, True]
                      ┌┘                          ┌─┘
                      │                        "true"
                      ↓                           ↓
           [Tell: Lambda, Skipped]   [Reject: Fail, Run, Failed]
    "#);
    let coloured = text(&marked(), Colour::Ansi);
    assert!(coloured.contains("\u{1b}[32m[Train: Lambda, CacheHit]\u{1b}[0m"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[31m[Reject: Fail, Run, Failed]\u{1b}[0m"), "{coloured:?}");
    let mut stripped = coloured;
    for escape in ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[34m"] {
        stripped = stripped.replace(escape, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_definition_and_an_execution_are_drawn_for_mermaid() {
    insta::assert_snapshot!(mermaid(&nested()), @r#"
    ---
    title: "nested"
    ---
    flowchart TD
        s0["Train<br/>Lambda"]
        s1{"Check<br/>Condition"}
        s2["Publish<br/>Lambda"]
        s3["Tell<br/>Lambda"]
        s4{"Far<br/>Condition"}
        s5["Reject<br/>Fail"]
        s0 --> s1
        s1 -->|true| s2
        s2 --> s3
        s1 -->|false| s4
        s0 --> s4
        s4 -->|true| s5
    "#);
    insta::assert_snapshot!(mermaid(&marked()), @r#"
    ---
    title: "nested"
    ---
    flowchart TD
        s0["Train<br/>Lambda<br/>CacheHit"]
        s1{"Check<br/>Condition<br/>Run, False"}
        s2["Publish<br/>Lambda<br/>Skipped"]
        s3["Tell<br/>Lambda<br/>Skipped"]
        s4{"Far<br/>Condition<br/>Run, True"}
        s5["Reject<br/>Fail<br/>Run, Failed"]
        s0 --> s1
        s1 -->|true| s2
        s2 --> s3
        s1 -->|false| s4
        s0 --> s4
        s4 -->|true| s5
        classDef Run fill:#cfe2ff,stroke:#333,color:#000
        class s1,s4 Run
        classDef CacheHit fill:#d1e7dd,stroke:#333,color:#000
        class s0 CacheHit
        classDef Skipped fill:#e2e3e5,stroke:#333,color:#000,stroke-dasharray:4
        class s2,s3 Skipped
        classDef Failed fill:#f8d7da,stroke:#333,color:#000
        class s5 Failed
    "#);
}

#[test]
fn a_definition_and_an_execution_are_drawn_for_graphviz() {
    insta::assert_snapshot!(dot(&nested()), @r#"
    digraph "nested" {
        label="nested"
        labelloc=t
        node [shape=box, style="rounded,filled", fillcolor=white]
        "Train" [label="Train\nLambda"]
        "Check" [label="Check\nCondition", shape=diamond, style=filled]
        "Publish" [label="Publish\nLambda"]
        "Tell" [label="Tell\nLambda"]
        "Far" [label="Far\nCondition", shape=diamond, style=filled]
        "Reject" [label="Reject\nFail"]
        "Train" -> "Check"
        "Check" -> "Publish" [label=true]
        "Publish" -> "Tell"
        "Check" -> "Far" [label=false]
        "Train" -> "Far"
        "Far" -> "Reject" [label=true]
    }
    "#);
    insta::assert_snapshot!(dot(&marked()), @r##"
    digraph "nested" {
        label="nested"
        labelloc=t
        node [shape=box, style="rounded,filled", fillcolor=white]
        "Train" [label="Train\nLambda\nCacheHit", fillcolor="#d1e7dd", tooltip="equal to \"Train\" of <another> & C:\\run\nsecond line"]
        "Check" [label="Check\nCondition\nRun, False", shape=diamond, style=filled, fillcolor="#cfe2ff", tooltip="`Rmse` 50.5 < 5"]
        "Publish" [label="Publish\nLambda\nSkipped", fillcolor="#e2e3e5", style="rounded,filled,dashed", tooltip="the branch was not taken"]
        "Tell" [label="Tell\nLambda\nSkipped", fillcolor="#e2e3e5", style="rounded,filled,dashed"]
        "Far" [label="Far\nCondition\nRun, True", shape=diamond, style=filled, fillcolor="#cfe2ff"]
        "Reject" [label="Reject\nFail\nRun, Failed", fillcolor="#f8d7da", tooltip="too far off"]
        "Train" -> "Check"
        "Check" -> "Publish" [label=true]
        "Publish" -> "Tell"
        "Check" -> "Far" [label=false]
        "Train" -> "Far"
        "Far" -> "Reject" [label=true]
    }
    "##);
}

#[test]
fn an_execution_is_drawn_as_svg() {
    insta::assert_snapshot!(svg(&marked()), @r##"
    <svg xmlns="http://www.w3.org/2000/svg" width="344" height="486" viewBox="0 0 344 486" font-family="monospace" font-size="13">
    <title>nested</title>
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
    <rect width="100%" height="100%" fill="#ffffff"/>
    <text x="8" y="18" font-weight="bold">nested</text>
    <g transform="translate(8 36)">
    <polyline points="164,45 164,63 140,63 140,90" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <polyline points="140,135 140,153 100,153 100,216" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <polyline points="100,261 100,279 92,279 92,324" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <polyline points="140,135 140,153 220,153 220,216" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <polyline points="164,45 204,171 220,216" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <polyline points="220,261 220,324" fill="none" stroke="#333333" marker-end="url(#arrow)"/>
    <g><title>equal to &quot;Train&quot; of &lt;another&gt; &amp; C:\run second line</title><rect x="112" y="0" width="96" height="54" rx="6" fill="#d1e7dd" stroke="#333333"/><text x="160" y="13" text-anchor="middle" font-weight="bold">Train</text><text x="160" y="31" text-anchor="middle">Lambda</text><text x="160" y="49" text-anchor="middle">CacheHit</text></g>
    <g><title>`Rmse` 50.5 &lt; 5</title><rect x="80" y="90" width="112" height="54" rx="0" fill="#cfe2ff" stroke="#333333"/><text x="136" y="103" text-anchor="middle" font-weight="bold">Check</text><text x="136" y="121" text-anchor="middle">Condition</text><text x="136" y="139" text-anchor="middle">Run, False</text></g>
    <g><title>the branch was not taken</title><rect x="56" y="216" width="88" height="54" rx="6" fill="#e2e3e5" stroke="#333333" stroke-dasharray="4"/><text x="100" y="229" text-anchor="middle" font-weight="bold">Publish</text><text x="100" y="247" text-anchor="middle">Lambda</text><text x="100" y="265" text-anchor="middle">Skipped</text></g>
    <g><rect x="168" y="216" width="104" height="54" rx="0" fill="#cfe2ff" stroke="#333333"/><text x="220" y="229" text-anchor="middle" font-weight="bold">Far</text><text x="220" y="247" text-anchor="middle">Condition</text><text x="220" y="265" text-anchor="middle">Run, True</text></g>
    <g><rect x="48" y="324" width="88" height="54" rx="6" fill="#e2e3e5" stroke="#333333" stroke-dasharray="4"/><text x="92" y="337" text-anchor="middle" font-weight="bold">Tell</text><text x="92" y="355" text-anchor="middle">Lambda</text><text x="92" y="373" text-anchor="middle">Skipped</text></g>
    <g><title>too far off</title><rect x="160" y="324" width="120" height="54" rx="6" fill="#f8d7da" stroke="#333333"/><text x="220" y="337" text-anchor="middle" font-weight="bold">Reject</text><text x="220" y="355" text-anchor="middle">Fail</text><text x="220" y="373" text-anchor="middle">Run, Failed</text></g>
    <text x="106" y="207">true</text>
    <text x="226" y="207">false</text>
    <text x="226" y="315">true</text>
    </g>
    </svg>
    "##);
}

#[test]
fn titles_are_escaped_in_every_format() {
    let drawing = Drawing { title: "a \"<&#\\".to_owned(), nodes: Vec::new(), edges: Vec::new() };
    assert!(mermaid(&drawing).contains(r#"title: "a \"<&#\\""#));
    assert!(dot(&drawing).contains(r#"label="a \"<&#\\""#));
    assert!(svg(&drawing).contains("<title>a &quot;&lt;&amp;#\\</title>"));
    assert!(text(&drawing, Colour::None).starts_with("a \"<&#\\\n"));
}

#[test]
fn a_chain_of_400_and_a_fan_of_1000_are_drawn_whole() {
    let chain = generated(400, |step| step.checked_sub(1).into_iter().collect());
    let fan = generated(1002, |step| match step {
        0 => Vec::new(),
        1001 => (1..=1000).collect(),
        _ => vec![0],
    });
    for (drawing, edges) in [(chain, 399), (fan, 2000)] {
        let last = drawing.nodes.len() - 1;
        assert_eq!(drawing.edges.len(), edges);
        assert_eq!(mermaid(&drawing).matches(" --> ").count(), edges);
        assert_eq!(dot(&drawing).matches(" -> ").count(), edges);
        let picture = svg(&drawing);
        assert_eq!(picture.matches("<polyline").count(), edges);
        assert_eq!(picture.matches("<rect ").count(), drawing.nodes.len() + 1);
        let text = text(&drawing, Colour::None);
        assert!(text.contains("[S0: Lambda]") && text.contains(&format!("[S{last}: Lambda]")));
        assert!(text.lines().all(|line| line.chars().count() <= 200), "no line is too wide");
    }
}

#[test]
fn what_is_too_wide_for_a_terminal_is_listed() {
    let fan = generated(42, |step| match step {
        0 => Vec::new(),
        41 => (1..=40).collect(),
        _ => vec![0],
    });
    let text = text(&fan, Colour::None);
    assert!(text.contains("\n[S0: Lambda]\n[S1: Lambda] after S0\n"), "{text}");
    assert!(text.ends_with("[S41: Lambda] after S1, S2, S3, S4, S5, S6, S7, S8 and 32 more\n"));
}
