//! Reading and writing measurement documents (B17).

use proptest::prelude::*;

use super::*;

fn text() -> String {
    let subject = Digest::of(b"image");
    format!(
        r#"{{"schema":"ecr-gate.dev/measurement/v1","subject":"{subject}","stage":"smoke","tool":"k6 0.50","at":"2026-01-02T04:04:05+01:00",
        "measurements":[{{"metric":"memory_peak_bytes","unit":"MiB","samples":["12.5",13,12.25]}},
        {{"metric":"errors","unit":"count","samples":[0]}}]}}"#
    )
}

fn read(text: &str) -> Result<Vec<Measurement>, ParseError> {
    parse(text.as_bytes(), &Limits::STANDARD)
}

#[test]
fn b17_a_document_is_read_without_rounding() {
    let measured = read(&text()).unwrap();
    assert_eq!(measured.len(), 2);
    let memory = &measured[0];
    assert_eq!(
        (memory.metric.as_str(), memory.tool.as_str(), memory.stage.as_str()),
        ("memory_peak_bytes", "k6 0.50", "smoke")
    );
    assert_eq!(
        (memory.subject.clone(), memory.at.to_string().as_str()),
        (Digest::of(b"image"), "2026-01-02T03:04:05Z")
    );
    let amounts: Vec<u64> = memory.samples.iter().map(|sample| sample.amount).collect();
    assert_eq!(amounts, [12_800 << 10, 13 << 20, 12_544 << 10], "in the order they were taken");
    assert_eq!((measured[1].samples[0].dimension, measured[1].samples[0].amount), (Dimension::Count, 0));
    let exact =
        text().replace("\"MiB\"", "\"B\"").replace("\"12.5\",13,12.25", "9007199254740993,9007199254740992.000000001");
    let amounts: Vec<u64> = read(&exact).unwrap()[0].samples.iter().map(|sample| sample.amount).collect();
    assert_eq!(amounts, [9_007_199_254_740_993, 9_007_199_254_740_993], "no floating point, and rounded up");
}

#[test]
fn b17_what_is_written_is_read_back_the_same() {
    let measured = read(&text()).unwrap();
    let bytes = document(&measured).unwrap();
    assert_eq!(parse(&bytes, &Limits::STANDARD), Ok(measured.clone()));
    assert_eq!(document(&measured).unwrap(), bytes);
    let subject = Digest::of(b"image");
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        format!(
            "{{\"schema\":\"ecr-gate.dev/measurement/v1\",\"subject\":\"{subject}\",\"stage\":\"smoke\",\"tool\":\"k6 0.50\",\
             \"at\":\"2026-01-02T03:04:05Z\",\"measurements\":[{{\"metric\":\"memory_peak_bytes\",\"unit\":\"B\",\"samples\":\
             [\"13107200\",\"13631488\",\"12845056\"]}},{{\"metric\":\"errors\",\"unit\":\"count\",\"samples\":[\"0\"]}}]}}"
        )
    );
}

#[test]
fn b17_what_cannot_be_read_is_not_written() {
    let measured = read(&text()).unwrap();
    let refused = |change: fn(&mut Vec<Measurement>)| {
        let mut changed = measured.clone();
        change(&mut changed);
        document(&changed).is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(Vec::clear));
    assert!(refused(|m| m[0].subject = Digest::of(b"other")));
    assert!(refused(|m| m[0].stage = "canary".to_owned()));
    assert!(refused(|m| m[1].at = Timestamp::UNIX_EPOCH));
    assert!(refused(|m| m[0].samples.clear()));
    assert!(refused(|m| m[0].samples[1].dimension = Dimension::Time));
    assert!(refused(|m| m[0].samples = vec![m[0].samples[0]; 1_001]));
    assert!(refused(|m| m[0].metric = "two\nlines".to_owned()));
    assert!(refused(|m| m[0].metric = m[1].metric.clone()));
    assert!(refused(|m| m[0].samples[0].amount = u64::MAX), "more digits than a quantity is read with");
}

#[test]
fn b17_what_is_not_understood_is_refused_and_named() {
    let with = |from: &str, to: &str| text().replacen(from, to, 1);
    let long = "x".repeat(129);
    for (text, why) in [
        (String::new(), "EOF"),
        ("[]".to_owned(), "invalid"),
        ("{}".to_owned(), "no schema"),
        (with("measurement/v1", "measurement/v2"), "measurement/v2"),
        (with("\"schema\"", "\"note\":\"x\",\"schema\""), "unknown field"),
        (with("\"unit\"", "\"Unit\""), "unknown field"),
        (with("\"stage\":\"smoke\"", "\"stage\":\"smoke\",\"stage\":\"canary\""), "duplicate"),
        (with("\"stage\":\"smoke\",", ""), "missing field"),
        (with("sha256:", "sha256:0"), "subject"),
        (with("2026-01-02T04:04:05+01:00", "2026-01-02"), "no time"),
        (with("smoke", ""), "stage"),
        (with("smoke", " smoke"), "stage"),
        (with("k6", "k\\u001b[31m6"), "tool"),
        (with("memory_peak_bytes", &long), "measurements[0].metric"),
        (with("memory_peak_bytes", "errors"), "twice"),
        (with("\"MiB\"", "\"parsec\""), "measurements[0].samples[0]"),
        (with("\"12.5\",13,12.25", ""), "0 samples"),
        (with("\"12.5\",13,12.25", &vec!["1"; 1_001].join(",")), "1001 samples"),
        (with("13,", "null,"), "samples[1]"),
        (with("13,", "-13,"), "samples[1]"),
        (with("13,", "1e3,"), "samples[1]"),
        (with("13,", "[13],"), "samples[1]"),
        (with("13,", "\"\","), "samples[1]"),
        (with("13,", "\"1\\u0033\","), "samples[1]"),
        (with("13,", "\"13 MiB\","), "samples[1]"),
        (with("\"measurements\":[", "\"measurements\":null,\"x\":["), "null"),
    ] {
        let error = read(&text).expect_err(why);
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    let none = with("\"measurements\":[", "\"measurements\":[],\"x\":[");
    assert!(read(&none).is_err());
    let small = Limits { bytes: text().len() - 1, ..Limits::STANDARD };
    assert!(parse(text().as_bytes(), &small).unwrap_err().cause.contains("bytes"));
    let few = Limits { entries: 1, ..Limits::STANDARD };
    assert!(parse(text().as_bytes(), &few).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn b17_every_amount_survives_writing(amounts in prop::collection::vec(0..1_000_000_000_000_000_000_u64, 1..5), which in 0..5_usize) {
        let dimension = [Dimension::Size, Dimension::Time, Dimension::Cpu, Dimension::Ratio, Dimension::Count][which];
        let samples = amounts.into_iter().map(|amount| Quantity { dimension, amount }).collect();
        let measured = vec![Measurement { samples, ..read(&text()).unwrap().swap_remove(0) }];
        let bytes = document(&measured).unwrap();
        prop_assert_eq!(parse(&bytes, &Limits::STANDARD).unwrap(), measured);
    }

    #[test]
    fn b17_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes, &Limits::STANDARD).is_err());
    }

    #[test]
    fn b17_a_changed_or_cut_document_loses_no_metric(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text().into_bytes();
        let at = at.index(bytes.len());
        prop_assert!(parse(&bytes[..at], &Limits::STANDARD).is_err());
        bytes[at] = byte;
        if let Ok(measured) = parse(&bytes, &Limits::STANDARD) {
            prop_assert_eq!(measured.len(), 2);
            prop_assert!(measured.iter().all(|m| !m.samples.is_empty()));
        }
    }
}
