//! What a rule puts into its set. Where the head of `name contains EXPRESSION` has no value for one element, the library forgets the
//! whole set, those that were in it before too: a `deny` would say nothing. Written as a statement of the body it is as in Rego: that
//! element alone is left out.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Rule, RuleHead};

use super::builtins;
use super::check::Rules;
use super::syntax;
use crate::error::DocumentError;

/// A change of a text: what stands from one byte to another becomes something else.
type Edit = (usize, usize, String);

/// The text of a module with every such expression in the body of its rule; `text` is the module's own, or one with every letter
/// at the same place. `None` if there is none; an error if one cannot be moved.
pub(super) fn in_bodies(
    file: &str,
    module: &Module,
    rules: &Rules,
    text: &str,
) -> Result<Option<String>, DocumentError> {
    let Ok(package) = syntax::package(module) else { return Ok(None) };
    let names: BTreeSet<String> = rules.names(&package).into_iter().flatten().cloned().collect();
    let functions: BTreeSet<&str> = builtins::supported().into_iter().collect();
    let always = |expression: &Expr| has_value(expression, &names, &functions);
    let mut edits: Vec<Edit> = Vec::new();
    for (number, rule) in module.policy.iter().enumerate() {
        let Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, bodies, .. } = rule.as_ref() else { continue };
        if bodies.is_empty() || always(key) {
            continue;
        }
        let name = format!("__head_{number}");
        let moved = || -> Option<Vec<Edit>> {
            // Of an object the library keeps the offset of its last key, of `x.y` the column of the dot: the other one is right.
            let place = offset(text, key.span().line, key.span().col)?;
            let start = place.min(whole(key.span().start));
            let end = start + head_end(text.get(start..)?, text.get(..start)?.trim_end().ends_with('['))?;
            let statement = format!("{name} := {}", text.get(start..end)?);
            let mut edits = vec![(start, end, name.clone())];
            // Further blocks behind the first one are the older syntax of further rules.
            edits.extend(added(text, end, &statement).filter(|_| bodies.len() == 1)?);
            Some(edits)
        };
        let Some(mut moved) = moved() else {
            let error = DocumentError::new(file, "what this rule puts into its set may have no value");
            return Err(error
                .at(u64::from(key.span().line), Some(u64::from(key.span().col)))
                .with_hint("give it a name in the body, `value := …`, and write `contains value`"));
        };
        edits.append(&mut moved);
    }
    if edits.is_empty() {
        return Ok(None);
    }
    edits.sort();
    let applied = |edits: Vec<Edit>| -> Option<String> {
        let (mut changed, mut at) = (String::with_capacity(text.len() * 2), 0);
        for (start, end, new) in edits {
            changed.push_str(text.get(at..start)?);
            changed.push_str(&new);
            at = end;
        }
        changed.push_str(text.get(at..)?);
        Some(changed)
    };
    let changed = applied(edits).ok_or_else(|| DocumentError::new(file, "the rules for sets cannot be told apart"))?;
    Ok(Some(changed))
}

/// What puts a statement at the end of the body that begins behind a head, whose expression ends at `at`.
fn added(text: &str, at: usize, statement: &str) -> Option<Vec<Edit>> {
    let mut at = at + skipped(text.get(at..)?);
    // The head of the older syntax stands in brackets, that of today is followed by `if`.
    if text.get(at..)?.starts_with(']') {
        at += 1;
        at += skipped(text.get(at..)?);
    }
    if text.get(at..)?.starts_with("if") {
        at += 2;
        at += skipped(text.get(at..)?);
    }
    if text.get(at..)?.starts_with('{') {
        let begin = at + 1;
        let end = begin + scanned(text.get(begin..)?, '}')?;
        // A statement ends with its line, or with a semicolon.
        let last = text.get(begin..end)?.rsplit('\n').next()?.trim();
        let led = if last.is_empty() || last.ends_with(';') { "" } else { "; " };
        return Some(vec![(end, end, format!("{led}{statement} "))]);
    }
    let end = at + scanned(text.get(at..)?, '\n')?;
    let end = at + text.get(at..end)?.trim_end().len();
    Some(vec![(at, at, "{ ".to_owned()), (end, end, format!("; {statement} }}"))])
}

/// How many bytes of blanks and comments a text begins with.
fn skipped(text: &str) -> usize {
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        match trimmed.strip_prefix('#') {
            Some(comment) => rest = comment.find('\n').map_or("", |end| &comment[end..]),
            None => return text.len() - trimmed.len(),
        }
    }
}

/// Where this letter stands first outside brackets, texts and comments; the end of the text counts as the end of a line.
fn scanned(text: &str, wanted: char) -> Option<usize> {
    ending(text, wanted == '\n', |rest| rest.starts_with(wanted))
}

/// Where the expression of a head ends: before `]` in the older syntax, else before `if` or the end of its line.
fn head_end(text: &str, is_older: bool) -> Option<usize> {
    let is_if = |rest: &str| {
        rest.strip_prefix("if").is_some_and(|rest| rest.starts_with(|next: char| next.is_whitespace() || next == '{'))
    };
    let end = if is_older {
        ending(text, false, |rest| rest.starts_with(']'))?
    } else {
        let blank_before = |rest: &str| text[..text.len() - rest.len()].ends_with(char::is_whitespace);
        ending(text, true, |rest| rest.starts_with('\n') || (is_if(rest) && blank_before(rest)))?
    };
    Some(text.get(..end)?.trim_end().len())
}

/// The first place outside brackets, texts and comments where what follows is what is looked for.
fn ending(text: &str, may_be_last: bool, stop: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut depth, mut comment, mut quoted, mut escaped) = (0_u32, false, None, false);
    for (at, letter) in text.char_indices() {
        if comment && letter != '\n' {
            continue;
        }
        comment = false;
        match quoted {
            Some('"') if escaped => escaped = false,
            Some('"') if letter == '\\' => escaped = true,
            Some(quote) => quoted = (letter != quote).then_some(quote),
            None if depth == 0 && stop(&text[at..]) => return Some(at),
            None => match letter {
                '#' if may_be_last && depth == 0 => return Some(at),
                '#' => comment = true,
                '"' | '`' => quoted = Some(letter),
                '{' | '[' | '(' => depth += 1,
                '}' | ']' | ')' => depth = depth.checked_sub(1)?,
                _ => {}
            },
        }
    }
    (may_be_last && depth == 0 && quoted.is_none()).then_some(text.len())
}

/// Beyond any text where it has no room.
fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Where a line and column, from 1, are in a text.
fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let (line, column) = (whole(line), whole(column));
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let (at, _) = text.get(before..)?.char_indices().nth(column.checked_sub(1)?)?;
    Some(before + at)
}

/// True for an expression that always has a value, or ends the evaluation with an error.
fn has_value(expression: &Expr, names: &BTreeSet<String>, functions: &BTreeSet<&str>) -> bool {
    let all = |list: &[regorus::unstable::Ref<Expr>]| list.iter().all(|one| has_value(one, names, functions));
    match expression {
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => {
            true
        }
        Expr::Var { span, .. } => !names.contains(span.text()) && !["input", "data"].contains(&span.text()),
        Expr::Array { items, .. } | Expr::Set { items, .. } => all(items),
        Expr::Object { fields, .. } => {
            fields.iter().all(|(_, key, value)| has_value(key, names, functions) && has_value(value, names, functions))
        }
        Expr::Call { fcn, params, .. } => functions.contains(fcn.span().text()) && all(params),
        _ => false,
    }
}
