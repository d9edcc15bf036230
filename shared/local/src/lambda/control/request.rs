//! What a request asks for, and which of it no function here can have.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;

/// The members of all requests that change functions.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::lambda) struct Asked {
    pub(in crate::lambda) function_name: Option<String>,
    pub(in crate::lambda) runtime: Option<String>,
    pub(in crate::lambda) role: Option<String>,
    pub(in crate::lambda) handler: Option<String>,
    pub(in crate::lambda) description: Option<String>,
    pub(in crate::lambda) timeout: Option<i64>,
    pub(in crate::lambda) memory_size: Option<i64>,
    pub(in crate::lambda) environment: Option<Environment>,
    pub(in crate::lambda) tags: BTreeMap<String, String>,
    pub(in crate::lambda) revision_id: Option<String>,
    pub(in crate::lambda) dry_run: bool,
    pub(in crate::lambda) code: Option<Code>,
    /// The code of `UpdateFunctionCode` is in the request itself.
    #[serde(flatten)]
    pub(in crate::lambda) own_code: Code,
    package_type: Option<String>,
    layers: Option<Value>,
    vpc_config: Option<Value>,
    file_system_configs: Option<Value>,
    dead_letter_config: Option<Value>,
    image_config: Option<Value>,
}

/// Where the code is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::lambda) struct Code {
    /// In base64.
    pub(in crate::lambda) zip_file: Option<String>,
    pub(in crate::lambda) s3_bucket: Option<String>,
    pub(in crate::lambda) s3_key: Option<String>,
    s3_object_version: Option<String>,
    image_uri: Option<String>,
}

/// The variables of a function.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::lambda) struct Environment {
    pub(in crate::lambda) variables: BTreeMap<String, String>,
}

impl Asked {
    pub(in crate::lambda) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bytes = if body.is_empty() { b"{}" } else { body };
        serde_json::from_slice(bytes).map_err(|error| Refusal::NotJson(error.to_string()))
    }

    /// Refuses what functions of this machine do not have.
    pub(in crate::lambda) fn check_supported(&self) -> Result<(), Refusal> {
        let is_set = |value: &Option<Value>| value.as_ref().is_some_and(|value| !is_empty(value));
        let is_image = self.package_type.as_deref() == Some("Image")
            || is_set(&self.image_config)
            || [self.code.as_ref(), Some(&self.own_code)]
                .into_iter()
                .flatten()
                .any(|code| code.image_uri.is_some());
        let refused = [
            (is_image, "container images: give the code as a zip"),
            (is_set(&self.layers), "Layers: put their files into the zip"),
            (
                is_set(&self.vpc_config),
                "VpcConfig: functions here reach the network of this machine",
            ),
            (is_set(&self.file_system_configs), "FileSystemConfigs: put the files into S3"),
            (is_set(&self.dead_letter_config), "DeadLetterConfig: the planner gets what fails"),
        ];
        match refused.into_iter().find(|(is_asked, _)| *is_asked) {
            Some((_, what)) => {
                Err(Refusal::InvalidParameter(format!("The embedded Lambda has no {what}.")))
            }
            None => Ok(()),
        }
    }
}

impl Code {
    /// Refuses versions, which the embedded S3 does not keep.
    pub(in crate::lambda) fn check_version(&self) -> Result<(), Refusal> {
        match &self.s3_object_version {
            Some(version) if !matches!(version.as_str(), "" | "null") => {
                let text =
                    "The embedded S3 keeps no versions of objects: leave S3ObjectVersion out.";
                Err(Refusal::InvalidParameter(text.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns true for a value that asks for nothing, such as the lists that SDKs send empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_function_here_has_is_refused_and_empty_lists_are_not() {
        let check = |text: &str| Asked::parse(text.as_bytes()).expect("JSON").check_supported();
        for text in [
            "{}",
            r#"{"Layers": [], "VpcConfig": {}, "DeadLetterConfig": {"TargetArn": ""}}"#,
            r#"{"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": false}}"#,
            r#"{"PackageType": "Zip", "TracingConfig": {"Mode": "Active"}}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, what) in [
            (r#"{"Layers": ["arn:x"]}"#, "Layers"),
            (r#"{"VpcConfig": {"SubnetIds": ["s"]}}"#, "VpcConfig"),
            (r#"{"PackageType": "Image"}"#, "images"),
            (r#"{"Code": {"ImageUri": "i"}}"#, "images"),
            (r#"{"ImageUri": "i"}"#, "images"),
        ] {
            let refusal = check(text).expect_err(text);
            assert!(refusal.to_string().contains(what), "{text}: {refusal}");
        }
        assert!(matches!(Asked::parse(b"["), Err(Refusal::NotJson(_))));
    }
}
