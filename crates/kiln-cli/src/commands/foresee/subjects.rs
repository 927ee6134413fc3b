//! Which builds are meant: those of services, or one of any Dockerfile.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::dockerfile::evaluate::Platform;
use kiln::engine::{BuildRequest, Tool};
use kiln::parallel;
use kiln::plan::{Service, Variant};
use kiln::predict::{Known, Memory, Subject, SubjectError, known};
use kiln::text::did_you_mean;

use crate::commands::Context;
use crate::commands::project::{look_and_decide, own_path, refuse, state_directory};
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Which builds, from the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selection {
    /// Services; all when none is named
    #[arg(value_name = "SERVICE", conflicts_with = "dockerfile")]
    pub(crate) services: Vec<String>,
    /// Which images of the services
    #[arg(long = "variant", value_name = "VARIANT", value_delimiter = ',', default_value = "prod", value_parser = variant)]
    pub(crate) variants: Vec<Variant>,
    /// Any Dockerfile instead of the services'
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) dockerfile: Option<Utf8PathBuf>,
    /// Build context of `--dockerfile`; the project when absent
    #[arg(long, value_name = "DIR", requires = "dockerfile")]
    pub(crate) context: Option<Utf8PathBuf>,
    /// Stage to build instead of the last one
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub(crate) build_args: Vec<String>,
}

pub(crate) fn variant(name: &str) -> Result<Variant, String> {
    let known = Variant::ALL.into_iter().find(|variant| variant.name() == name);
    known.ok_or_else(|| format!("possible values: {}", Variant::ALL.map(Variant::name).join(", ")))
}

/// One build that is meant.
#[derive(Debug)]
pub(crate) struct Meant {
    /// The service; the Dockerfile's path for one that is no service's.
    pub(crate) service: String,
    /// The variant, for services.
    pub(crate) variant: Option<Variant>,
    /// The Dockerfile as it is shown.
    pub(crate) shown: Utf8PathBuf,
    /// What is built.
    pub(crate) subject: Subject,
    /// Earlier builds of it.
    pub(crate) known: Known,
}

/// The project's folder of kiln's own, and the builds that are meant.
#[derive(Debug)]
pub(crate) struct All {
    pub(crate) state: Utf8PathBuf,
    pub(crate) meant: Vec<Meant>,
}

impl Meant {
    /// A name for people: `backend prod`.
    pub(crate) fn name(&self) -> String {
        match self.variant {
            Some(variant) => format!("{} {}", self.service, variant.name()),
            None => self.service.clone(),
        }
    }
}

/// Where the state of earlier builds is.
pub(crate) fn models(state: &Utf8Path) -> Utf8PathBuf {
    state.join("models")
}

/// What is known of the folders that images are built from.
pub(crate) fn memory(state: &Utf8Path) -> Memory {
    Memory::new(state.join("hashes"))
}

/// The builds that the arguments mean, with what is known of earlier ones.
pub(crate) fn find(context: &Context, selection: &Selection) -> Result<All, CommandError> {
    match &selection.dockerfile {
        Some(dockerfile) => one(context, selection, dockerfile),
        None => services(context, selection),
    }
}

fn one(context: &Context, selection: &Selection, dockerfile: &Utf8Path) -> Result<All, CommandError> {
    let absolute = |path: &Utf8Path| {
        path.canonicalize_utf8().map_err(|error| {
            let mut message = CommandError::new(Kind::User, format!("cannot read `{path}`"));
            message.causes.push(error.to_string());
            message
        })
    };
    let root = absolute(&context.project)?;
    let folder = absolute(selection.context.as_deref().unwrap_or(&context.project))?;
    let path = absolute(dockerfile)?;
    let state = state_directory(&root)?;
    let subject = Subject {
        context: folder,
        dockerfile: path,
        target: selection.target.clone(),
        build_args: given(&selection.build_args),
        ..Subject::default()
    };
    let meant =
        Meant { service: dockerfile.to_string(), variant: None, shown: dockerfile.to_owned(), subject, known: Known::default() };
    Ok(All { state, meant: vec![meant] })
}

