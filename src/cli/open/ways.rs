//! The ways to a port of a cluster's primary node, the best first: soflow's own client of Systems Manager, AWS's plugin for
//! such sessions, SSH. Each says why it is none.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::aws::{SSM, Session};
use crate::cli::app::App;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::machine::Host;
use crate::report::block;
use crate::targets::emr::answers::{Cluster, is_ending};
use crate::targets::emr::web::{PageAccess, WebPage};
use crate::tunnel::{DOCUMENT, Forward, NotOpened, Remote, SessionStart};

/// AWS's program, and the variable that it takes a session from. Source: `session.go` of aws/session-manager-plugin.
const PLUGIN: &str = "session-manager-plugin";
const RESPONSE: &str = "AWS_SSM_START_SESSION_RESPONSE";

/// The user of EMR's nodes. Source: EMR management guide, "Connect to the primary node using SSH".
const USER: &str = "hadoop";

/// How long another program may take until it listens, and between two looks.
const STARTING: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a tunnel is wanted to.
pub struct WantedPage<'a> {
    pub session: &'a Session,
    pub host: Host,
    /// The person's home folder.
    pub home: Option<PathBuf>,
    pub cluster: &'a Cluster,
    pub remote: Remote,
}

/// A tunnel that is open.
pub enum Way {
    /// Our own client, and the port of this machine that it serves.
    Own(Box<Forward>, TcpListener),
    /// Another program, which serves that port itself.
    Program(Box<Program>),
}

impl Way {
    /// Returns its name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Own(..) => "ssm",
            Self::Program(program) => program.name,
        }
    }
}

/// Another program that holds a tunnel. Ends when dropped.
pub struct Program {
    name: &'static str,
    child: Child,
    /// What is to be ended after it.
    ends: Option<(SessionStart, Session)>,
}

impl WantedPage<'_> {
    /// Opens a tunnel from `listener`'s port, and says which way it took when that is not the first one.
    ///
    /// # Errors
    /// Why the first way is none, with a line on each of the others.
    pub async fn open(&self, listener: TcpListener, app: &App) -> Result<Way> {
        let port = listener.local_addr()?.port();
        let NotOpened { error, had_session } = match Forward::open(self.session, &self.remote).await {
            Ok(forward) => {
                if !forward.banner.trim().is_empty() {
                    app.tell(Event::Note { text: block(forward.banner.trim()) });
                }
                return Ok(Way::Own(Box::new(forward), listener));
            }
            Err(not_opened) => not_opened,
        };
        // The others listen themselves.
        drop(listener);
        let mut why = Vec::new();
        let plugin = if had_session { self.plugin(port).await } else { Err("gets no session either".into()) };
        let program = match plugin {
            Ok(program) => Ok(program),
            Err(plugin) => {
                why.push(format!("{PLUGIN}: {plugin}"));
                self.ssh(port).await
            }
        };
        match program {
            Ok(program) => {
                let text = format!("through {}, since soflow's own way is none: {}", program.name, error.message);
                app.tell(Event::Warning { text });
                Ok(Way::Program(Box::new(program)))
            }
            Err(ssh) => {
                why.push(format!("ssh: {ssh}"));
                Err(self.advise(error).detail(format!("other ways there are none:\n{}", why.join("\n"))))
            }
        }
    }

    /// Returns the error with what can be done, as far as it is about sessions.
    fn advise(&self, error: Error) -> Error {
        let code = crate::aws::CallError::of(&error).map(|call| call.code.clone()).unwrap_or_default();
        if code != "TargetNotConnected" {
            return error;
        }
        let id = &self.remote.instance;
        Error::new(Kind::Machine, format!("no agent of Systems Manager is connected on the primary node `{id}`"))
            .caused_by(error.causes().pop().unwrap_or_default())
            .hint("the instance profile needs the policy `AmazonSSMManagedInstanceCore`, and new nodes read it")
            .hint("subnets without a way to the internet need endpoints of `ssm` and `ssmmessages`: docs/open.md")
    }

    async fn plugin(&self, port: u16) -> Result<Program, String> {
        let program = self.host.program(PLUGIN).ok_or("it is not on PATH")?;
        let start = self.remote.start(self.session, port).await.map_err(|error| error.to_string())?;
        let (endpoint, region) = self.session.place(SSM.name, SSM.host);
        let response = serde_json::to_string(&start).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        // The session's token is in the environment, which only the person can read, and on no command line.
        command.args([RESPONSE, &region, "StartSession", "", &self.remote.request(port).to_string(), &endpoint]);
        command.env(RESPONSE, response).stdout(Stdio::null());
        let ends = Some((start, self.session.clone()));
        Program::start(PLUGIN, command, port, ends).await
    }

    async fn ssh(&self, port: u16) -> Result<Program, String> {
        let program = self.host.program("ssh").ok_or("it is not on PATH")?;
        let (key, host) = self.ssh_needs()?;
        let mut command = Command::new(program);
        command.args(ssh_arguments(port, self.remote.port, &key, host));
        Program::start("ssh", command, port, None).await
    }

    /// Returns the file of the key and the host.
    fn ssh_needs(&self) -> Result<(PathBuf, &str), String> {
        let key = self.cluster.key_name.as_deref();
        let key = key.ok_or("the cluster's nodes know no key: `key-name` of the shape names one")?;
        let folder = self.home.as_deref().unwrap_or(Path::new("~")).join(".ssh");
        let files = [folder.join(format!("{key}.pem")), folder.join(key)];
        let file = files.iter().find(|file| file.is_file());
        let file = file.ok_or_else(|| format!("there is no `{}` with the private key", files[0].display()))?;
        Ok((file.clone(), self.cluster.primary_host.as_deref().ok_or("EMR names no host")?))
    }

    /// Returns commands that open the same without soflow.
    pub fn commands(&self) -> String {
        let (Remote { instance, port }, region) = (&self.remote, self.session.region());
        let mut text = format!(
            "aws ssm start-session --region {region} --target {instance} --document-name {DOCUMENT} \
             --parameters portNumber={port},localPortNumber={port}\n"
        );
        if let (Some(key), Some(host)) = (&self.cluster.key_name, &self.cluster.primary_host) {
            let key = format!("~/.ssh/{key}.pem");
            text += &format!("ssh {}\n", ssh_arguments(*port, *port, Path::new(&key), host).join(" "));
        }
        text
    }
}

