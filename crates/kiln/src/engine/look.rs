//! Questions to registries and to a builder, by way of the client: what an image is, what a cache mount holds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{EngineError, ImageInfo};

/// Words by which the client says that an image is not there. A registry that wants a password says the same of one that exists.
const ABSENT: &[&str] = &[": not found", "manifest unknown", "name unknown", "no such image", "no such manifest"];

/// Whether an image is missing, told from what the client printed when it failed.
pub(super) fn is_absent(stderr: &str) -> bool {
    let text = stderr.to_ascii_lowercase();
    ABSENT.iter().any(|word| text.contains(word))
}

/// Reads `docker buildx imagetools inspect --format '{{json .}}'`. Several platforms have an image each; their labels are taken as those
/// of the first.
pub(super) fn remote_image(text: &str) -> Option<ImageInfo> {
    let value: Value = serde_json::from_str(text).ok()?;
    let digest = value.get("manifest")?.get("digest")?.as_str()?.to_owned();
    let image = value.get("image")?;
    let images: Vec<&Value> = match image.get("config") {
        Some(_) => vec![image],
        None => image.as_object()?.values().collect(),
    };
    let labels = images.first().and_then(|image| image.get("config")?.get("Labels")).map(strings).unwrap_or_default();
    Some(ImageInfo { digest, labels, platforms: images.into_iter().filter_map(platform).collect() })
}

/// Reads `docker image inspect --format '{{json .}}'` for one image. Its digest is that under which a registry, or the containerd store,
/// knows it by this name; without one it cannot be named in a Dockerfile for good.
pub(super) fn local_image(text: &str, repository: &str) -> Option<ImageInfo> {
    let value: Value = serde_json::from_str(text).ok()?;
    let digests = value.get("RepoDigests")?.as_array()?.iter().filter_map(Value::as_str);
    let mut own = digests.filter_map(|name| name.split_once('@')).filter(|(name, _)| *name == repository);
    let digest = own.next()?.1.to_owned();
    let labels = value.get("Config").and_then(|config| config.get("Labels")).map(strings).unwrap_or_default();
    let part = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_lowercase);
    let platforms = part("Os").zip(part("Architecture")).map(|(system, architecture)| format!("{system}/{architecture}"));
    Some(ImageInfo { digest, labels, platforms: platforms.into_iter().collect() })
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// `linux/amd64`. An attestation has none.
fn platform(image: &Value) -> Option<String> {
    let part = |name: &str| image.get(name)?.as_str().filter(|text| *text != "unknown");
    Some(format!("{}/{}", part("os")?, part("architecture")?))
}

/// Bytes of each cache mount, from `docker buildx du --verbose`. An id is preceded by a namespace, which may be empty:
/// `with id "/shop-units"`.
pub(super) fn mounts(text: &str) -> BTreeMap<String, u64> {
    let mut mounts = BTreeMap::new();
    let mut size = 0;
    for line in text.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        match field {
            // A record begins: what the last one said is over.
            "ID" => size = 0,
            "Size" => size = bytes(value.trim()).unwrap_or_default(),
            "Description" => {
                let id = value.trim_end().strip_suffix('"').and_then(|value| value.rsplit_once(" with id \""));
                if let Some((_, id)) = id.and_then(|(_, id)| id.split_once('/')) {
                    *mounts.entry(id.to_owned()).or_default() += size;
                }
            }
            _ => {}
        }
    }
    mounts
}

/// `129.6MB`: decimal units, as the client prints them.
pub(super) fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 6] = [("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1.0)];
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.trim().parse::<f64>().ok().map(|number| (number * factor) as u64)
}

/// The end of what a failed client said.
pub(super) fn said(image: &str, stderr: &str) -> EngineError {
    let line = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
    EngineError::Registry { image: image.to_owned(), detail: line.strip_prefix("ERROR: ").unwrap_or(line).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_one_and_of_several_platforms_are_read() {
        let one = r#"{"name":"r/x:y","manifest":{"digest":"sha256:aa","size":1},"image":{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}}}}"#;
        let image = remote_image(one).unwrap();
        assert_eq!(
            (image.digest.as_str(), image.labels["a"].as_str(), image.platforms),
            ("sha256:aa", "b", vec!["linux/amd64".to_owned()])
        );
        let two = r#"{"manifest":{"digest":"sha256:bb"},"image":{"linux/amd64":{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}}},"linux/arm64":{"architecture":"arm64","os":"linux","config":{}}}}"#;
        let image = remote_image(two).unwrap();
        assert_eq!((image.labels["a"].as_str(), image.platforms.len()), ("b", 2));
        for nonsense in ["", "{}", "{\"manifest\":{\"digest\":\"sha256:aa\"}}", "[1]"] {
            assert_eq!(remote_image(nonsense), None);
        }
    }

    #[test]
    fn a_local_image_counts_under_its_own_name() {
        let text = r#"{"RepoDigests":["r/other@sha256:aa","r/x@sha256:bb"],"Os":"linux","Architecture":"amd64","Config":{"Labels":null}}"#;
        let image = local_image(text, "r/x").unwrap();
        assert_eq!((image.digest.as_str(), image.labels.len(), image.platforms.len()), ("sha256:bb", 0, 1));
        assert_eq!(local_image(text, "r/y"), None);
        assert_eq!(local_image("{\"RepoDigests\":[]}", "r/x"), None);
    }

    #[test]
    fn a_mount_is_found_by_its_whole_id() {
        let record = |size: &str, id: &str| {
            format!(
                "ID:           abc\nMutable:      true\nSize:         {size}\nDescription:  cached mount /kiln/units from exec /bin/sh -c kiln recipe cook with id \"{id}\"\nType:         exec.cachemount\n\n"
            )
        };
        let text = record("1.5MB", "/shop-units")
            + &record("8.192kB", "/shop-units-2")
            + &record("2GB", "ns/other")
            + &record("0B", "//c");
        let expected = [("/c", 0), ("other", 2_000_000_000), ("shop-units", 1_500_000), ("shop-units-2", 8192)];
        assert_eq!(mounts(&text), expected.map(|(id, bytes)| (id.to_owned(), bytes)).into());
        assert_eq!(mounts("Description:  mount / from exec /bin/sh -c x"), BTreeMap::new());
    }

    #[test]
    fn a_missing_image_is_told_from_a_silent_registry() {
        assert!(is_absent("ERROR: localhost:5000/t/none:x: not found"));
        assert!(!is_absent(
            "ERROR: failed to do request: Head \"https://r.example/v2/a/manifests/b\": dial tcp: lookup r.example: no such host"
        ));
        let error = said("r.example/a:b", "ERROR: dial tcp: no such host\n\n");
        assert_eq!(error.to_string(), "cannot get `r.example/a:b` from its registry: dial tcp: no such host");
    }
}
