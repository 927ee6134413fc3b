//! The ignore file of a service's build context.

use crate::plan::{ImageEngine, Plan, Service};
use crate::text::Text;

pub(super) fn body(plan: &Plan, service: &Service) -> String {
    let mut text = Text::new(
        "# What the build does not read does not belong into its context: it would be sent, and editing it would run steps.\n",
    );
    if plan.engine == ImageEngine::Kiln {
        text += "# Name a file under `include` in kiln.toml to let it through.\n";
    }
    for section in &service.ignore {
        text += format_args!("\n# {}\n", section.reason);
        for pattern in &section.patterns {
            text += pattern;
            text += "\n";
        }
    }
    text.finish()
}
