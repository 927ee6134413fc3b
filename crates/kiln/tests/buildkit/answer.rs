//! kiln's answer about a Dockerfile in the form of the recorded ones.

use std::collections::{BTreeMap, BTreeSet};

use kiln::dockerfile::evaluate::{Base, EvaluatedStage, Graph, ImageConfig, Options};
use kiln::dockerfile::parse::{self, CommandLine, InlineFile, Instruction, MountKind, MountSharing, ParsedMount};
use serde_json::{Map, Value, json};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// BuildKit's answer, without what depends on the machine.
pub(crate) fn recorded(answer: &Value) -> Value {
    if let Some(error) = answer["error"].as_str() {
        return json!({ "error": message(error) });
    }
    let mut answer = answer.clone();
    for key in ["runs", "files"] {
        let mut list = answer[key].as_array().cloned().unwrap_or_default();
        list.sort_by_key(Value::to_string);
        answer[key] = Value::Array(list);
    }
    for file in answer["files"].as_array_mut().into_iter().flatten() {
        file.as_object_mut().expect("a file").remove("exclude");
    }
    for run in answer["runs"].as_array_mut().into_iter().flatten() {
        for mount in run["mounts"].as_array_mut().into_iter().flatten() {
            // What a mount selects is about its source, which kiln's own keys treat.
            let mount = mount.as_object_mut().expect("a mount");
            mount.remove("selector");
        }
        run.as_object_mut().expect("a step").remove("security");
    }
    if let Some(config) = answer["config"].as_object_mut() {
        // JSON has no order of names.
        config.sort_keys();
    }
    answer
}

/// What is said about the Dockerfile, without where and without guesses.
fn message(error: &str) -> String {
    let error = error.strip_prefix("ERROR: failed to build: ").unwrap_or(error);
    let error = error.strip_prefix("failed to run Build function: ").unwrap_or(error);
    let error = match error.strip_prefix("dockerfile parse error on line ") {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, error)| error),
        None => error,
    };
    let error = error.split(" (did you mean ").next().unwrap_or(error);
    // Details of libraries.
    let cut = [": \"a/b/c/d\"", ": parse error on line 1"].iter().find_map(|detail| error.split_once(detail));
    cut.map_or(error, |(error, _)| error).to_owned()
}

/// kiln's answer.
pub(crate) fn of(case: &Value) -> Value {
    match answer(case) {
        Ok(answer) => answer,
        Err(error) => json!({ "error": message(&error) }),
    }
}

fn answer(case: &Value) -> Result<Value, String> {
    let text = case["dockerfile"].as_str().expect("a Dockerfile");
    let line = case["answer"]["line"].as_u64();
    let file = parse::parse(text.as_bytes()).map_err(|error| at_line(&error.kind.to_string(), error.lines, line))?;
    let arguments = case["args"].as_object().expect("arguments");
    let options = Options {
        build_args: arguments.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        target: case["target"].as_str().map(str::to_owned),
        contexts: BTreeSet::new(),
        ..Options::default()
    };
    let located = |error: kiln::dockerfile::evaluate::EvaluationError| at_line(&error.kind.to_string(), error.lines, line);
    let graph = Graph::new(&file, &options).map_err(located)?;
    let mut evaluated: BTreeMap<usize, EvaluatedStage> = BTreeMap::new();
    let (mut runs, mut files) = (Vec::new(), Vec::new());
    let mut configs: BTreeMap<usize, Map<String, Value>> = BTreeMap::new();
    for (index, stage) in graph.stages.iter().enumerate().filter(|(_, stage)| stage.reachable) {
        let (base, image, inherited) = match &stage.base {
            Base::Stage(earlier) => (evaluated.get(earlier), None, configs[earlier].clone()),
            Base::Image(image) if image.starts_with("probe-rich") => (None, Some(rich()), rich_config()),
            Base::Image(image) if image.starts_with("probe") => (None, Some(ImageConfig::default()), Map::new()),
            Base::Image(image) => return Err(format!("no image {image}")),
            _ => {
                let Value::Object(config) = json!({ "WorkingDir": "/" }) else { return Err(String::new()) };
                (None, None, config)
            }
        };
        let stage = graph.evaluate(&file, index, base, image.as_ref()).map_err(located)?;
        let mut config = inherited;
        for step in &stage.steps {
            apply(&mut config, &step.instruction, &stage, &mut files, &step.workdir);
            if let Instruction::Run(run) = &step.instruction {
                let environment = stage.environment(step);
                let mut variables: Vec<String> =
                    environment.in_order().iter().map(|(name, value)| format!("{name}={value}")).collect();
                if step.mounts.iter().any(|mount| mount.kind == MountKind::Ssh) {
                    variables.push("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0".to_owned());
                }
                let mut mounts: Vec<Value> = step.mounts.iter().filter_map(|mount| mounted(mount, &step.workdir)).collect();
                if let Some(script) = &step.script {
                    mounts.push(json!({ "kind": "bind", "dest": "/dev/pipes/", "readonly": true, "id": null, "sharing": 0 }));
                    files.push(json!({ "file": format!("/{}", script.name), "text": script.text, "mode": 0o755 }));
                }
                mounts.sort_by_key(|mount| mount["dest"].as_str().map(str::to_owned));
                let network = match run.network.as_deref() {
                    Some("host") => 1,
                    Some("none") => 2,
                    _ => 0,
                };
                runs.push(json!({
                    "args": step.argv, "env": variables, "cwd": step.workdir, "user": step.user, "network": network, "mounts": mounts,
                }));
            }
        }
        let image = stage.image();
        let env: Vec<String> = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut set = |key: &str, value: Value, empty: bool| {
            config.remove(key);
            if !empty {
                config.insert(key.to_owned(), value);
            }
        };
        set("Env", json!(env), env.is_empty());
        set("User", json!(image.user), image.user.is_empty());
        set("Shell", json!(image.shell), image.shell.is_empty());
        set("OnBuild", json!(image.onbuild), image.onbuild.is_empty());
        configs.insert(index, config);
        evaluated.insert(index, stage);
    }
    runs.sort_by_key(Value::to_string);
    files.sort_by_key(Value::to_string);
    // The same file twice is one step.
    files.dedup_by(|a, b| a == b && a.get("file").is_some());
    let mut config = configs.remove(&graph.target).unwrap_or_default();
    config.sort_keys();
    Ok(json!({ "config": config, "runs": runs, "files": files }))
}

