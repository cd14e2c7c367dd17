//! The way out of this machine: one description of proxies and certificates, which every client in the program is made
//! from. Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case, as `curl` reads them.

use std::path::Path;
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient};
use fs_err as fs;
use hyper_util::client::legacy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::{Error, Kind, Result};

/// How long a connection may take to be made, through a proxy and with TLS.
pub const CONNECT: Duration = Duration::from_secs(5);

/// The variable that names certificate authorities for the AWS CLI, and for all clients here.
const BUNDLE: &str = "AWS_CA_BUNDLE";

/// The line that ends each certificate of a PEM file.
const END: &str = "-----END CERTIFICATE-----";

/// What to type when a certificate is not trusted.
pub const NAME_AUTHORITY: &str =
    "a proxy that opens connections needs its certificate named: `export AWS_CA_BUNDLE=FILE`";

/// The way out of this machine.
#[derive(Clone, Debug, Default)]
pub struct WayOut {
    /// Certificate authorities that are trusted besides the machine's own, as PEM, one an item.
    authorities: Vec<String>,
}

impl WayOut {
    /// Returns the way out that the environment describes; `configured` is the file of authorities that a profile names.
    ///
    /// # Errors
    /// `Usage` when a proxy is named that is none, or a file of authorities that has none.
    pub fn of_environment(configured: Option<&str>) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the way out is the process's own: the SDK and reqwest read the same variables"
        )]
        let variable = |name: &str| std::env::var(name).ok();
        check_proxies(&variable)?;
        let named = variable(BUNDLE).filter(|path| !path.trim().is_empty());
        match (named.as_deref(), configured) {
            (Some(path), _) => Self::trusting(path, BUNDLE),
            (None, Some(path)) => Self::trusting(path, "`ca_bundle` of the AWS profile"),
            (None, None) => Ok(Self::default()),
        }
    }

    /// Returns a way that also trusts the authorities in the file `path`, which `from` names.
    fn trusting(path: &str, from: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Error::new(Kind::Usage, format!("{from} names `{path}`, which {why}"))
                .hint("name a PEM file with the certificates of the authorities to trust")
        };
        let text = fs::read(Path::new(path)).map_err(|error| refuse("cannot be read").caused_by(error))?;
        let text = String::from_utf8_lossy(&text);
        // System bundles hold some that the TLS library has no use for.
        let usable = |pem: &&str| {
            let certificate = CertificateDer::pem_slice_iter(pem.as_bytes()).next().and_then(std::result::Result::ok);
            certificate.is_some_and(|certificate| rustls::RootCertStore::empty().add(certificate).is_ok())
        };
        let authorities: Vec<String> = text.split_inclusive(END).filter(usable).map(String::from).collect();
        if authorities.is_empty() { Err(refuse("holds no certificate")) } else { Ok(Self { authorities }) }
    }

    /// Returns the HTTP client of AWS's SDK.
    pub fn sdk_client(&self) -> SharedHttpClient {
        let way = self.clone();
        Builder::new().build_with_connector_fn(move |settings, _| way.connector(settings))
    }

    /// Returns what sends requests one by one, as the SDK's client does.
    pub fn connector(&self, settings: Option<&HttpConnectorSettings>) -> Connector {
        let mut trusted = TrustStore::default();
        for pem in &self.authorities {
            trusted.add_pem_certificate(pem.as_bytes());
        }
        let mut builder =
            Connector::builder().proxy_config(ProxyConfig::from_env()).tls_provider(Provider::Rustls(CryptoMode::Ring));
        // Building a context cannot fail as long as it only has a trust store.
        if let Ok(context) = TlsContext::builder().with_trust_store(trusted).build() {
            builder.set_tls_context(context);
        }
        builder.set_connector_settings(settings.cloned());
        builder.build()
    }

    /// Returns the beginning of a client for all that is not AWS. It reads the same variables for its proxies.
    pub fn client(&self) -> reqwest::ClientBuilder {
        // A second installation finds the first: both are of the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let own = self.authorities.iter().filter_map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).ok());
        // Whoever redirects is not who was asked, and must not get what was meant for that one.
        reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(own)
    }
}

