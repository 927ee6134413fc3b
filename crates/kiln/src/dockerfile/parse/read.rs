//! From raw to typed instructions.

use std::time::Duration;

use super::flag::{Flags, Kind};
use super::heredoc::{Heredoc, delimiter};
use super::node::{Arguments, Document, Node};
use super::{
    Add, Argument, CommandLine, Copy, File, From, Healthcheck, InlineFile, Instruction, MountSpec, Pair, ParseError,
    ParseErrorKind, ParsedStage, Run, Step,
};
use crate::text::did_you_mean;

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Sorts a document's instructions into stages.
pub(super) fn file(document: Document) -> Result<File, ParseError> {
    let Document { directives, nodes, warnings } = document;
    let mut file = File { directives, global_arguments: Vec::new(), stages: Vec::new(), warnings };
    for node in nodes {
        let lines = node.lines;
        let at = |kind| ParseError { lines: Some(lines), kind };
        if node.keyword.eq_ignore_ascii_case("FROM") {
            file.stages.push(stage(node).map_err(at)?);
            continue;
        }
        let step = step(node)?;
        match (file.stages.last_mut(), &step.instruction) {
            (Some(stage), _) => stage.steps.push(step),
            (None, Instruction::Arg(_)) => file.global_arguments.push(step),
            (None, _) => return Err(at(ParseErrorKind::OutsideStage)),
        }
    }
    if file.stages.is_empty() {
        return Err(ParseError { lines: None, kind: ParseErrorKind::NoStages });
    }
    Ok(file)
}

fn stage(node: Node) -> Result<ParsedStage, ParseErrorKind> {
    let Arguments::Words { words, .. } = &node.arguments else { return Err(ParseErrorKind::FromArguments) };
    let (image, name) = match words.as_slice() {
        [image] => (image, None),
        [image, word, name] if word.eq_ignore_ascii_case("as") => (image, Some(stage_name(name)?)),
        _ => return Err(ParseErrorKind::FromArguments),
    };
    let flags = Flags::read(&node.flags, &[("platform", Kind::Text)])?;
    let from = From { image: image.clone(), platform: flags.text("platform"), name };
    Ok(ParsedStage { from, lines: node.lines, original: node.original, comments: node.comments, steps: Vec::new() })
}

fn stage_name(name: &str) -> Result<String, ParseErrorKind> {
    let lower = name.to_lowercase();
    let is_name = lower.starts_with(|c: char| c.is_ascii_lowercase())
        && lower.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if is_name { Ok(lower) } else { Err(ParseErrorKind::BadStageName(name.to_owned())) }
}

/// Reads one instruction.
pub(super) fn step(node: Node) -> Result<Step, ParseError> {
    let instruction = instruction(&node).map_err(|kind| ParseError { lines: Some(node.lines), kind })?;
    let Node { keyword, original, heredocs, comments, lines, .. } = node;
    Ok(Step { instruction, keyword, original, lines, comments, heredocs })
}

fn instruction(node: &Node) -> Result<Instruction, ParseErrorKind> {
    let none = || Flags::read(&node.flags, &[]);
    let one = |keyword| match words(node) {
        [word] => Ok(word.clone()),
        _ => Err(ParseErrorKind::ExactlyOne(keyword)),
    };
    let upper = node.keyword.to_ascii_uppercase();
    Ok(match upper.as_str() {
        "ADD" => Instruction::Add(add(node)?),
        "ARG" => Instruction::Arg(arguments(words(node))?),
        "CMD" => none().map(|_| Instruction::Cmd(command(node)))?,
        "COPY" => Instruction::Copy(copy(node)?),
        "ENTRYPOINT" => none().map(|_| Instruction::Entrypoint(command(node)))?,
        "ENV" => Instruction::Env(pairs(node, "ENV")?),
        "EXPOSE" => Instruction::Expose(expose(node)?),
        "HEALTHCHECK" => Instruction::Healthcheck(healthcheck(node)?),
        "LABEL" => Instruction::Label(pairs(node, "LABEL")?),
        "MAINTAINER" => {
            let text = one("MAINTAINER")?;
            none().map(|_| Instruction::Maintainer(text))?
        }
        "ONBUILD" => Instruction::Onbuild(onbuild(node)?),
        "RUN" => Instruction::Run(run(node)?),
        "SHELL" => {
            none()?;
            Instruction::Shell(shell(node)?)
        }
        "STOPSIGNAL" => {
            let text = one("STOPSIGNAL")?;
            none().map(|_| Instruction::StopSignal(text))?
        }
        "USER" => {
            let text = one("USER")?;
            none().map(|_| Instruction::User(text))?
        }
        "VOLUME" => Instruction::Volume(volume(node)?),
        "WORKDIR" => {
            let text = one("WORKDIR")?;
            none().map(|_| Instruction::Workdir(text))?
        }
        _ => {
            let suggestion = did_you_mean(&upper, KEYWORDS).map(str::to_owned);
            return Err(ParseErrorKind::UnknownInstruction { name: node.keyword.clone(), suggestion });
        }
    })
}

