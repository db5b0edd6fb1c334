//! `ecr-gate measure record`: attaches what a smoke test measured to the image, for policies to compare (B17).

use std::path::PathBuf;

use engine::{Place, attach, document, resolve};
use model::{Digest, Measurement, Quantity};
use serde::Serialize;

use crate::clock::now;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::registry::RegistryArgs;
use crate::target::ImageArgs;
use crate::ui::{OutputFormat, Ui};

/// Records measurements of an image, such as start time and peak memory
#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    #[command(subcommand)]
    command: MeasureCommand,
}

#[derive(Debug, clap::Subcommand)]
enum MeasureCommand {
    Record(Box<RecordArgs>),
}

/// Attaches one metric with all samples of one run to the image, as a referrer
///
/// All samples of a run belong into one record: a policy that asks for the best of three finds three here, or does not
/// judge.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 attached or written, 2 a sample that cannot be read, 3 access, credentials or no such image,
            5 registry unreachable, 64 wrong usage.

Examples:
  ecr-gate measure record IMAGE --metric memory_peak_bytes --unit MiB --sample 182.5 --sample 180 --tool cgroup
  ecr-gate measure record IMAGE --metric start_time --unit ms --sample 412 --tool smoke.sh --file start.json")]
struct RecordArgs {
    #[command(flatten)]
    image: ImageArgs,
    /// What was measured, such as memory_peak_bytes
    #[arg(long, value_name = "NAME")]
    metric: String,
    /// The unit of every sample: B, KiB, MiB, GiB, ns, us, ms, s, cores, millicores, %, count
    #[arg(long, value_name = "UNIT")]
    unit: String,
    /// A sample; several times, in the order they were taken
    #[arg(long, value_name = "NUMBER", required = true)]
    sample: Vec<String>,
    /// What measured it
    #[arg(long, value_name = "NAME")]
    tool: String,
    /// The stage: smoke, canary, production
    #[arg(long, value_name = "NAME", default_value = "smoke")]
    stage: String,
    /// Write the document to this file and attach nothing
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    schema: &'static str,
    subject: Digest,
    referrer: Option<Digest>,
    file: Option<String>,
    metric: String,
    samples: usize,
}

impl MeasureArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let MeasureCommand::Record(args) = &self.command;
        args.run(ui).await
    }
}

impl RecordArgs {
    async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let image = self.image.resolve()?;
        if !matches!(image.place(false)?, Place::Ecr(_) | Place::Registry) {
            return Err(Failure::usage("measurements are attached to an image in a registry")
                .hint("push the image first, and name it as docker push does"));
        }
        let reference = image.canonical();
        let samples = self
            .sample
            .iter()
            .map(|sample| Quantity::new(sample.trim(), &self.unit))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::usage(format!("--sample: {error}")))?;
        let access = self.registry.access()?;
        let refused = |refused: engine::Refused| {
            Failure::new(Exit::of_reason(refused.reason.code), refused.reason.message).hint(refused.reason.remedy)
        };
        let subject = match (&reference.digest, &self.file) {
            (Some(digest), Some(_)) => digest.clone(),
            _ => resolve(&reference, &access).await.map_err(refused)?,
        };
        let measurement = Measurement {
            subject: subject.clone(),
            metric: self.metric.clone(),
            samples,
            tool: self.tool.clone(),
            stage: self.stage.clone(),
            at: now(),
        };
        let bytes = document(&[measurement]).map_err(refused)?;
        let mut recorded = Recorded {
            schema: "ecr-gate.dev/measure-record/v1",
            subject: subject.clone(),
            referrer: None,
            file: self.file.as_ref().map(|file| file.display().to_string()),
            metric: self.metric.clone(),
            samples: self.sample.len(),
        };
        if let Some(file) = &self.file {
            files::write("the measurement", file, &String::from_utf8_lossy(&bytes))?;
        } else {
            let attached = attach(&reference, &access, &subject, bytes).await.map_err(refused)?;
            recorded.referrer = Some(attached.referrer);
        }
        let text = match self.output {
            OutputFormat::Json => serde_json::to_string_pretty(&recorded)
                .map_err(|error| Failure::internal(format!("the answer cannot be written: {error}")))?,
            OutputFormat::Text => match (&recorded.referrer, &recorded.file) {
                (Some(referrer), _) => format!("attached {referrer} to {subject}"),
                (None, Some(file)) => format!("wrote {file}, about {subject}"),
                (None, None) => format!("nothing was written about {subject}"),
            },
        };
        ui.data(&(text + "\n"))?;
        Ok(Exit::Allowed)
    }
}
