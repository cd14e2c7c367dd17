//! What EMR's changes of state mean for the world outside: steps run, logs appear.

use std::sync::Arc;

use hyper::Response;
use serde_json::Value;
use tokio::sync::oneshot;

use super::emr::Effect;
use super::forward::Body;
use super::server::Shared;
use super::{exec, logs, replies};

impl Shared {
    /// Returns the answer to a call to EMR.
    pub async fn emr_call(self: &Arc<Self>, operation: &str, body: &Value) -> Response<Body> {
        let _turn = self.turn.lock().await;
        self.emr().advance();
        self.follow_up().await;
        let answer = self.emr().answer_with_overtaken(operation, body);
        self.follow_up().await;
        match answer {
            Ok(Value::Null) => replies::bytes(200, "application/x-amz-json-1.1", ""),
            Ok(answer) => replies::json(200, &answer),
            Err(refusal) => replies::json(400, &refusal.body()),
        }
    }

    /// Does what changes of state mean for the world outside.
    pub async fn follow_up(self: &Arc<Self>) {
        let effects = std::mem::take(&mut self.emr().effects);
        for effect in effects {
            match effect {
                Effect::Start { cluster, step } => self.start_step(cluster, step),
                Effect::Kill { step } => drop(self.stops.lock().unwrap().remove(&step)),
                Effect::Printed { cluster, step } => self.print(&cluster, &step).await,
                Effect::Logs { cluster, step } => self.put_logs(&cluster, &step).await,
                Effect::BootstrapLog { cluster, instance, action } => {
                    let found = self.emr().clusters.iter().find(|known| known.id == cluster).cloned();
                    if let Some(folder) = found.and_then(|cluster| logs::folder(&cluster, None)) {
                        let uri = format!("{folder}/node/{instance}/bootstrap-actions/{action}/stderr.gz");
                        logs::put(&self.nodes, &uri, "bootstrap action failed: exit status 1\n").await;
                    }
                }
            }
        }
    }

    fn start_step(self: &Arc<Self>, cluster: String, step: String) {
        let (stop, stopped) = oneshot::channel();
        self.stops.lock().unwrap().insert(step.clone(), stop);
        tokio::spawn(exec::run(self.clone(), cluster, step, stopped));
    }

    async fn print(&self, cluster: &str, step: &str) {
        let found =
            self.emr().find(cluster, step).map(|(cluster, step)| (logs::CloudWatch::of(cluster), logs::files(step)));
        if let Some((Some(place), files)) = found {
            for file in &files {
                place.write(&self.nodes, file).await;
            }
        }
    }

    async fn put_logs(&self, cluster: &str, step: &str) {
        let found = self
            .emr()
            .find(cluster, step)
            .map(|(cluster, step)| (logs::folder(cluster, Some(step)), logs::files(step)));
        if let Some((Some(folder), files)) = found {
            for file in &files {
                logs::put(&self.nodes, &format!("{folder}/{}", file.path), &file.text).await;
            }
        }
    }
}
