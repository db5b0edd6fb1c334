//! The `age` rule: how long ago an image was built or pushed (B16). A date counts only if somebody can have meant it; one
//! that is missing, fixed or in the future makes an image neither young nor old enough.

use model::{Clock, Gap, ManifestFacts, Origin, Reason, ReasonCode, SignedDuration, Timestamp, format_duration};

use super::Found;
use crate::document::{Age as Rule, AgeOf};

/// How far ahead of our clock another one may be.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// Builds that leave out the time write a fixed date of 1970 or 1980 instead.
const FIXED_DATES_END: &str = "1980-01-03T00:00:00Z";

pub(super) fn judge(rule: &Rule, manifest: &ManifestFacts, clock: &Clock) -> Found {
    let mut found = Found::nothing();
    let since = rule.since();
    let date = match since {
        AgeOf::Built => manifest.config.usable(None, clock).map(|config| config.value.created),
        AgeOf::Pushed => manifest.pushed_at.map(Some).ok_or_else(|| not_said(manifest, clock)),
    };
    let date = match date {
        Ok(date) => date,
        Err(gap) => {
            found.gaps.push(gap);
            return found;
        }
    };
    let how = since.as_str();
    let at = match meant(date, how, clock) {
        Ok(at) => at,
        Err(what) => {
            let message = format!("the age of the image is not known: {what}");
            found.failures.push(Reason::new(ReasonCode::AgeUnproven, message));
            return found;
        }
    };
    if let Some(limit) = rule.max
        && let Some(what) = older(at, limit.0, how, clock)
    {
        found.failures.push(Reason::new(ReasonCode::AgeExceeded, format!("the image is too old: {what}")));
    }
    if let Some(least) = rule.min
        && !clock.older_than(at, least.0)
    {
        let message = format!(
            "the image is too young: {how} at {}; the policy asks for {} at least",
            at.strftime("%Y-%m-%dT%H:%MZ"),
            format_duration(least.0)
        );
        found.failures.push(Reason::new(ReasonCode::AgeTooYoung, message));
    }
    found
}

/// Why nobody says when the image was pushed: ECR could not be asked, or there is no ECR.
fn not_said(manifest: &ManifestFacts, clock: &Clock) -> Gap {
    let by_ecr = manifest.reports.iter().filter(|report| matches!(report.origin, Origin::Ecr(_)));
    for report in by_ecr {
        if let Err(mut gap) = report.scan.usable(None, clock) {
            gap.reason.message = format!("when the image was pushed is not known: {}", gap.reason.message);
            return gap;
        }
    }
    Gap::from(Reason::new(ReasonCode::AgeNotSaid, "the registry does not say when the image was pushed"))
}

/// The date, if somebody can have meant it; else what is wrong with it.
pub(super) fn meant(date: Option<Timestamp>, how: &str, clock: &Clock) -> Result<Timestamp, String> {
    let Some(at) = date else { return Err(format!("it does not say when it was {how}")) };
    let shown = at.strftime("%Y-%m-%dT%H:%MZ");
    if FIXED_DATES_END.parse::<Timestamp>().is_ok_and(|end| at < end) {
        return Err(format!("it says {shown}, which builds write that leave out the time"));
    }
    if !clock.reached(at.checked_sub(SKEW).unwrap_or(at)) {
        return Err(format!("it says {shown}, which is in the future"));
    }
    Ok(at)
}

/// What to say of something that is older than the limit.
pub(super) fn older(at: Timestamp, limit: SignedDuration, how: &str, clock: &Clock) -> Option<String> {
    if !clock.older_than(at, limit) {
        return None;
    }
    let days = clock.now().duration_since(at).as_hours() / 24;
    let date = at.strftime("%Y-%m-%dT%H:%MZ");
    Some(format!("{how} at {date}, {days}d ago; the policy allows {}", format_duration(limit)))
}

#[cfg(test)]
mod tests;
