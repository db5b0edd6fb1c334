//! What a rule gives: its value, what it puts into its set, the keys in brackets of its name. Where one of them has no value for one
//! element, the library forgets what the rule gave before: a `deny` would say nothing. Written as a statement of the body, which is
//! how OPA reads it, that element alone is left out.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Rule, RuleAssign, RuleBody, RuleHead};

use super::check::Rules;
use super::syntax;
use crate::error::DocumentError;

/// Builtins that give a value for whatever they are given, or end the evaluation with an error.
const ALWAYS: [&str; 6] = ["concat", "count", "format_int", "lower", "sprintf", "upper"];

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
    let mut names: BTreeSet<String> = rules.names(&package).into_iter().flatten().cloned().collect();
    names.extend(syntax::imports(module).into_keys().chain(["input".to_owned(), "data".to_owned()]));
    let heads = Heads { text, names };
    let mut edits: Vec<Edit> = Vec::new();
    for (number, rule) in module.policy.iter().enumerate() {
        let Rule::Spec { span, head, bodies } = rule.as_ref() else { continue };
        let Some(mut moved) = heads.moved(number, head, bodies) else {
            let error = DocumentError::new(file, "what this rule gives may have no value");
            return Err(error
                .at(u64::from(span.line), Some(u64::from(span.col)))
                .with_hint("give it a name in the body, `value := …`, and write that name in the head"));
        };
        edits.append(&mut moved);
    }
    if edits.is_empty() {
        return Ok(None);
    }
    edits.sort_by_key(|(start, end, _)| (*start, *end));
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
    let changed =
        applied(edits).ok_or_else(|| DocumentError::new(file, "the heads of the rules cannot be told apart"))?;
    Ok(Some(changed))
}

/// The heads of the rules of a module. The places of the library are those of words: of a text in quotes it leaves the quotes out.
struct Heads<'t> {
    text: &'t str,
    /// What is a rule or a document, and no variable.
    names: BTreeSet<String>,
}

