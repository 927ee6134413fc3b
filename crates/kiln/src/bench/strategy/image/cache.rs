//! A cache outside of the engine, in a folder of the run.

use camino::Utf8Path;

use crate::bench::StrategyError;
use crate::engine::CacheRef;

/// What a build does with a cache outside of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Import,
    Export,
}

impl Cache {
    /// As `kiln build` takes it.
    pub(super) fn value(self, folder: &Utf8Path) -> String {
        match self {
            Self::Import => format!("type=local,src={folder}"),
            // A cache that could not be written must not look like one that saves nothing.
            Self::Export => format!("type=local,dest={folder},ignore-error=false"),
        }
    }

    /// As the engine takes it.
    pub(super) fn references(self, folder: &Utf8Path) -> Result<Vec<CacheRef>, StrategyError> {
        let value = self.value(folder);
        let references = if self == Self::Import { CacheRef::sources(&value) } else { CacheRef::destinations(&value) };
        let mut references = references.map_err(|error| StrategyError::Failed(format!("`{value}`: {error}")))?;
        if self == Self::Export {
            references.iter_mut().for_each(CacheRef::fill_in_export);
        }
        Ok(references)
    }
}
