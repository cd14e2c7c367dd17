//! Web pages of clusters: which there are, on which clusters, and the links that EMR makes to them. For pages without a link
//! there is the port on the primary node.

use std::time::Duration;

use aws_sdk_emr::types::{InstanceFleetType, OnClusterAppUiType, PersistentAppUiType, ProfilerType};
use tokio::time::Instant;

use super::answers::{Cluster, has_ended, is_ending, is_ready};
use super::identity::{ClusterName, lake_mark};
use super::steps::run_of;
use super::{Clusters, PollInterval};
use crate::aws::{Meaning, advice};
use crate::error::{Error, Kind, Result};
use crate::store::lease::{Claim, Lease};

/// How long to wait for a link. EMR makes the pages of a cluster that has ended within a minute or two.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many may look at a cluster's pages at once: as many as like to.
const VIEWERS: u32 = u32::MAX;

/// A web page of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPage {
    /// Editors for Hive and Trino.
    Hue,
    /// Notebooks.
    JupyterHub,
    /// Spark's history server; of a run with a running step, Spark's own page of it.
    Spark,
    /// YARN's resource manager.
    Yarn,
    /// Queries of Hive on Tez.
    Tez,
    /// Sessions of Livy.
    Livy,
    /// Trino's queries.
    Trino,
    /// The cluster in the AWS console.
    Console,
}

/// How a page is reached.
pub enum PageAccess {
    /// By a link of EMR: to the running cluster, and to pages that outlive it.
    Link(OnClusterAppUiType, ProfilerType, PersistentAppUiType),
    /// At this port of the primary node. Source: EMR management guide, "View web interfaces hosted on Amazon EMR clusters".
    Port(u16),
    /// In the AWS console.
    Console,
}

impl WebPage {
    /// All of them by name.
    pub const NAMES: [(&str, Self); 8] = [
        ("hue", Self::Hue),
        ("jupyterhub", Self::JupyterHub),
        ("spark", Self::Spark),
        ("yarn", Self::Yarn),
        ("tez", Self::Tez),
        ("livy", Self::Livy),
        ("trino", Self::Trino),
        ("console", Self::Console),
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, page)| *page == self).map_or("", |(name, _)| name)
    }

    /// Returns the application that it is of, as EMR spells it; `None` when every cluster has it.
    pub fn application(self) -> Option<&'static str> {
        match self {
            Self::Hue => Some("Hue"),
            Self::JupyterHub => Some("JupyterHub"),
            Self::Tez => Some("Tez"),
            Self::Livy => Some("Livy"),
            Self::Trino => Some("Trino"),
            Self::Spark | Self::Yarn | Self::Console => None,
        }
    }

    /// Returns how it is reached.
    pub fn reached(self) -> PageAccess {
        use PersistentAppUiType as Outliving;
        match self {
            Self::Spark => PageAccess::Link(OnClusterAppUiType::SparkHistoryServer, ProfilerType::Shs, Outliving::Shs),
            Self::Yarn => PageAccess::Link(OnClusterAppUiType::ResourceManager, ProfilerType::Yts, Outliving::Yts),
            Self::Tez => PageAccess::Link(OnClusterAppUiType::TezUi, ProfilerType::Tezui, Outliving::Tez),
            Self::Hue => PageAccess::Port(8888),
            Self::JupyterHub => PageAccess::Port(9443),
            Self::Livy => PageAccess::Port(8998),
            Self::Trino => PageAccess::Port(8889),
            Self::Console => PageAccess::Console,
        }
    }

    /// Returns its address at a port of this machine.
    pub fn local_url(self, port: u16) -> String {
        // JupyterHub's is the only one with a certificate, which is its own.
        let scheme = if self == Self::JupyterHub { "https" } else { "http" };
        let path = if self == Self::Trino { "ui/" } else { "" };
        format!("{scheme}://127.0.0.1:{port}/{path}")
    }

    /// Refuses a cluster without the page's application.
    ///
    /// # Errors
    /// `Usage`, with what there is instead.
    pub fn check(self, cluster: &Cluster) -> Result<()> {
        let Some(application) = self.application() else { return Ok(()) };
        let has = |name: &str| cluster.applications.iter().any(|one| one.eq_ignore_ascii_case(name));
        // EMR installs Tez with Hive.
        if has(application) || (self == Self::Tez && has("Hive")) {
            return Ok(());
        }
        let (id, release) = (&cluster.id, &cluster.release);
        let error = Error::new(Kind::Usage, format!("cluster `{id}` has no {application}"));
        if release.starts_with("emr-spark-") {
            return Err(error
                .detail(format!("`{release}` is of the line that has Spark 4 and no {application}"))
                .hint("query the tables from here: `soflow sql`; or take a shape with `release: emr-7.14.0`"));
        }
        let there = cluster.applications.join(", ");
        Err(error.detail(format!("it has {there}")).hint(format!(
            "add `{application}` to `applications` of the shape; new clusters have it: `soflow cluster up`"
        )))
    }
}

impl Clusters {
    /// Returns a cluster of this lake, whatever its state.
    ///
    /// # Errors
    /// `Usage` when there is none of that id, or it is of another lake.
    pub async fn ours(&self, id: &str) -> Result<Cluster> {
        let cluster = self.described(id).await?;
        let named = ClusterName::parse(&cluster.name);
        if named.is_none_or(|named| named.identity.lake != self.identity().lake) {
            return Err(Error::new(Kind::Usage, format!("soflow did not make cluster `{id}` for this lake"))
                .hint("`soflow cluster list` shows those of this target"));
        }
        Ok(cluster)
    }

