//! `compose.yaml`: the production images as services, and the development images beside them, with what `--watch` does.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::plan::{APP, APP_SOURCES, ImageEngine, Plan, SecretFrom, SecretSource, Service, ServiceKind, Variant, join};
use crate::text::Text;

const INTRODUCTION: &str = "\
# docker compose up --build                         the production images
# docker compose up --build --watch NAME-dev …      the development images; edits are copied into the containers
# Health checks are part of the images. Values that differ between machines belong into compose.override.yaml";

pub(super) fn body(plan: &Plan) -> String {
    let end = if plan.engine == ImageEngine::Kiln { ", which kiln never writes." } else { "." };
    let mut text = Text::new(format!("{INTRODUCTION}{end}\n\nname: {}\n\nservices:\n", quoted(&plan.project)));
    let ports = host_ports(plan);
    for (index, service) in plan.services.iter().enumerate() {
        if index > 0 {
            text += "\n";
        }
        text += &production(plan, service, ports[index]);
        text += "\n";
        text += &development(plan, service, ports[index]);
    }
    text += &secrets(plan);
    text += &volumes(plan);
    text.finish()
}

/// A port of the machine for each service: the service's own, or the next one that no other service has.
fn host_ports(plan: &Plan) -> Vec<Option<u16>> {
    let mut taken = BTreeSet::new();
    let mut free = |port: u16| (port..=u16::MAX).find(|candidate| taken.insert(*candidate));
    plan.services.iter().map(|service| service.port.and_then(&mut free)).collect()
}

fn production(plan: &Plan, service: &Service, host_port: Option<u16>) -> String {
    let mut text = Text::new(format!("  {}:\n", key(&service.name)));
    text += &image(plan, service, Variant::Prod);
    text += &run(service, host_port);
    // A production image has no sources to copy into: it is built again, which takes what the edit takes.
    text += format_args!(
        "    develop:\n      watch:\n        - action: rebuild\n          path: {}\n",
        quoted(&dotted(&service.context))
    );
    text += &ignored("          ", service);
    text.finish()
}

fn development(plan: &Plan, service: &Service, host_port: Option<u16>) -> String {
    let mut text = Text::new(format!("  {}-dev:\n    profiles: [dev]\n", service.name));
    text += &image(plan, service, Variant::Dev);
    text += &run(service, host_port);
    // Other services find it under the name of the production service.
    text += format_args!("    networks:\n      default:\n        aliases: [{}]\n", quoted(&service.name));
    let (rebuild, action, target) = match &service.kind {
        ServiceKind::Rust(rust) => {
            (join(&join(&service.context, &rust.workspace), Utf8Path::new("Cargo.lock")), "sync+restart", APP_SOURCES)
        }
        ServiceKind::Node(node) => (join(&join(&service.context, &node.workspace), Utf8Path::new(&node.lockfile)), "sync", APP),
    };
    text += "    develop:\n      watch:\n";
    text += format_args!("        - action: rebuild\n          path: {}\n", quoted(&dotted(&rebuild)));
    text += format_args!(
        "        - action: {action}\n          path: {}\n          target: {target}\n",
        quoted(&dotted(&service.context))
    );
    text += &ignored("          ", service);
    text.finish()
}

/// What `watch` leaves alone beyond the ignore file.
fn ignored(indent: &str, service: &Service) -> String {
    match &service.kind {
        ServiceKind::Rust(_) => format!("{indent}ignore: [target/, .git/]\n"),
        ServiceKind::Node(_) => format!("{indent}ignore: [node_modules/, .git/]\n"),
    }
}

fn image(plan: &Plan, service: &Service, variant: Variant) -> String {
    let dockerfile = service.files.dockerfile(variant);
    let dockerfile = dockerfile.strip_prefix(&service.context).unwrap_or(dockerfile);
    let mut text = Text::new(format!(
        "    image: {}\n    build:\n      context: {}\n      dockerfile: {}\n",
        quoted(&format!("{}/{}:{}", plan.project, service.name, variant.tag())),
        quoted(&dotted(&service.context)),
        quoted(dockerfile.as_str())
    ));
    let ids: Vec<String> = service.secret_sources().into_iter().map(|secret| secret.id).collect();
    if !ids.is_empty() {
        text += format_args!("      secrets: [{}]\n", ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(", "));
    }
    if let Some(platform) = &service.platform {
        text += format_args!("    platform: {}\n", quoted(platform));
    }
    text.finish()
}

fn run(service: &Service, host_port: Option<u16>) -> String {
    let mut text = Text::default();
    if let (Some(host_port), Some(port)) = (host_port, service.port) {
        text += format_args!("    ports: [\"{host_port}:{port}\"]\n");
    }
    if !service.volumes.is_empty() {
        text += "    volumes:\n";
        for folder in &service.volumes {
            text += format_args!("      - {}\n", quoted(&format!("{}:{folder}", volume(service, folder))));
        }
    }
    if !service.environment.is_empty() {
        text += "    environment:\n";
        for (name, value) in &service.environment {
            text += format_args!("      {name}: {}\n", quoted(value));
        }
    }
    text.finish()
}

/// Name of the volume for a folder that a service writes to; production and development images share it.
fn volume(service: &Service, folder: &str) -> String {
    format!("{}{}", service.name, folder.replace('/', "-"))
}

fn volumes(plan: &Plan) -> String {
    let names = plan.services.iter().flat_map(|service| service.volumes.iter().map(|folder| volume(service, folder)));
    let lines: String = names.map(|name| format!("  {}: {{}}\n", quoted(&name))).collect();
    if lines.is_empty() { lines } else { format!("\nvolumes:\n{lines}") }
}

/// Where the secrets of all services come from.
fn secrets(plan: &Plan) -> String {
    let mut sources: Vec<SecretSource> = plan.services.iter().flat_map(Service::secret_sources).collect();
    sources.sort();
    sources.dedup_by(|a, b| a.id == b.id);
    if sources.is_empty() {
        return String::new();
    }
    let lines = sources.into_iter().map(|secret| match secret.from {
        SecretFrom::Environment(variable) => format!("  {}:\n    environment: {}\n", secret.id, quoted(&variable)),
        SecretFrom::File(file) => format!("  {}:\n    file: {}\n", secret.id, quoted(&dotted(&file))),
    });
    format!("\nsecrets:\n{}", lines.collect::<String>())
}

/// A relative path as compose wants it; an absolute one stays.
fn dotted(path: &Utf8Path) -> String {
    if path == "." || path.is_absolute() { path.to_string() } else { format!("./{path}") }
}

/// A name as a key: in quotes where YAML would read a number, a time or a truth value, which compose refuses.
fn key(name: &str) -> String {
    const WORDS: [&str; 9] = ["false", "n", "no", "null", "off", "on", "true", "y", "yes"];
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase()) && !WORDS.contains(&name);
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// A YAML string in double quotes, with compose's own `$` escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}
