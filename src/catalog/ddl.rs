//! Spark's types as those who read the lake without a catalog call them.

use serde_json::{Value, json};

/// A type of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// One without parts, as Spark's DDL calls it: `bigint`, `decimal(20,0)`.
    Plain(String),
    /// A list of such items.
    Array(Box<ColumnType>),
    /// Named fields.
    Struct(Vec<(String, ColumnType)>),
    /// Keys and values.
    Map(Box<ColumnType>, Box<ColumnType>),
}

impl ColumnType {
    /// Returns the type that Spark's DDL calls so, or `None` when that is no text of DDL.
    pub fn parse(ddl: &str) -> Option<Self> {
        if let Some(item) = inside(ddl, "array<") {
            return Some(Self::Array(Box::new(Self::parse(item)?)));
        }
        if let Some(entries) = inside(ddl, "map<") {
            let parts = split(entries);
            let [key, value] = parts.as_slice() else { return None };
            return Some(Self::Map(Box::new(Self::parse(key)?), Box::new(Self::parse(value)?)));
        }
        if let Some(fields) = inside(ddl, "struct<") {
            let field = |text: &str| {
                let (name, kind) = text.split_once(':')?;
                Some((name.to_string(), Self::parse(kind)?))
            };
            return split(fields).into_iter().map(field).collect::<Option<_>>().map(Self::Struct);
        }
        (!ddl.contains(['<', '>'])).then(|| Self::Plain(ddl.into()))
    }

    /// Returns the type in the schema of a Delta table; `None` when there is none. Source: the Delta transaction log
    /// protocol, "Primitive Types".
    pub fn delta(&self) -> Option<Value> {
        Some(match self {
            Self::Plain(name) => match name.as_str() {
                "bigint" => "long".into(),
                "int" => "integer".into(),
                "smallint" => "short".into(),
                "tinyint" => "byte".into(),
                "boolean" | "float" | "double" | "string" | "binary" | "date" | "timestamp" | "timestamp_ntz" => {
                    name.as_str().into()
                }
                decimal if decimal.starts_with("decimal(") => decimal.into(),
                _ => return None,
            },
            Self::Array(item) => json!({ "type": "array", "elementType": item.delta()?, "containsNull": true }),
            Self::Map(key, value) => {
                json!({ "type": "map", "keyType": key.delta()?, "valueType": value.delta()?, "valueContainsNull": true })
            }
            Self::Struct(fields) => {
                let field = |(name, kind): &(String, Self)| Some(delta_field(name, kind.delta()?));
                json!({ "type": "struct", "fields": fields.iter().map(field).collect::<Option<Vec<_>>>()? })
            }
        })
    }

    /// Returns the type as DuckDB calls it.
    pub fn duckdb(&self) -> String {
        match self {
            Self::Plain(name) => match name.as_str() {
                "int" => "INTEGER".into(),
                "string" => "VARCHAR".into(),
                "binary" => "BLOB".into(),
                "timestamp" => "TIMESTAMPTZ".into(),
                "timestamp_ntz" => "TIMESTAMP".into(),
                "void" => "VARCHAR".into(),
                other => other.to_uppercase(),
            },
            Self::Array(item) => format!("{}[]", item.duckdb()),
            Self::Map(key, value) => format!("MAP({}, {})", key.duckdb(), value.duckdb()),
            Self::Struct(fields) => {
                let field =
                    |(name, kind): &(String, Self)| format!("\"{}\" {}", name.replace('"', "\"\""), kind.duckdb());
                format!("STRUCT({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Returns whether the type is `name`, or has it somewhere within.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Plain(plain) => plain == name,
            Self::Array(item) => item.has(name),
            Self::Map(key, value) => key.has(name) || value.has(name),
            Self::Struct(fields) => fields.iter().any(|(_, kind)| kind.has(name)),
        }
    }
}

/// Returns a field of a Delta schema.
pub fn delta_field(name: &str, kind: Value) -> Value {
    json!({ "name": name, "type": kind, "nullable": true, "metadata": {} })
}

fn inside<'a>(ddl: &'a str, opening: &str) -> Option<&'a str> {
    ddl.strip_prefix(opening)?.strip_suffix('>')
}

/// Returns the parts between commas that are in no brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_to_delta_and_to_duckdb() {
        for (ddl, delta, duckdb) in [
            ("bigint", json!("long"), "BIGINT"),
            ("decimal(20,0)", json!("decimal(20,0)"), "DECIMAL(20,0)"),
            ("timestamp", json!("timestamp"), "TIMESTAMPTZ"),
            ("array<int>", json!({"type": "array", "elementType": "integer", "containsNull": true}), "INTEGER[]"),
            (
                "map<string,array<date>>",
                json!({"type": "map", "keyType": "string", "valueContainsNull": true,
                    "valueType": {"type": "array", "elementType": "date", "containsNull": true}}),
                "MAP(VARCHAR, DATE[])",
            ),
            (
                "struct<a:decimal(4,2),b:struct<c:string>>",
                json!({"type": "struct", "fields": [
                    {"name": "a", "type": "decimal(4,2)", "nullable": true, "metadata": {}},
                    {"name": "b", "nullable": true, "metadata": {}, "type": {"type": "struct", "fields": [
                        {"name": "c", "type": "string", "nullable": true, "metadata": {}}]}}]}),
                "STRUCT(\"a\" DECIMAL(4,2), \"b\" STRUCT(\"c\" VARCHAR))",
            ),
        ] {
            let kind = ColumnType::parse(ddl).unwrap();
            assert_eq!((kind.delta(), kind.duckdb().as_str()), (Some(delta), duckdb), "{ddl}");
        }
        assert_eq!(ColumnType::parse("time64(ns)").unwrap().delta(), None);
        assert_eq!(ColumnType::parse("array<int"), None);
        assert!(ColumnType::parse("map<int,array<timestamp_ntz>>").unwrap().has("timestamp_ntz"));
    }
}
