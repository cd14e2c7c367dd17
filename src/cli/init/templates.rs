//! The files of new projects, carried in the program.

/// A file: its path below the project's folder, and its text.
pub type TemplateFile = (&'static str, &'static str);

/// Files that are in the repository under the same path.
macro_rules! carried {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../../", $path)))),*] };
}

/// What every project has besides its job.
pub const SHARED: &[TemplateFile] = &[
    (".gitignore", include_str!("../../../templates/gitignore")),
    ("config/soflow.yaml", include_str!("../../../templates/soflow.yaml")),
    ("config/schema/job.schema.json", include_str!("../../../config/schema/job.schema.json")),
    ("config/schema/soflow.schema.json", include_str!("../../../config/schema/soflow.schema.json")),
];

/// A small job of two steps.
pub const MINIMAL: &[TemplateFile] = &[
    ("jobs/example.yaml", include_str!("../../../templates/minimal/jobs/example.yaml")),
    ("pyspark/lake.py", include_str!("../../../templates/minimal/pyspark/lake.py")),
    ("pyspark/steps/orders.py", include_str!("../../../templates/minimal/pyspark/steps/orders.py")),
    ("pyspark/steps/sales.py", include_str!("../../../templates/minimal/pyspark/steps/sales.py")),
];

/// The job on Stack Overflow data.
pub const DAILY: &[TemplateFile] = carried![
    "jobs/daily.yaml",
    "pyspark/pyproject.toml",
    "pyspark/requirements.in",
    "pyspark/requirements.lock",
    "pyspark/soflow_jobs/__init__.py",
    "pyspark/soflow_jobs/answers.py",
    "pyspark/soflow_jobs/comments.py",
    "pyspark/soflow_jobs/communities.py",
    "pyspark/soflow_jobs/dump.py",
    "pyspark/soflow_jobs/dump_records.py",
    "pyspark/soflow_jobs/entry.py",
    "pyspark/soflow_jobs/fields.py",
    "pyspark/soflow_jobs/findings.py",
    "pyspark/soflow_jobs/gold.py",
    "pyspark/soflow_jobs/ingest.py",
    "pyspark/soflow_jobs/ingest_audit.py",
    "pyspark/soflow_jobs/lake.py",
    "pyspark/soflow_jobs/language.py",
    "pyspark/soflow_jobs/licence.py",
    "pyspark/soflow_jobs/markdown.py",
    "pyspark/soflow_jobs/nested.py",
    "pyspark/soflow_jobs/neutral_words.py",
    "pyspark/soflow_jobs/pages.py",
    "pyspark/soflow_jobs/periods.py",
    "pyspark/soflow_jobs/question_tags.py",
    "pyspark/soflow_jobs/questions.py",
    "pyspark/soflow_jobs/raw.py",
    "pyspark/soflow_jobs/records.py",
    "pyspark/soflow_jobs/schemas.py",
    "pyspark/soflow_jobs/sentiment.py",
    "pyspark/soflow_jobs/sentiment_model.json",
    "pyspark/soflow_jobs/sentiment_model.py",
    "pyspark/soflow_jobs/sites.py",
    "pyspark/soflow_jobs/stats.py",
    "pyspark/soflow_jobs/tag_health.py",
    "pyspark/soflow_jobs/tag_pairs.py",
    "pyspark/soflow_jobs/tag_response.py",
    "pyspark/soflow_jobs/tag_sentiment.py",
    "pyspark/soflow_jobs/tag_trends.py",
    "pyspark/soflow_jobs/task.py",
    "pyspark/soflow_jobs/text.py",
    "pyspark/soflow_jobs/text_sentiment.py",
    "pyspark/soflow_jobs/vader.py",
    "pyspark/steps/answers.py",
    "pyspark/steps/comments.py",
    "pyspark/steps/findings.py",
    "pyspark/steps/question_tags.py",
    "pyspark/steps/questions.py",
    "pyspark/steps/sentiment.py",
    "pyspark/steps/tag_health.py",
    "pyspark/steps/tag_pairs.py",
    "pyspark/steps/tag_sentiment.py",
    "pyspark/steps/tag_trends.py",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fs_err as fs;

    use super::*;

    /// Returns the files of a folder of the repository, those of tests and compiled ones aside.
    fn files(folder: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            if entry.file_type().unwrap().is_file() {
                found.push(path);
            } else if !["tests", "__pycache__"].contains(&&*name) && !name.starts_with('.') {
                files(&path, found);
            }
        }
    }

    #[test]
    fn every_file_of_the_daily_job_is_carried_along() {
        let mut there = vec!["jobs/daily.yaml".to_string()];
        files("pyspark", &mut there);
        there.sort();
        let mut carried: Vec<&str> = DAILY.iter().map(|(path, _)| *path).collect();
        carried.sort_unstable();
        assert_eq!(carried, there);
    }
}
