//! A session with a server of Spark Connect.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::ipc::reader::StreamReader;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{
    Command, ConfigOperation, ConfigRequest, ConfigResponse, ConfigSet, CreateDataFrameView, ExecutePlanRequest,
    ExecutePlanResponse, KeyValue, Plan, PlanKind, Relation, UserContext,
};

/// Most bytes of one message. A server splits rows into batches, but a row can be large; PySpark's client takes as much.
/// Source: `ChannelBuilder.MAX_MESSAGE_LENGTH` of PySpark 4.0.
const LONGEST_MESSAGE: usize = 128 << 20;

const EXECUTE_PLAN: &str = "/spark.connect.SparkConnectService/ExecutePlan";
const CONFIG: &str = "/spark.connect.SparkConnectService/Config";

/// Why a statement has no rows.
#[derive(Debug)]
pub enum StatementError {
    /// What the server says of it.
    Refused(String),
    /// The server is not there, or no longer.
    Lost(String),
}

/// A session: its settings and views are seen by nobody else.
#[derive(Debug)]
pub struct SparkSession {
    grpc: tonic::client::Grpc<Channel>,
    id: String,
}

/// The rows of a statement, batch after batch, as the server makes them.
#[derive(Debug)]
pub struct Rows {
    responses: Streaming<ExecutePlanResponse>,
    /// What a response held, the next one last.
    read: Vec<RecordBatch>,
}

impl SparkSession {
    /// Begins a session over a connection to a server.
    ///
    /// # Errors
    /// `Lost` when nobody answers in gRPC.
    pub async fn begin<Io>(connection: Io) -> Result<Self, StatementError>
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut connection = Some(TokioIo::new(connection));
        let connector = tower::service_fn(move |_: Uri| {
            let taken = connection.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected));
            std::future::ready(taken)
        });
        // The name is sent as the request's authority and means nothing here.
        let channel = Endpoint::from_static("http://spark-connect").connect_with_connector(connector).await;
        let channel = channel.map_err(|error| StatementError::Lost(error.to_string()))?;
        let grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(LONGEST_MESSAGE);
        Ok(Self { grpc, id: uuid::Uuid::new_v4().to_string() })
    }

    /// Sets properties of Spark.
    ///
    /// # Errors
    /// As the server says.
    pub async fn set(&mut self, properties: &[(&str, &str)]) -> Result<(), StatementError> {
        let pair = |(key, value): &(&str, &str)| KeyValue { key: (*key).into(), value: Some((*value).into()) };
        let request = ConfigRequest {
            session_id: self.id.clone(),
            user_context: Some(user()),
            operation: Some(ConfigOperation { set: Some(ConfigSet { pairs: properties.iter().map(pair).collect() }) }),
        };
        self.grpc.ready().await.map_err(|error| StatementError::Lost(error.to_string()))?;
        let codec = ProstCodec::<ConfigRequest, ConfigResponse>::default();
        self.grpc.unary(Request::new(request), PathAndQuery::from_static(CONFIG), codec).await?;
        Ok(())
    }

    /// Gives rows a name for later statements; another view of that name is replaced.
    ///
    /// # Errors
    /// As the server says.
    pub async fn create_view(&mut self, name: &str, rows: Relation) -> Result<(), StatementError> {
        let view = CreateDataFrameView { input: Some(rows), name: name.into(), replace: true };
        let command = Command { create_dataframe_view: Some(view) };
        let mut answer = self.execute(PlanKind::Command(command)).await?;
        while answer.next().await?.is_some() {}
        Ok(())
    }

    /// Starts to read rows.
    ///
    /// # Errors
    /// As the server says; what goes wrong later is said by [`Rows::next`].
    pub async fn read(&mut self, rows: Relation) -> Result<Rows, StatementError> {
        self.execute(PlanKind::Root(rows)).await
    }

    async fn execute(&mut self, plan: PlanKind) -> Result<Rows, StatementError> {
        let request = ExecutePlanRequest {
            session_id: self.id.clone(),
            user_context: Some(user()),
            plan: Some(Plan { kind: Some(plan) }),
        };
        self.grpc.ready().await.map_err(|error| StatementError::Lost(error.to_string()))?;
        let codec = ProstCodec::<ExecutePlanRequest, ExecutePlanResponse>::default();
        let answer =
            self.grpc.server_streaming(Request::new(request), PathAndQuery::from_static(EXECUTE_PLAN), codec).await?;
        Ok(Rows { responses: answer.into_inner(), read: Vec::new() })
    }
}

impl Rows {
    /// Returns the next batch, or `None` at the end. A result without rows is one empty batch, which has the columns.
    ///
    /// # Errors
    /// As the server says.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, StatementError> {
        loop {
            if let Some(batch) = self.read.pop() {
                return Ok(Some(batch));
            }
            let Some(response) = self.responses.message().await? else { return Ok(None) };
            let Some(arrow) = response.arrow_batch else { continue };
            self.read = batches(&arrow.data).map_err(|error| StatementError::Lost(error.to_string()))?;
            self.read.reverse();
        }
    }
}

/// Returns the batches of an Arrow IPC stream; of one without any, an empty one.
fn batches(stream: &[u8]) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    let reader = StreamReader::try_new(Cursor::new(stream), None)?;
    let schema = reader.schema();
    let mut found = reader.map(|batch| plain(&batch?)).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        found.push(plain(&RecordBatch::new_empty(schema))?);
    }
    Ok(found)
}

/// Returns the batch in the types that all engines are held to: Sail has views and large offsets of texts, too, and
/// timestamps of other units and zones.
fn plain(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema: SchemaRef = batch.schema();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let kind = match field.data_type() {
            DataType::Timestamp(_, zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into()))
            }
            DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        columns.push(if kind == *field.data_type() { column.clone() } else { cast(column, &kind)? });
        fields.push(Field::new(field.name(), kind, field.is_nullable()));
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn user() -> UserContext {
    UserContext { user_id: "soflow".into() }
}

impl From<Status> for StatementError {
    fn from(status: Status) -> Self {
        // A status without a message from the server comes of the connection: its cause is a transport's.
        let lost = matches!(status.code(), Code::Unavailable | Code::Cancelled)
            || std::error::Error::source(&status).is_some();
        let message = status.message().to_string();
        if lost { Self::Lost(message) } else { Self::Refused(message) }
    }
}
