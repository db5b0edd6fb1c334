//! How a `Result` that is a fact stands in JSON: `{"ok": …}` or `{"failed": …}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, or why there is none.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Either<T, E> {
    /// It is there.
    Ok(T),
    /// Why it is not.
    Failed(E),
}

impl<T, E> From<Either<T, E>> for Result<T, E> {
    fn from(either: Either<T, E>) -> Self {
        match either {
            Either::Ok(value) => Ok(value),
            Either::Failed(why) => Err(why),
        }
    }
}

fn of<T, E>(result: &Result<T, E>) -> Either<&T, &E> {
    match result {
        Ok(value) => Either::Ok(value),
        Err(why) => Either::Failed(why),
    }
}

pub(crate) fn serialize<T: Serialize, E: Serialize, S: Serializer>(
    result: &Result<T, E>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    of(result).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Deserialize<'de>, E: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Result<T, E>, D::Error> {
    Either::deserialize(deserializer).map(Result::from)
}

/// The same where there may be none at all.
#[allow(clippy::ref_option)] // serde calls it so
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Either, Serialize, Serializer, of};

    pub(crate) fn serialize<T: Serialize, E: Serialize, S: Serializer>(
        result: &Option<Result<T, E>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        result.as_ref().map(of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, E: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Result<T, E>>, D::Error> {
        Ok(Option::<Either<T, E>>::deserialize(deserializer)?.map(Result::from))
    }
}

/// The same for each value of a map.
pub(crate) mod map {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, Either, Serialize, Serializer, of};

    pub(crate) fn serialize<K: Serialize, T: Serialize, E: Serialize, S: Serializer>(
        map: &BTreeMap<K, Result<T, E>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, result)| (key, of(result))))
    }

    pub(crate) fn deserialize<'de, K, T, E, D>(deserializer: D) -> Result<BTreeMap<K, Result<T, E>>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        T: Deserialize<'de>,
        E: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let map = BTreeMap::<K, Either<T, E>>::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(key, either)| (key, either.into())).collect())
    }
}
