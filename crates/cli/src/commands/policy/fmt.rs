//! `ecr-gate policy fmt`: policies in one layout. Comments and order stay; what a document says is never changed, which is
//! checked before anything is written.

use std::path::PathBuf;

use pretty_yaml::config::FormatOptions;
use pretty_yaml::format_text;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ui::Ui;

/// The largest document that is read.
const LIMIT: usize = 1 << 20;

/// Writes policies, exceptions and tests in one layout, keeping comments and order
///
/// Two blanks of indentation, lists below their key, one blank within braces, no trailing blanks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done, or nothing to do; 1 with --check: a file is not in this layout; 3 a file cannot be read, 64 wrong usage.")]
pub(crate) struct FmtArgs {
    /// Files; `-` reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; name the files that are not in this layout and exit with 1
    #[arg(long)]
    check: bool,
}

impl FmtArgs {
    pub(crate) fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let mut changed = false;
        for path in &self.files {
            if path.as_os_str() == "-" {
                let text = std::io::read_to_string(std::io::Read::take(std::io::stdin(), LIMIT as u64 + 1))
                    .map_err(|error| Failure::configuration(format!("standard input cannot be read: {error}")))?;
                if text.len() > LIMIT {
                    return Err(Failure::configuration(format!("standard input is larger than {LIMIT} bytes")));
                }
                let new = formatted("standard input", &text)?;
                changed |= new != text;
                if !self.check {
                    ui.data(&new)?;
                }
                continue;
            }
            let text = files::read_text("the document", path, LIMIT)?;
            let new = formatted(&path.display().to_string(), &text)?;
            if new == text {
                continue;
            }
            changed = true;
            if self.check {
                ui.data(&path.display().to_string())?;
            } else {
                // What a link leads to is written, with the mode that it has.
                let failed = |error| Failure::configuration(format!("{} cannot be written: {error}", path.display()));
                let target = std::fs::canonicalize(path).map_err(failed)?;
                let mode = std::fs::metadata(&target).map_err(failed)?.permissions();
                files::write("the document", &target, &new)?;
                std::fs::set_permissions(&target, mode).map_err(failed)?;
                ui.say(&format!("ecr-gate: {} was written anew", path.display()));
            }
        }
        Ok(if self.check && changed { Exit::Blocked } else { Exit::Allowed })
    }
}

/// The text in our layout.
fn formatted(name: &str, text: &str) -> Result<String, Failure> {
    let value = |text: &str| -> Result<Value, Failure> {
        // The layout engine counts on shallow documents; every document of ours is one.
        let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_depth: 24 } };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let what = error.to_string();
            let line = what.lines().next().unwrap_or("it is no YAML");
            Failure::configuration(format!("{name}: {}", line.trim_start_matches("error: ")))
        })
    };
    let before = value(text)?;
    let kind = before.get("kind").and_then(Value::as_str);
    if !kind.is_some_and(|kind| ["GatePolicy", "GateExceptions", "GatePolicyTest"].contains(&kind)) {
        return Err(Failure::configuration(format!(
            "{name}: it is no policy, exceptions or test document; it was left as it is"
        ))
        .hint("its `kind` has to be GatePolicy, GateExceptions or GatePolicyTest"));
    }
    if text.trim_start().starts_with('{') {
        return Err(Failure::configuration(format!("{name}: it is written as JSON; it was left as it is"))
            .hint("only YAML has this layout"));
    }
    let mut options = FormatOptions::default();
    options.layout.print_width = 140;
    let new = format_text(text, &options)
        .map_err(|error| Failure::configuration(format!("{name}: it cannot be laid out: {error}")))?;
    let new = if new.ends_with('\n') { new } else { new + "\n" };
    if value(&new)? != before {
        return Err(Failure::internal(format!("{name}: the layout would change what it says; it was left as it is"))
            .hint("please report the document"));
    }
    Ok(new)
}
