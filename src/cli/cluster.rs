//! `soflow cluster`: make, list, show and end clusters.

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use super::app::App;
use super::args::{ClusterCommand, TargetOptions, Watching};
use crate::error::{Error, Kind, Result};
use crate::names::Digest;
use crate::report::{Layout, TextCell, paint, plural, seconds};
use crate::store::lease::describe;
use crate::targets::emr::answers::is_ending;
use crate::targets::emr::{Clusters, Listed, Shown, users};
use crate::targets::{Note, Notes};

/// Looks after clusters.
pub async fn cluster(app: &App, command: &ClusterCommand) -> Result<u8> {
    let shape = match command {
        ClusterCommand::Up { shape, .. } => shape.clone(),
        _ => None,
    };
    let options = TargetOptions { cluster: shape, ..TargetOptions::default() };
    let clusters = app.open(&options, Watching::default()).await?.clusters()?;
    match command {
        ClusterCommand::Up { no_wait, .. } => up(app, &clusters, *no_wait).await,
        ClusterCommand::List => {
            let clusters = clusters.list().await?;
            app.answer(&json!({ "clusters": clusters }), |layout| list(&clusters, layout))
        }
        ClusterCommand::Show { cluster } => {
            let shown = clusters.show(&the_one(&clusters, cluster.as_deref()).await?).await?;
            app.answer(&document(&shown), |layout| all_about(&shown, layout))
        }
        ClusterCommand::Down { cluster, force } => {
            let id = the_one(&clusters, cluster.as_deref()).await?;
            let state = clusters.down(&id, *force).await?.state;
            app.answer(&json!({ "cluster": id, "state": state.as_str() }), |_| format!("Cluster {id} is {state}.\n"))
        }
        ClusterCommand::Reap { dry_run } => {
            let reaped = clusters.reap(*dry_run).await?;
            app.answer(&json!({ "dry_run": dry_run, "clusters": reaped }), |_| {
                let word = if *dry_run { "would be ended" } else { "is ending" };
                let lines = reaped.iter().map(|one| format!("Cluster {} {word}: {}\n", one.id, one.reason));
                match reaped.is_empty() {
                    true => "Nothing to end: every cluster of this lake is in use, young, or about to end by itself.\n"
                        .into(),
                    false => lines.collect(),
                }
            })
        }
    }
}

async fn up(app: &App, clusters: &Clusters, no_wait: bool) -> Result<u8> {
    let (notes, mut heard) = mpsc::unbounded_channel();
    let notes = Notes(notes);
    let mut sink = app.sink();
    // No other request for a cluster has this name.
    let (owner, now) = (app.owner(), Timestamp::now().as_nanosecond());
    let token = format!("up-{}", &Digest::of([format!("{} {} {now}", owner.host, owner.process)]).as_str()[..10]);
    let work = async {
        let (id, ready) = clusters.up(&token, &notes).await?;
        if !ready && !no_wait {
            clusters.await_ready(&id, &notes).await?;
        }
        // Ends the telling.
        drop(notes);
        Ok::<_, Error>(id)
    };
    let tell = async {
        while let Some(note) = heard.recv().await {
            if let Note::Event(event) = note {
                sink.emit(event);
            }
        }
    };
    let (id, ()) = tokio::join!(work, tell);
    drop(sink);
    let id = id?;
    app.answer(&json!({ "cluster": id }), |_| {
        let (state, idle) =
            (if no_wait { "on its way" } else { "ready" }, seconds(clusters.settings().shape.idle_seconds as f64));
        let commands = format!("  soflow submit JOB\n  soflow cluster down {id}\n");
        format!("Cluster {id} is {state}. It ends after {idle} without work.\n{commands}")
    })
}

/// Returns the cluster a person means: the one named, or the only one there is.
pub async fn the_one(clusters: &Clusters, named: Option<&str>) -> Result<String> {
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

fn list(clusters: &[Listed], layout: &Layout) -> String {
    if clusters.is_empty() {
        return "There are no clusters of this lake: `soflow cluster up` makes one.\n".into();
    }
    let rows = clusters.iter().map(|one| {
        let colour = if one.cluster.fits { layout.style.good } else { layout.style.dim };
        // In brackets are those who do not watch it.
        let held = one.holders.iter().map(|claim| claim.what.clone());
        let held = held.chain(one.viewers.iter().map(|claim| claim.what.clone()));
        let users: Vec<String> = held.chain(one.left.iter().map(|run| format!("({run})"))).collect();
        let used_by = if users.is_empty() { "-".into() } else { users.join(", ") };
        let queue = if one.queue.is_empty() { String::new() } else { format!(", {} waiting", one.queue.len()) };
        [
            one.cluster.id.as_str().into(),
            one.cluster.shape.as_str().into(),
            one.cluster.state.as_str().into(),
            TextCell::number(seconds(one.cluster.age_seconds as f64)),
            (used_by + &queue).into(),
            TextCell::from(one.cluster.reason.as_str()).styled(colour),
        ]
    });
    layout.table(["cluster", "shape", "state", "age", "used by", "for new runs"], rows)
}

fn document(shown: &Shown) -> Json {
    let cluster = &shown.cluster;
    let step = |step: &crate::targets::emr::answers::EmrStep| json!({ "id": step.id, "name": step.name, "state": step.state.as_str() });
    json!({
        "cluster": cluster.id,
        "name": cluster.name,
        "release": cluster.release,
        "state": cluster.state.as_str(),
        "reason": cluster.reason,
        "holders": shown.book.holders,
        "queue": shown.book.queue,
        "forced": shown.book.forced,
        "left": shown.left,
        "viewers": shown.viewers,
        "steps": shown.active.iter().map(step).collect::<Vec<_>>(),
        "instances": shown.instances.len(),
    })
}

fn all_about(shown: &Shown, layout: &Layout) -> String {
    let (cluster, style) = (&shown.cluster, &layout.style);
    let instances = plural(shown.instances.len() as u64, "instance");
    let mut text =
        format!("{}: {}, {}, {instances}\n", paint(style.strong, &cluster.id), cluster.state, cluster.release);
    let mut line = |name: &str, told: String| {
        if !told.is_empty() {
            text.push_str(&format!("  {} {told}\n", paint(style.dim, &format!("{name:<9}"))));
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
    line("pages", if shown.viewers.is_empty() { String::new() } else { describe(&shown.viewers) });
    line("waiting", if shown.book.queue.is_empty() { String::new() } else { describe(&shown.book.queue) });
    for forced in &shown.book.forced {
        line("forced", format!("{} took it from {} at {:.0}", forced.by, forced.from.what, forced.at));
    }
    for step in &shown.active {
        line("step", format!("{} {} {}", step.id, step.name, step.state));
    }
    text
}
