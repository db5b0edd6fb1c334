//! What whoever is blocked can ask for, beside repairing it: the command that asks for an exception (B11).

use std::collections::BTreeSet;

use model::Verdict;

use crate::record::Record;

/// Says of each thing that blocks, and that somebody may let through, how to ask for that.
pub fn offer_exceptions(record: &mut Record) {
    let (Verdict::Deny, Some(id), Some(digest)) = (record.verdict, &record.id, &record.image.digest) else { return };
    let of_image = format!("{}@{digest} ", record.image.name);
    let environment = &record.environment.name;
    let command =
        |what: &str| format!("or ask for an exception: ecr-gate exception request {what} --reason \"…\" --expires 14d");
    let all = command(&format!("--decision {id}"));
    let findings: BTreeSet<(&str, Option<&str>)> =
        record.findings.blocking.iter().map(|judged| (judged.finding.id.as_str(), package(&judged.finding))).collect();
    let single = match findings.first() {
        Some((cve, Some(package))) if findings.len() == 1 && [*cve, package, environment].into_iter().all(is_plain) => {
            Some(command(&format!("{of_image}--cve {cve} --package {package} --environment {environment}")))
        }
        _ => None,
    };
    for reason in &mut record.reasons {
        let code = reason.reason.code.as_str();
        // What is not known is looked up, not excepted; a deny list stands; and who signed what is hardly ever waived.
        let never = ["vuln.denied", "policy.noneMatched", "internal"].contains(&code)
            || ["deny.", "signature.", "attestation.", "provenance.", "trust.", "vsa."]
                .iter()
                .any(|kind| code.starts_with(kind));
        if reason.class.is_some() || never {
            continue;
        }
        let offered = if code.starts_with("vuln.") {
            if findings.is_empty() {
                continue;
            }
            single.clone().unwrap_or_else(|| all.clone())
        } else {
            match reason.rules.as_slice() {
                [rule] if is_plain(rule) && is_plain(environment) => {
                    command(&format!("{of_image}--rule {rule} --environment {environment}"))
                }
                _ => all.clone(),
            }
        };
        let remedy = reason.reason.remedy.trim_end_matches('.');
        let remedy = remedy.trim_end_matches("; or ask for an exception with an end date");
        reason.reason.remedy = format!("{remedy}; {offered}");
    }
}

/// The package that a finding is in, if it is one.
fn package(finding: &model::Finding) -> Option<&str> {
    let first = finding.packages.first()?;
    finding.packages.iter().all(|package| package.name == first.name).then_some(first.name.as_str())
}

/// Nothing that a shell or a person would read otherwise: names come from scanners, and the command is there to be copied.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+@/:-".contains(&byte);
    !text.is_empty() && text.len() <= 200 && !text.starts_with('-') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_a_shell_would_read_otherwise_is_in_no_command() {
        for plain in ["openssl", "libstdc++6", "@babel/core", "org.apache:log4j", "CVE-2021-44228", "house/user"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in
            ["", "a b", "a;b", "$(a)", "`a`", "a'b", "a\"b", "a|b", "a>b", "a\nb", "-a", "\u{430}", "a&b", "a*"]
        {
            assert!(!is_plain(other), "{other:?}");
        }
    }
}
