//! `augreg schema`

use augreg_spec::schema::json_schema;
use clap::Args;

use crate::failure::{Ending, Failure};
use crate::output;

const EXAMPLES: &str = "\
Write it once, and let the first line of a sweep file name it: editors with taplo (Even Better
TOML in VS Code) complete keys and show mistakes while you type.
  augreg schema > sweep.schema.json
  #:schema ./sweep.schema.json";

/// Print the JSON Schema of sweep files, for editors that complete and check TOML
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchemaArgs {}

pub(crate) fn run(_args: &SchemaArgs) -> Result<Ending, Failure> {
    let text = serde_json::to_string_pretty(&json_schema()).map_err(Failure::internal)?;
    output::print(&text)?;
    Ok(Ending::Good)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn project(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
    }

    fn mistakes(text: &str) -> Vec<String> {
        let value: serde_json::Value = toml::from_str(text).expect("is TOML");
        let schema = jsonschema::validator_for(&json_schema()).expect("is a schema");
        schema.iter_errors(&value).map(|error| error.to_string()).collect()
    }

    #[test]
    fn every_sweep_file_that_ships_is_as_the_schema_says() {
        let mut seen = 0;
        let mut folders = vec![project("sweeps")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("is there").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ext| ext == "toml") {
                    let text = fs::read_to_string(&path).expect("is readable");
                    assert_eq!(mistakes(&text), Vec::<String>::new(), "{}", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 5, "{seen} files");
    }

    #[test]
    fn what_the_reader_refuses_the_schema_refuses() {
        let valid = "name = \"a\"\n[noop]\ncount = 3\n";
        assert!(mistakes(valid).is_empty());
        for (text, said) in [
            ("[noop]\ncount = 3\n", "name"),
            ("name = \"a\"\n[noop]\ncuont = 3\n", "cuont"),
            ("name = \"a\"\n[noop]\ncount = 0\n", "0 is"),
            ("name = \"a\"\n[executor]\nkind = \"slrum\"\n", "slrum"),
            ("name = \"a\"\n[pretrain]\ndataset = \"x\"\nmodel = \"Ti/16\"\n", "epochs"),
            ("name = \"a\"\n[budget]\ndisk = true\n", "true"),
        ] {
            let found = mistakes(text).join("; ");
            // Of alternatives the one that was meant is not known: it says that none fits.
            assert!(found.contains(said) || found.contains("anyOf"), "{text}: {found}");
        }
    }

    /// `UPDATE_DOCS=1 cargo nextest run -p augreg-cli` writes the page anew.
    #[test]
    fn the_reference_page_is_what_the_types_say() {
        const MARK: &str = "<!-- From here on the page is written by a test. -->\n\n";
        let path = project("docs/sweep-file-reference.md");
        let page = fs::read_to_string(&path).expect("the page is there");
        let (intro, rest) = page.split_once(MARK).expect("it says where the tables begin");
        let tables = augreg_spec::schema::reference();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, format!("{intro}{MARK}{}\n", tables.trim_end())).expect("writes");
        } else {
            assert_eq!(rest.trim_end(), tables.trim_end());
        }
    }
}
