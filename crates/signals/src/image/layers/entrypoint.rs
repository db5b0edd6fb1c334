//! Whether what the image would run is there: Docker's rules for the arguments (`Entrypoint` then `Cmd`; a name with a
//! slash is relative to `WorkingDir`, one without is looked for in `PATH`), Linux's for running a file (execve(2): exec
//! permission, ELF machine and `PT_INTERP`, `#!`). Not looked at: shared libraries, the user's permissions, what a
//! shell is told to run.

use model::Entrypoint;

use super::Image;
use super::program::{Elf, Program};
use super::tree::{Circle, Found, Is, Node, Tree, parts, text};

/// `PATH` of container runtimes if the image sets none.
const DEFAULT_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// As many interpreters of interpreters as Linux starts.
const MOST_INTERPRETERS: usize = 4;

/// The search in one image.
pub(super) struct Search<'a> {
    pub(super) image: &'a Image,
    pub(super) tree: &'a Tree,
}

impl Search<'_> {
    pub(super) fn entrypoint(&self) -> Entrypoint {
        let Some(command) = self.image.arguments.first() else { return Entrypoint::NotSet };
        let platform = &self.image.platform;
        if platform.os != "linux" {
            return Entrypoint::NotDecidable(format!("images for {platform} are not looked into; those for linux are"));
        }
        match self.command(command.as_bytes()) {
            Ok((path, node)) => self.runs(&path, node, 0).err().unwrap_or(Entrypoint::Resolved(path)),
            Err(outcome) => outcome,
        }
    }

    /// The file that a command names.
    fn command(&self, command: &[u8]) -> Result<(String, &Node), Entrypoint> {
        let name = || String::from_utf8_lossy(command).into_owned();
        if command.is_empty() {
            return Err(Entrypoint::Missing(String::new()));
        }
        if command.contains(&b'/') {
            let from_root = command.starts_with(b"/");
            let folder = if from_root { &b""[..] } else { self.image.working_dir.as_bytes() };
            return match self.file(&[folder, b"/", command].concat()).map_err(|Circle| circle(&name()))? {
                Some((path, node)) if is_executable(node) => Ok((path, node)),
                Some((path, node)) => Err(Entrypoint::NotExecutable(why_not(&path, node))),
                None => Err(Entrypoint::Missing(name())),
            };
        }
        let set: Vec<&str> = self.image.path.iter().map(String::as_str).collect();
        let folders = if set.is_empty() { &DEFAULT_PATH[..] } else { &set };
        let mut unfit = None;
        // Runtimes refuse programs that are found by a relative part of PATH.
        for folder in folders.iter().filter(|folder| folder.starts_with('/')) {
            let path = [folder.as_bytes(), b"/", command].concat();
            match self.file(&path) {
                Ok(Some((path, node))) if is_executable(node) => return Ok((path, node)),
                Ok(Some((path, node))) => unfit = unfit.or(Some(why_not(&path, node))),
                Ok(None) | Err(Circle) => {}
            }
        }
        Err(unfit.map_or_else(|| Entrypoint::Missing(name()), Entrypoint::NotExecutable))
    }

    fn file(&self, path: &[u8]) -> Result<Option<(String, &Node)>, Circle> {
        let Found { path, node } = self.tree.follow(parts(path), true)?;
        Ok(node.map(|node| (text(&path), node)))
    }

    /// Whether Linux would run this file, which is executable.
    fn runs(&self, path: &str, node: &Node, depth: usize) -> Result<(), Entrypoint> {
        let Is::File(file) = &node.is else { return Err(Entrypoint::NotExecutable(why_not(path, node))) };
        if depth > MOST_INTERPRETERS {
            return Err(Entrypoint::InterpreterMissing(format!(
                "{path}: its interpreters need interpreters without end"
            )));
        }
        match &file.program {
            Program::Elf(elf) => {
                self.machine(path, elf)?;
                elf.interpreter.as_ref().map_or(Ok(()), |loader| self.interpreter(path, loader, depth).map(|_| ()))
            }
            Program::Script(line) => self.script(path, line, depth),
            Program::Unfit(why) if why.contains("Windows") || why.contains("macOS") => {
                Err(Entrypoint::WrongArchitecture(format!("{path}: {why}")))
            }
            Program::Unfit(why) => Err(Entrypoint::NotExecutable(format!("{path}: {why}"))),
            Program::Unknown(why) => Err(Entrypoint::NotDecidable(format!("{path}: {why}"))),
        }
    }

    fn machine(&self, path: &str, elf: &Elf) -> Result<(), Entrypoint> {
        let architecture = self.image.platform.architecture.as_str();
        let Some(fits) = fits(architecture, elf) else {
            return Err(Entrypoint::NotDecidable(format!("{path}: programs for {architecture:?} are not known")));
        };
        if fits {
            return Ok(());
        }
        let found = machine_name(elf);
        Err(Entrypoint::WrongArchitecture(format!("{path} is for {found}; the image is for {architecture}")))
    }

    /// The file at an interpreter's path, if Linux would run it.
    fn interpreter(&self, of: &str, path: &[u8], depth: usize) -> Result<String, Entrypoint> {
        let name = String::from_utf8_lossy(path);
        let missing = |what: &str| Entrypoint::InterpreterMissing(format!("{of} needs {name:?}, which {what}"));
        let folder = if path.starts_with(b"/") { &b""[..] } else { self.image.working_dir.as_bytes() };
        match self.file(&[folder, b"/", path].concat()) {
            Err(Circle) => Err(missing("links in a circle")),
            Ok(None) => Err(missing("is not there, or is not executable")),
            Ok(Some((_, node))) if !is_executable(node) => Err(missing("is not executable")),
            Ok(Some((path, node))) => self.runs(&path, node, depth + 1).map(|()| path),
        }
    }

    /// `#!interpreter [argument]`: the rest of the line is one argument.
    fn script(&self, path: &str, line: &[u8], depth: usize) -> Result<(), Entrypoint> {
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let end = line.iter().position(blank).unwrap_or(line.len());
        let (interpreter, argument) = (&line[..end], line[end..].trim_ascii_start());
        if interpreter.is_empty() {
            return Err(Entrypoint::NotExecutable(format!("{path}: its #! line names no interpreter")));
        }
        let real = self.interpreter(path, interpreter, depth)?;
        // `env` looks for its argument in PATH; it may be a link to a program of many names.
        let is_env = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next() == Some(b"env");
        if !(is_env(interpreter) || is_env(real.as_bytes())) || argument.is_empty() {
            return Ok(());
        }
        let Some(wanted) = env_command(argument) else { return Ok(()) };
        let shown = String::from_utf8_lossy(wanted);
        match self.command(wanted) {
            Ok((path, node)) => self.runs(&path, node, depth + 1),
            Err(Entrypoint::Missing(_)) => {
                Err(Entrypoint::InterpreterMissing(format!("{path} needs {shown:?}, which is not in PATH")))
            }
            Err(Entrypoint::NotExecutable(what)) => {
                Err(Entrypoint::InterpreterMissing(format!("{path} needs {shown:?}, which cannot be run: {what}")))
            }
            Err(other) => Err(other),
        }
    }
}

