//! Arrow types as Spark would write them in DDL.

use arrow::datatypes::{DataType, Field, Fields};

/// Returns the Spark DDL text of a type: `bigint`, `timestamp`, `array<string>`, `struct<a:int,b:string>`.
///
/// Different storage of the same values has the same text: a time of day in UTC is `timestamp` at any precision.
/// Unsigned integers are the next larger signed type, as Spark reads them.
pub fn ddl(kind: &DataType) -> String {
    use DataType as T;
    match kind {
        T::Boolean => "boolean".into(),
        T::Int8 => "tinyint".into(),
        T::Int16 | T::UInt8 => "smallint".into(),
        T::Int32 | T::UInt16 => "int".into(),
        T::Int64 | T::UInt32 => "bigint".into(),
        T::UInt64 => "decimal(20,0)".into(),
        T::Float16 | T::Float32 => "float".into(),
        T::Float64 => "double".into(),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "string".into(),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "binary".into(),
        T::Date32 | T::Date64 => "date".into(),
        T::Timestamp(_, Some(_)) => "timestamp".into(),
        T::Timestamp(_, None) => "timestamp_ntz".into(),
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => format!("array<{}>", ddl(item.data_type())),
        T::Struct(fields) => format!("struct<{}>", members(fields)),
        T::Map(entries, _) => map(entries),
        T::Dictionary(_, value) => ddl(value),
        T::Null => "void".into(),
        other => other.to_string().to_lowercase(),
    }
}

fn members(fields: &Fields) -> String {
    let member = |field: &std::sync::Arc<Field>| format!("{}:{}", field.name(), ddl(field.data_type()));
    fields.iter().map(member).collect::<Vec<_>>().join(",")
}

fn map(entries: &Field) -> String {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => {
            format!("map<{},{}>", ddl(fields[0].data_type()), ddl(fields[1].data_type()))
        }
        other => ddl(other),
    }
}

/// Returns whether a floating point number is anywhere in the type.
pub fn has_float(kind: &DataType) -> bool {
    match kind {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_float(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_float(field.data_type())),
        kind => kind.is_floating(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn types_read_as_spark_writes_them() {
        let list = |item: DataType| DataType::new_list(item, true);
        let point = Fields::from(vec![
            Field::new("x", DataType::Float32, true),
            Field::new("tags", list(DataType::Utf8), true),
        ]);
        for (kind, expected) in [
            (DataType::Int64, "bigint"),
            (DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), "timestamp"),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp_ntz"),
            (DataType::Decimal128(12, 2), "decimal(12,2)"),
            (list(DataType::LargeUtf8), "array<string>"),
            (DataType::Struct(point), "struct<x:float,tags:array<string>>"),
            (DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), "string"),
        ] {
            assert_eq!(ddl(&kind), expected);
        }
    }

    #[test]
    fn floats_are_found_inside_other_types() {
        assert!(has_float(&DataType::new_list(DataType::Float64, true)));
        assert!(!has_float(&DataType::new_list(DataType::Utf8, true)));
    }
}
