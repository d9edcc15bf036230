//! URLs of queues, which Callback steps name literally.

/// Returns true for `http://` or `https://` and a host, without white space.
pub(super) fn is_queue_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && !rest.chars().any(|c| c.is_whitespace() || c.is_control())
    })
}

/// Returns true for the URL of a FIFO queue. SQS refuses messages to one that name no group, as
/// those of Callback steps.
pub(super) fn is_fifo(url: &str) -> bool {
    url.trim_end_matches('/').strip_suffix(".fifo").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_http_urls() {
        assert!(is_queue_url("https://sqs.us-east-1.amazonaws.com/123456789012/work"));
        assert!(is_queue_url("http://127.0.0.1:4566/000000000000/q"));
        for text in
            ["", "https://", "sqs://a/b", "arn:aws:sqs:us-east-1:1:q", "https://a b", "https:///q"]
        {
            assert!(!is_queue_url(text), "{text}");
        }
    }
}
