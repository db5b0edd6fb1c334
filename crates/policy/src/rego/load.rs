//! Loading: sizes, syntax, static checks. What cannot be evaluated in any case fails here, with its place.

use std::sync::Arc;

use regorus::{Engine, Value};

use super::check::Rules;
use super::{Compiled, Limits, Module, Program, builtins, declared, guard, heads, meter, place, query};
use crate::error::DocumentError;

/// All modules together, in bytes.
pub(super) const MAX_MODULE_BYTES: usize = 1 << 20;
/// All data documents together, in bytes.
pub(super) const MAX_DATA_BYTES: usize = 10 << 20;
/// Brackets and braces inside one another.
pub(super) const MAX_NESTING: usize = 12;

impl Program {
    pub(super) fn load_with(
        modules: &[Module<'_>],
        data: &serde_json::Value,
        asked: Option<&str>,
        limits: Limits,
    ) -> Result<Self, DocumentError> {
        let Some(first) = modules.first() else {
            return Err(DocumentError::new("rego", "there is no policy file"));
        };
        let bytes = modules.iter().fold(0usize, |sum, module| sum.saturating_add(module.text.len()));
        if bytes > MAX_MODULE_BYTES {
            let what = format!("the policy files have {bytes} bytes together; at most {MAX_MODULE_BYTES} are read");
            return Err(DocumentError::new(first.file, what));
        }
        let data = data_documents(first.file, data)?;
        if !meter::install() {
            return Err(DocumentError::new(first.file, "the steps of Rego rules cannot be counted in this process"));
        }

        let mut engine = parsed(modules)?;
        let rules = Rules::read(engine.get_modules())?;
        rules.check(&data)?;
        let looks = rules.looks();
        let asked = query::asked(first.file, asked, rules.first_package(), &rules)?;
        let pairs = modules.iter().zip(engine.get_modules());
        let texts: Vec<Option<String>> =
            pairs.map(|(module, parsed)| rewritten(module, parsed, &rules)).collect::<Result<_, _>>()?;
        if texts.iter().any(Option::is_some) {
            let changed = modules
                .iter()
                .zip(&texts)
                .map(|(module, text)| Module { file: module.file, text: text.as_deref().unwrap_or(module.text) });
            engine = parsed(&changed.collect::<Vec<_>>())?;
        }

        let wrong = |error: anyhow::Error| place::error(first.file, &error.to_string());
        engine.add_data(data.clone()).map_err(wrong)?;
        for name in builtins::supported() {
            let (arity, function) = guard::extension(name).map_err(wrong)?;
            engine.add_extension(name.to_owned(), arity, function).map_err(wrong)?;
        }
        // Orders the statements of every rule, and finds names that nothing gives a value.
        if let Some(asked) = asked.first() {
            engine.compile_with_entrypoint(&asked.path.as_str().into()).map_err(wrong)?;
        }
        Ok(Self(Arc::new(Compiled { interpreter: engine, asked, looks, limits })))
    }
}

/// A module in the form in which the library answers as Rego does; `None` if it is in that form.
fn rewritten(
    module: &Module<'_>,
    parsed: &regorus::unstable::Module,
    rules: &Rules,
) -> Result<Option<String>, DocumentError> {
    let declared = declared::without_late(parsed, rules, module.text);
    let heads = heads::in_bodies(module.file, parsed, rules, declared.as_deref().unwrap_or(module.text))?;
    Ok(heads.or(declared))
}

fn parsed(modules: &[Module<'_>]) -> Result<Engine, DocumentError> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    for module in modules {
        add(&mut engine, module)?;
    }
    Ok(engine)
}

fn data_documents(file: &str, data: &serde_json::Value) -> Result<Value, DocumentError> {
    if !data.is_object() {
        return Err(DocumentError::new(file, "the data documents are not an object"));
    }
    let bytes = data.to_string().len();
    if bytes > MAX_DATA_BYTES {
        let what = format!("the data documents have {bytes} bytes together; at most {MAX_DATA_BYTES} are read");
        return Err(DocumentError::new(file, what));
    }
    Ok(Value::from(data.clone()))
}

/// The parser tries each bracket as a list and as a comprehension, and so takes twice as long for each one inside another.
fn bounded_nesting(module: &Module<'_>) -> Result<(), DocumentError> {
    let mut depth = 0usize;
    for (number, line) in (1..).zip(without_text(module.text).lines()) {
        for (column, letter) in (1..).zip(line.chars()) {
            match letter {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_NESTING {
                let place = place::Place { file: module.file.to_owned(), line: number, column };
                return Err(place
                    .error(format!("more than {MAX_NESTING} brackets and braces stand inside one another"))
                    .with_hint("give the inner ones names, or move them to a data document"));
            }
        }
    }
    Ok(())
}

/// A module with blanks in place of strings and comments.
fn without_text(module: &str) -> String {
    let mut letters = module.chars();
    let mut bare = String::with_capacity(module.len());
    // What ends the text that we are in: a quote, a backtick, or the line after a comment.
    let mut end = None;
    while let Some(letter) = letters.next() {
        let kept = match end {
            None => {
                end = match letter {
                    '"' | '`' => Some(letter),
                    '#' => Some('\n'),
                    _ => None,
                };
                true
            }
            // A string of one line ends with it, closed or not.
            Some(closing) if letter == closing || (letter == '\n' && closing == '"') => {
                end = None;
                true
            }
            Some('"') if letter == '\\' => {
                letters.next();
                false
            }
            Some(_) => letter == '\n',
        };
        bare.push(if kept { letter } else { ' ' });
    }
    bare
}

/// Each module is read as Rego v1, and if it is none, as the older v0, which many policies in use still are.
fn add(engine: &mut Engine, module: &Module<'_>) -> Result<(), DocumentError> {
    bounded_nesting(module)?;
    let mut read = |v0: bool| {
        engine.set_rego_v0(v0);
        let read = engine.add_policy(module.file.to_owned(), module.text.to_owned());
        engine.set_rego_v0(false);
        read
    };
    let Err(error) = read(false) else {
        return Ok(());
    };
    let error = place::error(module.file, &error.to_string());
    // What v1 added to the syntax; any other error is one in both.
    if !error.what.contains("keyword is required") {
        return Err(error);
    }
    match read(true) {
        Ok(_) => Ok(()),
        Err(_) => Err(error.with_hint(
            "Rego from before OPA 1.0? It does not parse as that either; `opa fmt --write --v0-v1` rewrites such a file",
        )),
    }
}
