//! The services that have a gate.

/// The services behind a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    S3,
    DynamoDb,
    Lambda,
    Sqs,
    Sts,
    Iam,
    /// CloudWatch Logs.
    Logs,
    /// EventBridge.
    Events,
    /// Lambda's Runtime API, whose clients can not sign.
    Runtime,
}

impl Service {
    /// All services that signed requests reach.
    const SIGNED: [Self; 8] = [
        Self::S3,
        Self::DynamoDb,
        Self::Lambda,
        Self::Sqs,
        Self::Sts,
        Self::Iam,
        Self::Logs,
        Self::Events,
    ];

    /// Returns the service whose signatures have this name in their scope.
    pub fn of_scope(scope: &str) -> Option<Self> {
        Self::SIGNED.into_iter().find(|service| service.scope() == scope)
    }

    /// Returns true for a service that functions reach on a port of its own, also with keys of AWS.
    pub(crate) fn has_own_port(self) -> bool {
        matches!(self, Self::S3 | Self::DynamoDb | Self::Lambda | Self::Sqs)
    }

    /// Returns true for a service of the Query protocol, whose answers are XML.
    pub(crate) fn is_query(self) -> bool {
        matches!(self, Self::Sts | Self::Iam)
    }

    /// Returns the name in the scope of a signature.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
            Self::Lambda => "lambda",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Logs => "logs",
            Self::Events => "events",
            Self::Runtime => "runtime",
        }
    }

    /// Returns the most bytes of a body that is read before its signature is checked.
    ///
    /// The services refuse smaller ones in their own words.
    pub(crate) fn body_bytes(self) -> usize {
        match self {
            Self::Sqs => 32 << 20,
            // A function's code, at most 50 MB, in base64 in JSON.
            Self::Lambda => 72 << 20,
            Self::S3 | Self::DynamoDb | Self::Runtime => 17 << 20,
            Self::Sts | Self::Iam | Self::Logs | Self::Events => 2 << 20,
        }
    }
}
