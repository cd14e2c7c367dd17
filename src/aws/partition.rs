//! Partitions of AWS: how their ARNs begin, and where their services are.

/// A partition: regions with accounts, names and hosts of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The second part of its ARNs.
    pub id: &'static str,
    /// How the names of its regions begin.
    regions: &'static str,
    /// How its hosts end, and how those end that also have IPv6 addresses.
    domains: (&'static str, &'static str),
    /// The address of IAM, of which there is one, with and without FIPS, and the region its requests are signed for.
    iam: (&'static str, &'static str, &'static str),
}

/// All partitions. Sources: the SDK's `partitions.json` for names and domains, and botocore's endpoint rule set of IAM.
const PARTITIONS: [Partition; 8] = [
    of(
        "aws-cn",
        "cn-",
        ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        ("iam.cn-north-1.amazonaws.com.cn", "iam-fips.amazonaws.com.cn", "cn-north-1"),
    ),
    of(
        "aws-us-gov",
        "us-gov-",
        ("amazonaws.com", "api.aws"),
        ("iam.us-gov.amazonaws.com", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
    ),
    of(
        "aws-eusc",
        "eusc-",
        ("amazonaws.eu", "api.amazonwebservices.eu"),
        ("iam.eusc-de-east-1.amazonaws.eu", "iam-fips.amazonaws.eu", "eusc-de-east-1"),
    ),
    of(
        "aws-iso",
        "us-iso-",
        ("c2s.ic.gov", "api.aws.ic.gov"),
        ("iam.us-iso-east-1.c2s.ic.gov", "iam-fips.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ),
    of(
        "aws-iso-b",
        "us-isob-",
        ("sc2s.sgov.gov", "api.aws.scloud"),
        ("iam.us-isob-east-1.sc2s.sgov.gov", "iam-fips.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
    ),
    of(
        "aws-iso-e",
        "eu-isoe-",
        ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
        ("iam.eu-isoe-west-1.cloud.adc-e.uk", "iam-fips.cloud.adc-e.uk", "eu-isoe-west-1"),
    ),
    of(
        "aws-iso-f",
        "us-isof-",
        ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
        ("iam.us-isof-south-1.csp.hci.ic.gov", "iam-fips.csp.hci.ic.gov", "us-isof-south-1"),
    ),
    // What is not known yet is most likely here.
    of("aws", "", ("amazonaws.com", "api.aws"), ("iam.amazonaws.com", "iam-fips.amazonaws.com", "us-east-1")),
];

/// Services whose hosts in GovCloud meet FIPS by their usual name. Source: botocore's endpoint rule sets.
const GOV_FIPS: [&str; 5] = ["elasticmapreduce", "logs", "servicequotas", "sts", "ec2"];

/// Where in a region a service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// At a host that meets FIPS 140: `AWS_USE_FIPS_ENDPOINT`.
    pub fips: bool,
    /// At a host that also has IPv6 addresses: `AWS_USE_DUALSTACK_ENDPOINT`.
    pub dual_stack: bool,
}

const fn of(
    id: &'static str,
    regions: &'static str,
    domains: (&'static str, &'static str),
    iam: (&'static str, &'static str, &'static str),
) -> Partition {
    Partition { id, regions, domains, iam }
}

impl Partition {
    /// Returns the partition that a region is in.
    pub fn of_region(region: &str) -> Self {
        let [.., usual] = PARTITIONS;
        PARTITIONS.into_iter().find(|partition| region.starts_with(partition.regions)).unwrap_or(usual)
    }

    /// Returns the address of a service in a region; `host` is the start of its host name.
    pub(super) fn address(&self, host: &str, region: &str, variant: Variant) -> String {
        // Source: botocore's endpoint rule set of Secrets Manager, whose usual hosts have both kinds of addresses.
        let both = host == "secretsmanager" && ["aws", "aws-cn", "aws-us-gov"].contains(&self.id);
        let domain = if variant.dual_stack && !both { self.domains.1 } else { self.domains.0 };
        let usual = self.id == "aws-us-gov" && GOV_FIPS.contains(&host) && !variant.dual_stack;
        let fips = if variant.fips && !usual { "-fips" } else { "" };
        format!("https://{host}{fips}.{region}.{domain}")
    }

    /// Returns the address of IAM and the region its requests are signed for.
    pub(super) fn iam(&self, variant: Variant) -> (String, &'static str) {
        let (usual, fips, region) = self.iam;
        let host = match (variant.dual_stack, self.id, variant.fips) {
            (true, "aws", false) => "iam.global.api.aws",
            (true, "aws", true) => "iam-fips.global.api.aws",
            (true, "aws-us-gov", _) => "iam.us-gov.api.aws",
            (true, "aws-cn", false) => "iam.global.api.amazonwebservices.com.cn",
            (_, _, false) => usual,
            (_, _, true) => fips,
        };
        (format!("https://{host}"), region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As botocore resolves them.
    #[test]
    fn services_are_where_their_endpoint_rules_say() {
        let at = |host: &str, region: &str, fips, dual_stack| {
            Partition::of_region(region).address(host, region, Variant { fips, dual_stack })
        };
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
        let gov = Partition::of_region("us-gov-east-1").iam(Variant { fips: true, dual_stack: false });
        assert_eq!(gov, ("https://iam.us-gov.amazonaws.com".into(), "us-gov-west-1"));
        assert_eq!(Partition::of_region("eu-isoe-west-1").id, "aws-iso-e");
    }
}
