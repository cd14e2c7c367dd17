//! The CloudFormation template of the stack that runs the jobs of a target unattended: of its settings and of what is in
//! `config/stack/`.
//!
//! ```text
//! stack.yaml, and for each: function.yaml with functions.yaml and rights.yaml, bucket.yaml, job.yaml, email.yaml,
//! endpoint.yaml
//!   -> filled with what the settings say -> one template
//! ```

mod fill;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use self::fill::{Values, fill, read};
use super::machine::{HANDLERS, Handler, machine};
use crate::config::{Emr, EndpointSettings, Lake, Provision, Schedule, StackSettings};
use crate::error::{Error, Kind, Result};
use crate::names::{Digest, Uri};

/// Longest name of a stack: names of roles begin with it, and have at most 64 characters. Source: IAM user guide, "IAM and
/// AWS STS quotas".
const LONGEST_STACK: usize = 40;

/// Longest name of a state machine. Source: Step Functions API reference, `CreateStateMachine`.
const LONGEST_MACHINE: usize = 80;

/// Longest name of a schedule, which is the job's behind `job-`. Source: EventBridge Scheduler API reference,
/// `CreateSchedule`.
const LONGEST_SCHEDULE: usize = 64;

/// How many hours later than it should be something may succeed before it is late.
const GRACE_HOURS: u64 = 2;

/// How many hours an alarm can look back. Source: CloudWatch API reference, `PutMetricAlarm`: a week, of periods of an hour.
const LONGEST_LOOK: u64 = 168;

/// What nodes reach by endpoints in their subnets, by the names in the services' addresses. S3 has one of another kind.
const ENDPOINTS: [&str; 5] = ["elasticmapreduce", "glue", "kms", "logs", "monitoring"];

/// A stack, as the settings say.
pub struct Stack<'a> {
    /// The target that it runs.
    pub target: &'a str,
    /// The target's settings.
    pub emr: &'a Emr,
    /// The target's locations, in S3.
    pub lake: &'a Lake,
    /// What the names of the lake's clusters begin with.
    pub clusters: &'a str,
}

impl Stack<'_> {
    /// Returns its name.
    pub fn name(&self) -> String {
        StackSettings::name_of(self.target, self.emr.stack.name.as_deref())
    }

    /// Returns what of the stack the target's clusters and queries do not use, as its settings are: the path of the key that
    /// would have to name it, and its name.
    pub fn unused(&self) -> Vec<(String, String)> {
        let (name, shape) = (self.name(), &self.emr.shape);
        let cluster = |key: &str| format!("clusters.{}.{key}", self.emr.cluster);
        let named = [
            (cluster("service-role"), last(&shape.service_role), format!("{name}-emr")),
            (cluster("instance-profile"), last(&shape.instance_profile), format!("{name}-nodes")),
            (
                cluster("security-configuration"),
                shape.security_configuration.as_deref().unwrap_or_default(),
                name.clone(),
            ),
            (format!("targets.{}.workgroup", self.target), self.emr.workgroup.as_str(), name.clone()),
        ];
        let other = |(key, named, own): (String, &str, String)| (named != own).then_some((key, own));
        named.into_iter().filter_map(other).collect()
    }

    /// Returns the roles that clusters are given: the stack's own, where the shape names them.
    fn roles(&self) -> Json {
        let (name, shape) = (self.name(), &self.emr.shape);
        let role = |named: &str, own: String, id: &str| {
            if last(named) == own {
                return json!({ "Fn::GetAtt": [id, "Arn"] });
            }
            // A profile is nearly always named like the role in it.
            let arn = match named.starts_with("arn:") {
                true => named.replacen(":instance-profile/", ":role/", 1),
                false => format!("arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{named}"),
            };
            json!({ "Fn::Sub": arn })
        };
        json!([
            role(&shape.service_role, format!("{name}-emr"), "EmrServiceRole"),
            role(&shape.instance_profile, format!("{name}-nodes"), "EmrNodeRole"),
        ])
    }

    /// Returns the locations of the lake by name.
    fn locations(&self) -> [(&'static str, &Uri); 4] {
        let Lake { raw, curated, artifacts, logs } = self.lake;
        [("raw", raw), ("curated", curated), ("artifacts", artifacts), ("logs", logs)]
    }

    /// Returns what the settings put into the data of all stacks.
    fn values(&self) -> Result<Values> {
        let settings = &self.emr.stack;
        let ingest_hours = settings.ingest.as_deref().and_then(patience);
        let mut values = Values::from([
            ("target".into(), self.target.into()),
            ("database".into(), self.emr.database.as_str().into()),
            ("clusters".into(), self.clusters.into()),
            ("roles-of-clusters".into(), self.roles()),
            ("retention".into(), settings.log_retention_days.into()),
            ("scan-bytes".into(), (settings.scan_limit_gb << 30).into()),
            ("architecture".into(), settings.architecture.name().into()),
            ("time-zone".into(), settings.time_zone.as_str().into()),
            ("ingest".into(), settings.ingest.clone().into()),
            ("ingest-hours".into(), ingest_hours.into()),
            ("ingest-seconds".into(), ingest_hours.map(|hours| hours * 3_600).into()),
            ("curated-uri".into(), self.lake.curated.as_str().into()),
            ("artifacts-uri".into(), self.lake.artifacts.as_str().into()),
            ("results".into(), format!("{}/", self.lake.logs.join("athena")).into()),
        ]);
        for (name, location) in self.locations() {
            let (bucket, prefix) = in_s3(location)?;
            let whole = if prefix.is_empty() { bucket.to_string() } else { format!("{bucket}/{prefix}") };
            values.insert(name.into(), whole.into());
            values.insert(format!("{name}-bucket"), bucket.into());
        }
        Ok(values)
    }
}

