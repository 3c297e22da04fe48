//! What a page of the documentation holds: fenced blocks, and the commands in them. Reads text only; runs nothing.

/// The tags of fenced blocks. `sh` and `python` are run, `text` is output, `toml` is a file or a part of one.
pub const TAGS: [&str; 4] = ["sh", "python", "toml", "text"];

/// What a line begins with if it is a command.
const COMMANDS: [&str; 3] = ["augreg ", "scripts/", "cargo "];

/// What output may begin with: the command that it is of, which has no place in an indented block either.
const PROMPT: &str = "$ ";

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence in the page, from 1.
    pub line: usize,
    /// What stands behind the fence.
    pub tag: String,
    /// The file that the reader is to write it to: `<!-- file: NAME -->` in the line before.
    pub file: Option<String>,
    /// What stands between the fences.
    pub text: String,
}

/// What a reader types at a prompt: one line, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Its first line in the page, from 1.
    pub line: usize,
    /// As it stands there.
    pub text: String,
    /// The exit code it ends with: `# exit code N` at its end, else 0.
    pub code: i32,
}

/// The fenced blocks of a page, from the first to the last.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut before = "";
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, Some(tag)) => {
                let file =
                    before.strip_prefix("<!-- file: ").and_then(|it| it.strip_suffix(" -->"));
                open = Some(Block {
                    line: at + 1,
                    tag: tag.trim().to_owned(),
                    file: file.map(str::to_owned),
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
        before = line;
    }
    found.extend(open);
    found
}

/// Where a page has commands, or blocks, that nobody would run: each with its line.
#[must_use]
pub fn mistakes(page: &str) -> Vec<String> {
    let blocks = blocks(page);
    let inside = |line: usize| {
        let of = |block: &Block| block.line..=block.line + block.text.lines().count() + 1;
        blocks.iter().any(|block| of(block).contains(&line))
    };
    let unknown = blocks
        .iter()
        .filter(|block| !TAGS.contains(&&*block.tag))
        .map(|block| format!("line {}: a block without a tag of {TAGS:?}", block.line));
    let indented = page.lines().enumerate().filter_map(|(at, line)| {
        let text = line.strip_prefix("    ")?.trim_start();
        let is_command = is_command(text.strip_prefix(PROMPT).unwrap_or(text));
        (is_command && !inside(at + 1))
            .then(|| format!("line {}: a command that is not in a block of `sh`: {text}", at + 1))
    });
    let output = blocks.iter().filter(|block| block.tag == "text").flat_map(|block| {
        let lines = block.text.lines().enumerate().filter(|(_, line)| is_command(line));
        lines.map(|(at, line)| {
            format!("line {}: a command in a block of output: {line}", block.line + 1 + at)
        })
    });
    unknown.chain(indented).chain(output).collect()
}

/// Whether a line is one that people type, behind variables perhaps.
fn is_command(line: &str) -> bool {
    let is_variable = |word: &str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    let mut rest = line;
    while let Some((word, more)) = rest.split_once(' ') {
        if !is_variable(word) {
            break;
        }
        rest = more;
    }
    COMMANDS.iter().any(|begins| rest.starts_with(begins))
}

/// The commands of a block. Lines belong together until `whole` takes them for something complete.
#[must_use]
pub fn commands(block: &Block, whole: impl Fn(&str) -> bool) -> Vec<Typed> {
    let mut found = Vec::new();
    let mut open: Option<Typed> = None;
    for (at, line) in block.text.lines().enumerate() {
        let is_silent = line.trim().is_empty() || line.trim_start().starts_with('#');
        if open.is_none() && is_silent {
            continue;
        }
        let mut typed = match open.take() {
            Some(typed) => Typed { text: format!("{}\n{line}", typed.text), ..typed },
            None => Typed { line: block.line + 1 + at, text: line.to_owned(), code: 0 },
        };
        if line.ends_with('\\') || !whole(&typed.text) {
            open = Some(typed);
            continue;
        }
        typed.code = said_code(&typed.text);
        found.push(typed);
    }
    found.extend(open);
    found
}

fn said_code(text: &str) -> i32 {
    let said = text.rsplit_once("# exit code ").map(|(_, said)| said);
    let digits = said.map(|said| said.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# A page

<!-- file: mini.toml -->
```toml
name = \"mini\"
```

```sh
# first
augreg query 'a
  b' \\
  --sort c

augreg data check x   # exit code 1: a picture is bad
```

    IMAGENET=/data augreg launch x
    sweep file ─▶ spec

```
$ output
```

```text
$ augreg status
augreg launch x
```
";

    #[test]
    fn blocks_have_tag_line_and_file() {
        let found = blocks(PAGE);
        let seen = found.iter().map(|block| (block.line, &*block.tag, block.file.as_deref()));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [(4, "toml", Some("mini.toml")), (8, "sh", None), (20, "", None), (24, "text", None)]
        );
        assert_eq!(found[0].text, "name = \"mini\"\n");
    }

    #[test]
    fn lines_are_gathered_until_they_are_whole() {
        let whole = |text: &str| text.matches('\'').count().is_multiple_of(2);
        let found = commands(&blocks(PAGE)[1], whole);
        let typed = |line, text: &str, code| Typed { line, text: text.to_owned(), code };
        assert_eq!(
            found,
            [
                typed(10, "augreg query 'a\n  b' \\\n  --sort c", 0),
                typed(14, "augreg data check x   # exit code 1: a picture is bad", 1),
            ]
        );
    }

    #[test]
    fn what_nobody_would_run_is_a_mistake() {
        let found = mistakes(PAGE);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("line 20: a block without a tag"), "{found:?}");
        assert!(found[1].starts_with("line 17: a command") && found[1].ends_with("launch x"));
        assert!(found[2].starts_with("line 26: a command in a block of output"), "{found:?}");
    }
}
