//! Patterns for names that somebody vouches for: identities, issuers, builders, repositories, values in a statement (S27).
//! As plain text only `*` and `**` are special, so that a dot, a bracket or a question mark in a URL is itself. A pattern
//! always has to match the whole text, and in time linear in its length.

use std::borrow::Cow;
use std::fmt;

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// The longest pattern that is read, in bytes, and the size of what it may become.
const MAX_BYTES: usize = 2048;
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Text to be compared with: exact, with `*` and `**`, or a regular expression.
#[derive(Debug, Clone)]
pub(crate) struct TextPattern {
    /// As it was written, for messages.
    text: String,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Exact(String),
    Expression(Regex),
}

/// The forms a pattern may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Only the same text.
    Exact,
    /// `*` within a part, `**` over parts, the rest is itself.
    Glob,
    /// A regular expression for the whole text.
    Regex,
}

impl TextPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, too long, or no pattern of this form.
    pub(crate) fn new(form: Form, text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern is empty; `**` is for any text".to_owned());
        }
        if text.len() > MAX_BYTES {
            return Err(format!("a pattern has {} bytes; at most {MAX_BYTES} are read", text.len()));
        }
        let (how, written) = match form {
            Form::Exact => (How::Exact(text.to_owned()), text.to_owned()),
            Form::Glob if !text.contains('*') => (How::Exact(text.to_owned()), text.to_owned()),
            Form::Glob => (How::Expression(compile(&glob(text)?)?), text.to_owned()),
            Form::Regex => {
                // Alone first: `a)|(b` must not slip out of the group that anchors it.
                compile(text)?;
                (How::Expression(compile(&format!(r"\A(?:{text})\z"))?), format!("/{text}/"))
            }
        };
        Ok(Self { text: written, how })
    }

    /// A text that is meant; `None` for a regular expression, of which nobody can say one.
    pub(crate) fn sample(&self) -> Option<String> {
        match &self.how {
            How::Exact(exact) => Some(exact.clone()),
            How::Expression(_) => {
                let sample = self.text.replace("**", "x").replace('*', "x");
                self.is_match(&sample).then_some(sample)
            }
        }
    }

    /// True if the whole text is meant.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        match &self.how {
            How::Exact(exact) => exact == text,
            How::Expression(expression) => expression.is_match(text),
        }
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn compile(expression: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(expression).size_limit(MAX_COMPILED_BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        other => {
            let text = other.to_string();
            let why = text.lines().last().unwrap_or("it cannot be read").trim_start_matches("error: ").to_owned();
            format!("no regular expression: {why}")
        }
    })
}

/// The regular expression for a text with stars.
fn glob(text: &str) -> Result<String, String> {
    if text.contains("***") {
        return Err(format!("{text:?} has three stars in a row; write `*` within a part or `**` over parts"));
    }
    let mut expression = String::from(r"(?s)\A");
    for (n, part) in text.split("**").enumerate() {
        if n > 0 {
            expression.push_str(".*");
        }
        for (n, literal) in part.split('*').enumerate() {
            if n > 0 {
                expression.push_str("[^/]*");
            }
            expression.push_str(&regex::escape(literal));
        }
    }
    expression.push_str(r"\z");
    Ok(expression)
}

impl<'de> Deserialize<'de> for TextPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (form, text) = Written::deserialize(deserializer)?.0;
        Self::new(form, &text).map_err(de::Error::custom)
    }
}