/// The command among the arguments of `env`; `None` if there is none or its options are not understood. Linux hands over
/// one argument, which only `-S` splits.
fn env_command(argument: &[u8]) -> Option<&[u8]> {
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let argument = argument.trim_ascii_end();
    let Some(split) = argument.strip_prefix(b"-S").or_else(|| argument.strip_prefix(b"--split-string=")) else {
        return (!argument.starts_with(b"-") && !argument.contains(&b'=')).then_some(argument);
    };
    let mut words = split.split(blank).filter(|word| !word.is_empty());
    let word = words.find(|word| !word.contains(&b'=') && **word != *b"-i" && **word != *b"-")?;
    let understood = !word.starts_with(b"-") && !word.iter().any(|byte| b"'\"\\$".contains(byte));
    understood.then_some(word)
}

fn circle(name: &str) -> Entrypoint {
    Entrypoint::Missing(format!("{name}, which links in a circle"))
}

fn is_executable(node: &Node) -> bool {
    matches!(&node.is, Is::File(file) if file.executable)
}

fn why_not(path: &str, node: &Node) -> String {
    match &node.is {
        Is::Directory => format!("{path} is a folder"),
        Is::Special => format!("{path} is a device or a pipe"),
        Is::File(_) | Is::Symlink(_) => path.to_owned(),
    }
}

/// `GOARCH` names of image-spec and the ELF machines that run there; `None` for an unknown name. An amd64 kernel runs
/// 386 programs too; 64-bit Arm machines for servers do not run 32-bit ones.
fn fits(architecture: &str, elf: &Elf) -> Option<bool> {
    let (machine, wide, little) = (elf.machine, elf.wide, elf.little);
    Some(match architecture {
        "amd64" => (machine == 62 || machine == 3) && little,
        "386" => machine == 3 && !wide && little,
        "arm64" => machine == 183 && wide && little,
        "arm" => machine == 40 && !wide && little,
        "ppc64le" => machine == 21 && wide && little,
        "ppc64" => machine == 21 && wide && !little,
        "s390x" => machine == 22 && wide && !little,
        "riscv64" => machine == 243 && wide && little,
        "loong64" => machine == 258 && wide && little,
        "mips64le" => machine == 8 && little,
        "mips64" => machine == 8 && !little,
        "mipsle" => machine == 8 && !wide && little,
        "mips" => machine == 8 && !wide && !little,
        _ => return None,
    })
}

fn machine_name(elf: &Elf) -> String {
    let name = match (elf.machine, elf.wide, elf.little) {
        (62, ..) => "amd64",
        (3, ..) => "386",
        (183, ..) => "arm64",
        (40, ..) => "arm",
        (21, true, true) => "ppc64le",
        (21, true, false) => "ppc64",
        (22, true, _) => "s390x",
        (243, true, _) => "riscv64",
        (258, ..) => "loong64",
        (8, ..) => "mips",
        (machine, ..) => return format!("ELF machine {machine}"),
    };
    name.to_owned()
}
