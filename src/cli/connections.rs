//! From settings to what commands work with: the lake's objects and tables, the session with AWS, a target, run options.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::app::App;
use super::project::Project;
use crate::aws::{Session, SessionOptions};
use crate::catalog::{Catalog, GlueTables};
use crate::config::{Lake, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::run::Services;
use crate::store::{FileStore, Owner, S3Store, Store};
use crate::targets::emr::{self, EmrTarget};
use crate::targets::local::LocalTarget;
use crate::targets::{Stop, Target};

/// What a lake is reached with.
pub struct Connections {
    /// Its objects.
    pub store: Arc<dyn Store>,
    /// Its tables.
    pub catalog: Arc<Catalog>,
    /// The way to AWS, of a lake that is there.
    pub session: Option<Session>,
}

/// What a person wants of a run beyond its job and date.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Whether to take a cluster, or a run, that others hold.
    pub force: bool,
    /// Whether Ctrl-C ends a run that could go on by itself.
    pub cancel_on_interrupt: bool,
    /// How long to watch; `None`: to the end.
    pub wait: Option<Duration>,
    /// How long to wait for a busy cluster; `None`: as the settings say.
    pub queue: Option<Duration>,
}

impl App {
    /// Returns what the lake of the target in use is reached with.
    ///
    /// # Errors
    /// `Usage` for a lake that engines would look for elsewhere, and when no AWS region is named anywhere.
    pub async fn connect(&self, project: &Project) -> Result<Connections> {
        let target = project.target()?;
        check_folders(&target.lake)?;
        let (store, session): (Arc<dyn Store>, _) = match &target.kind {
            TargetKind::Local(_) => (Arc::new(FileStore), None),
            TargetKind::Emr(emr) => {
                let options =
                    SessionOptions { region: emr.region.clone(), profile: emr.profile.clone(), quota: emr.api_quota };
                let session = Session::load(&options).await?;
                (Arc::new(S3Store::new(&session)), Some(session))
            }
        };
        let curated = &target.lake.curated;
        let glue = match (&target.kind, &session) {
            (TargetKind::Emr(emr), Some(session)) => {
                Some(GlueTables::new(session.clone(), &emr.database, curated, self.owner()))
            }
            _ => None,
        };
        let catalog = Arc::new(Catalog::new(store.clone(), curated, glue));
        Ok(Connections { store, catalog, session })
    }

    /// Returns what works on the clusters of the EMR target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub async fn clusters(&self, project: &Project, options: RunOptions) -> Result<(Connections, Arc<emr::Clusters>)> {
        project.emr()?;
        let connections = self.connect(project).await?;
        let clusters = self.clusters_on(project, &connections, options)?;
        Ok((connections, clusters))
    }

    /// Returns what works on the clusters of the EMR target in use, where `connections` is known already.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn clusters_on(
        &self,
        project: &Project,
        connections: &Connections,
        options: RunOptions,
    ) -> Result<Arc<emr::Clusters>> {
        let mut emr = project.emr()?.clone();
        if let Some(queue) = options.queue {
            emr.queue_seconds = queue.as_secs();
        }
        let settings = emr::ClusterSettings {
            emr,
            lake: project.target()?.lake.clone(),
            code: project.resolved.settings.code.clone(),
            cache: project.resolved.settings.root.join(".soflow/dependencies"),
            host: self.host(),
            owner: self.owner(),
            force: options.force,
        };
        let session = connections
            .session
            .as_ref()
            .ok_or_else(|| Error::new(Kind::Internal, "an EMR target without a session"))?;
        Ok(Arc::new(emr::Clusters::new(session, connections.store.clone(), settings)))
    }

    /// Returns what a run is driven with.
    ///
    /// # Errors
    /// Those of the settings and of finding AWS.
    pub async fn services(&self, project: &Project, options: RunOptions) -> Result<Services> {
        self.services_on(project, &self.connect(project).await?, options)
    }

    /// Returns what a run is driven with, where `connections` is known already.
    ///
    /// # Errors
    /// Those of the settings.
    pub fn services_on(&self, project: &Project, connections: &Connections, options: RunOptions) -> Result<Services> {
        let settings = &project.resolved.settings;
        let (target, owner): (Arc<dyn Target>, _) = match &project.target()?.kind {
            TargetKind::Local(local) => (Arc::new(LocalTarget::new(local, &self.host(), &settings.code)), None),
            TargetKind::Emr(_) => {
                let clusters = self.clusters_on(project, connections, options)?;
                (Arc::new(EmrTarget::new(clusters)?), Some(self.owner()))
            }
        };
        // A local run ends with its process, whatever the person would like better.
        let on_interrupt = if owner.is_none() || options.cancel_on_interrupt { Stop::Cancel } else { Stop::Detach };
        Ok(Services {
            store: connections.store.clone(),
            catalog: connections.catalog.clone(),
            target,
            target_name: settings.target.clone(),
            owner,
            stop: stop_signal(on_interrupt, options.wait),
        })
    }

    /// Returns who we are, for others who want the same cluster or run.
    pub fn owner(&self) -> Owner {
        let known = |names: &[&str]| {
            names.iter().find_map(|name| self.environment.get(*name).filter(|value| !value.is_empty()).cloned())
        };
        let host = fs_err::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_string());
        let host = host.or_else(|| known(&["HOSTNAME", "HOST"])).unwrap_or_else(|| "unknown".into());
        let user = known(&["USER", "LOGNAME"]).unwrap_or_else(|| "someone".into());
        // What a CI job is known by: GitHub, GitLab, Jenkins, Buildkite.
        let job = known(&["GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_TAG", "BUILDKITE_BUILD_ID"]);
        let who = known(&["SOFLOW_OWNER"])
            .or_else(|| job.map(|job| format!("ci-{job}")))
            .unwrap_or_else(|| format!("{user}@{host}"));
        Owner::me(&who, &host)
    }
}

/// Refuses a lake in a folder whose name engines take for an escape or a pattern: they would read and write elsewhere.
fn check_folders(lake: &Lake) -> Result<()> {
    for location in [&lake.raw, &lake.curated, &lake.artifacts, &lake.logs] {
        if let Some(sign) = location.misread() {
            let what = format!("`{location}` cannot hold a lake: engines do not take `{sign}` in its name as it is");
            return Err(Error::new(Kind::Usage, what)
                .hint("name another folder: `SOFLOW_LAKE=file:/some/folder`, or `lake:` in `config/soflow.yaml`"));
        }
    }
    Ok(())
}

/// Tells a run when to stop: `on_interrupt` at the first Ctrl-C or SIGTERM, and to leave when the time to wait is over. The second
/// signal ends the process at once.
fn stop_signal(on_interrupt: Stop, wait: Option<Duration>) -> watch::Receiver<Stop> {
    let (told, stop) = watch::channel(Stop::Go);
    tokio::spawn(async move {
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
        let over = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        let (mut asked, mut waited) = (false, false);
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
                () = &mut over, if !waited => {
                    waited = true;
                    let _ = told.send(Stop::HandOver);
                    continue;
                }
            }
            if asked {
                second_signal();
            }
            asked = true;
            let _ = told.send(on_interrupt);
        }
    });
    stop
}

/// The person insists. Local steps notice that soflow is gone and end by themselves.
#[expect(clippy::exit, reason = "waiting for anything is what the person does not want")]
fn second_signal() {
    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
}
