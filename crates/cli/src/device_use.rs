//! How busy this machine's devices are at a moment.

use std::fs;

use augreg_executor::{GpuUse, Gpus};

use crate::words::{count, quantity};

/// More GPUs than this are summed up.
const MOST_GPUS: usize = 8;

/// Asked again and again how busy they are.
pub(crate) struct DeviceUse {
    gpus: Option<Gpus>,
    /// What the cores had counted when they were asked last.
    counted: Option<Counted>,
}

/// Time that all cores together have counted since the machine was started, in ticks of the system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    busy: u64,
    all: u64,
}

impl DeviceUse {
    /// The first answer is about what happens from here on.
    pub(crate) fn new() -> Self {
        Self { gpus: Gpus::open().ok(), counted: counted() }
    }

    /// How busy they are, such as `cores 97 %, GPUs 93 88 %`; empty where the system does not say.
    pub(crate) fn text(&mut self) -> String {
        let before = std::mem::replace(&mut self.counted, counted());
        let cores = before.zip(self.counted).and_then(|(from, to)| from.busy_until(to));
        words(cores, &self.gpus.as_ref().map(Gpus::uses).unwrap_or_default())
    }
}

impl Counted {
    /// The share of the time in between that was busy; none if there was none.
    fn busy_until(self, later: Self) -> Option<f64> {
        let all = later.all.checked_sub(self.all).filter(|all| *all > 0)?;
        Some(later.busy.saturating_sub(self.busy) as f64 / all as f64)
    }
}

fn counted() -> Option<Counted> {
    read(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and the time
/// of guests, which is in the first two (proc(5)).
fn read(stat: &str) -> Option<Counted> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let all = numbers.iter().sum();
    Some(Counted { busy: all - numbers.get(3)? - numbers.get(4)?, all })
}

fn words(cores: Option<f64>, gpus: &[Option<GpuUse>]) -> String {
    let mut parts: Vec<String> =
        cores.iter().map(|share| format!("cores {:.0} %", 100.0 * share)).collect();
    let known: Vec<GpuUse> = gpus.iter().flatten().copied().collect();
    let busy = || known.iter().map(|gpu| gpu.busy);
    if let (Some(least), Some(most)) = (busy().min(), busy().max()) {
        parts.push(if gpus.len() > MOST_GPUS {
            let mean = busy().sum::<u32>() as usize / known.len();
            let gpus = count(gpus.len() as u64);
            format!("{gpus} GPUs {mean} % ({least} to {most} %)")
        } else {
            let each =
                gpus.iter().map(|gpu| gpu.map_or("?".to_owned(), |gpu| gpu.busy.to_string()));
            let plural = if gpus.len() == 1 { "" } else { "s" };
            format!("GPU{plural} {} %", each.collect::<Vec<_>>().join(" "))
        });
        let taken: u64 = known.iter().map(|gpu| gpu.taken).sum();
        let memory: u64 = known.iter().map(|gpu| gpu.memory).sum();
        let [taken, memory] = [taken, memory].map(|bytes| quantity(bytes as f64, "B"));
        parts.push(format!("{taken} of {memory} taken"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_busy_as_far_as_they_do_not_wait() {
        let from = read("cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 …").expect("is read");
        assert_eq!(from, Counted { busy: 150, all: 1000 });
        let to = read("cpu  190 0 50 805 55 0 0 0 99 0").expect("is read");
        assert_eq!(from.busy_until(to), Some(0.9));
        assert_eq!(from.busy_until(from), None);
        assert_eq!(read("intr 1"), None);
    }

    #[test]
    fn a_few_gpus_are_told_one_by_one_and_many_together() {
        let gpu = |busy| Some(GpuUse { busy, taken: 40_000_000_000, memory: 80_000_000_000 });
        assert_eq!(words(Some(0.966), &[]), "cores 97 %");
        assert_eq!(
            words(Some(0.5), &[gpu(93), None, gpu(7)]),
            "cores 50 %, GPUs 93 ? 7 %, 80.0 GB of 160 GB taken"
        );
        let many: Vec<_> = (0..10).map(|i| gpu(10 * i)).collect();
        assert_eq!(words(None, &many), "10 GPUs 45 % (0 to 90 %), 400 GB of 800 GB taken");
    }
}
