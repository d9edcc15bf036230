//! The conditions of a statement.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::collections::BTreeMap;

use serde_json::Value;

use super::element::{PolicyError, texts};
use super::pattern::{is_arn_match, is_match};

/// How a value of the request is compared with one of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equals,
    EqualsIgnoringCase,
    Like,
    Arn,
    Bool,
    /// True if the key must be absent.
    Null,
}

/// How the values of a key with several values count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Single,
    ForAll,
    ForAny,
}

/// One key with its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    comparison: Comparison,
    set: Set,
    is_negated: bool,
    if_exists: bool,
    /// In lower case, because keys are compared without case.
    key: String,
    values: Vec<String>,
}

/// Reads the conditions of a statement, all of which must hold.
pub(super) fn read(conditions: &Value) -> Result<Vec<Condition>, PolicyError> {
    let mut read = Vec::new();
    for (operator, keys) in conditions.as_object().into_iter().flatten() {
        let keys = keys.as_object().ok_or_else(|| PolicyError::Element(operator.clone()))?;
        for (key, values) in keys {
            read.push(Condition::read(operator, key, texts(values)?)?);
        }
    }
    Ok(read)
}

impl Condition {
    fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, PolicyError> {
        let (set, name) = match operator.split_once(':') {
            None => (Set::Single, operator),
            Some(("ForAllValues", name)) => (Set::ForAll, name),
            Some(("ForAnyValue", name)) => (Set::ForAny, name),
            Some(_) => return Err(PolicyError::Operator(operator.to_owned())),
        };
        let (name, if_exists) =
            name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (comparison, is_negated) = match name {
            "StringEquals" => (Comparison::Equals, false),
            "StringNotEquals" => (Comparison::Equals, true),
            "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoringCase, false),
            "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoringCase, true),
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
            "Bool" => (Comparison::Bool, false),
            "Null" if !if_exists => (Comparison::Null, false),
            _ => return Err(PolicyError::Operator(operator.to_owned())),
        };
        Ok(Self { comparison, set, is_negated, if_exists, key: key.to_ascii_lowercase(), values })
    }