    /// Returns the instance that is a running cluster's primary node, `i-…`.
    ///
    /// # Errors
    /// `Usage` when the cluster does not run; `Machine` when EMR does not say.
    pub async fn primary(&self, cluster: &Cluster, page: WebPage) -> Result<String> {
        self.check_runs(cluster, page)?;
        let instances = self.api.instances(&cluster.id, Some(InstanceFleetType::Master)).await?;
        let there = instances.into_iter().find(|instance| instance.ended.is_none() && !instance.id.is_empty());
        let unknown = || Error::new(Kind::Machine, format!("EMR names no primary node of cluster `{}`", cluster.id));
        there.map(|instance| instance.id).ok_or_else(unknown)
    }

    fn check_runs(&self, cluster: &Cluster, page: WebPage) -> Result<()> {
        let (id, state) = (&cluster.id, &cluster.state);
        if is_ready(state) {
            return Ok(());
        }
        if is_ending(state) {
            let has = if has_ended(state) { "has ended" } else { "is ending" };
            return Err(Error::new(Kind::Usage, format!("cluster `{id}` {has}, and {} with it", page.name()))
                .hint(format!("make another one: `soflow cluster up`, then `soflow open {}`", page.name())));
        }
        Err(Error::new(Kind::Usage, format!("cluster `{id}` is {state}: it has no pages yet"))
            .hint("wait until it takes steps: `soflow cluster up`"))
    }

    /// Returns a link to a page. It is a secret: who has it needs nothing else. `application` as in [`Self::application_of`].
    ///
    /// # Errors
    /// `Usage` when the cluster does not run yet; `Machine` when EMR makes no link.
    pub async fn link(&self, cluster: &Cluster, page: WebPage, application: Option<&str>) -> Result<Option<String>> {
        let PageAccess::Link(on_cluster, profiler, outliving) = page.reached() else { return Ok(None) };
        if is_ending(&cluster.state) {
            return self.link_after_end(cluster, profiler, outliving).await.map(Some);
        }
        self.check_runs(cluster, page)?;
        let kind = if application.is_some() { OnClusterAppUiType::ApplicationMaster } else { on_cluster };
        let role = self.settings.emr.execution_role.as_deref();
        let mut pause = LinkPause::new(self, cluster);
        loop {
            if let Some(url) = self.api.cluster_page(&cluster.id, &kind, application, role).await? {
                return Ok(Some(url));
            }
            pause.wait().await?;
        }
    }

    async fn link_after_end(
        &self,
        cluster: &Cluster,
        profiler: ProfilerType,
        kind: PersistentAppUiType,
    ) -> Result<String> {
        let id = self.api.create_pages(&cluster.arn, profiler).await?;
        let mut pause = LinkPause::new(self, cluster);
        loop {
            // Before they are there EMR has no link, or refuses to make one.
            match self.api.link_to_pages(&id, kind.clone()).await {
                Ok(Some(url)) => return Ok(url),
                Ok(None) => {}
                Err(error) if advice(&error, None).meaning == Meaning::Invalid => {}
                Err(error) => return Err(error.into()),
            }
            let told = self.api.describe_pages(&id).await?;
            let status = told.persistent_app_ui_status.unwrap_or_default();
            if status.to_ascii_uppercase().contains("FAIL") {
                let error = Error::new(Kind::Machine, format!("EMR made no pages of cluster `{}`", cluster.id));
                return Err(error.detail(told.last_state_change_reason.unwrap_or(status)));
            }
            pause.wait().await?;
        }
    }

    /// Returns YARN's name of the application that a run's step is running in, when one is.
    ///
    /// # Errors
    /// Those of EMR.
    pub async fn application_of(&self, cluster: &Cluster, run: &str) -> Result<Option<String>> {
        if !is_ready(&cluster.state) {
            return Ok(None);
        }
        let active = self.api.active_steps(&cluster.id).await?;
        let of_run = active.into_iter().filter(|step| run_of(&step.name) == run);
        Ok(of_run.filter_map(|step| step.applications.into_iter().next_back()).next())
    }

    /// Returns the lease of those who look at a cluster's pages: it keeps soflow from ending the cluster, and takes no step's
    /// place.
    pub fn viewers(&self, cluster: &str, what: &str) -> Lease {
        let uri = self.leases().join(&format!("{cluster}.viewers.json"));
        Lease::new(self.store.clone(), uri, VIEWERS, what, &self.settings.owner)
    }

    /// Returns who looks at a cluster's pages.
    pub(super) async fn viewing(&self, cluster: &str) -> Result<Vec<Claim>> {
        Ok(self.viewers(cluster, "look").look().await?.holders)
    }

    /// Returns the name of the secret with JupyterHub's password, which all clusters of the lake share.
    pub fn jupyter_secret(&self) -> String {
        format!("soflow/{}/jupyterhub", lake_mark(&self.settings.lake))
    }
}

/// Pauses between looks for a link.
struct LinkPause<'a> {
    cluster: &'a str,
    until: Instant,
    interval: PollInterval,
}

impl<'a> LinkPause<'a> {
    fn new(clusters: &Clusters, cluster: &'a Cluster) -> Self {
        Self { cluster: &cluster.id, until: Instant::now() + PATIENCE, interval: clusters.poll() }
    }

    async fn wait(&mut self) -> Result<()> {
        if Instant::now() > self.until {
            return Err(Error::new(Kind::Machine, format!("EMR made no link to pages of cluster `{}`", self.cluster))
                .hint("it may take some minutes: run the same command again"));
        }
        tokio::time::sleep(self.interval.next_pause()).await;
        Ok(())
    }
}
