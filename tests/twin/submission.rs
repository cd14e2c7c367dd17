//! The command line of `spark-submit`, read as it reads it.

/// Options that stand alone. All others take a value. Source: `spark-submit --help` of Spark 3.5.
const FLAGS: [&str; 4] = ["--verbose", "-v", "--supervise", "--version"];

/// What is to be run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Submission {
    pub script: String,
    pub arguments: Vec<String>,
    pub conf: Vec<String>,
    pub py_files: Vec<String>,
    /// Unpacked beside the script on a cluster. Not fetched here: the engine's own Python stands in for a packed one.
    pub archives: Vec<String>,
    /// The driver runs on the primary node, and prints into the step's own logs.
    pub client: bool,
}

/// Returns what a step's arguments ask for, `spark-submit` among them; else what `spark-submit` would say.
pub fn parse(arguments: &[String]) -> Result<Submission, String> {
    let mut submission = Submission { client: true, ..Submission::default() };
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        if !argument.starts_with('-') {
            submission.script.clone_from(argument);
            submission.arguments = rest.cloned().collect();
            return Ok(submission);
        }
        if FLAGS.contains(&argument.as_str()) {
            continue;
        }
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) if option != "--conf" => (option, value.to_string()),
            _ => {
                let value = rest.next().ok_or_else(|| format!("Error: Missing argument for option '{argument}'."))?;
                (argument.as_str(), value.clone())
            }
        };
        let list = || value.split(',').filter(|item| !item.is_empty()).map(ToString::to_string);
        match option {
            "--conf" | "-c" if !value.contains('=') => {
                return Err(format!("Error: Spark config without '=': {value}"));
            }
            "--conf" | "-c" => submission.conf.push(value),
            "--py-files" => submission.py_files.extend(list()),
            "--archives" => submission.archives.extend(list()),
            "--deploy-mode" => submission.client = value != "cluster",
            _ => {}
        }
    }
    Err("Error: Missing application resource.".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_where_the_script_stands() {
        let line = "spark-submit --deploy-mode cluster --conf spark.a=b=c --py-files s3://b/a.zip,s3://b/c.py --verbose s3://b/x.py --task s3://b/t --conf no";
        let arguments: Vec<String> = line.split(' ').map(ToString::to_string).collect();
        let wanted = Submission {
            script: "s3://b/x.py".into(),
            arguments: ["--task", "s3://b/t", "--conf", "no"].map(Into::into).to_vec(),
            conf: vec!["spark.a=b=c".into()],
            py_files: vec!["s3://b/a.zip".into(), "s3://b/c.py".into()],
            archives: Vec::new(),
            client: false,
        };
        assert_eq!(parse(&arguments), Ok(wanted));
        assert_eq!(parse(&arguments[..3]), Err("Error: Missing application resource.".to_string()));
    }
}
