//! Addresses that a step names literally: a function, a queue.

/// What may stand in `FunctionArn`, in words.
pub(super) const FUNCTION_ALLOWED: &str =
    "a function's name of 1 to 64 letters, digits, `-` and `_`, or its ARN";

/// A function's name from `sidestep.toml`, or a full Lambda ARN, with or without a version or alias.
pub(super) fn is_function(text: &str) -> bool {
    is_name(text, 64) || is_function_arn(text)
}

/// `arn:aws[-...]:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]` [Lambda's service model, `FunctionArn`].
fn is_function_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(9, ':').collect();
    let [arn, partition, service, region, account, resource, name, qualifier @ ..] =
        parts.as_slice()
    else {
        return false;
    };
    let is_lower = |text: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    *arn == "arn"
        && (*partition == "aws" || partition.starts_with("aws-"))
        && is_lower(partition)
        && *service == "lambda"
        && !region.is_empty()
        && is_lower(region)
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && *resource == "function"
        && is_name(name, 64)
        && match qualifier {
            [] => true,
            [one] => *one == "$LATEST" || is_name(one, 128),
            _ => false,
        }
}

fn is_name(text: &str, limit: usize) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=limit).contains(&text.len()) && text.bytes().all(is_word)
}

/// `http://` or `https://`, a host, no white space.
pub(super) fn is_queue_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && !rest.chars().any(|c| c.is_whitespace() || c.is_control())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_names_or_full_arns() {
        for text in [
            "etl",
            "etl_2-x",
            "arn:aws:lambda:us-east-1:123456789012:function:etl",
            "arn:aws:lambda:us-east-1:123456789012:function:etl:7",
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:etl:$LATEST",
        ] {
            assert!(is_function(text), "{text}");
        }
        for text in [
            "",
            "a b",
            "a/b",
            "../etl",
            "etl:7",
            &"x".repeat(65),
            "arn:aws:lambda:us-east-1:12345678901:function:etl",
            "arn:aws:lambda:us-east-1:123456789012:layer:etl",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            "arn:aws:lambda:us-east-1:123456789012:function:etl:7:8",
            "arn:aws:sqs:us-east-1:123456789012:etl",
            "arn:gcp:lambda:us-east-1:123456789012:function:etl",
        ] {
            assert!(!is_function(text), "{text}");
        }
    }

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
