//! A project with the ways to its lake: objects, tables, the session with AWS, clusters, and what a run is driven with.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::app::App;
use super::args::{OnInterrupt, Selection, TargetOptions, Watching};
use super::deploy::Via;
use super::jobs::{self, Asked};
use super::project::Project;
use crate::aws::{Session, SessionOptions};
use crate::catalog::{Catalog, GlueTables};
use crate::config::{Emr, Lake, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::run::{LakeLock, Part, Reach, Services};
use crate::store::{FileStore, S3Store, Store};
use crate::targets::Stop;
use crate::targets::emr::{ClusterSettings, Clusters, EmrTarget};
use crate::targets::local::{LocalEngine, LocalTarget};

/// What commands that look at a lake work with.
pub struct Workspace<'a> {
    /// The terminal and the flags that every verb has.
    pub app: &'a App,
    /// The project.
    pub project: Project,
    /// The lake's objects.
    pub store: Arc<dyn Store>,
    /// The lake's tables.
    pub catalog: Arc<Catalog>,
    /// The way to AWS, of a lake that is there.
    pub session: Option<Session>,
    /// How a run is watched.
    pub watching: Watching,
    engine: OnceLock<LocalEngine>,
}

impl App {
    /// Returns the project and the ways to the lake of the target in use.
    ///
    /// # Errors
    /// Those of the settings; `Usage` for a lake that engines would look for elsewhere, and when no AWS region is named
    /// anywhere.
    pub async fn open(&self, options: &TargetOptions, watching: Watching) -> Result<Workspace<'_>> {
        self.connect(self.project(options)?, watching).await
    }

    /// Returns what [`App::open`] does for a job that is to run, and what is asked for of it.
    ///
    /// # Errors
    /// `Usage` for mistakes in the job file and in what is asked for of it, told before AWS is looked for; else as
    /// [`App::open`].
    pub async fn open_for(&self, selection: &Selection, watching: Watching) -> Result<(Workspace<'_>, Asked)> {
        let project = self.project(&selection.local)?;
        let asked = jobs::asked(&project, selection)?;
        Ok((self.connect(project, watching).await?, asked))
    }

    async fn connect(&self, project: Project, watching: Watching) -> Result<Workspace<'_>> {
        let lake = &project.target.lake;
        check_folders(lake)?;
        let (store, session): (Arc<dyn Store>, _) = match &project.target.kind {
            TargetKind::Local(_) => (Arc::new(FileStore), None),
            TargetKind::Emr(emr) => {
                let session = Session::load(&aws_options(emr)).await?;
                (Arc::new(S3Store::new(&session)), Some(session))
            }
        };
        let glue = match (&project.target.kind, &session) {
            (TargetKind::Emr(emr), Some(session)) => {
                Some(GlueTables::new(session.clone(), &emr.database, &lake.curated, self.owner()))
            }
            _ => None,
        };
        let catalog = Arc::new(Catalog::new(store.clone(), &lake.curated, glue));
        Ok(Workspace { app: self, project, store, catalog, session, watching, engine: OnceLock::new() })
    }

    /// Returns what [`App::open`] does for commands that have no options for a target or a run.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn workspace(&self) -> Result<Workspace<'_>> {
        self.open(&TargetOptions::default(), Watching::default()).await
    }
}

/// Returns how the AWS of a target is reached.
pub fn aws_options(emr: &Emr) -> SessionOptions {
    SessionOptions { region: emr.region.clone(), profile: emr.profile.clone(), quota: emr.api_quota }
}

