//! `augreg completions` and `augreg man`: what a shell and `man` are to know, made from the arguments themselves.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Arguments;
use crate::failure::{Ending, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  augreg completions bash > ~/.local/share/bash-completion/completions/augreg
  augreg completions zsh > ~/.zfunc/_augreg         (with `fpath+=~/.zfunc` before `compinit`)
  augreg completions fish > ~/.config/fish/completions/augreg.fish";

/// Print what a shell needs to complete commands and flags
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Ending, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "augreg", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(Ending::Good)
}

/// Write the man pages, one a command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  augreg man ~/.local/share/man/man1 && man augreg-launch")]
pub(crate) struct ManArgs {
    /// The folder they are written to; it is made if it is not there
    folder: PathBuf,
}

pub(crate) fn man(args: &ManArgs) -> Result<Ending, Failure> {
    let written = fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), &args.folder));
    written.map_err(|error| {
        let message = format!("failed to write man pages to `{}`: {error}", args.folder.display());
        Failure::request(message, "name a folder that you may write to")
    })?;
    output::say(&format!("wrote the man pages to `{}`", args.folder.display()));
    Ok(Ending::Good)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_arguments_are_sound_and_every_one_of_them_says_what_it_is() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        let mut left = vec![command];
        while let Some(command) = left.pop() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "`{name}` says nothing of itself");
            for line in
                command.get_after_help().map(ToString::to_string).unwrap_or_default().lines()
            {
                is_an_example(&name, line);
            }
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "`{name}`: {}", argument.get_id());
            }
            left.extend(command.get_subcommands().cloned());
        }
    }

    /// What begins with `augreg` can be copied as it stands: it is not wrapped, and its arguments are known.
    fn is_an_example(name: &str, line: &str) {
        let Some(example) = line.strip_prefix("  ").filter(|line| line.starts_with("augreg "))
        else {
            return;
        };
        assert!(line.chars().count() <= 98, "`{name}` has an example that is wrapped: {example}");
        let words = shlex::split(example).expect("its quotes are closed");
        let is_more = |word: &&String| !["&&", ">", "#"].contains(&word.as_str());
        let parsed = Arguments::try_parse_from(words.iter().take_while(is_more));
        assert!(parsed.is_ok(), "`{name}`: {example}: {}", parsed.expect_err("is wrong"));
    }
}
