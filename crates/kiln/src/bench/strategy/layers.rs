//! The image that a build left: how large it is, and its layers.

use crate::process::{Cancel, Finished, Run};

/// An image as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// What it is told from others by.
    pub(super) id: String,
    /// Its size.
    pub(super) bytes: u64,
    /// Bytes of its layers, from its base on; without those that are empty.
    pub(super) layers: Vec<u64>,
}

/// The image of a name, which may still be the `known` one; nothing where the engine does not tell.
pub(super) fn look(docker: &str, name: &str, known: Option<&Image>, cancel: &Cancel) -> Option<Image> {
    let ask = |args: &[&str]| {
        let finished = Run::new(docker).args(args).arg(name).capture(1 << 20).output(cancel).ok();
        finished.filter(Finished::success).map(|finished| finished.stdout)
    };
    let (id, bytes) = inspected(&ask(&["image", "inspect", "--format", "{{.Id}} {{.Size}}"])?)?;
    if let Some(known) = known.filter(|known| known.id == id) {
        return Some(known.clone());
    }
    let layers = ask(&["history", "--no-trunc", "--human=false", "--format", "{{.Size}}"]);
    Some(Image { id, bytes, layers: layers.map(|text| sizes(&text)).unwrap_or_default() })
}

fn inspected(text: &str) -> Option<(String, u64)> {
    let (id, bytes) = text.trim().split_once(' ')?;
    Some((id.to_owned(), bytes.parse().ok()?))
}

/// The newest comes first.
fn sizes(text: &str) -> Vec<u64> {
    text.lines().rev().filter_map(|line| line.trim().parse().ok()).filter(|bytes| *bytes > 0).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn layers_are_listed_from_the_base_on() {
        assert_eq!(sizes("0\n12\n0\n 3000 \nmissing\n70000000\n"), [70_000_000, 3000, 12]);
        assert_eq!(sizes(""), [0_u64; 0]);
    }

    #[test]
    fn an_image_is_asked_for_its_layers_once() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker");
        let calls = folder.path().join("calls");
        let script = format!(
            "#!/bin/sh\necho \"$1\" >>'{}'\ncase $1 in image) echo sha256:1 3012 ;; history) printf '12\\n3000\\n' ;; esac\n",
            calls.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let docker = program.to_str().unwrap();
        let image = look(docker, "app", None, &Cancel::new()).unwrap();
        assert_eq!(image, Image { id: "sha256:1".to_owned(), bytes: 3012, layers: vec![3000, 12] });
        assert_eq!(look(docker, "app", Some(&image), &Cancel::new()), Some(image));
        assert_eq!(fs::read_to_string(&calls).unwrap(), "image\nhistory\nimage\n");
        assert_eq!(look("/bin/false", "app", None, &Cancel::new()), None);
    }
}
