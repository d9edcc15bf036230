//! Operations on buckets and their notification configuration.

use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, FilterRule, FilterRuleName, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketNotificationConfigurationInput,
    GetBucketNotificationConfigurationOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
    HeadBucketInput, HeadBucketOutput, LambdaFunctionConfiguration, ListBucketsInput,
    ListBucketsOutput, NotificationConfigurationFilter, Owner,
    PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput,
    PutBucketVersioningInput, PutBucketVersioningOutput, S3KeyFilter,
};
use s3s::{S3Request, S3Result, s3_error};
use uuid::Uuid;

use super::Service;
use crate::events::FunctionNotification;
use crate::s3::error::S3ServerError;
use crate::s3::store::{now_ms, timestamp};

/// The region that S3 reports as no location at all.
const DEFAULT_REGION: &str = "us-east-1";

impl Service {
    /// Returns the buckets whose names begin with the prefix.
    pub(super) async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<ListBucketsOutput> {
        let prefix = request.input.prefix.clone().unwrap_or_default();
        let all = self.store.run(|store| store.index.buckets()).await?;
        let matching = all.into_iter().filter(|bucket| bucket.name.starts_with(&prefix));
        let buckets = matching.map(|bucket| Bucket {
            bucket_region: Some(self.store.region.clone()),
            creation_date: Some(timestamp(bucket.created_ms).into()),
            name: Some(bucket.name),
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            owner: Some(Owner { display_name: None, id: Some(self.store.account_id.clone()) }),
            prefix: request.input.prefix,
            ..ListBucketsOutput::default()
        })
    }

    /// Creates a bucket.
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let bucket = request.input.bucket;
        let location = format!("/{bucket}");
        self.store.run(move |store| store.index.create_bucket(&bucket, now_ms())).await?;
        Ok(CreateBucketOutput { location: Some(location) })
    }

    /// Returns the region of a bucket.
    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<HeadBucketOutput> {
        self.require_bucket(request.input.bucket).await?;
        let bucket_region = Some(self.store.region.clone());
        Ok(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() })
    }

    /// Removes an empty bucket.
    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<DeleteBucketOutput> {
        let bucket = request.input.bucket;
        self.store
            .run(move |store| {
                for blob in store.index.delete_bucket(&bucket)? {
                    store.blobs.remove(&blob);
                }
                Ok(())
            })
            .await?;
        Ok(DeleteBucketOutput::default())
    }

    /// Returns the region of a bucket in the older form.
    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        self.require_bucket(request.input.bucket).await?;
        let region = self.store.region.clone();
        let location_constraint =
            (region != DEFAULT_REGION).then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput { location_constraint })
    }

    /// Returns no status, as S3 does for a bucket that was never versioned.
    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        self.require_bucket(request.input.bucket).await?;
        Ok(GetBucketVersioningOutput::default())
    }

    /// Refuses to version a bucket.
    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        self.require_bucket(request.input.bucket).await?;
        Err(s3_error!(NotImplemented, "the embedded S3 keeps no versions of objects"))
    }

    /// Returns the notifications of a bucket.
    pub(super) async fn get_bucket_notification_configuration(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<GetBucketNotificationConfigurationOutput> {
        let bucket = request.input.bucket;
        let asked = self.store.run(move |store| store.index.notifications(&bucket)).await?;
        let configurations = asked.into_iter().map(configuration).collect();
        Ok(GetBucketNotificationConfigurationOutput {
            lambda_function_configurations: Some(configurations),
            ..GetBucketNotificationConfigurationOutput::default()
        })
    }

    /// Replaces the whole configuration, as S3 does.
    pub(super) async fn put_bucket_notification_configuration(
        &self,
        request: S3Request<PutBucketNotificationConfigurationInput>,
    ) -> S3Result<PutBucketNotificationConfigurationOutput> {
        let bucket = request.input.bucket;
        let asked = request.input.notification_configuration;
        if asked.event_bridge_configuration.is_some()
            || asked.queue_configurations.is_some_and(|queues| !queues.is_empty())
            || asked.topic_configurations.is_some_and(|topics| !topics.is_empty())
        {
            return Err(s3_error!(
                NotImplemented,
                "the embedded S3 notifies Lambda functions only"
            ));
        }
        let functions = asked.lambda_function_configurations.unwrap_or_default();
        let notifications: Vec<_> =
            functions.into_iter().map(notification).collect::<S3Result<_>>()?;
        self.store.run(move |store| store.set_notifications(&bucket, &notifications)).await?;
        Ok(PutBucketNotificationConfigurationOutput::default())
    }

    /// Fails if the bucket does not exist.
    async fn require_bucket(&self, bucket: String) -> Result<(), S3ServerError> {
        self.store.run(move |store| store.index.notifications(&bucket).map(drop)).await
    }
}

/// Converts a notification to S3's form.
fn configuration(asked: FunctionNotification) -> LambdaFunctionConfiguration {
    let rule = |name: &'static str, value: Option<String>| {
        value.map(|value| FilterRule {
            name: Some(FilterRuleName::from_static(name)),
            value: Some(value),
        })
    };
    let rules: Vec<_> = rule(FilterRuleName::PREFIX, asked.prefix)
        .into_iter()
        .chain(rule(FilterRuleName::SUFFIX, asked.suffix))
        .collect();
    let filter = (!rules.is_empty()).then_some(NotificationConfigurationFilter {
        key: Some(S3KeyFilter { filter_rules: Some(rules) }),
    });
    LambdaFunctionConfiguration {
        events: asked.events.into_iter().map(Into::into).collect(),
        filter,
        id: Some(asked.id),
        lambda_function_arn: asked.function_arn,
    }
}

/// Converts S3's form to a notification.
fn notification(asked: LambdaFunctionConfiguration) -> S3Result<FunctionNotification> {
    let mut notification = FunctionNotification {
        id: asked.id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        function_arn: asked.lambda_function_arn,
        events: asked.events.iter().map(|event| event.as_ref().to_owned()).collect(),
        prefix: None,
        suffix: None,
    };
    let rules = asked.filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules);
    for rule in rules.unwrap_or_default() {
        let name = rule.name.map(|name| name.as_str().to_ascii_lowercase());
        match name.as_deref() {
            Some("prefix") => notification.prefix = rule.value,
            Some("suffix") => notification.suffix = rule.value,
            _ => {
                return Err(s3_error!(
                    InvalidArgument,
                    "filter rule name must be either prefix or suffix"
                ));
            }
        }
    }
    Ok(notification)
}
