//! Reads a `requirements.txt` with all files that it includes.

use std::path::{Path, PathBuf};

use super::entry::{Entry, Line, Local, parse};
use super::text;
use crate::output::error::CommandError;

/// All that a file asks for, in order.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) entries: Vec<Entry>,
    pub(super) constraints: Vec<Entry>,
}

impl Asked {
    /// Reads lines of a function whose code lies in `folder`.
    pub(super) fn of_lines(lines: &str, folder: &Path) -> Result<Self, CommandError> {
        let mut reading = Reading { folder, known: Vec::new(), asked: Self::default() };
        reading.lines(lines, folder, false)?;
        Ok(reading.asked)
    }

    /// Reads the file of a function whose code lies in `folder`.
    pub(super) fn of_file(file: &Path, folder: &Path) -> Result<Self, CommandError> {
        let mut reading = Reading { folder, known: Vec::new(), asked: Self::default() };
        reading.file(file, false)?;
        Ok(reading.asked)
    }
}

#[derive(Debug)]
struct Reading<'a> {
    folder: &'a Path,
    /// The files that were read, so that a circle ends.
    known: Vec<(PathBuf, bool)>,
    asked: Asked,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path, is_constraint: bool) -> Result<(), CommandError> {
        let known = (path.canonicalize().unwrap_or_else(|_| path.to_owned()), is_constraint);
        if self.known.contains(&known) {
            return Ok(());
        }
        self.known.push(known);
        let lines = text::read(path)?;
        let lies_in = path.parent().unwrap_or(self.folder);
        self.lines(&lines, lies_in, is_constraint)
    }

    fn lines(
        &mut self,
        text: &str,
        lies_in: &Path,
        is_constraint: bool,
    ) -> Result<(), CommandError> {
        for line in joined(text) {
            let entry = match parse(&line, self.folder) {
                Line::Entry(entry) => self.found(entry, &line, lies_in),
                Line::Requirements(file) => {
                    self.included(&lies_in.join(file), &line, lies_in, is_constraint)?;
                    continue;
                }
                Line::Constraints(file) => {
                    self.included(&lies_in.join(file), &line, lies_in, true)?;
                    continue;
                }
            };
            let entries =
                if is_constraint { &mut self.asked.constraints } else { &mut self.asked.entries };
            entries.push(entry);
        }
        Ok(())
    }

    /// Returns a local package where it exists: paths are relative to the function's folder for
    /// pip, and to the file that names them for other tools.
    fn found(&self, entry: Entry, line: &str, lies_in: &Path) -> Entry {
        let (Entry::Local(Local { path, .. }) | Entry::FindLinks(path)) = &entry else {
            return entry;
        };
        if path.exists() || lies_in == self.folder {
            return entry;
        }
        match parse(line, lies_in) {
            Line::Entry(other) => other,
            _ => entry,
        }
    }

    fn included(
        &mut self,
        path: &Path,
        line: &str,
        lies_in: &Path,
        is_constraint: bool,
    ) -> Result<(), CommandError> {
        let within = |error: CommandError| {
            error.within(format!("`{line}` in `{}` cannot be followed", lies_in.display()))
        };
        self.file(path, is_constraint).map_err(within)
    }
}

/// Returns the lines without comments and blank ones; a line that ends in `\` goes on in the next.
fn joined(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun = String::new();
    for line in text.lines() {
        // As in pip, a comment ends the line that it is in.
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) if !line.trim_start().starts_with('#') => (line, true),
            _ => (without_comment(line), false),
        };
        begun.push_str(line);
        if !goes_on {
            lines.push(std::mem::take(&mut begun));
        }
    }
    lines.push(begun);
    let trimmed = lines.iter().map(|line| line.trim().to_owned());
    trimmed.filter(|line| !line.is_empty()).collect()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let ends = [" #", "\t#"];
    let end = ends.iter().filter_map(|end| line.find(end)).min();
    &line[..end.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn included_files_and_constraints_are_read_once_and_circles_end() {
        let top = tempfile::tempdir().expect("a folder");
        let own = top.path().join("f");
        fs::create_dir_all(own.join("lib")).expect("created");
        fs::create_dir_all(top.path().join("common/pkg")).expect("created");
        let write =
            |name: &str, text: &str| fs::write(top.path().join(name), text).expect("written");
        write(
            "f/requirements.txt",
            "# all\nsix \\\n  ==1 # why\n-r ../common/base.txt\n./lib\n-c limits.txt\n",
        );
        write("f/limits.txt", "numpy<3\n");
        write("common/base.txt", "numpy\n-r ../f/requirements.txt\n-r more.txt\n./pkg\n");
        write("common/more.txt", "boto3\n");
        let asked = Asked::of_file(&own.join("requirements.txt"), &own).expect("read");
        let lines = |entries: &[Entry]| -> Vec<String> {
            let text = |entry: &Entry| match entry {
                Entry::Line(line) => line.clone(),
                Entry::Local(local) => {
                    local.path.strip_prefix(top.path()).expect("below").display().to_string()
                }
                Entry::FindLinks(path) => path.display().to_string(),
            };
            entries.iter().map(text).collect()
        };
        assert_eq!(
            lines(&asked.entries),
            ["six   ==1", "numpy", "boto3", "f/../common/./pkg", "f/./lib"]
        );
        assert_eq!(lines(&asked.constraints), ["numpy<3"]);
        write("f/requirements.txt", "-r missing.txt\n");
        assert!(Asked::of_file(&own.join("requirements.txt"), &own).is_err());
    }
}
