//! `soflow cluster`: make, list, show and end clusters.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::app::App;
use super::args::{ClusterCommand, TargetOptions};
use super::connections::RunOptions;
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::names::Digest;
use crate::report::{Answer, Layout, TextCell, TextTable, paint, plural, seconds};
use crate::store::Owner;
use crate::store::lease::describe;
use crate::targets::emr::answers::is_ending;
use crate::targets::emr::{Clusters, Listed, Reaped, Shown, users};
use crate::targets::{Note, Notes};

/// Looks after clusters.
pub async fn cluster(app: &App, command: &ClusterCommand) -> Result<u8> {
    let shape = match command {
        ClusterCommand::Up { shape, .. } => shape.clone(),
        _ => None,
    };
    let project = app.project(Some(&TargetOptions { cluster: shape, ..TargetOptions::default() }))?;
    let (_, clusters) = app.clusters(&project, RunOptions::default()).await?;
    match command {
        ClusterCommand::Up { no_wait, .. } => up(app, &clusters, *no_wait).await,
        ClusterCommand::List => app.answer(&ClusterList { clusters: clusters.list().await? }),
        ClusterCommand::Show { cluster } => {
            let id = the_one(&clusters, cluster.as_deref()).await?;
            show(app, &clusters.show(&id).await?)
        }
        ClusterCommand::Down { cluster, force } => {
            let id = the_one(&clusters, cluster.as_deref()).await?;
            down(app, &clusters, &id, *force).await
        }
        ClusterCommand::Reap { dry_run } => reap(app, &clusters, *dry_run).await,
    }
}

async fn up(app: &App, clusters: &Arc<Clusters>, no_wait: bool) -> Result<u8> {
    let (notes, mut heard) = mpsc::unbounded_channel();
    let notes = Notes(notes);
    let mut sink = app.sink();
    let token = token(&app.owner());
    let work = async {
        let (id, ready) = clusters.up(&token, &notes).await?;
        if !ready && !no_wait {
            clusters.await_ready(&id, &notes).await?;
        }
        drop(notes);
        Ok::<_, Error>(id)
    };
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            Some(note) = heard.recv() => tell(note, sink.as_mut()),
        }
    };
    while let Ok(note) = heard.try_recv() {
        tell(note, sink.as_mut());
    }
    drop(sink);
    let id = done?;
    app.answer(&MadeCluster {
        cluster: id,
        ready: !no_wait,
        idle_seconds: clusters.settings().shape.idle_seconds as f64,
    })
}

/// A cluster that is there or on its way.
#[derive(Serialize)]
struct MadeCluster {
    cluster: String,
    #[serde(skip)]
    ready: bool,
    #[serde(skip)]
    idle_seconds: f64,
}

impl Answer for MadeCluster {
    fn text(&self, _: &Layout) -> String {
        let (id, state) = (&self.cluster, if self.ready { "ready" } else { "on its way" });
        let idle = seconds(self.idle_seconds);
        format!(
            "Cluster {id} is {state}. It ends after {idle} without work.\n  soflow submit JOB\n  soflow cluster down {id}\n"
        )
    }
}

/// Returns a name that no other request for a cluster has.
fn token(owner: &Owner) -> String {
    let now = Timestamp::now().as_nanosecond();
    let unique = Digest::of([format!("{} {} {now}", owner.host, owner.process)]);
    format!("up-{}", &unique.as_str()[..10])
}

fn tell(note: Note, sink: &mut dyn Sink) {
    match note {
        Note::Event(event) => sink.emit(event),
        Note::Step { .. } | Note::Placed { .. } => {}
    }
}

/// Returns the cluster a person means: the one named, or the only one there is.
async fn the_one(clusters: &Clusters, named: Option<&str>) -> Result<String> {
    if let Some(named) = named {
        return Ok(named.into());
    }
    let mut found = clusters.there().await?;
    // One that is ending is meant when there is no other.
    if found.iter().any(|found| !is_ending(&found.state)) {
        found.retain(|found| !is_ending(&found.state));
    }
    match &found[..] {
        [one] => Ok(one.id.clone()),
        [] => Err(Error::new(Kind::Usage, "there is no cluster of this lake").hint("make one: `soflow cluster up`")),
        several => {
            let ids: Vec<&str> = several.iter().map(|found| found.id.as_str()).collect();
            Err(Error::new(Kind::Usage, format!("there are {} clusters: say which", several.len()))
                .hint(format!("name one of {}", ids.join(", "))))
        }
    }
}

/// The clusters of a lake.
#[derive(Serialize)]
struct ClusterList {
    clusters: Vec<Listed>,
}

