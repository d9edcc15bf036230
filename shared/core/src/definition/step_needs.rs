//! What each step type needs to run, for the list of steps that cannot run.

use crate::definition::step_type::StepType;

impl StepType {
    /// Returns what a step of the type needs, as the end of a sentence about it.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Lambda => "a Lambda function",
            Self::Callback => "an SQS queue",
            Self::Condition | Self::Fail => "nothing",
            Self::Processing => "a SageMaker processing job",
            Self::Training => "a SageMaker training job",
            Self::Tuning => "a SageMaker hyperparameter tuning job",
            Self::AutoMl => "a SageMaker AutoML job",
            Self::Transform => "a SageMaker batch transform job",
            Self::Model => "a SageMaker model",
            Self::RegisterModel => "a model registry",
            Self::QualityCheck => "a processing job with the image of SageMaker Model Monitor",
            Self::ClarifyCheck => "a processing job with the image of SageMaker Clarify",
            Self::Emr => "an EMR cluster",
            Self::EmrServerless => "an EMR Serverless application",
            Self::EndpointConfig | Self::Endpoint | Self::InferenceComponent => {
                "SageMaker's hosting of models"
            }
            Self::Lineage => "SageMaker's lineage records",
            Self::ForEach => "a fan-out over a list (write one step for each item instead)",
            Self::Cleanup => "to delete what other steps left in S3",
            Self::Athena => "an Athena query",
            Self::Job => "a job of SageMaker's CreateJob",
            Self::HubContent => "a SageMaker hub",
            Self::BedrockCustomModel
            | Self::BedrockCustomModelDeployment
            | Self::BedrockProvisionedModelThroughput
            | Self::BedrockModelImport => "Amazon Bedrock",
        }
    }
}
