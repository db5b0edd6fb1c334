//! Every outcome of the search for what an image would run.

use super::*;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A program with one program header for its interpreter, if it has one.
pub(super) fn elf(machine: u16, wide: bool, little: bool, interpreter: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0; if wide { 64 + 56 } else { 52 + 32 }];
    let mut put = |at: usize, count: usize, number: u64| {
        let number =
            if little { number.to_le_bytes()[..count].to_vec() } else { number.to_be_bytes()[8 - count..].to_vec() };
        bytes[at..at + count].copy_from_slice(&number);
    };
    let (word, header) = if wide { (8, 64) } else { (4, 52) };
    put(16, 2, 3);
    put(18, 2, machine.into());
    put(if wide { 32 } else { 28 }, word, header);
    put(if wide { 54 } else { 42 }, 2, if wide { 56 } else { 32 });
    put(if wide { 56 } else { 44 }, 2, 1);
    let at = usize::try_from(header).unwrap();
    put(at, 4, if interpreter.is_some() { 3 } else { 1 });
    let text = interpreter.map_or(Vec::new(), |interpreter| [interpreter.as_bytes(), b"\0"].concat());
    let end = header + if wide { 56 } else { 32 };
    put(at + if wide { 8 } else { 4 }, word, end);
    put(at + if wide { 32 } else { 16 }, word, text.len() as u64);
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, if little { 1 } else { 2 }, 1]);
    [bytes, text].concat()
}

fn amd64(interpreter: Option<&str>) -> Vec<u8> {
    elf(62, true, true, interpreter)
}

