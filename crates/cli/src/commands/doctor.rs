//! `ecr-gate doctor`: would a check of this repository work, and what would make it better (A9). Looking changes
//! nothing; `--fix` makes two changes that are safe, after showing them and being told to.

mod report;

use std::io::{self, IsTerminal};

use engine::{Examination, Fix, Target, apply, examine};
use model::Reason;

use self::report::{Change, Report};
use crate::clock::now;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::logged;
use crate::target::{Image, ImageArgs};
use crate::ui::{OutputFormat, Ui};

/// The longest foreign sentence that is shown.
const SENTENCE: usize = 1000;

/// Looks at a repository before a pipeline relies on it: scanning, tags, permissions, and an image if one is named
///
/// Asks ECR what it would do with a push (scan on push of the repository and of its registry, basic or enhanced
/// scanning, tag immutability), finds by trying what the current identity may do, and looks at the image's scan. Trying is
/// harmless: it names a digest that no image can have. Each finding says why it matters and what to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing but ok and warnings, 1 something to mend, 2 an answer that cannot be read, 3 a permission that
            `check` or this look needs is missing, or credentials, repository or image are, 4 throttled,
            5 ECR unreachable, 64 wrong usage.

Examples:
  ecr-gate doctor 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:1.2
  ecr-gate doctor --account 123456789012 --region eu-west-1 --repository team/app --fix")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    image: ImageArgs,
    /// Turn on scan on push and make tags immutable where they are not; shows the changes and asks first
    #[arg(long)]
    fix: bool,
    /// Do not ask before the changes of --fix; needed where there is no terminal
    #[arg(long, requires = "fix")]
    yes: bool,
    /// How to answer
    #[arg(long, short, value_enum, default_value = "text", value_name = "FORMAT")]
    output: OutputFormat,
}

/// Whether changes may be made.
enum Consent {
    Given,
    Withheld,
    NobodyToAsk,
}

impl DoctorArgs {
    pub(crate) async fn run(&self, ui: Ui) -> Result<Exit, Failure> {
        let image = self.image.resolve()?;
        let target = image.target()?;
        let examination = look(&target, &image).await?;
        let fixes = if self.fix { examination.fixes() } else { Vec::new() };
        if fixes.is_empty() {
            if self.fix {
                ui.say("ecr-gate: there is nothing that --fix could change");
            }
            return self.answer(&image, &examination, Vec::new(), ui);
        }
        for fix in &fixes {
            ui.insist(&report::will(*fix, &target));
        }
        match self.consent(ui)? {
            Consent::Given => {}
            Consent::Withheld => {
                ui.insist("nothing was changed");
                return self.answer(&image, &examination, Vec::new(), ui);
            }
            Consent::NobodyToAsk => {
                let what =
                    "--fix asks before it changes anything, and there is no terminal to ask on; nothing was changed";
                return Err(Failure::usage(what).hint("add --yes to make the changes above without being asked"));
            }
        }
        let mut changes = Vec::new();
        for fix in fixes {
            let failed = apply(&target, fix).await.err();
            tell(fix, &target, failed.as_ref(), ui);
            changes.push(Change::new(fix, failed));
        }
        let examination = look(&target, &image).await?;
        self.answer(&image, &examination, changes, ui)
    }

    fn consent(&self, ui: Ui) -> Result<Consent, Failure> {
        if self.yes {
            return Ok(Consent::Given);
        }
        if !io::stdin().is_terminal() || !ui.stderr_is_terminal {
            return Ok(Consent::NobodyToAsk);
        }
        ui.insist("Make these changes? [y/N]");
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failure::internal(format!("the answer cannot be read: {error}; nothing was changed")))?;
        let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        Ok(if yes { Consent::Given } else { Consent::Withheld })
    }

    fn answer(&self, image: &Image, examination: &Examination, changes: Vec<Change>, ui: Ui) -> Result<Exit, Failure> {
        let report = Report::new(image, examination, changes);
        ui.data(&match self.output {
            OutputFormat::Text => report.text(ui.color),
            OutputFormat::Json => report.json()?,
        })?;
        Ok(report.exit())
    }
}

async fn look(target: &Target, image: &Image) -> Result<Examination, Failure> {
    examine(target, Some(&image.reference), now()).await.map_err(|refused| {
        let Reason { code, message, remedy } = refused.reason;
        Failure::new(Exit::of_reason(code), logged(&message, SENTENCE)).hint(remedy)
    })
}

/// Each change is told when it is made, whatever comes after it.
fn tell(fix: Fix, target: &Target, failed: Option<&Reason>, ui: Ui) {
    match failed {
        None => ui.insist(&report::done(fix, target)),
        Some(reason) => {
            ui.insist(&format!("{} {}", ui.error_word(), logged(&reason.message, SENTENCE)));
            ui.insist(&format!("hint: {}", logged(&reason.remedy, SENTENCE)));
        }
    }
}
