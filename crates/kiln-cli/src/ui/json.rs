//! Progress as JSON objects on stderr, one per event.

use kiln::event::BuildEvent;
use serde_json::{Map, Value, json};

use super::Ui;
use super::progress::{Progress, View};

#[derive(Debug)]
pub(super) struct Json<'a> {
    ui: &'a Ui,
}

impl<'a> Json<'a> {
    pub(super) const fn new(ui: &'a Ui) -> Self {
        Self { ui }
    }

    fn line(&self, view: &View, fields: Value) {
        let mut object = Map::new();
        object.insert("service".to_owned(), view.service.clone().into());
        object.insert("variant".to_owned(), view.variant.name().into());
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        self.ui.event(&Value::Object(object));
    }
}

impl Progress for Json<'_> {
    fn event(&mut self, views: &[View], index: usize, event: &BuildEvent) {
        if let Ok(fields) = serde_json::to_value(event) {
            self.line(&views[index], fields);
        }
    }

    fn ended(&mut self, views: &[View], index: usize) {
        let (seconds, succeeded) = views[index].ended.unwrap_or_default();
        self.line(&views[index], json!({ "event": "build-ended", "seconds": seconds, "succeeded": succeeded }));
    }

    fn tick(&mut self, _: &[View]) {}

    fn close(&mut self) {}
}
