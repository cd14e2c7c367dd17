//! A moto server: its environment is made once, it runs once a process, and it ends with the process.

use std::path::PathBuf;
use std::process::Child;
use std::sync::OnceLock;

use super::tools;

/// The region of everything in the twin.
pub const REGION: &str = "us-east-1";
/// The account of everything in moto, and so in the twin.
pub const ACCOUNT: &str = "123456789012";

const LOCK: &str = include_str!("moto.lock");
const SERVER: &str = include_str!("moto_server.py");

/// A running moto. Ends when dropped, or when this process ends: the server watches its standard input.
#[derive(Debug)]
pub struct Moto {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    process: Child,
}

impl Moto {
    /// Returns the moto of this process, and starts it when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Returns the interpreter of its environment.
    pub fn python() -> PathBuf {
        tools::python("moto", LOCK).get_program().into()
    }

    /// Starts a moto on a free port.
    ///
    /// # Panics
    /// When it cannot be installed (the first time downloads its packages), or does not start.
    pub fn start() -> Self {
        let (port, process, _) = tools::serve("moto", LOCK, SERVER, &[]);
        Self { port, process }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The access key of a person.
pub const PERSON: &str = "AKIAIOSFODNN7EXAMPLE";

/// Returns the variables that point an AWS client of a person at `url`.
pub fn environment(url: &str) -> Vec<(&'static str, String)> {
    environment_of(PERSON, url)
}

/// Returns the variables that point an AWS client with this access key at `url`.
pub fn environment_of(key: &str, url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", url.to_string()),
        ("AWS_REGION", REGION.to_string()),
        ("AWS_ACCESS_KEY_ID", key.to_string()),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_string()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_string()),
    ]
}
