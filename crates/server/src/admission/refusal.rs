//! Why an image does not start, for programs and for the developer who reads it: image, rule, finding, fixed version, and how to ask for an exception.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use engine::words::{line, sentence};
use engine::{Answered, AskError, Record};
use model::{ReasonCode, UnknownClass};
use telemetry::RefusalClass;

use super::images::ImageUse;

/// Reasons and findings of one image that are told; the decision has all.
const REASONS: usize = 4;
const FINDINGS: usize = 5;
/// The longest text of one of them.
const SENTENCE: usize = 400;
/// The same of what to do, which may end in a command to be typed as it stands, with the whole name of an image.
const REMEDY: usize = 1000;

/// What kind of no it is.
///
/// | Class | `status.code` | `status.reason` | What it means |
/// |---|---|---|---|
/// | `policy` | 403 | `Forbidden` | policy denies the image |
/// | `request` | 400 | `BadRequest` | the object, or what is configured about it, is not understood |
/// | `registry` | 422 | `Invalid` | the registry has no such image, or does not give it |
/// | `pending` | 503 | `ServiceUnavailable` | not decided yet: a scan runs |
/// | `unavailable` | 503 | `ServiceUnavailable` | the registry cannot be reached |
/// | `deadline` | 504 | `Timeout` | no decision in the time that the API server waits |
/// | `store` | 503 | `ServiceUnavailable` | the store of decisions cannot be reached |
/// | `internal` | 500 | `InternalError` | a fault of the gate |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Policy says no.
    Policy,
    /// The object, or what is configured about it, is not understood.
    Request,
    /// The registry has no such image, or does not give it.
    Registry,
    /// Not decided yet.
    Pending,
    /// The registry cannot be reached.
    Unavailable,
    /// Time ran out.
    Deadline,
    /// The store cannot be reached.
    Store,
    /// A fault of the gate.
    Internal,
}

impl Class {
    /// `policy`, `request`, …
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The code of the status that the API server hands on, and its reason.
    pub fn status(self) -> (u16, &'static str) {
        let (_, code, reason, _) = self.row();
        (code, reason)
    }

    pub(super) fn counted(self) -> RefusalClass {
        self.row().3
    }

    fn row(self) -> (&'static str, u16, &'static str, RefusalClass) {
        match self {
            Self::Policy => ("policy", 403, "Forbidden", RefusalClass::Policy),
            Self::Request => ("request", 400, "BadRequest", RefusalClass::Request),
            Self::Registry => ("registry", 422, "Invalid", RefusalClass::Registry),
            Self::Pending => ("pending", 503, "ServiceUnavailable", RefusalClass::Pending),
            Self::Unavailable => ("unavailable", 503, "ServiceUnavailable", RefusalClass::Registry),
            Self::Deadline => ("deadline", 504, "Timeout", RefusalClass::Deadline),
            Self::Store => ("store", 503, "ServiceUnavailable", RefusalClass::Store),
            Self::Internal => ("internal", 500, "InternalError", RefusalClass::Internal),
        }
    }

    /// A reason by what it says about knowing.
    fn of(class: Option<UnknownClass>) -> Self {
        match class {
            Some(UnknownClass::ScanPending) => Self::Pending,
            Some(UnknownClass::NotFound | UnknownClass::AccessDenied) => Self::Registry,
            Some(UnknownClass::Throttled | UnknownClass::RegistryUnavailable) => Self::Unavailable,
            Some(UnknownClass::StoreUnavailable) => Self::Store,
            Some(UnknownClass::Deadline) => Self::Deadline,
            Some(UnknownClass::Internal) => Self::Internal,
            _ => Self::Policy,
        }
    }
}

/// One reason, for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// As docs/reference/reasons.md has it, or `request.…`.
    pub reason: String,
    /// What happened, to what.
    pub message: String,
}

/// That an image does not start, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of no.
    pub class: Class,
    /// Where the image stands in the object; empty: it is about all of it.
    pub field: String,
    /// For programs.
    pub causes: Vec<Cause>,
    /// For people: several lines.
    pub text: String,
    /// The decision, if there is one.
    pub decision: Option<String>,
    /// S40: what would tell is away, and it is one of the cluster's own parts: no answer, rather than a no.
    pub left_open: bool,
}

