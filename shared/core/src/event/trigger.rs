//! Triggers: which uploads start which pipeline, and with which parameters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::function_ref::FunctionRef;
use crate::event::batch::Part;
use crate::event::s3::CreatedObject;
use crate::execution::start::Uploaded;
use crate::name::{ParameterName, PipelineName};
use crate::parse::Format;
use crate::uri::S3Uri;

/// Says which uploads start which pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Trigger {
    pub pipeline_name: PipelineName,
    /// The registered definition.
    pub definition_digest: String,
    pub definition_format: Format,
    pub bucket: String,
    pub prefix: String,
    pub suffix: String,
    /// Values by parameter. A value such as `$.uri` is taken from the object, see
    /// [`Trigger::parameters_for`].
    pub parameters: BTreeMap<String, String>,
    /// All uploads within so many seconds start one execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_seconds: Option<u32>,
    /// Functions that cannot run in this deployment, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<FunctionRef, String>,
}

/// Names of an object's properties, which follow `$.` in a parameter's value.
pub const OBJECT_PROPERTIES: [&str; 8] =
    ["uri", "bucket", "key", "name", "stem", "version", "etag", "size"];

/// Names of a batch's properties, for a trigger with `batch_seconds`.
pub const BATCH_PROPERTIES: [&str; 2] = ["listing", "count"];

impl Trigger {
    /// Returns a key that is unique per trigger.
    pub fn identity(&self) -> String {
        format!("{}\0{}\0{}\0{}", self.pipeline_name, self.bucket, self.prefix, self.suffix)
    }

    /// Returns the parameters of an execution for a part of a batch.
    ///
    /// `$.listing` is the URI of a JSON document that names the part's objects, and `$.count` their
    /// number.
    pub fn parameters_for_part(&self, part: &Part) -> BTreeMap<String, String> {
        let value = |template: &String| match template.as_str() {
            "$.listing" => part.listing.to_string(),
            "$.count" => part.count.to_string(),
            _ => template.clone(),
        };
        self.parameters.iter().map(|(name, template)| (name.clone(), value(template))).collect()
    }

    /// Returns true if the object is an upload of this trigger.
    pub fn matches(&self, object: &CreatedObject) -> bool {
        object.bucket == self.bucket
            && object.key.starts_with(&self.prefix)
            && object.key.ends_with(&self.suffix)
            // The prefix and the suffix may not share characters.
            && object.key.len() >= self.prefix.len() + self.suffix.len()
    }

    /// Returns the upload of `object` with the parameters that take anything of it.
    pub fn uploaded(&self, object: &CreatedObject) -> Uploaded {
        let version = object.version_id.clone().unwrap_or_else(|| object.etag.clone());
        self.upload_of(S3Uri::new(object.bucket.clone(), object.key.clone()), version)
    }

    /// Returns the listing of a part of a batch as an upload.
    pub fn uploaded_part(&self, part: &Part) -> Uploaded {
        self.upload_of(part.listing.clone(), part.number.to_string())
    }

    fn upload_of(&self, uri: S3Uri, version: String) -> Uploaded {
        let taken = self.parameters.iter().filter(|(_, template)| template.starts_with("$."));
        let names = taken.filter_map(|(name, _)| ParameterName::parse(name).ok());
        Uploaded { uri, version, parameters: names.collect() }
    }

    /// Returns the parameters of an execution for `object`.
    ///
    /// `$.name` is the part of the key after the last `/`, and `$.stem` the part between the
    /// trigger's prefix and suffix.
    pub fn parameters_for(&self, object: &CreatedObject) -> BTreeMap<String, String> {
        let value = |template: &String| match template.strip_prefix("$.") {
            Some("uri") => S3Uri::new(object.bucket.clone(), object.key.clone()).to_string(),
            Some("bucket") => object.bucket.clone(),
            Some("key") => object.key.clone(),
            Some("name") => object.key.rsplit('/').next().unwrap_or_default().to_owned(),
            Some("stem") => {
                let rest = object.key.strip_prefix(&self.prefix).unwrap_or(&object.key);
                rest.strip_suffix(&self.suffix).unwrap_or(rest).to_owned()
            }
            Some("version") => object.version_id.clone().unwrap_or_default(),
            Some("etag") => object.etag.clone(),
            Some("size") => object.size.to_string(),
            _ => template.clone(),
        };
        self.parameters.iter().map(|(name, template)| (name.clone(), value(template))).collect()
    }
}

/// Returns true if an object at `uri`, or below it if that is a prefix, would match a trigger with
/// this prefix and suffix.
pub fn meets(prefix: &str, suffix: &str, uri: &S3Uri) -> bool {
    let key = uri.key();
    if uri.is_prefix() || key.is_empty() {
        return key.starts_with(prefix) || prefix.starts_with(key);
    }
    key.len() >= prefix.len() + suffix.len() && key.starts_with(prefix) && key.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> CreatedObject {
        CreatedObject {
            bucket: "inbox".to_owned(),
            key: key.to_owned(),
            size: 7,
            etag: "e".to_owned(),
            version_id: None,
            sequencer: "01".to_owned(),
            at_ms: None,
        }
    }

    fn trigger(parameters: &[(&str, &str)]) -> Trigger {
        let parameters =
            parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Trigger {
            pipeline_name: PipelineName::parse("flights").expect("legal"),
            definition_digest: String::new(),
            definition_format: Format::Json,
            bucket: "inbox".to_owned(),
            prefix: "flights/".to_owned(),
            suffix: ".csv.gz".to_owned(),
            parameters,
            batch_seconds: None,
            left_out: BTreeMap::new(),
        }
    }

    #[test]
    fn an_upload_feeds_the_parameters() {
        let trigger =
            trigger(&[("Uri", "$.uri"), ("Month", "$.stem"), ("Stage", "beta"), ("N", "$.name")]);
        let parameters = trigger.parameters_for(&object("flights/2013-04.csv.gz"));
        assert_eq!(parameters["Uri"], "s3://inbox/flights/2013-04.csv.gz");
        assert_eq!(
            (parameters["Month"].as_str(), parameters["Stage"].as_str()),
            ("2013-04", "beta")
        );
        assert_eq!(parameters["N"], "2013-04.csv.gz");
    }

    #[test]
    fn what_a_step_writes_meets_a_trigger_that_would_hear_of_it() {
        let uri = |text: &str| S3Uri::parse(text).expect("a URI");
        for text in ["s3://inbox/in/", "s3://inbox/in/deep/", "s3://inbox/", "s3://inbox/in/x.csv"]
        {
            assert!(meets("in/", ".csv", &uri(text)), "{text}");
        }
        for text in
            ["s3://inbox/out/", "s3://inbox/in/x.txt", "s3://inbox/inx/", "s3://inbox/x.csv"]
        {
            assert!(!meets("in/", ".csv", &uri(text)), "{text}");
        }
        assert!(meets("", "", &uri("s3://inbox/any/thing")));
    }

    #[test]
    fn only_keys_between_prefix_and_suffix_match() {
        let trigger = trigger(&[]);
        assert!(trigger.matches(&object("flights/a b+%é.csv.gz")));
        for key in ["flights/2013.csv", "other/2013.csv.gz", "flights.csv.gz"] {
            assert!(!trigger.matches(&object(key)), "{key}");
        }
    }
}
