//! What stands before every builtin: the steps it takes are counted, and what would make a value much larger than its arguments, or
//! would depend on this machine, is refused.

use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};
use regorus::{Extension, Value};

use super::builtins::NOW;
use super::network::FUNCTIONS;
use super::{dates, format, meter};

/// The largest value a guarded builtin makes, in bytes or in elements.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// The longest range.
pub(super) const MAX_ELEMENTS: usize = 100_000;
/// The longest answer of `walk`: values, each with the parts of its path.
const MAX_PARTS: usize = 4 << 20;
/// The widest column of `sprintf`.
const MAX_WIDTH: u32 = 1_000;

/// What the interpreter calls for a builtin: it counts what the builtin is about to do, refuses what would be too large, and then
/// calls it. Gives the number of arguments too.
pub(super) fn extension(name: &'static str) -> anyhow::Result<(u8, Box<dyn Extension>)> {
    if name == NOW {
        return Ok((0, Box::new(|_| Ok(Value::from(meter::now())))));
    }
    if let Some((_, arity, function)) = FUNCTIONS.iter().find(|(ours, _, _)| *ours == name) {
        return Ok((*arity, Box::new(|arguments: Vec<Value>| function(&arguments))));
    }
    let (arity, original) = library(name)?;
    let (_, date) = library("time.date")?;
    let check = check(name);
    let cost = Cost::of(name);
    let call = move |arguments: Vec<Value>| {
        meter::charge(cost.steps(&arguments).saturating_add(if name == "sprintf" { 16 } else { 0 }));
        check(&arguments)?;
        let value = match name {
            "sprintf" => format::sprintf(&arguments, &original),
            "time.add_date" => dates::add_date(&arguments, &original, &date),
            _ => original(&arguments),
        }?;
        // Only these have no value for something: others would be an error in OPA.
        if value == Value::Undefined && !matches!(name, "max" | "min") {
            anyhow::bail!("`{name}` gives nothing for what it is given");
        }
        Ok(value)
    };
    Ok((arity, Box::new(call)))
}

/// What is done with the arguments of a builtin.
trait Builtin: Fn(&[Value]) -> anyhow::Result<Value> + Clone + Send + Sync + 'static {}

impl<F: Fn(&[Value]) -> anyhow::Result<Value> + Clone + Send + Sync + 'static> Builtin for F {}

/// A builtin as the library has it, with its number of arguments.
fn library(name: &str) -> anyhow::Result<(u8, impl Builtin)> {
    let Some((function, arity)) = BUILTINS.get(name) else {
        anyhow::bail!("the builtin `{name}` is missing");
    };
    let source = Source::from_contents(name.to_owned(), name.to_owned())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let parameter = Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let parameters = vec![parameter; usize::from(*arity)];
    let call = move |arguments: &[Value]| {
        // The interpreter adds the place and keeps the text only, so the picture of the line that is not one goes.
        function(&span, &parameters, arguments, true)
            .map_err(|error| anyhow::anyhow!(super::place::read(&error.to_string()).0))
    };
    Ok((*arity, call))
}

/// What has to hold before a builtin is called.
fn check(name: &str) -> fn(&[Value]) -> anyhow::Result<()> {
    match name {
        "array.concat" => array_concat,
        "base64.encode"
        | "base64url.encode"
        | "base64url.encode_no_pad"
        | "hex.encode"
        | "urlquery.encode"
        | "json.marshal"
        | "json.marshal_with_options"
        | "yaml.marshal"
        | "urlquery.encode_object" => linear,
        "concat" => concat,
        "numbers.range" | "numbers.range_step" => range,
        "regex.replace" | "replace" => replace,
        "sprintf" => sprintf,
        "strings.replace_n" => replace_n,
        "time.add_date" | "time.clock" | "time.date" | "time.format" | "time.weekday" => zone,
        "walk" => walk,
        _ => |_| Ok(()),
    }
}

/// How what a builtin does grows with what it is given.
#[derive(Debug, Clone, Copy)]
enum Cost {
    /// Not at all.
    Fixed,
    /// With the elements of a collection and the length of a text.
    Shallow,
    /// With everything that is in it.
    Deep,
}

impl Cost {
    fn of(name: &str) -> Self {
        match name {
            "count" | "object.get" | "type_name" => Self::Fixed,
            _ if name.starts_with("is_") => Self::Fixed,
            "sprintf" | "walk" | "sort" | "union" | "intersection" | "yaml.marshal" => Self::Deep,
            _ if name.starts_with("json.") || name.starts_with("object.") => Self::Deep,
            _ => Self::Shallow,
        }
    }

    /// A step of the interpreter takes as long as about four elements, or 64 bytes.
    fn steps(self, arguments: &[Value]) -> usize {
        match self {
            Self::Fixed => 1,
            Self::Shallow => arguments.iter().fold(1, |sum, value| {
                (elements(value) / 4).saturating_add(text_length(Some(value)) / 64).saturating_add(sum)
            }),
            Self::Deep => arguments.iter().fold(0, |sum, value| weight_of(value, sum)) / 16 + 1,
        }
    }
}

fn at_most(size: usize, limit: usize) -> anyhow::Result<()> {
    if size <= limit {
        return Ok(());
    }
    meter::too_large(size, limit);
    anyhow::bail!("a value of {size} parts or bytes is too large")
}

