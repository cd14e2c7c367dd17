//! Answers of every kind, and what is made of them.

use std::error::Error as _;

use super::*;

fn call(service: &'static str, operation: &str, code: &str, message: &str) -> CallError {
    let maybe_done = code.starts_with("HTTP 5") || [NO_ANSWER, "InternalServerException"].contains(&code);
    CallError {
        service,
        operation: operation.into(),
        code: code.into(),
        message: message.into(),
        maybe_done,
        partition: "aws",
    }
}

fn told(call: CallError, on: Option<&Uri>) -> String {
    let said = call.to_string();
    let error = explained(call, on);
    let hints: String = error.hints.iter().map(|hint| format!("  hint: {hint}\n")).collect();
    format!("{said}\n  {}\n{hint}\n", error.message, hint = hints)
}

#[test]
fn every_error_is_told_with_a_way_out() {
    let user = "User: arn:aws:sts::111122223333:assumed-role/ci/build-7 is not authorized to perform";
    let emr = |operation: &'static str, code: &str, message: &str| call("EMR", operation, code, message);
    let answers = [
        emr(
            "RunJobFlow",
            "AccessDeniedException",
            &format!(
                "{user}: elasticmapreduce:RunJobFlow on resource: arn:aws:elasticmapreduce:eu-west-1:111122223333:cluster/j-1 because no identity-based policy allows the elasticmapreduce:RunJobFlow action"
            ),
        ),
        emr(
            "RunJobFlow",
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/EMR_DefaultRole_V2",
        ),
        call(
            "Glue",
            "UpdateTable",
            "AccessDeniedException",
            &format!(
                "{user}: glue:UpdateTable on resource: arn:aws:glue:eu-west-1:111122223333:catalog with an explicit deny in a service control policy"
            ),
        ),
        call("CloudWatch Logs", "GetLogEvents", "AccessDeniedException", ""),
        call(
            "EC2",
            "DescribeSubnets",
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. Encoded authorization failure message: 0aBcD",
        ),
        emr("ListClusters", "ExpiredTokenException", "The security token included in the request is expired"),
        emr("ListClusters", NO_CREDENTIALS, "the SSO session has expired or is otherwise invalid"),
        emr("ListClusters", NO_CREDENTIALS, "no providers in chain provided credentials"),
        emr("ListClusters", "UnrecognizedClientException", "The security token included in the request is invalid."),
        call(
            "STS",
            "GetCallerIdentity",
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        emr(
            "ListClusters",
            "InvalidSignatureException",
            "Signature expired: 20261123T020000Z is now earlier than 20261123T024500Z (20261123T025000Z - 5 min.)",
        ),
        emr(
            "ListClusters",
            "InvalidSignatureException",
            "Signature not yet current: 20261123T020000Z is still later than 20261123T014500Z",
        ),
        call("EC2", "DescribeSubnets", "RequestExpired", "Request has expired."),
        emr(
            "ListClusters",
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ),
        call(
            "Athena",
            "StartQueryExecution",
            "OptInRequired",
            "The AWS Access Key Id needs a subscription for the service",
        ),
        emr("ListSteps", "ThrottlingException", "Rate exceeded"),
        emr("ListSteps", NOT_SENT, "error trying to connect: dns error: failed to lookup address information"),
        emr("ListSteps", UNTRUSTED, "error trying to connect: invalid peer certificate: UnknownIssuer"),
        emr("ListSteps", NOT_SENT, "error trying to connect: tcp connect error: Connection refused"),
        emr("ListSteps", NO_ANSWER, "operation timed out"),
        emr("ListSteps", "HTTP 502", "an HTML page came instead of an answer: 502 Bad Gateway"),
        emr("ListSteps", "InternalServerException", "Internal failure"),
        emr("RunJobFlow", "ValidationException", "Invalid InstanceProfile: soflow-nodes."),
        emr("RunJobFlow", "ValidationException", "The supplied release label is invalid: emr-7.99.0."),
        emr(
            "AddJobFlowSteps",
            "ValidationException",
            "A job flow that is shutting down, terminated, or finished may not be modified.",
        ),
        emr(
            "AddJobFlowSteps",
            "ValidationException",
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.",
        ),
        emr("AddJobFlowSteps", "ValidationException", "Specified job flow ID not valid"),
        emr("DescribeCluster", "InvalidRequestException", "Cluster id 'j-1' is not valid."),
        emr("DescribeCluster", "SomethingNew", "never seen"),
    ];
    let object = Uri::in_bucket("lake", "artifacts/run.json");
    let s3 = |operation: &str, code: &str, message: &str| told(call("S3", operation, code, message), Some(&object));
    let about_objects = [
        s3("ListObjectsV2", "AccessDenied", "Access Denied"),
        s3(
            "ListObjectsV2",
            "AccessDenied",
            &format!("{user}: s3:ListObjectsV2 on resource: arn:aws:s3:::lake/artifacts"),
        ),
        s3("HeadObject", "AccessDenied", "HTTP 403 and not a word"),
        s3(
            "UploadPart",
            "AccessDenied",
            "User: arn:aws-cn:iam::111122223333:user/ana is not authorized to perform: s3:PutObject on resource: \"arn:aws-cn:s3:::lake/artifacts/run.json\" because no identity-based policy allows the s3:PutObject action",
        ),
        s3("GetObject", "ExpiredToken", "The provided token has expired."),
        s3("HeadObject", BAD_REQUEST, "HTTP 400 and not a word"),
        s3(
            "GetObject",
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        s3(
            "GetObject",
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ),
        s3("GetObject", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        s3(
            "GetObject",
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
        ),
        s3(
            "GetObject",
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        ),
        s3("GetObject", "NoSuchBucket", "The specified bucket does not exist"),
        s3("GetObject", "SlowDown", "Please reduce your request rate."),
    ];
    let all: String = answers.into_iter().map(|call| told(call, None)).chain(about_objects).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn the_caller_s_partition_is_that_of_what_it_is_told_to_allow() {
    let object = Uri::in_bucket("lake", "x");
    let told =
        advice(&CallError { partition: "aws-us-gov", ..call("S3", "HeadObject", "AccessDenied", "") }, Some(&object));
    assert!(told.what.ends_with("access is denied: `s3:GetObject` on `arn:aws-us-gov:s3:::lake/x`"), "{}", told.what);
    assert!(told.hints[0].contains(r#""Resource": "arn:aws-us-gov:s3:::lake/*""#), "{:?}", told.hints);
}

#[test]
fn words_alone_never_decide() {
    // A proxy, a file's name, a number may have any of these words in them.
    for words in
        ["terminated", "Access Denied", "301", "Signature expired", "Cluster id 'j-1' is not valid.", "certificate"]
    {
        let other = call("EMR", "ListSteps", "SomethingNew", words);
        assert_eq!(meaning(&other), Meaning::Other, "{words}");
        assert!(explained(other, None).source().is_some());
    }
}
