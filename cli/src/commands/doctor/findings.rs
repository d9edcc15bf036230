//! The findings of `sidestep doctor`, printed as they are found.

use crate::output::error::CommandError;

/// Counts what is right and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) right: usize,
    pub(super) wrong: usize,
}

impl Findings {
    pub(super) fn right(&mut self, what: &str) {
        self.right += 1;
        println!("ok     {what}");
    }

    pub(super) fn wrong(&mut self, what: &str, hint: &str) {
        self.wrong += 1;
        println!("wrong  {what}: {hint}");
    }

    pub(super) fn check(&mut self, is_right: bool, what: &str, hint: &str) {
        if is_right { self.right(what) } else { self.wrong(what, hint) }
    }

    pub(super) fn result<E: Into<CommandError>>(&mut self, what: &str, result: Result<(), E>) {
        match result {
            Ok(()) => self.right(what),
            Err(error) => self.wrong(what, &error.into().one_line()),
        }
    }
}
