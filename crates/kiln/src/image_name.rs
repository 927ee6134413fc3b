//! Names of images: one image has many, and they have to be told to be the same.

/// Registries that are Docker's own, which it leaves out.
const OWN: [&str; 2] = ["docker.io/", "index.docker.io/"];

/// The name of an image in its familiar form: without Docker's own registry, without `library/`, and with what it stands for without being
/// said. Names that mean the same image have the same form.
///
/// A digest says all, so a tag before one is dropped; a name with neither has the tag `latest`.
pub(crate) fn familiar(reference: &str) -> String {
    let (name, tag, digest) = parts(reference);
    match digest {
        Some(digest) => format!("{name}@{digest}"),
        None => format!("{name}:{}", tag.unwrap_or("latest")),
    }
}

/// The name under which BuildKit looks for a context that takes the place of an image: familiar, but as short as it gets.
pub(crate) fn of_context(reference: &str) -> String {
    let (name, tag, digest) = parts(reference);
    let tag = tag.filter(|tag| *tag != "latest" || digest.is_some()).map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}")
}

/// Name, tag and digest. A colon before the last `/` is a port.
fn parts(reference: &str) -> (&str, Option<&str>, Option<&str>) {
    let name = OWN.iter().find_map(|own| reference.strip_prefix(own)).unwrap_or(reference);
    // Only names of two parts have it for nothing: `library/a/b` is another one than `a/b`.
    let name = name.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(name);
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    let bare = crate::text::repository(name);
    let tag = name.strip_prefix(bare).and_then(|rest| rest.strip_prefix(':'));
    (bare, tag, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_image_have_one_form() {
        for (reference, expected, context) in [
            ("debian", "debian:latest", "debian"),
            ("debian:latest", "debian:latest", "debian"),
            ("docker.io/debian", "debian:latest", "debian"),
            ("docker.io/library/debian:12", "debian:12", "debian:12"),
            ("index.docker.io/library/debian", "debian:latest", "debian"),
            ("library/debian", "debian:latest", "debian"),
            ("library/a/b", "library/a/b:latest", "library/a/b"),
            ("docker.io/acme/kiln:1", "acme/kiln:1", "acme/kiln:1"),
            ("debian@sha256:ab", "debian@sha256:ab", "debian@sha256:ab"),
            ("debian:12@sha256:ab", "debian@sha256:ab", "debian:12@sha256:ab"),
            ("docker.io/library/debian:latest@sha256:ab", "debian@sha256:ab", "debian:latest@sha256:ab"),
            ("localhost:5000/debian", "localhost:5000/debian:latest", "localhost:5000/debian"),
            ("localhost:5000/library/debian:7", "localhost:5000/library/debian:7", "localhost:5000/library/debian:7"),
            ("r.example/tools/kiln:latest", "r.example/tools/kiln:latest", "r.example/tools/kiln"),
            ("seed", "seed:latest", "seed"),
        ] {
            assert_eq!(familiar(reference), expected, "{reference}");
            assert_eq!(of_context(reference), context, "{reference}");
            assert_eq!(familiar(&familiar(reference)), expected, "{reference}, twice");
            assert_eq!(of_context(&of_context(reference)), context, "{reference}, twice");
        }
    }
}
