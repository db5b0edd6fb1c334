//! The measurement document that `ecr-gate measure record` writes and attaches: reading and writing its JSON (B17, S23).
//! All samples of one run stand in one document. Numbers are taken as text, so that nothing is rounded; what is finer than
//! the small unit of its dimension is rounded up by [`Quantity`]. Who signed it is not looked at here.

use std::collections::BTreeSet;

use model::{Digest, Dimension, Measurement, Quantity, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Limits, ParseError};

/// The media type of the document and the artifact type of the referrer that carries it.
pub const MEDIA_TYPE: &str = "application/vnd.ecr-gate.measurement.v1+json";

const FORMAT: &str = "measurement document";
const SCHEMA: &str = "ecr-gate.dev/measurement/v1";
const MOST_SAMPLES: usize = 1_000;
const LONGEST_NAME: usize = 128;

#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    subject: String,
    stage: String,
    tool: String,
    at: String,
    measurements: Vec<Metric>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    #[serde(rename = "metric")]
    name: String,
    unit: String,
    samples: Vec<Box<RawValue>>,
}

/// Reads a measurement document.
///
/// # Errors
/// Not JSON, over the limits, of another version, or broken: an unknown key, no measurement, a metric that stands twice,
/// no sample or more than 1,000, a name that cannot be printed, or a sample that is no amount.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Vec<Measurement>, ParseError> {
    if bytes.len() > limits.bytes {
        let cause = format!("it has {} bytes; at most {} are read", bytes.len(), limits.bytes);
        return Err(wrong("", cause));
    }
    let unreadable = |error: serde_json::Error| ParseError::json(FORMAT, &error);
    match serde_json::from_slice::<Head>(bytes).map_err(unreadable)?.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => return Err(wrong("schema", format!("{} is not known; {SCHEMA} is read", shown(other)))),
        None => return Err(wrong("schema", format!("it has no schema; {SCHEMA} is read"))),
    }
    let document: Document = serde_json::from_slice(bytes).map_err(unreadable)?;
    let subject: Digest = document.subject.parse().map_err(|error| wrong("subject", format!("{error}")))?;
    let at: Timestamp = document
        .at
        .parse()
        .map_err(|_| wrong("at", format!("{} is no time such as 2025-01-31T12:00:00Z", shown(&document.at))))?;
    name("stage", &document.stage)?;
    name("tool", &document.tool)?;
    if document.measurements.is_empty() {
        return Err(wrong("measurements", "nothing is measured"));
    }
    if document.measurements.len() > limits.entries {
        return Err(wrong("measurements", format!("more than {} metrics", limits.entries)));
    }
    let mut seen = BTreeSet::new();
    let mut measurements = Vec::new();
    for (number, metric) in document.measurements.into_iter().enumerate() {
        let place = format!("measurements[{number}]");
        let samples = samples(&metric, &place)?;
        name(&format!("{place}.metric"), &metric.name)?;
        if !seen.insert(metric.name.clone()) {
            return Err(wrong(&place, format!("the metric {} stands twice", shown(&metric.name))));
        }
        measurements.push(Measurement {
            subject: subject.clone(),
            metric: metric.name,
            samples,
            tool: document.tool.clone(),
            stage: document.stage.clone(),
            at,
        });
    }
    Ok(measurements)
}

/// Writes the measurements of one run on one image; the same measurements give the same bytes.
///
/// # Errors
/// There is none, they are not of one run, or [`parse`] would refuse or change them.
pub fn document(measurements: &[Measurement]) -> Result<Vec<u8>, ParseError> {
    let first = measurements.first().ok_or_else(|| wrong("measurements", "nothing is measured"))?;
    let one_run = |other: &Measurement| {
        (&other.subject, &other.stage, &other.tool, other.at) == (&first.subject, &first.stage, &first.tool, first.at)
    };
    if !measurements.iter().all(one_run) {
        return Err(wrong(
            "measurements",
            "they are of several images, stages, tools or times; write a document for each",
        ));
    }
    let metrics = measurements.iter().map(|measurement| {
        let place = format!("measurements of {}", shown(&measurement.metric));
        let dimension = measurement.samples.first().ok_or_else(|| wrong(&place, "there is no sample"))?.dimension;
        if measurement.samples.iter().any(|sample| sample.dimension != dimension) {
            return Err(wrong(&place, "the samples are of several dimensions, such as time and size"));
        }
        let (unit, decimals) = small_unit(dimension);
        let sample = |sample: &Quantity| {
            let text = format!("\"{}\"", decimal(sample.amount, decimals));
            RawValue::from_string(text).map_err(|error| ParseError::json(FORMAT, &error))
        };
        let samples = measurement.samples.iter().map(sample).collect::<Result<_, ParseError>>()?;
        Ok(Metric { name: measurement.metric.clone(), unit: unit.to_owned(), samples })
    });
    let document = Document {
        schema: SCHEMA.to_owned(),
        subject: first.subject.to_string(),
        stage: first.stage.clone(),
        tool: first.tool.clone(),
        at: first.at.to_string(),
        measurements: metrics.collect::<Result<_, ParseError>>()?,
    };
    let bytes = serde_json::to_vec(&document).map_err(|error| ParseError::json(FORMAT, &error))?;
    // What is written is what is read: names, numbers of samples and amounts are looked at there.
    if parse(&bytes, &Limits::STANDARD)? == measurements {
        Ok(bytes)
    } else {
        Err(wrong("measurements", "an amount cannot be written without changing it"))
    }
}

fn samples(metric: &Metric, place: &str) -> Result<Vec<Quantity>, ParseError> {
    let Metric { unit, samples, .. } = metric;
    if samples.is_empty() || samples.len() > MOST_SAMPLES {
        return Err(wrong(place, format!("it has {} samples; 1 to {MOST_SAMPLES} are read", samples.len())));
    }
    let read = |(number, raw): (usize, &RawValue)| {
        let place = || format!("{place}.samples[{number}]");
        let text = match raw.get().strip_prefix('"') {
            // A number in a string has nothing in it that JSON would escape.
            Some(rest) => rest.strip_suffix('"').unwrap_or(rest),
            None => raw.get(),
        };
        Quantity::new(text, unit).map_err(|error| wrong(&place(), error.to_string()))
    };
    samples.iter().map(AsRef::as_ref).enumerate().map(read).collect()
}

/// The unit that amounts are written in, and how many of their digits stand behind the point.
fn small_unit(dimension: Dimension) -> (&'static str, usize) {
    match dimension {
        Dimension::Size => ("B", 0),
        Dimension::Time => ("ns", 0),
        Dimension::Cpu => ("cores", 6),
        Dimension::Ratio => ("ratio", 6),
        Dimension::Count => ("count", 6),
    }
}

fn decimal(amount: u64, decimals: usize) -> String {
    if decimals == 0 {
        return amount.to_string();
    }
    let digits = format!("{amount:0width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Names are shown to people and compared by policies: printable ASCII, not too long, nothing around it.
fn name(place: &str, text: &str) -> Result<(), ParseError> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if text.is_empty() || text.len() > LONGEST_NAME || !printable || text.trim() != text {
        let cause = format!("{} is no name: 1 to {LONGEST_NAME} printable ASCII characters", shown(text));
        return Err(wrong(place, cause));
    }
    Ok(())
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(LONGEST_NAME).collect();
    format!("{start:?}")
}

fn wrong(place: &str, cause: impl Into<String>) -> ParseError {
    ParseError::new(FORMAT, place, cause)
}

#[cfg(test)]
mod tests;
