//! Problems of a definition, as lines.

use sidestep_core::parse::problem::Problem;

/// How many problems are printed for a person; `--json` has all of them.
const SHOWN: usize = 40;

/// Returns lines for the first problems, errors before warnings, and for the number of the others.
pub(crate) fn problem_lines(file: &str, problems: &[Problem]) -> Vec<String> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.is_error());
    let shown = errors.iter().chain(&warnings).take(SHOWN);
    let mut lines: Vec<_> = shown.map(|problem| problem_line(file, problem)).collect();
    let more = problems.len() - lines.len();
    if more > 0 {
        lines.push(format!("{file}: and {more} more; `sidestep validate --json` lists all"));
    }
    lines
}

/// Returns a problem as compilers print it.
pub(crate) fn problem_line(file: &str, problem: &Problem) -> String {
    let severity = if problem.is_error() { "error" } else { "warning" };
    let step = problem.step.as_ref().map_or_else(String::new, |step| format!(" step `{step}`"));
    let pointer = if problem.pointer.is_empty() { "/" } else { &problem.pointer };
    let (line, column, code) = (problem.line, problem.column, problem.code.name());
    format!("{file}:{line}:{column}: {severity}[{code}] {pointer}{step}: {problem}")
}
