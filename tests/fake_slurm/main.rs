//! A Slurm of a thousand nodes that are not there: `sbatch`, `squeue`, `scontrol`, `sacct` and `scancel` by the
//! name it is called by, for the test of scale.
//!
//! Its clock runs faster than the real one. Whatever is asked, it first lets its world come to the present:
//! tasks begin on free nodes, take up the jobs of their shares, leave the journals that real ones would, and are
//! cut off when their nodes fail. The world is a file, `$FAKE_SLURM/world.json`, under a lock; settings are
//! beside it. Every call is counted.

mod world;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;

use world::World;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments: Vec<String> = arguments.collect();
    match run(&name, &arguments) {
        Ok(answer) => {
            say(&answer);
            ExitCode::SUCCESS
        }
        Err(words) => {
            complain(&format!("{name}: error: {words}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is a program that answers")]
fn say(answer: &str) {
    print!("{answer}");
}

#[expect(clippy::print_stderr, reason = "it is a program that complains")]
fn complain(words: &str) {
    eprintln!("{words}");
}

fn run(name: &str, arguments: &[String]) -> Result<String, String> {
    let folder =
        std::env::var_os("FAKE_SLURM").map(PathBuf::from).ok_or("FAKE_SLURM is not set")?;
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let mut world = World::load(&folder)?;
    world.advance()?;
    *world.calls.entry(name.to_owned()).or_default() += 1;
    let answer = answer(&mut world, name, arguments);
    world.store(&folder)?;
    answer
}

fn answer(world: &mut World, name: &str, arguments: &[String]) -> Result<String, String> {
    let value = |key: &str| arguments.iter().find_map(|text| text.strip_prefix(key));
    Ok(match name {
        _ if arguments == ["--version"] => "slurm-wlm 22.05.8\n".to_owned(),
        "sbatch" if arguments.iter().any(|one| one == "--test-only") => String::new(),
        "sbatch" => {
            let script = arguments.last().ok_or("no script")?;
            let array = value("--array=0-").ok_or("no array")?;
            let last: u32 =
                array.split('%').next().and_then(|n| n.parse().ok()).ok_or("no array")?;
            let text = fs::read_to_string(script).map_err(|error| error.to_string())?;
            let job = text.lines().find_map(|line| line.strip_prefix("#SBATCH --job-name="));
            let shares = PathBuf::from(script).parent().map(PathBuf::from).ok_or("no folder")?;
            world.submit(job.unwrap_or("?"), &shares, last + 1)?
        }
        "squeue" => world.queue(),
        "scontrol" => world.config(),
        "sacct" => world.history(value("--jobs=").unwrap_or_default()),
        "scancel" => {
            world.cancel(arguments);
            String::new()
        }
        other => return Err(format!("there is no {other}")),
    })
}