impl Refusal {
    /// About the whole object.
    pub fn of_object(class: Class, reason: &str, message: &str, remedy: &str) -> Self {
        let message = line(message, SENTENCE);
        let text = told(&format!("[{}] the object", class.as_str()), reason, &message, remedy);
        let causes = vec![Cause { reason: reason.to_owned(), message }];
        Self { class, field: String::new(), causes, text, decision: None, left_open: false }
    }

    /// About one image that nothing is decided about.
    pub(super) fn of_image(
        image: &ImageUse,
        environment: &str,
        class: Class,
        reason: &str,
        message: &str,
        remedy: &str,
    ) -> Self {
        let message = line(message, SENTENCE);
        let text = told(&head(class, image, environment), reason, &message, remedy);
        let causes = vec![Cause { reason: reason.to_owned(), message }];
        Self { class, field: image.field(), causes, text, decision: None, left_open: false }
    }

    /// S38: what runs is a digest.
    pub(super) fn by_tag(image: &ImageUse, environment: &str, is_fixed: bool) -> Self {
        let code = ReasonCode::ReferenceDigest;
        let message = format!(
            "{} names no digest, and what a tag stands for can change: digests alone run here",
            line(&image.image, 300)
        );
        let remedy = if is_fixed {
            "Look at the warnings: they say why no digest could be put in its place. Or write it: `REPOSITORY:TAG@sha256:…`."
        } else {
            code.remedy()
        };
        Self::of_image(image, environment, Class::Policy, code.as_str(), &message, remedy)
    }

    /// The time is up.
    pub(super) fn late(image: &ImageUse, environment: &str) -> Self {
        let message = "there was no decision in the time that the API server waits";
        let remedy = "Apply it again: what was being looked for is looked for until it is found. If that stays, look at the registry, and at `timeoutSeconds` of the webhook.";
        Self::of_image(image, environment, Class::Deadline, "deadline", message, remedy)
    }

    /// There is no decision.
    pub(super) fn of_error(image: &ImageUse, environment: &str, error: &AskError) -> Self {
        let no = |class, reason: &str, message: &str, remedy: &str| {
            Self::of_image(image, environment, class, reason, message, remedy)
        };
        match error {
            AskError::Usage { what, hint } => no(
                Class::Request,
                "request.invalid",
                what,
                hint.as_deref().unwrap_or("Correct the image, or the configuration of admission."),
            ),
            AskError::NotSetUp { what, hint } => no(Class::Registry, "registry.notSetUp", what, hint),
            AskError::Forbidden(what) => no(Class::Policy, "auth.forbidden", what, "Ask those who run the gate."),
            AskError::Refused(reason) => {
                let class = match Class::of(reason.code.class()) {
                    // There is no decision, so it is none by policy.
                    Class::Policy => Class::Registry,
                    class => class,
                };
                no(class, reason.code.as_str(), &reason.message, &reason.remedy)
            }
            AskError::StoreUnavailable(what) => no(
                Class::Store,
                "store.unavailable",
                what,
                "Apply it again; if that stays, tell those who run the gate.",
            ),
            AskError::Overloaded(what) => {
                no(Class::Unavailable, "limit.overloaded", what, "Apply it again in a moment.")
            }
            // What our own faults are is for the log alone.
            AskError::Internal(_) => no(
                Class::Internal,
                "internal",
                "a fault of the gate",
                "Tell those who run the gate the time and the image.",
            ),
        }
    }

    /// It is decided, and the answer is no or not yet.
    pub(super) fn decided(image: &ImageUse, answered: &Answered, refusal: engine::Refusal, denials: &Denials) -> Self {
        let decision = &answered.decision;
        let id = recorded(answered);
        let denial = denials.of(id.as_deref(), || Denial::read(answered, refusal));
        Self::told(image, &decision.environment, id, &denial)
    }

    /// The same from what the decision says.
    pub(super) fn judged(image: &ImageUse, record: Record, class: Class, decision: Option<String>) -> Self {
        let environment = record.environment.name.clone();
        Self::told(image, &environment, decision, &Denial::of(record, class))
    }

    fn told(image: &ImageUse, environment: &str, decision: Option<String>, denial: &Denial) -> Self {
        let Denial { class, told, causes } = denial;
        let mut text = format!("{}{told}", head(*class, image, environment));
        if let Some(id) = &decision {
            let _ = write!(text, "\n  decision {id}");
        }
        Self { class: *class, field: image.field(), causes: causes.clone(), text, decision, left_open: false }
    }
}

