//! The services as their API models, their addresses and policies name them.

use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use futures_util::FutureExt as _;

use crate::names::Uri;

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

/// Simple Notification Service: messages to people. Takes forms.
pub const SNS: Service = Service { name: "SNS", host: "sns", api: "2010-03-31" };

/// Systems Manager: sessions with instances. Settings call it `SSM`, as its API model does.
pub const SSM: Service = Service { name: "SSM", host: "ssm", api: "AmazonSSM" };

/// CloudFormation. Takes forms.
pub const CLOUDFORMATION: Service = Service { name: "CloudFormation", host: "cloudformation", api: "2010-05-15" };

/// Partitions besides `aws`, whose regions, accounts and names are apart: how their regions begin, how their ARNs call them,
/// and the region that requests to IAM are signed for. Sources: the SDK's `partitions.json`, botocore's rule set of IAM.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "cn-north-1"),
    ("us-gov-", "aws-us-gov", "us-gov-west-1"),
    ("eusc-", "aws-eusc", "eusc-de-east-1"),
    ("us-iso-", "aws-iso", "us-iso-east-1"),
    ("us-isob-", "aws-iso-b", "us-isob-east-1"),
    ("eu-isoe-", "aws-iso-e", "eu-isoe-west-1"),
    ("us-isof-", "aws-iso-f", "us-isof-south-1"),
];

/// Services whose hosts in GovCloud meet FIPS by their usual name. Source: botocore's endpoint rule sets.
const GOV_FIPS: [&str; 5] = ["elasticmapreduce", "logs", "servicequotas", "sts", "ec2"];

/// Returns the partition that a region is in, as ARNs call it, and the region that its requests to IAM are signed for.
fn partition(region: &str) -> (&'static str, &'static str) {
    let known = PARTITIONS.iter().find(|(start, ..)| region.starts_with(start));
    known.map_or(("aws", "us-east-1"), |(_, id, home)| (id, home))
}

/// Returns the second part of ARNs of a region.
pub(super) fn partition_of(region: &str) -> &'static str {
    partition(region).0
}

/// Where a service is asked: at hosts that meet FIPS 140, at hosts that also have IPv6 addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variant {
    /// `AWS_USE_FIPS_ENDPOINT`.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`.
    pub dual_stack: bool,
}

/// Returns the address of a service, `host` being the start of its host name, and the region its requests are signed for.
/// The SDK knows the domains of all regions; that of STS shows them.
pub(super) fn address(host: &str, region: &str, Variant { fips, dual_stack }: Variant) -> (String, String) {
    let (partition, home) = partition(region);
    let suffix = if fips { "-fips" } else { "" };
    if host == IAM.host {
        let host = match (partition, fips, dual_stack) {
            ("aws-us-gov", ..) => "iam.us-gov".into(),
            ("aws", _, true) | ("aws-cn" | "aws-eusc", false, true) => format!("iam{suffix}.global"),
            ("aws", ..) | (_, _, true) | ("aws-cn" | "aws-eusc" | "aws-iso-e" | "aws-iso-f", true, _) => {
                format!("iam{suffix}")
            }
            _ => format!("iam{suffix}.{home}"),
        };
        return (sts(home, dual_stack).replacen(&format!("sts.{home}"), &host, 1), home.into());
    }
    // The usual hosts of Secrets Manager have both kinds of addresses. Source: botocore's rule set.
    let both = host == SECRETS_MANAGER.host && ["aws", "aws-cn", "aws-us-gov"].contains(&partition);
    let usual = partition == "aws-us-gov" && GOV_FIPS.contains(&host) && !dual_stack;
    let suffix = if usual { "" } else { suffix };
    (sts(region, dual_stack && !both).replacen("sts", &format!("{host}{suffix}"), 1), region.into())
}

fn sts(region: &str, dual_stack: bool) -> String {
    let params = Params::builder().region(region).use_fips(false).use_dual_stack(dual_stack).use_global_endpoint(false);
    let found = params.build().ok().and_then(|params| {
        let found = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
        Some(found.url().to_string())
    });
    // What the SDK does not know is most likely there.
    found.unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com"))
}

