//! Variables of a stage, in order of definition.

use std::collections::HashMap;

/// Variables with their values. The order is that of the latest definition and part of cache keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    values: HashMap<String, (u64, String)>,
    next: u64,
}

impl Environment {
    /// Sets a variable; one that was set already moves to the end.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), (self.next, value.into()));
        self.next += 1;
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(_, value)| value.as_str())
    }

    /// How many variables there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Names and values in order.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&str, &str)> {
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort_by_key(|(_, (order, _))| *order);
        values.into_iter().map(|(name, (_, value))| (name.as_str(), value.as_str())).collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut environment = Self::default();
        pairs.into_iter().for_each(|(name, value)| environment.set(name, value));
        environment
    }
}