/// What a decision says against an image, wherever that stands.
#[derive(Debug)]
struct Denial {
    class: Class,
    told: String,
    causes: Vec<Cause>,
}

impl Denial {
    fn read(answered: &Answered, refusal: engine::Refusal) -> Self {
        let decision = &answered.decision;
        let class = match refusal {
            engine::Refusal::Denied => Class::Policy,
            engine::Refusal::Pending => Class::Pending,
        };
        match serde_json::from_slice::<Record>(&decision.record) {
            Ok(record) => Self::of(record, class),
            Err(error) => {
                tracing::error!(%error, decision = decision.id, "a decision cannot be read back");
                let told = "\n  its reasons cannot be shown here".to_owned();
                let causes = vec![Cause { reason: class.as_str().to_owned(), message: refusal.as_str().to_owned() }];
                Self { class, told, causes }
            }
        }
    }

    fn of(mut record: Record, class: Class) -> Self {
        let class = of_record(&record, class);
        engine::offer_exceptions(&mut record);
        let (mut told, mut causes) = (String::new(), Vec::new());
        tell(&record, &mut told, &mut causes);
        Self { class, told, causes }
    }
}

/// What was told of decisions a short while ago, by their ids: controllers try again and again what is denied, and a record is read once.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<HashMap<String, Arc<Denial>>>);

impl Denials {
    /// How many are kept.
    const MOST: usize = 500;

    fn of(&self, id: Option<&str>, read: impl FnOnce() -> Denial) -> Arc<Denial> {
        let Some(id) = id else { return Arc::new(read()) };
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(denial) = known().get(id) {
            return Arc::clone(denial);
        }
        let denial = Arc::new(read());
        let mut known = known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(id.to_owned(), Arc::clone(&denial));
        denial
    }
}

/// The id of a decision that is on record; a dry run leaves none.
pub(super) fn recorded(answered: &Answered) -> Option<String> {
    (!answered.id.is_empty()).then(|| answered.decision.id.clone())
}

/// Where nothing is broken and all that stands against the image is that something is not known (B9), it is that.
fn of_record(record: &Record, class: Class) -> Class {
    let unknown = record.reasons.iter().all(|reason| reason.class.is_some());
    match record.reasons.first() {
        Some(first) if unknown && class == Class::Policy => Class::of(first.class),
        _ => class,
    }
}

/// `[policy] web: registry.example/team/app@sha256:… in production`
fn head(class: Class, image: &ImageUse, environment: &str) -> String {
    let (container, image) = (&image.container, line(&image.image, 300));
    format!("[{}] {container}: {image} in {}", class.as_str(), line(environment, 100))
}

fn told(head: &str, reason: &str, message: &str, remedy: &str) -> String {
    format!("{head}\n  {reason}: {message}\n  -> {}", line(remedy, SENTENCE))
}

/// Reasons, findings and remedies of a decision.
fn tell(record: &Record, text: &mut String, causes: &mut Vec<Cause>) {
    for reason in record.reasons.iter().take(REASONS) {
        let message = line(&reason.reason.message, SENTENCE);
        let code = reason.reason.code.as_str();
        let rules = reason.rules.iter().filter(|name| !name.starts_with("built-in/")).take(3);
        let rules: Vec<String> = rules.map(|name| line(name, 80)).collect();
        let by = if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(", ")) };
        let _ = write!(text, "\n  {code}: {message}{by}");
        let blocking = || {
            record.findings.blocking.iter().filter(
                |judged| matches!(judged.disposition, model::Disposition::Blocks(by) if by == reason.reason.code),
            )
        };
        let mut findings: Vec<&model::Judged> = blocking().collect();
        findings.sort_by(|a, b| a.finding.severity.cmp(&b.finding.severity));
        for judged in findings.iter().take(FINDINGS) {
            let _ = write!(text, "\n    {}", sentence(&judged.finding, judged.platform.as_ref()));
        }
        if findings.len() > FINDINGS {
            let _ = write!(text, "\n    and {} more", findings.len() - FINDINGS);
        }
        let _ = write!(text, "\n  -> {}", line(&reason.reason.remedy, REMEDY));
        causes.push(Cause { reason: code.to_owned(), message });
    }
    if record.reasons.len() > REASONS {
        let _ = write!(text, "\n  and {} more reasons", record.reasons.len() - REASONS);
    }
}
