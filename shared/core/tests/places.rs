//! What counts as a place in arguments, and what may name data that is not seen: tables of cases.

use serde_json::{Value, json};
use sidestep_core::place::{Certainty, Surroundings, find, in_environment};
use sidestep_core::uri::S3Uri;

/// Returns the places of which the finder is sure.
fn sure(arguments: &Value) -> Vec<String> {
    let found = find(arguments, Surroundings::default());
    let sure = found.places.iter().filter(|(_, certainty)| **certainty == Certainty::Sure);
    sure.map(|(uri, _)| uri.to_string()).collect()
}

fn all(arguments: &Value) -> Vec<String> {
    let found = find(arguments, Surroundings::default());
    found.places.keys().map(ToString::to_string).collect()
}

fn unseen(arguments: &Value) -> Vec<String> {
    let found = find(arguments, Surroundings::default());
    found.unseen.iter().map(|unseen| format!("{}={}", unseen.argument(), unseen.text)).collect()
}

#[test]
fn one_object_is_found_in_every_form_that_names_it() {
    let forms = [
        json!("S3://bucket/in/k.csv"),
        json!("s3a://bucket/in/k.csv"),
        json!("s3n://bucket/in/k.csv"),
        json!("S3A://bucket/in/k.csv"),
        json!("delta+s3://bucket/in/k.csv"),
        json!("s3a://bucket/in/k.csv?versionId=abc"),
        json!("S3://bucket/in/k.csv#part"),
        json!("arn:aws:s3:::bucket/in/k.csv"),
        json!("arn:aws-cn:s3:::bucket/in/k.csv"),
        json!("arn:aws-us-gov:s3:::bucket/in/k.csv"),
        json!("https://bucket.s3.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3.eu-west-1.amazonaws.com/in/k.csv?versionId=x"),
        json!("https://bucket.s3-eu-west-1.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3.dualstack.us-east-1.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3-accelerate.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3-accelerate.dualstack.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3-fips.us-gov-west-1.amazonaws.com/in/k.csv"),
        json!("https://bucket.s3.cn-north-1.amazonaws.com.cn/in/k.csv"),
        json!("https://s3.amazonaws.com/bucket/in/k.csv"),
        json!("https://s3.eu-west-1.amazonaws.com/bucket/in/k.csv"),
        json!("https://s3-eu-west-1.amazonaws.com/bucket/in/k.csv"),
        json!("HTTPS://S3.dualstack.eu-west-1.amazonaws.com:443/bucket/in/k.csv"),
        json!("http://bucket.s3.amazonaws.com/in%2Fk.csv?X-Amz-Expires=60&X-Amz-Signature=0"),
        json!("https://s3.amazonaws.com/bucket/in/%6B.csv"),
        json!("read s3://bucket/in/k.csv, please"),
        json!("(s3://bucket/in/k.csv)"),
        json!("path=s3://bucket/in/k.csv;mode=fast"),
        json!("--input=s3://bucket/in/k.csv --fast"),
        json!("<a href='s3://bucket/in/k.csv'>data</a>"),
        json!("Data lies in s3://bucket/in/k.csv."),
        json!("{\"uri\": \"s3://bucket/in/k.csv\"}"),
        json!("{\"uri\": \"s3:\\/\\/bucket\\/in\\/k.csv\"}"),
        json!("{\"a\": [{\"b\": \"{\\\"c\\\": \\\"s3a://bucket/in/k.csv\\\"}\"}]}"),
        json!("{\"uri\": \"S3://bucket/in/k.csv\"}\n{\"n\": 1}\n"),
        json!("config: {\"uri\": \"s3://bucket/in/k.csv\", \"n\": 1"),
        json!("https://api.s3.amazonaws.com/x?y=1 s3://bucket/in/k.csv"),
        json!("s3%3A%2F%2Fbucket%2Fin%2Fk.csv"),
        json!({"Bucket": "bucket", "Key": "in/k.csv"}),
        json!({"bucket": "bucket", "key": "in/k.csv"}),
        json!({"BUCKET": "bucket", "KEY": "in/k.csv"}),
        json!({"bucketName": "bucket", "objectKey": "in/k.csv"}),
        json!({"bucket_name": "bucket", "object_key": "in/k.csv"}),
        json!({"bucket-name": "bucket", "object-key": "in/k.csv"}),
        json!({"s3_bucket": "bucket", "s3_key": "in/k.csv"}),
        json!({"S3Bucket": "bucket", "S3Key": "in/k.csv"}),
        json!({"s3bucket": "bucket", "s3key": "in/k.csv"}),
        json!({"input_bucket": "bucket", "input_key": "in/k.csv"}),
        json!({"SourceBucket": "bucket", "SourceKey": "in/k.csv"}),
        json!({"bucket": "bucket", "path": "in/k.csv"}),
        json!({"bucket": "bucket", "filename": "in/k.csv"}),
        json!({"bucket": "bucket", "object": "in/k.csv"}),
        json!({"bucket": "bucket", "whatever": "in/k.csv"}),
        json!({"bucket": "arn:aws:s3:::bucket", "key": "in/k.csv"}),
        json!({"bucket": "s3://bucket", "key": "in/k.csv"}),
        json!({"bucket": "bucket", "keys": ["in/k.csv"]}),
        json!({"bucket": "bucket", "files": [{"key": "in/k.csv"}]}),
        json!({"key": "in/k.csv", "source": {"bucket": "bucket"}}),
        json!({"s3": {"bucket": {"name": "bucket"}, "object": {"key": "in/k.csv"}}}),
        json!({"detail": {"bucket": {"name": "bucket"}, "object": {"key": "in/k.csv"}}}),
        json!("{\"Bucket\": \"bucket\", \"Key\": \"in/k.csv\"}"),
        json!([{"Name": "bucket", "Value": "bucket"}, {"Name": "key", "Value": "in/k.csv"}]),
        json!("--bucket bucket --key in/k.csv"),
        json!(["--bucket", "bucket", "--key", "in/k.csv"]),
        json!("bucket=bucket key=in/k.csv"),
        json!("bucket=bucket&key=in/k.csv"),
        json!("bucket: bucket\nkey: in/k.csv\n"),
    ];
    for form in forms {
        let found = sure(&json!({ "x": form }));
        assert!(found.contains(&"s3://bucket/in/k.csv".to_owned()), "{form}: {found:?}");
    }
}

