//! What a GitLab job really is: `extends` followed, `default` applied, `!reference` replaced. Included files are not
//! read; what they define is simply not there. Bounded in depth and size.

use std::collections::HashMap;
use std::rc::Rc;

use crate::commands::lint::yaml::{Kind, Node};

/// How deep templates may build on each other; GitLab allows 11.
const MAX_DEPTH: usize = 12;
/// How many values all jobs together may have once everything is inherited.
const MAX_VALUES: usize = 1_000_000;

/// Top-level keys that are not jobs.
const GLOBAL: [&str; 12] = [
    "default",
    "include",
    "stages",
    "types",
    "variables",
    "workflow",
    "spec",
    "image",
    "services",
    "before_script",
    "after_script",
    "cache",
];
/// What `default:` (or the old global keywords) gives to every job.
const DEFAULTS: [&str; 5] = ["image", "timeout", "before_script", "after_script", "id_tokens"];

/// A job or a template, with everything it inherits.
#[derive(Debug)]
pub(super) struct Effective {
    pub key: Rc<Node>,
    pub body: Rc<Node>,
}

/// The templates expand beyond all measure.
#[derive(Debug)]
pub(in crate::commands::lint) struct TooBig;

/// What is left of `MAX_VALUES`.
struct Budget(usize);

impl Budget {
    fn take(&mut self, values: usize) -> Result<(), TooBig> {
        self.0 = self.0.checked_sub(values).ok_or(TooBig)?;
        Ok(())
    }
}

/// All jobs and templates (names with a leading dot) of a pipeline.
pub(super) fn jobs(root: &Node) -> Result<Vec<Effective>, TooBig> {
    let mut budget = Budget(MAX_VALUES);
    let default = root.get("default");
    root.entries()
        .iter()
        .filter(|(key, value)| {
            matches!(value.kind, Kind::Map(_)) && key.text().is_some_and(|name| !GLOBAL.contains(&name))
        })
        .map(|(key, value)| {
            let mut entries = extended(value, root, &mut budget, 0)?;
            for name in DEFAULTS {
                let inherited = default.and_then(|default| default.entry(name)).or_else(|| root.entry(name));
                if let Some((key, value)) =
                    inherited.filter(|_| !entries.iter().any(|(own, _)| own.text() == Some(name)))
                {
                    entries.push((Rc::clone(key), Rc::clone(value)));
                }
            }
            let body = Node { kind: Kind::Map(entries), ..Node::clone_place(value) };
            Ok(Effective { key: Rc::clone(key), body: dereferenced(&Rc::new(body), root, &mut budget, 0)? })
        })
        .collect()
}

type Entries = Vec<(Rc<Node>, Rc<Node>)>;

fn extended(job: &Node, root: &Node, budget: &mut Budget, depth: usize) -> Result<Entries, TooBig> {
    let mut entries = Entries::new();
    if depth < MAX_DEPTH {
        for parent in job.get("extends").map(Node::items).unwrap_or_default() {
            if let Some(parent) = parent.text().and_then(|name| root.get(name)) {
                entries = overlaid(entries, extended(parent, root, budget, depth + 1)?, budget)?;
            }
        }
    }
    overlaid(entries, job.entries().to_vec(), budget)
}

/// GitLab's merge: maps key by key, everything else replaced.
fn overlaid(mut below: Entries, above: Entries, budget: &mut Budget) -> Result<Entries, TooBig> {
    budget.take(1 + below.len() + above.len())?;
    if below.is_empty() {
        return Ok(above);
    }
    let mut known: HashMap<String, usize> =
        below.iter().enumerate().filter_map(|(index, (key, _))| Some((key.text()?.to_owned(), index))).collect();
    for (key, value) in above {
        let name = key.text().map(str::to_owned);
        let own = name.as_ref().and_then(|name| known.get(name)).and_then(|index| below.get_mut(*index));
        let Some(own) = own else {
            known.extend(name.map(|name| (name, below.len())));
            below.push((key, value));
            continue;
        };
        let merged = if matches!((&own.1.kind, &value.kind), (Kind::Map(_), Kind::Map(_))) {
            let entries = overlaid(own.1.entries().to_vec(), value.entries().to_vec(), budget)?;
            Rc::new(Node { kind: Kind::Map(entries), ..Node::clone_place(&value) })
        } else {
            value
        };
        *own = (key, merged);
    }
    Ok(below)
}

/// Replaces `!reference [job, key, …]` by what it names; one that leads nowhere stays.
fn dereferenced(node: &Rc<Node>, root: &Node, budget: &mut Budget, depth: usize) -> Result<Rc<Node>, TooBig> {
    budget.take(1)?;
    if depth > 4 * MAX_DEPTH {
        return Ok(Rc::clone(node));
    }
    if node.tag.as_deref() == Some("reference") {
        let mut names = node.items().into_iter();
        let first = names.next().and_then(|name| name.text().map(str::to_owned));
        let Some(job) = first.and_then(|name| root.get(&name).cloned()) else { return Ok(Rc::clone(node)) };
        let job = Rc::new(Node { kind: Kind::Map(extended(&job, root, budget, 0)?), ..Node::clone_place(&job) });
        let target = names.try_fold(job, |at, name| name.text().and_then(|name| at.get(name)).cloned());
        return target.map_or_else(|| Ok(Rc::clone(node)), |target| dereferenced(&target, root, budget, depth + 1));
    }
    let kind = match &node.kind {
        Kind::Scalar { .. } => return Ok(Rc::clone(node)),
        Kind::List(items) => {
            Kind::List(items.iter().map(|item| dereferenced(item, root, budget, depth + 1)).collect::<Result<_, _>>()?)
        }
        Kind::Map(entries) => {
            let pair = |(key, value): &(Rc<Node>, Rc<Node>)| {
                Ok((Rc::clone(key), dereferenced(value, root, budget, depth + 1)?))
            };
            Kind::Map(entries.iter().map(pair).collect::<Result<_, _>>()?)
        }
    };
    Ok(Rc::new(Node { kind, ..Node::clone_place(node) }))
}
