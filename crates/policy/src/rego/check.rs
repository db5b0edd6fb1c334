//! What can be told of a policy before it is asked: functions that are not there, documents that nobody defines, rules that need
//! themselves. In Rego most of these would be "undefined", which reads like "nothing to object to".

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Module, Ref};

use super::builtins::{Builtin, builtin, takes_output};
use super::graph;
use super::syntax::{self, Call, Definition, Form, Path, Read, Target, path_text};
use crate::error::{DocumentError, suggest};

/// A function of a policy has at most as many parameters: the bytecode has no room for more.
const MAX_PARAMETERS: usize = 8;

/// Every definition of every module.
#[derive(Debug)]
pub(super) struct Rules {
    definitions: Vec<Definition>,
    by_path: BTreeMap<Path, Vec<usize>>,
    packages: BTreeSet<Path>,
    first_package: Path,
    imports: Vec<Read>,
}

impl Rules {
    pub(super) fn read(modules: &[Ref<Module>]) -> Result<Self, DocumentError> {
        let mut names: BTreeMap<Path, BTreeSet<String>> = BTreeMap::new();
        let mut first_package = None;
        for module in modules {
            let package = syntax::package(module)?;
            first_package.get_or_insert_with(|| package.clone());
            let depth = package.len();
            let here = names.entry(package.clone()).or_default();
            here.extend(module.policy.iter().filter_map(|rule| syntax::rule_path(&package, rule).get(depth).cloned()));
        }
        let mut rules = Self {
            definitions: Vec::new(),
            by_path: BTreeMap::new(),
            packages: names.keys().cloned().collect(),
            first_package: first_package.unwrap_or_else(Vec::new),
            imports: Vec::new(),
        };
        for module in modules {
            let package = syntax::package(module)?;
            let imports = syntax::imports(module);
            let aliases = imports.iter().map(|(alias, (path, _))| (alias.clone(), path.clone())).collect();
            if let Some(names) = names.get(&package) {
                for rule in &module.policy {
                    let definition = syntax::definition(&package, names, &aliases, rule);
                    rules.by_path.entry(definition.path.clone()).or_default().push(rules.definitions.len());
                    rules.definitions.push(definition);
                }
            }
            let data = imports.into_values().filter(|(path, _)| path.first().is_some_and(|root| root == "data"));
            rules.imports.extend(data.map(|(path, place)| Read { path, place }));
        }
        Ok(rules)
    }

    pub(super) fn packages(&self) -> &BTreeSet<Path> {
        &self.packages
    }

    pub(super) fn first_package(&self) -> &Path {
        &self.first_package
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.by_path.keys()
    }

    pub(super) fn defines(&self, path: &Path) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Do bytecode and interpreter mean the same by every rule?
    pub(super) fn agreeing(&self) -> bool {
        self.definitions.iter().filter(|definition| !is_test(definition)).all(|definition| !definition.interpreted)
    }

    /// The definitions of a rule.
    pub(super) fn of(&self, path: &Path) -> impl Iterator<Item = &Definition> {
        self.by_path.get(path).into_iter().flatten().filter_map(|index| self.definitions.get(*index))
    }

    /// Everything that is wrong in any case. Tests (`test_…`) are not evaluated and may do what they like.
    pub(super) fn check(&self, data: &Value) -> Result<(), DocumentError> {
        for read in &self.imports {
            self.defined(read, data)?;
        }
        for definition in self.definitions.iter().filter(|definition| !is_test(definition)) {
            if let Some(place) = &definition.replaces {
                return Err(place.error("`with` is supported in tests only (rules whose name starts with `test_`)"));
            }
            for call in &definition.calls {
                self.callable(call)?;
            }
            for read in &definition.reads {
                self.defined(read, data)?;
            }
        }
        graph::check(self)
    }

    fn callable(&self, call: &Call) -> Result<(), DocumentError> {
        let (name, expected, output) = match &call.target {
            Target::Builtin(name) => match builtin(name) {
                Builtin::Allowed(arity) => (name.clone(), arity, takes_output(name)),
                Builtin::Refused { what, hint } => {
                    let error = call.place.error(what);
                    return Err(match hint {
                        Some(hint) => error.with_hint(hint),
                        None => error,
                    });
                }
            },
            Target::Rule(path) => {
                let mut functions = self.of(path).filter(|definition| definition.form == Form::Function).peekable();
                if functions.peek().is_none() {
                    let what =
                        if self.defines(path) { "is a rule and no function" } else { "is defined by no policy file" };
                    let what = format!("`{}` {what}", path_text(path));
                    return Err(call.place.error(what));
                }
                if call.arguments > MAX_PARAMETERS {
                    let what = format!("`{}` is called with more than {MAX_PARAMETERS} arguments", path_text(path));
                    return Err(call.place.error(what).with_hint("hand over one object"));
                }
                return Ok(()); // the compiler counts them
            }
        };
        if call.arguments == expected || (output && call.arguments == expected + 1) {
            return Ok(());
        }
        Err(call.place.error(format!("`{name}` takes {expected} arguments and is given {}", call.arguments)))
    }

    /// Is there anything at a path, in rules or data? A path into the value of a rule is the rule's business.
    fn defined(&self, read: &Read, data: &Value) -> Result<(), DocumentError> {
        let path = &read.path;
        let known = self.packages.iter().any(|package| package.starts_with(path))
            || self.by_path.keys().any(|rule| rule.starts_with(path) || path.starts_with(rule))
            || in_data(path.get(1..).unwrap_or(&[]), data);
        if known {
            return Ok(());
        }
        let all: Vec<String> = self.by_path.keys().chain(&self.packages).map(|path| path_text(path)).collect();
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        let text = path_text(path);
        let error = read.place.error(format!("`{text}` is defined by no policy file and no data document"));
        Err(match suggest(&text, &names).filter(|hint| hint.starts_with("did you mean")) {
            Some(hint) => error.with_hint(hint),
            None => error.with_hint("hand the data document over, or correct the path"),
        })
    }
}

/// A path leads to something, or into something whose parts are not names.
fn in_data(path: &[String], data: &Value) -> bool {
    let mut here = data;
    for part in path {
        match here {
            Value::Object(_) => here = &here[part.as_str()],
            Value::Undefined => return false,
            _ => return true,
        }
    }
    *here != Value::Undefined
}

/// A rule for `opa test`.
pub(super) fn is_test(definition: &Definition) -> bool {
    definition.path.last().is_some_and(|name| name.starts_with("test_") || name.starts_with("todo_test_"))
}
