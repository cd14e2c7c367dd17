//! What texts must look like, most by AWS's rules: a typo is told here instead of by a refused call.

use crate::names::Uri;
use crate::yaml::{Node, Problems};

/// A form that a text must have.
pub(super) struct Form {
    /// Says whether a text has it.
    fits: fn(&str) -> bool,
    /// What to write, with an example: follows "must be".
    wanted: &'static str,
}

impl Form {
    /// Returns a form with what to say to a text that does not have it.
    pub(super) const fn new(fits: fn(&str) -> bool, wanted: &'static str) -> Self {
        Self { fits, wanted }
    }

    /// Returns the text of a node, noting when it does not have the form.
    pub(super) fn read(&self, key: &str, node: &Node, problems: &mut Problems) -> Option<String> {
        let text = node.scalar(key, problems)?;
        if !(self.fits)(&text) {
            problems.error(&node.place, format!("`{key}` must be {}, found {}", self.wanted, node.describe()));
            return None;
        }
        Some(text)
    }
}

/// Source: the names of regions in botocore's endpoints.json, such as `us-gov-west-1` and `eusc-de-east-1`.
pub(super) const REGION: Form = Form { fits: is_region, wanted: "an AWS region such as `eu-west-1`" };

/// What can stand in a section header of the AWS config file.
pub(super) const PROFILE: Form = Form {
    fits: |text| !text.is_empty() && !text.contains(['[', ']', '\n']),
    wanted: "the name of a profile in the AWS config file",
};

/// Source: Glue's rule for names that Athena, Hive and Spark all take, 1 to 255 of these characters.
pub(super) const DATABASE: Form = Form {
    fits: |text| made_of(text, 1..=255, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
    wanted: "1 to 255 lowercase letters, digits and `_`",
};

/// Source: Athena API reference, CreateWorkGroup, `Name`.
pub(super) const WORKGROUP: Form = Form {
    fits: |text| made_of(text, 1..=128, |c| c.is_ascii_alphanumeric() || "._-".contains(c)),
    wanted: "the name of an Athena workgroup: 1 to 128 letters, digits, `.`, `_`, `-`",
};

/// A role that steps run with.
pub(super) const ROLE_ARN: Form =
    Form { fits: |text| is_iam(text, "role"), wanted: "the ARN of an IAM role, `arn:aws:iam::<account>:role/<name>`" };

/// Source: IAM user guide, "IAM and AWS STS quotas": a role has at most 64 characters.
pub(super) const ROLE: Form =
    Form { fits: |text| is_iam_name(text, 64) || is_iam(text, "role"), wanted: "the name or the ARN of an IAM role" };

/// Source: the same page: an instance profile has at most 128.
pub(super) const INSTANCE_PROFILE: Form = Form {
    fits: |text| is_iam_name(text, 128) || is_iam(text, "instance-profile"),
    wanted: "the name or the ARN of an instance profile",
};

/// Source: EC2 API reference, CreateKeyPair: up to 255 ASCII characters.
pub(super) const KEY_NAME: Form = Form {
    fits: |text| made_of(text, 1..=255, |c| c == ' ' || c.is_ascii_graphic()),
    wanted: "the name of an EC2 key pair: 1 to 255 ASCII characters",
};

/// EMR allows any text; the characters are those its console lists.
pub(super) const SECURITY_CONFIGURATION: Form = Form {
    fits: |text| made_of(text, 1..=256, |c| !c.is_control()),
    wanted: "the name of an EMR security configuration",
};

/// Eight or seventeen hexadecimal digits, as EC2 makes them.
pub(super) const SUBNET: Form = Form {
    fits: |text| {
        text.strip_prefix("subnet-").is_some_and(|id| {
            matches!(id.len(), 8 | 17) && id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
        })
    },
    wanted: "the id of a subnet such as `subnet-0a1b2c3d4e5f67890`",
};

/// Family and size, such as `m5.xlarge`, `c7gn.metal`, `u-6tb1.metal`.
pub(super) const INSTANCE_TYPE: Form =
    Form { fits: is_instance_type, wanted: "an EC2 instance type such as `m5.xlarge`" };

/// A key, or an alias of one. Source: KMS developer guide, "Key identifiers".
pub(super) const KEY_ARN: Form = Form {
    fits: |text| {
        arn(text, "kms").is_some_and(|(region, account, resource)| {
            let of_key = resource.strip_prefix("key/").or_else(|| resource.strip_prefix("alias/"));
            is_region(region) && is_account(account) && of_key.is_some_and(|name| !name.is_empty())
        })
    },
    wanted: "the ARN of a KMS key, `arn:aws:kms:<region>:<account>:key/<id>`",
};

/// Source: Secrets Manager API reference, CreateSecret, `Name`: 1 to 512 of these characters.
pub(super) const SECRET: Form = Form {
    fits: |text| {
        let name = |text: &str| made_of(text, 1..=512, |c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c));
        name(text)
            || arn(text, "secretsmanager").is_some_and(|(region, account, resource)| {
                is_region(region) && is_account(account) && resource.strip_prefix("secret:").is_some_and(name)
            })
    },
    wanted: "the name or the ARN of a secret in Secrets Manager",
};

