//! Lambda's guard against recursion: a chain of requests may visit a function 16 times.
//!
//! The chain is recognised by the trace header. Lambda hands it to a function, the function's SDK
//! to what it calls, and a destination to what it invokes: `Lineage=HASH:VISITS|HASH:VISITS`, a
//! counter per function. Here a chain ends at S3 and SQS, whose events carry no header.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use sha2::{Digest, Sha256};

/// The part of the header that holds the counters.
const NAME: &str = "Lineage=";

/// Counts a visit of a function.
///
/// Returns the header for the function, and how often the chain has visited it, this time included.
pub(super) fn visit(header: &str, function_arn: &str) -> (String, u32) {
    let hash = hex::encode(&Sha256::digest(function_arn)[..4]);
    let mut parts: Vec<_> = header.split(';').filter(|part| !part.starts_with(NAME)).collect();
    let known = header.split(';').find_map(|part| part.strip_prefix(NAME)).unwrap_or_default();
    let parse = |counter| {
        let (hash, visits) = str::split_once(counter, ':')?;
        Some((hash, visits.parse::<u32>().ok()?))
    };
    let mut counters: Vec<_> = known.split('|').filter_map(parse).collect();
    let found = counters.iter_mut().find(|(known, _)| *known == hash);
    let visits = if let Some((_, visits)) = found {
        *visits = visits.saturating_add(1);
        *visits
    } else {
        counters.push((&hash, 1));
        1
    };
    let texts: Vec<_> = counters.iter().map(|(hash, visits)| format!("{hash}:{visits}")).collect();
    let lineage = format!("{NAME}{}", texts.join("|"));
    parts.push(&lineage);
    (parts.join(";"), visits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_of_a_chain_has_a_counter_of_its_own() {
        let (first, visits) = visit("Root=1-2-3;Parent=4;Sampled=0", "a");
        assert_eq!(visits, 1);
        assert!(first.starts_with("Root=1-2-3;Parent=4;Sampled=0;Lineage="), "{first}");
        let (second, visits) = visit(&first, "b");
        assert_eq!(visits, 1);
        let (third, visits) = visit(&second, "a");
        assert_eq!(visits, 2);
        assert_eq!(third.matches("Lineage=").count(), 1);
        assert_eq!(third.matches(':').count(), 2, "{third}");
    }

    #[test]
    fn a_header_that_is_none_begins_a_chain() {
        for header in ["", "Lineage=", "Lineage=x", "Lineage=x:y|z", "x"] {
            assert_eq!(visit(header, "a").1, 1, "{header}");
        }
    }
}
