//! What builds needed besides time: the image, what was sent, memory.

use crate::bench::Scenario;
use crate::bench::Strategy;
use crate::bench::result::{Row, is_source_edit};
use crate::text::bytes;

use super::NOTHING;

/// What the builds of one service needed with one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Need {
    /// The service.
    pub(in crate::report) service: String,
    /// The strategy.
    pub(in crate::report) strategy: Strategy,
    /// Bytes of the image, and how many layers it has.
    image: Option<u64>,
    layers: Option<usize>,
    /// Bytes of contexts sent for the first build, and for one after an edit.
    sent_first: Option<u64>,
    sent_edit: Option<u64>,
    /// Most memory that processes had at one time.
    memory: Option<u64>,
}

impl Need {
    /// Heads of [`cells`](Self::cells).
    pub(in crate::report) const HEADS: [&str; 5] = ["image", "layers", "sent at first", "sent at an edit", "most memory"];

    /// What is known, for people.
    pub(in crate::report) fn cells(&self) -> [String; 5] {
        let said = |number: Option<u64>| number.map_or_else(|| NOTHING.to_owned(), bytes);
        let layers = self.layers.map_or_else(|| NOTHING.to_owned(), |layers| layers.to_string());
        [said(self.image), layers, said(self.sent_first), said(self.sent_edit), said(self.memory)]
    }

    fn is_known(&self) -> bool {
        [self.image, self.sent_first, self.sent_edit, self.memory].iter().any(Option::is_some)
    }
}

/// One for each service and strategy of which something is known.
pub(in crate::report) fn needs(rows: &[Row]) -> Vec<Need> {
    let mut keys: Vec<(&str, Strategy)> = rows.iter().map(|row| (row.service.as_str(), row.strategy)).collect();
    keys.sort_unstable();
    keys.dedup();
    let need = |(service, strategy): (&str, Strategy)| {
        let own = || rows.iter().filter(move |row| row.service == service && row.strategy == strategy);
        let sent = |is: &dyn Fn(Scenario) -> bool| own().filter(|row| is(row.scenario)).find_map(|row| row.context_bytes);
        Need {
            service: service.to_owned(),
            strategy,
            image: own().find_map(|row| row.image_bytes),
            layers: own().map(|row| row.layers.len()).find(|layers| *layers > 0),
            sent_first: sent(&|scenario| scenario == Scenario::Cold),
            sent_edit: sent(&is_source_edit),
            memory: own().filter_map(|row| row.memory_bytes).max(),
        }
    };
    keys.into_iter().map(need).filter(Need::is_known).collect()
}
