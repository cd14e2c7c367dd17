//! What answers statements on the published tables of a target: the embedded engine, Spark or Athena.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::watch;

use crate::catalog::{Catalog, Index};
use crate::cli::workspace::Workspace;
use crate::config::{Engine, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::query::{Athena, Cost, View, sail, statement};
use crate::spark_connect::Relation;
use crate::targets::local::{LocalEngine, SqlServer, Statement, read_ipc};

use super::advice::advised;

/// Takes a batch of rows; returns whether more are wanted. Of a result without rows it is given one batch, which is empty.
pub type See<'a> = dyn FnMut(RecordBatch) -> Result<bool> + Send + 'a;

/// What is known of an answer besides its rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Whether there are more rows than were asked for.
    pub more: bool,
    /// What they cost, where that is known.
    pub cost: Option<Cost>,
}

/// The engine of a target, with what it keeps between statements.
pub struct SqlEngine {
    tables: Tables,
    kind: EngineKind,
}

enum EngineKind {
    Sail(Sail),
    Spark(LocalEngine),
    Athena(Athena),
}

impl SqlEngine {
    /// Returns the engine of the target in use; one of this machine is made unless it is there.
    ///
    /// # Errors
    /// Those of the settings and of making an environment.
    pub fn of(work: &Workspace<'_>) -> Result<Self> {
        let kind = match &work.project.target.kind {
            TargetKind::Local(local) => {
                let engine = work.local_engine()?;
                engine.prepare(work.app.sink().as_mut())?;
                match local.engine {
                    Engine::Sail => EngineKind::Sail(Sail { engine, server: None, views: BTreeMap::new() }),
                    Engine::Spark => EngineKind::Spark(engine),
                }
            }
            TargetKind::Emr(emr) => {
                let session = work.session()?.clone();
                EngineKind::Athena(Athena::new(session, &emr.workgroup, &emr.database, &work.lake().artifacts))
            }
        };
        Ok(Self { tables: Tables { catalog: work.catalog.clone(), curated: work.lake().curated.clone() }, kind })
    }

    /// Starts what the first statement would else wait for.
    ///
    /// # Errors
    /// `Machine` when the engine cannot be started.
    pub async fn start(&mut self) -> Result<()> {
        match &mut self.kind {
            EngineKind::Sail(sail) => sail.start().await.map(drop),
            _ => Ok(()),
        }
    }

    /// Runs a statement that reads, and hands its first `limit` rows, or all when that is 0, to `see`.
    ///
    /// # Errors
    /// `Usage` for a statement that is wrong or would write; `Interrupted` when `stop` became true: nothing of the
    /// statement goes on then; `Machine` for the engine's own failures; those of `see`.
    pub async fn answer(
        &mut self,
        sql: &str,
        limit: u64,
        stop: watch::Receiver<bool>,
        see: &mut See<'_>,
    ) -> Result<Told> {
        let wanted = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
        let (mut left, mut more) = (wanted, false);
        let mut first = |batch: RecordBatch| {
            more |= batch.num_rows() > left;
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            see(batch)
        };
        // One row more tells whether there are more.
        let most = (limit > 0).then(|| limit.saturating_add(1));
        match self.read(sql, most, stop, &mut first).await {
            Ok(cost) => Ok(Told { more, cost }),
            Err(error) if error.kind == Kind::Usage => Err(advised(error, &self.tables.catalog).await),
            Err(error) => Err(error),
        }
    }

    async fn read(
        &mut self,
        sql: &str,
        most: Option<u64>,
        stop: watch::Receiver<bool>,
        see: &mut See<'_>,
    ) -> Result<Option<Cost>> {
        if let Some(reason) = statement::refusal(sql) {
            return Err(Error::new(Kind::Usage, "the query cannot be run").detail(reason));
        }
        match &mut self.kind {
            EngineKind::Sail(sail) => {
                let done = until(stop, sail.read(&self.tables, sql, most, see)).await;
                if done.as_ref().is_err_and(|error| error.kind != Kind::Usage) {
                    // A statement ends with its server for certain; the next one starts another.
                    sail.server = None;
                }
                done?;
            }
            EngineKind::Spark(engine) => {
                let mut answers = until(stop, self.tables.ask_spark(engine, &[(sql, most)])).await?;
                for batch in answers.pop().into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten() {
                    see(batch)?;
                }
            }
            EngineKind::Athena(athena) => {
                let answer = athena.ask(sql, most, stop).await?;
                see(answer.rows)?;
                return Ok(Some(answer.cost));
            }
        }
        Ok(None)
    }

