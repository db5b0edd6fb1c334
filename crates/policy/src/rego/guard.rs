//! Checks before builtins whose result may be much larger than their arguments, or would depend on this machine.
//! The same guards stand in the bytecode and in the interpreter.

use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};
use regorus::{Extension, LimitError, Value};

/// The largest value a guarded builtin makes, in bytes or in elements.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// The longest range.
pub(super) const MAX_ELEMENTS: usize = 100_000;
/// The widest column of `sprintf`.
const MAX_WIDTH: u32 = 1_000;

/// A builtin as regorus calls it.
pub(super) type Function = fn(&Span, &[Ref<Expr>], &[Value], bool) -> anyhow::Result<Value>;

macro_rules! guards {
    ($($name:literal $check:ident;)+) => {
        /// The builtins that have a guard.
        pub(super) const GUARDED: &[&str] = &[$($name,)+];

        /// The guarded form of a builtin.
        pub(super) fn guarded(name: &str) -> Option<Function> {
            match name {
                $($name => {
                    fn guard(span: &Span, parameters: &[Ref<Expr>], arguments: &[Value], strict: bool) -> anyhow::Result<Value> {
                        $check(arguments)?;
                        match BUILTINS.get($name) {
                            Some((original, _)) => original(span, parameters, arguments, strict),
                            None => anyhow::bail!("the builtin `{}` is missing", $name),
                        }
                    }
                    Some(guard)
                })+
                _ => None,
            }
        }
    };
}

guards! {
    "array.concat" array_concat;
    "base64.encode" linear;
    "base64url.encode" linear;
    "base64url.encode_no_pad" linear;
    "concat" concat;
    "hex.encode" linear;
    "json.marshal" linear;
    "json.marshal_with_options" linear;
    "numbers.range" range;
    "numbers.range_step" range;
    "regex.replace" replace;
    "replace" replace;
    "sprintf" sprintf;
    "strings.replace_n" replace_n;
    "time.clock" zone;
    "time.date" zone;
    "time.format" zone;
    "time.weekday" zone;
    "urlquery.encode" linear;
    "urlquery.encode_object" linear;
    "yaml.marshal" linear;
}

/// The guarded form for the interpreter, which hands over values alone.
pub(super) fn extension(name: &str) -> anyhow::Result<Option<(u8, Box<dyn Extension>)>> {
    let (Some(function), Some((_, arity))) = (guarded(name), BUILTINS.get(name)) else {
        return Ok(None);
    };
    let source = Source::from_contents(name.to_owned(), name.to_owned())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let parameter = Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let parameters = vec![parameter; usize::from(*arity)];
    // The interpreter adds the place and keeps the text only, so the picture of the line that is not one goes.
    let call = move |arguments: Vec<Value>| {
        function(&span, &parameters, &arguments, true)
            .map_err(|error| anyhow::anyhow!(super::place::read(&error.to_string()).0))
    };
    Ok(Some((*arity, Box::new(call))))
}

fn at_most(size: usize, limit: usize) -> anyhow::Result<()> {
    if size <= limit {
        return Ok(());
    }
    let wide = |size| u64::try_from(size).unwrap_or(u64::MAX);
    Err(LimitError::MemoryLimitExceeded { usage: wide(size), limit: wide(limit) }.into())
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
