//! What a Dockerfile builds on and which of its stages are worth keeping, read off its text: it may be a person's.

use std::collections::BTreeMap;

use crate::engine::lines::instructions;

/// The stages of a Dockerfile and what each needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    stages: Vec<Stage>,
    /// The image of a `# syntax=` line, which is pulled before anything else.
    frontend: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    /// In lower case, as BuildKit compares; `None` for a stage without a name.
    name: Option<String>,
    /// Whether it has an instruction of its own that BuildKit runs.
    has_steps: bool,
    /// Earlier stages that it needs, by number.
    stages: Vec<usize>,
    /// Images that it needs.
    images: Vec<String>,
    /// Ids of the cache mounts of its steps.
    mounts: Vec<String>,
}

/// A stage worth keeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name. The last stage may have none.
    pub name: Option<String>,
    /// Whether it is the image itself.
    pub last: bool,
    /// Earlier stages of the list that it needs, by their places in it.
    pub needs: Vec<usize>,
    /// Images from outside that it needs, itself or through stages that are not in the list.
    pub images: Vec<String>,
    /// Ids of the cache mounts that its own steps fill.
    pub mounts: Vec<String>,
}

impl Outline {
    /// Reads a Dockerfile. `given` are build arguments; those that it declares before its first stage count.
    #[must_use]
    pub fn read(dockerfile: &str, given: &BTreeMap<String, Option<String>>) -> Self {
        let mut arguments: BTreeMap<String, String> = BTreeMap::new();
        let mut outline = Self { stages: Vec::new(), frontend: frontend(dockerfile) };
        for (_, text) in instructions(dockerfile) {
            let mut words = text.split_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "ARG" if outline.stages.is_empty() => {
                    for word in words {
                        let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
                        let value = given.get(name).cloned().flatten();
                        if let Some(value) = value.or_else(|| default.map(|text| expand(unquoted(text), &arguments))) {
                            arguments.insert(name.to_owned(), value);
                        }
                    }
                }
                "FROM" => {
                    let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                    let base = expand(words.first().copied().map(unquoted).unwrap_or_default(), &arguments);
                    let name = match words.get(1..3) {
                        Some([keyword, name]) if keyword.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
                        _ => None,
                    };
                    let mut stage = Stage { name, has_steps: false, stages: Vec::new(), images: Vec::new(), mounts: Vec::new() };
                    outline.refer(&mut stage, &base, false);
                    outline.stages.push(stage);
                }
                "RUN" | "COPY" | "ADD" | "WORKDIR" => {
                    let Some(mut stage) = outline.stages.pop() else { continue };
                    stage.has_steps = true;
                    stage.mounts.extend(cache_mounts(&keyword, &text));
                    for reference in sources(&keyword, &text) {
                        outline.refer(&mut stage, reference, true);
                    }
                    outline.stages.push(stage);
                }
                _ => {}
            }
        }
        // A file that cannot be read is built as a whole: the engine says what is wrong with it.
        if outline.stages.is_empty() && !dockerfile.trim().is_empty() {
            let whole = Stage { name: None, has_steps: true, stages: Vec::new(), images: Vec::new(), mounts: Vec::new() };
            outline.stages.push(whole);
        }
        outline
    }

    /// Notes what a stage needs: an earlier stage by name (or number, where that is allowed), else an image.
    fn refer(&self, stage: &mut Stage, reference: &str, numbers: bool) {
        let named = self.stages.iter().rposition(|other| other.name.as_deref() == Some(reference.to_ascii_lowercase().as_str()));
        let numbered = || reference.parse::<usize>().ok().filter(|number| numbers && *number < self.stages.len());
        match named.or_else(numbered) {
            Some(number) if !stage.stages.contains(&number) => stage.stages.push(number),
            None if !reference.is_empty() && reference != "scratch" && !stage.images.iter().any(|known| known == reference) => {
                stage.images.push(reference.to_owned());
            }
            _ => {}
        }
    }

    /// The stages that an image needs, in their order: those with steps of their own that can be built by name, and the last one. `target`
    /// is the stage that stands for the image; the last one of the file where it is absent or unknown.
    #[must_use]
    pub fn kept(&self, target: Option<&str>) -> Vec<Kept> {
        let named = target.and_then(|name| self.stages.iter().position(|stage| stage.name.as_deref() == Some(name)));
        let Some(last) = named.or_else(|| self.stages.len().checked_sub(1)) else { return Vec::new() };
        let reached = self.reached(last);
        let mut numbers: Vec<usize> = Vec::new();
        let mut list: Vec<Kept> = Vec::new();
        for number in (0..=last).filter(|number| reached[*number]) {
            let stage = &self.stages[number];
            let is_last = number == last;
            if !is_last && (!stage.has_steps || stage.name.is_none()) {
                continue;
            }
            let (mut needs, mut images) = (Vec::new(), Vec::new());
            self.collect(number, &numbers, &mut needs, &mut images);
            images.extend(self.frontend.clone());
            needs.sort_unstable();
            needs.dedup();
            list.push(Kept { name: stage.name.clone(), last: is_last, needs, images, mounts: stage.mounts.clone() });
            numbers.push(number);
        }
        list
    }

    fn reached(&self, last: usize) -> Vec<bool> {
        let mut reached = vec![false; self.stages.len()];
        let mut pending = vec![last];
        while let Some(number) = pending.pop() {
            if !std::mem::replace(&mut reached[number], true) {
                pending.extend(&self.stages[number].stages);
            }
        }
        reached
    }

    /// What a stage needs, with that of stages that are not in the list themselves.
    fn collect(&self, number: usize, listed: &[usize], needs: &mut Vec<usize>, images: &mut Vec<String>) {
        let stage = &self.stages[number];
        images.extend(stage.images.iter().filter(|image| !images.contains(image)).cloned().collect::<Vec<_>>());
        for other in &stage.stages {
            match listed.iter().position(|listed| listed == other) {
                Some(place) => needs.push(place),
                None => self.collect(*other, listed, needs, images),
            }
        }
    }
}

