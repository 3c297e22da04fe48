//! What a cluster allows, from `scontrol show config`.

use std::time::Duration;

/// Slurm's own default of `MaxArraySize`.
const ARRAY_SIZE: u32 = 1001;

/// What a cluster allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Tasks of an array at the most: indices are below `MaxArraySize`.
    pub array_size: u32,
    /// How long the queue remembers what has ended (`MinJobAge`).
    pub memory: Duration,
    /// Whether there is an accounting to ask.
    pub accounting: bool,
    /// The cluster's name.
    pub cluster: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self::read("")
    }
}

impl Limits {
    /// Reads the answer of `scontrol show config`; what it does not say is as Slurm has it by default.
    #[must_use]
    pub(crate) fn read(text: &str) -> Self {
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let mut found = lines.filter(|(name, _)| name.trim() == key);
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        let number = |key: &str| {
            let text = value(key)?;
            text.split_whitespace().next()?.parse::<u32>().ok()
        };
        let storage = value("AccountingStorageType").unwrap_or_default();
        Self {
            array_size: number("MaxArraySize").unwrap_or(ARRAY_SIZE).max(1),
            memory: Duration::from_secs(number("MinJobAge").unwrap_or(300).into()),
            accounting: storage.contains("slurmdbd"),
            cluster: value("ClusterName"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_the_configuration() {
        let text = "Configuration data as of 2026-11-26T19:12:28\nAccountingStorageType   = accounting_storage/none\n\
                    ClusterName             = test\nMaxArraySize            = 4001\nMinJobAge               = 120 sec\n";
        let expected = Limits {
            array_size: 4001,
            memory: Duration::from_mins(2),
            accounting: false,
            cluster: Some("test".to_owned()),
        };
        assert_eq!(Limits::read(text), expected);
        assert_eq!(Limits::read("").array_size, 1001);
    }
}
