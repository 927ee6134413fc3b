use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::*;

/// A docker client whose builder has layers of a run and of a user on one base image, until they are removed.
const DOCKER: &str = r#"#!/bin/sh
echo "$*" >>"$0.calls"
case "$1 $2" in
"buildx du")
  echo "ID:           base"
  [ -e "$0.pulled" ] && echo "Description:  pulled from docker.io/library/rust:1@sha256:ab"
  echo "Type:         regular"
  echo
  echo "ID:           users"
  echo "Parents:"
  echo " - base"
  echo "Description:  [chef 2/2] WORKDIR /app"
  echo "Type:         regular"
  echo
  if [ ! -e "$0.pruned" ]; then
    echo "ID:           own"
    echo "Parents:"
    echo " - base"
    echo "Size:         2kB"
    echo "Description:  [chef 2/3] WORKDIR /kiln-bench/app-bench-1a-api-kiln-0"
    echo "Type:         regular"
    echo
    echo "ID:           mount"
    echo "Size:         1MB"
    echo "Description:  cached mount /target from exec /bin/sh -c cargo with id \"/app-bench-1a-api-kiln-0-target\""
    echo "Type:         exec.cachemount"
  fi
  ;;
"buildx prune")
  # A build that goes on holds its records until it has made its image.
  if [ -e "$0.busy" ]; then mv "$0.busy" "$0.image"; else touch "$0.pruned"; fi
  ;;
"images --all") [ -e "$0.image" ] && echo 0123abcd ;;
"rmi --force") rm -f "$0.image" ;;
"image inspect")
  for name; do :; done
  grep -qxF "$name" "$0.images" && echo sha256:ab
  ;;
esac
"#;

struct Engine {
    _folder: tempfile::TempDir,
    docker: Utf8PathBuf,
}

impl Engine {
    /// `pulled` says whether BuildKit had to pull the base image; `images` are those of the engine.
    fn new(pulled: bool, images: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let docker = Utf8Path::from_path(folder.path()).unwrap().join("docker");
        fs::write(&docker, DOCKER).unwrap();
        fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(format!("{docker}.images"), images).unwrap();
        if pulled {
            fs::write(format!("{docker}.pulled"), "").unwrap();
        }
        Self { _folder: folder, docker }
    }

    fn cleaned(&self, careful: bool, what: What) -> CleanUp {
        let made = Made::at(self.docker.parent().unwrap());
        Cleaner::new(self.docker.as_str(), careful).clean_up("app-bench-1a", what, &made)
    }

    fn pruned(&self) -> bool {
        fs::read_to_string(format!("{}.calls", self.docker)).unwrap().contains("buildx prune")
    }
}

#[test]
fn nothing_is_removed_with_which_layers_of_others_would_be_forgotten() {
    let engine = Engine::new(false, "");
    let cleaned = engine.cleaned(true, What::Everything);
    let kept = Kept { records: 2, bytes: 1_002_000, others: 1 };
    assert_eq!(cleaned, CleanUp { kept: Some(kept), ..CleanUp::default() });
    assert!(!engine.pruned());
    assert!(engine.cleaned(true, What::Mounts).refusal().unwrap().contains("forget layers of others"));
    // Whoever says so has it done all the same, and so has an engine that forgets nothing.
    assert_eq!(engine.cleaned(false, What::Everything), CleanUp { records: 2, ..CleanUp::default() });
    assert!(engine.pruned());
    assert_eq!(engine.cleaned(true, What::Everything), CleanUp::default(), "what is not there is not kept");
}

#[test]
fn an_image_that_is_made_while_the_clean_up_waits_goes_too() {
    let engine = Engine::new(true, "");
    fs::write(format!("{}.busy", engine.docker), "").unwrap();
    assert_eq!(engine.cleaned(false, What::Everything), CleanUp { objects: 1, records: 2, ..CleanUp::default() });
    assert!(!Utf8Path::new(&format!("{}.image", engine.docker)).exists());
}

#[test]
fn base_images_that_the_builder_pulled_are_no_obstacle() {
    let engine = Engine::new(true, "docker.io/library/rust:1\n");
    assert_eq!(engine.cleaned(true, What::Everything), CleanUp { records: 2, ..CleanUp::default() });
    assert!(engine.pruned());
}

#[test]
fn that_nothing_can_be_taken_away_is_known_beforehand() {
    for (pulled, images, careful, refused) in
        [(false, "", true, true), (false, "", false, false), (true, "debian:12\n", true, true), (true, "node:24\n", true, false)]
    {
        let engine = Engine::new(pulled, images);
        let refusal = Cleaner::new(engine.docker.as_str(), careful).refusal(&["debian:12"].into());
        assert_eq!(refusal.is_some(), refused, "{pulled} {images} {careful}");
    }
}