fn words(node: &Node) -> &[String] {
    match &node.arguments {
        Arguments::Words { words, .. } => words,
        _ => &[],
    }
}

fn is_json(node: &Node) -> bool {
    matches!(node.arguments, Arguments::Words { json: true, .. })
}

fn command(node: &Node) -> CommandLine {
    CommandLine { words: words(node).to_vec(), shell: !is_json(node), heredocs: node.heredocs.clone() }
}

fn arguments(words: &[String]) -> Result<Vec<Argument>, ParseErrorKind> {
    if words.is_empty() {
        return Err(ParseErrorKind::AtLeastOne("ARG"));
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some(("", _)) => Err(ParseErrorKind::BlankName("ARG")),
            Some((name, default)) => Ok(Argument { name: name.to_owned(), default: Some(default.to_owned()) }),
            None => Ok(Argument { name: word.clone(), default: None }),
        })
        .collect()
}

fn pairs(node: &Node, keyword: &'static str) -> Result<Vec<Pair>, ParseErrorKind> {
    Flags::read(&node.flags, &[])?;
    let Arguments::Pairs(pairs) = &node.arguments else { return Err(ParseErrorKind::AtLeastOne(keyword)) };
    if pairs.is_empty() {
        return Err(ParseErrorKind::AtLeastOne(keyword));
    }
    pairs
        .iter()
        .map(|(name, value)| match name.is_empty() {
            true => Err(ParseErrorKind::BlankName(keyword)),
            false => Ok(Pair { name: name.clone(), value: value.clone() }),
        })
        .collect()
}

fn add(node: &Node) -> Result<Add, ParseErrorKind> {
    if words(node).len() < 2 {
        return Err(ParseErrorKind::NoDestination("ADD"));
    }
    let known = [
        ("exclude", Kind::List),
        ("chown", Kind::Text),
        ("chmod", Kind::Text),
        ("link", Kind::Switch),
        ("keep-git-dir", Kind::Switch),
        ("checksum", Kind::Text),
        ("unpack", Kind::Switch),
    ];
    let flags = Flags::read(&node.flags, &known)?;
    let Paths { sources, files, destination } = paths(node, "ADD")?;
    Ok(Add {
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link").unwrap_or_default(),
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.text("checksum"),
        unpack: flags.switch("unpack"),
        excludes: flags.list("exclude"),
        sources,
        files,
        destination,
    })
}

fn copy(node: &Node) -> Result<Copy, ParseErrorKind> {
    if words(node).len() < 2 {
        return Err(ParseErrorKind::NoDestination("COPY"));
    }
    let known = [
        ("exclude", Kind::List),
        ("parents", Kind::Switch),
        ("chown", Kind::Text),
        ("from", Kind::Text),
        ("chmod", Kind::Text),
        ("link", Kind::Switch),
    ];
    let flags = Flags::read(&node.flags, &known)?;
    let Paths { sources, files, destination } = paths(node, "COPY")?;
    Ok(Copy {
        from: flags.text("from"),
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link").unwrap_or_default(),
        parents: flags.switch("parents").unwrap_or_default(),
        excludes: flags.list("exclude"),
        sources,
        files,
        destination,
    })
}

struct Paths {
    sources: Vec<String>,
    files: Vec<InlineFile>,
    destination: String,
}

fn paths(node: &Node, keyword: &'static str) -> Result<Paths, ParseErrorKind> {
    let Some((destination, words)) = words(node).split_last() else { return Err(ParseErrorKind::NoDestination(keyword)) };
    if delimiter(destination).is_some() {
        return Err(ParseErrorKind::HeredocDestination { instruction: keyword });
    }
    let mut paths = Paths { sources: Vec::new(), files: Vec::new(), destination: destination.clone() };
    for word in words {
        let Some(announced) = delimiter(word) else {
            paths.sources.push(word.clone());
            continue;
        };
        // The last of that name counts, and none at all (in the JSON form) is an empty file.
        let body = node.heredocs.iter().rev().find(|heredoc| heredoc.name == announced.name);
        let content = body.map(|body| body.content.clone()).unwrap_or_default();
        let heredoc = Heredoc { content, ..announced };
        paths.files.push(InlineFile { text: heredoc.text(), name: heredoc.name, expands: heredoc.expands });
    }
    Ok(paths)
}

fn run(node: &Node) -> Result<Run, ParseErrorKind> {
    let known = [("mount", Kind::List), ("network", Kind::Text), ("security", Kind::Text), ("device", Kind::List)];
    let flags = Flags::read(&node.flags, &known)?;
    let mounts =
        flags.list("mount").iter().map(|text| MountSpec::new(text).map_err(ParseErrorKind::Mount)).collect::<Result<_, _>>()?;
    let network = one_of(&flags, "network", "network mode", &["default", "none", "host"])?;
    let security = one_of(&flags, "security", "security mode", &["sandbox", "insecure"])?;
    Ok(Run { mounts, network, security, devices: flags.list("device"), command: command(node) })
}

