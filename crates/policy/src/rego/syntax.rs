//! What the rules of a module are, what they read and what they call, with places: the syntax tree of regorus, reduced to that.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead,
};

use super::definition::{Call, Definition, Form, Path, Read, Replaced, Target};
use super::pattern::{declarations, variables};
use super::place::Place;
use crate::error::DocumentError;

/// As regorus writes it: dots between identifiers, else brackets.
pub(super) fn path_text(path: &[String]) -> String {
    let identifier = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    path.iter().fold(String::new(), |text, part| match text.as_str() {
        "" => part.clone(),
        _ if identifier(part) => format!("{text}.{part}"),
        _ => format!("{text}[{}]", serde_json::Value::from(part.as_str())),
    })
}

/// The package of a module, `data` included.
pub(super) fn package(module: &Module) -> Result<Path, DocumentError> {
    let mut path = vec!["data".to_owned()];
    path.extend(
        constant(&module.package.refr)
            .ok_or_else(|| Place::of(&module.package.span).error("the name of the package is not written out"))?,
    );
    Ok(path)
}

/// The path of the rule that a definition belongs to.
pub(super) fn rule_path(package: &Path, rule: &Rule) -> Path {
    let refr = match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
        },
    };
    let (mut path, whole) = prefix(refr);
    // `deny["a"] := 1` is an entry of the object `deny`.
    if whole
        && matches!(rule, Rule::Spec { head: RuleHead::Compr { .. }, .. })
        && matches!(refr.as_ref(), Expr::RefBrack { .. })
    {
        path.pop();
    }
    let mut full = package.clone();
    full.append(&mut path);
    full
}

/// Reads one definition. `names` are the rules of its package, `imports` the aliases of its module.
pub(super) fn definition(
    package: &Path,
    names: &BTreeSet<String>,
    imports: &BTreeMap<String, Path>,
    rule: &Rule,
) -> Definition {
    let path = rule_path(package, rule);
    let mut walk = Walk {
        package,
        names,
        imports,
        scopes: Vec::new(),
        negated: false,
        inside: 0,
        deepest: 0,
        found: Definition {
            path,
            form: Form::Default,
            place: Place::of(rule.span()),
            reads: Vec::new(),
            inputs: Vec::new(),
            calls: Vec::new(),
            replaces: Vec::new(),
            variables: Vec::new(),
            given: BTreeMap::new(),
            objects: Vec::new(),
            depth: 1,
        },
    };
    match rule {
        Rule::Default { args, value, .. } => {
            walk.found.form = if args.is_empty() { Form::Default } else { Form::Function(args.len()) };
            walk.expression(value);
        }
        Rule::Spec { head, bodies, .. } => walk.spec(head, bodies),
    }
    walk.found.depth += walk.deepest;
    walk.found
}

/// The aliases of a module: their name and what they stand for. `import rego.v1` and its like stand for nothing.
pub(super) fn imports(module: &Module) -> BTreeMap<String, (Path, Place)> {
    let mut imports = BTreeMap::new();
    for import in &module.imports {
        let (path, _) = prefix(&import.refr);
        if let (Some("data" | "input"), Some(last)) = (path.first().map(String::as_str), path.last()) {
            let alias = import.r#as.as_ref().map_or_else(|| last.clone(), |alias| alias.text().to_owned());
            imports.insert(alias, (path, Place::of(&import.span)));
        }
    }
    imports
}

/// The parts of a reference up to the first that is not written out, and whether these are all.
fn prefix(expression: &Expr) -> (Path, bool) {
    match expression {
        Expr::Var { span, .. } => (vec![span.text().to_owned()], true),
        Expr::RefDot { refr, field, .. } => {
            let (mut path, whole) = prefix(refr);
            if whole {
                path.push(field.0.text().to_owned());
            }
            (path, whole)
        }
        Expr::RefBrack { refr, index, .. } => {
            let (mut path, whole) = prefix(refr);
            match index.as_ref() {
                Expr::String { value: Value::String(text), .. }
                | Expr::RawString { value: Value::String(text), .. }
                    if whole =>
                {
                    path.push(text.to_string());
                    (path, true)
                }
                _ => (path, false),
            }
        }
        _ => (Vec::new(), false),
    }
}

/// Where a reference begins; its own span is that of its last part.
fn start(reference: &Expr) -> Place {
    match reference {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => start(refr),
        other => Place::of(other.span()),
    }
}

fn constant(expression: &Expr) -> Option<Path> {
    Some(prefix(expression)).filter(|(_, whole)| *whole).map(|(path, _)| path)
}

