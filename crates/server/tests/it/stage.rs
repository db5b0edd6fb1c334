//! A gate that is served, and what asks it.

use std::net::SocketAddr;
use std::time::Duration;

use engine::{Gate, GateSettings, IdentitySettings, Store, StoreOptions, Teams};
use server::admission::{Admission, AdmissionPort, AdmissionSettings};
use server::{App, Ended, Limits, Listening, Role, RunSettings, Settings, Token, run_until};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) const READER: &str = "a-token-of-somebody-who-reads-things";
pub(crate) const PIPELINE: &str = "a-token-of-a-pipeline-that-writes";
pub(crate) const ADMIN: &str = "a-token-of-somebody-who-runs-it-all";

/// A served gate. It ends with the test.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) admission: Option<SocketAddr>,
    _folder: TempDir,
    pub(crate) signals: mpsc::Sender<()>,
    pub(crate) ended: JoinHandle<std::io::Result<Ended>>,
}

/// How a gate is served.
pub(crate) struct How {
    pub(crate) anonymous_reads: bool,
    pub(crate) limits: Limits,
    pub(crate) run: RunSettings,
    pub(crate) insecure: Vec<String>,
    pub(crate) identities: IdentitySettings,
    pub(crate) tokens: Vec<Token>,
    pub(crate) two_people: bool,
    pub(crate) knows_people: bool,
    pub(crate) teams: Teams,
    pub(crate) admission: Option<AdmissionSettings>,
}

impl Default for How {
    fn default() -> Self {
        Self {
            anonymous_reads: true,
            limits: Limits::default(),
            run: RunSettings::default(),
            insecure: Vec::new(),
            identities: IdentitySettings::default(),
            tokens: Vec::new(),
            two_people: false,
            knows_people: false,
            teams: Teams::default(),
            admission: None,
        }
    }
}

pub(crate) async fn served(how: How) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("gate.db").display());
    let store = Store::open(StoreOptions { url, migrate: true, readers: 2 }).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test at the edge")]
    let mut settings =
        GateSettings::new(folder.path().join("audit.key"), "test.example".to_owned(), model::Timestamp::now);
    settings.shortest_look = Duration::from_secs(1);
    settings.registries.insecure = how.insecure;
    settings.identities = how.identities;
    settings.two_people = how.two_people;
    settings.knows_people = how.knows_people;
    settings.teams = how.teams;
    let (metrics, now) = (settings.metrics.clone(), settings.now);
    let gate = Gate::start(settings, store).await.unwrap();
    let mut tokens = vec![
        Token::of("reader", READER, Role::Read),
        Token::of("pipeline", PIPELINE, Role::Write),
        Token::of("admin", ADMIN, Role::Admin),
    ];
    tokens.extend(how.tokens);
    let app =
        App::new(gate, Settings { tokens, anonymous_reads: how.anonymous_reads, limits: how.limits, metrics, now });
    let listening = Listening::at("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listening.address;
    let (signals, receive) = mpsc::channel(2);
    let mut run = how.run;
    if let Some(settings) = how.admission {
        let listening = Listening::at("127.0.0.1:0".parse().unwrap()).unwrap();
        run.admission = Some(AdmissionPort { listening, certificate: None, admission: Admission::new(&app, settings) });
    }
    let admission = run.admission.as_ref().map(|port| port.listening.address);
    let ended = tokio::spawn(run_until(app, listening, run, receive));
    Served { address, admission, _folder: folder, signals, ended }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of the problem that it is.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        let json = self.json();
        assert_eq!(json["status"], self.status);
        json["code"].as_str().unwrap().to_owned()
    }
}

impl Served {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.timeout(Duration::from_secs(30)).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert!(headers.contains_key("x-request-id"), "every answer has an id");
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// A read by whoever has this token.
    pub(crate) async fn by(&self, token: &str, path: &str) -> Answer {
        self.send(reqwest::Client::new().get(self.url(path)).bearer_auth(token)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Client::new().get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let request = reqwest::Client::new().post(self.url(path)).header("content-type", "application/json");
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        self.send(request.body(body.to_owned())).await
    }
}
