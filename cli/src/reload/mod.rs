//! Keeps what `up` and `serve` serve as new as the project's files.
//!
//! The trigger asks before each start, so no upload meets an old definition or old code, however
//! shortly after an edit it comes. Watching the files ([`watch`]) only makes the new version known
//! earlier: on the terminal, and to a `run` that joins.

mod watch;

use std::sync::OnceLock;

use async_trait::async_trait;
use sidestep_engine::ports::BoxError;
use sidestep_engine::ports::freshness::Freshness;
use tokio::sync::{mpsc, oneshot};

use crate::output::error::CommandError;
use crate::published::Published;
use crate::reload::watch::Watch;
use crate::served::Served;
use crate::session::Session;

/// A trigger's question whether what is served is new. The answer says why it cannot be.
pub(crate) type Ask = oneshot::Sender<Option<String>>;

/// Takes the questions of triggers to the task that owns the session.
///
/// Until it is opened, what was read when the command began counts as new.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    asks: OnceLock<mpsc::UnboundedSender<Ask>>,
}

#[async_trait]
impl Freshness for Gate {
    async fn refresh(&self) -> Result<Option<String>, BoxError> {
        let Some(asks) = self.asks.get() else { return Ok(None) };
        let (answer, answered) = oneshot::channel();
        asks.send(answer).map_err(|_| "the command is ending")?;
        Ok(answered.await.map_err(|_| "the command is ending")?)
    }
}

/// Replaces what a session serves when the project's files have changed.
#[derive(Debug)]
pub(crate) struct Reloader {
    served: Served,
    /// If false, what the command began with is kept, and changes are only told.
    replaces: bool,
    asks: mpsc::UnboundedReceiver<Ask>,
    watch: Option<Watch>,
    /// What was told last: why the files cannot be used, or which changes are not.
    told: Option<String>,
}

impl Reloader {
    /// Opens the gate: from now on triggers wait for [`Reloader::answer`].
    pub(crate) fn new(served: Served, gate: &Gate, replaces: bool) -> Self {
        let (sender, asks) = mpsc::unbounded_channel();
        // A gate has one reloader.
        let _ = gate.asks.set(sender);
        let mut reloader = Self { served, replaces, asks, watch: None, told: None };
        reloader.watch_files();
        reloader
    }

    fn watch_files(&mut self) {
        self.watch = self.replaces.then(|| Watch::new(&self.served.project));
    }

    /// Waits until a trigger asks or the files have changed, and returns the triggers that wait for
    /// an answer.
    pub(crate) async fn asked(&mut self) -> Vec<Ask> {
        let asks = &mut self.asks;
        let changed = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let mut waiting = tokio::select! {
            Some(ask) = asks.recv() => vec![ask],
            () = changed => Vec::new(),
        };
        // One look at the files answers all that have asked by now.
        while let Ok(ask) = asks.try_recv() {
            waiting.push(ask);
        }
        waiting
    }

    /// Brings `session` up to the files and answers the triggers that wait.
    pub(crate) async fn answer(&mut self, session: &Session, waiting: Vec<Ask>) {
        let stale = self.refresh(session).await;
        for ask in waiting {
            // A trigger that stopped waiting asks again.
            let _ = ask.send(stale.clone());
        }
    }

    /// Serves the project's files as they are now, and says so. Returns why they cannot be served.
    async fn refresh(&mut self, session: &Session) -> Option<String> {
        let folder = self.served.project.folder.clone();
        let read = tokio::task::spawn_blocking(move || Served::read(Some(&folder)))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error).into()));
        let newer = match read {
            Ok(newer) => newer,
            Err(_) if !self.replaces => return None,
            Err(error) => return Some(self.refuse(session, &error)),
        };
        let changes = self.served.changes_to(&newer);
        if !self.replaces {
            self.tell_kept(&changes);
            return None;
        }
        if changes.is_empty() {
            if self.told.take().is_some() {
                eprintln!("the project's files are again as they are served");
                self.publish(session, None);
            }
            return None;
        }
        if let Err(error) = session.replace(&self.served, &newer).await {
            return Some(self.refuse(session, &error));
        }
        newer.note_left_out();
        self.served = newer;
        self.told = None;
        self.publish(session, None);
        eprintln!("the project has changed; the next execution uses: {}", changes.join(", "));
        self.watch_files();
        None
    }

    /// Says once that the files cannot be used, and returns why.
    fn refuse(&mut self, session: &Session, error: &CommandError) -> String {
        let reason =
            format!("`sidestep up` cannot use the project as it is now: {}", error.with_details());
        if self.told.as_deref() != Some(&reason) {
            eprintln!("error: {reason}");
            eprintln!("until this is fixed, an upload leaves an execution of status Failed");
            self.publish(session, Some(reason.clone()));
            self.told = Some(reason.clone());
        }
        reason
    }

    /// Says once which changes are not used.
    fn tell_kept(&mut self, changes: &[String]) {
        if changes.is_empty() {
            self.told = None;
            return;
        }
        let text = changes.join(", ");
        if self.told.as_deref() != Some(&text) {
            eprintln!(
                "note: the project has changed since this command began, which keeps what it had (`--no-watch`): {text}"
            );
            self.told = Some(text);
        }
    }

    fn publish(&self, session: &Session, stale: Option<String>) {
        let mut published = self.published();
        published.stale = stale;
        if let Err(error) = published.write(&session.state) {
            eprintln!("note: {}", error.one_line());
        }
    }

    /// Returns what other commands are told.
    pub(crate) fn published(&self) -> Published {
        Published::new(&self.served.functions, self.replaces)
    }
}