/// The message, with the line where BuildKit names another one.
fn at_line(message: &str, ours: Option<parse::Lines>, theirs: Option<u64>) -> String {
    // BuildKit counts one too few for directives.
    let is_directive = message.ends_with("parser directive can be used");
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if u64::try_from(ours.first) != Ok(theirs) && !is_directive => {
            format!("line {}, not {theirs}: {message}", ours.first)
        }
        _ => message.to_owned(),
    }
}

fn rich() -> ImageConfig {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ImageConfig {
        env: vec![pair("PATH", PATH), pair("A", "1"), pair("R", "rich")],
        workdir: "/home/rich".to_owned(),
        user: "rich".to_owned(),
        shell: ["/bin/sh", "-euc"].map(str::to_owned).to_vec(),
        onbuild: vec!["RUN trigger $A".to_owned()],
    }
}

fn rich_config() -> Map<String, Value> {
    let Value::Object(config) = json!({ "Entrypoint": ["/bin/sh"], "Cmd": ["old"], "WorkingDir": "/home/rich" }) else {
        return Map::new();
    };
    config
}

/// What an instruction writes into the image's configuration, and which files it makes.
fn apply(
    config: &mut Map<String, Value>,
    instruction: &Instruction,
    stage: &EvaluatedStage,
    files: &mut Vec<Value>,
    workdir: &str,
) {
    let command = |line: &CommandLine| -> Vec<String> {
        if !line.shell {
            return line.words.clone();
        }
        let shell = stage.image().shell;
        let mut words = if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell };
        words.push(line.words.join(" "));
        words
    };
    let object = |config: &mut Map<String, Value>, key: &str, names: &mut dyn Iterator<Item = (String, Value)>| {
        let mut map = config.remove(key).and_then(|value| value.as_object().cloned()).unwrap_or_default();
        map.extend(names);
        map.sort_keys();
        config.insert(key.to_owned(), Value::Object(map));
    };
    match instruction {
        Instruction::Cmd(line) => set_list(config, "Cmd", command(line)),
        Instruction::Entrypoint(line) => {
            set_list(config, "Entrypoint", command(line));
        }
        Instruction::Label(pairs) => {
            object(config, "Labels", &mut pairs.iter().map(|pair| (pair.name.clone(), json!(pair.value))));
        }
        Instruction::Expose(ports) => {
            object(config, "ExposedPorts", &mut ports.iter().flat_map(|port| exposed(port)).map(|port| (port, json!({}))));
        }
        Instruction::Volume(paths) => object(config, "Volumes", &mut paths.iter().map(|path| (path.clone(), json!({})))),
        Instruction::StopSignal(signal) => {
            config.insert("StopSignal".to_owned(), json!(signal));
        }
        Instruction::Workdir(_) => {
            config.insert("WorkingDir".to_owned(), json!(workdir));
        }
        Instruction::Healthcheck(check) => {
            config.insert("Healthcheck".to_owned(), health(check));
        }
        Instruction::Copy(copy) => {
            copied(files, &copy.sources, &copy.files, &copy.destination, workdir, copy.chmod.as_deref());
        }
        Instruction::Add(add) => {
            copied(files, &add.sources, &add.files, &add.destination, workdir, add.chmod.as_deref());
        }
        _ => {}
    }
}

