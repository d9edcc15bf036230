//! Multipart uploads.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, Part,
};

use crate::cloud::{BUCKET, Cloud, code, content};

const PART: usize = 5 * 1024 * 1024;

async fn begin(cloud: &Cloud, key: &str) -> String {
    let create = cloud.client.create_multipart_upload().bucket(BUCKET).key(key);
    create.content_type("text/csv").send().await.unwrap().upload_id.unwrap()
}

async fn add(cloud: &Cloud, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = cloud
        .client
        .upload_part()
        .bucket(BUCKET)
        .key(key)
        .upload_id(id)
        .part_number(number)
        .body(ByteStream::from(body))
        .send()
        .await
        .unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build()
}

async fn complete(
    cloud: &Cloud,
    key: &str,
    id: &str,
    parts: Vec<CompletedPart>,
) -> Result<CompleteMultipartUploadOutput, SdkError<CompleteMultipartUploadError>> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = cloud.client.complete_multipart_upload().bucket(BUCKET).key(key);
    complete.upload_id(id).multipart_upload(parts).send().await
}

#[tokio::test]
async fn parts_in_any_order_of_arrival_become_one_object() {
    let cloud = Cloud::start().await;
    let whole = content(PART + 1000);
    let id = begin(&cloud, "k").await;
    let last = add(&cloud, "k", &id, 7, whole[PART..].to_vec()).await;
    add(&cloud, "k", &id, 2, b"replaced by the next".to_vec()).await;
    let first = add(&cloud, "k", &id, 2, whole[..PART].to_vec()).await;
    add(&cloud, "k", &id, 9, b"not chosen".to_vec()).await;

    let listed = cloud
        .client
        .list_parts()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .max_parts(2)
        .send()
        .await
        .unwrap();
    let numbers: Vec<_> = listed.parts().iter().filter_map(Part::part_number).collect();
    assert_eq!((numbers.as_slice(), listed.is_truncated()), (&[2, 7][..], Some(true)));
    let uploads = cloud.client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey", "before it is complete");

    let completed = complete(&cloud, "k", &id, vec![first, last]).await.unwrap();
    assert!(completed.e_tag().unwrap().ends_with("-2\""), "{completed:?}");
    assert_eq!(cloud.get("k").await.unwrap(), whole);
    let head = cloud.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/csv"));
    assert_eq!(head.e_tag(), completed.e_tag());
    assert_eq!(cloud.blobs(), 1, "the parts are gone");
    let again = complete(&cloud, "k", &id, vec![]).await.unwrap_err();
    assert_eq!(code(&again), "NoSuchUpload");
}

#[tokio::test]
async fn a_completion_that_names_wrong_parts_changes_nothing() {
    let cloud = Cloud::start().await;
    let id = begin(&cloud, "k").await;
    let small = add(&cloud, "k", &id, 1, b"small".to_vec()).await;
    let last = add(&cloud, "k", &id, 2, b"last".to_vec()).await;
    let unknown = CompletedPart::builder().part_number(3).e_tag("\"x\"").build();
    let other = CompletedPart::builder().part_number(1).e_tag("\"x\"").build();
    let cases = [
        (vec![], "MalformedXML"),
        (vec![unknown], "InvalidPart"),
        (vec![other], "InvalidPart"),
        (vec![last.clone(), small.clone()], "InvalidPartOrder"),
        (vec![small, last.clone()], "EntityTooSmall"),
    ];
    for (parts, expected) in cases {
        let refused = complete(&cloud, "k", &id, parts).await.unwrap_err();
        assert_eq!(code(&refused), expected);
    }
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey");
    complete(&cloud, "k", &id, vec![last]).await.unwrap();
    assert_eq!(cloud.get("k").await.unwrap(), b"last");
}

#[tokio::test]
async fn a_completion_obeys_its_precondition() {
    let cloud = Cloud::start().await;
    cloud.put("k", "first").send().await.unwrap();
    let id = begin(&cloud, "k").await;
    let part = add(&cloud, "k", &id, 1, b"second".to_vec()).await;
    let parts = CompletedMultipartUpload::builder().parts(part.clone()).build();
    let late = cloud
        .client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .multipart_upload(parts)
        .if_none_match("*")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&late), "PreconditionFailed");
    assert_eq!(cloud.get("k").await.unwrap(), b"first");
    assert_eq!(cloud.blobs(), 1, "only the part is left");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let cloud = Cloud::start().await;
    let id = begin(&cloud, "k").await;
    add(&cloud, "k", &id, 1, content(PART)).await;
    let abort = || cloud.client.abort_multipart_upload().bucket(BUCKET).key("k").upload_id(&id);
    abort().send().await.unwrap();
    assert_eq!(cloud.blobs(), 0);
    assert_eq!(code(&abort().send().await.unwrap_err()), "NoSuchUpload");
    let late = cloud
        .client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .part_number(2)
        .body(ByteStream::from_static(b"late"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&late), "NoSuchUpload");
    assert_eq!(cloud.blobs(), 0, "the late part was not kept");
}

#[tokio::test]
async fn a_part_can_be_copied_from_an_object() {
    let cloud = Cloud::start().await;
    let source = content(PART + 10);
    cloud.put("source", source.clone()).send().await.unwrap();
    let id = begin(&cloud, "k").await;
    let mut parts = Vec::new();
    for (number, range) in [(1, format!("bytes=10-{}", PART + 9)), (2, "bytes=0-9".to_owned())] {
        let copy = cloud
            .client
            .upload_part_copy()
            .bucket(BUCKET)
            .key("k")
            .upload_id(&id)
            .part_number(number)
            .copy_source(format!("{BUCKET}/source"));
        let copied = copy.copy_source_range(range).send().await.unwrap();
        let etag = copied.copy_part_result().unwrap().e_tag().unwrap();
        parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    complete(&cloud, "k", &id, parts).await.unwrap();
    assert_eq!(cloud.get("k").await.unwrap(), [&source[10..], &source[..10]].concat());
}

/// Reads the object back, too, because the SDK verifies what it downloads.
#[tokio::test]
async fn an_object_of_parts_has_the_checksum_that_its_upload_asked_for() {
    let cloud = Cloud::start().await;
    let cases = [
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
    ];
    for (algorithm, kind) in cases {
        let create = cloud
            .client
            .create_multipart_upload()
            .bucket(BUCKET)
            .key("k")
            .checksum_algorithm(algorithm.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(create.checksum_type(), Some(&kind));
        let id = create.upload_id.unwrap();
        let mut parts = Vec::new();
        for (number, body) in [(1, content(PART)), (2, content(10))] {
            let part = cloud
                .client
                .upload_part()
                .bucket(BUCKET)
                .key("k")
                .upload_id(&id)
                .part_number(number)
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(body))
                .send()
                .await
                .unwrap();
            let done = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag)
                .set_checksum_sha256(part.checksum_sha256);
            parts.push(done.set_checksum_crc64_nvme(part.checksum_crc64_nvme).build());
        }
        complete(&cloud, "k", &id, parts).await.unwrap();
        let get = cloud.client.get_object().bucket(BUCKET).key("k");
        let got = get.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(got.checksum_type(), Some(&kind));
        match kind {
            ChecksumType::Composite => assert!(got.checksum_sha256().unwrap().ends_with("-2")),
            _ => assert_eq!(got.checksum_crc64_nvme().unwrap().len(), 12),
        }
        let body = got.body.collect().await.unwrap().to_vec();
        assert_eq!(body, [content(PART), content(10)].concat());
    }
}
