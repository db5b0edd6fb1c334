//! The `measurements` rule: the newest run of one metric on this image against absolute limits and against a baseline's
//! (B17, S23). All in whole numbers. A run of another image, or dated in the future, is refused and noted; units of another
//! kind and too few samples are unknown, never within the limit.

use model::{
    Digest, DocumentKind, Gap, ManifestFacts, Measurement, Observed, Quantity, Reason, ReasonCode, Signal,
    SignedDuration, Timestamp,
};

use super::Found;
use super::rule::Scene;
use super::sources::{Believing, Standing};
use crate::document::{Baseline, EvidenceSources, Measurements as Rule};

/// How far ahead of our clock another one may be.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// One whole, in the millionths of a percentage.
const WHOLE: u128 = 1_000_000;

pub(super) fn judge(scene: &Scene<'_, '_>, rule: &Rule, manifest: &ManifestFacts) -> Found {
    let believing = Believing::of(scene);
    let mut found = weigh(rule, manifest, &believing);
    believing.add_unreadable(&mut found, rule.from.as_ref(), manifest, DocumentKind::Measurement);
    found
}

fn weigh(rule: &Rule, manifest: &ManifestFacts, believing: &Believing<'_>) -> Found {
    let clock = believing.clock;
    let mut found = Found::nothing();
    let documents: &[Observed<Measurement>] = match &manifest.measurements {
        // Nobody looked where this rule looks.
        Signal::Absent(why)
            if why.code == ReasonCode::NotHandedOver
                && rule.from.as_ref().is_some_and(EvidenceSources::look_in_registry) =>
        {
            found.gaps.push(Gap::from(why.clone()));
            return found;
        }
        Signal::Absent(_) => &[],
        signal => match signal.usable(None, clock) {
            Ok(observed) => &observed.value,
            Err(gap) => {
                found.gaps.push(gap);
                return found;
            }
        },
    };
    let runs = accepted(rule, manifest, documents, believing, &mut found);
    let newest = newest(&runs, &manifest.digest);
    if newest.is_empty() {
        found.gaps.extend(believing.unseen(rule.signers(), manifest));
        if found.gaps.is_empty() {
            found.failures.push(missing(rule, documents));
        }
        return found;
    }
    let mut values = Vec::new();
    for run in newest {
        match Value::of(rule, run) {
            Ok(value) => values.push(value),
            Err(gap) => found.gaps.push(gap),
        }
    }
    for value in &values {
        limits(rule, value, &mut found);
    }
    if let Some(baseline) = &rule.baseline {
        compare(rule, baseline, manifest, &runs, &values, &mut found);
    }
    found
}

/// The runs of the rule's metric that count; those of another image or of the future are noted.
fn accepted<'a>(
    rule: &Rule,
    manifest: &ManifestFacts,
    documents: &'a [Observed<Measurement>],
    believing: &Believing<'_>,
    found: &mut Found,
) -> Vec<&'a Measurement> {
    let clock = believing.clock;
    let mut runs = Vec::new();
    for document in documents {
        let run = &document.value;
        let wanted = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        if run.metric != rule.metric || !wanted(&rule.stage, &run.stage) || !wanted(&rule.tool, &run.tool) {
            continue;
        }
        let when = minute(run.at);
        match believing.standing(rule.from.as_ref(), &document.origin) {
            Standing::Open | Standing::Signed(_) => {}
            Standing::Not(why) => {
                found.notes.push(format!("the measurement of {when} does not count: {why}"));
                continue;
            }
            Standing::Unknown(mut gap) => {
                gap.reason.message.insert_str(0, &format!("the measurement of {when}: "));
                found.gaps.push(gap);
                continue;
            }
        }
        if run.subject != manifest.digest && Some(&run.subject) != rule.baseline_digest() {
            found.notes.push(format!("the measurement of {when} does not count: it is of {}", run.subject));
        } else if !clock.reached(run.at.checked_sub(SKEW).unwrap_or(run.at)) {
            found.notes.push(format!("the measurement of {when} does not count: it is dated in the future"));
        } else {
            runs.push(run);
        }
    }
    runs
}

/// The runs of an image that have the newest date: one, or several of the same moment.
fn newest<'a>(runs: &[&'a Measurement], subject: &Digest) -> Vec<&'a Measurement> {
    let of_subject = runs.iter().copied().filter(|run| run.subject == *subject);
    let newest = of_subject.clone().map(|run| run.at).max();
    of_subject.filter(|run| Some(run.at) == newest).collect()
}

fn missing(rule: &Rule, documents: &[Observed<Measurement>]) -> Reason {
    let named = |document: &&Observed<Measurement>| document.value.metric == rule.metric;
    let others = documents.iter().filter(named).count();
    let but = if others == 0 { String::new() } else { format!("; {others} there are do not count") };
    let reason = Reason::new(
        ReasonCode::MeasurementMissing,
        format!("no measurement of {} on this image that the policy accepts{but}", rule.metric),
    );
    if rule.from.is_some() {
        return reason;
    }
    reason.remedy(
        "Say in the rule whose count: names of `spec.signers` for those that they signed, `from: [registry]` for those \
         attached in the repository, `from: [file]` for those given by whoever runs the gate.",
    )
}

