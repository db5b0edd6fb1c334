//! The deny list (S30): what is denied everywhere at once, by whoever governs, without a new policy.

use std::sync::Arc;

use model::{Digest, Timestamp};
use policy::{Denial, Denials, DeniedThing, RepositoryPattern};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, DecisionQuery, ItemQuery, ItemRow, Scope, Store, StoreError};

use super::actor::{Actor, Right};
use super::asking::{Asked, Asker};
use super::memory::Known;
use super::{GateError, Inner, recording};

const KIND: &str = "denial";
const ACTIVE: &str = "active";
const LIFTED: &str = "lifted";
/// The most entries that are in force: every judgement goes through them.
const MOST: usize = 10_000;
/// How many rows are read at once.
const PAGE: u32 = 1000;
/// The longest reason, in bytes.
const REASON: usize = 1000;

/// What is to be denied.
#[derive(Debug, Clone)]
pub struct NewDenial {
    /// `digest`, `repository`, `signer`, `package` or `vulnerability`.
    pub kind: String,
    /// What it is, as it is written.
    pub what: String,
    /// For scanners and forensics to look at, for nobody to run.
    pub quarantine: bool,
    /// Why.
    pub reason: String,
}

/// An entry of the deny list.
#[derive(Debug, Clone)]
pub struct DenialEntry {
    /// Its id.
    pub id: String,
    /// 1 for a new one.
    pub revision: i64,
    /// `active` or `lifted`.
    pub state: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// The rest.
    pub body: DenialBody,
}

/// What is kept of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenialBody {
    /// `digest`, `repository`, `signer`, `package` or `vulnerability`.
    pub kind: String,
    /// What it is, as it is compared.
    pub what: String,
    /// The platforms of an index that was denied.
    pub also: Vec<Digest>,
    /// For scanners and forensics to look at.
    pub quarantine: bool,
    /// Why.
    pub reason: String,
    /// Who added it.
    pub by: String,
    /// Whoever added it governs everything: lifting it takes the same.
    #[serde(default = "yes")]
    pub everywhere: bool,
    /// When, by whom and why it was lifted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lifted: Option<Lifted>,
}