fn services(context: &Context, selection: &Selection) -> Result<All, CommandError> {
    let (root, plan) = look_and_decide(&context.project)?;
    if let Some(error) = refuse(&plan) {
        return Err(error);
    }
    let state = state_directory(&root)?;
    for name in &selection.services {
        if !plan.services.iter().any(|service| service.name == *name) {
            let names = plan.services.iter().map(|service| service.name.as_str());
            let error = CommandError::new(Kind::User, format!("there is no service `{name}`"));
            let listed = names.clone().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let hint = did_you_mean(name, names)
                .map_or_else(|| format!("the services are {listed}"), |name| format!("did you mean `{name}`?"));
            return Err(error.hint(hint));
        }
    }
    let chosen = |name: &String| selection.services.is_empty() || selection.services.contains(name);
    let services = plan.services.iter().filter(|service| chosen(&service.name));
    let images: Vec<(&Service, Variant, bool)> = services
        .flat_map(|service| selection.variants.iter().map(move |variant| (service, *variant)))
        .map(|(service, variant)| {
            let text = std::fs::read_to_string(root.join(service.files.dockerfile(variant)));
            (service, variant, text.is_ok_and(|text| text.contains(&plan.tool_image)))
        })
        .collect();
    let tool = if images.iter().any(|(.., uses_tool)| *uses_tool) { Some(tool_folder(&state)?) } else { None };
    let meant = parallel::map(&images, 1, |&(service, variant, uses_tool)| {
        let shown = service.files.dockerfile(variant).clone();
        let tool = tool.clone().filter(|_| uses_tool);
        let known = known(&models(&state), &format!("{}-{}", service.name, variant.name()));
        let latest = known.models.first();
        // What was given to the latest build is given again, unless the command line says otherwise.
        let mut build_args = latest.map(|model| model.arguments.clone()).unwrap_or_default();
        build_args.extend(given(&selection.build_args));
        let subject = Subject {
            context: if service.context == "." { root.clone() } else { root.join(&service.context) },
            dockerfile: root.join(&shown),
            named_contexts: tool.into_iter().map(|folder| (plan.tool_image.clone(), folder)).collect(),
            target: selection.target.clone(),
            build_args,
            platform: service.platform.as_deref().and_then(Platform::parse),
            images: latest.map(|model| model.images.clone()).unwrap_or_default(),
            merges: latest.is_some_and(|model| model.merges),
        };
        Meant { service: service.name.clone(), variant: Some(variant), shown, subject, known }
    });
    Ok(All { state, meant })
}

/// The folder with the kiln that runs in image builds, as `kiln build` hands it over.
fn tool_folder(state: &Utf8Path) -> Result<Utf8PathBuf, CommandError> {
    let path = match env_vars::read(env_vars::TOOL) {
        Some(path) => Utf8PathBuf::from(path),
        None => own_path()?,
    };
    Ok(Tool::prepare(&path, state).map_err(|error| crate::hints::engine_error(&error))?.directory)
}

/// `NAME=VALUE`, or `NAME` with its value in the environment; one that is not there is not given.
fn given(arguments: &[String]) -> BTreeMap<String, String> {
    let pairs = arguments.iter().filter_map(|argument| match argument.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Some((argument.clone(), env_vars::read(argument)?)),
    });
    pairs.collect()
}

/// What is built by a request.
pub(crate) fn of_request(request: &BuildRequest) -> Subject {
    let value = |name: &String, value: &Option<String>| value.clone().or_else(|| env_vars::read(name));
    Subject {
        context: request.context.clone(),
        dockerfile: request.dockerfile.clone(),
        named_contexts: request.named_contexts.clone(),
        target: request.target.clone(),
        build_args: request.build_args.iter().filter_map(|(name, given)| Some((name.clone(), value(name, given)?))).collect(),
        platform: request.platforms.first().and_then(|platform| Platform::parse(platform)),
        ..Subject::default()
    }
}

/// An error about a build that cannot be looked at.
pub(crate) fn error(error: &SubjectError) -> CommandError {
    let message = CommandError::from_error(Kind::User, error);
    match error {
        SubjectError::Dockerfile { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            message.hint("`kiln init` writes it")
        }
        _ => message,
    }
}
