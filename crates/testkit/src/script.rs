//! What the endpoint will answer: queues and functions, by operation and by image.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::{Answer, Request};

/// The answers of the endpoint. Of the rules that fit a request the most specific wins: image and function
/// (`always_image`, `pages_image`), image and queue (`on_image`), function (`always`, `pages`), queue (`on`).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Script {
    rules: Vec<Rule>,
}

/// The answers to one operation, or to one operation about one image.
#[derive(Debug, Clone)]
struct Rule {
    operation: String,
    image: Option<String>,
    answers: Answers,
}

#[derive(Clone)]
enum Answers {
    /// In order; the last one repeats for ever. `next` is the position of the one to give.
    Queue { answers: Vec<Answer>, next: usize },
    /// Computed from the request.
    Computed(Computed),
}

/// A function that answers.
pub(crate) type Computed = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// What a script has for a request: the answer, or the function to ask once no lock is held.
pub(crate) enum Chosen {
    Ready(Answer),
    Computed(Computed),
}

impl Script {
    /// A script that answers every operation with `UnknownOperationException`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to the queue of this operation; the last answer repeats for ever.
    pub fn on(self, operation: &str, answer: Answer) -> Self {
        self.queued(operation, None, answer)
    }

    /// Appends to the queue for requests of this operation about the image with this digest (or tag).
    pub fn on_image(self, operation: &str, digest: &str, answer: Answer) -> Self {
        self.queued(operation, Some(digest), answer)
    }

    /// Answers this operation with a function. It runs on a connection's thread and may ask the [`Ecr`](crate::Ecr).
    pub fn always(self, operation: &str, f: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        self.computed(operation, None, Arc::new(f))
    }

    /// Answers this operation about the image with this digest (or tag) with a function.
    pub fn always_image(
        self,
        operation: &str,
        digest: &str,
        f: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.computed(operation, Some(digest), Arc::new(f))
    }

    /// Answers this operation with these pages by `nextToken`: without one the first, with the one a page ends with
    /// the page behind it, with any other `InvalidParameterException`.
    pub fn pages(self, operation: &str, pages: Vec<Value>) -> Self {
        self.computed(operation, None, by_token(pages))
    }

    /// [`pages`](Script::pages) for requests about the image with this digest (or tag).
    pub fn pages_image(self, operation: &str, digest: &str, pages: Vec<Value>) -> Self {
        self.computed(operation, Some(digest), by_token(pages))
    }

    /// Chooses the answer and moves its queue on.
    pub(crate) fn choose(&mut self, request: &Request) -> Option<Chosen> {
        let fits = |rule: &&mut Rule| {
            rule.operation == request.operation && rule.image.as_ref().is_none_or(|image| request.is_about(image))
        };
        // `max_by_key` keeps the last of equals: a function given twice is replaced.
        let rule = self.rules.iter_mut().filter(fits).max_by_key(|rule| rule.weight())?;
        match &mut rule.answers {
            Answers::Computed(f) => Some(Chosen::Computed(Arc::clone(f))),
            Answers::Queue { answers, next } => {
                let answer = answers.get(*next).or_else(|| answers.last()).cloned()?;
                *next += 1;
                Some(Chosen::Ready(answer))
            }
        }
    }

    fn queued(mut self, operation: &str, image: Option<&str>, answer: Answer) -> Self {
        let queue = self.rules.iter_mut().find_map(|rule| match &mut rule.answers {
            Answers::Queue { answers, .. } if rule.operation == operation && rule.image.as_deref() == image => {
                Some(answers)
            }
            _ => None,
        });
        match queue {
            Some(answers) => answers.push(answer),
            None => self.push(operation, image, Answers::Queue { answers: vec![answer], next: 0 }),
        }
        self
    }

    fn computed(mut self, operation: &str, image: Option<&str>, f: Computed) -> Self {
        self.push(operation, image, Answers::Computed(f));
        self
    }

    fn push(&mut self, operation: &str, image: Option<&str>, answers: Answers) {
        self.rules.push(Rule { operation: operation.to_owned(), image: image.map(str::to_owned), answers });
    }
}

impl Rule {
    fn weight(&self) -> (bool, bool) {
        (self.image.is_some(), matches!(self.answers, Answers::Computed(_)))
    }
}

/// Pages found by the token of the page before.
fn by_token(pages: Vec<Value>) -> Computed {
    Arc::new(move |request| {
        let page = match request.next_token() {
            None => pages.first(),
            Some(token) => {
                pages.iter().position(|page| page["nextToken"] == token).and_then(|before| pages.get(before + 1))
            }
        };
        page.map_or_else(
            || Answer::error("InvalidParameterException", "Invalid parameter at 'nextToken'"),
            |page| Answer::json(page.clone()),
        )
    })
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue { answers, next } => write!(f, "{} answers, next {next}", answers.len()),
            Self::Computed(_) => f.write_str("computed"),
        }
    }
}
