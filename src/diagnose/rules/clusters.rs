//! The rules about clusters, the stronger first. Codes in capitals: Amazon EMR management guide, "Error codes with
//! ErrorDetail information". Sentences: as `StateChangeReason` has them.

use super::Rule;
use crate::diagnose::Class::{self, Capacity, Code, Permission, Service};

const CAPACITY: &str =
    "give the cluster shape more instance types and more subnets to choose from, or `when-no-spot: on-demand`";
const ROLE: &str = "check `service-role` and `instance-profile` of the cluster shape: `aws iam get-role \
             --role-name NAME`, `aws iam get-instance-profile --instance-profile-name NAME`";

/// What is known about clusters.
pub const CLUSTERS: &[Rule] = &[
    Rule::new(Permission, &["AWSServiceRoleForEMRCleanup"])
        .says("the account has no role `AWSServiceRoleForEMRCleanup`, which EMR needs to clean up after a cluster")
        .hint(
            "make it, once for the account: `aws iam create-service-linked-role --aws-service-name \
             elasticmapreduce.amazonaws.com`",
        ),
    Rule::new(Capacity, &["INSUFFICIENT_DISK_SPACE"])
        .says("a node has no room for what is installed on it")
        .hint("give the nodes larger disks: `disk:` of the cluster shape"),
    Rule::new(Service, &["HIVE_METASTORE_CONNECTION_ERROR"])
        .says("the nodes cannot reach the Hive metastore")
        .hint("check the `hive-site` classification of the cluster shape, and the security groups"),
    Rule::new(Code, &["BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED", "BOOTSTRAP_FAILURE_FILE_NOT_FOUND"])
        .says("the script of a bootstrap action cannot be read")
        .hint("check that it exists and that the instance profile may read it: `bootstrap:` of the cluster shape"),
    Rule::new(Capacity, &["SPOT_PRICE_INCREASE_PRIMARY"])
        .says("the primary node was a spot instance, and EC2 took it back")
        .hint("a primary node should be on-demand: `primary: { on-demand: 1 }` in the cluster shape"),
    Rule::new(Capacity, &["SPOT_NO_CAPACITY_PRIMARY"])
        .says("there is no spot capacity for the primary node")
        .hint("a primary node should be on-demand: `primary: { on-demand: 1 }` in the cluster shape"),
    Rule::new(
        Capacity,
        &[
            "VcpuLimitExceeded",
            "vCPU limit",
            "MaxSpotInstanceCountExceeded",
            "InstanceLimitExceeded",
            "exceeds your quota",
            "quota allows for",
            "exceeded your limit",
            "EC2 instance limit",
        ],
    )
    .says("the account's EC2 quota does not allow so many instances")
    .hint(
        "end clusters that are not needed, or ask for a larger quota: `aws service-quotas \
             list-service-quotas --service-code ec2`",
    ),
    Rule::new(
        Capacity,
        &[
            "INSUFFICIENT_CAPACITY",
            "InsufficientInstanceCapacity",
            "Insufficient capacity",
            "insufficient capacity",
            "do not have sufficient",
            "UnfulfillableCapacity",
            "no Spot capacity",
            "INSTANCE_FLEET_TIMEOUT",
        ],
    )
    .says("EC2 has not enough of the instances asked for")
    .hint(CAPACITY),
    Rule::new(Capacity, &["instance type {type} is not supported"])
        .says("the instance type `{type}` cannot be had where the subnet is, or not with this release")
        .hint(
            "see which ones can: `aws emr list-supported-instance-types --release-label RELEASE`, or \
             add subnets of other zones",
        ),
    Rule::new(Capacity, &["INSTANCE_TYPE_NOT_SUPPORTED"])
        .says("an instance type cannot be had where the subnet is, or not with this release")
        .hint(
            "see which ones can: `aws emr list-supported-instance-types --release-label RELEASE`, or \
             add subnets of other zones",
        ),
    Rule::new(
        Permission,
        &[
            "Invalid InstanceProfile: {name}",
            "EMR service role {name} is invalid",
            "InstanceProfile {name} is invalid",
            "/{name} is invalid",
        ],
    )
    .says("`{name}` is no role that EMR can use: it does not exist, or does not trust EMR or EC2")
    .hint(ROLE),
    Rule::new(
        Permission,
        &["has insufficient EC2 permissions", "insufficient permissions", "is not authorized to call EC2"],
    )
    .says("EMR's service role may not make the instances")
    .hint(
        "with the policy `AmazonEMRServicePolicy_v2` the cluster, its subnets and its security \
             groups must have the tag `for-use-with-amazon-emr-managed-policies=true`",
    ),
    Rule::new(Service, &["SUBNET_NOT_FROM_ONE_VPC", "SECURITY_GROUP_NOT_FROM_ONE_VPC"])
        .says("the subnets and security groups are not all of one VPC")
        .hint("check `subnets` of the cluster shape"),
    Rule::new(
        Service,
        &[
            "ubnet{}is not valid",
            "ubnet{}does not exist",
            "InvalidSubnetID",
            "subnet configuration was invalid",
            "ecSubnetId",
        ],
    )
    .says("a subnet does not exist, is of another region, or has no way to EMR")
    .hint("check `subnets` of the cluster shape: `aws ec2 describe-subnets`"),
    Rule::new(Service, &["ecurity group{}does not exist", "InvalidGroup", "ecurity group{}is invalid"])
        .says("a security group does not exist or is of another VPC")
        .hint("check the security groups of the cluster shape: `aws ec2 describe-security-groups`"),
    Rule::new(Service, &["INVALID_SSH_KEY_NAME", "InvalidKeyPair", "eypair is not valid", "key pair{}does not exist"])
        .says("the EC2 key pair does not exist in this region")
        .hint("check `key-name` of the cluster shape: `aws ec2 describe-key-pairs`"),
    Rule::new(Service, &["release label is invalid: {release}"])
        .says("there is no EMR release `{release}` in this region")
        .hint("see which there are: `aws emr list-release-labels`"),
    Rule::new(Service, &["auto-termination", "Auto-termination", "idle time"])
        .says("nothing ran on the cluster for its idle time, and it ended itself")
        .hint("submit again: a new cluster is made. A longer time: `idle` of the cluster shape"),
    Rule::new(Service, &["Terminated by user request", "USER_REQUEST"]).says("someone ended the cluster").hint(
        "see who: `aws cloudtrail lookup-events --lookup-attributes \
             AttributeKey=EventName,AttributeValue=TerminateJobFlows`",
    ),
    Rule::new(Capacity, &["master node was terminated", "primary node was terminated", "INSTANCE_FAILURE"])
        .says("the primary node was lost, and the cluster with it")
        .hint(
            "submit again: a new cluster is made. A primary node should be on-demand: `primary: { \
             on-demand: 1 }` in the cluster shape",
        ),
    Rule::new(Code, &["Shut down as step failed", "STEP_FAILURE"])
        .says("a step failed, and the cluster was told to end with it")
        .hint("see why the step failed: `soflow runs`"),
    Rule::new(Class::Unknown, &["ALL_STEPS_COMPLETED"])
        .says("the cluster ended after its last step, as it was told to"),
    Rule::new(Service, &["INTERNAL_ERROR"])
        .says("EMR had an internal error")
        .hint("submit again; if it goes on, https://health.aws.amazon.com/health/status tells of outages"),
];
