//! Answers of the service that are none: problem details (RFC 9457) with the reason's code, its class and what to do. What is not
//! in that form is a problem all the same; its words are not repeated.

use model::{ReasonCode, UnknownClass};
use serde::Deserialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing, or nothing whole, came back.
    Away {
        /// Why, in words.
        why: String,
        /// The request cannot have been read.
        is_sure: bool,
        /// Trying again will not help: the service's certificate is not believed.
        is_lasting: bool,
    },
    /// Something came back that is no answer of the service.
    NotUnderstood(String),
    /// The service says why.
    Problem(Problem),
}

/// What the service says went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What happened; `None` if that is not said in a form we know.
    pub what: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The code of the reason.
    pub code: Option<String>,
    /// The class of unknown.
    pub class: Option<UnknownClass>,
}

#[derive(Deserialize)]
struct Details {
    title: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    hint: Option<String>,
    class: Option<String>,
}

impl Problem {
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let Ok(Details { title, detail, code, hint, class }) = serde_json::from_slice(body) else {
            return Self { status, what: None, hint: None, code: None, class: None };
        };
        let class = class.and_then(|name| UnknownClass::ALL.into_iter().find(|class| class.as_str() == name));
        Self { status, what: detail.or(title), hint, code, class }
    }

    /// The reason that it names, if it is one that this version knows.
    pub(crate) fn reason(&self) -> Option<ReasonCode> {
        let code = self.code.as_deref()?;
        ReasonCode::ALL.iter().copied().find(|known| known.as_str() == code && known.class().is_some())
    }

    /// True if the service is not there for anybody, as opposed to having an answer that we do not like.
    pub(crate) fn is_away(&self) -> bool {
        match self.status {
            502 | 504 => true,
            503 => self.class.is_none_or(|class| class == UnknownClass::StoreUnavailable),
            _ => false,
        }
    }

    fn exit(&self) -> Exit {
        match (self.status, self.class) {
            (400, _) => Exit::Usage,
            (401 | 403, _) => Exit::Configuration,
            (429, _) => Exit::Undecided,
            (_, Some(class)) => Exit::of_class(class),
            // A status alone, as anything on the way could give it, says nothing about the image.
            (404, None) if self.what.is_none() => Exit::Unavailable,
            (400..=499, None) => Exit::Configuration,
            _ => Exit::Unavailable,
        }
    }

    pub(crate) fn failure(self, address: &str) -> Failure {
        let exit = self.exit();
        let Self { status, what, hint, .. } = self;
        // Whoever says what is not there is the service.
        let is_elsewhere = what.is_none();
        let said = match (status, what) {
            (_, Some(what)) => format!("{address}: {what}"),
            (401, None) => format!("{address} does not know the token, or wants one"),
            (403, None) => format!("{address} does not let this token do that"),
            (_, None) => format!("{address} answers with status {status} and does not say why"),
        };
        let ours = match status {
            401 => Some(
                "put a valid token into ECR_GATE_TOKEN, or name its file with --token-file; a service without configuration keeps one in admin.token of its data folder",
            ),
            403 => Some("ask whoever runs the service for a token that may do that"),
            404 if is_elsewhere => Some("check that the address is that of ecr-gate, without /api/v1 behind it"),
            429 => Some("try again later, or with fewer jobs at a time"),
            _ => None,
        };
        let failure = Failure::new(exit, said);
        // What the service says of tokens is for whoever writes requests.
        let hint = hint.filter(|_| status != 401).or(ours.map(str::to_owned));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_no_problem_is_a_success() {
        let classes = UnknownClass::ALL.into_iter().map(Some).chain([None]);
        for class in classes {
            for status in 300..600 {
                let problem = Problem { status, what: Some("so".to_owned()), hint: None, code: None, class };
                let exit = problem.failure("https://gate").exit;
                assert!(exit > Exit::Blocked && exit <= Exit::Usage, "{status} {class:?}: {exit:?}");
            }
        }
    }

    #[test]
    fn words_that_are_no_problem_details_are_not_repeated() {
        for body in ["", "<html>Sign in</html>", "[]", "{\"detail\": 1}", "\"allow\""] {
            let problem = Problem::read(404, body.as_bytes());
            assert!(problem.what.is_none(), "{body}");
            assert_eq!(problem.failure("https://gate").exit, Exit::Unavailable, "{body}");
        }
        let problem = Problem::read(
            404,
            br#"{"title":"t","detail":"d","code":"image.notFound","class":"notFound","hint":"h","more":1}"#,
        );
        assert_eq!(problem.failure("https://gate").exit, Exit::Configuration);
    }
}
