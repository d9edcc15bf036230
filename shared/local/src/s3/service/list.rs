//! Lists objects, in both versions of the operation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};
use s3s::{S3Request, S3Result, s3_error};

use super::Service;
use super::object::etag;
use crate::s3::listing::{Listing, PAGE_KEYS_MAX, Page};
use crate::s3::store::timestamp;

/// The characters that `encoding-type=url` leaves as they are.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

impl Service {
    /// Returns a page from a continuation token or a key.
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        self.observe_listing(&observer, &input.bucket, prefix).await;
        let max_keys = page_keys(input.max_keys)?;
        let mut listing = Listing {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            limit: max_keys,
            ..Listing::default()
        };
        if let Some(token) = &input.continuation_token {
            listing.from = TOKEN
                .decode(token)
                .map_err(|_| s3_error!(InvalidArgument, "the continuation token is not valid"))?;
        } else if let Some(key) = &input.start_after {
            listing.start_after(key);
        }
        let page = self.store.run(move |store| store.list(&listing)).await?;

        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let key_count = page.objects.len() + page.common_prefixes.len();
        let next_continuation_token = page.next.as_ref().map(|next| TOKEN.encode(next));
        let owner = input
            .fetch_owner
            .unwrap_or_default()
            .then(|| Owner { display_name: None, id: Some(self.store.account_id.clone()) });
        let (contents, common_prefixes) = contents(page, &encode, owner.as_ref());
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(max_keys).ok(),
            key_count: i32::try_from(key_count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(next_continuation_token.is_some()),
            next_continuation_token,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|key| encode.text(key)),
            ..ListObjectsV2Output::default()
        })
    }

    /// Returns a page from a marker.
    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<ListObjectsOutput> {
        let observer = self.observer(&request.extensions);
        let input = request.input;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        self.observe_listing(&observer, &input.bucket, prefix).await;
        let max_keys = page_keys(input.max_keys)?;
        let mut listing = Listing {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            limit: max_keys,
            ..Listing::default()
        };
        if let Some(marker) = input.marker.as_deref().filter(|marker| !marker.is_empty()) {
            listing.start_after(marker);
        }
        let page = self.store.run(move |store| store.list(&listing)).await?;

        let encode = Encoder::new(input.encoding_type.as_ref())?;
        let is_truncated = page.next.is_some();
        // The greater of the last key and the last common prefix was listed last.
        let last = page.objects.last().map(|object| &object.key).max(page.common_prefixes.last());
        let next_marker = last.filter(|_| is_truncated).cloned().map(|last| encode.text(last));
        let owner = Owner { display_name: None, id: Some(self.store.account_id.clone()) };
        let (contents, common_prefixes) = contents(page, &encode, Some(&owner));
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode.text(input.prefix.unwrap_or_default())),
            marker: Some(encode.text(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(max_keys).ok(),
            is_truncated: Some(is_truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(|delimiter| encode.text(delimiter)),
            next_marker,
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        })
    }
}

/// Encodes keys if the client asks for it, because XML cannot hold every character that a key can.
pub(super) struct Encoder {
    is_url: bool,
}

impl Encoder {
    /// Makes an encoder for the type that the client asks for.
    pub(super) fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None | Some("") => Ok(Self { is_url: false }),
            Some(EncodingType::URL) => Ok(Self { is_url: true }),
            Some(_) => Err(s3_error!(InvalidArgument, "the encoding type is not valid")),
        }
    }

    /// Encodes a key, or returns it as it is.
    pub(super) fn text(&self, text: String) -> String {
        if self.is_url { utf8_percent_encode(&text, KEY).to_string() } else { text }
    }
}

/// Returns how many keys the page has at most.
fn page_keys(max_keys: Option<i32>) -> S3Result<usize> {
    match usize::try_from(max_keys.unwrap_or(i32::MAX)) {
        Ok(max_keys) => Ok(max_keys.min(PAGE_KEYS_MAX)),
        Err(_) => Err(s3_error!(InvalidArgument, "max-keys must not be negative")),
    }
}

/// Returns the objects and common prefixes of a page in S3's form.
fn contents(
    page: Page,
    encode: &Encoder,
    owner: Option<&Owner>,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let objects = page.objects.into_iter().map(|object| Object {
        e_tag: Some(etag(object.etag)),
        key: Some(encode.text(object.key)),
        last_modified: Some(timestamp(object.modified_ms).into()),
        owner: owner.cloned(),
        size: Some(object.bytes),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    });
    let prefixes = page
        .common_prefixes
        .into_iter()
        .map(|prefix| CommonPrefix { prefix: Some(encode.text(prefix)) });
    (objects.collect(), prefixes.collect())
}
