//! A list with at least one element, so that "for all" can never be true of nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// At least one element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent, extend("minItems" = 1))]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// One element.
    pub fn one(first: T) -> Self {
        Self(vec![first])
    }

    /// The list, unless it is empty.
    pub fn new(list: Vec<T>) -> Option<Self> {
        if list.is_empty() { None } else { Some(Self(list)) }
    }

    /// Adds an element.
    pub fn push(&mut self, next: T) {
        self.0.push(next);
    }

    /// The first element.
    pub fn first(&self) -> &T {
        &self.0[0]
    }

    /// How many, at least 1.
    #[allow(clippy::len_without_is_empty)] // it is never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The elements in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The elements as a vector.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The largest by this key, the first of equals.
    pub fn max_by<K: Ord>(&self, key: impl Fn(&T) -> K) -> &T {
        self.0.iter().fold(&self.0[0], |best, next| if key(next) > key(best) { next } else { best })
    }

    /// The elements, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Each element changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> NonEmpty<U> {
        NonEmpty(self.0.into_iter().map(change).collect())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NonEmpty<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("the list is empty"))
    }
}

impl<T> IntoIterator for NonEmpty<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a mut NonEmpty<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
