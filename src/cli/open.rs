//! `soflow open`: a cluster's web page, by a link of EMR or through a tunnel that is held open until Ctrl-C.

mod browser;
mod ways;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use super::app::App;
use super::cluster::the_one;
use super::runs;
use super::workspace::{Workspace, told_to_stop};
use crate::aws::SECRETS_MANAGER;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::RunId;
use crate::store::lease::LeaseMode;
use crate::targets::emr::Clusters;
use crate::targets::emr::answers::Cluster;
use crate::targets::emr::web::{PageAccess, WebPage};
use crate::tunnel::{Remote, TunnelEvent};
use ways::{WantedPage, Way};

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The page: editors for SQL, notebooks, what Spark, YARN, Tez, Livy or Trino show, or the cluster in the AWS console
    #[arg(value_name = "PAGE", value_parser = PossibleValuesParser::new(WebPage::NAMES.map(|(name, _)| name)).map(page))]
    pub page: WebPage,
    /// The run on whose cluster it is, such as daily.2026-11-22.3, or the cluster, `j-…` [default: the only one there is]
    pub run: Option<String>,
    /// Start no browser
    #[arg(long)]
    pub no_browser: bool,
    /// Print commands that do the same without soflow, and open nothing
    #[arg(long)]
    pub print: bool,
}

fn page(name: String) -> WebPage {
    WebPage::NAMES.into_iter().find(|(known, _)| *known == name).map_or(WebPage::Console, |(_, page)| page)
}

/// Opens a page.
pub async fn open(app: &App, args: &OpenArgs) -> Result<u8> {
    let work = app.workspace().await?;
    let (clusters, page) = (work.clusters()?, args.page);
    let cluster = clusters.ours(&cluster_of(&work, &clusters, args).await?).await?;
    page.check(&cluster)?;
    let opened = OpenedPage { app, work: &work, clusters: &clusters, cluster: &cluster, args };
    match page.reached() {
        PageAccess::Console => opened.console(),
        PageAccess::Link(..) => opened.link().await,
        PageAccess::Port(port) => opened.port(port).await,
    }
}

/// Returns the cluster that a person means.
async fn cluster_of(work: &Workspace<'_>, clusters: &Clusters, args: &OpenArgs) -> Result<String> {
    let run = match args.run.as_deref() {
        Some(named) if !named.starts_with("j-") => named,
        named => return the_one(clusters, named).await,
    };
    let run: RunId = run.parse()?;
    let record = runs::load(work, &run).await?;
    let placed = record.placed.as_ref().or(record.left.last()).map(|placed| placed.cluster.clone());
    placed.ok_or_else(|| Error::new(Kind::Usage, format!("run `{run}` has not been on a cluster")))
}

struct OpenedPage<'a> {
    app: &'a App,
    work: &'a Workspace<'a>,
    clusters: &'a Clusters,
    cluster: &'a Cluster,
    args: &'a OpenArgs,
}

