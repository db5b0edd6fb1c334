//! The log of `ecr-gate serve`: on stderr, one line an event.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;
use crate::env;
use crate::failure::Failure;

/// What is logged if nobody says: what libraries say of each call is for whoever looks for a fault in them.
const USUAL: &str = "info,sqlx=warn,hyper=warn,h2=warn,rustls=warn,aws_config=warn,aws_smithy_runtime=warn";

/// Starts logging. `level` is one of the words of [`EnvFilter`], or several.
pub(crate) fn start(format: LogFormat, level: Option<&str>, color: bool) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(level.unwrap_or(USUAL)).map_err(|error| {
        Failure::usage(format!("the log level {:?} is none: {error}", level.unwrap_or(USUAL)))
            .hint(format!("{}=info, or warn,ecr_gate=debug", env::LOG.name))
    })?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(color).compact().try_init(),
        LogFormat::Json => {
            let lines = lines.with_ansi(false).json();
            lines.flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
    };
    started.map_err(|error| Failure::internal(format!("logging cannot be started: {error}")))
}
