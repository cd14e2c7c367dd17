//! What the engine's words about a statement suggest.

use crate::catalog::Catalog;
use crate::error::Error;
use crate::yaml::did_you_mean;

/// Adds what the engine's words, the error's detail, suggest.
pub async fn advised(error: Error, catalog: &Catalog) -> Error {
    let message = error.detail.clone().unwrap_or_default();
    let about = message.to_lowercase();
    // Spark and Athena say column, Sail says attribute.
    if about.contains("column") || about.contains("attribute") {
        return error.hint("`soflow tables show TABLE` shows a table's columns");
    }
    match catalog.index().await {
        Ok(index) if about.contains("table") => {
            let tables: Vec<&str> = index.tables.keys().map(String::as_str).collect();
            let words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let close =
                words.filter(|word| !tables.contains(word)).find_map(|word| did_you_mean(word, tables.iter().copied()));
            let error = close.into_iter().fold(error, Error::hint);
            error.hint(format!("the tables are: {}", tables.join(", ")))
        }
        _ => error,
    }
}
