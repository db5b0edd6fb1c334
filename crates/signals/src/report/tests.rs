//! The one way in: a report of any format, and what is refused before a format is known.

use super::*;

fn read(text: &str) -> Result<Document, ParseError> {
    parse(text.as_bytes(), &Limits::STANDARD)
}

const TRIVY: &str = r#"{"SchemaVersion":2,"CreatedAt":"2026-01-02T03:04:05Z","ArtifactType":"container_image",
  "Metadata":{"OS":{"Family":"alpine"}},"Results":[{"Target":"a","Class":"os-pkgs"}]}"#;
const GRYPE: &str = r#"{"matches":[],"source":{"type":"image","target":{"userInput":"a"}},
  "descriptor":{"name":"grype","timestamp":"2026-01-02T03:04:05Z","db":{"built":"2026-01-01T00:00:00Z"}}}"#;
const SNYK: &str = r#"[{"vulnerabilities":[],"ok":true,"packageManager":"apk"}]"#;
const HARBOR: &str = r#"{"application/vnd.security.vulnerability.report; version=1.1":
  {"generated_at":"2026-01-02T03:04:05Z","scanner":{"name":"x"},"vulnerabilities":[]}}"#;

#[test]
fn b14_every_format_finds_its_reader() {
    for (text, scanner, complete) in [
        (TRIVY, Scanner::Trivy, true),
        (GRYPE, Scanner::Grype, true),
        (SNYK, Scanner::Snyk, false),
        (HARBOR, Scanner::Harbor, false),
    ] {
        let document = read(text).expect(text);
        assert_eq!((document.scanner, document.scan.is_ok()), (scanner, complete));
        assert!(document.unproven.is_empty());
        let marked = format!("\u{feff}\n {text}\r\n");
        assert_eq!(read(&marked).expect(&marked).scanner, scanner, "with a byte order mark");
        for garbage in ["{}", ",", "\0", "]", text] {
            assert!(read(&format!("{text}{garbage}")).is_err(), "{garbage:?} behind {text}");
        }
    }
}

#[test]
fn a5_keys_that_are_written_with_escapes_are_the_same_keys() {
    let text = TRIVY.replace("\"Results\"", "\"Resul\\u0074s\"");
    assert!(read(&text).unwrap().scan.is_ok());
    let twice = TRIVY.replace("\"Results\"", "\"Results\":[],\"Resul\\u0074s\"");
    assert!(read(&twice).unwrap_err().cause.contains("twice"));
}

#[test]
fn a5_depth_is_bounded_where_it_is_read_and_costs_nothing_where_it_is_not() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let passed_over = TRIVY.replacen('{', &format!(r#"{{"x":{},"#, deep(1_000_000)), 1);
    assert!(read(&passed_over).unwrap().scan.is_ok());
    let nested = r#"{"vulnerabilities":[],"ok":true,"applications":["#;
    let text = format!("{}{}", nested.repeat(10_000), "]}".repeat(10_000));
    assert!(read(&text).unwrap_err().cause.contains("recursion limit"));
    assert!(read(&deep(1_000_000)).is_err());
}

#[test]
fn a5_a_report_over_the_limit_is_refused() {
    let limits = Limits { bytes: TRIVY.len() - 1, ..Limits::STANDARD };
    assert!(parse(TRIVY.as_bytes(), &limits).unwrap_err().cause.contains("at most"));
}

proptest::proptest! {
    #[test]
    fn a5_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        proptest::prop_assert!(parse(&bytes, &Limits::STANDARD).map_or(true, |document| document.scan.is_err()));
    }

    /// Two documents cut and put together are no clean scan, unless the cut took nothing away.
    #[test]
    fn a5_halves_of_two_reports_are_no_scan(one in 0usize..400, other in 0usize..400) {
        let (one, other) = (one % TRIVY.len(), other % GRYPE.len());
        proptest::prop_assume!(one > 0 && other > 0);
        let text = format!("{}{}", &TRIVY[..one], &GRYPE[other..]);
        proptest::prop_assume!(text != GRYPE);
        proptest::prop_assert!(read(&text).map_or(true, |document| document.scan.is_err()), "{text}");
    }
}