impl Workspace<'_> {
    /// Returns the lake's locations.
    pub fn lake(&self) -> &Lake {
        &self.project.target.lake
    }

    /// Keeps others from writing to a lake on this machine, and tells them for what.
    ///
    /// # Errors
    /// `Held` when somebody else does so.
    pub fn guard(&self, what: &str) -> Result<Option<LakeLock>> {
        LakeLock::guard(&self.lake().artifacts, what, Timestamp::now())
    }

    /// Shows to other readers what a publication that was cut short has left unshown.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn settle(&self) -> Result<()> {
        self.catalog.telling(self.catalog.settle(), self.app.sink().as_mut()).await.map(drop)
    }

    /// Returns the way to AWS.
    ///
    /// # Errors
    /// `Usage` when the target in use is none of EMR.
    pub fn session(&self) -> Result<&Session> {
        self.project.emr()?;
        self.session.as_ref().ok_or_else(|| Error::new(Kind::Internal, "an EMR target without a session"))
    }

    /// Returns what works on the clusters of the EMR target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn clusters(&self) -> Result<Arc<Clusters>> {
        let session = self.session()?;
        let mut emr = self.project.emr()?.clone();
        if let Some(queue) = self.watching.queue_for {
            emr.queue_seconds = queue.as_secs();
        }
        let settings = ClusterSettings {
            emr,
            lake: self.lake().clone(),
            code: self.project.settings.code.clone(),
            cache: self.project.settings.root.join(".soflow/dependencies"),
            host: self.app.host(),
            owner: self.app.cluster_owner(),
            force: self.watching.force_lease,
        };
        Ok(Arc::new(Clusters::new(session, self.store.clone(), settings)))
    }

    /// Returns what a run is driven with. From now on Ctrl-C and SIGTERM are the run's business.
    ///
    /// # Errors
    /// Those of the settings.
    pub fn services(&self) -> Result<Services> {
        // A local run ends with its process, whatever the person would like better.
        let outlives = matches!(self.project.target.kind, TargetKind::Emr(_));
        let detach = outlives && self.watching.on_interrupt == OnInterrupt::Detach;
        let watching = Watching { wait: self.watching.wait.filter(|_| outlives), ..self.watching };
        let stop = stop_signal(if detach { Stop::Detach } else { Stop::Cancel }, watching);
        self.services_until(stop, None)
    }

    /// Returns what [`Self::services`] does, for a run that this process drives or only claims.
    ///
    /// # Errors
    /// Those of the settings; `Usage` for an execution without an EMR target.
    pub fn services_via(&self, via: Via) -> Result<Services> {
        let services = self.services()?;
        if via == Via::Here {
            return Ok(services);
        }
        self.project.emr()?;
        Ok(Services { part: Some(Part { until: Reach::Claimed, execution: None }), ..services })
    }

    /// Returns the local engine, which steps and queries share.
    ///
    /// # Errors
    /// `Usage` for a target elsewhere.
    pub fn local_engine(&self) -> Result<LocalEngine> {
        let local = self.project.local()?;
        let make = || LocalEngine::new(local, &self.app.host(), &self.project.settings.code);
        Ok(self.engine.get_or_init(make).clone())
    }

    /// Returns what this process drives a `part` of a run with, until it is told to `stop`.
    ///
    /// # Errors
    /// Those of the settings.
    pub fn services_until(&self, stop: watch::Receiver<Stop>, part: Option<Part>) -> Result<Services> {
        let settings = &self.project.settings;
        let (target, owner): (Arc<dyn crate::targets::Target>, _) = match &self.project.target.kind {
            TargetKind::Local(local) => (Arc::new(LocalTarget::new(self.local_engine()?, local.parallel)), None),
            TargetKind::Emr(_) => (Arc::new(EmrTarget::new(self.clusters()?)?), Some(self.app.owner())),
        };
        Ok(Services {
            store: self.store.clone(),
            catalog: self.catalog.clone(),
            target,
            target_name: settings.target.clone(),
            owner,
            stop,
            part,
        })
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

/// Tells a run when to stop: `on_interrupt` at the first Ctrl-C or SIGTERM, and to leave when the time to wait is over. The
/// second signal ends the process at once.
pub fn stop_signal(on_interrupt: Stop, watching: Watching) -> watch::Receiver<Stop> {
    let (told, stop) = watch::channel(Stop::Go);
    let over = told.clone();
    if let Some(wait) = watching.wait {
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = over.send(Stop::HandOver);
        });
    }
    tokio::spawn(async move {
        for asked in 0.. {
            if told_to_stop().await.is_err() {
                return;
            }
            if asked > 0 {
                second_signal();
            }
            let _ = told.send(on_interrupt);
        }
    });
    stop
}

/// Waits for Ctrl-C or SIGTERM.
///
/// # Errors
/// `Machine` when the system does not pass them on.
pub async fn told_to_stop() -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    Ok(())
}

/// The person insists. Local steps notice that soflow is gone and end by themselves.
#[expect(clippy::exit, reason = "waiting for anything is what the person does not want")]
pub fn second_signal() {
    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
}
