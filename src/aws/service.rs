//! The services that are asked through signed calls, as their API models name them.

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What people call it, and settings with underscores: `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`.
    pub name: &'static str,
    /// The first part of its host name, the name its requests are signed for, and how policies call it.
    pub host: &'static str,
    /// Of one that speaks JSON, what `X-Amz-Target` starts with; of one that takes forms, the version of its API.
    pub api: &'static str,
}

/// The Glue Data Catalog.
pub const GLUE: Service = Service { name: "Glue", host: "glue", api: "AWSGlue" };

/// Athena.
pub const ATHENA: Service = Service { name: "Athena", host: "athena", api: "AmazonAthena" };

/// CloudWatch Logs.
pub const LOGS: Service = Service { name: "CloudWatch Logs", host: "logs", api: "Logs_20140328" };

/// Secrets Manager.
pub const SECRETS_MANAGER: Service = Service { name: "Secrets Manager", host: "secretsmanager", api: "secretsmanager" };

/// Service Quotas.
pub const SERVICE_QUOTAS: Service =
    Service { name: "Service Quotas", host: "servicequotas", api: "ServiceQuotasV20190624" };

/// Identity and Access Management, of which there is one for all regions of a partition. Takes forms.
pub const IAM: Service = Service { name: "IAM", host: "iam", api: "2010-05-08" };

/// EC2: networks and instance types. Takes forms.
pub const EC2: Service = Service { name: "EC2", host: "ec2", api: "2016-11-15" };

/// Services that policies call by another name than people do, those with an SDK's client among them.
pub(super) const POLICY_NAMES: [(&str, &str); 9] = [
    ("EMR", "elasticmapreduce"),
    ("STS", "sts"),
    (GLUE.name, GLUE.host),
    (ATHENA.name, ATHENA.host),
    (LOGS.name, LOGS.host),
    (SECRETS_MANAGER.name, SECRETS_MANAGER.host),
    (SERVICE_QUOTAS.name, SERVICE_QUOTAS.host),
    (IAM.name, IAM.host),
    (EC2.name, EC2.host),
];
