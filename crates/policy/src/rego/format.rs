//! `sprintf`, as OPA means it: flags, widths and precisions are those of Go, a number with a fraction is one, and everything that is
//! no number is text. A verb that does not fit what it is given is shown as such and is no error.

use regorus::Value;

/// What stands between `%` and the verb.
#[derive(Debug, Clone)]
struct Spec {
    /// Of `+-# 0`.
    flags: String,
    width: usize,
    precision: Option<usize>,
}

/// One argument.
enum Argument {
    Whole { negative: bool, digits: String, size: Option<u128> },
    Fraction(f64),
    Text(String),
}

/// Fills the arguments in. `original` is the builtin of the library, which writes lists and objects.
pub(super) fn sprintf(
    arguments: &[Value],
    original: &dyn Fn(&[Value]) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let [Value::String(format), Value::Array(arguments)] = arguments else {
        return original(arguments); // it says what is wrong
    };
    let text = |value: &Value| match original(&[Value::from("%v"), Value::from(vec![value.clone()])])? {
        Value::String(text) => Ok(text.to_string()),
        _ => anyhow::bail!("a value cannot be written out"),
    };
    let arguments: Vec<Value> = arguments.iter().cloned().collect();
    fill(format, &arguments, &text).map(Value::from)
}

fn fill(format: &str, arguments: &[Value], text: &dyn Fn(&Value) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let mut written = String::new();
    let mut rest = format.chars().peekable();
    let mut left = arguments.iter();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            written.push(letter);
            continue;
        }
        let spec = Spec::read(&mut rest);
        match rest.next() {
            None => written.push_str("%!(NOVERB)"),
            Some('%') => written.push('%'),
            Some('*' | '[') => anyhow::bail!("`*` and `[…]` in the format of `sprintf` are not supported"),
            Some(verb) => match left.next() {
                None => written.extend(["%!", &verb.to_string(), "(MISSING)"]),
                Some(value) => written.push_str(&spec.verb(verb, &Argument::of(value, text)?)),
            },
        }
    }
    let extra: anyhow::Result<Vec<String>> = left.map(|value| Ok(Argument::of(value, text)?.named())).collect();
    let extra = extra?;
    if !extra.is_empty() {
        written.extend(["%!(EXTRA ", &extra.join(", "), ")"]);
    }
    Ok(written)
}

impl Argument {
    fn of(value: &Value, text: &dyn Fn(&Value) -> anyhow::Result<String>) -> anyhow::Result<Self> {
        Ok(match value {
            Value::String(text) => Self::Text(text.to_string()),
            Value::Number(number) if number.is_integer() => {
                let decimal = number.format_decimal();
                let digits = decimal.trim_start_matches('-').to_owned();
                let size = number.as_i128().map(i128::unsigned_abs);
                Self::Whole { negative: decimal.starts_with('-'), digits, size }
            }
            Value::Number(number) => match number.as_f64() {
                Some(number) => Self::Fraction(number),
                None => Self::Text(number.format_decimal()),
            },
            other => Self::Text(text(other)?),
        })
    }

    /// As Go shows what it has no verb for.
    fn named(&self) -> String {
        match self {
            Self::Whole { negative, digits, .. } => format!("int64={}{digits}", sign(*negative)),
            Self::Fraction(number) => format!("float64={}", shortest(*number)),
            Self::Text(text) => format!("string={text}"),
        }
    }
}

fn sign(negative: bool) -> &'static str {
    if negative { "-" } else { "" }
}

