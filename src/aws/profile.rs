//! What the AWS environment and its config files say before anyone is asked: the profile, the region, the authorities.

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::session::SessionOptions;
use crate::error::{Error, Kind, Result};

/// What the environment and the config files say.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// The profile, if it exists: `default` need not.
    pub name: Option<String>,
    /// The region that is named, if any.
    pub region: Option<String>,
    /// The file of certificate authorities that the profile names.
    pub ca_bundle: Option<String>,
    /// What to type when the credentials are missing or have ended.
    pub sign_in: String,
}

/// Where a region can be named besides the settings, by precedence. Source: "AWS Region" in the SDKs and Tools Reference.
const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Where a profile can be named. The AWS CLI reads both.
const PROFILE: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

/// Reads the environment and the config files.
///
/// # Errors
/// `Usage` when a file cannot be read, the profile does not exist, or what is named as a region is none.
pub(super) async fn read(options: &SessionOptions) -> Result<Profile> {
    let env = Env::real();
    let files = aws_config::profile::load(&Fs::real(), &env, &EnvConfigFiles::default(), None).await;
    let files = files.map_err(|error| {
        Error::new(Kind::Usage, "the AWS config files cannot be read")
            .caused_by(error)
            .hint("mend the file: `aws configure list` reads it too")
    })?;
    choose(options, &|name| env.get(name).ok(), &files)
}

fn choose(options: &SessionOptions, env: &dyn Fn(&str) -> Option<String>, files: &ProfileSet) -> Result<Profile> {
    // A variable that is set to nothing is how people take one away.
    let is_set = |value: &String| !value.trim().is_empty();
    let set = |name: &&str| env(name).filter(is_set).map(|value| (value, (*name).to_string()));
    let own = |value: &Option<String>, what: &str| value.clone().map(|value| (value, what.to_string()));
    let named = own(&options.profile, "`profile` of the target").or_else(|| PROFILE.iter().find_map(set));
    let name = named.as_ref().map_or("default", |(name, _)| name);
    let found = files.get_profile(name);
    if let Some((name, from)) = &named
        && found.is_none()
    {
        return Err(missing(name, from, files));
    }
    let of_profile = |key| found.and_then(|profile| profile.get(key)).map(String::from).filter(is_set);
    let region = own(&options.region, "`region` of the target")
        .or_else(|| REGION.iter().find_map(set))
        .or_else(|| own(&of_profile("region"), &format!("`region` of the AWS profile `{name}`")));
    if let Some((region, from)) = region.as_ref().filter(|(region, _)| !is_region(region)) {
        let what = format!("{from} says `{region}`, which is no AWS region");
        return Err(Error::new(Kind::Usage, what).hint("a region is written as `eu-west-1`"));
    }
    Ok(Profile {
        name: found.map(|_| name.into()),
        region: region.map(|(region, _)| region),
        ca_bundle: of_profile("ca_bundle"),
        sign_in: sign_in(name, files),
    })
}

fn missing(name: &str, from: &str, files: &ProfileSet) -> Error {
    let mut known: Vec<&str> = files.profiles().collect();
    known.sort_unstable();
    let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let known = if known.is_empty() { "there are none".into() } else { format!("there are {known}") };
    Error::new(Kind::Usage, format!("{from} names the AWS profile `{name}`, which does not exist"))
        .detail(format!("in the AWS config files: {known}"))
        .hint(format!("make it: `aws configure --profile {name}`; or name another one"))
}

/// Source: the pattern of regions in the SDK's `partitions.json`, wider: lowercase words and digits with hyphens.
fn is_region(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.contains('-') && text.split('-').all(part)
}

