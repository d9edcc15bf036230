//! Handlers in Python whose text shows that they never return a value.
//!
//! What the check does not understand counts as a value, so that it never warns in vain.

use std::fs;
use std::path::{Path, PathBuf};

use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::definition::{Pipeline, StepKind};

use crate::project::Project;

/// A step that declares outputs, with the handler that never returns them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    pub(crate) step: String,
    pub(crate) output: String,
    pub(crate) handler: String,
    /// The handler's file, below the project's folder.
    pub(crate) file: PathBuf,
}

/// Returns the steps that declare outputs which their handlers can never return.
pub(crate) fn silent_steps(project: &Project, pipeline: &Pipeline) -> Vec<Silent> {
    let silent = pipeline.indexes().filter_map(|index| {
        let step = pipeline.step(index);
        let StepKind::Lambda(lambda) = &step.kind else { return None };
        let (output, FunctionRef::Named(name)) = (lambda.outputs.first()?, &lambda.function_arn)
        else {
            return None;
        };
        let settings = project.settings.functions.get(name.as_str())?;
        if settings.package.is_some() || !settings.runtime.as_ref()?.starts_with("python") {
            return None;
        }
        let (module, handler) = settings.handler.as_ref()?.rsplit_once('.')?;
        let module = Path::new(&module.replace('.', "/")).with_extension("py");
        let file = settings.path.as_ref()?.join(module);
        let text = fs::read_to_string(project.folder.join(&file)).ok()?;
        let (step, output) = (step.name.to_string(), output.name.clone());
        returns_nothing(&text, handler).then(|| Silent {
            step,
            output,
            handler: handler.to_owned(),
            file,
        })
    });
    silent.collect()
}

/// Returns true if a module defines the function once and plainly, and it never returns a value.
fn returns_nothing(text: &str, function: &str) -> bool {
    let lines = logical_lines(text);
    let is_top = |line: &&String| line.starts_with(|c: char| !c.is_whitespace());
    let names_it = |line: &&String| words(line).any(|word| word == function);
    let mut named = lines.iter().enumerate().filter(|(_, line)| is_top(line) && names_it(line));
    let (Some((at, definition)), None) = (named.next(), named.next()) else { return false };
    let is_decorated = lines[..at].iter().rev().find(is_top).is_some_and(|it| it.starts_with('@'));
    if is_decorated || !definition.starts_with(&format!("def {function}(")) {
        return false;
    }
    let body = lines[at + 1..].iter().take_while(|line| !is_top(line));
    !std::iter::once(definition).chain(body).any(|line| may_return(line))
}

/// Returns true if a line returns or yields a value other than `None`.
fn may_return(line: &str) -> bool {
    let returns = line.match_indices("return").any(|(at, word)| {
        let value = line[at + word.len()..].split(';').next().unwrap_or_default().trim();
        !value.is_empty() && value != "None"
    });
    returns || words(line).any(|word| word == "yield")
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Returns a module's lines without comments and without the content of texts. A line that goes on
/// in brackets, in a text or after a backslash is one.
fn logical_lines(text: &str) -> Vec<String> {
    let (mut lines, mut line, mut depth, mut rest) = (Vec::new(), String::new(), 0_usize, text);
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '#' => taken = rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                line.push_str("\"\"");
                taken = literal_bytes(rest);
            }
            '\\' if rest[1..].trim_start_matches('\r').starts_with('\n') => {
                taken = rest.find('\n').map_or(rest.len(), |end| end + 1);
            }
            '\n' if depth == 0 => lines.push(std::mem::take(&mut line)),
            '\r' | '\n' => line.push(' '),
            _ => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                line.push(c);
            }
        }
        rest = &rest[taken..];
    }
    lines.push(line);
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// Returns the length of the text literal with which `rest` begins.
fn literal_bytes(rest: &str) -> usize {
    let is_long = ["\"\"\"", "'''"].iter().any(|quotes| rest.starts_with(quotes));
    let quotes = &rest[..if is_long { 3 } else { 1 }];
    let (mut at, mut is_escaped) = (quotes.len(), false);
    while let Some(c) = rest[at..].chars().next() {
        if !is_escaped && rest[at..].starts_with(quotes) {
            return at + quotes.len();
        }
        if c == '\n' && !is_long && !is_escaped {
            return at;
        }
        is_escaped = c == '\\' && !is_escaped;
        at += c.len_utf8();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_handler_that_clearly_returns_nothing_is_called_silent() {
        for (text, expected) in [
            ("def handler(event, context):\n    print('return 1')\n", true),
            ("def handler(event, context): pass", true),
            (
                "def handler(\n    event,\n    context,\n) -> None:\n  '''\nreturn x\n'''\n  return\n",
                true,
            ),
            ("def handler(e, c):\n  if e:\n    return None\n  work()  # return e\nx = 1\n", true),
            ("def handler(e, c):\n    raise ValueError\ndef other():\n    return 1\n", true),
            ("def handler(e, c):\r\n    pass\r\n", true),
            ("def handler(e, c):\n    return {'x': 1}\n", false),
            ("def handler(e, c): return e", false),
            ("def handler(e, c):\n    return \\\n        e\n", false),
            ("def handler(e, c):\n    x = '''\ndef no():\n'''\n    return(x)\n", false),
            ("def handler(e, c):\n    f(\n1,\n)\n    return [\n1]\n", false),
            ("def handler(e, c):\n    yield 1\n", false),
            ("@step\ndef handler(e, c):\n    pass\n", false),
            ("def handler(e, c):\n    pass\nhandler = wrap(handler)\n", false),
            ("def handler(e, c):\n    pass\ndef handler(e, c):\n    return e\n", false),
            ("from other import handler\n", false),
            ("class handler:\n    pass\n", false),
            ("async def handler(e, c):\n    pass\n", false),
            ("if True:\n    def handler(e, c):\n        pass\n", false),
            ("f(\ndef handler(e, c):\n    pass\n", false),
            ("", false),
        ] {
            assert_eq!(returns_nothing(text, "handler"), expected, "{text}");
        }
    }
}