/// Bytes of a value when it is written out; counting stops a little past the limit.
fn weight(value: &Value, so_far: usize) -> usize {
    let so_far = so_far.saturating_add(4);
    if so_far > MAX_BYTES {
        return so_far;
    }
    match value {
        Value::String(text) => so_far.saturating_add(text.len()),
        Value::Array(elements) => elements.iter().fold(so_far, |sum, element| weight_of(element, sum)),
        Value::Set(elements) => elements.iter().fold(so_far, |sum, element| weight_of(element, sum)),
        Value::Object(fields) => fields.iter().fold(so_far, |sum, (key, value)| weight_of(value, weight_of(key, sum))),
        _ => so_far.saturating_add(16),
    }
}

fn weight_of(value: &Value, so_far: usize) -> usize {
    if so_far > MAX_BYTES { so_far } else { weight(value, so_far) }
}

/// The result is as large as the arguments, give or take a factor.
fn linear(arguments: &[Value]) -> anyhow::Result<()> {
    at_most(arguments.iter().fold(0, |sum, argument| weight_of(argument, sum)), MAX_BYTES)
}

fn elements(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.len(),
        Value::Set(elements) => elements.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

fn text_length(value: Option<&Value>) -> usize {
    match value {
        Some(Value::String(text)) => text.len(),
        _ => 0,
    }
}

fn array_concat(arguments: &[Value]) -> anyhow::Result<()> {
    at_most(arguments.iter().map(elements).fold(0, usize::saturating_add), MAX_BYTES / 16)
}

/// The delimiter stands once between two parts.
fn concat(arguments: &[Value]) -> anyhow::Result<()> {
    linear(arguments)?;
    let delimiters = arguments.get(1).map_or(0, elements).saturating_mul(text_length(arguments.first()));
    at_most(delimiters, MAX_BYTES)
}

/// At worst something is put in between all letters.
fn replace(arguments: &[Value]) -> anyhow::Result<()> {
    let longest = text_length(arguments.get(2)).saturating_add(1);
    at_most(text_length(arguments.first()).saturating_add(1).saturating_mul(longest), MAX_BYTES * 16)
}

fn replace_n(arguments: &[Value]) -> anyhow::Result<()> {
    let grows = match arguments.first() {
        Some(Value::Object(patterns)) => {
            patterns.values().fold(1usize, |product, new| product.saturating_mul(text_length(Some(new)).max(1)))
        }
        _ => 1,
    };
    at_most(text_length(arguments.get(1)).saturating_add(1).saturating_mul(grows), MAX_BYTES * 16)
}

/// The number of elements is the distance of the ends, whatever the step.
fn range(arguments: &[Value]) -> anyhow::Result<()> {
    let end = |at: usize| match arguments.get(at).map(Value::as_i64) {
        Some(Ok(end)) => Some(i128::from(end)),
        _ => None,
    };
    let (Some(from), Some(to)) = (end(0), end(1)) else {
        anyhow::bail!("the ends of a range are whole numbers of 64 bits");
    };
    at_most(usize::try_from((to - from).unsigned_abs()).unwrap_or(usize::MAX), MAX_ELEMENTS)
}

/// A width is a promise of memory, and regorus reads its digits without a bound.
fn sprintf(arguments: &[Value]) -> anyhow::Result<()> {
    linear(arguments)?;
    let Some(Value::String(format)) = arguments.first() else {
        return Ok(()); // the builtin says what is wrong with it
    };
    let mut rest = format.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            continue;
        }
        let mut width: u32 = 0;
        while let Some(letter) = rest.peek().copied().filter(|letter| *letter == '.' || letter.is_numeric()) {
            rest.next();
            match letter.to_digit(10) {
                Some(digit) => width = width.saturating_mul(10).saturating_add(digit),
                None if letter == '.' => width = 0,
                None => anyhow::bail!("the width of a verb in the format is not a number"),
            }
            at_most(usize::try_from(width)?, usize::try_from(MAX_WIDTH)?)?;
        }
        // `%%` is a sign and no verb.
        rest.next();
    }
    Ok(())
}

/// Every value in a document stands beside its whole path.
fn walk(arguments: &[Value]) -> anyhow::Result<()> {
    let parts = arguments.iter().fold(0, |sum, argument| parts(argument, 1, sum));
    meter::charge(parts / 4);
    at_most(parts, MAX_PARTS)
}

fn parts(value: &Value, depth: usize, so_far: usize) -> usize {
    let so_far = so_far.saturating_add(depth);
    if so_far > MAX_PARTS {
        return so_far;
    }
    match value {
        Value::Array(elements) => elements.iter().fold(so_far, |sum, element| parts_of(element, depth, sum)),
        Value::Set(elements) => elements.iter().fold(so_far, |sum, element| parts_of(element, depth, sum)),
        Value::Object(fields) => fields.values().fold(so_far, |sum, value| parts_of(value, depth, sum)),
        _ => so_far,
    }
}

fn parts_of(value: &Value, depth: usize, so_far: usize) -> usize {
    if so_far > MAX_PARTS { so_far } else { parts(value, depth + 1, so_far) }
}

/// The time zone of this machine is none of the policy's arguments.
fn zone(arguments: &[Value]) -> anyhow::Result<()> {
    let local = |value: &Value| matches!(value, Value::String(text) if text.as_ref() == "Local");
    for argument in arguments {
        if let Value::Array(parts) = argument
            && parts.iter().any(local)
        {
            anyhow::bail!("the time zone `Local` is another one on each machine: name it");
        }
    }
    Ok(())
}
