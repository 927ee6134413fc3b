//! `compose.yaml`: the production images as services, and the development images beside them, with what `--watch` does.

use camino::Utf8Path;

use crate::dockerfile::certificate_id;
use crate::plan::{Plan, Service, ServiceKind, Variant};

const INTRODUCTION: &str = "\
# docker compose up --build                         the production images
# docker compose up --build --watch NAME-dev …      the development images; edits are copied into the containers
# Health checks are part of the images. Values that differ between machines belong into compose.override.yaml, which kiln never writes.
";

pub(super) fn body(plan: &Plan) -> String {
    let mut text = format!("{INTRODUCTION}\nname: {}\n\nservices:\n", quoted(&plan.project));
    for (index, service) in plan.services.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text += &production(plan, service);
        text.push('\n');
        text += &development(plan, service);
    }
    text + &secrets(plan)
}

fn production(plan: &Plan, service: &Service) -> String {
    let mut text = format!("  {}:\n", service.name);
    text += &image(plan, service, Variant::Prod);
    text += &run(service);
    // A production image has no sources to copy into: it is built again, which takes what the edit takes.
    text += &format!(
        "    develop:\n      watch:\n        - action: rebuild\n          path: {}\n",
        quoted(&dotted(&service.context))
    );
    text + &ignored("          ", service)
}

fn development(plan: &Plan, service: &Service) -> String {
    let mut text = format!("  {}-dev:\n    profiles: [dev]\n", service.name);
    text += &image(plan, service, Variant::Dev);
    text += &run(service);
    // Other services find it under the name of the production service.
    text += &format!("    networks:\n      default:\n        aliases: [{}]\n", quoted(&service.name));
    let (rebuild, action, target) = match &service.kind {
        ServiceKind::Rust(rust) => (service.context.join(&rust.workspace).join("Cargo.lock"), "sync+restart", "/src"),
        ServiceKind::Node(node) => (service.context.join(&node.workspace).join(&node.lockfile), "sync", "/app"),
    };
    text += "    develop:\n      watch:\n";
    text += &format!("        - action: rebuild\n          path: {}\n", quoted(&dotted(&rebuild)));
    text += &format!(
        "        - action: {action}\n          path: {}\n          target: {target}\n",
        quoted(&dotted(&service.context))
    );
    text + &ignored("          ", service)
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
    let mut text = format!(
        "    image: {}\n    build:\n      context: {}\n      dockerfile: {}\n",
        quoted(&format!("{}/{}:{}", plan.project, service.name, variant.tag())),
        quoted(&dotted(&service.context)),
        quoted(dockerfile.as_str())
    );
    let ids = secret_ids(service);
    if !ids.is_empty() {
        text += &format!("      secrets: [{}]\n", ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(", "));
    }
    if let Some(platform) = &service.platform {
        text += &format!("    platform: {}\n", quoted(platform));
    }
    text
}

fn run(service: &Service) -> String {
    let mut text = String::new();
    if let Some(port) = service.port {
        text += &format!("    ports: [\"{port}:{port}\"]\n");
    }
    if !service.environment.is_empty() {
        text += "    environment:\n";
        for (name, value) in &service.environment {
            text += &format!("      {name}: {}\n", quoted(value));
        }
    }
    text
}

fn secret_ids(service: &Service) -> Vec<String> {
    let certificates = (0..service.ca_certificates.len()).map(certificate_id);
    certificates.chain(service.secrets.iter().map(|secret| secret.id.clone())).collect()
}

/// Where the secrets of all services come from.
fn secrets(plan: &Plan) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for service in &plan.services {
        for (index, path) in service.ca_certificates.iter().enumerate() {
            lines.push((certificate_id(index), format!("file: {}", quoted(&dotted(path)))));
        }
        for secret in &service.secrets {
            let from = match (&secret.env, &secret.file) {
                (Some(variable), _) => format!("environment: {}", quoted(variable)),
                (None, Some(file)) => format!("file: {}", quoted(&dotted(file))),
                (None, None) => continue,
            };
            lines.push((secret.id.clone(), from));
        }
    }
    lines.sort();
    lines.dedup_by(|a, b| a.0 == b.0);
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.into_iter().map(|(id, from)| format!("  {id}:\n    {from}\n")).collect();
    format!("\nsecrets:\n{}", lines.concat())
}

/// A relative path as compose wants it; an absolute one stays.
fn dotted(path: &Utf8Path) -> String {
    if path == "." || path.is_absolute() { path.to_string() } else { format!("./{path}") }
}

/// A YAML string in double quotes, with compose's own `$` escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}
