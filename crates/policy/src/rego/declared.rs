//! `some x` behind a loop of the same body. The library declares `x` anew at every step of the loop and takes the second time for a
//! mistake. Where the name means nothing else, the declaration says nothing that is not so without it, and is left out.

use std::collections::BTreeSet;

use regorus::unstable::{Literal, Module, Rule, RuleHead};

use super::check::Rules;
use super::{pattern, syntax};

/// The text of a module without such declarations, with every other letter where it was; `None` if there are none.
pub(super) fn without_late(module: &Module, rules: &Rules, text: &str) -> Option<String> {
    let Ok(package) = syntax::package(module) else { return None };
    let names = rules.names(&package).into_iter().flatten().cloned();
    let mut taken: BTreeSet<String> = syntax::imports(module).into_keys().chain(names).collect();
    taken.extend(["input".to_owned(), "data".to_owned()]);
    let mut bytes = text.as_bytes().to_vec();
    for rule in &module.policy {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let mut parameters = BTreeSet::new();
        if let RuleHead::Func { args, .. } = head {
            for parameter in args {
                pattern::variables(parameter, &mut parameters);
            }
        }
        for body in bodies {
            let declared = |literal: &Literal| matches!(literal, Literal::SomeVars { .. });
            for statement in body.query.stmts.iter().skip_while(|statement| declared(&statement.literal)) {
                let Literal::SomeVars { span, vars } = &statement.literal else { continue };
                let means_something = |name: &str| taken.contains(name) || parameters.contains(name);
                if vars.iter().any(|name| means_something(name.text())) {
                    continue;
                }
                let (Ok(start), Ok(end)) = (usize::try_from(span.start), usize::try_from(span.end)) else { continue };
                if let Some(place) = bytes.get_mut(start..end)
                    && place.starts_with(b"some")
                {
                    place.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
                    place.iter_mut().zip(b"true").for_each(|(byte, letter)| *byte = *letter);
                }
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(changed) if changed != text => Some(changed),
        _ => None,
    }
}
