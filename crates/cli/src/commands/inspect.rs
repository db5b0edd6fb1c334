//! `ecr-gate inspect`: one page of everything that is known about an image, and what is missing. It judges nothing and
//! starts nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use engine::{InspectedManifest, InspectedSignal, Inspection, Pace, Place, Question, Trust, inspect};
use model::{Origin, SignedDuration, format_duration, parse_duration};

use crate::clock::now;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::handed::HandedArgs;
use crate::output::{facts, inert_json, logged};
use crate::policies;
use crate::progress::Teller;
use crate::registry::RegistryArgs;
use crate::target::ImageArgs;
use crate::trust;
use crate::ui::{OutputFormat, Ui};

/// The longest foreign sentence that is shown.
const SENTENCE: usize = 500;

/// Shows everything that is known about an image: scans, configuration, bills of materials, VEX, measurements, signatures
///
/// Each signal with its state, source and age, and what is missing. Nothing is judged, started or written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 shown, 2 something that was given cannot be read, 3 access, credentials, or no such image,
            4 throttled or not in time, 5 registry unreachable, 64 wrong usage.

Examples:
  ecr-gate inspect ghcr.io/team/app:1.2
  ecr-gate inspect docker-archive:app.tar --report trivy.json --layers
  ecr-gate inspect IMAGE --policy gate.yaml --output json > facts/app.json   # for `policy test` and `policy replay`")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    image: ImageArgs,
    /// Read the layers too: operating system, packages, entrypoint
    #[arg(long)]
    layers: bool,
    /// A policy file, to look at what it names too: keys, trusted roots, base images; may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// The environment the facts are for, declared by the policy
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    timeout: String,
    #[command(flatten)]
    handed: HandedArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

impl InspectArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let image = self.image.resolve()?;
        let whereabouts = image.place(self.handed.is_given())?;
        let named = image.reference.tag.is_some() || image.reference.digest.is_some();
        if !named && !matches!(whereabouts, Place::Local(_) | Place::Nowhere) {
            return Err(Failure::usage(format!("{} has neither tag nor digest", image.reference))
                .hint("name the image exactly: `…:TAG` or, better, `…@sha256:…`"));
        }
        let handed = self.handed.read()?;
        let access = self.registry.access()?;
        let (policies, _) = policies::load(&self.policy)?;
        let inputs =
            if self.policy.is_empty() { trust::public_good()? } else { trust::inputs(&policies, &self.policy)? };
        let trust = Trust::new(inputs);
        policies.environment(&self.environment).map_err(|error| {
            Failure::usage(error.to_string()).hint("environments are declared in `spec.environments` of the policy")
        })?;
        let timeout =
            parse_duration(&self.timeout).map_err(|error| Failure::usage(format!("--timeout: {error}"))).and_then(
                |timeout| Duration::try_from(timeout).map_err(|error| Failure::usage(format!("--timeout: {error}"))),
            )?;
        let seed = uuid::Uuid::now_v7().as_u64_pair().1;
        let poll_interval = Duration::from_secs(15);
        let pace = Pace {
            timeout,
            call_timeout: timeout.min(Duration::from_secs(30)),
            poll_interval,
            floor: Duration::ZERO,
            seed,
        };
        let question = Question {
            image: image.canonical(),
            place: whereabouts,
            account: image.account.clone(),
            environment: self.environment.clone(),
            as_if: None,
            name: None,
            handed: &handed,
            access: &access,
            trust: &trust,
            start_scan: false,
            pace,
            now,
        };
        let teller = Teller::new(ui, false, timeout);
        let found = Box::pin(inspect(&question, &policies, image.written(), self.layers, &teller)).await;
        teller.finish();
        let inspection = found.map_err(|refused| {
            let exit = Exit::of_reason(refused.reason.code);
            Failure::new(exit, refused.reason.message).hint(refused.reason.remedy)
        })?;
        match self.output {
            OutputFormat::Json => ui.data(&inert_json(facts::inspected(&inspection)? + "\n"))?,
            OutputFormat::Text => ui.data(&page(&inspection))?,
        }
        Ok(Exit::Allowed)
    }
}

