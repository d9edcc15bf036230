//! Tells the tracer what a request reads and writes.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use sidestep_aws::object::digest;
use sidestep_core::cache::key::listing_digest;
use sidestep_core::limits::LISTED_OBJECTS;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::SHA256_METADATA;

use super::Service;
use crate::s3::error::S3ServerError;
use crate::s3::listing::Listing;
use crate::s3::object::Object;
use crate::s3::wire::Caller;
use crate::tracer::Tracer;

/// What records the requests of one caller; it records nothing for a caller that is no function.
pub(super) struct Observer {
    tracer: Tracer,
    access_key: Option<String>,
}

impl Service {
    /// Returns the observer of a request.
    pub(super) fn observer(&self, extensions: &Extensions) -> Observer {
        let signed_with = extensions.get::<Caller>().map(|caller| caller.0.as_str());
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let access_key = self.tracer.sender(signed_with, peer);
        Observer { tracer: self.tracer.clone(), access_key }
    }

    /// Records a listing: of everything below the prefix, because a page holds only a part.
    pub(super) async fn observe_listing(&self, observer: &Observer, bucket: &str, prefix: &str) {
        let Some(access_key) = &observer.access_key else { return };
        let listing = Listing {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            limit: LISTED_OBJECTS + 1,
            ..Listing::default()
        };
        let Ok(page) = self.store.run(move |store| store.list(&listing)).await else { return };
        let uri = S3Uri::new(bucket, prefix);
        if page.objects.len() > LISTED_OBJECTS {
            return observer.tracer.record(access_key, |trace| trace.is_incomplete = true);
        }
        let objects = page.objects.iter();
        let digests: Vec<_> =
            objects.map(|object| digest(None, None, None, Some(&object.etag))).collect();
        let names = page.objects.iter().map(|object| &object.key[prefix.len()..]);
        let has_some = !page.objects.is_empty();
        let all =
            has_some.then(|| listing_digest(&uri, names.zip(digests.iter().map(String::as_str))));
        observer.tracer.record(access_key, |trace| trace.list(uri, all));
    }

    /// Records a write that went well. A condition that failed has told the caller what is there.
    pub(super) async fn observe_write(
        &self,
        observer: &Observer,
        bucket: String,
        key: String,
        written: Result<&Object, &S3ServerError>,
    ) {
        match written {
            Ok(object) => observer.wrote(&bucket, &key, Some(object)),
            Err(S3ServerError::PreconditionFailed { .. }) if observer.access_key.is_some() => {
                let of = (bucket.clone(), key.clone());
                let found = self.store.run(move |store| store.head_object(&of.0, &of.1)).await;
                observer.read(&bucket, &key, found.as_ref());
            }
            Err(_) => {}
        }
    }
}

impl Observer {
    /// Records a read, or that there was nothing to read.
    pub(super) fn read(&self, bucket: &str, key: &str, found: Result<&Object, &S3ServerError>) {
        let digest = match found {
            Ok(object) => Some(digest_of(object)),
            Err(S3ServerError::NoSuchKey { .. } | S3ServerError::NoSuchBucket { .. }) => None,
            Err(_) => return,
        };
        let Some(access_key) = &self.access_key else { return };
        let uri = S3Uri::new(bucket, key);
        self.tracer.record(access_key, |trace| trace.read(uri, digest));
    }

    /// Records a write, or a deletion.
    pub(super) fn wrote(&self, bucket: &str, key: &str, object: Option<&Object>) {
        let Some(access_key) = &self.access_key else { return };
        let (uri, digest) = (S3Uri::new(bucket, key), object.map(digest_of));
        self.tracer.record(access_key, |trace| trace.write(uri, digest));
    }
}

/// Returns the digest that a HEAD request gives.
fn digest_of(object: &Object) -> String {
    let attributes = &object.attributes;
    let recorded = attributes.metadata.get(SHA256_METADATA).map(String::as_str);
    digest(recorded, attributes.checksums.sha256.as_deref(), None, Some(&object.etag))
}