fn one_of(flags: &Flags, name: &str, what: &'static str, allowed: &[&str]) -> Result<Option<String>, ParseErrorKind> {
    match flags.text(name) {
        Some(value) if !allowed.contains(&value.as_str()) => Err(ParseErrorKind::BadFlagValue { what, value }),
        value => Ok(value),
    }
}

fn expose(node: &Node) -> Result<Vec<String>, ParseErrorKind> {
    if words(node).is_empty() {
        return Err(ParseErrorKind::AtLeastOne("EXPOSE"));
    }
    Flags::read(&node.flags, &[])?;
    let mut ports = words(node).to_vec();
    ports.sort();
    Ok(ports)
}

fn volume(node: &Node) -> Result<Vec<String>, ParseErrorKind> {
    if words(node).is_empty() {
        return Err(ParseErrorKind::AtLeastOne("VOLUME"));
    }
    Flags::read(&node.flags, &[])?;
    words(node)
        .iter()
        .map(|path| match path.trim() {
            "" => Err(ParseErrorKind::EmptyVolume),
            path => Ok(path.to_owned()),
        })
        .collect()
}

fn shell(node: &Node) -> Result<Vec<String>, ParseErrorKind> {
    match words(node) {
        [] => Err(ParseErrorKind::AtLeastOne("SHELL")),
        _ if !is_json(node) => Err(ParseErrorKind::NotJson("SHELL")),
        words => Ok(words.to_vec()),
    }
}

fn onbuild(node: &Node) -> Result<String, ParseErrorKind> {
    let Arguments::Trigger(Some(trigger)) = &node.arguments else { return Err(ParseErrorKind::AtLeastOne("ONBUILD")) };
    Flags::read(&node.flags, &[])?;
    let upper = trigger.keyword.to_uppercase();
    match upper.as_str() {
        "ONBUILD" => return Err(ParseErrorKind::ChainedOnbuild),
        "MAINTAINER" | "FROM" => return Err(ParseErrorKind::ForbiddenTrigger(upper)),
        _ => {}
    }
    let mut text = node.original.trim_start()[node.keyword.len()..].trim_start().to_owned();
    for heredoc in &node.heredocs {
        text.push('\n');
        text.push_str(&heredoc.content);
        text.push_str(&heredoc.name);
    }
    Ok(text)
}

fn healthcheck(node: &Node) -> Result<Healthcheck, ParseErrorKind> {
    let Some((kind, arguments)) = words(node).split_first() else { return Err(ParseErrorKind::AtLeastOne("HEALTHCHECK")) };
    match kind.to_uppercase().as_str() {
        "NONE" if arguments.is_empty() => Ok(Healthcheck::default()),
        "NONE" => Err(ParseErrorKind::HealthcheckNone),
        upper => {
            let names = ["interval", "timeout", "start-period", "start-interval", "retries"];
            let flags = Flags::read(&node.flags, &names.map(|name| (name, Kind::Text)))?;
            if upper != "CMD" {
                return Err(ParseErrorKind::HealthcheckType(upper.to_owned()));
            }
            if arguments.is_empty() {
                return Err(ParseErrorKind::HealthcheckCommand);
            }
            let command = CommandLine { words: arguments.to_vec(), shell: !is_json(node), heredocs: Vec::new() };
            Ok(Healthcheck {
                command: Some(command),
                interval: duration(&flags, "interval")?,
                timeout: duration(&flags, "timeout")?,
                start_period: duration(&flags, "start-period")?,
                start_interval: duration(&flags, "start-interval")?,
                retries: match flags.text("retries") {
                    None => 0,
                    Some(value) => value.parse().map_err(|_| ParseErrorKind::HealthcheckValue { flag: "retries", value })?,
                },
            })
        }
    }
}

/// Go's durations: `1h30m`, `1.5s`, `100ms`; zero, or a millisecond and more.
fn duration(flags: &Flags, name: &'static str) -> Result<Duration, ParseErrorKind> {
    let Some(value) = flags.text(name) else { return Ok(Duration::ZERO) };
    let invalid = || ParseErrorKind::Duration(format!("invalid duration {value:?}"));
    let mut rest = value.strip_prefix('+').unwrap_or(&value);
    if rest.starts_with('-') {
        return Err(ParseErrorKind::ShortInterval(name));
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(ParseErrorKind::Duration(format!("missing unit in duration {value:?}"))),
            unit => return Err(ParseErrorKind::Duration(format!("unknown unit {unit:?} in duration {value:?}"))),
        };
        seconds += number * factor;
        rest = after;
    }
    // What Go's type holds.
    let most = 9_223_372_036.0;
    if seconds > most {
        return Err(invalid());
    }
    if seconds > 0.0 && seconds < 0.001 {
        return Err(ParseErrorKind::ShortInterval(name));
    }
    Ok(Duration::from_secs_f64(seconds))
}
