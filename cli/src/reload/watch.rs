//! Notices that the files of a project have changed: settings, definitions and code.
//!
//! It compares times and sizes once a second. Nothing relies on it but what is said early: before a
//! trigger starts something, the files themselves are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;
use tokio::time::{Interval, MissedTickBehavior};

use crate::project::{FILE, Project};

/// How often the files are looked at. They count as changed once they rest for this long, because
/// an editor writes a file in several steps.
const PERIOD: Duration = Duration::from_secs(1);

/// Folders that builds and tools write to.
const IGNORED: [&str; 6] = ["target", "__pycache__", "node_modules", "venv", ".venv", ".git"];

/// The times and sizes of files.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// A watch over a project's files.
#[derive(Debug)]
pub(super) struct Watch {
    places: Places,
    ticks: Interval,
    seen: Seen,
    /// A change was seen, and the files have not rested since.
    is_pending: bool,
}

/// What is looked at.
#[derive(Debug, Clone)]
struct Places {
    /// Files, and folders with all below.
    watched: BTreeSet<PathBuf>,
    /// Folders that are no code: the state, and files to upload.
    left_out: BTreeSet<PathBuf>,
}

impl Watch {
    /// Begins to watch. The files count as changed once: they may have been, since the project was
    /// read.
    pub(super) fn new(project: &Project) -> Self {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let places = Places::of(project);
        let seen = places.look();
        Self { places, ticks, seen, is_pending: true }
    }

    /// Waits until something has changed and the files rest again.
    ///
    /// A caller that stops waiting misses nothing: the next call goes on.
    pub(super) async fn changed(&mut self) {
        loop {
            self.ticks.tick().await;
            let places = self.places.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || places.look()).await else {
                continue;
            };
            if now != self.seen {
                self.seen = now;
                self.is_pending = true;
            } else if std::mem::take(&mut self.is_pending) {
                return;
            }
        }
    }
}

impl Places {
    fn of(project: &Project) -> Self {
        let within = |path: &Path| project.folder.join(path);
        let settings = &project.settings;
        let mut watched = BTreeSet::from([project.folder.join(FILE)]);
        watched.extend(settings.pipelines.values().map(|it| within(&it.definition)));
        for function in settings.functions.values() {
            match (&function.package, &function.path) {
                // A package may take code from anywhere in the workspace.
                (Some(_), _) => drop(watched.insert(project.folder.clone())),
                (None, Some(path)) => drop(watched.insert(within(path))),
                (None, None) => {}
            }
        }
        let mut left_out: BTreeSet<_> =
            settings.uploads.iter().map(|it| within(&it.from)).collect();
        left_out.insert(project.state_folder());
        Self { watched, left_out }
    }

    /// Returns the times and sizes of all files now.
    fn look(&self) -> Seen {
        let mut seen = Seen::new();
        for place in &self.watched {
            let left_out = self.left_out.clone();
            let walk = WalkBuilder::new(place)
                .standard_filters(false)
                .follow_links(true)
                .filter_entry(move |entry| {
                    let name = entry.file_name().to_string_lossy();
                    !IGNORED.contains(&&*name) && !left_out.contains(entry.path())
                })
                .build();
            // What cannot be read is reported when the project is read.
            for entry in walk.flatten() {
                if let Ok(facts) = entry.metadata()
                    && facts.is_file()
                {
                    seen.insert(entry.into_path(), (facts.modified().ok(), facts.len()));
                }
            }
        }
        seen
    }
}