fn ssh_arguments(local: u16, remote: u16, key: &Path, host: &str) -> Vec<String> {
    let forward = format!("127.0.0.1:{local}:127.0.0.1:{remote}");
    let (key, host) = (key.display().to_string(), format!("{USER}@{host}"));
    let options = ["-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15"].map(String::from);
    let ends = ["-N".to_string(), "-L".into(), forward, "-i".into(), key];
    ends.into_iter().chain(options).chain([host]).collect()
}

/// Returns the commands that make a link to a page.
pub fn link_commands(cluster: &Cluster, page: WebPage, application: Option<&str>) -> String {
    let PageAccess::Link(on_cluster, profiler, outliving) = page.reached() else { return String::new() };
    let id = &cluster.id;
    if is_ending(&cluster.state) {
        let (arn, profiler, outliving) = (&cluster.arn, profiler.as_str(), outliving.as_str());
        return format!(
            "aws emr create-persistent-app-ui --target-resource-arn {arn} --profiler-type {profiler}\n\
             aws emr get-persistent-app-ui-presigned-url --persistent-app-ui-id ID --persistent-app-ui-type {outliving}\n"
        );
    }
    let (kind, application) = match application {
        Some(application) => ("ApplicationMaster", format!(" --application-id {application}")),
        None => (on_cluster.as_str(), String::new()),
    };
    format!(
        "aws emr get-on-cluster-app-ui-presigned-url --cluster-id {id} --on-cluster-app-ui-type {kind}{application}\n"
    )
}

impl Program {
    /// Starts a program and waits until it listens at `port`.
    async fn start(
        name: &'static str,
        mut command: Command,
        port: u16,
        ends: Option<(SessionStart, Session)>,
    ) -> Result<Self, String> {
        let child = command.kill_on_drop(true).spawn().map_err(|error| error.to_string());
        let mut program = match child {
            Ok(child) => Self { name, child, ends },
            Err(why) => {
                if let Some((start, session)) = ends {
                    start.terminate(&session).await;
                }
                return Err(why);
            }
        };
        let listens = async {
            loop {
                if let Some(status) = program.child.try_wait().map_err(|error| error.to_string())? {
                    return Err(format!("it ended: {status}"));
                }
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let listening = tokio::time::timeout(STARTING, listens).await;
        match listening.unwrap_or_else(|_| Err("it does not listen".into())) {
            Ok(()) => Ok(program),
            Err(why) => {
                program.end().await;
                Err(why)
            }
        }
    }

    /// Waits until `stop`, and ends it.
    ///
    /// # Errors
    /// `Machine` when it ends by itself.
    pub async fn wait(mut self, stop: impl Future<Output = ()>) -> Result<()> {
        let ended = tokio::select! {
            ended = self.child.wait() => Some(ended?),
            () = stop => None,
        };
        let name = self.name;
        self.end().await;
        match ended {
            Some(status) => Err(Error::new(Kind::Machine, format!("`{name}` ended: {status}"))),
            None => Ok(()),
        }
    }

    async fn end(mut self) {
        let _ = self.child.kill().await;
        if let Some((start, session)) = &self.ends {
            start.terminate(session).await;
        }
    }
}
