//! What is attached to a cluster: tags, policies, bootstrap actions, its pages.

use serde_json::{Value, json};

use super::{Emr, Refusal, limits};

impl Emr {
    pub fn tag(&mut self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named_mut(body)?;
        if cluster.is_over() {
            return Err(Refusal::invalid("Tags cannot be modified on terminated clusters."));
        }
        let (added, removed) = (body["Tags"].as_array(), body["TagKeys"].as_array());
        let gone: Vec<&Value> =
            added.into_iter().flatten().map(|tag| &tag["Key"]).chain(removed.into_iter().flatten()).collect();
        cluster.tags.retain(|tag| !gone.contains(&&tag["Key"]));
        cluster.tags.extend(added.into_iter().flatten().cloned());
        Ok(json!({}))
    }

    pub fn auto_termination(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let cluster = self.named_mut(body)?;
        match operation {
            "GetAutoTerminationPolicy" => {
                let policy = cluster.idle_timeout.map(|seconds| json!({ "IdleTimeout": seconds }));
                return Ok(policy.map_or_else(|| json!({}), |policy| json!({ "AutoTerminationPolicy": policy })));
            }
            _ if cluster.is_over() => {
                let text = "A job flow that is shutting down, terminated, or finished may not be modified.";
                return Err(Refusal::invalid(text));
            }
            "PutAutoTerminationPolicy" => {
                let policy = body.get("AutoTerminationPolicy");
                policy.map_or(Ok(()), limits::idle_timeout).map_err(Refusal::invalid)?;
                cluster.set_idle_timeout(Some(policy.unwrap_or(&Value::Null)), now);
            }
            _ => cluster.set_idle_timeout(None, now),
        }
        Ok(json!({}))
    }

    pub fn managed_scaling(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named_mut(body)?;
        if operation == "GetManagedScalingPolicy" {
            let policy = cluster.scaling.clone();
            return Ok(policy.map_or_else(|| json!({}), |policy| json!({ "ManagedScalingPolicy": policy })));
        }
        cluster.scaling = body.get("ManagedScalingPolicy").cloned();
        Ok(json!({}))
    }

    pub fn list_bootstrap_actions(&self, body: &Value) -> Result<Value, Refusal> {
        let asked = self.named(body)?.asked["BootstrapActions"].as_array().into_iter().flatten();
        let shown = asked.map(|action| {
            let script = &action["ScriptBootstrapAction"];
            let arguments = script["Args"].as_array().cloned().unwrap_or_default();
            json!({ "Name": action["Name"], "ScriptPath": script["Path"], "Args": arguments })
        });
        Ok(json!({ "BootstrapActions": shown.collect::<Vec<_>>() }))
    }

    pub fn security_configuration_of(&self, body: &Value) -> Result<Value, Refusal> {
        let name = body["Name"].as_str().unwrap_or_default();
        let found = self.security.get(name);
        let found = found
            .ok_or_else(|| Refusal::invalid(format!("Security configuration with name '{name}' does not exist.")))?;
        let created = self.clock.epoch(std::time::Duration::ZERO);
        Ok(json!({ "Name": name, "SecurityConfiguration": found, "CreationDateTime": created }))
    }
}
