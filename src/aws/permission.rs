//! What a call takes, as IAM names it.

use super::service::POLICY_NAMES;
use crate::names::Uri;

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
    if service == "S3" {
        let other = S3.iter().find(|(name, _)| *name == operation);
        return format!("s3:{}", other.map_or(operation, |(_, action)| action));
    }
    let known = POLICY_NAMES.iter().find(|(name, _)| *name == service);
    format!("{}:{operation}", known.map_or(service, |(_, prefix)| prefix))
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
