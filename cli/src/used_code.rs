//! When a copy of code was last used: the time on its folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sidestep_local::lambda::{Code, FunctionConfig};

/// Notes that a command uses the copies of these functions now, so that none of them is old.
pub(crate) fn note_use(state: &Path, functions: &[FunctionConfig]) {
    let store = state.join("functions");
    for function in functions {
        let Code::Process(command) = &function.code else { continue };
        let arguments = command.args.iter().map(PathBuf::from);
        let paths = [Some(command.program.clone()), command.working_dir.clone()];
        for path in paths.into_iter().flatten().chain(arguments) {
            if let Some(copy) = path.ancestors().find(|it| it.parent() == Some(&store)) {
                touch(copy);
            }
        }
    }
}

/// Sets the time of a folder to now. A failure costs a new copy after a collection, and no more.
pub(crate) fn touch(folder: &Path) {
    let touched = File::open(folder).and_then(|folder| folder.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(%error, folder = %folder.display(), "could not note the use of a copy");
    }
}
