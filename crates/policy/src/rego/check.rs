//! What can be told of a policy before it is asked: functions that are not there, documents that nobody defines, rules that need
//! themselves. In Rego most of these would be "undefined", which reads like "nothing to object to".

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Module, Ref};

use super::Looks;
use super::builtins::{Builtin, NOW, builtin, takes_output};
use super::definition::{Call, Definition, Path, Read, Replaced, Target};
use super::graph;
use super::syntax::{self, path_text};
use crate::error::{DocumentError, suggest};

/// A function of a policy has at most as many parameters.
const MAX_PARAMETERS: usize = 100;

/// Every definition of every module.
#[derive(Debug)]
pub(super) struct Rules {
    definitions: Vec<Definition>,
    by_path: BTreeMap<Path, Vec<usize>>,
    packages: BTreeSet<Path>,
    first_package: Path,
    imports: Vec<Read>,
    names: BTreeMap<Path, BTreeSet<String>>,
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
            names: BTreeMap::new(),
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
        rules.names = names;
        Ok(rules)
    }

    /// The names of the rules in a package.
    pub(super) fn names(&self, package: &Path) -> Option<&BTreeSet<String>> {
        self.names.get(package)
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

    /// What all rules look at.
    pub(super) fn looks(&self) -> Looks {
        let rules = || self.definitions.iter().filter(|definition| !is_test(definition));
        let mut inputs = rules().flat_map(|definition| &definition.inputs);
        let calls = |name: &str| {
            let mut calls = rules().flat_map(|definition| &definition.calls);
            calls.any(|call| matches!(&call.target, Target::Builtin(called) if called == name))
        };
        let at_everything = calls("walk") || inputs.any(|path| path.len() == 1);
        let at =
            rules().flat_map(|definition| &definition.inputs).any(|path| path.get(1).is_some_and(|key| key == "at"));
        Looks { at_everything, at_the_clock: at_everything || at || calls(NOW) }
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
            for target in &definition.replaces {
                self.replaceable(target)?;
            }
            self.one_kind(definition)?;
            beside_data(definition, data)?;
            let mut given: BTreeSet<&String> = definition.given.keys().collect();
            for call in &definition.calls {
                if self.callable(call)? {
                    given.extend(&call.last);
                }
            }
            for (name, place) in &definition.variables {
                if !given.contains(name) {
                    let what = format!("nothing gives `{name}` a value");
                    return Err(place.error(what).with_hint(if name == "_" {
                        "behind `not` nothing gets a value: move the condition into a rule of its own"
                    } else {
                        "correct the name, or give it a value with `:=` or `some … in`"
                    }));
                }
            }
            for (names, place) in &definition.objects {
                if names.is_empty() || names.iter().any(|name| definition.given.get(name) == Some(&1)) {
                    return Err(place.error("an object as a pattern is not supported").with_hint(
                        "take what you need by its key: `name := value.name`; a pattern would have to name every key",
                    ));
                }
            }
            for read in &definition.reads {
                self.defined(read, data)?;
            }
        }
        graph::check(self)
    }

    /// May it be called like that, and is its last argument for its result?
    fn callable(&self, call: &Call) -> Result<bool, DocumentError> {
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
                let mut parameters = self.of(path).filter_map(|definition| definition.form.parameters());
                let Some(expected) = parameters.next() else {
                    let what =
                        if self.defines(path) { "is a rule and no function" } else { "is defined by no policy file" };
                    let what = format!("`{}` {what}", path_text(path));
                    return Err(call.place.error(what));
                };
                (path_text(path), expected, true)
            }
        };
        let for_result = output && call.statement && call.arguments == expected + 1;
        if call.arguments == expected || for_result {
            return Ok(for_result);
        }
        Err(call.place.error(format!("`{name}` takes {expected} arguments and is given {}", call.arguments)))
    }

    /// May it be given another value by `with`? Functions are replaced where policies are tested.
    fn replaceable(&self, target: &Replaced) -> Result<(), DocumentError> {
        let what = match &target.path {
            Some(path) if !self.of(path).any(|definition| definition.form.parameters().is_some()) => return Ok(()),
            Some(path) => format!("`with` replaces the function `{}`", path_text(path)),
            None => "`with` replaces something other than `input` and `data`".to_owned(),
        };
        Err(target
            .place
            .error(format!("{what}, which is supported in tests only (rules whose name starts with `test_`)")))
    }

    /// A rule is a function, a set, or neither, in all its definitions.
    fn one_kind(&self, definition: &Definition) -> Result<(), DocumentError> {
        if let Some(parameters) = definition.form.parameters()
            && parameters > MAX_PARAMETERS
        {
            let what = format!("a function with more than {MAX_PARAMETERS} parameters");
            return Err(definition.place.error(what).with_hint("hand over one object"));
        }
        let first = self.of(&definition.path).next();
        match first {
            Some(first) if !first.form.goes_with(definition.form) => {
                let what = format!(
                    "`{}` has another form in line {} of {}",
                    path_text(&definition.path),
                    first.place.line,
                    first.place.file
                );
                Err(definition.place.error(what))
            }
            _ => Ok(()),
        }
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

/// A rule and a data document at one place would hide each other.
fn beside_data(definition: &Definition, data: &Value) -> Result<(), DocumentError> {
    if in_data(definition.path.get(1..).unwrap_or(&[]), data) {
        let what = format!("a data document stands where the rule `{}` does", path_text(&definition.path));
        return Err(definition.place.error(what).with_hint("give one of them another name"));
    }
    Ok(())
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