impl Heads<'_> {
    /// What to change in one rule; `None` if it is not written as expected.
    fn moved(&self, number: usize, head: &RuleHead, bodies: &[RuleBody]) -> Option<Vec<Edit>> {
        // Of a rule without a body there is one element.
        if bodies.is_empty() {
            return Some(Vec::new());
        }
        let mut parts = Vec::new();
        let assigned = match head {
            RuleHead::Compr { refr, assign, .. } => {
                self.keys(refr, &mut parts)?;
                assign.as_ref()
            }
            RuleHead::Set { span, refr, key } => {
                self.keys(refr, &mut parts)?;
                if let Some(key) = key.as_ref().filter(|key| !self.has_value(key)) {
                    parts.push(self.element(refr, key, whole(span.end))?);
                }
                None
            }
            RuleHead::Func { assign, .. } => assign.as_ref(),
        };
        parts.extend(self.value(assigned)?);
        let mut edits = Vec::new();
        let mut place = 0;
        let mut statement = |(start, end): (usize, usize), edits: &mut Vec<Edit>| -> Option<String> {
            let name = format!("__head_{number}_{place}");
            place += 1;
            let statement = format!("{name} := {}", self.text.get(start..end)?);
            edits.push((start, end, name));
            Some(statement)
        };
        let mut of_head = Vec::new();
        for part in parts {
            of_head.push(statement(part, &mut edits)?);
        }
        for body in bodies {
            // Further blocks behind the first one share the head, an `else` has a value of its own.
            let own = match self.value(body.assign.as_ref())? {
                Some(part) => vec![statement(part, &mut edits)?],
                None => Vec::new(),
            };
            let statements = if body.is_else { &own } else { &of_head };
            if !statements.is_empty() {
                edits.extend(self.added(body, &statements.join("; "))?);
            }
        }
        Some(edits)
    }

    /// Adds where the keys in brackets stand that may have no value.
    fn keys(&self, refr: &Expr, parts: &mut Vec<(usize, usize)>) -> Option<()> {
        match refr {
            Expr::RefBrack { span, refr: inner, index, .. } => {
                self.keys(inner, parts)?;
                if !self.has_value(index) {
                    let open = self.end_of(inner)?;
                    let start = open + self.text.get(open..)?.strip_prefix('[').map(|_| 1)?;
                    parts.push((start, self.unquoted(whole(span.end))?));
                }
            }
            Expr::RefDot { refr: inner, .. } => self.keys(inner, parts)?,
            _ => {}
        }
        Some(())
    }

    /// Where stands what a rule puts into its set.
    fn element(&self, refr: &Expr, key: &Expr, head_end: usize) -> Option<(usize, usize)> {
        let after = self.end_of(refr)?;
        // The older syntax has it in brackets.
        if self.text.get(after..)?.starts_with('[') {
            let end = head_end.checked_sub(1)?;
            return self.text.get(end..)?.starts_with(']').then_some((after + 1, end));
        }
        let word = after + skipped(self.text.get(after..)?);
        let start = word + self.text.get(word..)?.strip_prefix("contains").map(|_| "contains".len())?;
        let start = start + skipped(self.text.get(start..)?);
        // A parenthesis around all of it belongs to it.
        (start <= whole(key.span().start)).then_some((start, self.unquoted(head_end)?))
    }

    /// Where a value stands that may be none: `Some(None)` if it always is one.
    #[expect(clippy::option_option, reason = "not to find the place is another thing than to have nothing to move")]
    fn value(&self, assign: Option<&RuleAssign>) -> Option<Option<(usize, usize)>> {
        let Some(assign) = assign.filter(|assign| !self.has_value(&assign.value)) else { return Some(None) };
        let start = whole(assign.span.start);
        let sign = self.text.get(start..)?;
        let start = start + if sign.starts_with(":=") { 2 } else { sign.strip_prefix('=').map(|_| 1)? };
        Some(Some((start + skipped(self.text.get(start..)?), self.unquoted(whole(assign.span.end))?)))
    }

    /// Where a reference ends: the library has the last bracket outside.
    fn end_of(&self, refr: &Expr) -> Option<usize> {
        let end = whole(refr.span().end);
        if !matches!(refr, Expr::RefBrack { .. }) {
            return Some(end);
        }
        let end = self.unquoted(end)?;
        let end = end + skipped(self.text.get(end..)?);
        self.text.get(end..)?.starts_with(']').then_some(end + 1)
    }

    /// The end of an expression, the quote that closes it included.
    fn unquoted(&self, end: usize) -> Option<usize> {
        Some(if self.text.get(end..)?.starts_with(['"', '`']) { end + 1 } else { end })
    }

    /// What puts statements at the end of a body.
    fn added(&self, body: &RuleBody, statements: &str) -> Option<Vec<Edit>> {
        let query = &body.query;
        let (start, end) = (whole(query.span.start), self.unquoted(whole(query.span.end))?);
        let first = query.stmts.first()?;
        // The block of an `else` begins with that word.
        let is_block = self.text.get(start..)?.starts_with(['{', 'e']) && whole(first.span.start) > start;
        if is_block {
            let close =
                end.checked_sub(1).filter(|close| self.text.get(*close..).is_some_and(|rest| rest.starts_with('}')))?;
            // A statement ends with its line, or with a semicolon.
            let last = self.text.get(start..close)?.rsplit('\n').next()?.trim();
            let led = if last.is_empty() || last.ends_with(';') { "" } else { "; " };
            return Some(vec![(close, close, format!("{led}{statements} "))]);
        }
        // One statement behind `if`, which of a text in quotes leaves the first of them out too.
        let start = match start.checked_sub(1) {
            Some(before) if self.text.get(before..)?.starts_with(['"', '`']) => before,
            _ => start,
        };
        Some(vec![(start, start, "{ ".to_owned()), (end, end, format!("; {statements} }}"))])
    }

    /// True for an expression that always has a value, or ends the evaluation with an error.
    fn has_value(&self, expression: &Expr) -> bool {
        let all = |list: &[regorus::unstable::Ref<Expr>]| list.iter().all(|one| self.has_value(one));
        match expression {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => true,
            Expr::Var { span, .. } => !self.names.contains(span.text()),
            Expr::Array { items, .. } | Expr::Set { items, .. } => all(items),
            Expr::Object { fields, .. } => {
                fields.iter().all(|(_, key, value)| self.has_value(key) && self.has_value(value))
            }
            Expr::Call { fcn, params, .. } => {
                let name = fcn.span().text();
                ALWAYS.contains(&name) && !self.names.contains(name) && all(params)
            }
            _ => false,
        }
    }
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

/// Beyond any text where it has no room.
fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
