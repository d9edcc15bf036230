//! The services that have a gate.

/// The services behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    S3,
    DynamoDb,
    Lambda,
    Sqs,
    /// Lambda's Runtime API, whose clients can not sign.
    Runtime,
}

impl Service {
    /// Returns the name in the scope of a signature.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
            Self::Lambda => "lambda",
            Self::Sqs => "sqs",
            Self::Runtime => "runtime",
        }
    }

    /// Returns the most bytes of a body that is read before its signature is checked.
    ///
    /// The services refuse smaller ones in their own words.
    pub(crate) fn body_bytes(self) -> usize {
        match self {
            Self::Sqs => 32 << 20,
            Self::S3 | Self::DynamoDb | Self::Lambda | Self::Runtime => 17 << 20,
        }
    }
}
