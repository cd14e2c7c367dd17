//! Why Athena refuses or fails a query, in a few words and with the exit code it deserves.

use crate::aws::CallError;
use crate::error::{Error, Kind};

/// Classes of failure that another text of the query would not have: the tables, their files, or Athena itself.
const NOT_THE_QUERY: [&str; 8] = [
    "HIVE_",
    "ICEBERG_",
    "GENERIC_INTERNAL_ERROR",
    "INTERNAL_ERROR",
    "EXCEEDED_",
    "NO_NODES_AVAILABLE",
    "REMOTE_TASK_ERROR",
    "PAGE_TRANSPORT_",
];

/// What Athena appends for its own support.
const APPENDED: [&str; 3] =
    ["This query ran against the ", "If a data manifest file was generated", "Please post the error message"];

/// Athena's category of failures that are the query's. Source: `AthenaError.ErrorCategory` in the service model.
const BY_THE_USER: i64 = 2;

/// Returns what a failed query means; `told` is its `StateChangeReason`.
pub fn failed(told: &str, category: Option<i64>) -> Error {
    let text = clean(told);
    let class = text.split(':').next().unwrap_or_default();
    let denied = ["ermission", "Access Denied", "AccessDenied", "not authorized to perform"];
    if denied.iter().any(|words| text.contains(words)) {
        return Error::new(Kind::Machine, "Athena may not read what the query needs")
            .detail(text)
            .hint("`aws sts get-caller-identity` shows who is asking; `soflow doctor` lists what is missing");
    }
    let ours = NOT_THE_QUERY.iter().any(|start| class.starts_with(start));
    // Older engine versions tell no category, but the class is in capitals then.
    let named = !class.is_empty() && class.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if !ours && (category == Some(BY_THE_USER) || (category.is_none() && named) || text.starts_with("line ")) {
        return Error::new(Kind::Usage, "the query cannot be run").detail(text);
    }
    let error = Error::new(Kind::Machine, "Athena could not finish the query").detail(text.clone());
    if text.starts_with("HIVE_") {
        return error.hint("the tables may have been changed outside soflow: `soflow rollback TABLE --to RUN` with the current run mends one");
    }
    if text.contains("EXCEEDED_") || text.contains("xhausted resources") {
        return error.hint(
            "ask for less at once: name columns and partitions, or `soflow query` again when Athena is less busy",
        );
    }
    error.hint("run the same command again")
}

/// Returns what a query that was not even started means.
pub fn not_started(error: CallError, workgroup: &str) -> Error {
    if error.code != "InvalidRequestException" {
        return error.into();
    }
    let about = error.message.to_lowercase();
    if about.contains("workgroup") {
        return Error::new(Kind::Usage, format!("Athena has no usable workgroup `{workgroup}`"))
            .detail(error.message)
            .hint(
                "correct `workgroup:` of the target in config/soflow.yaml; `aws athena list-work-groups` shows them",
            );
    }
    // "Unable to verify/create output bucket", "Access denied when writing output to url".
    if about.contains("output") {
        return Error::new(Kind::Machine, "Athena cannot write the query's result").detail(error.message).hint(
            format!(
                "look at where workgroup `{workgroup}` writes: `aws athena get-work-group --work-group {workgroup}`"
            ),
        );
    }
    failed(&error.message, Some(BY_THE_USER))
}

fn clean(told: &str) -> String {
    let end = APPENDED.iter().filter_map(|words| told.find(words)).min().unwrap_or(told.len());
    told[..end].trim().trim_end_matches("You may need to manually clean the data at location").trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_the_query_s_or_the_cloud_s() {
        let support = "This query ran against the \"so\" database, unless qualified by the query. Please post the error message on our forum or contact customer support with Query Id: 1";
        for (told, category, kind) in [
            ("SYNTAX_ERROR: line 1:8: Column 'tagg' cannot be resolved. ", Some(2), Kind::Usage),
            (
                "COLUMN_NOT_FOUND: line 1:8: Column 'tagg' cannot be resolved or requester is not authorized to access requested resources. ",
                None,
                Kind::Usage,
            ),
            ("line 1:1: mismatched input 'selekt'. ", None, Kind::Usage),
            ("DIVISION_BY_ZERO: / by zero. ", Some(2), Kind::Usage),
            ("HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch. ", Some(2), Kind::Machine),
            ("Permission denied on S3 path: s3://b/x. ", Some(2), Kind::Machine),
            ("Query exhausted resources at this scale factor. ", Some(1), Kind::Machine),
            ("GENERIC_INTERNAL_ERROR: null. ", None, Kind::Machine),
            ("", None, Kind::Machine),
        ] {
            let error = failed(&format!("{told}{support}"), category);
            assert_eq!(error.kind, kind, "{told}");
            assert_eq!(error.detail.as_deref(), Some(told.trim()));
        }
    }

    #[test]
    fn what_is_not_started_says_what_to_correct() {
        let call = |message: &str| CallError {
            service: "Athena",
            operation: "StartQueryExecution".into(),
            code: "InvalidRequestException".into(),
            message: message.into(),
            maybe_done: false,
            partition: "aws",
        };
        let kinds =
            ["WorkGroup x is not found.", "Unable to verify/create output bucket b", "line 1:1: mismatched input"]
                .map(|message| not_started(call(message), "x").kind);
        assert_eq!(kinds, [Kind::Usage, Kind::Machine, Kind::Usage]);
    }
}
