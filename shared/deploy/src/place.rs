//! Where a stack is: partition, region and account. Names are written out for it.
//!
//! CloudFormation takes in a resource that an earlier stack left behind only if its name is a text.
//! A name with `Ref` or `Fn::Sub` does not count
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html>).

use serde_json::{Map, Value};

use crate::name::StackName;

/// Partitions by the beginning of their regions' names, with the suffix of their hosts.
const PARTITIONS: [(&str, &str, &str); 6] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("", "aws", "amazonaws.com"),
];

/// An account and a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub account_id: String,
    pub region: String,
}

impl Place {
    /// Returns the place with the longest names, for a template that is not for one place yet.
    pub fn worst() -> Self {
        Self { account_id: "123456789012".to_owned(), region: "ap-northeast-1".to_owned() }
    }

    /// Returns the first part of ARNs after `arn`, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &'static str {
        self.row().1
    }

    /// Returns the end of the names of AWS's hosts, such as `amazonaws.com`.
    pub fn url_suffix(&self) -> &'static str {
        self.row().2
    }

    fn row(&self) -> &'static (&'static str, &'static str, &'static str) {
        let of_region = |(begin, _, _): &&(&str, &str, &str)| self.region.starts_with(begin);
        PARTITIONS.iter().find(of_region).expect("the last row is of every region")
    }

    /// Returns the value of a pseudo parameter that follows from the place.
    pub(crate) fn pseudo(&self, name: &str) -> Option<&str> {
        match name {
            "AWS::AccountId" => Some(&self.account_id),
            "AWS::Region" => Some(&self.region),
            "AWS::Partition" => Some(self.partition()),
            "AWS::URLSuffix" => Some(self.url_suffix()),
            _ => None,
        }
    }
}

/// Writes the stack's name out wherever the template refers to it, and account, region and
/// partition if they are known.
pub(crate) fn write_out(template: &mut Map<String, Value>, stack: &StackName, at: Option<&Place>) {
    let known = |name: &str| match name {
        "AWS::StackName" => Some(stack.as_str()),
        name => at.and_then(|place| place.pseudo(name)),
    };
    template.values_mut().for_each(|value| write(value, &known));
}

fn write<'k>(value: &mut Value, known: &impl Fn(&str) -> Option<&'k str>) {
    if let Some(text) = written(value, known) {
        *value = text;
        return;
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| write(member, known)),
        Value::Array(values) => values.iter_mut().for_each(|member| write(member, known)),
        _ => {}
    }
}

/// Returns what replaces a reference or a substitution, if anything in it is known.
fn written<'k>(value: &Value, known: &impl Fn(&str) -> Option<&'k str>) -> Option<Value> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    if let Some(name) = members.get("Ref").and_then(Value::as_str) {
        return known(name).map(|text| text.to_owned().into());
    }
    let text = members.get("Fn::Sub")?.as_str()?;
    Some(crate::resource::sub(replace(text, |name| known(name).map(str::to_owned))))
}

/// Replaces the `${NAME}` of a text that `known` has a value for.
pub(crate) fn replace(text: &str, known: impl Fn(&str) -> Option<String>) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        written.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = &rest[before.len()..];
            break;
        };
        match known(name) {
            Some(value) => written.push_str(&value),
            None => written.extend(["${", name, "}"]),
        }
        rest = tail;
    }
    written.push_str(rest);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_known_is_written_and_the_rest_stays_a_reference() {
        let stack = StackName::parse("air").expect("legal");
        let place = Place { account_id: "1".repeat(12), region: "cn-north-1".to_owned() };
        let written = |value: Value, at: Option<&Place>| {
            let mut template: Map<_, _> = [("V".to_owned(), value)].into_iter().collect();
            write_out(&mut template, &stack, at);
            template.remove("V").expect("it was there")
        };
        let sub = |text: &str| json!({ "Fn::Sub": text });
        assert_eq!(written(json!({ "Ref": "AWS::StackName" }), None), json!("air"));
        assert_eq!(written(json!({ "Ref": "Table" }), Some(&place)), json!({ "Ref": "Table" }));
        assert_eq!(written(sub("${AWS::StackName}-x"), None), json!("air-x"));
        let bucket = "${AWS::StackName}-x-${AWS::AccountId}-${AWS::Region}";
        assert_eq!(written(sub(bucket), None), sub("air-x-${AWS::AccountId}-${AWS::Region}"));
        assert_eq!(written(sub(bucket), Some(&place)), json!("air-x-111111111111-cn-north-1"));
        let arn = json!([sub("arn:${AWS::Partition}:s3:::${Table.Arn}")]);
        assert_eq!(written(arn, Some(&place)), json!([sub("arn:aws-cn:s3:::${Table.Arn}")]));
        assert_eq!(replace("a${", |_| None), "a${");
    }

    #[test]
    fn hosts_end_as_in_their_partition() {
        let suffix = |region: &str| {
            Place { account_id: String::new(), region: region.to_owned() }.url_suffix()
        };
        assert_eq!(suffix("eu-west-1"), "amazonaws.com");
        assert_eq!(suffix("cn-northwest-1"), "amazonaws.com.cn");
        assert_eq!(suffix("us-isob-east-1"), "sc2s.sgov.gov");
    }
}
