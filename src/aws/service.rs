//! The services soflow calls, as their API models name them.

/// A service that speaks one of the two AWS JSON protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What people call it.
    pub name: &'static str,
    /// The first part of its host name.
    pub host: &'static str,
    /// The name its requests are signed for.
    pub signing: &'static str,
    /// Its id in `AWS_ENDPOINT_URL_<ID>` and, in lower case, in profiles.
    pub id: &'static str,
    /// What `X-Amz-Target` starts with.
    pub target: &'static str,
    /// The version of the JSON protocol: `1.0` or `1.1`.
    pub json: &'static str,
}

/// Amazon EMR.
pub const EMR: Service = Service {
    name: "EMR",
    host: "elasticmapreduce",
    signing: "elasticmapreduce",
    id: "EMR",
    target: "ElasticMapReduce",
    json: "1.1",
};

/// The Glue Data Catalog.
pub const GLUE: Service =
    Service { name: "Glue", host: "glue", signing: "glue", id: "GLUE", target: "AWSGlue", json: "1.1" };

/// Athena.
pub const ATHENA: Service =
    Service { name: "Athena", host: "athena", signing: "athena", id: "ATHENA", target: "AmazonAthena", json: "1.1" };

/// CloudWatch Logs.
pub const LOGS: Service = Service {
    name: "CloudWatch Logs",
    host: "logs",
    signing: "logs",
    id: "CLOUDWATCH_LOGS",
    target: "Logs_20140328",
    json: "1.1",
};

/// Secrets Manager.
pub const SECRETS_MANAGER: Service = Service {
    name: "Secrets Manager",
    host: "secretsmanager",
    signing: "secretsmanager",
    id: "SECRETS_MANAGER",
    target: "secretsmanager",
    json: "1.1",
};

/// Service Quotas.
pub const SERVICE_QUOTAS: Service = Service {
    name: "Service Quotas",
    host: "servicequotas",
    signing: "servicequotas",
    id: "SERVICE_QUOTAS",
    target: "ServiceQuotasV20190624",
    json: "1.1",
};