/// Refuses proxies that no client here can use: they would be passed by, or nothing would be reached, without a word why.
fn check_proxies(variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let named = |names: [&'static str; 2]| {
        let (name, address) = names.into_iter().find_map(|name| Some((name, variable(name)?)))?;
        (!address.is_empty()).then_some((name, address))
    };
    let all = || named(["ALL_PROXY", "all_proxy"]);
    for names in [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"]] {
        let Some((name, address)) = named(names).or_else(all) else { continue };
        let uri = address.parse::<http::Uri>().ok().filter(|uri| uri.authority().is_some());
        let scheme = uri.as_ref().map(|uri| uri.scheme_str().unwrap_or("http"));
        let why = match scheme {
            Some("http" | "https") => continue,
            Some(scheme) => format!("names a proxy of kind `{scheme}`, which soflow cannot use"),
            None => "is not the address of a proxy".to_string(),
        };
        // The address itself may hold a password.
        return Err(Error::new(Kind::Usage, format!("the variable {name} {why}"))
            .hint("name an HTTP proxy: `export HTTPS_PROXY=http://proxy:8080`; or none: `unset` the variable"));
    }
    Ok(())
}

/// What became of a request that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No connection was made: the request was never sent.
    NotSent,
    /// The other side's certificate is not trusted: the request was never sent, nor will it be.
    Untrusted,
    /// It was sent, in part at least, and may have been done.
    MaybeDone,
}

/// Returns what became of a request from the error of whatever client sent it.
pub fn lost(error: &(dyn std::error::Error + 'static)) -> Lost {
    let untrusted = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(_));
    let never_connected = |error: &legacy::Error| error.is_connect();
    let never_built = |error: &reqwest::Error| error.is_connect() || error.is_builder();
    let mut lost = Lost::MaybeDone;
    for cause in causes(error) {
        if cause.downcast_ref().is_some_and(untrusted) {
            return Lost::Untrusted;
        }
        if cause.downcast_ref().is_some_and(never_connected) || cause.downcast_ref().is_some_and(never_built) {
            lost = Lost::NotSent;
        }
    }
    lost
}

/// Returns an error and its causes, outermost first; also those that an I/O error holds, which its `source` leaves out.
pub fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
        None => error.source(),
    })
}

/// Returns an error and its causes in one line: clients hide what went wrong in them.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(name: &str) -> String {
        let params = rcgen::CertificateParams::new([name.to_string()]).unwrap();
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn every_usable_authority_of_a_file_is_trusted_and_a_file_without_any_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let named = path.to_str().unwrap();
        let damaged = format!("-----BEGIN CERTIFICATE-----\nAAAA\n{END}\n");
        fs::write(&path, format!("# Ours\n{}{damaged}# Theirs\n{}", authority("a"), authority("b"))).unwrap();
        let way = WayOut::trusting(named, BUNDLE).unwrap();
        assert_eq!(way.authorities.len(), 2);
        way.client().build().unwrap();
        way.connector(None);
        for text in ["", "no certificate", damaged.as_str()] {
            fs::write(&path, text).unwrap();
            let error = WayOut::trusting(named, BUNDLE).unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.contains(named) && error.message.contains(BUNDLE), "{}", error.message);
        }
        assert_eq!(WayOut::trusting("/nowhere/ca.pem", BUNDLE).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn a_proxy_that_is_none_is_told_without_its_password() {
        let checked = |variables: &[(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            check_proxies(&find)
        };
        let usable =
            [("HTTPS_PROXY", "proxy:8080"), ("http_proxy", "https://me:pw@proxy"), ("ALL_PROXY", "socks5://x:1")];
        checked(&usable).unwrap();
        checked(&[("HTTPS_PROXY", ""), ("https_proxy", "socks5://not-looked-at")]).unwrap();
        for (name, address) in
            [("all_proxy", "socks5h://me:pw@x:1"), ("HTTPS_PROXY", "http://"), ("http_proxy", "me:pw pw")]
        {
            let error = checked(&[(name, address)]).unwrap_err();
            assert!(
                error.kind == Kind::Usage && error.message.contains(name) && !error.message.contains("pw"),
                "{error:?}"
            );
        }
    }

    /// Returns what becomes of a request to whoever `serve` makes of a listener.
    async fn asked(serve: impl AsyncFn(tokio::net::TcpListener)) -> Lost {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = WayOut::default().client().no_proxy().build().unwrap();
        let (asked, ()) = tokio::join!(client.post(&url).body("once").send(), serve(listener));
        lost(&asked.unwrap_err())
    }

    #[tokio::test]
    async fn a_request_is_not_sent_only_when_no_connection_was_made() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let refuse = async |listener| drop(listener);
        assert_eq!(asked(refuse).await, Lost::NotSent);
        let answer = async |listener: tokio::net::TcpListener, beginning: &str| {
            let (mut connection, _) = listener.accept().await.unwrap();
            while connection.read(&mut [0; 4096]).await.unwrap() == 4096 {}
            connection.write_all(beginning.as_bytes()).await.unwrap();
        };
        for beginning in ["", "HTTP/1.1 200 O"] {
            assert_eq!(asked(async |listener| answer(listener, beginning).await).await, Lost::MaybeDone, "{beginning}");
        }
    }
}