#[test]
fn a_plain_uri_is_left_to_the_arguments_and_lists_within_it_are_found() {
    for plain in ["s3://bucket/k", "s3://bucket/a/b/", "s3://bucket"] {
        assert_eq!(all(&json!({ "x": plain })), [""; 0], "{plain}");
    }
    for list in [
        "s3://bucket/a,s3://bucket/b",
        "s3://bucket/a, s3://bucket/b",
        "s3://bucket/a s3://bucket/b",
        "s3://bucket/a\ns3://bucket/b\n",
        "s3://bucket/a;s3://bucket/b",
        "s3://bucket/a|s3://bucket/b",
        "S3://bucket/a\ts3a://bucket/b",
    ] {
        let found = all(&json!({ "x": list }));
        for uri in ["s3://bucket/a", "s3://bucket/b"] {
            assert!(found.contains(&uri.to_owned()), "{list}: {found:?}");
        }
    }
    let found = all(&json!({ "x": "s3://bucket/k?versionId=1" }));
    assert!(found.contains(&"s3://bucket/k".to_owned()), "{found:?}");
}

#[test]
fn several_readings_of_one_text_are_all_places() {
    let cases = [
        (json!("s3a://bucket/my file.csv"), "s3://bucket/my file.csv"),
        (json!("s3a://bucket/a,b.csv"), "s3://bucket/a,b.csv"),
        (json!("s3a://bucket/a%20b.csv"), "s3://bucket/a%20b.csv"),
        (json!("s3a://bucket/a%20b.csv"), "s3://bucket/a b.csv"),
        (json!({"bucket": "bucket", "key": "a+b.csv"}), "s3://bucket/a b.csv"),
        (json!({"bucket": "bucket", "key": "a+b.csv"}), "s3://bucket/a+b.csv"),
        (json!({"bucket": "bucket", "key": "/a.csv"}), "s3://bucket/a.csv"),
        (json!({"bucket": "bucket", "key": "bucket/a.csv"}), "s3://bucket/a.csv"),
        (json!({"bucket": "bucket", "keys": "a.csv,b.csv"}), "s3://bucket/b.csv"),
        (json!({"bucket": "bucket", "key": "a.csv", "other": "word"}), "s3://bucket/word"),
        (json!({"bucket": "bucket", "key": 7}), "s3://bucket/7"),
        (json!({"bucket": "bucket", "command": "run --input in/k.csv"}), "s3://bucket/in/k.csv"),
    ];
    for (arguments, place) in cases {
        let found = all(&json!({ "x": arguments }));
        assert!(found.contains(&place.to_owned()), "{arguments}: {found:?}");
    }
}

#[test]
fn what_is_variable_is_everything_that_begins_alike() {
    let cases = [
        (json!("s3://bucket/in/*.csv"), "s3://bucket/in/*"),
        (json!("s3a://bucket/in/[0-9].csv"), "s3://bucket/in/*"),
        (json!("s3a://bucket/in/{month}.csv"), "s3://bucket/in/*"),
        (json!("s3a://bucket/in/%Y-%m.csv"), "s3://bucket/in/*"),
        (json!({"Bucket": "bucket", "Prefix": "in/2024"}), "s3://bucket/in/2024*"),
        (json!({"Bucket": "bucket", "Prefix": "in/"}), "s3://bucket/in/"),
        (json!({"Bucket": "bucket", "Prefix": ""}), "s3://bucket/"),
        (json!({"Bucket": "bucket"}), "s3://bucket/"),
        (json!({"bucket": "bucket", "month": "2024-05"}), "s3://bucket/"),
        (json!("S3://bucket"), "s3://bucket/"),
    ];
    for (arguments, place) in cases {
        let found = sure(&json!({ "x": arguments }));
        assert!(found.contains(&place.to_owned()), "{arguments}: {found:?}");
    }
}

