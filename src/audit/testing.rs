//! Small tables on disk for tests: columns typed by hand, written as Spark or Sail would.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures_util::FutureExt as _;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::names::Uri;
use crate::store::testing::{BUCKET, Bucket};
use crate::store::{FileStore, Object, Store as _};

/// A named column.
pub(crate) type Named = (&'static str, ArrayRef);

pub(crate) fn ints(name: &'static str, values: &[Option<i64>]) -> Named {
    (name, Arc::new(Int64Array::from(values.to_vec())))
}

pub(crate) fn floats(name: &'static str, values: &[Option<f64>]) -> Named {
    (name, Arc::new(Float64Array::from(values.to_vec())))
}

pub(crate) fn texts(name: &'static str, values: &[Option<&str>]) -> Named {
    (name, Arc::new(StringArray::from(values.to_vec())))
}

/// Moments as Sail writes them: INT64 microseconds in UTC.
pub(crate) fn moments(name: &'static str, values: &[&str]) -> Named {
    let micros = values.iter().map(|text| text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    (name, Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")))
}

/// Returns an object as no listing has shown it.
pub(crate) fn object(path: &str, bytes: u64) -> Object {
    let modified = jiff::Timestamp::UNIX_EPOCH;
    Object { uri: Uri::from_path(path.as_ref()), bytes, etag: String::new(), modified }
}

/// Returns a file as a listing shows it.
pub(crate) fn listed(path: &Path) -> Object {
    let objects = FileStore.list(&Uri::from_path(path.parent().unwrap())).now_or_never().unwrap().unwrap();
    objects.into_iter().find(|object| object.uri == Uri::from_path(path)).unwrap()
}

/// Puts what is below `root` into a bucket, and returns the objects as its listing shows them.
pub(crate) fn upload(bucket: &Bucket, root: &Path, objects: &[Object]) -> Vec<Object> {
    let put = |object: &Object| {
        let key = format!("t/{}", object.uri.below(&Uri::from_path(root)).unwrap());
        fs_err::read(object.uri.to_path().unwrap()).map_or_else(
            |_| Object { uri: Uri::in_bucket(BUCKET, &key), ..object.clone() },
            |body| bucket.put(&key, body),
        )
    };
    objects.iter().map(put).collect()
}

/// Returns what a future comes to on a runtime of one thread, as the program's is.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Writes a file and returns it as a listing would.
pub(crate) fn write(root: &Path, below: &str, columns: Vec<Named>) -> Object {
    write_with(root, below, columns, WriterProperties::builder().build())
}

pub(crate) fn write_blind(root: &Path, below: &str, columns: Vec<Named>) -> Object {
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
    write_with(root, below, columns, properties)
}

pub(crate) fn write_with(root: &Path, below: &str, columns: Vec<Named>, properties: WriterProperties) -> Object {
    let path = root.join(below);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = fs_err::File::create(&path).unwrap().into_file();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    listed(&path)
}

/// Writes moments as Spark does by default: INT96, a Julian day and nanoseconds of the day.
pub(crate) fn write_int96(root: &Path, below: &str, name: &str, values: &[&str]) -> Object {
    const JULIAN_DAY_OF_1970: i64 = 2_440_588;
    let path = root.join(below);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(&format!("message spark_schema {{ OPTIONAL INT96 {name}; }}")).unwrap());
    let file = fs_err::File::create(&path).unwrap().into_file();
    let mut writer = SerializedFileWriter::new(file, schema, WriterProperties::builder().build().into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let day_nanos = 86_400_000_000_000_i128;
    let values: Vec<Int96> = values
        .iter()
        .map(|text| {
            let nanos = text.parse::<jiff::Timestamp>().unwrap().as_nanosecond();
            let (day, rest) = (nanos.div_euclid(day_nanos), nanos.rem_euclid(day_nanos));
            let mut value = Int96::new();
            let day = u32::try_from(i64::try_from(day).unwrap() + JULIAN_DAY_OF_1970).unwrap();
            value.set_data((rest & 0xffff_ffff) as u32, (rest >> 32) as u32, day);
            value
        })
        .collect();
    column.typed::<Int96Type>().write_batch(&values, Some(&vec![1; values.len()]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    listed(&path)
}
