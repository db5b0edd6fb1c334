//! Where the answer of a check goes: files and stdout. No file of an earlier run outlives a new one, nothing is written
//! over what is read, the dotenv file that later jobs trust comes last, and an allow that could not be delivered
//! everywhere is taken back.

use std::path::{Path, PathBuf};

use model::Verdict;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::output::{Destination, View, dotenv, github, undecided};
use crate::ui::Ui;

/// The files and streams of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub outputs: &'a [Destination],
    pub dotenv: Option<&'a Path>,
}

impl Delivery<'_> {
    fn files(&self) -> impl Iterator<Item = &Path> {
        self.outputs.iter().filter_map(|output| output.file.as_deref()).chain(self.dotenv)
    }

    /// Refuses two outputs to one file, and an output over an input: nothing of the caller's is lost.
    pub(crate) fn check(&self, inputs: &[&Path]) -> Result<(), Failure> {
        apart(self.files(), inputs)
    }

    /// Takes away what an earlier run left: all of it, even if one file resists.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let failures: Vec<Failure> =
            self.files().filter_map(|file| files::remove_stale("the earlier report", file).err()).collect();
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// Writes the answer everywhere: everything is rendered before anything is written, the dotenv file comes last.
    pub(crate) fn write(&self, view: &View<'_>, ui: Ui) -> Result<(), Failure> {
        let rendered = self
            .outputs
            .iter()
            .map(|output| {
                let color = output.file.is_none() && ui.color;
                output.format.render(view, color).map(|text| (output.file.as_deref(), text))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut failures = Vec::new();
        for (file, text) in &rendered {
            let written = match file {
                Some(file) => files::write("the report", file, text),
                None => ui.data(text),
            };
            failures.extend(written.err());
        }
        failures.extend(github::tell(view, ui).err());
        if let Some(file) = self.dotenv
            && (failures.is_empty() || view.record.verdict > Verdict::Warn)
        {
            failures.extend(files::write("the dotenv report", file, &dotenv(view.record)).err());
        }
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// After a failure: no file says anything of an answer that was not given.
    pub(crate) fn take_back(&self, exit: Exit, ui: Ui) {
        for file in self.outputs.iter().filter_map(|output| output.file.as_deref()) {
            if let Err(second) = files::remove_stale("the report", file) {
                ui.insist(&format!("{} {}", ui.error_word(), second.what));
            }
        }
        if let Some(file) = self.dotenv
            && let Err(second) = files::write("the dotenv report", file, &undecided(exit))
        {
            ui.insist(&format!("{} {}", ui.error_word(), second.what));
        }
    }
}

/// Refuses two outputs to one file, and an output over an input.
pub(crate) fn apart<'a>(outputs: impl Iterator<Item = &'a Path>, inputs: &[&Path]) -> Result<(), Failure> {
    let mut taken: Vec<(PathBuf, bool)> =
        inputs.iter().filter_map(|path| identity(path)).map(|id| (id, true)).collect();
    for file in outputs {
        let Some(id) = identity(file) else { continue };
        match taken.iter().find(|(other, _)| *other == id) {
            Some((_, true)) => {
                return Err(Failure::usage(format!("{} is read and would be written over", file.display())));
            }
            Some((_, false)) => return Err(Failure::usage(format!("{} is named for two outputs", file.display()))),
            None => taken.push((id, false)),
        }
    }
    Ok(())
}

/// What makes two names the same file; `None` for devices and pipes, which may be named twice.
fn identity(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return path.is_file().then_some(real);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(parent.canonicalize().ok()?.join(path.file_name()?))
}

/// For a command line that could not be read: the dotenv and output files it seems to name do not outlive it either.
pub(crate) fn forget(arguments: impl Iterator<Item = std::ffi::OsString>) {
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    for (at, argument) in arguments.iter().enumerate() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), arguments.get(at + 1).cloned()),
        };
        let file = match (name, value) {
            ("--dotenv", value) => value,
            ("--output" | "-o", Some(value)) => value.split_once('=').map(|(_, file)| file.to_owned()),
            _ => None,
        };
        let Some(file) = file.map(PathBuf::from) else { continue };
        let failed = match name {
            "--dotenv" if file.is_file() => files::write("the dotenv report", &file, &undecided(Exit::Usage)),
            "--dotenv" => Ok(()),
            _ => files::remove_stale("the earlier report", &file),
        };
        // The command line is refused all the same.
        drop(failed);
    }
}