#[test]
fn words_name_nothing_and_turn_nothing_off() {
    let words = [
        json!({"n": 1, "text": "plain words", "flag": true, "none": null}),
        json!({"key": "value", "path": "summary", "file": "report", "name": "inbox"}),
        json!({"title": "cats and/or dogs", "ratio": "3/4 of 5", "mode": "a-b.c"}),
        json!({"bucket_count": 5, "buckets": 12, "bucket": "A bucket of water"}),
        json!({"model": "gpt-4.1", "version": "1.2.3", "type": "application/json"}),
        json!({"role": "arn:aws:iam::123456789012:role/x", "topic": "arn:aws:sns:us-east-1:1:t"}),
        json!({"about": "s3:// URIs and https:// URLs", "schema": {"$schema": "https://x/y"}}),
        json!({"image": "repo/image:1.2", "time": "2024-01-01T00:00:00Z", "host": "example.com"}),
        json!({"scratch": "/tmp/out.csv", "table": "big", "mail": "a@b.example"}),
        json!({"json": "{\"n\": [1, 2]}", "sql": "select a.b from c"}),
        json!({"uri": "s3://bucket/in/k.csv", "name": "k.csv", "key": "in/k.csv"}),
    ];
    for arguments in words {
        assert_eq!(all(&arguments), [""; 0], "{arguments}");
        assert_eq!(unseen(&arguments), [""; 0], "{arguments}");
    }
}

#[test]
fn what_may_name_data_elsewhere_is_told_with_its_argument() {
    let cases = [
        (json!({"key": "in/k.csv"}), "key=in/k.csv"),
        (json!({"key": "in/k"}), "key=in/k"),
        (json!({"s3_key": "current"}), "s3_key=current"),
        (json!({"objectKey": "current"}), "objectKey=current"),
        (json!({"a": [{"file": "k.csv"}]}), "a[0].file=k.csv"),
        (json!({"whatever": "in/k.parquet"}), "whatever=in/k.parquet"),
        (json!({"prefix": "in/"}), "prefix=in/"),
        (json!({"u": "gs://bucket/k"}), "u=gs://bucket/k"),
        (json!({"u": "see https://example.com/k.csv."}), "u=https://example.com/k.csv."),
        (
            json!({"u": "http://bucket.s3-website-us-east-1.amazonaws.com/k"}),
            "u=http://bucket.s3-website-us-east-1.amazonaws.com/k",
        ),
        (json!({"u": "s3://Not_A_Bucket/k"}), "u=s3://Not_A_Bucket/k"),
        (json!({"u": "s3://${BUCKET}/k"}), "u=s3://${BUCKET}/k"),
        (
            json!({"u": "arn:aws:s3:us-east-1:1:accesspoint/a/object/k"}),
            "u=arn:aws:s3:us-east-1:1:accesspoint/a/object/k",
        ),
        (
            json!({"u": "arn:aws:dynamodb:us-east-1:1:table/t"}),
            "u=arn:aws:dynamodb:us-east-1:1:table/t",
        ),
        (json!({"TableName": "orders"}), "TableName=orders"),
        (json!({"p": "/mnt/efs/model"}), "p=/mnt/efs/model"),
        (json!({"keys": "a.csv b.csv"}), "keys=a.csv b.csv"),
        (json!({"c": "run --input in/k.csv"}), "c=run --input in/k.csv"),
        (json!({"c": "{\"d\": \"postgres://host/db\"}"}), "c.d=postgres://host/db"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(unseen(&arguments), [expected], "{arguments}");
    }
}

#[test]
fn an_environment_names_places_too() {
    let places = |variables: &[(&'static str, &'static str)]| -> Vec<String> {
        let found = in_environment(variables.iter().copied());
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(places(&[("DATA", "s3://bucket/k.csv")]), ["s3://bucket/k.csv"]);
    assert_eq!(places(&[("BUCKET", "bucket"), ("KEY", "k.csv")]), ["s3://bucket/k.csv"]);
    assert_eq!(places(&[("BUCKET", "bucket"), ("LEVEL", "debug")]), [""; 0]);
}

#[test]
fn an_upload_and_declared_reads_settle_what_is_lone() {
    let uri = S3Uri::new("inbox", "in/k.csv");
    let uploaded = Surroundings { uploaded: Some(&uri), has_reads: false };
    let declared = Surroundings { uploaded: None, has_reads: true };
    for arguments in [json!({"key": "in/k.csv"}), json!({"name": "k.csv"})] {
        assert!(find(&arguments, uploaded).unseen.is_empty(), "{arguments}");
        assert!(find(&arguments, declared).unseen.is_empty(), "{arguments}");
    }
    let found = find(&json!({"bucket": "inbox"}), uploaded);
    assert!(found.places.is_empty(), "{found:?}");
    let found = find(&json!({"key": "other/x.csv"}), uploaded);
    assert_eq!(found.unseen.len(), 1, "{found:?}");
    assert_eq!(find(&json!({"u": "gs://bucket/k"}), declared).unseen.len(), 1);
}