fn page(inspection: &Inspection) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", logged(&inspection.reference, SENTENCE));
    match &inspection.digest {
        Some(digest) => _ = writeln!(text, "digest  {digest}"),
        None => text.push_str("digest  none: an archive of `docker save` has no digest of any registry\n"),
    }
    for manifest in &inspection.manifests {
        manifest_page(&mut text, manifest);
    }
    if !inspection.missing.is_empty() {
        text.push_str("\nMissing\n");
        for line in &inspection.missing {
            let _ = writeln!(text, "  - {}", logged(line, SENTENCE));
        }
    }
    let _ = writeln!(text, "\n{} requests to the registry", inspection.registry_requests);
    text
}

fn manifest_page(text: &mut String, manifest: &InspectedManifest) {
    text.push('\n');
    if let Some(platform) = &manifest.platform {
        let _ = writeln!(text, "{}  {}", logged(&platform.to_string(), 80), manifest.digest);
    }
    if let Some(config) = &manifest.config {
        let created = config.created.map_or_else(|| "not said".to_owned(), |created| created.to_string());
        let _ = writeln!(text, "  image id  {}", config.id);
        let _ = writeln!(text, "  built     {} for {}", logged(&created, 40), logged(&config.platform.to_string(), 80));
        let _ = writeln!(text, "  runs      {}", logged(&config.runs.join(" "), 200));
        let tenths = config.size_bytes / 100_000;
        let _ = writeln!(text, "  size      {}.{} MB in {} layers", tenths / 10, tenths % 10, config.layers);
        if let Some(base) = &config.base {
            let name = base.name.as_deref().unwrap_or("without a name");
            let digest = base.digest.as_ref().map_or_else(String::new, |digest| format!(" {}", digest.short()));
            let _ = writeln!(text, "  base      {}{digest}, says the {}", logged(name, 200), base.said_by);
        }
        for secret in &config.secrets {
            let _ = writeln!(text, "  secret    {}: {}", logged(&secret.place, 120), secret.kind);
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["SIGNAL", "STATE", "AGE", "SOURCE", "SAYS"]);
    for signal in &manifest.signals {
        table.add_row(row(signal));
    }
    for line in table.lines() {
        let _ = writeln!(text, " {}", line.trim_end());
    }
    if !manifest.attached.is_empty() {
        text.push_str("  attached\n");
    }
    for attached in &manifest.attached {
        let error = attached.error.as_ref().map_or_else(String::new, |error| format!(": {}", logged(error, 200)));
        let _ = writeln!(text, "    {}  {}{error}", attached.digest.short(), logged(&attached.artifact_type, 120));
    }
}

fn row(signal: &InspectedSignal) -> [String; 5] {
    let age = signal.age_seconds.map_or_else(String::new, |seconds| {
        let hours = SignedDuration::from_hours(seconds / 3600);
        match hours.as_hours() {
            0 => format!("{seconds}s"),
            1..48 => format_duration(hours),
            hours => format!("{}d", hours / 24),
        }
    });
    let source = match &signal.source {
        None => String::new(),
        Some(Origin::Ecr(region)) => format!("ECR {region}"),
        Some(Origin::File(file)) => format!("file {}", logged(file, 60)),
        Some(Origin::Attestation(attested)) => format!("attestation {}", attested.manifest.short()),
        Some(Origin::Registry(digest)) => format!("registry {}", digest.chars().take(19).collect::<String>()),
    };
    let counts: Vec<String> =
        signal.counts.iter().flatten().map(|(severity, count)| format!("{count} {severity}")).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    let says = format!("{}{}", logged(&signal.detail, SENTENCE), logged(&counts, SENTENCE));
    [logged(&signal.name, 60), signal.state.to_owned(), age, source, says]
}