    /// Returns the first rows, at most so many, of each of several statements, which are the job file's.
    ///
    /// # Errors
    /// As [`Self::answer`], of the engine; those of a statement are its answer.
    pub async fn answers(&mut self, statements: &[(&str, u64)]) -> Result<Vec<Result<Vec<RecordBatch>>>> {
        if let EngineKind::Spark(engine) = &self.kind {
            let statements: Vec<_> = statements.iter().map(|(sql, most)| (*sql, Some(*most))).collect();
            return self.tables.ask_spark(engine, &statements).await;
        }
        let mut answers = Vec::new();
        for (sql, most) in statements {
            let (_sender, stop) = watch::channel(false);
            let mut batches = Vec::new();
            let mut keep = |batch| {
                batches.push(batch);
                Ok(true)
            };
            let done = self.read(sql, Some(*most), stop, &mut keep).await;
            answers.push(match done {
                Err(error) if error.kind != Kind::Usage => return Err(error),
                done => done.map(|_| batches),
            });
        }
        Ok(answers)
    }
}

/// Awaits a call unless it is to stop before.
async fn until<T>(mut stop: watch::Receiver<bool>, call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = call => done,
        // A sender that is gone will never say stop.
        () = async { if stop.wait_for(|stop| *stop).await.is_err() { std::future::pending().await } } => {
            Err(Error::new(Kind::Interrupted, "the query was stopped"))
        }
    }
}

/// The published tables.
struct Tables {
    catalog: Arc<Catalog>,
    curated: Uri,
}

impl Tables {
    async fn published(&self) -> Result<Index> {
        let index = self.catalog.index().await?;
        if index.tables.is_empty() {
            return Err(Error::new(Kind::Usage, "nothing is published yet")
                .hint("run a job first: `soflow submit daily --sample`"));
        }
        Ok(index)
    }

    async fn view(&self, index: &Index, table: &str, engine: Engine) -> Result<Option<View>> {
        let Some(version) = self.catalog.current(index, table).await? else { return Ok(None) };
        let view = View::of(&version, &self.curated, engine);
        view.map(Some).map_err(|reason| Error::new(Kind::Usage, "the query cannot be run").detail(reason))
    }

    /// Asks Spark, of which each start is a JVM's.
    async fn ask_spark(
        &self,
        engine: &LocalEngine,
        statements: &[(&str, Option<u64>)],
    ) -> Result<Vec<Result<Vec<RecordBatch>>>> {
        let index = self.published().await?;
        let mut views = BTreeMap::new();
        let texts: Vec<&str> = statements.iter().map(|(sql, _)| *sql).collect();
        for name in named(&index, &texts) {
            if let Some(view) = self.view(&index, name, Engine::Spark).await? {
                views.insert(name.clone(), view);
            }
        }
        let statement = |(at, (sql, limit)): (usize, &(&str, _))| Statement {
            id: format!("q{at}"),
            sql: (*sql).into(),
            limit: *limit,
        };
        let statements: Vec<Statement> = statements.iter().enumerate().map(statement).collect();
        let output = tempfile::tempdir()?;
        let answers = engine.query(&views, &statements, output.path()).await?;
        let refused = |message: String| Error::new(Kind::Usage, "the query cannot be run").detail(message);
        Ok(answers.into_iter().map(|answer| read_ipc(&answer.map_err(refused)?)).collect())
    }
}

/// The embedded engine.
struct Sail {
    engine: LocalEngine,
    server: Option<SqlServer>,
    /// The version of each table that the server has a view of.
    views: BTreeMap<String, RunId>,
}

impl Sail {
    async fn start(&mut self) -> Result<&mut SqlServer> {
        let server = match self.server.take() {
            Some(server) => server,
            None => {
                self.views.clear();
                self.engine.serve().await?
            }
        };
        Ok(self.server.insert(server))
    }

    async fn read(&mut self, tables: &Tables, sql: &str, most: Option<u64>, see: &mut See<'_>) -> Result<()> {
        let index = tables.published().await?;
        self.start().await?;
        for name in named(&index, &[sql]) {
            let Some(current) = index.current(name).filter(|current| self.views.get(name) != Some(current)) else {
                continue;
            };
            if let Some(view) = tables.view(&index, name, Engine::Sail).await? {
                self.start().await?.create_view(name, view.relation()).await?;
                self.views.insert(name.clone(), current.clone());
            }
        }
        let sql = statement::for_sail(sql);
        let rows = Relation::sql(&sql);
        let rows = match most.filter(|_| statement::is_query(&sql)) {
            Some(most) => rows.limit(most),
            None => rows,
        };
        let done = self.start().await?.read(rows, see).await;
        done.map_err(|error| match (&error.detail, error.kind) {
            (Some(message), Kind::Usage) => sail::refused(message, &sql),
            _ => error,
        })
    }
}

/// Returns the published tables that the statements may be about: those whose names are words of them.
fn named<'a>(index: &'a Index, statements: &[&str]) -> Vec<&'a String> {
    let words: BTreeSet<String> = statements.iter().flat_map(|sql| words(sql)).collect();
    let all = statements.iter().any(|sql| statement::is_show(sql));
    index.tables.keys().filter(|name| all || words.contains(*name)).collect()
}

/// Returns the words of a statement in lower case: its tables are among them.
pub fn words(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_lowercase)
}
