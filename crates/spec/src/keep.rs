//! What stays on disk of a job that is done. Never part of a job's identity.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::job::Stage;

/// Which parameters of a finished job stay. What it needs to go on from does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those with the best validation accuracy, and the last.
    #[default]
    BestAndFinal,
    /// Those with the best validation accuracy.
    Best,
    /// The last.
    Final,
    /// None: only results.
    None,
}

impl Keep {
    /// Every value with its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("best-and-final", Self::BestAndFinal),
        ("best", Self::Best),
        ("final", Self::Final),
        ("none", Self::None),
    ];

    /// Whether the parameters with the best validation accuracy stay.
    #[must_use]
    pub fn best(self) -> bool {
        matches!(self, Self::BestAndFinal | Self::Best)
    }

    /// Whether the last parameters stay.
    #[must_use]
    pub fn last(self) -> bool {
        matches!(self, Self::BestAndFinal | Self::Final)
    }

    /// How many files of parameters stay.
    #[must_use]
    pub fn files(self) -> u64 {
        u64::from(self.best()) + u64::from(self.last())
    }

    /// Whatever either of two keeps.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.best() || other.best(), self.last() || other.last()) {
            (true, true) => Self::BestAndFinal,
            (true, false) => Self::Best,
            (false, true) => Self::Final,
            (false, false) => Self::None,
        }
    }
}

/// Which parameters stay, of every job, or fewer of transfers: there may be thousands of these for each
/// upstream job, and often only their results are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Of every job.
    pub jobs: Keep,
    /// Of transfers, if that is something else.
    pub transfers: Option<Keep>,
}

impl Kept {
    /// What stays of a job of this stage.
    #[must_use]
    pub fn of(self, stage: Stage) -> Keep {
        match self.transfers {
            Some(keep) if stage == Stage::Transfer => keep,
            _ => self.jobs,
        }
    }

    /// Whatever either of two keeps.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let transfers = self.of(Stage::Transfer).and(other.of(Stage::Transfer));
        let jobs = self.jobs.and(other.jobs);
        Self { jobs, transfers: (transfers != jobs).then_some(transfers) }
    }

    /// What a sweep file asks for that was found right before.
    #[must_use]
    pub fn asked_for_in(text: &str) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct File {
            executor: Executor,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Executor {
            keep: Keep,
            keep_transfers: Option<Keep>,
        }
        let file: File = toml::from_str(text).unwrap_or_default();
        Self { jobs: file.executor.keep, transfers: file.executor.keep_transfers }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, keep)| keep == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, keep)| *keep).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_two_wishes_keep_what_either_keeps() {
        for (name, keep) in Keep::ALL {
            assert_eq!(name.parse(), Ok(keep));
            assert_eq!((keep.to_string().as_str(), keep.and(keep)), (name, keep));
            assert_eq!(keep.and(Keep::None), keep);
            assert_eq!(keep.and(Keep::BestAndFinal), Keep::BestAndFinal);
        }
        assert_eq!(Keep::Best.and(Keep::Final), Keep::BestAndFinal);
        assert!("everything".parse::<Keep>().is_err());
    }

    #[test]
    fn a_registered_sweep_file_tells_what_it_asked_for() {
        let file =
            "name = \"a\"\n[executor]\nkind = \"local\"\nkeep = \"final\"\n[noop]\ncount = 1\n";
        let all = |jobs| Kept { jobs, transfers: None };
        assert_eq!(Kept::asked_for_in(file), all(Keep::Final));
        assert_eq!(Kept::asked_for_in("name = \"a\""), all(Keep::BestAndFinal));
        assert_eq!(Kept::asked_for_in(""), all(Keep::BestAndFinal));
        let less = file.replace("keep =", "keep_transfers = \"none\"\nkeep =");
        let kept = Kept::asked_for_in(&less);
        assert_eq!((kept.of(Stage::Pretrain), kept.of(Stage::Transfer)), (Keep::Final, Keep::None));
        let both = kept.and(all(Keep::Best));
        assert_eq!(both.of(Stage::Pretrain), Keep::BestAndFinal);
        assert_eq!(both.of(Stage::Transfer), Keep::Best);
    }
}
