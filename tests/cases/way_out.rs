//! The way out: a proxy that looks into what passes, certificates of one's own, partitions, profiles. Nothing leaves here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::cases::project::empty;
use crate::daily::lab::{Lab, Ran};

const TARGETS: &str = "
targets:
  dev: { kind: emr, lake: \"s3://some-bucket/lake\" }
  ireland: { kind: emr, lake: \"s3://some-bucket/lake\", region: eu-west-1 }
  eusc: { kind: emr, lake: \"s3://some-bucket/lake\", region: eusc-de-east-1 }
  gov: { kind: emr, lake: \"s3://gov-lake/lake\", region: us-gov-west-1 }
  china: { kind: emr, lake: \"s3://some-bucket/lake\", region: cn-north-1 }
";

const PROFILES: &str = "
[default]
region = eu-west-1
[profile keys]
aws_access_key_id = AKID
aws_secret_access_key = secret
region = eu-west-1
[profile role]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = keys
region = eu-west-1
[profile sso]
sso_start_url = https://work.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = x
region = eu-west-1
[profile login]
login_session = arn:aws:iam::123456789012:user/me
region = eu-west-1
";

/// Keys in the environment.
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];

/// An authority of one's own, and a proxy that shows certificates of it for every host and answers in the host's place.
struct Network {
    lab: Lab,
    proxy: String,
    /// The hosts that connections were asked for; of requests that ask for none, their first lines.
    hosts: Arc<Mutex<Vec<String>>>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Network {
    fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With the usual name, that of the certificates it signs, OpenSSL takes those for self-signed.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let lab = empty();
        lab.write(
            "jobs/none.yaml",
            "steps:\n  s: { script: steps/free.py, writes: [t] }\ntables:\n  t: { key: [id] }\n",
        );
        lab.write("config/soflow.yaml", TARGETS);
        lab.write("ca.pem", authority.pem());
        lab.write("aws.conf", PROFILES);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let hosts = Arc::<Mutex<Vec<String>>>::default();
        let (heard, authority) = (hosts.clone(), Arc::new(authority));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (heard, authority) = (heard.clone(), authority.clone());
                std::thread::spawn(move || tunnel(connection, &heard, &authority));
            }
        });
        Self { lab, proxy, hosts }
    }

    /// Runs the binary with these variables, and returns the hosts it asked for as well.
    fn run(&mut self, arguments: &[&str], variables: &[(&str, &str)]) -> (Ran, Vec<String>) {
        let kept = self.lab.variables.clone();
        let file = |name: &str| self.lab.root().join(name).display().to_string();
        let (conf, ca, home) = (file("aws.conf"), file("ca.pem"), self.lab.home().display().to_string());
        let own = [("AWS_CONFIG_FILE", conf.as_str()), ("HOME", &home), ("AWS_EC2_METADATA_DISABLED", "true")];
        let proxy = self.proxy.clone();
        for (name, value) in own.into_iter().chain(variables.iter().copied()) {
            let value = value.replace("PROXY", &proxy).replace("CA", &ca);
            self.lab.variables.insert(name.into(), value);
        }
        self.hosts.lock().unwrap().clear();
        let ran = self.lab.run(arguments);
        self.lab.variables = kept;
        (ran, std::mem::take(&mut *self.hosts.lock().unwrap()))
    }
}

/// Serves a connection to the proxy: one request after CONNECT, answered as its host would answer without rights.
fn tunnel(mut connection: TcpStream, heard: &Mutex<Vec<String>>, authority: &Authority) -> Option<()> {
    let mut asked = String::new();
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    reader.read_line(&mut asked).ok()?;
    while !["\r\n", ""].contains(
        &{
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            line
        }
        .as_str(),
    ) {}
    let Some(host) = asked.strip_prefix("CONNECT ").and_then(|rest| rest.split(':').next()).map(String::from) else {
        heard.lock().unwrap().push(asked);
        return write_answer(&mut connection, &answer("s3", ""));
    };
    heard.lock().unwrap().push(host.clone());
    connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.clone()]).unwrap().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let mut tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), connection);
    let (mut request, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        let read = tls.read(&mut piece).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    if host == "pypi.org" {
        heard.lock().unwrap().push(String::from_utf8_lossy(&request).lines().next()?.to_string());
    }
    write_answer(&mut tls, &answer(&host, &String::from_utf8_lossy(&request)))?;
    tls.conn.send_close_notify();
    tls.flush().ok()
}

