//! The decision service as the commands see it: where it is and with which token it is asked. Sending and trying again is in
//! `exchange`, what an answer that is none means in `problem`. Nothing here decides: an answer that is not understood is an error.

mod exchange;
mod pages;
mod problem;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

pub(crate) use exchange::{Ask, Patience, Reply, Server};
pub(crate) use pages::Pages;
pub(crate) use problem::{Problem, Trouble};

use crate::env;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// The longest token that is read.
const TOKEN: usize = 16 << 10;
/// The largest file of certificates that is read.
const CERTIFICATES: usize = 4 << 20;
/// How long a command other than `check` tries.
const TRIES: Duration = Duration::from_mins(1);
/// How long a command that somebody typed tries a service that is not there.
const TYPED: Duration = Duration::from_secs(10);
/// How long one call may take where no flag says it.
const CALL: Duration = Duration::from_secs(30);

/// Which service, and how it is spoken to.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Decision service")]
pub(crate) struct ServerArgs {
    /// The decision service to ask, such as `https://gate.example.com` [env: ECR_GATE_SERVER]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// A file with the token to ask with; without it the variable ECR_GATE_TOKEN [env: ECR_GATE_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate authorities in PEM form for the service, besides those of the machine [env: ECR_GATE_SERVER_CA]
    #[arg(long, value_name = "FILE")]
    pub server_ca: Option<PathBuf>,
    /// Send the token over plain http to a service that is not on this machine: whoever is on the way can read and change everything
    #[arg(long)]
    pub insecure_http: bool,
}

impl ServerArgs {
    /// The address, as it was given.
    pub(crate) fn address(&self) -> Option<String> {
        let given = self.server.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        given.or_else(|| env::SERVER.get())
    }

    /// Files that are read: no output may be written over them.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let token = self.token_file.clone().or_else(|| env::TOKEN_FILE.get().map(PathBuf::from));
        let authorities = self.server_ca.clone().or_else(|| env::SERVER_CA.get().map(PathBuf::from));
        token.into_iter().chain(authorities).collect()
    }

    /// The service, for a command that needs one and is asked by a person.
    pub(crate) fn needed(&self, ui: Ui) -> Result<Server, Failure> {
        env::check()?;
        if self.address().is_none() {
            return Err(Failure::usage("which decision service? Neither --server nor ECR_GATE_SERVER is given")
                .hint("ecr-gate serve starts one on this machine; it says its address"));
        }
        // A pipeline waits for a service that is started anew; a person looks what is wrong.
        let away = if std::io::stderr().is_terminal() { TYPED } else { TRIES };
        Ok(self.connect(Patience { call: CALL, whole: TRIES, away })?.telling(ui))
    }

    /// Reads token and certificates. Nothing is asked yet.
    pub(crate) fn connect(&self, patience: Patience) -> Result<Server, Failure> {
        let text = self.address().unwrap_or_else(String::new);
        let base = base(&text)?;
        if base.scheme() == "http" && !is_loopback(&base) && !self.insecure_http {
            return Err(Failure::usage(format!(
                "{base} is plain http: the token and every answer could be read and changed on the way"
            ))
            .hint("give the https:// address; on a network that nobody else is on, --insecure-http"));
        }
        Server::new(base, self.token()?, self.authorities()?, patience)
    }

    fn token(&self) -> Result<Option<HeaderValue>, Failure> {
        let file = self.token_file.clone().or_else(|| env::TOKEN_FILE.get().map(PathBuf::from));
        let (whence, text) = match file {
            Some(path) => {
                let whence = format!("the token file {}", path.display());
                (whence, files::read_text("the token file", &path, TOKEN)?)
            }
            None => match env::TOKEN.get() {
                Some(text) => (env::TOKEN.name.to_owned(), text),
                None => return Ok(None),
            },
        };
        let token = text.trim();
        let is_token = !token.is_empty() && token.len() <= TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
        let header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_token);
        let Some(mut header) = header else {
            return Err(Failure::configuration(format!("{whence} holds no token: one word of printable ASCII")));
        };
        header.set_sensitive(true);
        Ok(Some(header))
    }

    fn authorities(&self) -> Result<Vec<reqwest::Certificate>, Failure> {
        let Some(path) = self.server_ca.clone().or_else(|| env::SERVER_CA.get().map(PathBuf::from)) else {
            return Ok(Vec::new());
        };
        let pem = files::read("the certificate file", &path, CERTIFICATES)?;
        let bundle = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_else(|_| Vec::new());
        if bundle.is_empty() {
            return Err(Failure::configuration(format!(
                "the certificate file {} holds no certificate in PEM form",
                path.display()
            )));
        }
        Ok(bundle)
    }
}

/// The address that paths are put behind: no user, no query, no `/` at its end.
fn base(text: &str) -> Result<Url, Failure> {
    // The address may hold a password: it is not repeated.
    let wrong = |why: &str| {
        Failure::usage(format!("--server: {why}"))
            .hint("give the address as https://HOST[:PORT], with a path if the service lies behind one")
    };
    let mut url: Url = text.parse().map_err(|_| wrong("that is no web address"))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(wrong("the address begins neither with https:// nor with http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "the address holds a user name or a password; a token goes into ECR_GATE_TOKEN or --token-file",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the address has a query or a fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// True for `localhost` and for loopback addresses.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.');
    name == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// What a program says whose answer makes no sense.
pub(crate) fn not_understood(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Unavailable, what).hint(
        "nothing was allowed; check that the address is that of ecr-gate, and that both sides are of versions that fit",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain() {
        for (text, is) in [
            ("https://gate.example.com", Some("https://gate.example.com/")),
            ("https://gate.example.com/", Some("https://gate.example.com/")),
            ("http://127.0.0.1:8080/gate/", Some("http://127.0.0.1:8080/gate")),
            ("gate.example.com", None),
            ("localhost:8080", None),
            ("ftp://gate.example.com", None),
            ("https://user:secret@gate.example.com", None),
            ("https://gate.example.com/?a=b", None),
            ("https://gate.example.com/#a", None),
            ("", None),
        ] {
            let url = base(text);
            assert_eq!(url.as_ref().ok().map(Url::as_str), is, "{text}");
            if let Err(failure) = url {
                assert!(failure.exit == Exit::Usage && !failure.what.contains("secret"), "{failure:?}");
            }
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        for (text, is) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&text.parse().unwrap()), is, "{text}");
        }
    }
}
