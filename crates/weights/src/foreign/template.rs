//! Names with numbers in them, turned from one convention into another.

/// The numbers of `name` where `template` has `{}` (counted from 0) or `{+}` (counted from 1), as counted
/// from 0; none if the rest differs.
pub(super) fn numbers(template: &str, name: &str) -> Option<Vec<usize>> {
    let (mut template, mut name, mut numbers) = (template, name, Vec::new());
    while let Some((before, after)) = template.split_once('{') {
        let (mark, after) = after.split_once('}')?;
        name = name.strip_prefix(before)?;
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = name.split_at(digits);
        if number.len() > 1 && number.starts_with('0') {
            return None;
        }
        numbers.push(number.parse::<usize>().ok()?.checked_sub(first(mark))?);
        (template, name) = (after, rest);
    }
    (template == name).then_some(numbers)
}

/// `template` with numbers counted from 0 filled in.
pub(super) fn filled(template: &str, numbers: &[usize]) -> String {
    let mut numbers = numbers.iter();
    let mut pieces = template.split('{');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (mark, rest) = piece.split_once('}').unwrap_or_default();
        let number = numbers.next().copied().unwrap_or_default() + first(mark);
        name += &format!("{number}{rest}");
    }
    name
}

/// What the first of things is numbered.
fn first(mark: &str) -> usize {
    usize::from(mark == "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_and_filled_in_from_0_or_1() {
        let (flax, timm) = ("block{+}/unit{+}/conv1", "stages.{}.blocks.{}.conv1");
        assert_eq!(numbers(flax, "block3/unit12/conv1"), Some(vec![2, 11]));
        assert_eq!(filled(timm, &[2, 11]), "stages.2.blocks.11.conv1");
        assert_eq!(numbers(timm, "stages.2.blocks.11.conv1"), Some(vec![2, 11]));
        for other in [
            "block0/unit1/conv1",
            "block3/unit12/conv2",
            "block/unit1/conv1",
            "block03/unit1/conv1",
        ] {
            assert_eq!(numbers(flax, other), None, "{other}");
        }
        assert_eq!(numbers("cls", "cls"), Some(Vec::new()));
    }
}