/// What a handler does and may do, as `functions.yaml` says.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FunctionSpec {
    does: String,
    rights: Vec<String>,
    #[serde(default)]
    environment: Map<String, Json>,
    waited_for: bool,
}

/// Resources of one kind, as a file has them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    resources: Map<String, Json>,
    #[serde(default)]
    outputs: Map<String, Json>,
    /// Rules of the lifecycle of a bucket, by the location that is in it.
    #[serde(default)]
    expiries: BTreeMap<String, Vec<Json>>,
}

/// Returns the template of a stack. The same settings give the same template, letter by letter.
///
/// # Errors
/// `Usage` for names that are too long, or two of which are one in a template; `Internal` for mistakes in the data.
pub fn template(stack: &Stack<'_>) -> Result<Json> {
    let (name, settings) = (stack.name(), &stack.emr.stack);
    if name.len() > LONGEST_STACK {
        let message = format!("a stack cannot be named `{name}`: it has more than {LONGEST_STACK} characters");
        let hint = format!("write a shorter one into `config/soflow.yaml`: `targets.{}.stack.name`", stack.target);
        return Err(Error::new(Kind::Usage, message).hint(hint));
    }
    let mut values = stack.values()?;
    let rights = Rights { known: read("rights.yaml", include_str!("../../config/stack/rights.yaml"))?, stack };
    values.insert("rights-of-nodes".into(), fill(&rights.all(["nodes"])?, &values)?);

    let whole: Json = read("stack.yaml", include_str!("../../config/stack/stack.yaml"))?;
    let mut builder = Builder { stack: &name, template: fill(&whole, &values)?, values };
    builder.functions(&rights)?;
    if settings.buckets == Provision::Make {
        builder.buckets(stack)?;
    }
    let job: Part = read("job.yaml", include_str!("../../config/stack/job.yaml"))?;
    for (name, expression) in &settings.schedules {
        builder.job(&job, name, expression, settings.longest_run_seconds)?;
    }
    builder.endpoints(&settings.endpoints)?;
    let email: Part = read("email.yaml", include_str!("../../config/stack/email.yaml"))?;
    for address in &settings.alert_emails {
        let id = format!("Email{}", &Digest::of([address]).as_str()[..8]);
        builder.add(&email, [("Email", id.into()), ("address", address.as_str().into())])?;
    }

    let mut without = Vec::new();
    without.extend(settings.ingest.is_none().then_some("IngestSchedule"));
    if settings.ingest.as_deref().and_then(patience).is_none() {
        without.extend(["IngestLateAlarm", "IngestLagAlarm"]);
    }
    without.extend((settings.database == Provision::Existing).then_some("Database"));
    for resource in without {
        builder.part("Resources")?.shift_remove(resource);
    }
    Ok(builder.template)
}

