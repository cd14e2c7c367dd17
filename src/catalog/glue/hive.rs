//! Spark's names of types as Hive and Athena spell them.

/// Returns the Hive type of a Spark type: `bigint` and `struct<a:int,b:array<string>>` stay as they are,
/// `timestamp_ntz`, which Hive does not tell apart, is `timestamp`, and a column of nulls only is `string`.
pub fn hive_type(spark: &str) -> String {
    let mut hive = String::with_capacity(spark.len());
    let mut rest = spark;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let after = &rest[word..];
        // A word before a colon names a member of a struct.
        let member = after.starts_with(':');
        hive.push_str(match &rest[..word] {
            "timestamp_ntz" | "timestamp_ltz" if !member => "timestamp",
            "void" if !member => "string",
            word => word,
        });
        let next = after.chars().next().map_or(0, char::len_utf8);
        hive.push_str(&after[..next]);
        rest = &after[next..];
    }
    hive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_hive() {
        for (spark, hive) in [
            ("bigint", "bigint"),
            ("array<string>", "array<string>"),
            ("timestamp_ntz", "timestamp"),
            ("decimal(20,0)", "decimal(20,0)"),
            ("void", "string"),
            ("map<string,array<timestamp_ntz>>", "map<string,array<timestamp>>"),
            (
                "struct<void:void,größe:timestamp_ntz,timestamp_ntz:int>",
                "struct<void:string,größe:timestamp,timestamp_ntz:int>",
            ),
        ] {
            assert_eq!(hive_type(spark), hive);
        }
    }
}
