//! `kiln plan`

use std::process::ExitCode;

use kiln::plan::{ImageEngine, Plan, Row, Service, ServiceKind, Source, Variant, explain};
use kiln::text::Text;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Context;
use super::project::{look_and_decide, refuse};
use crate::error::CommandError;

/// Shows what kiln found and decided; needs no engine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kiln plan                 the services and their images
  kiln plan --explain       every value, and the file or line it came from
  kiln plan --json          the same for programs")]
pub(crate) struct Args {
    /// Show every value with where it came from
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    project: &'a str,
    engine: &'static str,
    tool_image: &'a str,
    services: Vec<Value>,
    questions: &'a [kiln::plan::Question],
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    let (_, plan) = look_and_decide(&context.project)?;
    if context.ui.json {
        let services = plan.services.iter().map(|service| service_document(&plan, service)).collect();
        context.ui.document(&Document {
            project: &plan.project,
            engine: plan.engine.name(),
            tool_image: &plan.tool_image,
            services,
            questions: &plan.questions,
        });
    } else {
        context.ui.data(&text(&plan, args.explain));
    }
    match refuse(&plan) {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// A service with its variants and the decided recipe on top of the plan's own fields.
fn service_document(plan: &Plan, service: &Service) -> Value {
    let mut value = serde_json::to_value(service).unwrap_or(Value::Null);
    let variants: Map<String, Value> = Variant::ALL
        .into_iter()
        .map(|variant| {
            let image = format!("{}/{}:{}", plan.project, service.name, variant.tag());
            (variant.name().to_owned(), json!({ "dockerfile": service.files.dockerfile(variant), "image": image }))
        })
        .collect();
    if let Some(object) = value.as_object_mut() {
        object.insert("variants".to_owned(), Value::Object(variants));
        if let ServiceKind::Rust(rust) = &service.kind {
            let recipe = json!({
                "package": rust.package, "binaries": rust.binaries, "features": rust.features,
                "no_default_features": rust.no_default_features, "target": rust.target,
                "profiles": { "prod": rust.profile, "dev": rust.fast_profile, "fast": rust.fast_profile },
            });
            object.insert("recipe".to_owned(), recipe);
        }
    }
    value
}

fn text(plan: &Plan, explained: bool) -> String {
    let mut text = Text::new(format!("project {}\n", plan.project));
    if plan.engine == ImageEngine::Chef {
        text += "engine  chef: cargo-chef and the package managers alone, no generated file knows of kiln\n";
    }
    for service in &plan.services {
        text += format_args!("\n{}  ({})\n", service.name, summary(service));
        let rows = explain(service);
        let shown: Vec<Row> = if explained { rows } else { rows.into_iter().filter(is_worth_showing).collect() };
        let key_width = shown.iter().map(|row| row.key.chars().count()).max().unwrap_or(0);
        let value_width = shown.iter().map(|row| row.value.chars().count()).max().unwrap_or(0).min(60);
        for row in &shown {
            let line = if explained {
                format!("  {:key_width$}  {:value_width$}  {}", row.key, row.value, source(&row.source))
            } else {
                format!("  {:key_width$}  {}", row.key, row.value)
            };
            text += line.trim_end();
            text += "\n";
        }
        for (wanted_by, packages) in service.native_packages.wanted_by.iter().filter(|_| explained) {
            text += format_args!("  {wanted_by} wants {}\n", packages.join(", "));
        }
    }
    text.finish()
}

fn summary(service: &Service) -> String {
    match &service.kind {
        ServiceKind::Rust(_) => format!("rust, {}", service.path),
        ServiceKind::Node(_) => format!("node, {}", service.path),
    }
}

/// Without `--explain`: what is not a default, and the images.
fn is_worth_showing(row: &Row) -> bool {
    row.value != "–" && (row.source != Source::Default || matches!(row.key.as_str(), "build-image" | "runtime-image" | "port"))
}

fn source(source: &Source) -> String {
    match source {
        Source::Default => "default".to_owned(),
        Source::Detected { path } => path.to_string(),
        Source::Setting { line } => format!("kiln.toml:{line}"),
        Source::Environment { variable } => format!("${variable}"),
        Source::Flag { flag } => flag.clone(),
    }
}