/// A pattern as it stands in a document, not yet read.
pub(crate) struct Written(pub(crate) (Form, String));

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORMS: [&str; 3] = ["exact", "glob", "regex"];
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Written;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or one of {exact: …}, {glob: …}, {regex: …}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written((Form::Glob, text.to_owned())))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::custom("a pattern is empty; write {exact: …}, {glob: …} or {regex: …}"));
                };
                let form = match key.as_str() {
                    "exact" => Form::Exact,
                    "glob" => Form::Glob,
                    "regex" => Form::Regex,
                    other => return Err(de::Error::unknown_field(other, &FORMS)),
                };
                let text = map.next_value::<String>()?;
                if let Some(second) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format!("a pattern is `{key}` and `{second}` at once; write one")));
                }
                Ok(Written((form, text)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for TextPattern {
    fn schema_name() -> Cow<'static, str> {
        "TextPattern".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |form: &str| {
            json_schema!({
                "type": "object", "additionalProperties": false, "required": [form],
                "properties": { form: { "type": "string", "minLength": 1 } }
            })
        };
        json_schema!({ "oneOf": [{ "type": "string", "minLength": 1 }, one("exact"), one("glob"), one("regex")] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> TextPattern {
        TextPattern::new(Form::Glob, text).unwrap()
    }

    fn regex(text: &str) -> TextPattern {
        TextPattern::new(Form::Regex, text).unwrap()
    }

    #[test]
    fn s27_only_stars_are_special_in_plain_text() {
        for (pattern, text, expected) in [
            (
                "https://gitlab.com/acme/*//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main",
                true,
            ),
            (
                "https://gitlab.com/acme/*//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com/acme/a/b//.gitlab-ci.yml@refs/heads/main",
                false,
            ),
            (
                "https://gitlab.com/acme/**@refs/heads/main",
                "https://gitlab.com/acme/a/b//.gitlab-ci.yml@refs/heads/main",
                true,
            ),
            ("https://gitlab.com/acme/*", "https://gitlab.com/acme/app/evil", false),
            ("https://gitlab.com/acme/*", "xhttps://gitlab.com/acme/app", false),
            ("https://gitlab.com/acme/*", "https://gitlab.com/acme/app\nx", true),
            ("https://gitlab.com/acme", "https://gitlab-com/acme", false),
            ("https://gitlab.com/acm?", "https://gitlab.com/acme", false),
            ("a[bc]{d,e}\\*", "a[bc]{d,e}\\x", true),
            ("a[bc]*", "ab", false),
            ("v1.*", "v1x2", false),
            ("A*", "a1", false),
            ("**", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a/bc", false),
        ] {
            assert_eq!(glob(pattern).is_match(text), expected, "{pattern} {text}");
        }
        assert!(TextPattern::new(Form::Exact, "a*").unwrap().is_match("a*"));
        assert!(!TextPattern::new(Form::Exact, "a*").unwrap().is_match("ab"));
    }

    #[test]
    fn s27_a_regular_expression_matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("acme", "acme", true),
            ("acme", "xacme", false),
            ("acme", "acme/evil", false),
            ("acme", "acme\n", false),
            ("acme|evil", "acmeevil", false),
            ("a|ab", "ab", true),
            ("(?i)ACME", "acme", true),
            ("(?m)^acme$", "evil\nacme", false),
            ("acme$|^x", "xevil", false),
        ] {
            assert_eq!(regex(pattern).is_match(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn s27_what_is_no_pattern_is_refused() {
        for (form, text, says) in [
            (Form::Glob, "", "is empty"),
            (Form::Exact, "", "is empty"),
            (Form::Regex, "", "is empty"),
            (Form::Glob, "a***b", "three stars"),
            (Form::Regex, "a)|(b", "no regular expression"),
            (Form::Regex, "(", "no regular expression"),
            (Form::Regex, "(?x)a # b", "no regular expression"),
            (Form::Regex, "(((a{100}){100}){100}){100}", "too large"),
        ] {
            let error = TextPattern::new(form, text).map(|pattern| pattern.to_string()).unwrap_err();
            assert!(error.contains(says) && !error.contains('\n'), "{text}: {error}");
        }
        assert!(TextPattern::new(Form::Glob, &"a".repeat(MAX_BYTES + 1)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn s27_plain_text_without_stars_means_itself_alone(text in "[ -)+-~]{1,20}", other in "[ -~]{0,20}") {
            prop_assert!(glob(&text).is_match(&text));
            prop_assert_eq!(glob(&text).is_match(&other), text == other);
        }

        #[test]
        fn s27_no_text_makes_a_pattern_panic(text in "\\PC{0,40}", other in "\\PC{0,40}") {
            for form in [Form::Exact, Form::Glob, Form::Regex] {
                if let Ok(pattern) = TextPattern::new(form, &text) {
                    let _ = pattern.is_match(&other);
                }
            }
        }

        #[test]
        fn s27_a_star_stays_within_its_part(left in "[a-z]{0,5}", middle in "[a-z/]{0,8}", right in "[a-z]{0,5}") {
            let text = format!("{left}{middle}{right}");
            let pattern = format!("{left}*{right}");
            prop_assert_eq!(glob(&pattern).is_match(&text), !middle.contains('/'));
            let pattern = format!("{left}**{right}");
            prop_assert!(glob(&pattern).is_match(&text));
        }
    }
}
