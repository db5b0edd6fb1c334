//! One evaluation: bytecode for the limit, the interpreter for the answer, both for agreement.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use model::{Reason, ReasonCode};
use regorus::rvm::RegoVM;
use regorus::rvm::vm::VmError;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};

use super::answer::{Messages, failed};
use super::builtins::NOW;
use super::query::{Asked, Kind};
use super::{Answer, Compiled, Input, Program, place};

impl Program {
    /// Asks every rule about an input. `time.now_ns()` is `now`. Nothing is left behind for the next evaluation.
    pub(crate) fn judge(&self, input: &Input, now: Timestamp) -> Result<Answer, Reason> {
        let compiled = &self.0;
        let now = Value::from(now.as_nanosecond());
        let mut machine = compiled.machine(input, &now)?;
        let mut interpreter = compiled.interpreter(input, now)?;
        let mut deny = Messages::new(&compiled.limits);
        let mut warn = Messages::new(&compiled.limits);
        for (index, asked) in compiled.asked.iter().enumerate() {
            let counted =
                machine.execute_entry_point_by_index(index).map_err(|error| compiled.stopped(asked, &error))?;
            let value = interpreter.eval_rule(asked.path.clone()).map_err(|error| compiled.erred(asked, &error))?;
            if compiled.agreeing && counted != value {
                return Err(failed(format!("two evaluations of `{}` do not agree", asked.path))
                    .remedy("Please report it with the policy; written in another way the rule may work."));
            }
            match asked.kind {
                Kind::Deny => deny.take(asked, &value)?,
                Kind::Warn => warn.take(asked, &value)?,
            }
        }
        Ok(Answer { deny: deny.into_sorted(), warn: warn.into_sorted() })
    }
}

impl Compiled {
    fn machine(&self, input: &Input, now: &Value) -> Result<RegoVM, Reason> {
        let mut machine = RegoVM::new();
        machine.load_program(self.bytecode.clone());
        machine.set_data(self.data.clone()).map_err(|error| failed(error.to_string()))?;
        machine.set_input(input.0.clone());
        machine.set_context(now.clone());
        // Errors are the interpreter's to report; strict bytecode would compare no values of different types, which Rego orders.
        machine.set_strict_builtin_errors(false);
        machine.set_max_instructions(self.limits.instructions);
        machine.set_execution_timer_config(Some(self.backstop()));
        Ok(machine)
    }

    fn interpreter(&self, input: &Input, now: Value) -> Result<Engine, Reason> {
        let mut engine = self.interpreter.clone();
        engine.set_input(input.0.clone());
        engine.set_execution_timer_config(self.backstop());
        engine
            .add_extension(NOW.to_owned(), 0, Box::new(move |_| Ok(now.clone())))
            .map_err(|error| failed(error.to_string()))?;
        Ok(engine)
    }

    fn backstop(&self) -> ExecutionTimerConfig {
        const STEPS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
        ExecutionTimerConfig { limit: Duration::from_secs(self.limits.seconds), check_interval: STEPS }
    }

    /// Why the bytecode did not come to an end.
    fn stopped(&self, asked: &Asked, error: &VmError) -> Reason {
        let path = &asked.path;
        match error {
            VmError::InstructionLimitExceeded { limit, .. } => {
                Reason::new(ReasonCode::RegoLimit, format!("`{path}` takes more than {limit} instructions"))
            }
            VmError::MemoryLimitExceeded { usage, limit, .. } => Reason::new(
                ReasonCode::RegoLimit,
                format!(
                    "`{path}` calls a builtin that makes a value of {usage} parts or bytes; at most {limit} are made"
                ),
            ),
            VmError::RegexSizeLimitExceeded { limit, .. } => Reason::new(
                ReasonCode::RegoLimit,
                format!("`{path}` uses a regular expression that takes more than {limit} bytes"),
            ),
            VmError::TimeLimitExceeded { .. } => self.timed_out(asked),
            other => failed(format!("`{path}`: {other}")),
        }
    }

    /// Why the interpreter gave no value.
    fn erred(&self, asked: &Asked, error: &anyhow::Error) -> Reason {
        match error.downcast_ref::<LimitError>() {
            Some(LimitError::TimeLimitExceeded { .. }) => self.timed_out(asked),
            Some(limit) => Reason::new(ReasonCode::RegoLimit, format!("`{}`: {limit}", asked.path)),
            None => failed(format!("`{}`: {}", asked.path, place::sentence(&error.to_string()))),
        }
    }

    fn timed_out(&self, asked: &Asked) -> Reason {
        Reason::new(ReasonCode::RegoTime, format!("`{}` ran for more than {} s", asked.path, self.limits.seconds))
    }
}
