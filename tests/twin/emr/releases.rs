//! Releases, what is in them, and the instance types they run on.

use serde_json::{Value, json};

use super::{Refusal, lists};

/// Release labels, newest first, with the versions of what they bring. Source: the release guide's component tables;
/// versions it did not show are left out.
const RELEASES: &[(&str, &[(&str, &str)])] = &[
    (
        "emr-spark-8.1.0",
        &[
            ("Spark", "4.1.1"),
            ("Livy", "0.9.0"),
            ("JupyterEnterpriseGateway", "2.6.0"),
            ("Delta", "4.2.0"),
            ("AmazonCloudWatchAgent", "1.300032.2"),
        ],
    ),
    ("emr-spark-8.0.0", &[("Spark", "4.0.2"), ("AmazonCloudWatchAgent", "1.300032.2")]),
    ("emr-7.14.0", CLASSIC),
    ("emr-7.13.0", CLASSIC),
    ("emr-7.12.0", CLASSIC),
    ("emr-7.11.0", CLASSIC),
    ("emr-7.10.0", CLASSIC),
    ("emr-7.3.0", CLASSIC),
    ("emr-6.15.0", CLASSIC),
];

const CLASSIC: &[(&str, &str)] = &[
    ("Hadoop", "3.4.2"),
    ("Spark", "3.5.6"),
    ("Hive", "3.1.3"),
    ("Hue", "4.11.0"),
    ("Livy", "0.8.0"),
    ("Trino", "479"),
    ("JupyterHub", "1.5.0"),
    ("JupyterEnterpriseGateway", "2.6.0"),
    ("Zeppelin", "0.11.1"),
    ("Tez", "0.10.2"),
    ("Delta", "3.3.2"),
    ("AmazonCloudWatchAgent", "1.300032.2"),
];

/// Instance types: name, vCPUs, memory in GiB, local disk in GB, architecture. Source: EC2's instance type pages.
const TYPES: &[(&str, u32, f64, u32, &str)] = &[
    ("c5.xlarge", 4, 8.0, 0, "X86_64"),
    ("m5.large", 2, 8.0, 0, "X86_64"),
    ("m5.xlarge", 4, 16.0, 0, "X86_64"),
    ("m5.2xlarge", 8, 32.0, 0, "X86_64"),
    ("m5.4xlarge", 16, 64.0, 0, "X86_64"),
    ("m5a.xlarge", 4, 16.0, 0, "X86_64"),
    ("m5d.xlarge", 4, 16.0, 150, "X86_64"),
    ("m6a.xlarge", 4, 16.0, 0, "X86_64"),
    ("m6g.xlarge", 4, 16.0, 0, "ARM_64"),
    ("m6i.xlarge", 4, 16.0, 0, "X86_64"),
    ("m7g.xlarge", 4, 16.0, 0, "ARM_64"),
    ("m7i.xlarge", 4, 16.0, 0, "X86_64"),
    ("r5.xlarge", 4, 32.0, 0, "X86_64"),
    ("r5.2xlarge", 8, 64.0, 0, "X86_64"),
    ("r6g.xlarge", 4, 32.0, 0, "ARM_64"),
    ("r6i.xlarge", 4, 32.0, 0, "X86_64"),
];

pub fn is_known(label: &str) -> bool {
    find(label).is_some()
}

/// Returns the version of an application in a release.
pub fn version(label: &str, application: &str) -> Option<&'static str> {
    find(label)?.iter().find(|(name, _)| *name == application).map(|(_, version)| *version)
}

pub fn list_labels(body: &Value) -> Value {
    let prefix = body["Filters"]["Prefix"].as_str().unwrap_or_default();
    let labels: Vec<&str> =
        RELEASES.iter().map(|(label, _)| *label).filter(|label| label.starts_with(prefix)).collect();
    json!({ "ReleaseLabels": labels })
}

pub fn describe(body: &Value) -> Result<Value, Refusal> {
    let label = body["ReleaseLabel"].as_str().unwrap_or_default();
    let found = find(label).ok_or_else(|| invalid(label))?;
    let applications: Vec<Value> =
        found.iter().map(|(name, version)| json!({ "Name": name, "Version": version })).collect();
    Ok(
        json!({ "ReleaseLabel": label, "Applications": applications, "AvailableOSReleases": [{ "Label": "2023.9.20251117.1" }] }),
    )
}

pub fn list_types(body: &Value) -> Result<Value, Refusal> {
    let label = body["ReleaseLabel"].as_str().unwrap_or_default();
    find(label).ok_or_else(|| invalid(label))?;
    let types = TYPES.iter().map(|(name, cores, memory, disk, architecture)| {
        json!({
            "Type": name, "MemoryGB": memory, "StorageGB": disk, "VCPU": cores, "Is64BitsOnly": true,
            "InstanceFamilyId": name.split('.').next(), "EbsOptimizedAvailable": true, "EbsOptimizedByDefault": true,
            "NumberOfDisks": i32::from(*disk > 0), "EbsStorageOnly": *disk == 0, "Architecture": architecture,
        })
    });
    lists::page("SupportedInstanceTypes", types.collect(), body, |item| item["Type"].to_string())
}

fn find(label: &str) -> Option<&'static [(&'static str, &'static str)]> {
    RELEASES.iter().find(|(known, _)| *known == label).map(|(_, applications)| *applications)
}

fn invalid(label: &str) -> Refusal {
    Refusal::invalid(format!("The supplied release label is invalid: {label}."))
}
