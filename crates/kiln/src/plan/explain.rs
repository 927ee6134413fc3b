//! Every value of a service with where it came from: `kiln plan --explain`.

use super::{Serve, Service, ServiceKind, Source};

/// One value of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The key as in `kiln.toml`.
    pub key: String,
    /// The value, for people.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// The values that decide how a service is built, in the order of `kiln.toml`'s documentation.
#[must_use]
pub fn explain(service: &Service) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| {
        let source = service.sources.get(key).cloned().unwrap_or(Source::Default);
        rows.push(Row { key: key.to_owned(), value, source });
    };
    row("path", service.path.to_string());
    match &service.kind {
        ServiceKind::Rust(rust) => {
            row("package", rust.package.clone());
            row("binary", rust.binaries.join(", "));
            row("features", list(&rust.features));
            row("no-default-features", rust.no_default_features.to_string());
            row("profile", rust.profile.clone());
            row("fast-profile", rust.fast_profile.clone());
            row("target", option(rust.target.as_deref()));
            row("toolchain", rust.toolchain.clone());
            row("seed", list(&rust.seeds));
        }
        ServiceKind::Node(node) => {
            row("node-version", node.node_version.clone());
            row("build-script", option(node.build_script.as_deref()));
            row("dev-script", option(node.dev_script.as_deref()));
            match &node.serve {
                Serve::Static { directory } => {
                    row("serve", "static".to_owned());
                    row("output", directory.to_string());
                }
                Serve::Server { command, output } => {
                    row("serve", command.join(" "));
                    row("output", list(&output.iter().map(ToString::to_string).collect::<Vec<_>>()));
                }
            }
            for (prefix, upstream) in &node.proxy {
                row(&format!("proxy.{prefix}"), upstream.clone());
            }
        }
    }
    row("build-image", service.base_images.build.clone());
    row("runtime-image", service.base_images.runtime.clone());
    row("apt", list(&service.native_packages.build));
    row("runtime-apt", list(&service.native_packages.runtime));
    row("dev-apt", list(&service.dev_packages));
    row("port", option(service.port.map(|port| port.to_string()).as_deref()));
    row("user", service.user.clone());
    row("health", option(service.health.as_ref().map(|command| command.join(" ")).as_deref()));
    row("platform", option(service.platform.as_deref()));
    for (table, map) in [("environment", &service.environment), ("build-args", &service.build_args)] {
        for (key, value) in map {
            row(&format!("{table}.{key}"), value.clone());
        }
    }
    row("ca-certificates", list(&service.ca_certificates.iter().map(ToString::to_string).collect::<Vec<_>>()));
    for secret in &service.secrets {
        let from = secret.env.clone().or_else(|| secret.file.as_ref().map(ToString::to_string)).unwrap_or_default();
        row(&format!("secrets.{}", secret.id), from);
    }
    row("assets", list(&service.assets.iter().map(|asset| format!("{}:{}", asset.from, asset.to)).collect::<Vec<_>>()));
    row("volumes", list(&service.volumes));
    rows
}

fn list(values: &[String]) -> String {
    if values.is_empty() { "–".to_owned() } else { values.join(", ") }
}

fn option(value: Option<&str>) -> String {
    value.unwrap_or("–").to_owned()
}
