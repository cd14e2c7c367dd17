//! The messages that are sent and read here. Source: the package `spark.connect` of Spark 4.0, whose names and numbers they
//! have; fields that are not needed are left out, as Protocol Buffers allow.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub struct UserContext {
    #[prost(string, tag = "1")]
    pub user_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ExecutePlanRequest {
    #[prost(string, tag = "1")]
    pub session_id: String,
    #[prost(message, optional, tag = "2")]
    pub user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub plan: Option<Plan>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ExecutePlanResponse {
    #[prost(message, optional, tag = "2")]
    pub arrow_batch: Option<ArrowBatch>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ArrowBatch {
    #[prost(bytes = "bytes", tag = "2")]
    pub data: bytes::Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct ConfigRequest {
    #[prost(string, tag = "1")]
    pub session_id: String,
    #[prost(message, optional, tag = "2")]
    pub user_context: Option<UserContext>,
    #[prost(message, optional, tag = "3")]
    pub operation: Option<ConfigOperation>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ConfigOperation {
    #[prost(message, optional, tag = "1")]
    pub set: Option<ConfigSet>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ConfigSet {
    #[prost(message, repeated, tag = "1")]
    pub pairs: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ConfigResponse {}

#[derive(Clone, PartialEq, Message)]
pub struct Plan {
    #[prost(oneof = "PlanKind", tags = "1, 2")]
    pub kind: Option<PlanKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum PlanKind {
    #[prost(message, tag = "1")]
    Root(Relation),
    #[prost(message, tag = "2")]
    Command(Command),
}

#[derive(Clone, PartialEq, Message)]
pub struct Command {
    #[prost(message, optional, tag = "3")]
    pub create_dataframe_view: Option<CreateDataFrameView>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateDataFrameView {
    #[prost(message, optional, tag = "1")]
    pub input: Option<Relation>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bool, tag = "4")]
    pub replace: bool,
}

/// Rows, by how they are had.
#[derive(Clone, PartialEq, Message)]
pub struct Relation {
    #[prost(oneof = "RelationKind", tags = "2, 3, 4, 6, 8, 10, 11")]
    /// How.
    pub kind: Option<RelationKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum RelationKind {
    #[prost(message, tag = "2")]
    Read(Read),
    #[prost(message, boxed, tag = "3")]
    Project(Box<Project>),
    #[prost(message, boxed, tag = "4")]
    Filter(Box<Filter>),
    #[prost(message, boxed, tag = "6")]
    SetOperation(Box<SetOperation>),
    #[prost(message, boxed, tag = "8")]
    Limit(Box<Limit>),
    #[prost(message, tag = "10")]
    Sql(Sql),
    #[prost(message, tag = "11")]
    Local(LocalRelation),
}

#[derive(Clone, PartialEq, Message)]
pub struct Read {
    #[prost(message, optional, tag = "2")]
    pub data_source: Option<DataSource>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DataSource {
    #[prost(string, optional, tag = "1")]
    pub format: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub schema: Option<String>,
    #[prost(string, repeated, tag = "4")]
    pub paths: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Project {
    #[prost(message, optional, tag = "1")]
    pub input: Option<Relation>,
    #[prost(message, repeated, tag = "3")]
    pub expressions: Vec<Expression>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Filter {
    #[prost(message, optional, tag = "1")]
    pub input: Option<Relation>,
    #[prost(message, optional, tag = "2")]
    pub condition: Option<Expression>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SetOperation {
    #[prost(message, optional, tag = "1")]
    pub left_input: Option<Relation>,
    #[prost(message, optional, tag = "2")]
    pub right_input: Option<Relation>,
    #[prost(int32, tag = "3")]
    pub set_op_type: i32,
    #[prost(bool, optional, tag = "4")]
    pub is_all: Option<bool>,
}

/// `SET_OP_TYPE_UNION`.
const UNION: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct Limit {
    #[prost(message, optional, tag = "1")]
    pub input: Option<Relation>,
    #[prost(int32, tag = "2")]
    pub limit: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sql {
    #[prost(string, tag = "1")]
    pub query: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct LocalRelation {
    #[prost(string, optional, tag = "2")]
    pub schema: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Expression {
    #[prost(message, optional, tag = "4")]
    pub expression_string: Option<ExpressionString>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ExpressionString {
    #[prost(string, tag = "1")]
    pub expression: String,
}

impl Expression {
    fn of(text: &str) -> Self {
        Self { expression_string: Some(ExpressionString { expression: text.into() }) }
    }
}

impl RelationKind {
    fn into_relation(self) -> Relation {
        Relation { kind: Some(self) }
    }
}

impl Relation {
    /// Returns the rows of a statement.
    pub fn sql(query: &str) -> Self {
        RelationKind::Sql(Sql { query: query.into() }).into_relation()
    }

    /// Returns no rows, of a schema in Spark's DDL.
    pub fn empty(schema: &str) -> Self {
        RelationKind::Local(LocalRelation { schema: Some(schema.into()) }).into_relation()
    }

    /// Returns the rows of the Parquet files below a folder, read by a schema in Spark's DDL.
    pub fn parquet(folder: &str, schema: &str) -> Self {
        let data_source =
            DataSource { format: Some("parquet".into()), schema: Some(schema.into()), paths: vec![folder.into()] };
        RelationKind::Read(Read { data_source: Some(data_source) }).into_relation()
    }

    /// Returns what SQL expressions make of each row.
    #[must_use]
    pub fn select(self, expressions: &[String]) -> Self {
        let expressions = expressions.iter().map(|text| Expression::of(text)).collect();
        RelationKind::Project(Box::new(Project { input: Some(self), expressions })).into_relation()
    }

    /// Returns the rows for which a SQL expression is true.
    #[must_use]
    pub fn filter(self, condition: &str) -> Self {
        let condition = Some(Expression::of(condition));
        RelationKind::Filter(Box::new(Filter { input: Some(self), condition })).into_relation()
    }

    /// Returns the rows of both, which have the same columns.
    #[must_use]
    pub fn union_all(self, other: Self) -> Self {
        RelationKind::SetOperation(Box::new(SetOperation {
            left_input: Some(self),
            right_input: Some(other),
            set_op_type: UNION,
            is_all: Some(true),
        }))
        .into_relation()
    }

    /// Returns so many of the rows at most.
    #[must_use]
    pub fn limit(self, rows: u64) -> Self {
        let limit = i32::try_from(rows).unwrap_or(i32::MAX);
        RelationKind::Limit(Box::new(Limit { input: Some(self), limit })).into_relation()
    }
}