/// The rights by name.
struct Rights<'a> {
    known: BTreeMap<String, Vec<Json>>,
    stack: &'a Stack<'a>,
}

impl Rights<'_> {
    /// Returns the statements of rights, each once, and those that buckets need which are not the stack's own.
    fn all<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Json> {
        let foreign = (self.stack.emr.stack.buckets == Provision::Existing).then_some("keys-of-buckets");
        let mut found = Vec::new();
        for name in names.into_iter().chain(foreign) {
            self.add(name, &mut found)?;
        }
        Ok(found.into())
    }

    fn add(&self, name: &str, found: &mut Vec<Json>) -> Result<()> {
        let missing = || Error::new(Kind::Internal, format!("there is no right `{name}` in rights.yaml"));
        for item in self.known.get(name).ok_or_else(missing)? {
            match item {
                Json::String(name) => self.add(name, found)?,
                statement if found.contains(statement) => {}
                statement => found.push(statement.clone()),
            }
        }
        Ok(())
    }
}

/// A template on its way.
struct Builder<'a> {
    stack: &'a str,
    template: Json,
    values: Values,
}

impl Builder<'_> {
    fn part(&mut self, name: &str) -> Result<&mut Map<String, Json>> {
        let missing = || Error::new(Kind::Internal, format!("stack.yaml has no `{name}`"));
        self.template[name].as_object_mut().ok_or_else(missing)
    }

    /// Adds the resources and outputs of a part, filled with what is known and `more`.
    fn add<const N: usize>(&mut self, part: &Part, more: [(&str, Json); N]) -> Result<()> {
        let mut values = self.values.clone();
        values.extend(more.map(|(name, value)| (name.to_string(), value)));
        for (group, entries) in [("Resources", &part.resources), ("Outputs", &part.outputs)] {
            let filled = fill(&entries.clone().into(), &values)?;
            for (id, value) in filled.as_object().into_iter().flatten() {
                if self.part(group)?.insert(id.clone(), value.clone()).is_some() {
                    let message = format!("two names are one in a template: both are `{id}` there");
                    let hint = "jobs, and buckets, must differ in more than `-`, `_` and `.`: rename one of the two";
                    return Err(Error::new(Kind::Usage, message).hint(hint));
                }
            }
        }
        Ok(())
    }

    fn functions(&mut self, rights: &Rights<'_>) -> Result<()> {
        let part: Part = read("function.yaml", include_str!("../../config/stack/function.yaml"))?;
        let specs: BTreeMap<String, FunctionSpec> =
            read("functions.yaml", include_str!("../../config/stack/functions.yaml"))?;
        for Handler { name, seconds, memory } in HANDLERS {
            let missing = || Error::new(Kind::Internal, format!("functions.yaml does not know the handler `{name}`"));
            let spec = specs.get(name).ok_or_else(missing)?;
            // Lambda calls by itself what nobody waits for, and puts away what failed.
            let background = (!spec.waited_for).then_some("dead");
            let may = rights.all(spec.rights.iter().map(String::as_str).chain(background))?;
            let dead = background.map(|_| json!({ "TargetArn": { "Fn::GetAtt": ["Dead", "Arn"] } }));
            let skips = background.is_none().then(
                || json!({ "id": "CKV_AWS_116", "comment": "The state machine waits for its answer, and sees that it failed." }),
            );
            let mut environment = spec.environment.clone();
            environment.insert("SOFLOW_TARGET".into(), self.values["target"].clone());
            environment.insert("SOFLOW_STACK".into(), json!({ "Ref": "AWS::StackName" }));
            let more = [
                ("handler", name.into()),
                ("Handler", in_template(name).into()),
                ("does", spec.does.as_str().into()),
                ("seconds", seconds.into()),
                ("memory", memory.into()),
                ("rights", fill(&may, &self.values)?),
                ("dead", dead.unwrap_or_default()),
                ("skips", skips.into_iter().collect()),
                ("environment", environment.into()),
            ];
            self.add(&part, more)?;
        }
        Ok(())
    }

    /// Adds the buckets that the locations are in, each once.
    fn buckets(&mut self, stack: &Stack<'_>) -> Result<()> {
        let part: Part = read("bucket.yaml", include_str!("../../config/stack/bucket.yaml"))?;
        let mut buckets: Vec<(&str, Vec<Json>)> = Vec::new();
        for (location, uri) in stack.locations() {
            let (bucket, prefix) = in_s3(uri)?;
            let at = buckets.iter().position(|(known, _)| *known == bucket).unwrap_or_else(|| {
                buckets.push((bucket, Vec::new()));
                buckets.len() - 1
            });
            let mut values = self.values.clone();
            let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            values.insert("prefix".into(), below.into());
            for rule in part.expiries.get(location).into_iter().flatten() {
                buckets[at].1.push(fill(rule, &values)?);
            }
        }
        for (bucket, expiries) in buckets {
            let more =
                [("bucket", bucket.into()), ("Bucket", in_template(bucket).into()), ("expiries", expiries.into())];
            self.add(&part, more)?;
        }
        Ok(())
    }

    /// Adds the ways from the clusters' network to AWS that are wanted.
    fn endpoints(
        &mut self,
        EndpointSettings { vpc, route_tables, subnets, security_groups }: &EndpointSettings,
    ) -> Result<()> {
        let part: Part = read("endpoint.yaml", include_str!("../../config/stack/endpoint.yaml"))?;
        let gateway = (!route_tables.is_empty()).then_some("s3");
        let interfaces = ENDPOINTS.into_iter().filter(|_| !subnets.is_empty());
        for service in gateway.into_iter().chain(interfaces) {
            let is_gateway = service == "s3";
            let more = [
                ("service", service.into()),
                ("Service", in_template(service).into()),
                ("type", if is_gateway { "Gateway" } else { "Interface" }.into()),
                ("vpc", vpc.clone().into()),
                ("route-tables", is_gateway.then(|| route_tables.clone()).into()),
                ("subnets", (!is_gateway).then(|| subnets.clone()).into()),
                ("security-groups", (!is_gateway).then(|| security_groups.clone()).into()),
                ("private-names", (!is_gateway).then_some(true).into()),
            ];
            self.add(&part, more)?;
        }
        Ok(())
    }

    fn job(&mut self, part: &Part, job: &str, expression: &str, longest: u32) -> Result<()> {
        let machine_name = self.stack.len() + "-".len() + job.len();
        if machine_name > LONGEST_MACHINE || "job-".len() + job.len() > LONGEST_SCHEDULE {
            let message = format!("the name of the job `{job}` is too long for a schedule of stack `{}`", self.stack);
            let most = (LONGEST_MACHINE - self.stack.len() - 1).min(LONGEST_SCHEDULE - "job-".len());
            return Err(Error::new(Kind::Usage, message).hint(format!("at most {most} characters are left for it")));
        }
        let (id, hours) = (in_template(job), patience(expression));
        let more = [
            ("job", job.into()),
            ("Job", id.as_str().into()),
            ("expression", expression.into()),
            ("definition", machine(job, longest).to_string().into()),
            ("hours", hours.into()),
        ];
        self.add(part, more)?;
        if hours.is_none() {
            self.part("Resources")?.shift_remove(&format!("{id}MachineLateAlarm"));
        }
        Ok(())
    }
}

/// Returns bucket and prefix of a location.
fn in_s3(location: &Uri) -> Result<(&str, &str)> {
    location.bucket_and_key().ok_or_else(|| {
        let error = Error::new(Kind::Usage, format!("`{location}` is not in S3, and no function could reach it"));
        error.hint("a stack is for a target of kind `emr`: `soflow config show`")
    })
}

/// Returns the name at the end of an ARN; a name is its own.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Returns a name as templates take it, letters and digits only: `DailyReport` of `daily-report`.
fn in_template(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.flat_map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1))).collect()
}

/// Returns after how many hours without a success something that is started like this is late; `None` when it is started too
/// seldom for an alarm to see.
fn patience(expression: &str) -> Option<u64> {
    let schedule = Schedule::parse(expression).ok()?;
    let longest = schedule.longest_pause()?.as_secs().unsigned_abs();
    Some(longest.div_ceil(3_600) + GRACE_HOURS).filter(|hours| *hours <= LONGEST_LOOK)
}

#[cfg(test)]
mod tests;
