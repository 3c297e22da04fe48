//! A control group with so little memory that the kernel kills whoever is in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file systems on which control groups lie, of version 2 and of version 1, each with the file
/// that holds a group's limit.
const PLACES: [(&str, &str); 3] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/unified", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// A group of its own, removed with it; whoever is in it must be gone by then.
pub struct MemoryGroup {
    folder: PathBuf,
    limit: &'static str,
}

impl MemoryGroup {
    /// A group without a limit yet; none where this user may not make one.
    #[must_use]
    pub fn new() -> Option<Self> {
        let name = format!("augreg-test-{}", std::process::id());
        PLACES.into_iter().find_map(|(place, limit)| {
            let folder = Path::new(place).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, limit };
            fs::metadata(group.folder.join(limit)).ok()?;
            Some(group)
        })
    }

    /// Puts a process into the group, in which it gets no page of memory more than `bytes`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn confine(&self, pid: i32, bytes: u64) -> std::io::Result<()> {
        fs::write(self.folder.join(self.limit), bytes.to_string())?;
        // Without this, pages would go to the disk where there is swap.
        let _ = fs::write(self.folder.join("memory.swap.max"), "0");
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.folder) {
            let path = self.folder.display();
            let _ = writeln!(std::io::stderr(), "failed to remove `{path}`: {error}");
        }
    }
}
