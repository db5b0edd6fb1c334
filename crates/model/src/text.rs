//! Types that are one text in JSON: they are written as people write them, and read back by the same parser that reads
//! them anywhere else.

/// Reading a type from its text, and the schema that says so.
macro_rules! read_as_text {
    ($type:ident, $says:literal, $parse:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                let parse: fn(&str) -> Result<Self, String> = $parse;
                parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $says })
            }
        }
    };
}

pub(crate) use read_as_text;
