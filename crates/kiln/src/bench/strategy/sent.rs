//! What the builds of a run are sent: by that the copy has all that they read.

use camino::Utf8Path;

use super::Strategy;
use super::image::ignore_text;
use super::own::OwnDockerfile;
use crate::bench::run::Sent;
use crate::context::IgnoreFile;
use crate::plan::{Plan, Service};

/// All but git's own folder.
const GIT_ALONE: &str = "*\n!.git\n";

/// The contexts of all services as kiln sends them. The repository's own Dockerfiles are given git's folder where they are sent it, but
/// nothing else that git ignores: that is what earlier builds left on this machine, and no clone has it.
pub(in crate::bench) fn sent(plan: &Plan, root: &Utf8Path, strategies: &[Strategy]) -> Vec<Sent> {
    let own = |service: &&Service| {
        let own = OwnDockerfile::read(root, &service.files.prod, &service.context);
        strategies.contains(&Strategy::Own) && own.is_ok_and(|own| own.sends_git())
    };
    let kilns = plan.services.iter().map(|service| (service.context.clone(), ignore_text(plan, service)));
    let owns = plan.services.iter().filter(own).map(|service| (service.context.clone(), GIT_ALONE.to_owned()));
    let parsed = kilns.chain(owns).filter_map(|(folder, text)| Some((folder, IgnoreFile::parse(&text).ok()?)));
    parsed.collect()
}
