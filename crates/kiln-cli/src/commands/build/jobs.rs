//! Which images to build, and the request for each.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{BuildRequest, BuildSecret, Output, Tool, ToolKind};
use kiln::plan::{Plan, Service, Variant};
use kiln::text::{count, did_you_mean};

use super::Args;
use super::seeds::Seed;
use crate::commands::Context;
use crate::commands::project::own_path;
use crate::error::{CommandError, Kind};
use crate::hints;

/// One image to build.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) service: String,
    pub(crate) variant: Variant,
    /// Name of the image.
    pub(crate) image: String,
    /// The Dockerfile, relative to the project.
    pub(crate) dockerfile: Utf8PathBuf,
    /// Its ignore files, relative to the project.
    pub(crate) ignore: Vec<Utf8PathBuf>,
    pub(crate) request: BuildRequest,
    /// What its dependencies start with, where they can be seeded.
    pub(crate) seed: Option<Seed>,
}

/// The jobs that the arguments ask for.
pub(super) fn collect(
    context: &Context,
    args: &Args,
    plan: &Plan,
    root: &Utf8Path,
    state: &Utf8Path,
) -> Result<Vec<Job>, CommandError> {
    let services = select(plan, &args.services)?;
    let mut variants = args.variants.clone();
    variants.sort_unstable();
    variants.dedup();
    let single = services.len() * variants.len() == 1;
    if !single && args.tag.as_ref().is_some_and(|tag| !tag.starts_with(':')) {
        return Err(CommandError::new(Kind::User, "`--tag NAME` names one image, but several are to be built")
            .hint("name one service and one variant, or give `--tag :TAG` to change the tag of all"));
    }
    let build_args = build_args(&args.build_args);
    let mut jobs = Vec::new();
    let mut uses_tool = false;
    for service in services {
        for variant in &variants {
            let mut job = job(args, plan, service, *variant, root);
            let text = read_dockerfile(&job)?;
            job.request.build_args.clone_from(&build_args);
            if text.contains(&plan.tool_image) {
                uses_tool = true;
                // The folder comes once it is known that a tool is needed at all.
                job.request.named_contexts.insert(plan.tool_image.clone(), Utf8PathBuf::new());
            }
            jobs.push(job);
        }
    }
    if uses_tool {
        let tool = tool(context, args, &jobs, state)?;
        for directory in jobs.iter_mut().flat_map(|job| job.request.named_contexts.values_mut()) {
            directory.clone_from(&tool.directory);
        }
    }
    Ok(jobs)
}

impl Job {
    /// Whether an ignore file of the service is the one of this variant: the context's, or the one beside its Dockerfile.
    pub(super) fn reads_ignore_file(&self, path: &Utf8Path) -> bool {
        let is_for_it = path.file_name() == Some(".dockerignore") || path == format!("{}.dockerignore", self.dockerfile).as_str();
        is_for_it && self.ignore.iter().any(|ignore| ignore == path)
    }
}

fn select<'a>(plan: &'a Plan, names: &[String]) -> Result<Vec<&'a Service>, CommandError> {
    if plan.services.is_empty() {
        return Err(CommandError::new(Kind::User, "there is nothing to build in this project"));
    }
    if names.is_empty() {
        return Ok(plan.services.iter().collect());
    }
    let known = || plan.services.iter().map(|service| service.name.as_str());
    let mut chosen: Vec<&Service> = Vec::new();
    for name in names {
        let Some(service) = plan.services.iter().find(|service| service.name == *name) else {
            let hint = match did_you_mean(name, known()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("the services are {}", known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            return Err(CommandError::new(Kind::User, format!("there is no service `{name}`")).hint(hint));
        };
        if !chosen.iter().any(|known| known.name == service.name) {
            chosen.push(service);
        }
    }
    Ok(chosen)
}

fn job(args: &Args, plan: &Plan, service: &Service, variant: Variant, root: &Utf8Path) -> Job {
    let image = match &args.tag {
        Some(tag) if tag.starts_with(':') => format!("{}/{}{tag}", plan.project, service.name),
        Some(name) => name.clone(),
        None => format!("{}/{}:{}", plan.project, service.name, variant.tag()),
    };
    let dockerfile = service.files.dockerfile(variant).clone();
    let context = if service.context == "." { root.to_owned() } else { root.join(&service.context) };
    let platforms = if args.platform.is_empty() { service.platform.iter().cloned().collect() } else { args.platform.clone() };
    let request = BuildRequest {
        name: format!("{}-{}", service.name, variant.name()),
        context,
        dockerfile: root.join(&dockerfile),
        target: args.target.clone(),
        tags: vec![image.clone()],
        platforms,
        secrets: BuildSecret::of(service, root),
        output: if args.push { Output::Push } else { Output::Load },
        no_cache: args.no_cache,
        ..BuildRequest::default()
    };
    Job { service: service.name.clone(), variant, image, dockerfile, ignore: service.files.ignore.clone(), request, seed: None }
}

fn build_args(given: &[String]) -> BTreeMap<String, Option<String>> {
    let parts = given.iter().map(|argument| match argument.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (argument.clone(), None),
    });
    parts.collect()
}

fn read_dockerfile(job: &Job) -> Result<String, CommandError> {
    fs::read_to_string(&job.request.dockerfile).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let what = if missing { "there is no" } else { "cannot read" };
        let message = format!("{what} `{}` to build `{}` ({}) from", job.dockerfile, job.service, job.variant.name());
        let mut command_error = CommandError::new(Kind::User, message);
        if missing {
            command_error.hint("`kiln init` writes it")
        } else {
            command_error.causes.push(error.to_string());
            command_error
        }
    })
}

/// The kiln that runs inside image builds: the one given, else this one.
fn tool(context: &Context, args: &Args, jobs: &[Job], state: &Utf8Path) -> Result<Tool, CommandError> {
    let path = match &args.tool {
        Some(path) => path.clone(),
        None => own_path()?,
    };
    let tool = Tool::prepare(&path, state).map_err(|error| hints::engine_error(&error))?;
    if matches!(tool.kind, ToolKind::Dynamic { .. }) {
        context.ui.warn(&format!(
            "`{path}` is dynamically linked: it may not run in the base images of {} (`make build` makes a static one; `--tool PATH` names another)",
            count(jobs.len(), "build")
        ));
    }
    let platforms = jobs.iter().flat_map(|job| &job.request.platforms);
    if let Some(architecture) = tool.kind.architecture()
        && let Some(platform) =
            platforms.into_iter().find(|platform| platform.split('/').nth(1).is_some_and(|other| other != architecture))
    {
        context.ui.warn(&format!("`{path}` is made for {architecture}: it runs in builds for {platform} only under emulation"));
    }
    Ok(tool)
}