impl Answer for ClusterList {
    fn text(&self, layout: &Layout) -> String {
        if self.clusters.is_empty() {
            return "There are no clusters of this lake: `soflow cluster up` makes one.\n".into();
        }
        let mut table =
            TextTable::new(["cluster", "shape", "state", "age", "used by", "for new runs"]).numbers(["age"]);
        for one in &self.clusters {
            let (queue, cluster) = (&one.queue, &one.cluster);
            let colour = if cluster.fits { layout.style.good } else { layout.style.dim };
            let queue = if queue.is_empty() { String::new() } else { format!(", {} waiting", queue.len()) };
            table.row([
                cluster.id.as_str().into(),
                cluster.shape.as_str().into(),
                cluster.state.as_str().into(),
                seconds(cluster.age_seconds as f64).into(),
                format!("{}{queue}", used_by(one)).into(),
                TextCell::from(cluster.reason.as_str()).styled(colour),
            ]);
        }
        layout.table(&table)
    }
}

/// Returns who has a cluster, in brackets those who do not watch it.
fn used_by(one: &Listed) -> String {
    let held = one.holders.iter().map(|claim| claim.what.clone());
    let users: Vec<String> = held.chain(one.left.iter().map(|run| format!("({run})"))).collect();
    if users.is_empty() { "-".into() } else { users.join(", ") }
}

fn show(app: &App, shown: &Shown) -> Result<u8> {
    let (cluster, style) = (&shown.cluster, &app.out_style);
    if app.json {
        let steps: Vec<_> =
            shown.active.iter().map(|s| json!({ "id": s.id, "name": s.name, "state": s.state.as_str() })).collect();
        return app
            .print_json(&json!({
                "cluster": cluster.id,
                "name": cluster.name,
                "release": cluster.release,
                "state": cluster.state.as_str(),
                "reason": cluster.reason,
                "holders": shown.book.holders,
                "queue": shown.book.queue,
                "forced": shown.book.forced,
                "left": shown.left,
                "steps": steps,
                "instances": shown.instances.len(),
            }))
            .map(|()| 0);
    }
    let mut lines = vec![format!(
        "{}: {}, {}, {}",
        paint(style.strong, &cluster.id),
        cluster.state,
        cluster.release,
        plural(shown.instances.len() as u64, "instance"),
    )];
    let mut line = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {} {text}", paint(style.dim, &format!("{name:<9}"))));
        }
    };
    line("why", cluster.reason.message.clone());
    for detail in &cluster.errors {
        line("detail", format!("{}: {}", detail.code, detail.message));
    }
    line("made", cluster.created.map_or_else(String::new, |at| format!("{at:.0}")));
    line("ready", cluster.ready.map_or_else(String::new, |at| format!("{at:.0}")));
    // EMR shows Hadoop's old scheme, which other tools do not take.
    line("logs", cluster.log_uri.replacen("s3n://", "s3://", 1));
    line("used by", users(&shown.book.holders, &shown.left));
    line("waiting", if shown.book.queue.is_empty() { String::new() } else { describe(&shown.book.queue) });
    for forced in &shown.book.forced {
        line("forced", format!("{} took it from {} at {:.0}", forced.by, forced.from.what, forced.at));
    }
    for step in &shown.active {
        line("step", format!("{} {} {}", step.id, step.name, step.state));
    }
    app.print(&(lines.join("\n") + "\n"))?;
    Ok(0)
}

async fn down(app: &App, clusters: &Clusters, id: &str, force: bool) -> Result<u8> {
    let cluster = clusters.down(id, force).await?;
    app.answer(&EndingCluster { cluster: id, state: cluster.state.to_string() })
}

async fn reap(app: &App, clusters: &Clusters, dry_run: bool) -> Result<u8> {
    app.answer(&ReapedClusters { dry_run, clusters: clusters.reap(dry_run).await? })
}

/// A cluster that was told to end.
#[derive(Serialize)]
struct EndingCluster<'a> {
    cluster: &'a str,
    state: String,
}

impl Answer for EndingCluster<'_> {
    fn text(&self, _: &Layout) -> String {
        format!("Cluster {} is {}.\n", self.cluster, self.state)
    }
}

/// Clusters that nobody needs.
#[derive(Serialize)]
struct ReapedClusters {
    dry_run: bool,
    clusters: Vec<Reaped>,
}

impl Answer for ReapedClusters {
    fn text(&self, _: &Layout) -> String {
        let word = if self.dry_run { "would be ended" } else { "is ending" };
        if self.clusters.is_empty() {
            return "Nothing to end: every cluster of this lake is in use, young, or about to end by itself.\n".into();
        }
        let line = |one: &Reaped| format!("Cluster {} {word}: {}\n", one.id, one.reason);
        self.clusters.iter().map(line).collect()
    }
}