    /// Returns true if the condition holds for a request with these keys.
    pub(super) fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let found = context.get(&self.key).map_or(&[][..], Vec::as_slice);
        if self.comparison == Comparison::Null {
            return self.values.iter().any(|value| (value == "true") == found.is_empty());
        }
        if found.is_empty() {
            return match self.set {
                Set::Single => self.is_negated || self.if_exists,
                Set::ForAll => true,
                Set::ForAny => self.if_exists,
            };
        }
        let is_met = |value: &String| {
            self.values.iter().any(|wanted| self.is_same(wanted, value)) != self.is_negated
        };
        match self.set {
            // A key that is meant to have one value matches nothing if it has more.
            Set::Single => found.len() == 1 && found.iter().all(is_met),
            Set::ForAll => found.iter().all(is_met),
            Set::ForAny => found.iter().any(is_met),
        }
    }

    fn is_same(&self, wanted: &str, value: &str) -> bool {
        match self.comparison {
            Comparison::Equals => wanted == value,
            Comparison::EqualsIgnoringCase | Comparison::Bool => wanted.eq_ignore_ascii_case(value),
            Comparison::Like => is_match(wanted, value),
            Comparison::Arn => is_arn_match(wanted, value),
            Comparison::Null => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(conditions: &Value, context: &[(&str, &[&str])]) -> bool {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let context = context.iter().map(|(key, all)| ((*key).to_owned(), values(all))).collect();
        let read = read(conditions).expect("legal");
        read.iter().all(|condition| condition.holds(&context))
    }

    #[test]
    fn conditions_hold_as_aws_documents_them() {
        let prefix = |operator: &str, value: &str| json!({ operator: { "s3:prefix": value } });
        let cases: Vec<(Value, &[&str], bool)> = vec![
            (prefix("StringEquals", "a"), &["a"], true),
            (prefix("StringEquals", "a"), &["A"], false),
            (prefix("StringEquals", "a*"), &["ab"], false),
            (prefix("StringEquals", "a"), &[], false),
            (prefix("StringEqualsIfExists", "a"), &[], true),
            (prefix("StringEqualsIfExists", "a"), &["b"], false),
            (prefix("StringEqualsIgnoreCase", "a"), &["A"], true),
            (prefix("StringNotEquals", "a"), &["b"], true),
            (prefix("StringNotEquals", "a"), &["a"], false),
            // A missing key meets a negated operator.
            (prefix("StringNotEquals", "a"), &[], true),
            (prefix("StringLike", "runs/*"), &["runs/p"], true),
            (prefix("StringLike", "runs/*"), &["run"], false),
            (prefix("StringNotLike", "runs/*"), &["run"], true),
            (prefix("Null", "true"), &[], true),
            (prefix("Null", "true"), &["a"], false),
            (prefix("Null", "false"), &["a"], true),
            // The values of a key are alternatives; of a negated operator, none may match.
            (json!({ "StringEquals": { "s3:prefix": ["a", "b"] } }), &["b"], true),
            (json!({ "StringNotEquals": { "s3:prefix": ["a", "b"] } }), &["b"], false),
            // Operators and keys must all hold.
            (
                json!({ "StringLike": { "s3:prefix": "a*" }, "StringNotLike": { "s3:prefix": "ab*" } }),
                &["abc"],
                false,
            ),
            (json!({ "StringEquals": { "s3:prefix": "a", "s3:delimiter": "/" } }), &["a"], false),
            // Keys are compared without case.
            (json!({ "StringEquals": { "S3:Prefix": "a" } }), &["a"], true),
        ];
        for (conditions, values, wanted) in cases {
            assert_eq!(
                holds(&conditions, &[("s3:prefix", values)]),
                wanted,
                "{conditions} on {values:?}"
            );
        }
    }

    #[test]
    fn keys_with_several_values_are_compared_one_by_one() {
        let all = |set: &str| json!({ format!("{set}:StringLike"): { "dynamodb:LeadingKeys": ["E#*", "P#air"] } });
        let cases: [(&str, &[&str], bool); 8] = [
            ("ForAllValues", &["E#1", "P#air"], true),
            ("ForAllValues", &["E#1", "P#sea"], false),
            ("ForAllValues", &["W"], false),
            // No key at all passes, which is why `Null` is often beside it.
            ("ForAllValues", &[], true),
            ("ForAnyValue", &["W", "E#1"], true),
            ("ForAnyValue", &["W"], false),
            ("ForAnyValue", &[], false),
            ("ForAnyValue", &["P#air"], true),
        ];
        for (set, values, wanted) in cases {
            let context = [("dynamodb:leadingkeys", values)];
            assert_eq!(holds(&all(set), &context), wanted, "{set} on {values:?}");
        }
        let single = json!({ "StringLike": { "dynamodb:LeadingKeys": "*" } });
        assert!(!holds(&single, &[("dynamodb:leadingkeys", &["E#1", "E#2"])]));
    }

    #[test]
    fn arns_and_booleans_have_operators_of_their_own() {
        let source = json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:s3:::air-*" } });
        assert!(holds(&source, &[("aws:sourcearn", &["arn:aws:s3:::air-inbox"])]));
        assert!(!holds(&source, &[("aws:sourcearn", &["arn:aws:sns:::air-inbox"])]));
        let insecure = json!({ "Bool": { "aws:SecureTransport": "false" } });
        assert!(holds(&insecure, &[("aws:securetransport", &["false"])]));
        assert!(!holds(&insecure, &[("aws:securetransport", &["true"])]));
        assert!(!holds(&insecure, &[]));
    }

    #[test]
    fn an_operator_that_is_not_known_is_refused() {
        for operator in
            ["NumericLessThan", "DateGreaterThan", "IpAddress", "Stringequal", "ForSome:Bool"]
        {
            let error = read(&json!({ operator: { "aws:X": "1" } })).expect_err("unknown");
            assert_eq!(error, PolicyError::Operator(operator.to_owned()));
        }
    }
}
