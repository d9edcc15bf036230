//! Log lines of functions, from CloudWatch Logs.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;

use super::error::{DeployError, code, service};

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// An id that is unique in the account.
    pub id: String,
    pub at_ms: i64,
    pub text: String,
}

/// The logs of an account and region.
#[derive(Debug, Clone)]
pub struct CloudLogs {
    client: Client,
}

impl CloudLogs {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Returns the lines of a function since `since_ms` that hold all of `words`, oldest first.
    ///
    /// A line can be found some seconds after it was written. A function that never ran has no
    /// lines.
    pub async fn lines(
        &self,
        function_name: &str,
        words: &[&str],
        since_ms: i64,
    ) -> Result<Vec<LogLine>, DeployError> {
        let group = format!("/aws/lambda/{function_name}");
        let pattern: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let mut lines = Vec::new();
        let mut next = None;
        loop {
            let request = self
                .client
                .filter_log_events()
                .log_group_name(&group)
                .filter_pattern(pattern.join(" "))
                .start_time(since_ms)
                .set_next_token(next);
            let page = match request.send().await {
                Err(error) if code(&error) == Some("ResourceNotFoundException") => break,
                page => page.map_err(service("read log group", &group))?,
            };
            lines.extend(page.events().iter().map(|event| LogLine {
                id: event.event_id().unwrap_or_default().to_owned(),
                at_ms: event.timestamp().unwrap_or_default(),
                text: event.message().unwrap_or_default().trim_end().to_owned(),
            }));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        lines.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        Ok(lines)
    }
}