struct Walk<'a> {
    package: &'a Path,
    names: &'a BTreeSet<String>,
    imports: &'a BTreeMap<String, Path>,
    /// Names that a body declares; they hide rules and imports.
    scopes: Vec<BTreeSet<String>>,
    /// Behind `not`, where nothing is given a value.
    negated: bool,
    /// Expressions around this one, and the most there were.
    inside: usize,
    deepest: usize,
    found: Definition,
}

impl Walk<'_> {
    fn spec(&mut self, head: &RuleHead, bodies: &[RuleBody]) {
        let mut arguments = BTreeSet::new();
        if let RuleHead::Func { args, .. } = head {
            for argument in args {
                variables(argument, &mut arguments);
                self.objects(argument, false);
            }
        }
        self.scopes.push(arguments);
        for body in bodies {
            self.query(&body.query, |walk| {
                if let Some(RuleAssign { value, .. }) = &body.assign {
                    walk.expression(value);
                }
            });
        }
        // What the head says is said with the names of the bodies.
        let mut declared = BTreeSet::new();
        for body in bodies {
            declarations(&body.query, &mut declared);
        }
        self.scopes.push(declared);
        let unconditional = bodies.is_empty() || bodies.iter().any(|body| body.query.stmts.is_empty());
        match head {
            RuleHead::Set { refr, key, .. } => {
                // `name[key] contains x` is an object of sets.
                let object = matches!(refr.as_ref(), Expr::RefBrack { .. }) && key.is_some();
                self.found.form = if object { Form::Object } else { Form::Set };
                self.index(refr);
                if let Some(key) = key {
                    self.expression(key);
                }
            }
            RuleHead::Compr { refr, assign, .. } => {
                self.found.form = match refr.as_ref() {
                    Expr::RefBrack { .. } => Form::Object,
                    _ => Form::Complete { unconditional },
                };
                self.index(refr);
                if let Some(assign) = assign {
                    self.expression(&assign.value);
                }
            }
            RuleHead::Func { args, assign, .. } => {
                self.found.form = Form::Function(args.len());
                if let Some(assign) = assign {
                    self.expression(&assign.value);
                }
            }
        }
        self.scopes.clear();
    }

    /// The keys in a head, `name[key]`; the name itself is no reference.
    fn index(&mut self, head: &Expr) {
        match head {
            Expr::RefBrack { refr, index, .. } => {
                self.index(refr);
                self.expression(index);
            }
            Expr::RefDot { refr, .. } => self.index(refr),
            _ => {}
        }
    }

    fn query(&mut self, query: &Query, then: impl FnOnce(&mut Self)) {
        let mut declared = BTreeSet::new();
        declarations(query, &mut declared);
        self.scopes.push(declared);
        let negated = std::mem::replace(&mut self.negated, false);
        for statement in &query.stmts {
            self.statement(statement);
        }
        then(self);
        self.negated = negated;
        self.scopes.pop();
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        for with in &statement.with_mods {
            let path = constant(&with.refr).and_then(|path| match path.first().map(String::as_str) {
                Some("input") => Some(path),
                _ => self.resolve(&path),
            });
            self.found.replaces.push(Replaced { path, place: Place::of(&with.span) });
            self.expression(&with.r#as);
        }
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                let named = vars.iter().map(|name| (name.text().to_owned(), Place::of(name)));
                self.found.variables.extend(named);
            }
            Literal::SomeIn { key, value, collection, .. } => {
                self.found.depth += 1;
                for pattern in key.iter().chain([value]) {
                    self.objects(pattern, false);
                    self.expression(pattern);
                }
                self.expression(collection);
            }
            Literal::Expr { expr, .. } => self.condition(expr),
            Literal::NotExpr { expr, .. } => {
                self.negated = true;
                self.condition(expr);
                self.negated = false;
            }
            Literal::Every { key, value, domain, query, .. } => {
                self.found.depth += 1;
                self.expression(domain);
                let names = key.iter().chain([value]).map(|name| name.text().to_owned()).collect();
                self.scopes.push(names);
                self.query(query, |_| {});
                self.scopes.pop();
            }
        }
    }

    /// An expression that is a statement of its own.
    fn condition(&mut self, expression: &Expr) {
        self.expression(expression);
        if let Expr::Call { .. } = expression
            && let Some(call) = self.found.calls.last_mut()
        {
            call.statement = true;
        }
    }

    /// What a pattern names has a value if the statement holds.
    fn gives(&mut self, pattern: &Expr) {
        if self.negated {
            return;
        }
        let mut names = BTreeSet::new();
        variables(pattern, &mut names);
        for name in names {
            *self.found.given.entry(name).or_insert(0) += 1;
        }
    }

    /// Notes the objects in a pattern. With `=`, one that only names what has a value is no pattern.
    fn objects(&mut self, pattern: &Expr, unified: bool) {
        match pattern {
            Expr::Object { .. } => {
                let mut names = BTreeSet::new();
                if unified {
                    variables(pattern, &mut names);
                    names.retain(|name| !self.has_value(name));
                    if names.is_empty() {
                        return;
                    }
                }
                self.found.objects.push((names, Place::of(pattern.span())));
            }
            Expr::Array { items, .. } => items.iter().for_each(|item| self.objects(item, unified)),
            _ => {}
        }
    }

    /// Does it stand for a rule, an import, or what a statement declares with a value?
    fn has_value(&self, name: &str) -> bool {
        let only_named = self.found.variables.iter().any(|(named, _)| named == name);
        let path = [name.to_owned()];
        name == "input" || self.resolve(&path).is_some() || (self.hidden(name) && !only_named)
    }

    fn expression(&mut self, expression: &Expr) {
        self.inside += 1;
        self.deepest = self.deepest.max(self.inside);
        self.operands(expression);
        self.inside -= 1;
    }

    fn operands(&mut self, expression: &Expr) {
        match expression {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } => self.read(expression),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.read(expression);
                self.parts(expression);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| self.expression(item)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expression(key);
                self.expression(value);
            }),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.found.depth += 1;
                self.query(query, |walk| walk.expression(term));
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.found.depth += 1;
                self.query(query, |walk| {
                    walk.expression(key);
                    walk.expression(value);
                });
            }
            Expr::Call { fcn, params, .. } => {
                for parameter in params {
                    self.expression(parameter);
                }
                self.call(fcn, params);
            }
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                self.gives(lhs);
                self.objects(lhs, matches!(op, AssignOp::Eq));
                if matches!(op, AssignOp::Eq) {
                    self.gives(rhs);
                    self.objects(rhs, true);
                }
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::BinExpr { lhs, rhs, .. } | Expr::BoolExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } => {
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                if let Some(key) = key {
                    self.expression(key);
                }
                self.expression(value);
                self.expression(collection);
            }
        }
    }

    /// What stands in brackets, and what a reference begins with if it is no name.
    fn parts(&mut self, expression: &Expr) {
        match expression {
            Expr::RefDot { refr, .. } => self.parts(refr),
            Expr::RefBrack { refr, index, .. } => {
                if !matches!(index.as_ref(), Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. }) {
                    self.found.depth += 1;
                }
                self.parts(refr);
                self.gives(index);
                self.expression(index);
            }
            Expr::Var { .. } => {}
            other => self.expression(other),
        }
    }

    fn hidden(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    /// From `data` on, if it leads there.
    fn resolve(&self, path: &[String]) -> Option<Path> {
        let (root, tail) = path.split_first()?;
        if self.hidden(root) {
            return None;
        }
        let mut full = match root.as_str() {
            "data" => vec![root.clone()],
            "input" => return None,
            _ => match self.imports.get(root) {
                Some(target) if target.first().is_some_and(|first| first == "data") => target.clone(),
                None if self.names.contains(root) => {
                    let mut path = self.package.clone();
                    path.push(root.clone());
                    path
                }
                _ => return None,
            },
        };
        full.extend_from_slice(tail);
        Some(full)
    }

    fn read(&mut self, reference: &Expr) {
        let (path, _) = prefix(reference);
        if let Some(path) = self.resolve(&path) {
            self.found.reads.push(Read { path, place: start(reference) });
            return;
        }
        let Some((root, rest)) = path.split_first() else { return };
        if !self.hidden(root) {
            let imported = self.imports.get(root).cloned();
            let mut full = if root == "input" { vec![root.clone()] } else { imported.unwrap_or_else(Vec::new) };
            if !full.is_empty() {
                full.extend_from_slice(rest);
                self.found.inputs.push(full);
            }
        }
        // What stands for anything has a value by itself, but not behind `not`.
        let known = match root.as_str() {
            "_" => !self.negated,
            "input" => true,
            name => self.hidden(name) || self.imports.contains_key(name),
        };
        if !known {
            self.found.variables.push((root.clone(), start(reference)));
        }
    }

    fn call(&mut self, function: &Expr, parameters: &[Ref<Expr>]) {
        let (path, _) = prefix(function);
        let mut last = BTreeSet::new();
        if !self.negated
            && let Some(parameter) = parameters.last()
        {
            variables(parameter, &mut last);
        }
        let target = match self.resolve(&path) {
            Some(path) => Target::Rule(path),
            None => Target::Builtin(path.join(".")),
        };
        if matches!(&target, Target::Builtin(name) if name == "walk") {
            self.found.depth += 1;
        }
        let (arguments, place) = (parameters.len(), start(function));
        self.found.calls.push(Call { target, arguments, statement: false, last, place });
    }
}
