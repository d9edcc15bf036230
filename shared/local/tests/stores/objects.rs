//! Objects: what is written is read back whole, or not written at all.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, Delete, MetadataDirective, ObjectIdentifier,
};

use crate::cloud::{BUCKET, Cloud, LARGE, code, content};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_that_must_be_first_exactly_one_is() {
    let cloud = Cloud::start().await;
    for round in 0..50 {
        let key = format!("claims/{round}");
        let size = if round % 2 == 0 { 10 } else { LARGE };
        let puts = (0_u8..8).map(|writer| {
            let put = cloud.put(&key, vec![writer; size]).if_none_match("*").send();
            tokio::spawn(async move { (writer, put.await) })
        });
        let mut winners = Vec::new();
        for put in puts.collect::<Vec<_>>() {
            match put.await.unwrap() {
                (writer, Ok(_)) => winners.push(writer),
                (_, Err(error)) => assert_eq!(code(&error), "PreconditionFailed"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        assert_eq!(cloud.get(&key).await.unwrap(), vec![winners[0]; size], "round {round}");
    }
    assert_eq!(cloud.blobs(), 25, "the losers' blobs are gone");
}

#[tokio::test]
async fn a_write_that_must_match_fails_once_the_object_changed() {
    let cloud = Cloud::start().await;
    let first = cloud.put("k", "1").send().await.unwrap().e_tag.unwrap();
    let second = cloud.put("k", "2").if_match(&first).send().await.unwrap().e_tag.unwrap();
    let stale = cloud.put("k", "3").if_match(&first).send().await.unwrap_err();
    assert_eq!(code(&stale), "PreconditionFailed");
    assert_eq!(cloud.get("k").await.unwrap(), b"2");

    let missing = cloud.put("missing", "1").if_match(&first).send().await.unwrap_err();
    assert_eq!(code(&missing), "NoSuchKey");
    let delete = || cloud.client.delete_object().bucket(BUCKET).key("k");
    let stale = delete().if_match(&first).send().await.unwrap_err();
    assert_eq!(code(&stale), "PreconditionFailed");
    delete().if_match(&second).send().await.unwrap();
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_during_an_overwrite_sees_one_object_whole() {
    let cloud = Cloud::start().await;
    // Inline and in blobs, of different lengths, so that a mixture shows.
    let versions: [(u8, usize); 4] = [(1, 1_000), (2, LARGE), (3, 3 * LARGE), (4, 60_000)];
    cloud.put("k", vec![1; 1_000]).send().await.unwrap();

    let writer = async {
        for round in 0..60 {
            let (byte, size) = versions[round % versions.len()];
            cloud.put("k", vec![byte; size]).send().await.unwrap();
        }
    };
    let reader = async || {
        for _ in 0..60 {
            let body = cloud.get("k").await.unwrap();
            let size = versions.iter().find(|(byte, _)| *byte == body[0]).unwrap().1;
            assert_eq!(body.len(), size);
            assert!(body.iter().all(|byte| *byte == body[0]));
        }
    };
    tokio::join!(writer, reader(), reader(), reader());
    assert_eq!(cloud.get("k").await.unwrap(), vec![4; 60_000]);
    assert_eq!(cloud.blobs(), 0, "replaced blobs are removed");
}

#[tokio::test]
async fn keys_of_any_kind_are_kept_apart() {
    let cloud = Cloud::start().await;
    let long = "é".repeat(512);
    let keys = [
        "a",
        "a/b",
        "a/b/",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "../x",
        "../bucket/a",
        "a/../b",
        "./a",
        "a b",
        "a+b",
        "a%20b",
        "a%2Bb",
        "100%",
        "?x=1",
        "#frag",
        "a&b=c;d",
        "\"<>'",
        "a\\b",
        "~*()!$,:@",
        "日本語/ключ/🦀",
        "tab\tkey",
        "line\nbreak",
        "con",
        "index.sqlite",
        "x-id=PutObject",
        &long,
    ];
    for (at, key) in keys.iter().enumerate() {
        cloud.put(key, format!("content {at}")).send().await.unwrap();
    }
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(cloud.get(key).await.unwrap(), format!("content {at}").into_bytes(), "{key}");
    }

    let listed = cloud
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .encoding_type("url".into())
        .send()
        .await
        .unwrap();
    let mut expected = keys.map(str::to_owned);
    expected.sort();
    let decode =
        |key: &str| percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned();
    let found: Vec<String> =
        listed.contents().iter().map(|object| decode(object.key().unwrap())).collect();
    assert_eq!(found, expected);

    for (at, key) in keys.iter().enumerate() {
        cloud.client.delete_object().bucket(BUCKET).key(*key).send().await.unwrap();
        assert_eq!(cloud.get(key).await.unwrap_err(), "NoSuchKey");
        for other in &keys[at + 1..] {
            let head = cloud.client.head_object().bucket(BUCKET).key(*other).send().await;
            assert!(head.is_ok(), "{other} after deleting {key}");
        }
    }

    let too_long = cloud.put(&"k".repeat(1025), "").send().await.unwrap_err();
    assert_eq!(code(&too_long), "KeyTooLongError");
}

#[tokio::test]
async fn a_range_returns_its_bytes_and_where_they_are() {
    let cloud = Cloud::start().await;
    for size in [1_000, LARGE] {
        let whole = content(size);
        cloud.put("k", whole.clone()).send().await.unwrap();
        let cases = [
            ("bytes=0-9".to_owned(), 0..10),
            ("bytes=500-".to_owned(), 500..size),
            ("bytes=-7".to_owned(), size - 7..size),
            (format!("bytes=10-{}", size * 2), 10..size),
            (format!("bytes=-{}", size * 2), 0..size),
        ];
        for (range, expected) in cases {
            let get = cloud.client.get_object().bucket(BUCKET).key("k").range(&range);
            let found = get.send().await.unwrap();
            let place = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!(found.content_range(), Some(place.as_str()), "{range}");
            assert_eq!(found.content_length(), i64::try_from(expected.len()).ok(), "{range}");
            let body = found.body.collect().await.unwrap().to_vec();
            assert_eq!(body, whole[expected], "{range} of {size}");
        }
        let beyond =
            cloud.client.get_object().bucket(BUCKET).key("k").range(format!("bytes={size}-"));
        assert_eq!(code(&beyond.send().await.unwrap_err()), "InvalidRange");
    }
    cloud.put("empty", "").send().await.unwrap();
    let of_nothing = cloud.client.get_object().bucket(BUCKET).key("empty").range("bytes=-1");
    assert_eq!(code(&of_nothing.send().await.unwrap_err()), "InvalidRange");
    assert_eq!(cloud.get("empty").await.unwrap(), b"");
}

#[tokio::test]
async fn a_body_that_is_not_what_was_claimed_leaves_no_object() {
    let cloud = Cloud::start().await;
    for size in [10, LARGE] {
        let body = content(size);
        let wrong_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let put = cloud.put("k", body.clone()).checksum_sha256(wrong_sha256);
        assert_eq!(code(&put.send().await.unwrap_err()), "BadDigest");
        let put = cloud.put("k", body.clone()).content_md5("1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(code(&put.send().await.unwrap_err()), "BadDigest");
        let put = cloud.put("k", body).content_md5("not a digest");
        assert_eq!(code(&put.send().await.unwrap_err()), "InvalidDigest");
    }
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey");
    assert_eq!(cloud.blobs(), 0);
}

#[tokio::test]
async fn what_is_said_of_an_object_is_kept_with_it() {
    let cloud = Cloud::start().await;
    let expires = DateTime::from_secs(2_000_000_000);
    let put = cloud
        .put("k", "hello")
        .content_type("text/csv")
        .content_encoding("gzip")
        .cache_control("no-store")
        .content_language("en")
        .content_disposition("inline")
        .metadata("Rows", "12")
        .metadata("note", "a b")
        .expires(expires)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    // The MD5 and SHA-256 of `hello`.
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let sha256 = Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(put.checksum_sha256(), sha256);

    let head = cloud
        .client
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.content_type(), Some("text/csv"));
    assert_eq!(
        head.content_encoding(),
        Some("gzip"),
        "without `aws-chunked`, which was the transfer's"
    );
    assert_eq!(head.cache_control(), Some("no-store"));
    assert_eq!(head.content_language(), Some("en"));
    assert_eq!(head.content_disposition(), Some("inline"));
    assert_eq!(head.expires_string(), Some("Wed, 18 May 2033 03:33:20 GMT"));
    assert_eq!(head.metadata().unwrap()["rows"], "12");
    assert_eq!(head.metadata().unwrap()["note"], "a b");
    assert_eq!(head.checksum_sha256(), sha256);
    assert_eq!(head.e_tag(), put.e_tag());

    cloud.put("default", "hello").send().await.unwrap();
    let head = cloud
        .client
        .head_object()
        .bucket(BUCKET)
        .key("default")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(head.checksum_crc32(), Some("NhCmhg=="), "the SDK's default trailer");
    assert_eq!(head.content_type(), Some("application/octet-stream"), "the SDK's default type");
}

#[tokio::test]
async fn a_read_obeys_its_conditions() {
    let cloud = Cloud::start().await;
    let etag = cloud.put("k", "1").send().await.unwrap().e_tag.unwrap();
    let get = || cloud.client.get_object().bucket(BUCKET).key("k");
    assert!(get().if_match(&etag).send().await.is_ok());
    assert_eq!(code(&get().if_match("\"other\"").send().await.unwrap_err()), "PreconditionFailed");
    assert!(get().if_none_match("\"other\"").send().await.is_ok());
    let unchanged = get().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let future = DateTime::from_secs(4_000_000_000);
    let unchanged = get().if_modified_since(future).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let changed = get().if_unmodified_since(DateTime::from_secs(1)).send().await.unwrap_err();
    assert_eq!(code(&changed), "PreconditionFailed");
    // RFC 9110: the ETag decides, and the time is ignored.
    let both = get().if_match(&etag).if_unmodified_since(DateTime::from_secs(1));
    assert!(both.send().await.is_ok());
}

#[tokio::test]
async fn a_copy_stays_when_its_source_goes() {
    let cloud = Cloud::start().await;
    for size in [10, LARGE] {
        let body = content(size);
        let put = cloud
            .put("from a+b", body.clone())
            .metadata("a", "1")
            .content_type("text/csv")
            .send()
            .await
            .unwrap();
        let copy = |key: &str| {
            let copy = cloud.client.copy_object().bucket(BUCKET).key(key);
            copy.copy_source(format!("{BUCKET}/from%20a%2Bb"))
        };
        let copied = copy("to").send().await.unwrap();
        assert_eq!(copied.copy_object_result().unwrap().e_tag(), put.e_tag());
        let replace = copy("replaced").metadata_directive(MetadataDirective::Replace);
        replace.metadata("b", "2").send().await.unwrap();
        let itself = copy("from a+b").send().await.unwrap_err();
        assert_eq!(code(&itself), "InvalidRequest");

        cloud.client.delete_object().bucket(BUCKET).key("from a+b").send().await.unwrap();
        assert_eq!(cloud.get("to").await.unwrap(), body);
        let head = cloud.client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
        assert_eq!(head.metadata().unwrap()["a"], "1");
        assert_eq!(head.content_type(), Some("text/csv"));
        let head = cloud.client.head_object().bucket(BUCKET).key("replaced").send().await.unwrap();
        assert_eq!(head.metadata().unwrap().len(), 1);
        assert_eq!(head.metadata().unwrap()["b"], "2");
        assert_eq!(code(&copy("again").send().await.unwrap_err()), "NoSuchKey");
    }
}

#[tokio::test]
async fn many_objects_are_deleted_at_once_and_missing_ones_are_no_error() {
    let cloud = Cloud::start().await;
    for key in ["a", "b", "c"] {
        cloud.put(key, content(LARGE)).send().await.unwrap();
    }
    let keys =
        ["a", "c", "missing"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(keys.to_vec())).build().unwrap();
    let deleted = cloud.client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 3);
    assert!(deleted.errors().is_empty());
    assert_eq!(cloud.get("a").await.unwrap_err(), "NoSuchKey");
    assert_eq!(cloud.get("b").await.unwrap(), content(LARGE));
    assert_eq!(cloud.blobs(), 1);
}

#[tokio::test]
async fn buckets_answer_as_s3s_do() {
    let cloud = Cloud::start().await;
    let client = &cloud.client;
    let again = client.create_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(code(&again), "BucketAlreadyOwnedByYou");
    let invalid = client.create_bucket().bucket("No_Bucket").send().await.unwrap_err();
    assert_eq!(code(&invalid), "InvalidBucketName");
    client.create_bucket().bucket("another").send().await.unwrap();
    let buckets = client.list_buckets().send().await.unwrap();
    let names: Vec<_> = buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, ["another", BUCKET]);
    let place = client.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert_eq!(place.location_constraint().unwrap().as_str(), crate::cloud::REGION);
    client.head_bucket().bucket(BUCKET).send().await.unwrap();

    cloud.put("k", "1").send().await.unwrap();
    let full = client.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(code(&full), "BucketNotEmpty");
    client.delete_bucket().bucket("another").send().await.unwrap();
    let gone = client.head_bucket().bucket("another").send().await.unwrap_err();
    assert_eq!(gone.raw_response().unwrap().status().as_u16(), 404);
    let put = client.put_object().bucket("another").key("k").body(ByteStream::from(content(LARGE)));
    assert_eq!(code(&put.send().await.unwrap_err()), "NoSuchBucket");
    let get = client.get_object().bucket("another").key("k").send().await.unwrap_err();
    assert_eq!(code(&get), "NoSuchBucket");
    let list = client.list_objects_v2().bucket("another").send().await.unwrap_err();
    assert_eq!(code(&list), "NoSuchBucket");

    let versioning = client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap();
    assert_eq!(versioning.status(), None);
    let other =
        client.get_object().bucket(BUCKET).key("k").version_id("3").send().await.unwrap_err();
    assert_eq!(code(&other), "NoSuchVersion");
}

#[tokio::test]
async fn requests_are_counted_by_operation() {
    let cloud = Cloud::start().await;
    cloud.put("k", "1").send().await.unwrap();
    cloud.get("k").await.unwrap();
    cloud.get("missing").await.unwrap_err();
    let counted = cloud.s3.counts();
    let counts: Vec<_> = counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("GetObject", 2), ("PutObject", 1)]);
}