fn write_answer(to: &mut impl std::io::Write, (status, body): &(&str, String)) -> Option<()> {
    let head = format!("Content-Length: {}\r\nConnection: close\r\nContent-Type: text/plain", body.len());
    write!(to, "HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").ok()?;
    to.flush().ok()
}

fn answer(host: &str, request: &str) -> (&'static str, String) {
    let refused = "403 Forbidden";
    match host {
        _ if request.contains("Action=AssumeRole") => {
            let keys =
                "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>";
            let keys = format!("<Credentials>{keys}<Expiration>2127-01-01T00:00:00Z</Expiration></Credentials>");
            let user = "<AssumedRoleUser><AssumedRoleId>x</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/x/y</Arn></AssumedRoleUser>";
            let result = format!("<AssumeRoleResult>{keys}{user}</AssumeRoleResult>");
            ("200 OK", format!("<AssumeRoleResponse>{result}</AssumeRoleResponse>"))
        }
        "api.stackexchange.com" => {
            ("400 Bad Request", r#"{"error_id":400,"error_name":"bad_parameter","error_message":"reached"}"#.into())
        }
        "pypi.org" => ("404 Not Found", String::new()),
        _ if host.contains("s3") => {
            (refused, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>".into())
        }
        _ if host.starts_with("sts") => (
            refused,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".into(),
        ),
        _ => (refused, r#"{"__type":"AccessDeniedException","message":"no"}"#.into()),
    }
}

/// The proxy and the authority, in the environment.
const WAY: [(&str, &str); 2] = [("HTTPS_PROXY", "PROXY"), ("AWS_CA_BUNDLE", "CA")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    WAY.iter().chain(more).copied().collect()
}

#[test]
fn every_client_goes_through_the_proxy_and_trusts_the_authority() {
    let mut network = Network::start();
    let s3 = "some-bucket.s3.eu-west-1.amazonaws.com";
    let (ran, hosts) = network.run(&["tables", "--target", "ireland"], &with(&KEYS));
    ran.expect(3).says("S3 does not allow `GetObject`");
    assert_eq!(hosts, [s3]);
    let (ran, hosts) = network.run(&["cluster", "list", "--target", "ireland"], &with(&KEYS));
    ran.expect(3).says("EMR does not allow");
    assert_eq!(hosts.first().map(String::as_str), Some("elasticmapreduce.eu-west-1.amazonaws.com"));
    // Those that fetch credentials.
    let (ran, hosts) = network.run(&["tables", "--target", "dev"], &with(&[("AWS_PROFILE", "role")]));
    ran.expect(3).says("S3 does not allow `GetObject`");
    assert_eq!(hosts, ["sts.eu-west-1.amazonaws.com", s3]);
    // The cached token of a single sign-on: its file is named by the SHA-1 of the start address.
    let token = r#"{"accessToken":"t","expiresAt":"2127-01-01T00:00:00Z","region":"eu-central-1","startUrl":"https://work.awsapps.com/start"}"#;
    let cache = network.lab.home().join(".aws/sso/cache");
    fs_err::create_dir_all(&cache).unwrap();
    fs_err::write(cache.join("19aabcacc95f752e6b4e0978c9b2a1691b58f5e0.json"), token).unwrap();
    let (ran, hosts) = network.run(&["tables", "--target", "dev"], &with(&[("AWS_PROFILE", "sso")]));
    assert_eq!(hosts.first().map(String::as_str), Some("portal.sso.eu-central-1.amazonaws.com"), "{}", ran.said());
    // What `aws login` left: its file is named by the SHA-256 of the session.
    let keys = r#"{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","accountId":"1","expiresAt":"2127-01-01T00:00:00Z"}"#;
    let token = format!(r#"{{"accessToken":{keys},"refreshToken":"r","clientId":"c","dpopKey":"d"}}"#);
    let cache = network.lab.home().join(".aws/login/cache");
    fs_err::create_dir_all(&cache).unwrap();
    fs_err::write(cache.join("286187707741fc2ccb93cf9e56dbd0ee0a16208feed5fbc8ae1baa86d44c283f.json"), token).unwrap();
    let (ran, _) = network.run(&["tables", "--target", "dev"], &with(&[("AWS_PROFILE", "login")]));
    ran.expect(3).says("S3 does not allow `GetObject`");
    // What is not AWS.
    let arguments = ["ingest", "api", "questions", "--date", "2026-11-20"];
    let (ran, hosts) = network.run(&arguments, &WAY);
    ran.says("reached");
    assert_eq!(hosts.first().map(String::as_str), Some("api.stackexchange.com"), "{}", ran.said());
}

#[test]
fn a_host_of_no_proxy_is_asked_directly() {
    let mut network = Network::start();
    // The address of the proxy itself: it sees who asks in a proxy's manner and who asks directly.
    let own = [("AWS_ENDPOINT_URL", "PROXY"), ("HTTP_PROXY", "PROXY")];
    let tables = ["tables", "--target", "ireland"];
    for (no_proxy, expected) in [("", "GET http://127.0.0.1"), ("localhost,127.0.0.1", "GET /some-bucket/")] {
        let (ran, asked) = network.run(&tables, &[&KEYS[..], &own, &[("NO_PROXY", no_proxy)]].concat());
        ran.expect(3).says("S3 does not allow `GetObject`");
        assert!(asked.len() == 1 && asked[0].starts_with(expected), "{no_proxy}: {asked:?}");
    }
}

#[test]
fn the_authority_of_the_profile_is_trusted_and_one_that_is_not_named_is_asked_for() {
    let mut network = Network::start();
    let ca = network.lab.root().join("ca.pem");
    network.lab.write("aws.conf", format!("{PROFILES}\n[profile ours]\nca_bundle = {}\n", ca.display()));
    let proxy = ("HTTPS_PROXY", "PROXY");
    let tables = ["tables", "--target", "ireland"];
    let (ran, _) = network.run(&tables, &[&KEYS[..], &[proxy, ("AWS_PROFILE", "ours")]].concat());
    ran.expect(3).says("S3 does not allow `GetObject`");
    let (ran, hosts) = network.run(&tables, &[&KEYS[..], &[proxy]].concat());
    ran.expect(3).says("what answers is not S3: its certificate is not trusted").says("export AWS_CA_BUNDLE=");
    assert_eq!(hosts.len(), 1, "trying again is of no use");
    let clusters = ["cluster", "list", "--target", "ireland"];
    let (ran, _) = network.run(&clusters, &[&KEYS[..], &[proxy]].concat());
    ran.expect(3).says("what answers is not EMR: its certificate is not trusted").says("export AWS_CA_BUNDLE=");
    let (ran, _) = network.run(&tables, &[&KEYS[..], &[proxy, ("AWS_CA_BUNDLE", "/nowhere.pem")]].concat());
    ran.expect(2).says("AWS_CA_BUNDLE").says("/nowhere.pem");
}

#[test]
fn services_are_asked_where_their_partition_has_them() {
    let mut network = Network::start();
    let (fips, dual) = (("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true"));
    for (target, more, expected) in [
        ("eusc", vec![], "elasticmapreduce.eusc-de-east-1.amazonaws.eu"),
        ("eusc", vec![fips], "elasticmapreduce-fips.eusc-de-east-1.amazonaws.eu"),
        ("ireland", vec![fips, dual], "elasticmapreduce-fips.eu-west-1.api.aws"),
        ("china", vec![dual], "elasticmapreduce.cn-north-1.api.amazonwebservices.com.cn"),
    ] {
        let more: Vec<_> = KEYS.into_iter().chain(more).collect();
        let (ran, hosts) = network.run(&["cluster", "list", "--target", target], &with(&more));
        assert!(hosts.iter().any(|host| host == expected), "{target} {more:?}: {hosts:?}\n{}", ran.said());
    }
    let (ran, _) = network.run(&["tables", "--target", "gov"], &with(&KEYS));
    ran.expect(3).says("arn:aws-us-gov:s3:::gov-lake/");
}

#[test]
fn profiles_and_regions_that_are_none_are_told_for_what_they_are() {
    let mut network = Network::start();
    let doctor = ["doctor", "--target", "dev"];
    let (ran, _) = network.run(&doctor, &[("AWS_PROFILE", "nope")]);
    ran.expect(3).says("AWS_PROFILE names the AWS profile `nope`, which does not exist");
    let (ran, _) = network.run(&["tables", "--target", "dev"], &[("AWS_PROFILE", "nope")]);
    ran.expect(2).says("`default`, `keys`, `login`, `role`, `sso`");
    let typo = "there is no job `typo`";
    for (asked, said) in [
        (&["plan", "typo"][..], typo),
        (&["submit", "typo"], typo),
        (&["submit", "none", "--only", "typo"], "job `none` has no step `typo`"),
        (&["backfill", "typo", "--from", "2026-11-01"], typo),
    ] {
        let (ran, _) = network.run(&[asked, &["--target", "dev"]].concat(), &[("AWS_PROFILE", "nope")]);
        ran.expect(2).says(said);
    }
    let (ran, _) = network.run(&doctor, &[("AWS_PROFILE", "login")]);
    ran.expect(3).says("aws login --profile login");
    assert!(!ran.stdout.contains("cargo"), "{}", ran.said());
    let (ran, hosts) = network.run(&["tables", "--target", "dev"], &with(&[KEYS[0], KEYS[1], ("AWS_REGION", "")]));
    ran.says("S3 does not allow `GetObject`");
    assert_eq!(hosts, ["some-bucket.s3.eu-west-1.amazonaws.com"]);
    let (ran, _) = network.run(&doctor, &[("AWS_REGION", " eu-west-1")]);
    ran.expect(3).says("AWS_REGION says ` eu-west-1`, which is no AWS region");
}

#[test]
fn packages_come_through_the_proxy_and_from_an_index_of_the_authority() {
    let mut network = Network::start();
    let engines = network.lab.root().join("engines").display().to_string();
    for (name, value) in
        [("SOFLOW_ENGINE_DIR", engines.as_str()), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_RETRIES", "0")]
    {
        network.lab.variables.insert(name.into(), value.into());
    }
    let way = [("HTTPS_PROXY", "PROXY"), ("PIP_INDEX_URL", "")];
    let install = ["engine", "install"];
    for with_uv in [false, true] {
        if with_uv {
            network.lab.with_uv()
        } else {
            network.lab.without_uv()
        }
        let requested = |line: &String| line.starts_with("GET /simple/") && line.contains("/uv/") != with_uv;
        for name in ["AWS_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE"] {
            let (ran, asked) = network.run(&install, &[&way[..], &[(name, "CA")]].concat());
            ran.expect(3).says("PIP_INDEX_URL");
            assert!(asked.iter().any(requested), "{name}: {asked:?}\n{}", ran.said());
        }
        let (ran, asked) = network.run(&install, &way);
        ran.expect(3).says("export AWS_CA_BUNDLE=");
        assert!(!asked.iter().any(requested), "{asked:?}");
    }
}
