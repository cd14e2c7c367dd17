//! Where the rows of an answer go: to stdout, or to a file that is there when it is whole.

use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::json;
use tempfile::NamedTempFile;

use super::engine::Told;
use crate::cli::app::App;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::report::rows::{self, RowFormat, RowWriter};
use crate::report::{OUTPUT_VERSION, bytes, seconds};

/// How and where rows are written.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    /// CSV instead of an aligned table, on stdout.
    pub csv: bool,
    /// A file instead of stdout; the end of its name says how.
    pub file: Option<PathBuf>,
}

/// What writes an answer.
pub enum RowOutput<'a> {
    /// Lines as they come.
    Stream(&'a App, Option<RowWriter>),
    /// What can only be written when all of it is known.
    Whole(&'a App, Vec<RecordBatch>),
    File(Box<RowFile>),
}

impl Destination {
    /// Returns whether rows can be written to a file of that name.
    ///
    /// # Errors
    /// `Usage` with the endings that are known.
    pub fn check(&self) -> Result<()> {
        self.file.as_deref().map_or(Ok(()), |file| FileForm::of(file).map(drop))
    }

    /// Begins to write an answer.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn open<'a>(&self, app: &'a App) -> Result<RowOutput<'a>> {
        Ok(match &self.file {
            Some(file) => RowOutput::File(Box::new(RowFile::create(file)?)),
            None if self.csv && !app.json => RowOutput::Stream(app, None),
            None => RowOutput::Whole(app, Vec::new()),
        })
    }
}

impl RowOutput<'_> {
    /// Takes a batch; returns whether anyone wants more.
    ///
    /// # Errors
    /// Those of writing.
    pub fn batch(&mut self, batch: RecordBatch) -> Result<bool> {
        match self {
            Self::Whole(_, batches) => batches.push(batch),
            Self::Stream(app, writer) => {
                let writer = writer.get_or_insert_with(|| RowWriter::new(&batch.schema(), RowFormat::Csv));
                return app.write_out(|out| writer.write(out, &batch));
            }
            Self::File(file) => file.write(&batch)?,
        }
        Ok(true)
    }

    /// Ends the answer. What is `told` of it goes to stderr, or into the JSON document. `all`: what prints all rows.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(self, app: &App, limit: u64, all: &str, told: Told) -> Result<()> {
        match self {
            Self::Whole(app, batches) => whole(app, &batches, told)?,
            Self::Stream(app, writer) => {
                app.write_out(|out| writer.map_or(Ok(()), |writer| writer.end(out)))?;
            }
            Self::File(file) => {
                let text = file.persist()?;
                app.tell(Event::Note { text });
            }
        }
        if told.more {
            app.tell(Event::Note { text: format!("There are more than {limit} rows: `{all}` prints all.") });
        }
        if let Some(cost) = told.cost.filter(|_| !app.json) {
            let (read, took) = (bytes(cost.scanned_bytes), seconds(cost.seconds));
            let digits = if cost.dollars < 0.01 { 5 } else { 2 };
            app.tell(Event::Note { text: format!("Athena read {read} in {took}: about ${:.digits$}.", cost.dollars) });
        }
        Ok(())
    }
}

fn whole(app: &App, batches: &[RecordBatch], told: Told) -> Result<()> {
    let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(()) };
    app.write_out(|out| {
        if !app.json {
            return rows::write(out, &schema, batches, RowFormat::Table(app.layout));
        }
        let cost = told.cost.map_or(String::new(), |cost| format!("\"cost\": {}, ", json!(cost)));
        write!(out, "{{\"v\": {OUTPUT_VERSION}, \"more\": {}, {cost}\"rows\": ", told.more)?;
        rows::write(out, &schema, batches, RowFormat::Json)?;
        out.write_all(b"}\n")
    })?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum FileForm {
    Text(RowFormat),
    Parquet,
}

impl FileForm {
    fn of(file: &Path) -> Result<Self> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(Self::Text(RowFormat::Csv)),
            Some("json") => Ok(Self::Text(RowFormat::Json)),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::new(Kind::Usage, format!("`{}` does not say what it is to hold", file.display()))
                .hint("end its name with `.csv`, `.json` or `.parquet`")),
        }
    }
}

/// A file of rows. Until it is whole it has another name, and it goes when this is dropped.
pub struct RowFile {
    path: PathBuf,
    form: FileForm,
    file: BufWriter<NamedTempFile>,
    writer: Option<FileWriter>,
    rows: usize,
}

enum FileWriter {
    Text(RowWriter),
    Parquet(Box<ArrowWriter<std::fs::File>>),
}

impl RowFile {
    fn create(path: &Path) -> Result<Self> {
        let form = FileForm::of(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As the umask says, like any file that a command is told to write.
        let everyone = std::fs::Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(everyone).tempfile_in(folder);
        let file = file.map_err(|error| unwritable(path).caused_by(error))?;
        Ok(Self { path: path.into(), form, file: BufWriter::new(file), writer: None, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => match self.form {
                FileForm::Text(form) => FileWriter::Text(RowWriter::new(&batch.schema(), form)),
                FileForm::Parquet => {
                    // What every reader can read.
                    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                    let file = self.file.get_ref().as_file().try_clone()?;
                    let writer = ArrowWriter::try_new(file, batch.schema(), Some(properties));
                    FileWriter::Parquet(Box::new(writer.map_err(|error| self.failed(error))?))
                }
            },
        };
        self.rows += batch.num_rows();
        match self.writer.insert(writer) {
            FileWriter::Text(writer) => writer.write(&mut self.file, batch)?,
            FileWriter::Parquet(writer) => {
                writer.write(batch).map_err(|error| unwritable(&self.path).caused_by(error))?;
            }
        }
        Ok(())
    }

    /// Gives the file its name, in place of one that has it; returns what was written where, for people.
    fn persist(mut self) -> Result<String> {
        match self.writer.take() {
            Some(FileWriter::Text(writer)) => writer.end(&mut self.file)?,
            Some(FileWriter::Parquet(writer)) => drop(writer.close().map_err(|error| self.failed(error))?),
            None => {}
        }
        let failed = |error: std::io::Error| unwritable(&self.path).caused_by(error);
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        let rows = if self.rows == 1 { "1 row".into() } else { format!("{} rows", self.rows) };
        Ok(format!("Wrote {rows} to {}.", self.path.display()))
    }

    fn failed(&self, error: ParquetError) -> Error {
        unwritable(&self.path).caused_by(error)
    }
}

fn unwritable(path: &Path) -> Error {
    Error::new(Kind::Machine, format!("`{}` cannot be written", path.display()))
}