impl OpenedPage<'_> {
    fn document(&self, way: &str, url: &str) -> Json {
        json!({ "page": self.args.page.name(), "cluster": self.cluster.id, "way": way, "url": url })
    }

    fn title(&self) -> String {
        let page = self.args.page;
        let name = page.application().unwrap_or(match page {
            WebPage::Spark => "Spark",
            WebPage::Yarn => "YARN",
            _ => "The AWS console",
        });
        format!("{name} of cluster {}", self.cluster.id)
    }

    fn console(&self) -> Result<u8> {
        let session = self.work.session()?;
        let region = session.region();
        let host = match session.partition() {
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        let url = format!("https://{region}.{host}/emr/home?region={region}#/clusterDetails/{}", self.cluster.id);
        if !self.args.no_browser && !self.args.print {
            browser::show(self.work, &url)?;
        }
        self.app.answer(&self.document("console", &url), |_| format!("{}\n  {url}\n", self.title()))
    }

    /// Opens a page that EMR makes a link to. The link is printed, and nowhere else: it needs no password.
    async fn link(&self) -> Result<u8> {
        let (page, cluster) = (self.args.page, self.cluster);
        let run = self.args.run.as_deref().filter(|run| page == WebPage::Spark && !run.starts_with("j-"));
        let application = match run {
            Some(run) => self.clusters.application_of(cluster, run).await?,
            None => None,
        };
        if self.args.print {
            return self.app.print(&ways::link_commands(cluster, page, application.as_deref()));
        }
        let url = self.clusters.link(cluster, page, application.as_deref()).await?;
        let url = url.ok_or_else(|| Error::new(Kind::Internal, "a page without a link was asked for one"))?;
        if !self.args.no_browser {
            browser::show_secretly(self.work, &url)?;
        }
        let step = application.map(|application| format!(", {application}")).unwrap_or_default();
        self.app.answer(&self.document("link", &url), |_| {
            format!("{}{step}. Who has this link needs no password; it is good for a while.\n  {url}\n", self.title())
        })
    }

    /// Opens a page that has no link: through a tunnel, as long as the person likes.
    async fn port(&self, port: u16) -> Result<u8> {
        let page = self.args.page;
        let instance = self.clusters.primary(self.cluster, page).await?;
        let wanted = WantedPage {
            session: self.work.session()?,
            host: self.app.host(),
            home: self.app.environment.get("HOME").map(Into::into),
            cluster: self.cluster,
            remote: Remote { instance, port },
        };
        if self.args.print {
            return self.app.print(&wanted.commands());
        }
        let lease = self.clusters.viewers(&self.cluster.id, &format!("open {}", page.name()));
        lease.take(LeaseMode::Once).await?;
        let lease = lease.hold();
        let opened = self.tunnel(&wanted).await;
        lease.release().await?;
        opened
    }

    async fn tunnel(&self, wanted: &WantedPage<'_>) -> Result<u8> {
        let listener = listen(wanted.remote.port).await?;
        let port = listener.local_addr()?.port();
        let stop = told_to_stop();
        tokio::pin!(stop);
        let way = tokio::select! {
            way = wanted.open(listener, self.app) => way?,
            _ = &mut stop => return Err(Error::new(Kind::Interrupted, "interrupted before it was open")),
        };
        let url = self.args.page.local_url(port);
        if self.args.page == WebPage::JupyterHub {
            self.look_for_password().await?;
        }
        let access = self.access();
        let mut document = self.document(way.name(), &url);
        for (name, value) in &access {
            document[*name] = value.as_str().into();
        }
        self.app.answer(&document, |_| {
            let lines = access.iter().map(|(name, value)| format!("  {name:<11} {value}\n"));
            format!("{} is at {url}\n{}", self.title(), lines.collect::<String>())
        })?;
        if !self.args.no_browser {
            browser::show(self.work, &url)?;
        }
        let stop = async { drop(stop.await) };
        carry(way, self.args.page, self.app.sink().as_mut(), stop).await?;
        Ok(0)
    }

    /// Says when nobody can know JupyterHub's password. Who may not look finds out with the command that shows it.
    async fn look_for_password(&self) -> Result<()> {
        let request = json!({ "SecretId": self.clusters.jupyter_secret() });
        let found = self.work.session()?.call::<Json>(&SECRETS_MANAGER, "DescribeSecret", &request).await;
        if found.is_err_and(|error| error.code == "ResourceNotFoundException") {
            let text =
                "there is no password of JupyterHub in Secrets Manager: the cluster's instance profile may not put it \
                        there (docs/open.md), or the cluster was made by an earlier soflow"
                    .into();
            self.app.tell(Event::Warning { text });
        }
        Ok(())
    }

    /// Returns who gets in, and what else is to be known, by name.
    fn access(&self) -> Vec<(&'static str, String)> {
        match self.args.page {
            WebPage::Hue => vec![
                ("user", "yours: whoever logs in first becomes the superuser, with the password given then".into()),
                ("editors", "Hive and Trino see the tables".into()),
            ],
            WebPage::JupyterHub => {
                let secret = self.clusters.jupyter_secret();
                let region = self.work.session.as_ref().map_or("", |session| session.region());
                let command = format!(
                    "aws secretsmanager get-secret-value --region {region} --secret-id {secret} --query SecretString --output text"
                );
                vec![
                    ("user", "jovyan".into()),
                    ("password", command),
                    ("certificate", "the cluster's own: the browser asks whether to trust it".into()),
                ]
            }
            WebPage::Trino => vec![
                ("user", "any name, no password".into()),
                ("idle", "queries do not keep the cluster: it ends after its `idle-timeout`".into()),
            ],
            _ => Vec::new(),
        }
    }
}

/// Listens on this machine alone: at the same port as the cluster, so that cookies and bookmarks fit, or at any other.
async fn listen(port: u16) -> Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => Ok(TcpListener::bind(("127.0.0.1", 0)).await?),
    }
}

/// Carries connections until `stop`.
async fn carry(way: Way, page: WebPage, sink: &mut dyn Sink, stop: impl Future<Output = ()>) -> Result<()> {
    match way {
        Way::Own(forward, listener) => {
            let mut last = (0, 0);
            let mut warned = false;
            let mut tell = |told| match told {
                TunnelEvent::Traffic(traffic) => {
                    last = (traffic.connections, traffic.bytes);
                    let open = traffic.open as u64;
                    sink.emit(Event::Tunnel { open, connections: last.0, bytes: last.1, ended: false });
                }
                TunnelEvent::NotConnected if !warned => {
                    warned = true;
                    let text =
                        format!("nothing listens at {}'s port of the cluster: it may still be starting", page.name());
                    sink.emit(Event::Warning { text });
                }
                TunnelEvent::NotConnected => {}
                TunnelEvent::Lost => {
                    sink.emit(Event::Note { text: "The connection was lost, and is being made anew.".into() });
                }
                TunnelEvent::Back => sink.emit(Event::Note { text: "The connection is there again.".into() }),
            };
            let ended = forward.run(listener, &mut tell, stop).await;
            sink.emit(Event::Tunnel { open: 0, connections: last.0, bytes: last.1, ended: true });
            ended
        }
        Way::Program(program) => program.wait(stop).await,
    }
}
