//! The findings of one report as they are read: counted against the limit, and without entries that say the same of the
//! same place twice. Entries that differ in anything stay, and so do equal ones of different places.

use std::borrow::Cow;

use model::Finding;

use crate::{Limits, ParseError};

/// The findings so far, each with where in the image it is.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    format: &'static str,
    limit: usize,
    findings: Vec<Finding>,
    places: Vec<(usize, Cow<'a, str>)>,
}

impl<'a> Collector<'a> {
    /// For a report of this format.
    pub(super) fn new(format: &'static str, limits: &Limits) -> Self {
        Self { format, limit: limits.findings, findings: Vec::new(), places: Vec::new() }
    }

    /// Adds a finding of a place: the number of the list that it stands in and what tells packages of one name apart.
    ///
    /// # Errors
    /// There are more findings than are read.
    pub(super) fn add(&mut self, finding: Finding, list: usize, place: Cow<'a, str>) -> Result<(), ParseError> {
        if self.findings.len() >= self.limit {
            return Err(ParseError::new(
                self.format,
                "",
                format!("it has more than {} findings; no more are read", self.limit),
            ));
        }
        self.findings.push(finding);
        self.places.push((list, place));
        Ok(())
    }

    /// The findings in their order.
    pub(super) fn finish(self) -> Vec<Finding> {
        let Self { findings, places, .. } = self;
        let key = |number: &usize| {
            let (finding, place) = (findings.get(*number), places.get(*number));
            (finding.map(|finding| (&finding.id, finding.packages.first().map(|p| (&p.name, &p.version)))), place)
        };
        let mut order: Vec<usize> = (0..findings.len()).collect();
        order.sort_by(|one, other| key(one).cmp(&key(other)));
        let mut repeated = vec![false; findings.len()];
        for pair in order.windows(2) {
            if let [one, other] = pair
                && places[*one] == places[*other]
                && findings[*one] == findings[*other]
            {
                repeated[*other] = true;
            }
        }
        let mut repeated = repeated.into_iter();
        findings.into_iter().filter(|_| repeated.next() == Some(false)).collect()
    }
}

#[cfg(test)]
mod tests {
    use model::{Severity, VulnerabilityId};

    use super::*;

    #[test]
    fn b14_only_what_is_the_same_in_everything_is_said_once() {
        let finding = |id: &str, url: &str| Finding {
            url: Some(url.to_owned()),
            ..Finding::new(VulnerabilityId::new(id).unwrap(), Severity::Low)
        };
        let mut collector = Collector::new("sample", &Limits::STANDARD);
        for (finding, list, place) in [
            (finding("B", "1"), 0, "x"),
            (finding("A", "1"), 0, "x"),
            (finding("A", "1"), 0, "x"),
            (finding("A", "1"), 1, "x"),
            (finding("A", "1"), 0, "y"),
            (finding("A", "2"), 0, "x"),
            (finding("B", "1"), 0, "x"),
        ] {
            collector.add(finding, list, Cow::Borrowed(place)).unwrap();
        }
        let ids: Vec<String> = collector.finish().into_iter().map(|finding| finding.id.to_string()).collect();
        assert_eq!(ids, ["B", "A", "A", "A", "A"]);
    }

    #[test]
    fn a5_more_findings_than_are_read_are_refused() {
        let mut collector = Collector::new("sample", &Limits { findings: 1, ..Limits::STANDARD });
        let finding = Finding::new(VulnerabilityId::new("A").unwrap(), Severity::Low);
        assert!(collector.add(finding.clone(), 0, Cow::Borrowed("")).is_ok());
        assert!(collector.add(finding, 0, Cow::Borrowed("")).is_err());
    }
}
