//! Severity words of the scanners to the vocabulary of `model` (S21). Every format has its own list; a word outside it is
//! kept as [`Severity::Unknown`], which policy treats as the most serious severity that it limits.
//! Not here: what a severity leads to.

use model::Severity;

/// The words of one format, each with what it means here. Words are compared without regard to case.
pub(super) type Words = [(&'static str, Severity)];

/// Trivy (`Severity`). `UNKNOWN` says that no source has rated it.
pub(super) static TRIVY: &Words = &[
    ("CRITICAL", Severity::Critical),
    ("HIGH", Severity::High),
    ("MEDIUM", Severity::Medium),
    ("LOW", Severity::Low),
    ("UNKNOWN", Severity::Undefined),
];

/// Grype (`vulnerability.severity`) and Harbor (`severity`). `Negligible` is a distribution's word for "only noted".
pub(super) static GRYPE: &Words = &[
    ("Critical", Severity::Critical),
    ("High", Severity::High),
    ("Medium", Severity::Medium),
    ("Low", Severity::Low),
    ("Negligible", Severity::Informational),
    ("Unknown", Severity::Undefined),
];

/// Harbor's scanner reports: Grype's words and `None`, which says that nobody has rated it.
pub(super) static HARBOR: &Words = &[
    ("Critical", Severity::Critical),
    ("High", Severity::High),
    ("Medium", Severity::Medium),
    ("Low", Severity::Low),
    ("Negligible", Severity::Informational),
    ("None", Severity::Undefined),
    ("Unknown", Severity::Undefined),
];

/// Snyk (`severity`).
pub(super) static SNYK: &Words =
    &[("critical", Severity::Critical), ("high", Severity::High), ("medium", Severity::Medium), ("low", Severity::Low)];

/// What the word means in a format, and the scanner's own word where that is another one than ours.
pub(super) fn read(word: &str, words: &Words) -> (Severity, Option<String>) {
    let known = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, severity)| severity.clone());
    let severity = known.unwrap_or_else(|| Severity::Unknown(shortened(word)));
    let rating = (!severity.as_str().eq_ignore_ascii_case(word)).then(|| shortened(word));
    (severity, rating)
}

/// The severity that CVSS itself gives a base score (in tenths), for sources that give a score and no word:
/// specification of CVSS 3.1 and 4.0, "qualitative severity rating scale". A score of 0.0 is `None` there.
pub(super) fn of_score(tenths: u16) -> Severity {
    match tenths {
        0 => Severity::Informational,
        1..=39 => Severity::Low,
        40..=69 => Severity::Medium,
        70..=89 => Severity::High,
        90.. => Severity::Critical,
    }
}

fn shortened(word: &str) -> String {
    word.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s21_each_word_has_one_meaning_and_any_other_is_unknown() {
        for (words, word, severity, rating) in [
            (TRIVY, "CRITICAL", Severity::Critical, None),
            (TRIVY, "high", Severity::High, None),
            (TRIVY, "UNKNOWN", Severity::Undefined, Some("UNKNOWN")),
            (GRYPE, "Negligible", Severity::Informational, Some("Negligible")),
            (HARBOR, "None", Severity::Undefined, Some("None")),
            (SNYK, "medium", Severity::Medium, None),
            (SNYK, "negligible", Severity::Unknown("negligible".to_owned()), None),
            (TRIVY, "INFORMATIONAL", Severity::Unknown("INFORMATIONAL".to_owned()), None),
            (TRIVY, "", Severity::Unknown(String::new()), None),
            (GRYPE, "High ", Severity::Unknown("High ".to_owned()), None),
        ] {
            assert_eq!(read(word, words), (severity, rating.map(str::to_owned)), "{word:?}");
        }
        let Severity::Unknown(kept) = read(&"é".repeat(1000), TRIVY).0 else { panic!("known") };
        assert_eq!(kept.chars().count(), 64);
    }

    #[test]
    fn b14_a_score_alone_has_the_severity_of_the_cvss_scale() {
        for (tenths, severity) in [
            (0, Severity::Informational),
            (1, Severity::Low),
            (39, Severity::Low),
            (40, Severity::Medium),
            (69, Severity::Medium),
            (70, Severity::High),
            (89, Severity::High),
            (90, Severity::Critical),
            (100, Severity::Critical),
        ] {
            assert_eq!(of_score(tenths), severity, "{tenths}");
        }
    }
}