/// What counts of one run.
struct Value<'a> {
    run: &'a Measurement,
    /// Compared with `max` and with the baseline.
    high: Quantity,
    /// Compared with `min`.
    low: Quantity,
}

impl<'a> Value<'a> {
    fn of(rule: &Rule, run: &'a Measurement) -> Result<Self, Gap> {
        let invalid = |what: String| Gap::from(Reason::new(ReasonCode::MeasurementInvalid, what));
        let of = format!("the measurement of {} of {}", run.metric, minute(run.at));
        let all = &run.samples;
        let wanted = rule.max.or(rule.min).map_or(model::Dimension::Count, |limit| limit.0.dimension);
        if let Some(other) = all.iter().find(|sample| sample.dimension != wanted) {
            return Err(invalid(format!("{of} has a value of another kind than the limit: {other}")));
        }
        // The first ones: more samples must not mean more chances.
        let counted = match rule.best_of {
            None => all.as_slice(),
            Some(count) => all
                .get(..usize::try_from(count).unwrap_or(usize::MAX))
                .ok_or_else(|| invalid(format!("{of} has {} samples; the policy asks for {count}", all.len())))?,
        };
        let (Some(low), Some(high)) = (counted.iter().min(), counted.iter().max()) else {
            return Err(invalid(format!("{of} has no samples")));
        };
        // Without a flake rule the worst sample counts: the highest under `max`, the lowest above `min`.
        let (low, high) = if rule.best_of.is_some() { (high, low) } else { (low, high) };
        Ok(Self { run, high: *high, low: *low })
    }
}

/// The absolute limits.
fn limits(rule: &Rule, value: &Value<'_>, found: &mut Found) {
    let how = rule.best_of.map_or_else(String::new, |count| format!(", best of {count}"));
    let mut exceeded = |shown: Quantity, what: String| {
        let message = format!("{} is {shown}{how}; the policy allows {what}", value.run.metric);
        found.failures.push(Reason::new(ReasonCode::MeasurementExceeded, message));
    };
    if let Some(max) = rule.max
        && value.high.amount > max.0.amount
    {
        exceeded(value.high, format!("at most {}", max.0));
    }
    if let Some(min) = rule.min
        && value.low.amount < min.0.amount
    {
        exceeded(value.low, format!("at least {}", min.0));
    }
}

/// The comparison with another image.
fn compare(
    rule: &Rule,
    baseline: &Baseline,
    manifest: &ManifestFacts,
    runs: &[&Measurement],
    values: &[Value<'_>],
    found: &mut Found,
) {
    let Some(limit) = rule.max_increase else { return };
    let digest = match baseline {
        Baseline::Digest(digest) => digest,
        Baseline::LastPromoted => {
            let message = "which image was promoted last is not known without a server";
            let reason = Reason::new(ReasonCode::MeasurementInvalid, message)
                .remedy("Name the image to compare with: `baseline: { digest: sha256:… }`.");
            return found.gaps.push(Gap::from(reason));
        }
    };
    if *digest == manifest.digest {
        return found.notes.push("this image is the baseline itself: there is nothing to compare".to_owned());
    }
    let newest = newest(runs, digest);
    if newest.is_empty() {
        let message = format!("no measurement of {} on the baseline {digest} that the policy accepts", rule.metric);
        return found.failures.push(Reason::new(ReasonCode::MeasurementMissing, message));
    }
    let mut base: Option<Quantity> = None;
    for run in newest {
        match Value::of(rule, run) {
            // Of several at the same moment, the lowest: what is compared gets no advantage.
            Ok(value) => base = Some(base.map_or(value.high, |other| other.min(value.high))),
            Err(mut gap) => {
                gap.reason.message = format!("the baseline {}: {}", digest.short(), gap.reason.message);
                return found.gaps.push(gap);
            }
        }
    }
    let Some(base) = base else { return };
    for value in values {
        let (now, then) = (u128::from(value.high.amount), u128::from(base.amount));
        if now * WHOLE > then.saturating_mul(WHOLE + u128::from(limit.0.amount)) {
            let millionths = (now.saturating_sub(then) * WHOLE).checked_div(then);
            let grew = millionths.map_or_else(
                || "from nothing".to_owned(),
                |millionths| format!("by {}.{:02}%", millionths / 10_000, millionths % 10_000 / 100),
            );
            let message = format!(
                "{} grew {grew}, from {base} of the baseline {} to {}; the policy allows {}",
                rule.metric,
                digest.short(),
                value.high,
                limit.0
            );
            found.failures.push(Reason::new(ReasonCode::MeasurementExceeded, message));
        }
    }
}

fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

#[cfg(test)]
mod tests;