/// How an entry ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifted {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Inner {
    /// Adds an entry: in force on every replica within the lease.
    pub(super) async fn deny(self: &Arc<Self>, new: NewDenial, actor: &Actor) -> Result<DenialEntry, GateError> {
        let reason = sound_reason(&new.reason)?;
        // An image with its repository says where to look what platforms it has.
        let (what, image) = match new.what.trim().rsplit_once('@') {
            Some((_, digest)) if new.kind == "digest" => (digest, Some(new.what.trim())),
            _ => (new.what.trim(), None),
        };
        let thing = thing(&new.kind, what).map_err(as_usage)?;
        let everywhere = actor.may_everywhere(Right::Govern);
        match &thing {
            // Whoever governs some repositories may deny these.
            DeniedThing::Repository(pattern) if !pattern.as_str().contains(['*', '?', '[', '{']) => {
                actor.may_or_refused(Right::Govern, pattern.as_str(), None)?;
            }
            _ => actor.everywhere_or_refused(Right::Govern)?,
        }
        if let Some(one) = self.denied_already(&thing, new.quarantine, everywhere, actor).await? {
            // Again is as once; another reason is for whoever reads both.
            if one.body.reason == reason {
                return self.with_platforms(one, image, actor).await;
            }
            let what = format!("entry {} of the deny list denies it already: {}", one.id, one.body.reason);
            return Err(GateError::usage(what, "lift that entry first if this is the better reason"));
        }
        let force = self.follower.force();
        if force.standing.denials.len() >= MOST {
            return Err(GateError::invalid(format!("the deny list holds {MOST} entries; lift some first")));
        }
        let also = match &thing {
            DeniedThing::Digest(digest) => self.platforms_of(digest).await?,
            _ => Vec::new(),
        };
        let (kind, what) = (thing.kind().to_owned(), thing.text());
        let by = actor.identity.to_string();
        let body = DenialBody { kind, what, also, quarantine: new.quarantine, reason, by, everywhere, lifted: None };
        let now = (self.settings.now)();
        let id = uuid::Uuid::now_v7().to_string();
        let entry = DenialEntry { id, revision: 1, state: ACTIVE.to_owned(), added_at: now, body };
        let entry = self.settle_denial(entry, "denial.added", now).await?;
        self.with_platforms(entry, image, actor).await
    }

    /// The entry that denies this already and that the same people may lift: what a team denied is denied once more by whoever governs everything, and the
    /// other way round.
    async fn denied_already(
        &self,
        thing: &DeniedThing,
        quarantine: bool,
        everywhere: bool,
        actor: &Actor,
    ) -> Result<Option<DenialEntry>, GateError> {
        let same = |one: &&Denial| {
            one.what.kind() == thing.kind() && one.what.text() == thing.text() && one.quarantine == quarantine
        };
        let force = self.follower.force();
        for one in force.standing.denials.iter().filter(same) {
            let entry = self.denial(&one.id, actor).await?;
            if entry.state == ACTIVE && entry.body.everywhere == everywhere {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The entry, with the platforms of the image where it is said to be, if it denies an image of which none are known.
    async fn with_platforms(
        self: &Arc<Self>,
        entry: DenialEntry,
        image: Option<&str>,
        actor: &Actor,
    ) -> Result<DenialEntry, GateError> {
        match image {
            Some(image) if entry.body.also.is_empty() => {
                self.look_at_denied(image).await;
                self.denial(&entry.id, actor).await
            }
            _ => Ok(entry),
        }
    }

    /// Looks what platforms a denied index has: whoever collects it adds them.
    async fn look_at_denied(self: &Arc<Self>, image: &str) {
        let asked = Asked {
            image: image.to_owned(),
            name: None,
            environment: None,
            wait: std::time::Duration::ZERO,
            dry_run: false,
        };
        if let Err(error) = self.ask(asked, &Asker::gate()).await {
            tracing::warn!(image, %error, "what platforms a denied image has is not known");
        }
    }

    /// An index that is denied was collected: its platforms are denied with it, each by its own digest.
    pub(super) async fn deny_platforms(self: &Arc<Self>, known: &Known) -> Result<(), GateError> {
        let Some(platforms) = &known.facts.platforms else { return Ok(()) };
        let digest = &known.ask.digest;
        let children: Vec<Digest> = platforms.iter().map(|(_, child)| child.digest.clone()).collect();
        let force = self.follower.force();
        for id in force.standing.denials.without_platforms(digest, &children) {
            let Some(row) = self.store.item(KIND, id).await? else { continue };
            let mut entry = entry(row)?;
            if entry.state != ACTIVE {
                continue;
            }
            entry.revision += 1;
            entry.body.also.extend(children.iter().cloned());
            entry.body.also.sort();
            entry.body.also.dedup();
            match self.settle_denial(entry, "denial.extended", (self.settings.now)()).await {
                // Another replica did.
                Ok(_) | Err(GateError::Conflict { .. } | GateError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends an entry.
    pub(super) async fn lift(
        self: &Arc<Self>,
        id: &str,
        reason: &str,
        actor: &Actor,
    ) -> Result<DenialEntry, GateError> {
        let reason = sound_reason(reason)?;
        let mut entry = self.denial(id, actor).await?;
        let is_one = entry.body.kind == "repository" && !entry.body.what.contains(['*', '?', '[', '{']);
        if is_one && !entry.body.everywhere {
            actor.may_or_refused(Right::Govern, &entry.body.what, None)?;
        } else {
            actor.everywhere_or_refused(Right::Govern)?;
        }
        if entry.state != ACTIVE {
            return Err(GateError::Conflict { what: format!("the entry {id} of the deny list, which was lifted,") });
        }
        let now = (self.settings.now)();
        LIFTED.clone_into(&mut entry.state);
        entry.revision += 1;
        entry.body.lifted = Some(Lifted { at: now, by: actor.identity.to_string(), reason });
        self.settle_denial(entry, "denial.lifted", now).await
    }

    /// An entry.
    pub(super) async fn denial(&self, id: &str, actor: &Actor) -> Result<DenialEntry, GateError> {
        let none = || GateError::NotFound { what: format!("entry {id} of the deny list") };
        if !actor.may_somewhere(Right::Read) {
            return Err(none());
        }
        entry(self.store.item(KIND, id).await?.ok_or_else(none)?)
    }

    /// Entries, the newest first; everybody who reads anything sees why an image is denied.
    pub(super) async fn denials(
        &self,
        active: bool,
        before: Option<String>,
        limit: u32,
        actor: &Actor,
    ) -> Result<Vec<DenialEntry>, GateError> {
        if !actor.may_somewhere(Right::Read) {
            return Ok(Vec::new());
        }
        let state = active.then(|| ACTIVE.to_owned());
        let query = ItemQuery { kind: KIND, state, before, limit, ..ItemQuery::default() };
        self.store.items(&query).await?.into_iter().map(entry).collect()
    }

    async fn settle_denial(
        self: &Arc<Self>,
        entry: DenialEntry,
        what: &str,
        now: Timestamp,
    ) -> Result<DenialEntry, GateError> {
        let digest = match entry.body.kind.as_str() {
            "digest" => Some(entry.body.what.parse::<Digest>().map_err(|error| GateError::invalid(error.to_string()))?),
            _ => None,
        };
        let logged = json!({ "denial": entry.id, "denied": entry.body });
        let leaf = recording::leaf(uuid::Uuid::now_v7().to_string(), what, None, now, logged)?;
        let row = ItemRow {
            kind: KIND.to_owned(),
            id: entry.id.clone(),
            revision: entry.revision,
            state: entry.state.clone(),
            repository: (entry.body.kind == "repository").then(|| entry.body.what.clone()),
            digest,
            environment: None,
            created_at: entry.added_at,
            until: None,
            body: serde_json::to_vec(&entry.body).map_err(|error| GateError::invalid(error.to_string()))?,
        };
        let batch = Batch { items: vec![row], leaves: vec![leaf], changes: vec![Scope::Global], ..Batch::default() };
        self.store.write(batch).await?;
        // Acknowledged only when it is in force here; elsewhere it is within the lease.
        self.follower.catch_up().await?;
        Ok(entry)
    }

    /// The platforms of an index that was looked at before: each can be pulled by its own digest. What an index holds never changes, so that one look
    /// says it, whichever of them a policy judges.
    async fn platforms_of(&self, digest: &Digest) -> Result<Vec<Digest>, GateError> {
        let query = DecisionQuery { digest: Some(digest.clone()), limit: 50, ..DecisionQuery::default() };
        let decisions = self.store.decisions(&query).await?;
        let mut also: Vec<Digest> = decisions.iter().flat_map(|decision| decision.children.clone()).collect();
        for facts in decisions.iter().filter_map(|decision| decision.facts.as_ref()) {
            let Some(row) = self.store.evidence(facts).await? else { continue };
            let Ok(recorded) = recording::read_facts(&row) else { continue };
            if let Some(platforms) = &recorded.facts.platforms {
                also.extend(platforms.iter().map(|(_, child)| child.digest.clone()));
                break;
            }
        }
        also.sort();
        also.dedup();
        Ok(also)
    }
}

fn yes() -> bool {
    true
}

/// Every entry that is in force. Beyond the bound there is an error and never a shorter list.
pub(super) async fn load(store: &Store) -> Result<Denials, GateError> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let query =
            ItemQuery { kind: KIND, state: Some(ACTIVE.to_owned()), before, limit: PAGE, ..ItemQuery::default() };
        let rows = store.items(&query).await?;
        let count = rows.len();
        before = rows.last().map(|row| row.id.clone());
        for row in rows {
            let DenialEntry { id, body, .. } = entry(row)?;
            let what = kept(&body.kind, &body.what)?;
            entries.push(Denial { id, what, also: body.also, quarantine: body.quarantine, reason: body.reason });
        }
        if count < PAGE as usize {
            return Ok(Denials::of(entries));
        }
        // Several replicas may each have added the last one.
        if entries.len() > 2 * MOST {
            let why = format!("it holds more than {MOST} entries");
            return Err(StoreError::Unreadable { what: "deny list", why }.into());
        }
    }
}

fn entry(row: ItemRow) -> Result<DenialEntry, GateError> {
    let body = serde_json::from_slice(&row.body)
        .map_err(|error| StoreError::Unreadable { what: "entry of the deny list", why: error.to_string() })?;
    Ok(DenialEntry { id: row.id, revision: row.revision, state: row.state, added_at: row.created_at, body })
}

/// What an entry that was accepted is about. It stays in force also where it would be refused today.
fn kept(kind: &str, text: &str) -> Result<DeniedThing, GateError> {
    match kind {
        "signer" => Ok(DeniedThing::Signer(text.to_owned())),
        "vulnerability" => Ok(DeniedThing::Vulnerability(text.to_owned())),
        _ => thing(kind, text),
    }
}

fn thing(kind: &str, text: &str) -> Result<DeniedThing, GateError> {
    let long = text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control);
    if long {
        return Err(GateError::invalid("what is denied has 1 to 1024 characters, none of which controls a terminal"));
    }
    match kind {
        "digest" => {
            let digest = text.parse().map_err(|error| GateError::invalid(format!("{text:?} is no digest: {error}")))?;
            Ok(DeniedThing::Digest(digest))
        }
        "repository" => RepositoryPattern::parse(text).map(DeniedThing::Repository).map_err(GateError::invalid),
        "package" => DeniedThing::package(text).map_err(GateError::invalid),
        "signer" => DeniedThing::signer(text).map_err(GateError::invalid),
        "vulnerability" => DeniedThing::vulnerability(text).map_err(GateError::invalid),
        other => Err(GateError::invalid(format!(
            "{other:?} is nothing that can be denied: digest, repository, signer, package or vulnerability"
        ))),
    }
}

/// What is wrong with what somebody wrote, rather than with what is kept.
fn as_usage(error: GateError) -> GateError {
    match error {
        GateError::Invalid { what, hint } => GateError::Usage { what, hint },
        error => error,
    }
}

/// A reason that somebody gave.
pub(super) fn sound_reason(text: &str) -> Result<String, GateError> {
    let text = text.trim();
    if text.is_empty() || text.len() > REASON || text.chars().any(char::is_control) {
        let what = format!("a reason is needed: up to {REASON} bytes on one line, for whoever reads the audit log");
        return Err(GateError::usage(what, None));
    }
    Ok(text.to_owned())
}