/// Returns what to type when the credentials of a profile are missing or have ended. One that takes them from another
/// profile is mended there.
fn sign_in(name: &str, files: &ProfileSet) -> String {
    let get = |profile: &str, key: &str| files.get_profile(profile).and_then(|profile| profile.get(key));
    let mut last = name;
    for _ in files.profiles() {
        if get(last, "mfa_serial").is_some() {
            return format!(
                "the AWS profile `{last}` asks for an MFA code, which soflow cannot: \
                 `eval \"$(aws configure export-credentials --profile {name} --format env)\"` does"
            );
        }
        match get(last, "source_profile") {
            Some(source) if source != last => last = source,
            _ => break,
        }
    }
    let has = |key: &str| get(last, key).is_some();
    let of = if last == "default" { String::new() } else { format!(" --profile {last}") };
    if has("sso_session") || has("sso_start_url") {
        format!("sign in: `aws sso login{of}`")
    } else if has("login_session") {
        format!("sign in: `aws login{of}`")
    } else if let Some(process) = get(last, "credential_process") {
        format!("the AWS profile `{last}` asks a program for them: see what `{process}` says")
    } else {
        format!("sign in: `aws sso login{of}`, `aws login{of}` or `aws configure{of}`; in CI give the job a role")
    }
}

#[cfg(test)]
mod tests {
    use aws_runtime::env_config::file::EnvConfigFileKind;

    use super::*;

    const FILE: &str = "
[default]
region = eu-west-1
[profile blank]
region =
[profile wrong]
region = Ireland
[profile sso]
sso_session = work
[profile login]
login_session = arn:aws:iam::123456789012:user/me
ca_bundle = /etc/our-ca.pem
[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = login
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/x
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = default
[profile round]
source_profile = about
[profile about]
source_profile = round
";

    async fn files() -> ProfileSet {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, FILE).build();
        aws_config::profile::load(&Fs::real(), &Env::from_slice(&[]), &files, None).await.unwrap()
    }

    async fn chosen(profile: Option<&str>, region: Option<&str>, env: &[(&str, &str)]) -> Result<Profile> {
        let own = |text: Option<&str>| text.map(String::from);
        let options = SessionOptions { region: own(region), profile: own(profile), quota: 1.0 };
        let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string());
        choose(&options, &env, &files().await)
    }

    #[tokio::test]
    async fn a_profile_that_does_not_exist_is_told_with_those_that_do() {
        for (profile, env) in
            [(None, ("AWS_PROFILE", "nope")), (None, ("AWS_DEFAULT_PROFILE", "nope")), (Some("nope"), ("X", ""))]
        {
            let error = chosen(profile, Some("eu-west-1"), &[env]).await.unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.ends_with("names the AWS profile `nope`, which does not exist"), "{}", error.message);
            assert!(error.detail.unwrap().contains("`default`, `login`"));
        }
        let blank = chosen(None, None, &[("AWS_PROFILE", " "), ("AWS_DEFAULT_PROFILE", "login")]).await.unwrap();
        assert_eq!((blank.name.as_deref(), blank.ca_bundle.as_deref()), (Some("login"), Some("/etc/our-ca.pem")));
    }

    #[tokio::test]
    async fn a_blank_region_is_none_and_a_wrong_one_is_told_with_its_place() {
        let region = async |profile, own, env: &[_]| chosen(profile, own, env).await.map(|chosen| chosen.region);
        let blank = region(None, None, &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "  ")]).await.unwrap();
        assert_eq!(blank.as_deref(), Some("eu-west-1"));
        assert_eq!(region(Some("blank"), None, &[]).await.unwrap(), None);
        let own = region(None, Some("eusc-de-east-1"), &[("AWS_REGION", "eu-west-1")]).await.unwrap();
        assert_eq!(own.as_deref(), Some("eusc-de-east-1"));
        for (profile, value, place) in
            [(None, " eu-west-1", "AWS_REGION says ` eu-west-1`"), (Some("wrong"), "", "`wrong` says `Ireland`")]
        {
            let error = region(profile, None, &[("AWS_REGION", value)]).await.unwrap_err();
            assert!(error.message.contains(place) && error.kind == Kind::Usage, "{}", error.message);
        }
    }

    #[tokio::test]
    async fn what_to_type_is_that_of_the_profile_the_keys_come_from() {
        for (profile, expected) in [
            ("sso", "`aws sso login --profile sso`"),
            ("login", "`aws login --profile login`"),
            ("role", "`aws login --profile login`"),
            ("mfa", "asks for an MFA code"),
            ("default", "`aws configure`"),
            ("round", "`aws configure --profile"),
        ] {
            let told = chosen(Some(profile), None, &[]).await.unwrap().sign_in;
            assert!(told.contains(expected), "{profile}: {told}");
        }
    }
}
