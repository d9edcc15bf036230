//! Buckets: their names in the project, and their names in an account.
//!
//! A bucket's name is unique in the whole world, so `inbox` of a project is another bucket in every
//! account. Either the user names an existing bucket, or the stack creates
//! `STACK-inbox-ACCOUNT-REGION`. A bucket that the project neither maps nor uses as a trigger keeps
//! its own name.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::StackName;

/// The project's buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    /// The names in the account of existing buckets, by the project's name.
    pub existing: BTreeMap<String, String>,
    /// The buckets that the stack creates, by the project's name.
    pub created: BTreeSet<String>,
}

impl Buckets {
    /// Returns the bucket's name as text for `Fn::Sub`.
    pub fn template_name(&self, bucket: &str) -> String {
        if self.created.contains(bucket) {
            format!("${{AWS::StackName}}-{bucket}-${{AWS::AccountId}}-${{AWS::Region}}")
        } else {
            self.existing.get(bucket).map_or(bucket, String::as_str).to_owned()
        }
    }

    /// Returns the bucket's name in an account.
    pub fn account_name(
        &self,
        bucket: &str,
        stack: &StackName,
        account_id: &str,
        region: &str,
    ) -> String {
        let name = self.template_name(bucket);
        name.replace("${AWS::StackName}", stack.as_str())
            .replace("${AWS::AccountId}", account_id)
            .replace("${AWS::Region}", region)
    }

    /// Returns a definition's text with the `s3://` URIs of the project's buckets pointing at an
    /// account's.
    pub fn rename_in(&self, text: &str, name: impl Fn(&str) -> String) -> String {
        let mut renamed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("s3://") {
            renamed.push_str(before);
            renamed.push_str("s3://");
            let end = after
                .find(|c: char| {
                    !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
                })
                .unwrap_or(after.len());
            let (bucket, tail) = after.split_at(end);
            if self.created.contains(bucket) || self.existing.contains_key(bucket) {
                renamed.push_str(&name(bucket));
            } else {
                renamed.push_str(bucket);
            }
            rest = tail;
        }
        renamed.push_str(rest);
        renamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        Buckets {
            existing: [("inbox".to_owned(), "acme-inbox".to_owned())].into(),
            created: ["lake".to_owned()].into(),
        }
    }

    #[test]
    fn only_whole_names_of_buckets_are_renamed() {
        let text =
            r#"["s3://inbox/a", "s3://inbox-2/b", "s3://lake", "s3://other/inbox/", "s3://"]"#;
        let stack = StackName::parse("air").expect("legal");
        let name =
            |bucket: &str| buckets().account_name(bucket, &stack, "123456789012", "eu-west-1");
        assert_eq!(
            buckets().rename_in(text, name),
            r#"["s3://acme-inbox/a", "s3://inbox-2/b", "s3://air-lake-123456789012-eu-west-1", "s3://other/inbox/", "s3://"]"#
        );
    }
}
