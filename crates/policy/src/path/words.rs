//! The sentences of the path to green. Names and versions in them are foreign text: whoever shows them makes them harmless.

use std::fmt::Write as _;

use model::{Platform, ReasonCode};

use super::{BlockedPackage, Introduced, Introducer, Stays, ToGo};

/// How many names a sentence holds.
const SHOWN: usize = 4;

pub(super) fn origins(introduced: &[Introduced]) -> String {
    let parts: Vec<String> = introduced
        .iter()
        .map(|who| match &who.by {
            Introducer::Base(name) => format!("{} from the base image {name}", who.findings),
            Introducer::Own => format!("{} from the image's own layers", who.findings),
            Introducer::Unknown => format!("{} of unknown origin ({})", who.findings, who.why.join("; ")),
        })
        .collect();
    parts.join(", ")
}

pub(super) fn rebuild(base: &str, newer_build: Option<bool>, clears: u64, packages: &[String]) -> String {
    let on = match newer_build {
        Some(true) => format!("build again on {base} of today (`docker build --pull`)"),
        _ => format!("build again on a newer {base}"),
    };
    let packages = if packages.is_empty() { String::new() } else { format!(" ({})", shown(packages)) };
    format!("{on}: may clear {}{packages}", findings(clears))
}

pub(super) fn upgrade(package: &BlockedPackage) -> String {
    let mut text = format!("upgrade {}", shown(&package.names));
    let installed = if package.names.len() == 1 { shown(&package.installed) } else { String::new() };
    for part in [installed, to(&package.upgrade_to)] {
        if !part.is_empty() {
            text = format!("{text} {part}");
        }
    }
    if let Introducer::Base(name) = &package.by {
        let _ = write!(text, " above {name}, of which there is no other build today");
    }
    let _ = write!(text, ": clears {}", findings(package.fixed));
    let platforms: Vec<String> = package.platforms.iter().map(Platform::to_string).collect();
    if !platforms.is_empty() {
        let _ = write!(text, " ({})", shown(&platforms));
    }
    if package.version_not_said > 0 {
        let _ = write!(text, "; of {} the fixed version is not said", package.version_not_said);
    }
    if package.only_warned > 0 {
        let _ = write!(text, "; {} of this package are only warned of", package.only_warned);
    }
    text
}

/// `to 1.2`, `to 1.2 or 2.0`, `to at least each of 1.2, 1.3`
fn to(versions: &[Vec<String>]) -> String {
    let each: Vec<String> = versions.iter().map(|one_of| one_of.join(" or ")).collect();
    match each.as_slice() {
        [] => String::new(),
        [only] => format!("to {only}"),
        several => format!("to at least each of {}", shown(several)),
    }
}

pub(super) fn rule(policy: &str, rule: &str, code: ReasonCode, remedies: &str, only_warns: bool) -> String {
    let warns = if only_warns { ", only a warning" } else { "" };
    if policy.is_empty() {
        return format!("{code}{warns}: {remedies}");
    }
    format!("rule {rule} of policy {policy} ({code}{warns}): {remedies}")
}

pub(super) fn to_go(limit: &ToGo) -> String {
    let platform = limit.platform.as_ref().map_or_else(String::new, |platform| format!("{platform}: "));
    let (severity, verb) = (&limit.severity, if limit.to_go == 1 { "has" } else { "have" });
    format!(
        "{platform}{severity}: {} of {} {verb} to go; rule {} of policy {} allows {}",
        limit.to_go,
        findings(limit.found),
        limit.rule,
        limit.policy,
        limit.allowed
    )
}

/// What is left; `nothing_helps` says that no step clears any finding.
pub(super) fn stays(stays: &Stays, nothing_helps: bool, newer_base: bool, denied: bool) -> String {
    let after = if newer_base { "After all steps, if the newer base has the fixes," } else { "After all steps" };
    let unlisted = match stays.unlisted {
        0 => String::new(),
        number => format!(" {number} more are counted by the scanner and not listed: nothing can be said about them."),
    };
    if stays.findings == 0 {
        return format!("{after} no listed finding is left.{unlisted}");
    }
    let mut parts = Vec::new();
    if stays.no_fix > 0 {
        parts.push(format!("{} without a fix", stays.no_fix));
    }
    if stays.fix_not_said > 0 {
        parts.push(format!("{} where no source says whether there is a fix", stays.fix_not_said));
    }
    let verb = if stays.findings == 1 { "is" } else { "are" };
    let left = if nothing_helps {
        format!("No upgrade is known for {}: {}.", findings(stays.findings), parts.join(", "))
    } else {
        format!("{after} {} {verb} left: {}.", findings(stays.findings), parts.join(", "))
    };
    let exception = if denied {
        "an exception with an end date (not for what a deny list names)"
    } else {
        "an exception with an end date"
    };
    let newer = if stays.fix_not_said > 0 { "a newer version if there is one, " } else { "" };
    let rest = match stays.blocking {
        0 => "The limits allow that.".to_owned(),
        number => {
            let which = if number == stays.findings { String::new() } else { format!(" of the {number} that block") };
            format!("What remains{which}: {newer}{exception}, a VEX statement, or another package.")
        }
    };
    format!("{left} {rest}{unlisted}")
}

fn findings(number: u64) -> String {
    format!("{number} finding{}", if number == 1 { "" } else { "s" })
}

fn shown(names: &[String]) -> String {
    match names.len() {
        more if more > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), more - SHOWN),
        _ => names.join(", "),
    }
}