fn set_list(config: &mut Map<String, Value>, key: &str, list: Vec<String>) {
    config.remove(key);
    if !list.is_empty() {
        config.insert(key.to_owned(), json!(list));
    }
}

fn health(check: &parse::Healthcheck) -> Value {
    let test = match &check.command {
        None => vec!["NONE".to_owned()],
        Some(command) => {
            let mut test = vec![if command.shell { "CMD-SHELL".to_owned() } else { "CMD".to_owned() }];
            test.extend(command.words.clone());
            test
        }
    };
    let mut value = Map::new();
    value.insert("Test".to_owned(), json!(test));
    let times = [
        ("Interval", check.interval),
        ("StartInterval", check.start_interval),
        ("StartPeriod", check.start_period),
        ("Timeout", check.timeout),
    ];
    for (key, time) in times.into_iter().filter(|(_, time)| !time.is_zero()) {
        value.insert(key.to_owned(), json!(u64::try_from(time.as_nanos()).expect("a duration")));
    }
    if check.retries > 0 {
        value.insert("Retries".to_owned(), json!(check.retries));
    }
    value.sort_keys();
    Value::Object(value)
}

/// `8000-8001/udp` as two ports.
fn exposed(port: &str) -> Vec<String> {
    let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let range: Option<(u16, u16)> = first.parse().ok().zip(last.parse().ok());
    range.map_or_else(Vec::new, |(first, last)| {
        (first..=last).map(|number| format!("{number}/{}", protocol.to_lowercase())).collect()
    })
}

fn copied(
    files: &mut Vec<Value>,
    sources: &[String],
    inline: &[InlineFile],
    destination: &str,
    workdir: &str,
    chmod: Option<&str>,
) {
    let to = absolute(workdir, destination);
    let mode = match chmod {
        None => json!(-1),
        // Recorded as zero: the mode as text stands beside it.
        Some(text) if text.parse::<u32>().is_err() => json!(0),
        Some(text) => json!(u32::from_str_radix(text, 8).expect("a mode")),
    };
    for source in sources {
        files.push(json!({ "from": absolute("/", source).trim_end_matches('/').to_owned(), "to": to, "mode": mode }));
        if let Some(last) = files.last_mut()
            && last["from"] == ""
        {
            last["from"] = json!("/");
        }
    }
    for file in inline {
        files.push(json!({ "file": format!("/{}", file.name), "text": file.text, "mode": 0o644 }));
        files.push(json!({ "from": format!("/{}", file.name), "to": to, "mode": mode }));
    }
}

/// An absolute path; a slash at the end stays.
fn absolute(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let parts: Vec<&str> = whole.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let slash = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

fn mounted(mount: &ParsedMount, workdir: &str) -> Option<Value> {
    let target = || absolute(workdir, mount.target.as_deref().unwrap_or_default());
    let sharing = match mount.sharing {
        Some(MountSharing::Private) => 1,
        Some(MountSharing::Locked) => 2,
        _ => 0,
    };
    let value = match mount.kind {
        MountKind::Cache => {
            let id = mount.id.clone().or_else(|| mount.target.clone()).unwrap_or_default();
            json!({ "kind": "cache", "dest": target(), "readonly": mount.read_only, "id": format!("/{id}"), "sharing": sharing })
        }
        MountKind::Secret => {
            let id = mount.id.clone().or_else(|| mount.source.clone()).unwrap_or_default();
            // Without a target, a secret with a variable is no file.
            if mount.env.is_some() && mount.target.is_none() {
                return None;
            }
            let dest = mount.target.clone().unwrap_or_else(|| format!("/run/secrets/{id}"));
            json!({ "kind": "secret", "dest": dest, "readonly": false, "id": id, "sharing": 0 })
        }
        MountKind::Ssh => {
            json!({ "kind": "ssh", "dest": "/run/buildkit/ssh_agent.0", "readonly": false, "id": null, "sharing": 0 })
        }
        MountKind::Tmpfs | MountKind::Bind => {
            let kind = mount.kind.name();
            json!({ "kind": kind, "dest": target(), "readonly": mount.read_only, "id": null, "sharing": 0 })
        }
    };
    Some(value)
}
