//! What is decided about images: each is asked about once, several at the same time, by the decision service or here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use engine::{AskError, Reach, Record};
use futures_util::stream::{self, StreamExt as _};
use model::{ImageReference, Reason};

use crate::commands::asking::AskArgs;
use crate::commands::check::asker;
use crate::commands::check::remote::{NoDecision, dry_decision};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::registry::RegistryArgs;
use crate::server::{Server, Trouble};
use crate::ui::Ui;

/// Images that are asked about at the same time.
const AT_ONCE: usize = 8;

/// What is known about an image.
pub(super) enum Answer {
    Decided { record: Box<Record>, overridden: bool },
    Undecided(AskError),
}

/// Who decides.
pub(super) struct Judge<'a> {
    way: Way<'a>,
    known: RefCell<BTreeMap<(String, String), Rc<Answer>>>,
}

enum Way<'a> {
    Here { policy: &'a [PathBuf], registry: &'a RegistryArgs, timeout: &'a str },
    Service(Server),
}

impl<'a> Judge<'a> {
    /// By the policies given here, as `check` does.
    pub(super) fn here(policy: &'a [PathBuf], registry: &'a RegistryArgs, timeout: &'a str) -> Self {
        Self { way: Way::Here { policy, registry, timeout }, known: RefCell::default() }
    }

    /// The decision service.
    pub(super) fn service(server: Server) -> Self {
        Self { way: Way::Service(server), known: RefCell::default() }
    }

    pub(super) fn answer(&self, image: &str, environment: &str) -> Option<Rc<Answer>> {
        self.known.borrow().get(&(image.to_owned(), environment.to_owned())).cloned()
    }

    /// Asks about those that nothing is known about yet.
    ///
    /// # Errors
    /// Nobody can be asked at all.
    pub(super) async fn learn(
        &self,
        images: &[String],
        environment: &str,
        reach: &Reach,
        ui: Ui,
    ) -> Result<(), Failure> {
        let mut new: Vec<&String> = images.iter().filter(|image| self.answer(image, environment).is_none()).collect();
        new.sort_unstable();
        new.dedup();
        let asking = new.into_iter().map(|image| async move {
            let answer = match self.out_of_reach(image, reach) {
                Some(error) => Answer::Undecided(error),
                None => self.ask(image, environment, ui).await?,
            };
            Ok::<_, Failure>((image.clone(), answer))
        });
        let mut answers = stream::iter(asking).buffered(AT_ONCE);
        while let Some(answered) = answers.next().await {
            let (image, answer) = answered?;
            self.known.borrow_mut().insert((image, environment.to_owned()), Rc::new(answer));
        }
        Ok(())
    }

    /// S37: a gate asks the registries of its list alone. The service says so itself.
    fn out_of_reach(&self, image: &str, reach: &Reach) -> Option<AskError> {
        let host = image.parse::<ImageReference>().ok().and_then(|image| image.host);
        let listed = host.as_deref().is_some_and(|host| reach.allows(host));
        (matches!(self.way, Way::Here { .. }) && !listed).then(|| {
            let host = host.as_deref().unwrap_or("the registry");
            // In the words of the webhook.
            AskError::NotSetUp {
                what: format!("the gate is not set up for the registry {host}"),
                hint: "whoever runs the gate lists it in `registries.allowed`".to_owned(),
            }
        })
    }

    async fn ask(&self, image: &str, environment: &str, ui: Ui) -> Result<Answer, Failure> {
        match &self.way {
            Way::Service(server) => match dry_decision(server, image, environment).await {
                Ok((record, overridden)) => Ok(Answer::Decided { record: Box::new(record), overridden }),
                Err(NoDecision::Wrong(failure)) => Ok(Answer::Undecided(usage(failure))),
                Err(NoDecision::Trouble(trouble)) => undecided(trouble, server).map(Answer::Undecided),
            },
            Way::Here { policy, registry, timeout } => {
                let ask = AskArgs::about(image, environment, policy, registry).within(timeout);
                // Several at the same time would write over each other's progress.
                let asking = match ask.read(Ui { quiet: true, ..ui }) {
                    Ok(asking) => asking.by_digest(),
                    Err(failure) if failure.exit == Exit::Usage => return Ok(Answer::Undecided(usage(failure))),
                    Err(failure) => return Err(failure),
                };
                let checked = Box::pin(asking.ask(true, false, Ui { quiet: true, ..ui })).await?;
                Ok(match checked {
                    Ok(checked) => {
                        let mut record = Record::of(&checked, asking.image.written(), asker());
                        record.dry_run = true;
                        Answer::Decided { record: Box::new(record), overridden: false }
                    }
                    Err(refused) => Answer::Undecided(AskError::Refused(refused.reason)),
                })
            }
        }
    }
}

fn usage(failure: Failure) -> AskError {
    AskError::Usage { what: failure.what, hint: failure.hints.into_iter().next() }
}

/// What the webhook would say of it; a service that is away, or does not let us ask, is the end.
fn undecided(trouble: Trouble, server: &Server) -> Result<AskError, Failure> {
    let Trouble::Problem(problem) = trouble else { return Err(trouble.failure(server)) };
    if let Some(code) = problem.reason() {
        let message = problem.what.clone().unwrap_or_else(|| code.meaning().to_owned());
        let reason = Reason::new(code, message);
        return Ok(AskError::Refused(match &problem.hint {
            Some(hint) => reason.remedy(hint.clone()),
            None => reason,
        }));
    }
    match (problem.status, &problem.what) {
        (_, Some(what)) if problem.code.as_deref() == Some("registry.notSetUp") => {
            let hint = problem.hint.clone().unwrap_or_else(|| "whoever runs the gate lists it".to_owned());
            Ok(AskError::NotSetUp { what: what.clone(), hint })
        }
        (400 | 422, Some(what)) => Ok(AskError::Usage { what: what.clone(), hint: problem.hint.clone() }),
        _ => Err(Trouble::Problem(problem).failure(server)),
    }
}

/// The exit code of `check` where there is no decision.
pub(super) fn exit_of(error: &AskError) -> Exit {
    match error {
        AskError::Refused(reason) => Exit::of_reason(reason.code),
        AskError::Usage { .. } | AskError::NotSetUp { .. } | AskError::Forbidden(_) => Exit::Configuration,
        AskError::StoreUnavailable(_) | AskError::Overloaded(_) | AskError::Internal(_) => Exit::Unavailable,
    }
}

/// The worse of two, as `check` ranks them: a denial outweighs everything.
pub(super) fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Allowed => 0,
        Exit::Undecided => 1,
        Exit::Unavailable => 2,
        Exit::NoResult => 3,
        Exit::Blocked => 5,
        _ => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}
