//! Whatever it is shown, lint answers: no panic, places inside the file, and an end.

use super::{Kind, examine, found};
use crate::exit::Exit;

#[test]
fn odd_but_valid_files() {
    for text in [
        "a: {script: [[[x]], {y: z}, null, 1]}\n",
        "a:\n  script:\n  needs: {x: y}\n  rules: x\n  extends: a\n  image: [x]\n",
        ".a: {extends: .b}\n.b: {extends: .a}\nc: {extends: [.a, .missing], script: x}\n",
        "a: {script: !reference [a, script]}\n",
        "a: {script: !reference []}\nb: {script: !reference [a]}\n",
        "a:\n  script:\n    - >\n      aws ecr\n      wait image-scan-complete\n\n      next\n    - aws\n      ecr wait\n      image-scan-complete\n",
        "? [a, b]\n: c\nd: {script: ü || true}\n",
        "on: push\njobs: {a: null, b: [], c: {steps: {x: y}, needs: {a: b}, if: [x], container: null, timeout-minutes: x}}\n",
        "stages: x\ninclude:\na: {script: \"multi\\nline || true\"}\n",
        "variables: {AWS_ACCESS_KEY_ID: ''}\na: {script: 'docker push x'}\n",
    ] {
        let lines = text.lines().count();
        for kind in [None, Some(Kind::Gitlab), Some(Kind::Github), Some(Kind::Shell)] {
            if let Ok(report) = examine("x.yml", text, kind) {
                assert!(report.findings.iter().all(|finding| finding.line <= lines && finding.column >= 1), "{text}");
            }
        }
    }
}

#[test]
fn folded_scripts_have_their_lines() {
    let text = "a:\n  timeout: 13m\n  script:\n    - >\n      aws ecr\n      wait image-scan-complete\n    - aws\n      ecr wait\n      image-scan-complete\n";
    assert_eq!(found("x.yml", text), [("lint.scanWaiter", 6), ("lint.scanWaiter", 9)]);
}

/// A small generator instead of a dependency: fragments that matter, in every order a fixed seed gives.
#[test]
fn random_files_end_and_do_not_panic() {
    let pieces = [
        "a:",
        "\n",
        "  ",
        "script: ",
        "- ",
        "|\n",
        "'",
        "\"",
        "${",
        "}",
        "{{",
        "aws ecr ",
        "--query ",
        "|| true",
        "// 0",
        "#",
        "\\",
        "<<EOF\n",
        "ü",
        "&x ",
        "*x ",
        "!reference [a, script]",
        "needs: [",
        "]",
        "{",
        "}",
        ":latest",
        "$IMAGE:",
        "@sha256:",
        "set +e",
        "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY=",
        "token: é",
        "://",
        "@",
        "ScanNotFoundException",
        "ecr-gate check ",
        "docker push x",
        "kubectl apply",
        "jobs:\n",
        "on: push\n",
        "if: always()",
        "\u{2028}",
        "\r\n",
        "\t",
    ];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..30 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text.push_str(pieces[usize::try_from(seed % pieces.len() as u64).unwrap()]);
        }
        for kind in [None, Some(Kind::Gitlab), Some(Kind::Github), Some(Kind::Shell)] {
            match examine("x", &text, kind) {
                Ok(report) => {
                    let shown = super::render(&report);
                    assert!(!shown.contains("AKIAIOSFODNN7EXAMPLE"), "{text}");
                }
                Err(failure) => assert_eq!(failure.exit, Exit::Configuration),
            }
        }
    }
}

#[test]
fn long_and_repetitive_files_end_quickly() {
    let started = std::time::Instant::now();
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    let job = |index| format!("j{index}:\n  needs: [j{}]\n  script: [kubectl apply, docker push x/y:1]\n", index + 1);
    let many = lines(400, &job);
    let _ = examine("x.yml", &many, None);
    let _ = examine("x.sh", &"a || b // \"$x:".repeat(40_000), None);
    let _ = examine("x.sh", &"|| ".repeat(100_000), None);
    let _ = examine("x.sh", &"token ".repeat(100_000), None);
    let wide = lines(20_000, &|index| format!("  v{index}: x\n"));
    let jobs = lines(9_000, &|index| format!("j{index}: {{extends: .a, script: x}}\n"));
    let failure =
        examine("x.yml", &format!(".a:\n  variables:\n{wide}{jobs}").replace("  v", "    v"), None).map(|_| ());
    assert!(failure.is_err_and(|failure| failure.what.contains("expand")));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
