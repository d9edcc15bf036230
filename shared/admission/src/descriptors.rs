//! How many files and sockets this process may open, and how many of them listeners may use.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most descriptors that are asked for: macOS refuses more.
const WANTED: u64 = 10_240;
/// Descriptors that no connection gets: files, databases, pipes and sockets to functions.
const RESERVED: u64 = 96;
/// How many listeners the command has at most: four services and the API.
const LISTENERS: u64 = 5;
/// The bounds of a listener's connections.
const FEWEST: u64 = 8;
const MOST: u64 = 512;

/// Raises the soft limit of descriptors as far as the system lets this process.
///
/// Does nothing the second time. Without it a burst of uploads can use up the 256 of macOS.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files is left as it is");
    }
}

/// Returns how many connections one listener may hold, so that the reserved descriptors stay free.
pub fn connections_per_listener() -> usize {
    share(getrlimit(Resource::Nofile).current)
}

fn share(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let share = (descriptors.saturating_sub(RESERVED) / LISTENERS).clamp(FEWEST, MOST);
    usize::try_from(share).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_leave_the_reserved_descriptors_free() {
        let cases = [(None, 512), (Some(10_240), 512), (Some(256), 32), (Some(200), 20)];
        for (descriptors, connections) in cases {
            assert_eq!(share(descriptors), connections, "{descriptors:?}");
        }
        assert_eq!(share(Some(20)), 8);
    }
}
