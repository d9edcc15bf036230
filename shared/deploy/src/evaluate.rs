//! What a template's intrinsic functions evaluate to, without asking AWS.
//!
//! Names that CloudFormation makes up have their longest form, so that what fits here fits there.

use serde_json::{Map, Value};

use crate::place::{Place, replace};

/// The name of the stack, if nothing in the template tells it.
const STACK: &str = "a-stack-with-a-long-name0";
/// The number of random characters at the end of a name that CloudFormation makes up.
const RANDOM: usize = 13;
/// The longest name that CloudFormation makes up for a role or a rule.
const MADE_UP: usize = 64;

/// The properties that name a resource.
pub(crate) const NAMES: [&str; 8] = [
    "FunctionName",
    "QueueName",
    "TableName",
    "BucketName",
    "LogGroupName",
    "AlarmName",
    "Name",
    "RoleName",
];

/// Evaluates values of a template for a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluator<'t> {
    pub(crate) template: &'t Map<String, Value>,
    pub(crate) place: &'t Place,
}

impl Evaluator<'_> {
    /// Returns the value without intrinsic functions.
    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => match intrinsic(members) {
                Some(("Ref", Value::String(id))) => self.reference(id).into(),
                Some(("Fn::GetAtt", path)) => self.attribute(&path_of(path)).into(),
                Some(("Fn::Sub", Value::String(text))) => replace(text, |name| {
                    let is_path = name.contains('.');
                    Some(if is_path { self.attribute(name) } else { self.reference(name) })
                })
                .into(),
                _ => members.iter().map(|(name, one)| (name.clone(), self.value(one))).collect(),
            },
            Value::Array(values) => values.iter().map(|one| self.value(one)).collect(),
            value => value.clone(),
        }
    }

    /// Returns the text that a value evaluates to.
    pub(crate) fn text(&self, value: &Value) -> Option<String> {
        self.value(value).as_str().map(str::to_owned)
    }

    /// Returns the name of a resource in the account: its own, or the longest that CloudFormation
    /// could make up.
    pub(crate) fn name(&self, id: &str) -> String {
        let properties = &self.template["Resources"][id]["Properties"];
        // The name of an alias or of a permission's function is not its own.
        let named = NAMES.iter().find_map(|name| self.text(properties.get(name)?));
        named.unwrap_or_else(|| {
            let made_up = format!("{STACK}-{id}-{}", "X".repeat(RANDOM));
            made_up.chars().take(MADE_UP).collect()
        })
    }

    fn reference(&self, id: &str) -> String {
        if id == "AWS::StackName" {
            return STACK.to_owned();
        }
        if let Some(known) = self.place.pseudo(id) {
            return known.to_owned();
        }
        if let Some(parameter) = self.template.get("Parameters").and_then(|all| all.get(id)) {
            return match parameter.get("Default") {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => "X".repeat(MADE_UP),
            };
        }
        let name = self.name(id);
        match self.kind(id) {
            "AWS::SQS::Queue" => {
                let Place { region, account_id, .. } = self.place;
                let suffix = self.place.url_suffix();
                format!("https://sqs.{region}.{suffix}/{account_id}/{name}")
            }
            _ => name,
        }
    }

    fn attribute(&self, path: &str) -> String {
        let (id, attribute) = path.split_once('.').unwrap_or((path, "Arn"));
        if attribute != "Arn" {
            return self.name(id);
        }
        let (name, partition) = (self.name(id), self.place.partition());
        let Place { region, account_id, .. } = self.place;
        let of = |service: &str, resource: &str| {
            format!("arn:{partition}:{service}:{region}:{account_id}:{resource}{name}")
        };
        match self.kind(id) {
            "AWS::S3::Bucket" => format!("arn:{partition}:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{account_id}:role/{name}"),
            "AWS::Lambda::Function" => of("lambda", "function:"),
            "AWS::SQS::Queue" => of("sqs", ""),
            "AWS::DynamoDB::Table" => of("dynamodb", "table/"),
            "AWS::Logs::LogGroup" => format!("{}:*", of("logs", "log-group:")),
            "AWS::Events::Rule" => of("events", "rule/"),
            _ => of("cloudformation", ""),
        }
    }

    fn kind(&self, id: &str) -> &str {
        self.template["Resources"][id]["Type"].as_str().unwrap_or_default()
    }
}

fn intrinsic(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
    Some((name.as_str(), value))
}

fn path_of(path: &Value) -> String {
    match path {
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
        path => path.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_become_the_names_and_arns_that_they_will_have() {
        let template = json!({ "Parameters": { "Days": { "Type": "Number", "Default": 90 } },
            "Resources": {
                "Queue": { "Type": "AWS::SQS::Queue", "Properties": { "QueueName": "air-q" } },
                "Role": { "Type": "AWS::IAM::Role", "Properties": {} } } });
        let place = Place { account_id: "1".repeat(12), region: "cn-north-1".to_owned() };
        let evaluator = Evaluator { template: template.as_object().expect("a map"), place: &place };
        let text = |value: Value| evaluator.text(&value).expect("a text");
        let url = "https://sqs.cn-north-1.amazonaws.com.cn/111111111111/air-q";
        assert_eq!(text(json!({ "Ref": "Queue" })), url);
        let arn = "arn:aws-cn:sqs:cn-north-1:111111111111:air-q";
        assert_eq!(text(json!({ "Fn::GetAtt": ["Queue", "Arn"] })), arn);
        assert_eq!(text(json!({ "Fn::GetAtt": ["Queue", "QueueName"] })), "air-q");
        assert_eq!(text(json!({ "Fn::Sub": "${Queue.Arn}/${Days}/x" })), format!("{arn}/90/x"));
        let role = text(json!({ "Fn::GetAtt": ["Role", "Arn"] }));
        assert!(role.starts_with("arn:aws-cn:iam::111111111111:role/a-stack"), "{role}");
    }
}
