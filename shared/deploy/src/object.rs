//! The ARNs of buckets and objects of a project.

use serde_json::Value;

use crate::access::Reach;
use crate::blueprint::Blueprint;
use crate::resource::sub;

/// Returns the bucket's ARN as text for `Fn::Sub`.
pub(crate) fn bucket_arn(blueprint: &Blueprint, bucket: &str) -> String {
    format!("arn:${{AWS::Partition}}:s3:::{}", blueprint.buckets.template_name(bucket))
}

/// Returns the ARN of the objects that `reach` covers.
pub(crate) fn objects(blueprint: &Blueprint, reach: &Reach) -> Value {
    sub(format!("{}/{}", bucket_arn(blueprint, &reach.bucket), reach.pattern()))
}
