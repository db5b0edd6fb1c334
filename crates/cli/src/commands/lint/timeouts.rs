//! Job time limits, and whether they leave the gate the time it was given (S14: its timeout and 3 minutes).

use super::finding::{self as rule, Report};
use super::shell::Command;
use super::words;
use super::yaml::Place;

/// `13 minutes`, `1h 30m`, `3600 seconds`, `90` (seconds): GitLab's spelling, in minutes.
pub(super) fn gitlab_minutes(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    let mut number: Option<u64> = None;

    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        if digits {
            number = Some(part.parse().ok()?);
            continue;
        }
        let unit = match part.trim_matches([' ', ',']).trim_end_matches("and").trim() {
            "" => continue,
            unit if unit.starts_with("mo") => return None,
            unit if unit.starts_with('s') => 1,
            unit if unit.starts_with('m') => 60,
            unit if unit.starts_with('h') => 3600,
            unit if unit.starts_with('d') => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    Some((seconds + number.unwrap_or(0)) / 60)
}

/// The `--timeout` of the gate in these commands, in seconds; ecr-gate's own default when it is not said.
fn gate_seconds(commands: &[Command]) -> Option<u64> {
    let gate = commands.iter().find(|command| words::is_gate(&command.text) && command.text.contains("ecr-gate"))?;
    let Some(at) = words::find_phrase(&gate.text, "--timeout") else { return Some(600) };
    let value = gate.text[at + "--timeout".len()..].trim_start_matches([' ', '=', '"', '\'']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(value.len());
    let (number, unit) = value[..end].split_at(value[..end].find(|c: char| !c.is_ascii_digit()).unwrap_or(end));
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Warns when the job's limit ends the gate before its own.
pub(super) fn compare(job_minutes: Option<u64>, at: Place, commands: &[Command], report: &mut Report<'_>) {
    if let (Some(minutes), Some(gate)) = (job_minutes, gate_seconds(commands))
        && minutes.saturating_mul(60) <= gate
    {
        let gate = gate.div_ceil(60);
        report.warning(
            &rule::TIMEOUT_TOO_SHORT,
            at,
            format!("the job is ended after {minutes} minutes, the gate waits up to {gate}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gitlab_spellings() {
        for (text, minutes) in [
            ("13 minutes", 13),
            ("1h 30m", 90),
            ("3 hours 30 minutes", 210),
            ("10m", 10),
            ("600", 10),
            ("1 day", 1440),
            ("10min", 10),
        ] {
            assert_eq!(gitlab_minutes(text), Some(minutes), "{text}");
        }
        assert_eq!(gitlab_minutes("$TIMEOUT"), None);
    }
}
