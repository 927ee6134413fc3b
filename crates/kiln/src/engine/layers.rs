//! What an image is made of, told by the engine that has it.

use std::time::Duration;

use serde::Deserialize;

use crate::process::{Cancel, Finished, Run};

/// How long an engine is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of output that are read: an image has at most 127 layers.
const OUTPUT: usize = 4 << 20;

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The instruction that made it, as the engine keeps it.
    pub instruction: String,
    /// Its bytes, unpacked.
    pub bytes: u64,
}

/// The layers of an image by name or id, the last first; nothing where the client, the engine or the image is not there.
#[must_use]
pub fn image_layers(docker: &str, image: &str, cancel: &Cancel) -> Option<Vec<Layer>> {
    // A name from a record must not be taken for a flag.
    if image.starts_with('-') {
        return None;
    }
    let args = ["history", "--no-trunc", "--human=false", "--format", "{{json .}}", image];
    let finished = Run::new(docker).args(args).timeout(PATIENCE).capture(OUTPUT).output(cancel).ok();
    Some(parse(&finished.filter(Finished::success)?.stdout))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    created_by: String,
    size: String,
}

fn parse(text: &str) -> Vec<Layer> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let layer = |line: Line| Some(Layer { bytes: line.size.trim().parse().ok()?, instruction: instruction(&line.created_by) });
    lines.filter_map(layer).collect()
}

/// `RUN |1 A=b /bin/sh -c make # buildkit` without what every step has in common.
fn instruction(text: &str) -> String {
    let text = text.trim().trim_end_matches("# buildkit").trim_end();
    let text = text.strip_prefix("/bin/sh -c #(nop) ").map_or(text, str::trim_start);
    text.replacen("/bin/sh -c ", "", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_and_nonsense_is_left_out() {
        let text = r##"{"Comment":"buildkit.dockerfile.v0","CreatedAt":"x","CreatedBy":"COPY /out/server /usr/local/bin/ # buildkit","CreatedSince":"x","ID":"<missing>","Size":"10650624"}
{"CreatedBy":"RUN /bin/sh -c apt-get update # buildkit","Size":"12"}
warning: nothing
{"CreatedBy":"/bin/sh -c #(nop)  CMD [\"bash\"]","Size":"0B"}
{"CreatedBy":"/bin/sh -c #(nop) ADD file:0 in / ","Size":"74800000"}"##;
        let layers: Vec<(String, u64)> = parse(text).into_iter().map(|layer| (layer.instruction, layer.bytes)).collect();
        let expected =
            [("COPY /out/server /usr/local/bin/", 10_650_624), ("RUN apt-get update", 12), ("ADD file:0 in /", 74_800_000)];
        assert_eq!(layers, expected.map(|(instruction, bytes)| (instruction.to_owned(), bytes)));
    }
}
