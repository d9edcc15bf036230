//! Logs of the embedded cloud, from the files that its Lambda host writes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use sidestep_core::definition::Pipeline;
use sidestep_core::name::StepName;

use super::elsewhere;
use super::request::LogsRequest;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::printable::block;
use crate::output::stream::reader_left;
use crate::project::Project;
use crate::session::Session;
use crate::source_paths::SourcePaths;

/// How often the file of a running execution is read again.
const POLL: Duration = Duration::from_millis(200);

pub(super) async fn logs(
    project: &Project,
    request: &LogsRequest<'_>,
) -> Result<ExitStatus, CommandError> {
    let session = Session::read(project).await?;
    let result = print(&session, request).await;
    session.close(Duration::ZERO).await;
    result
}

async fn print(session: &Session, request: &LogsRequest<'_>) -> Result<ExitStatus, CommandError> {
    let (id, loaded) = request.load(session).await?;
    let step = request.step.as_ref();
    let reader = Reader { step, pipeline: &loaded.pipeline, sources: &session.sources };
    let path = session.state.join("logs").join(format!("{id}.log"));
    let mut position = 0;
    loop {
        // Asked before reading, so that the last lines of a finished execution are not missed.
        let is_over = session.engine.load(&id).await?.execution.status.is_over();
        match copy(&path, position, &reader) {
            Ok(end) => position += end,
            // The reader of stdout has left.
            Err(error) if reader_left(&error) => return Ok(ExitStatus::Succeeded),
            Err(error) => return Err(error.into()),
        }
        if !request.follow || is_over {
            for note in
                elsewhere::notes(&*session.engine.earlier(&id).await?, request.step.as_ref())
            {
                eprintln!("note: {note}");
            }
            return Ok(ExitStatus::Succeeded);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Prints the file from `position` on and returns how many bytes were printed.
///
/// Lines are in order of step and attempt, and each begins with its attempt's name.
fn copy(path: &Path, position: u64, reader: &Reader<'_>) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // No function has been invoked yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // An unfinished line is printed next time.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines: Vec<_> = text.lines().filter_map(|line| Line::of(line, reader.step)).collect();
    lines.sort_by_key(|line| (line.step.len(), line.step, line.attempt));
    let mut out = std::io::stdout().lock();
    for Line { step, attempt, at, message } in lines {
        let message = reader.named(step, message);
        writeln!(out, "{}/{attempt} {}\t{}", block(step), block(at), block(&message))?;
    }
    u64::try_from(end).map_err(io::Error::other)
}

/// What is read, and how the files in it are named.
struct Reader<'a> {
    step: Option<&'a StepName>,
    pipeline: &'a Pipeline,
    sources: &'a SourcePaths,
}

impl Reader<'_> {
    /// Returns a message of a step with the paths of the user's files.
    fn named<'a>(&self, step: &str, message: &'a str) -> Cow<'a, str> {
        let index = StepName::parse(step).ok().and_then(|name| self.pipeline.find(&name));
        index.map_or(message.into(), |index| self.sources.of_step(self.pipeline, index, message))
    }
}

struct Line<'a> {
    step: &'a str,
    attempt: u32,
    at: &'a str,
    message: &'a str,
}

impl<'a> Line<'a> {
    /// Parses a line; returns `None` if it is not one of the wanted step.
    fn of(line: &'a str, wanted: Option<&StepName>) -> Option<Self> {
        let mut parts = line.splitn(3, '\t');
        let (at, name, message) = (parts.next()?, parts.next()?, parts.next()?);
        let (step, attempt) = name.split_once('/')?;
        let attempt = attempt.parse().ok()?;
        wanted.is_none_or(|wanted| wanted.as_str() == step).then_some(Self {
            step,
            attempt,
            at,
            message,
        })
    }
}
