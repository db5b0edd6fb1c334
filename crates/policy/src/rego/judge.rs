//! One evaluation: each rule that is asked gives its messages, or there is a reason why it does not.

use jiff::Timestamp;
use model::{Reason, ReasonCode};
use regorus::{Engine, LimitError, Value};

use super::answer::{Messages, failed};
use super::meter::{self, Stop};
use super::query::{Asked, Kind};
use super::{Answer, Compiled, Input, Program, place};

impl Program {
    /// Asks every rule about an input. `time.now_ns()` is `now`. Nothing is left behind for the next evaluation.
    pub(crate) fn judge(&self, input: &Input, now: Timestamp) -> Result<Answer, Reason> {
        let compiled = &self.0;
        let mut interpreter = compiled.interpreter.clone();
        interpreter.set_input(input.0.clone());
        interpreter.set_execution_timer_config(meter::EVERY_STEP);
        let mut deny = Messages::new(&compiled.limits);
        let mut warn = Messages::new(&compiled.limits);
        for asked in &compiled.asked {
            let value = compiled.ask(&mut interpreter, asked, now)?;
            match asked.kind {
                Kind::Deny => deny.take(asked, &value)?,
                Kind::Warn => warn.take(asked, &value)?,
            }
        }
        Ok(Answer { deny: deny.into_sorted(), warn: warn.into_sorted() })
    }
}

impl Compiled {
    fn ask(&self, interpreter: &mut Engine, asked: &Asked, now: Timestamp) -> Result<Value, Reason> {
        let evaluate = || interpreter.eval_rule(asked.path.clone());
        let (value, stop) = meter::counted(self.limits.steps, self.limits.seconds, now.as_nanosecond(), evaluate);
        match stop {
            Some(stop) => Err(self.stopped(asked, stop)),
            None => value.map_err(|error| erred(asked, &error)),
        }
    }

    fn stopped(&self, asked: &Asked, stop: Stop) -> Reason {
        let path = &asked.path;
        let Self { limits, .. } = self;
        match stop {
            Stop::Steps => {
                Reason::new(ReasonCode::RegoLimit, format!("`{path}` takes more than {} steps", limits.steps))
            }
            Stop::Size { usage, limit } => Reason::new(
                ReasonCode::RegoLimit,
                format!(
                    "`{path}` calls a builtin that makes a value of {usage} parts or bytes; at most {limit} are made"
                ),
            ),
            Stop::Time => Reason::new(ReasonCode::RegoTime, format!("`{path}` ran for more than {} s", limits.seconds)),
        }
    }
}

/// Why the interpreter gave no value.
fn erred(asked: &Asked, error: &anyhow::Error) -> Reason {
    match error.downcast_ref::<LimitError>() {
        Some(limit) => Reason::new(ReasonCode::RegoLimit, format!("`{}`: {limit}", asked.path)),
        None => failed(format!("`{}`: {}", asked.path, place::sentence(&error.to_string()))),
    }
}
