//! What can go wrong with an answer, one place at a time: everything `testkit::mutate` knows, and values that only this
//! API makes dangerous. Two changes make a pair.

use serde_json::{Value, json};
use testkit::fixtures::{STATUSES, digest};
use testkit::mutate::{self, Mutation, Step};

use super::scene::{NOW, PUSHED, Scene};

/// One change in one place of one page.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) page: usize,
    path: Vec<Step>,
    how: How,
    pub(crate) name: String,
}

#[derive(Debug, Clone)]
enum How {
    Mutation(Mutation),
    /// This value, also where nothing was.
    Set(Value),
}

impl Change {
    fn set(page: usize, path: &[&str], value: Value) -> Self {
        let path: Vec<Step> = path
            .iter()
            .map(|step| step.parse().map_or_else(|_| Step::Field((*step).to_owned()), Step::Element))
            .collect();
        let name = mutate::name(&path, &Mutation::Retype(value.clone()));
        Self { page, path, how: How::Set(value), name }
    }

    /// The page with this change.
    pub(crate) fn value(&self, page: &Value) -> Value {
        match &self.how {
            How::Mutation(mutation) => mutate::apply(page, &self.path, mutation),
            How::Set(value) => {
                let mut page = page.clone();
                let (last, parents) = self.path.split_last().unwrap();
                let parent = parents.iter().try_fold(&mut page, |value, step| match step {
                    Step::Field(name) => value.get_mut(name),
                    Step::Element(n) => value.get_mut(n),
                });
                match (parent, last) {
                    (Some(Value::Object(fields)), Step::Field(name)) => {
                        fields.insert(name.clone(), value.clone());
                    }
                    (Some(Value::Array(elements)), Step::Element(n)) if *n < elements.len() => {
                        elements[*n] = value.clone();
                    }
                    _ => {}
                }
                page
            }
        }
    }

    /// The text of the page with this change.
    pub(crate) fn text(&self, page: &Value) -> String {
        match &self.how {
            How::Mutation(mutation) => mutate::apply_text(page, &self.path, mutation),
            How::Set(_) => self.value(page).to_string(),
        }
    }

    /// Whether the place lies in a field of one of these names.
    pub(crate) fn touches(&self, fields: &[&str]) -> bool {
        self.path.iter().any(|step| matches!(step, Step::Field(name) if fields.contains(&name.as_str())))
    }

    /// Whether one place lies in the other.
    fn overlaps(&self, other: &Self) -> bool {
        self.page == other.page && (self.path.starts_with(&other.path) || other.path.starts_with(&self.path))
    }
}

/// Every single change of every page.
pub(crate) fn singles(pages: &[Value]) -> Vec<Change> {
    let mut all = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let cases = mutate::cases(page).into_iter();
        all.extend(cases.map(|case| Change {
            page: number,
            path: case.path,
            how: How::Mutation(case.mutation),
            name: case.name,
        }));
        all.extend(sets(number, page).into_iter().filter(|change| change.value(page) != *page));
    }
    all
}

/// What this API could say that a general mutation does not.
fn sets(page: usize, document: &Value) -> Vec<Change> {
    let mut all = Vec::new();
    let mut set = |path: &[&str], values: Vec<Value>| {
        all.extend(values.into_iter().map(|value| Change::set(page, path, value)));
    };
    let words = STATUSES.iter().copied().chain(["complete", "COMPLETED", " ACTIVE", "NONE"]);
    set(&["imageScanStatus", "status"], words.map(Value::from).collect());
    set(&["imageScanStatus"], vec![json!(["COMPLETE", null]), json!("COMPLETE")]);
    let times = [PUSHED - 1, NOW - 30 * 86_400, NOW + 86_400].map(Value::from);
    let odd_times = [json!("2025-06-15T15:06:00Z"), json!("2025-06-15"), json!("yesterday"), json!(1e30)];
    set(&["imageScanFindings", "imageScanCompletedAt"], times.iter().cloned().chain(odd_times).collect());
    let data_times = vec![json!(NOW - 25 * 3600), json!(NOW - 30 * 86_400), json!(NOW + 86_400), json!("today")];
    set(&["imageScanFindings", "vulnerabilitySourceUpdatedAt"], data_times);
    set(
        &["imageScanFindings", "findingSeverityCounts"],
        vec![
            json!({ "CRITICAL": 1 }),
            json!({ "high": 1 }),
            json!({ "SEVERE": 1 }),
            json!({ "LOW": 1 }),
            json!({ "HIGH": 1.0 }),
            json!({ "HIGH": "1" }),
            json!({ "HIGH": null }),
            json!({ "LOW": -1 }),
        ],
    );
    for list in ["findings", "enhancedFindings"] {
        let positional = json!([["CVE-2024-0001", "LOW", null, null]]);
        set(&["imageScanFindings", list], vec![json!([]), json!(null), json!([{}]), json!([null]), positional]);
    }
    set(&["imageScanFindings"], vec![json!([NOW - 60, NOW - 60, {}, [], null])]);
    set(&["nextToken"], vec![json!("more"), json!(""), json!(null), json!(0)]);
    set(&["imageId", "imageDigest"], vec![json!(digest(2)), json!("sha256:abc")]);
    set(&["imageId"], vec![json!([digest(1), null])]);
    set(&["repositoryName"], vec![json!("team/other")]);
    set(&["registryId"], vec![json!("210987654321")]);
    for list in ["findings", "enhancedFindings"] {
        let length = document["imageScanFindings"][list].as_array().map_or(0, Vec::len);
        for number in (0..length).map(|number| number.to_string()) {
            let words = ["CRITICAL", "HIGH", "LOW", "critical", "SEVERE", " HIGH", "NONE"].map(Value::from);
            set(&["imageScanFindings", list, &number, "severity"], words.to_vec());
        }
    }
    all
}

/// The pages of a scene with changes made.
pub(crate) fn changed(scene: &Scene, originals: &[String], changes: &[&Change]) -> Vec<String> {
    let mut texts = originals.to_vec();
    for (number, page) in scene.pages.iter().enumerate() {
        let mut here = changes.iter().filter(|change| change.page == number);
        texts[number] = match (here.next(), here.next()) {
            (Some(only), None) => only.text(page),
            (Some(first), Some(second)) => second.text(&first.value(page)),
            _ => continue,
        };
    }
    texts
}

/// Pairs of changes in places apart: all of them, or about as many as the budget allows, the same in every run.
pub(crate) fn pairs(changes: &[Change], budget: usize) -> Vec<(&Change, &Change)> {
    let mut pairs = Vec::new();
    for (number, first) in changes.iter().enumerate() {
        pairs.extend(
            changes[number + 1..].iter().filter(|second| !first.overlaps(second)).map(|second| (first, second)),
        );
    }
    sample(&mut pairs, budget);
    pairs
}

/// Leaves about so many elements, spread by a fixed mixing of their places.
fn sample<T>(all: &mut Vec<T>, wanted: usize) {
    let (total, mut place) = (all.len() as u64, 0_u64);
    if total <= wanted as u64 {
        return;
    }
    all.retain(|_| {
        place += 1;
        // splitmix64
        let mut mixed = place.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % total < wanted as u64
    });
}