fn outcome(config: &ImageConfig, entries: &[Make<'_>]) -> Entrypoint {
    try_contents(config, &[entries]).unwrap().entrypoint
}

/// The outcome for these arguments.
fn run(arguments: &[&str], entries: &[Make<'_>]) -> Entrypoint {
    outcome(&config(1, arguments), entries)
}

fn resolved(path: &str) -> Entrypoint {
    Entrypoint::Resolved(path.to_owned())
}

#[test]
fn b16_a_static_program_resolves() {
    let program = amd64(None);
    assert_eq!(run(&["/app"], &[Put("app", 0o755, &program)]), resolved("/app"));
    assert_eq!(run(&["/app", "--serve"], &[Put("app", 0o100, &program)]), resolved("/app"));
    assert_eq!(run(&[], &[Put("app", 0o755, &program)]), Entrypoint::NotSet);
    let mut image = config(1, &[]);
    image.command = vec!["/app".to_owned()];
    assert_eq!(outcome(&image, &[Put("app", 0o755, &program)]), resolved("/app"), "Cmd alone");
    image.entrypoint = vec!["/init".to_owned()];
    assert_eq!(outcome(&image, &[Put("app", 0o755, &program)]), Entrypoint::Missing("/init".to_owned()));
}

#[test]
fn b16_a_missing_program_is_missing() {
    let program = amd64(None);
    for arguments in [["/app"], ["app"], ["./app"], [""]] {
        assert_eq!(run(&arguments, &[Folder("srv")]), Entrypoint::Missing(arguments[0].to_owned()));
    }
    let mut reader = Reader::new(&config(2, &["/app"]), &Limits::STANDARD);
    reader.layer(GZIP, &gzip(&tar_of(&[Put("app", 0o755, &program)]))[..]).unwrap();
    reader.layer(GZIP, &gzip(&tar_of(&[Put(".wh.app", 0o644, b"")]))[..]).unwrap();
    assert_eq!(reader.finish().unwrap().entrypoint, Entrypoint::Missing("/app".to_owned()), "hidden above");
    assert_eq!(run(&["/app"], &[Link("app", "/gone")]), Entrypoint::Missing("/app".to_owned()));
    let circle = run(&["/app"], &[Link("app", "/other"), Link("other", "app")]);
    assert_eq!(circle, Entrypoint::Missing("/app, which links in a circle".to_owned()));
}

#[test]
fn b16_names_are_looked_for_as_runtimes_do() {
    let program = amd64(None);
    let in_bin: &[Make<'_>] = &[Put("usr/bin/app", 0o755, &program)];
    assert_eq!(run(&["app"], in_bin), resolved("/usr/bin/app"), "the default PATH");
    let mut image = config(1, &["app"]);
    image.path = vec!["/opt".to_owned(), "/usr/bin".to_owned()];
    assert_eq!(outcome(&image, in_bin), resolved("/usr/bin/app"));
    image.path = vec!["/opt".to_owned()];
    assert_eq!(outcome(&image, in_bin), Entrypoint::Missing("app".to_owned()));
    image.path = vec![String::new(), "usr/bin".to_owned()];
    assert_eq!(outcome(&image, in_bin), Entrypoint::Missing("app".to_owned()), "relative parts of PATH");
    // What is not executable is passed over.
    let twice: &[Make<'_>] = &[Put("usr/local/bin/app", 0o644, &program), Put("usr/bin/app", 0o755, &program)];
    assert_eq!(run(&["app"], twice), resolved("/usr/bin/app"));
    let mut image = config(1, &["./bin/app"]);
    image.working_dir = "/usr".to_owned();
    assert_eq!(outcome(&image, in_bin), resolved("/usr/bin/app"));
    image.entrypoint = vec!["bin/../bin/app".to_owned()];
    assert_eq!(outcome(&image, in_bin), resolved("/usr/bin/app"));
}

#[test]
fn b16_links_lead_to_the_program() {
    let program = amd64(None);
    let merged: &[Make<'_>] =
        &[Link("bin", "usr/bin"), Link("usr/bin/sh", "busybox"), Put("usr/bin/busybox", 0o755, &program)];
    assert_eq!(run(&["/bin/sh", "-c", "run"], merged), resolved("/usr/bin/busybox"));
    assert_eq!(run(&["/bin/bash", "-c", "run"], merged), Entrypoint::Missing("/bin/bash".to_owned()));
    let alternatives: &[Make<'_>] = &[
        Link("usr/bin/java", "/etc/alternatives/java"),
        Link("etc/alternatives/java", "../../opt/jdk/bin/java"),
        Put("opt/jdk/bin/java", 0o755, &program),
    ];
    assert_eq!(run(&["java"], alternatives), resolved("/opt/jdk/bin/java"));
    let hard: &[Make<'_>] = &[Put("bin/busybox", 0o755, &program), Hard("bin/sh", "bin/busybox")];
    assert_eq!(run(&["sh"], hard), resolved("/bin/sh"));
}

#[test]
fn b16_what_cannot_be_executed_is_told() {
    let program = amd64(None);
    let not = |entries: &[Make<'_>]| match run(&["/app"], entries) {
        Entrypoint::NotExecutable(what) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(not(&[Put("app", 0o644, &program)]), "/app");
    assert_eq!(not(&[Folder("app")]), "/app is a folder");
    assert_eq!(not(&[Device("app")]), "/app is a device or a pipe");
    assert_eq!(not(&[Put("app", 0o755, b"")]), "/app: it is empty");
    assert_eq!(not(&[Put("app", 0o755, b"echo hello\n")]), "/app: it is no ELF program and has no #! line");
    assert_eq!(not(&[Put("app", 0o755, &program[..40])]), "/app: its ELF header is damaged");
    assert_eq!(not(&[Put("app", 0o755, b"#!\n")]), "/app: its #! line names no interpreter");
    let mut object = program.clone();
    object[16] = 1;
    assert_eq!(not(&[Put("app", 0o755, &object)]), "/app: it is an ELF file but no program");
    assert_eq!(not(&[Hard("app", "data"), Put("data", 0o644, b"x")]), "/app");
}

#[test]
fn b16_programs_are_for_the_image_s_architecture() {
    for (architecture, machine, wide, little) in [
        ("amd64", 62, true, true),
        ("amd64", 3, false, true),
        ("386", 3, false, true),
        ("arm64", 183, true, true),
        ("arm", 40, false, true),
        ("ppc64le", 21, true, true),
        ("s390x", 22, true, false),
        ("riscv64", 243, true, true),
        ("loong64", 258, true, true),
    ] {
        let program = elf(machine, wide, little, None);
        let mut image = config(1, &["/app"]);
        image.platform.architecture = architecture.to_owned();
        assert_eq!(outcome(&image, &[Put("app", 0o755, &program)]), resolved("/app"), "{architecture}");
        let loader = elf(machine, wide, little, None);
        let dynamic = elf(machine, wide, little, Some("/lib/ld.so"));
        let entries: &[Make<'_>] = &[Put("app", 0o755, &dynamic), Put("lib/ld.so", 0o755, &loader)];
        assert_eq!(outcome(&image, entries), resolved("/app"), "{architecture}");
        image.platform.architecture = if architecture == "mips" { "amd64" } else { "mips" }.to_owned();
        assert!(matches!(outcome(&image, &[Put("app", 0o755, &program)]), Entrypoint::WrongArchitecture(_)));
    }
    let arm = elf(183, true, true, None);
    let wrong = |what: &str| Entrypoint::WrongArchitecture(what.to_owned());
    assert_eq!(run(&["/app"], &[Put("app", 0o755, &arm)]), wrong("/app is for arm64; the image is for amd64"));
    assert_eq!(run(&["/app"], &[Put("app", 0o755, b"MZ\x90")]), wrong("/app: it is a Windows program"));
    assert_eq!(run(&["/app"], &[Put("app", 0o755, b"\xcf\xfa\xed\xfe")]), wrong("/app: it is a macOS program"));
    // The interpreter too.
    let script: &[Make<'_>] = &[Put("app", 0o755, b"#!/bin/sh\n"), Put("bin/sh", 0o755, &arm)];
    assert_eq!(run(&["/app"], script), wrong("/bin/sh is for arm64; the image is for amd64"));
}

#[test]
fn b16_interpreters_are_there() {
    let (program, dynamic) = (amd64(None), amd64(Some(LOADER)));
    let missing = |what: &str| Entrypoint::InterpreterMissing(what.to_owned());
    let loader: &[Make<'_>] = &[
        Put("app", 0o755, &dynamic),
        Link("lib64", "usr/lib64"),
        Link("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-2.36.so"),
        Put("usr/lib/x86_64-linux-gnu/ld-2.36.so", 0o755, &program),
    ];
    assert_eq!(run(&["/app"], loader), resolved("/app"));
    assert_eq!(
        run(&["/app"], &[Put("app", 0o755, &dynamic), Put("lib/ld-musl-x86_64.so.1", 0o755, &program)]),
        missing("/app needs \"/lib64/ld-linux-x86-64.so.2\", which is not there, or is not executable")
    );
    assert_eq!(
        run(&["/app"], &[Put("app", 0o755, &dynamic), Put("lib64/ld-linux-x86-64.so.2", 0o644, &program)]),
        missing("/app needs \"/lib64/ld-linux-x86-64.so.2\", which is not executable")
    );
    let script = |line: &[u8]| run(&["/app"], &[Put("app", 0o755, line), Put("bin/sh", 0o755, &program)]);
    assert_eq!(script(b"#!/bin/sh\nexec x\n"), resolved("/app"));
    assert_eq!(script(b"#! /bin/sh -e\nexec x\n"), resolved("/app"));
    assert_eq!(script(b"#!/bin/sh"), resolved("/app"));
    assert_eq!(script(b"#!/bin/bash\n"), missing("/app needs \"/bin/bash\", which is not there, or is not executable"));
    // Line ends of Windows are part of the name.
    assert_eq!(
        script(b"#!/bin/sh\r\n"),
        missing("/app needs \"/bin/sh\\r\", which is not there, or is not executable")
    );
    let nested: &[Make<'_>] = &[Put("app", 0o755, b"#!/b\n"), Put("b", 0o755, b"#!/app\n")];
    assert_eq!(run(&["/app"], nested), missing("/b: its interpreters need interpreters without end"));
}

#[test]
fn b16_env_finds_its_command() {
    let program = amd64(None);
    let script = |line: &str| {
        let line = format!("#!/usr/bin/env {line}\n");
        run(
            &["/app"],
            &[
                Put("app", 0o755, line.as_bytes()),
                Put("usr/bin/coreutils", 0o755, &program),
                Link("usr/bin/env", "coreutils"),
                Put("usr/bin/python3", 0o755, &program),
            ],
        )
    };
    let missing = |what: &str| Entrypoint::InterpreterMissing(format!("/app needs {what:?}, which is not in PATH"));
    assert_eq!(script("python3"), resolved("/app"));
    assert_eq!(script("python3 "), resolved("/app"));
    assert_eq!(script("python"), missing("python"));
    assert_eq!(script("python3 -u"), missing("python3 -u"), "Linux hands over one argument");
    assert_eq!(script("-S python3 -u"), resolved("/app"));
    assert_eq!(script("-S A=b python -u"), missing("python"));
    assert_eq!(script("-i"), resolved("/app"), "options that are not understood");
}

#[test]
fn b16_long_headers_are_read_to_the_interpreter() {
    // As patchelf leaves it: the name of the interpreter far behind the headers.
    let mut far = amd64(Some(LOADER));
    far.truncate(120);
    far[72..80].copy_from_slice(&9000u64.to_le_bytes());
    far.resize(9000, 1);
    far.extend_from_slice(LOADER.as_bytes());
    far.push(0);
    let program = amd64(None);
    let loader = Put("lib64/ld-linux-x86-64.so.2", 0o755, &program);
    assert_eq!(run(&["/app"], &[Put("app", 0o755, &far), loader]), resolved("/app"));
    assert!(matches!(run(&["/app"], &[Put("app", 0o755, &far)]), Entrypoint::InterpreterMissing(_)));
    let cut = &far[..far.len() - 5];
    assert!(matches!(run(&["/app"], &[Put("app", 0o755, cut)]), Entrypoint::NotExecutable(_)));
    // Headers at the end, the name before them.
    let mut reversed = program.clone();
    reversed[32..40].copy_from_slice(&20_000u64.to_le_bytes());
    reversed.resize(20_000, 1);
    let mut header = amd64(Some(LOADER))[64..120].to_vec();
    header[8..16].copy_from_slice(&9000u64.to_le_bytes());
    reversed.extend(header);
    let outcome = run(&["/app"], &[Put("app", 0o755, &reversed)]);
    assert_eq!(outcome, Entrypoint::NotDecidable("/app: its ELF headers are in an unusual order".to_owned()));
}

#[test]
fn b16_what_cannot_be_told_is_said() {
    let program = amd64(None);
    let mut image = config(1, &["cmd.exe"]);
    image.platform.os = "windows".to_owned();
    let undecided = |outcome: Entrypoint, words: &str| match outcome {
        Entrypoint::NotDecidable(why) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    };
    undecided(outcome(&image, &[Folder("Files")]), "images for windows/amd64 are not looked into");
    let mut image = config(1, &["/app"]);
    image.platform.architecture = "tricore".to_owned();
    undecided(outcome(&image, &[Put("app", 0o755, &program)]), "programs for \"tricore\" are not known");
    undecided(run(&["/app"], &[Put("app", 0o755, b"\0asm\x01\0\0\0")]), "WebAssembly");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn b16_a_changed_program_is_read_without_panic(at in 0usize..160, byte in any::<u8>(), wide in any::<bool>()) {
        let mut program = elf(62, wide, true, Some(LOADER));
        let at = at % program.len();
        program[at] = byte;
        let _ = run(&["/app"], &[Put("app", 0o755, &program)]);
    }

    #[test]
    fn b16_any_start_of_a_file_is_read_without_panic(start in prop_oneof![Just(&b"\x7fELF"[..]), Just(&b"#!"[..]), Just(&b""[..])],
        rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = run(&["/app"], &[Put("app", 0o755, &[start, &rest].concat())]);
    }
}
