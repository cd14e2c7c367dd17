//! Links to web pages of clusters, while they run and after.

use serde_json::{Value, json};

use super::{Emr, Refusal};

/// Pages that outlive a cluster.
#[derive(Debug)]
pub struct Pages {
    cluster: String,
    /// How often they were looked at: they are there from the second time on.
    looks: u32,
}

impl Emr {
    pub fn presigned_url(&self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named(body)?;
        if cluster.ready.is_none() || cluster.is_over() {
            return Err(Refusal::invalid("Cluster must be in RUNNING or WAITING state."));
        }
        let page = body["OnClusterAppUIType"].as_str().unwrap_or("SparkHistoryServer");
        // Only such a link, which is a secret, opens the page.
        let url =
            format!("https://{}.emrappui-prod.us-east-1.amazonaws.com/{page}?X-Amz-Security-Token=TWIN", cluster.id);
        Ok(json!({ "PresignedURLReady": true, "PresignedURL": url }))
    }

    pub fn create_pages(&mut self, body: &Value) -> Result<Value, Refusal> {
        let arn = body["TargetResourceArn"].as_str().unwrap_or_default();
        let (_, cluster) = arn.rsplit_once('/').unwrap_or_default();
        if !self.clusters.iter().any(|known| known.id == cluster) {
            return Err(Refusal::invalid(format!("The target resource '{arn}' is not valid.")));
        }
        let id = self.id("p-");
        self.pages.insert(id.clone(), Pages { cluster: cluster.to_string(), looks: 0 });
        Ok(json!({ "PersistentAppUIId": id, "RuntimeRoleEnabledCluster": false }))
    }

    pub fn describe_pages(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (id, pages) = self.pages_of(body)?;
        pages.looks += 1;
        let status = if pages.looks > 1 { "ATTACHED" } else { "STARTING" };
        Ok(json!({ "PersistentAppUI": { "PersistentAppUIId": id, "PersistentAppUIStatus": status } }))
    }

    pub fn link_to_pages(&mut self, body: &Value) -> Result<Value, Refusal> {
        let page = body["PersistentAppUIType"].as_str().unwrap_or("SHS").to_string();
        let (id, pages) = self.pages_of(body)?;
        if pages.looks < 2 {
            return Ok(json!({ "PresignedURLReady": false }));
        }
        let host = format!("{id}.emrappui-prod.us-east-1.amazonaws.com");
        let url = format!("https://{host}/{page}/{}?X-Amz-Security-Token=TWIN", pages.cluster);
        Ok(json!({ "PresignedURLReady": true, "PresignedURL": url }))
    }

    fn pages_of(&mut self, body: &Value) -> Result<(String, &mut Pages), Refusal> {
        let id = body["PersistentAppUIId"].as_str().unwrap_or_default().to_string();
        let found = self.pages.get_mut(&id);
        let found = found.ok_or_else(|| Refusal::invalid(format!("Persistent app UI id '{id}' is not valid.")))?;
        Ok((id, found))
    }
}