/// The Python that Spark runs with.
pub(super) const PYTHON: Form = Form {
    fits: |text| text.strip_prefix("3.").is_some_and(|minor| made_of(minor, 1..=2, |c| c.is_ascii_digit())),
    wanted: "a version of Python such as `3.11`",
};

/// Returns whether a location that is in S3 has a bucket that can be; notes when not.
///
/// Source: S3 user guide, "General purpose bucket naming rules".
pub(super) fn bucket_of(key: &str, uri: &Uri, node: &Node, problems: &mut Problems) -> bool {
    let Some(rest) = uri.as_str().strip_prefix("s3://") else { return true };
    let bucket = rest.split('/').next().unwrap_or_default();
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = made_of(bucket, 3..=63, |c| ends(c) || c == '.' || c == '-')
        && bucket.starts_with(ends)
        && bucket.ends_with(ends)
        && !bucket.contains("..")
        && bucket.parse::<std::net::Ipv4Addr>().is_err();
    if !good {
        let message = format!("`{bucket}` in `{key}` cannot be a bucket");
        problems.error(&node.place, message).hint(
            "the name of a bucket has 3 to 63 lowercase letters, digits, `-` and `.`, the first and last no `-` or `.`",
        );
    }
    good
}

/// Returns whether a text has so many characters and all of them fit.
pub(super) fn made_of(text: &str, length: std::ops::RangeInclusive<usize>, fits: impl Fn(char) -> bool) -> bool {
    length.contains(&text.chars().count()) && text.chars().all(fits)
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| made_of(part, 1..=12, |c| c.is_ascii_lowercase());
    match parts.as_slice() {
        [first, middle @ .., number] => {
            (2..=4).contains(&first.len())
                && (1..=2).contains(&middle.len())
                && letters(first)
                && middle.iter().all(letters)
                && made_of(number, 1..=2, |c| c.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_instance_type(text: &str) -> bool {
    let part = |text: &str| made_of(text, 1..=32, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    text.split_once('.').is_some_and(|(family, size)| {
        family.starts_with(|c: char| c.is_ascii_lowercase())
            && family.contains(|c: char| c.is_ascii_digit())
            && part(family)
            && part(size)
    })
}

fn is_account(text: &str) -> bool {
    made_of(text, 12..=12, |c| c.is_ascii_digit())
}

fn is_iam_name(text: &str, longest: usize) -> bool {
    made_of(text, 1..=longest, |c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
}

/// Returns whether the text is the ARN of a `kind` of IAM, with or without a path before the name.
fn is_iam(text: &str, kind: &str) -> bool {
    arn(text, "iam").is_some_and(|(region, account, resource)| {
        let name = resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
        let name = name.and_then(|path| path.rsplit('/').next());
        region.is_empty() && is_account(account) && name.is_some_and(|name| is_iam_name(name, 128))
    })
}

/// Returns region, account and resource of an ARN of `service`.
fn arn<'a>(text: &'a str, service: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut parts = text.splitn(6, ':');
    let partition = (parts.next()? == "arn").then(|| parts.next())??;
    let fits = partition == "aws" || partition.starts_with("aws-");
    (fits && parts.next()? == service).then_some(())?;
    Some((parts.next()?, parts.next()?, parts.next()?))
}