impl Spec {
    fn read(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Self {
        let mut flags = String::new();
        while let Some(flag) = rest.next_if(|letter| "+-# 0".contains(*letter)) {
            flags.push(flag);
        }
        let width = number(rest);
        let precision = rest.next_if_eq(&'.').is_some().then(|| number(rest));
        Self { flags, width, precision }
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Is it filled with zeros from the left?
    fn fills(&self) -> bool {
        self.has('0') && !self.has('-')
    }

    fn verb(&self, verb: char, argument: &Argument) -> String {
        let shown = match argument {
            Argument::Whole { negative, digits, size } => self.whole(verb, *negative, digits, *size),
            Argument::Fraction(number) => self.fraction(verb, *number),
            Argument::Text(text) => self.text(verb, text),
        };
        shown.unwrap_or_else(|| format!("%!{verb}({})", argument.named()))
    }

    fn whole(&self, verb: char, negative: bool, digits: &str, size: Option<u128>) -> Option<String> {
        let (prefix, digits) = match verb {
            'd' | 'v' => ("", digits.to_owned()),
            'b' => ("0b", format!("{:b}", size?)),
            'o' => ("0", format!("{:o}", size?)),
            'O' => ("0o", format!("{:o}", size?)),
            'x' => ("0x", format!("{:x}", size?)),
            'X' => ("0X", format!("{:X}", size?)),
            'c' => return Some(self.padded(&char::from_u32(read(digits)?)?.to_string())),
            'U' => return Some(self.padded(&format!("U+{:04X}", size?))),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                return self.fraction(verb, read(&format!("{}{digits}", sign(negative)))?);
            }
            _ => return None,
        };
        let least = match self.precision {
            Some(least) => least,
            None if self.fills() => self.width.saturating_sub(self.sign(negative).len()),
            None => 0,
        };
        let prefix = if self.has('#') || verb == 'O' { prefix } else { "" };
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        Some(self.padded(&format!("{}{prefix}{zeros}{digits}", self.sign(negative))))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.has('+'), self.has(' ')) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (.., true) => " ",
            _ => "",
        }
    }

    fn fraction(&self, verb: char, number: f64) -> Option<String> {
        let (size, digits) = (number.abs(), self.precision.unwrap_or(6));
        let shown = match (verb, self.precision) {
            ('f' | 'F', _) => format!("{size:.digits$}"),
            ('e', _) => exponent(&format!("{size:.digits$e}")),
            ('E', _) => exponent(&format!("{size:.digits$e}")).to_uppercase(),
            ('g' | 'v', None) => shortest(size),
            ('G', None) => shortest(size).to_uppercase(),
            _ => return None,
        };
        let sign = self.sign(number.is_sign_negative());
        let zeros = if self.fills() { self.width.saturating_sub(sign.len() + shown.len()) } else { 0 };
        Some(self.padded(&format!("{sign}{}{shown}", "0".repeat(zeros))))
    }

    fn text(&self, verb: char, text: &str) -> Option<String> {
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        let shown = match verb {
            's' | 'v' => cut,
            'q' => serde_json::Value::from(cut).to_string(),
            'x' => hexadecimal(&cut),
            'X' => hexadecimal(&cut).to_uppercase(),
            _ => return None,
        };
        let zeros = if self.fills() { self.width.saturating_sub(shown.chars().count()) } else { 0 };
        Some(self.padded(&format!("{}{shown}", "0".repeat(zeros))))
    }

    fn padded(&self, text: &str) -> String {
        let blanks = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.has('-') { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A width or precision; the guard has bounded it.
fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> usize {
    let mut number: usize = 0;
    while let Some(digit) = rest.peek().and_then(|letter| letter.to_digit(10)) {
        rest.next();
        number = number.saturating_mul(10).saturating_add(usize::try_from(digit).unwrap_or(0));
    }
    number
}

fn read<T: std::str::FromStr>(text: &str) -> Option<T> {
    let Ok(number) = text.parse() else { return None };
    Some(number)
}

/// `1.5e3` as Go writes it: `1.5e+03`.
fn exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text.to_owned(),
    }
}

/// The fewest digits that mean this number, with an exponent where it is very large or small.
fn shortest(number: f64) -> String {
    let scientific = format!("{number:e}");
    match scientific.split_once('e').and_then(|(_, power)| read::<i32>(power)) {
        Some(-4..6) => format!("{number}"),
        _ => exponent(&scientific),
    }
}