/// Operations of S3 whose permission has another name. The other services name both alike. Source: the Service
/// Authorization Reference; names and kinds of resource were compared with the copy in cfn-lint 1.58.0.
const S3: [(&str, &str); 13] = [
    ("HeadBucket", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("CopyObject", "PutObject"),
    ("DeleteObjects", "DeleteObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("UploadPart", "PutObject"),
    ("CompleteMultipartUpload", "PutObject"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListParts", "ListMultipartUploadParts"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
];

/// Permissions of S3 that are on objects; all others are on buckets.
const ON_OBJECTS: [&str; 5] =
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];

/// Returns the permission that an operation takes, such as `s3:ListBucket` for `ListObjectsV2`. `service` is what people
/// call it.
pub fn permission(service: &str, operation: &str) -> String {
    let prefix = match service {
        "S3" => {
            let other = S3.iter().find(|(name, _)| *name == operation);
            return format!("s3:{}", other.map_or(operation, |(_, action)| action));
        }
        "EMR" => "elasticmapreduce",
        "STS" => "sts",
        "Step Functions" => "states",
        _ => {
            let known = [GLUE, ATHENA, LOGS, SECRETS_MANAGER, SERVICE_QUOTAS, IAM, EC2, SNS, SSM, CLOUDFORMATION];
            known.iter().find(|known| known.name == service).map_or(service, |known| known.host)
        }
    };
    format!("{prefix}:{operation}")
}

/// Returns the ARN of what a permission of S3 is on, when a call was about `uri`: the bucket or the object. `partition` is
/// how all ARNs of the caller begin: `aws`, `aws-cn`, `aws-us-gov`.
pub fn resource(permission: &str, uri: &Uri, partition: &str) -> String {
    let (bucket, key) = uri.bucket_and_key().unwrap_or_default();
    match ON_OBJECTS.contains(&permission) {
        true if key.is_empty() => format!("arn:{partition}:s3:::{bucket}/*"),
        true => format!("arn:{partition}:s3:::{bucket}/{key}"),
        false => format!("arn:{partition}:s3:::{bucket}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As botocore resolves them.
    #[test]
    fn services_are_where_their_endpoint_rules_say() {
        let at = |host: &str, region: &str, fips, dual_stack| address(host, region, Variant { fips, dual_stack }).0;
        for (host, region, fips, dual, expected) in [
            ("elasticmapreduce", "eu-west-1", false, false, "elasticmapreduce.eu-west-1.amazonaws.com"),
            ("elasticmapreduce", "eu-west-1", true, true, "elasticmapreduce-fips.eu-west-1.api.aws"),
            ("elasticmapreduce", "eusc-de-east-1", true, false, "elasticmapreduce-fips.eusc-de-east-1.amazonaws.eu"),
            ("elasticmapreduce", "us-gov-west-1", true, false, "elasticmapreduce.us-gov-west-1.amazonaws.com"),
            ("elasticmapreduce", "us-gov-west-1", true, true, "elasticmapreduce-fips.us-gov-west-1.api.aws"),
            ("glue", "us-gov-west-1", true, false, "glue-fips.us-gov-west-1.amazonaws.com"),
            ("glue", "us-iso-east-1", false, false, "glue.us-iso-east-1.c2s.ic.gov"),
            ("sts", "cn-north-1", false, false, "sts.cn-north-1.amazonaws.com.cn"),
            ("sts", "us-isob-east-1", false, true, "sts.us-isob-east-1.api.aws.scloud"),
            ("secretsmanager", "us-east-1", true, true, "secretsmanager-fips.us-east-1.amazonaws.com"),
            ("secretsmanager", "eusc-de-east-1", false, true, "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu"),
            ("ec2", "mx-central-1", false, false, "ec2.mx-central-1.amazonaws.com"),
        ] {
            assert_eq!(at(host, region, fips, dual), format!("https://{expected}"));
        }
        for (region, fips, dual, expected, signed) in [
            ("eu-west-1", false, false, "iam.amazonaws.com", "us-east-1"),
            ("eu-west-1", true, true, "iam-fips.global.api.aws", "us-east-1"),
            ("us-gov-east-1", true, false, "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            ("us-gov-east-1", false, true, "iam.us-gov.api.aws", "us-gov-west-1"),
            ("cn-northwest-1", false, false, "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("cn-northwest-1", false, true, "iam.global.api.amazonwebservices.com.cn", "cn-north-1"),
            ("cn-northwest-1", true, false, "iam-fips.amazonaws.com.cn", "cn-north-1"),
            ("cn-northwest-1", true, true, "iam-fips.api.amazonwebservices.com.cn", "cn-north-1"),
            ("eusc-de-east-1", false, true, "iam.global.api.amazonwebservices.eu", "eusc-de-east-1"),
            ("eusc-de-east-1", true, false, "iam-fips.amazonaws.eu", "eusc-de-east-1"),
            ("eusc-de-east-1", true, true, "iam-fips.api.amazonwebservices.eu", "eusc-de-east-1"),
            ("us-isob-west-1", false, false, "iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
            ("us-isob-west-1", false, true, "iam.api.aws.scloud", "us-isob-east-1"),
            ("us-isob-west-1", true, false, "iam-fips.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
            ("eu-isoe-west-1", true, false, "iam-fips.cloud.adc-e.uk", "eu-isoe-west-1"),
            ("us-isof-south-1", true, false, "iam-fips.csp.hci.ic.gov", "us-isof-south-1"),
            ("us-isof-south-1", true, true, "iam-fips.api.aws.hci.ic.gov", "us-isof-south-1"),
        ] {
            let found = address(IAM.host, region, Variant { fips, dual_stack: dual });
            assert_eq!(found, (format!("https://{expected}"), signed.to_string()));
        }
        assert_eq!(partition_of("eu-isoe-west-1"), "aws-iso-e");
    }

    #[test]
    fn a_permission_is_on_the_bucket_or_on_the_object() {
        let uri = Uri::in_bucket("b", "lake/x.json");
        for (operation, action, on) in [
            ("ListObjectsV2", "s3:ListBucket", "arn:aws-cn:s3:::b"),
            ("HeadObject", "s3:GetObject", "arn:aws-cn:s3:::b/lake/x.json"),
            ("ListMultipartUploads", "s3:ListBucketMultipartUploads", "arn:aws-cn:s3:::b"),
            ("UploadPart", "s3:PutObject", "arn:aws-cn:s3:::b/lake/x.json"),
        ] {
            let permission = permission("S3", operation);
            assert_eq!((permission.as_str(), resource(&permission, &uri, "aws-cn").as_str()), (action, on));
        }
        assert_eq!(resource("s3:DeleteObject", &Uri::in_bucket("b", ""), "aws"), "arn:aws:s3:::b/*");
        assert_eq!(permission("CloudWatch Logs", "GetLogEvents"), "logs:GetLogEvents");
        assert_eq!(permission("Secrets Manager", "GetSecretValue"), "secretsmanager:GetSecretValue");
    }
}
