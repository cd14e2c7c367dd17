//! Which columns are compared, and what each is for.

use arrow::datatypes::DataType;

use super::diff::{SchemaDiff, TableDiff};
use super::side::{ComparedColumn, Side};
use crate::audit::kind::{ddl, has_float};
use crate::error::{Error, Kind, Result};

/// The columns both sides have in comparable types; those that differ are put into `diff`.
pub(super) fn shared(sides: [&Side<'_>; 2], ignore: &[String], diff: &mut TableDiff) -> Result<Vec<ComparedColumn>> {
    let [left, right] = [sides[0].columns()?, sides[1].columns()?];
    let [left, right] = [left, right]
        .map(|columns| columns.into_iter().filter(|column| !ignore.contains(&column.name)).collect::<Vec<_>>());
    if sides.iter().any(|side| side.files.is_empty()) {
        // Without files a side has no schema to compare.
        return Ok(if left.is_empty() { right } else { left });
    }
    let mut shared = Vec::new();
    for column in &left {
        let other = right.iter().find(|other| other.name == column.name);
        let (a, b) = (ddl(&column.kind), other.map(|other| ddl(&other.kind)));
        if b.as_ref() != Some(&a) {
            diff.schema.push(SchemaDiff { column: column.name.clone(), left: Some(a), right: b });
        }
        if let Some(kind) = other.and_then(|other| common(&column.kind, &other.kind)) {
            shared.push(ComparedColumn { name: column.name.clone(), kind });
        }
    }
    for column in right.iter().filter(|column| left.iter().all(|other| other.name != column.name)) {
        diff.schema.push(SchemaDiff { column: column.name.clone(), left: None, right: Some(ddl(&column.kind)) });
    }
    Ok(shared)
}

/// The type in which values of two types can be compared.
fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    if ddl(left) == ddl(right) {
        Some(left.clone())
    } else if left.is_integer() && right.is_integer() {
        Some(DataType::Int64)
    } else {
        (left.is_numeric() && right.is_numeric()).then_some(DataType::Float64)
    }
}

/// What each column is for.
pub(super) struct ColumnRoles {
    /// Rows are matched by these.
    pub key: Vec<ComparedColumn>,
    /// And compared in these.
    pub values: Vec<ComparedColumn>,
    /// Rows are shown as these.
    pub shown: Vec<ComparedColumn>,
    pub keyed: bool,
}

impl ColumnRoles {
    pub fn new(shared: &[ComparedColumn], key: &[String]) -> Result<Self> {
        let find = |name: &String| {
            shared.iter().find(|column| column.name == *name).cloned().ok_or_else(|| {
                Error::new(Kind::Usage, format!("the key column `{name}` is not on both sides in comparable types"))
            })
        };
        let named = key.iter().map(find).collect::<Result<Vec<_>>>()?;
        let keyed = !key.is_empty();
        let is_key = |column: &ComparedColumn| if keyed { named.contains(column) } else { !has_float(&column.kind) };
        let (key, values) = shared.iter().cloned().partition(is_key);
        Ok(Self { key, values, shown: if keyed { named } else { shared.to_vec() }, keyed })
    }
}