/// The image of a `# syntax=` line, which only counts before everything else.
fn frontend(dockerfile: &str) -> Option<String> {
    let directives = dockerfile.lines().map_while(|line| line.trim().strip_prefix('#')?.split_once('='));
    let mut directives = directives.map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().to_owned()));
    directives.find(|(key, _)| key == "syntax").map(|(_, image)| image)
}

/// Stages and images from which an instruction takes files.
fn sources<'a>(keyword: &str, text: &'a str) -> Vec<&'a str> {
    let flags = text.split_whitespace().skip(1).take_while(|word| word.starts_with("--"));
    let named = |word: &'a str| -> Option<&'a str> {
        match keyword {
            "COPY" => word.strip_prefix("--from="),
            "RUN" => word.strip_prefix("--mount=")?.split(',').find_map(|field| field.strip_prefix("from=")),
            _ => None,
        }
    };
    flags.filter_map(named).map(unquoted).collect()
}

/// Ids of the cache mounts of an instruction. Without an id it is the path.
fn cache_mounts(keyword: &str, text: &str) -> Vec<String> {
    let flags = text.split_whitespace().skip(1).take_while(|word| word.starts_with("--"));
    let flags = flags.filter(|_| keyword == "RUN").filter_map(|word| word.strip_prefix("--mount="));
    let id = |flag: &str| {
        let field = |names: &[&str]| {
            let fields = flag.split(',').filter_map(|field| field.split_once('='));
            fields.filter(|(key, _)| names.contains(key)).map(|(_, value)| value.to_owned()).next()
        };
        if field(&["type"]).as_deref() != Some("cache") {
            return None;
        }
        field(&["id"]).or_else(|| field(&["target", "dst", "destination"]))
    };
    flags.map(unquoted).filter_map(id).collect()
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// Puts the values of arguments into a text: `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`.
fn expand(text: &str, arguments: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let (inner, after) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(parts) => parts,
            None => rest.split_at(rest.find(|character| !is_name(character)).unwrap_or(rest.len())),
        };
        let (name, modifier) = inner.split_at(inner.find(|character| !is_name(character)).unwrap_or(inner.len()));
        let value = arguments.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let default = modifier.strip_prefix(":-").or_else(|| modifier.strip_prefix('-'));
        let other = modifier.strip_prefix(":+").or_else(|| modifier.strip_prefix('+'));
        let text = match (value, default, other) {
            (Some(_), _, Some(other)) => other,
            (Some(value), ..) => value,
            (None, Some(default), _) => default,
            _ => "",
        };
        expanded.push_str(text);
        rest = after;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dockerfile: &str, target: Option<&str>) -> Vec<String> {
        let kept = Outline::read(dockerfile, &BTreeMap::new()).kept(target);
        let line = |stage: &Kept| {
            let name = stage.name.as_deref().unwrap_or("-");
            let needs: Vec<String> = stage.needs.iter().map(ToString::to_string).collect();
            format!("{name}{} [{}] {}", if stage.last { "!" } else { "" }, needs.join(","), stage.images.join(" "))
        };
        kept.iter().map(line).collect()
    }

    #[test]
    fn the_stages_of_a_generated_file() {
        let text = "ARG KILN_IMAGE=kiln:latest\nARG KILN_SEED=scratch\nFROM ${KILN_IMAGE} AS kiln\nFROM ${KILN_SEED} AS seed\nFROM rust:1 AS chef\nWORKDIR /kiln\nFROM chef AS planner\nRUN --mount=type=bind,source=.,target=/src \\\n    --mount=type=bind,from=kiln,source=/kiln,target=/k \\\n    kiln recipe prepare\nFROM chef AS deps\nCOPY --from=planner /recipe.json /\nRUN --mount=type=bind,from=seed,source=/,target=/s cook\nFROM scratch AS layer\nCOPY --from=deps /deps /deps\nFROM chef AS builder\nRUN --mount=type=bind,from=deps,source=/deps,target=/deps compile\nFROM debian:slim AS runtime\nRUN apt-get update\nCOPY --from=builder /out /\n";
        assert_eq!(
            shown(text, None),
            ["chef [] rust:1", "planner [0] kiln:latest", "deps [0,1] ", "builder [0,2] ", "runtime! [3] debian:slim"]
        );
        let arguments = BTreeMap::from([("KILN_SEED".to_owned(), Some("r.example/seed@sha256:00".to_owned()))]);
        let kept = Outline::read(text, &arguments).kept(None);
        assert_eq!(kept[2].images, ["r.example/seed@sha256:00"]);
        assert_eq!(shown(text, Some("deps")), ["chef [] rust:1", "planner [0] kiln:latest", "deps! [0,1] "]);
    }

    #[test]
    fn the_stages_of_a_file_that_a_person_wrote() {
        let text = "# syntax=docker/dockerfile:1\n# a comment\nARG NODE=20\nfrom --platform=linux/amd64 node:${NODE}-slim as Build\nRUN npm ci\nFROM build\nRUN npm test\nFROM nginx\nCOPY --from=Build /a /a\nCOPY --from=1 /b /b\nCOPY --from=busybox:musl /bin/sh /bin/sh\n";
        assert_eq!(
            shown(text, None),
            ["build [] node:20-slim docker/dockerfile:1", "-! [0] nginx busybox:musl docker/dockerfile:1"]
        );
        assert_eq!(shown("FROM scratch\nCOPY a b\n", None), ["-! [] "]);
        assert_eq!(shown("FROM a\nFROM b\n", None), ["-! [] b"]);
        assert_eq!(shown("", None), Vec::<String>::new());
        assert_eq!(shown("FROM a AS b\nRUNN c\n", None), ["-! [] "]);
    }

    #[test]
    fn cache_mounts_belong_to_the_stage_whose_steps_fill_them() {
        let text = "FROM a AS one\nRUN --mount=type=cache,id=x-cargo,target=/c --mount=type=bind,source=.,target=/s \\\n  --mount=type=cache,target=/root/.npm y\nFROM one\nRUN --mount=type=secret,id=s z\n";
        let kept = Outline::read(text, &BTreeMap::new()).kept(None);
        assert_eq!(kept[0].mounts, ["x-cargo", "/root/.npm"]);
        assert_eq!(kept[1].mounts, Vec::<String>::new());
    }

    #[test]
    fn arguments_are_put_in() {
        let arguments = BTreeMap::from([("A".to_owned(), "x".to_owned()), ("E".to_owned(), String::new())]);
        for (text, expected) in [
            ("$A-1", "x-1"),
            ("a${A}b", "axb"),
            ("${E:-d}", "d"),
            ("${A:-d}", "x"),
            ("${A:+o}", "o"),
            ("${N:+o}", ""),
            ("$N/y", "/y"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text, &arguments), expected, "{text}");
        }
    }
}
