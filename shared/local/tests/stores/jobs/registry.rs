//! Models, groups of model packages, and their versions.

use serde_json::json;

use super::Bench;

#[tokio::test]
async fn the_registry_counts_versions_and_keeps_their_approval() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path()).await;
    bench.put("m/model.tar.gz", "1").await;
    let (role, data) = ("arn:aws:iam::000000000000:role/r", "s3://data/m/model.tar.gz");
    let model = |data: &str| {
        json!({ "ModelName": "m", "ExecutionRoleArn": role,
            "PrimaryContainer": { "Image": "i", "ModelDataUrl": data } })
    };
    let (_, answer) = bench.call("CreateModel", &model("s3://data/none")).await;
    assert_eq!(answer["message"], "Could not find model data at s3://data/none.");
    bench.accepted("CreateModel", &model(data)).await;
    let (_, answer) = bench.call("CreateModel", &model(data)).await;
    assert!(answer["message"].as_str().unwrap().starts_with("Cannot create already existing"));
    let described = bench.accepted("DescribeModel", &json!({ "ModelName": "m" })).await;
    assert_eq!(described["PrimaryContainer"]["ModelDataUrl"], data);

    let group = json!({ "ModelPackageGroupName": "g", "Tags": [{ "Key": "k", "Value": "v" }] });
    bench.accepted("CreateModelPackageGroup", &group).await;
    let (_, answer) = bench.call("CreateModelPackageGroup", &group).await;
    assert!(answer["message"].as_str().unwrap().contains("Model Package Group already exists"));
    let package = |token: &str| {
        json!({ "ModelPackageGroupName": "g", "ClientToken": token, "InferenceSpecification": {
            "Containers": [{ "Image": "i", "ModelDataUrl": data }],
            "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"] } })
    };
    let arn = |version: u32| {
        json!(format!("arn:aws:sagemaker:us-east-1:000000000000:model-package/g/{version}"))
    };
    for (token, version) in [("a", 1), ("b", 2), ("a", 1)] {
        let created = bench.accepted("CreateModelPackage", &package(token)).await;
        assert_eq!(created["ModelPackageArn"], arn(version), "{token}");
    }
    let approve = json!({ "ModelPackageArn": arn(1), "ModelApprovalStatus": "Approved" });
    bench.accepted("UpdateModelPackage", &approve).await;
    let wanted = json!({ "ModelPackageGroupName": "g", "ModelApprovalStatus": "Approved" });
    let listed = bench.accepted("ListModelPackages", &wanted).await;
    let found = listed["ModelPackageSummaryList"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["ModelPackageVersion"]), (1, &json!(1)));
    bench.accepted("DeleteModelPackage", &json!({ "ModelPackageName": arn(2) })).await;
    let created = bench.accepted("CreateModelPackage", &package("c")).await;
    assert_eq!(created["ModelPackageArn"], arn(3), "a version is never used twice");
    let (_, answer) =
        bench.call("DeleteModelPackageGroup", &json!({ "ModelPackageGroupName": "g" })).await;
    assert_eq!(answer["__type"], "ConflictException");
}
