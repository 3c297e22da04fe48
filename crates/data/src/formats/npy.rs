//! The header of one array in NumPy's npy format: what its numbers are and how they lie.

use std::io::Read;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What precedes the numbers of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's name of the kind of number, such as `|u1` or `<i8`.
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    /// Where the numbers begin.
    pub(crate) len: u64,
}

impl Header {
    /// Reads it, and leaves `from` at the first number. What is wrong with it otherwise.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, String> {
        let cut = |_| "it ends within its header".to_owned();
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(cut)?;
        if !start.starts_with(MAGIC) {
            return Err("it does not begin as an npy file does".to_owned());
        }
        let mut len = [0; 4];
        let wide = start[6] > 1;
        from.read_exact(if wide { &mut len } else { &mut len[..2] }).map_err(cut)?;
        let len = u64::from(u32::from_le_bytes(len));
        let mut text = String::new();
        from.take(len.min(1 << 20)).read_to_string(&mut text).map_err(cut)?;
        if text.len() as u64 != len {
            return Err("it ends within its header".to_owned());
        }
        let (kind, shape) = Self::parse(&text).ok_or_else(|| {
            format!(
                "its header `{}` cannot be read",
                text.trim().chars().take(80).collect::<String>()
            )
        })?;
        if text.contains("'fortran_order': True") {
            return Err("it is in Fortran's order: save `numpy.ascontiguousarray` of it".to_owned());
        }
        Ok(Self { kind, shape, len: 8 + if wide { 4 } else { 2 } + len })
    }

    /// Kind and shape out of `{'descr': '|u1', 'fortran_order': False, 'shape': (60, 28, 28), }`.
    fn parse(text: &str) -> Option<(String, Vec<usize>)> {
        let (_, kind) = text.split_once("'descr':")?;
        let kind = kind.trim_start().strip_prefix('\'')?.split_once('\'')?.0;
        let (_, shape) = text.split_once("'shape':")?;
        let shape = shape.trim_start().strip_prefix('(')?.split_once(')')?.0;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
        Some((kind.to_owned(), shape))
    }

    /// How many numbers, unless they are more than there can be.
    pub(crate) fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))
    }
}

/// The whole numbers of an array; none if it is of another kind.
pub(crate) fn integers(kind: &str, bytes: &[u8]) -> Option<Vec<i64>> {
    fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> i64) -> Vec<i64> {
        bytes.as_chunks().0.iter().map(|bytes| of(*bytes)).collect()
    }
    Some(match kind {
        "|u1" | "|b1" => each(bytes, |b: [u8; 1]| b[0].into()),
        "|i1" => each(bytes, |b| i8::from_le_bytes(b).into()),
        "<u2" => each(bytes, |b| u16::from_le_bytes(b).into()),
        "<i2" => each(bytes, |b| i16::from_le_bytes(b).into()),
        "<u4" => each(bytes, |b| u32::from_le_bytes(b).into()),
        "<i4" => each(bytes, |b| i32::from_le_bytes(b).into()),
        "<u8" => each(bytes, |b| i64::try_from(u64::from_le_bytes(b)).unwrap_or(-1)),
        "<i8" => each(bytes, i64::from_le_bytes),
        _ => return None,
    })
}

/// The numbers of an array, whole or not; none if it is of another kind.
pub(crate) fn numbers(kind: &str, bytes: &[u8]) -> Option<Vec<f64>> {
    let singles = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into());
    let doubles = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    match kind {
        "<f4" => Some(singles.collect()),
        "<f8" => Some(doubles.collect()),
        _ => integers(kind, bytes).map(|all| all.into_iter().map(|number| number as f64).collect()),
    }
}

/// How many bytes a number of this kind has.
pub(crate) fn size(kind: &str) -> usize {
    kind.get(2..).and_then(|size| size.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 28, 28), }";
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{text:<117}\n").into_bytes());
        let header = Header::read(&mut &bytes[..]).unwrap();
        assert_eq!(header.shape, [60_000, 28, 28]);
        assert_eq!((header.kind.as_str(), header.len), ("|u1", 128));
        for cut in [0, 7, 9, 40] {
            assert!(Header::read(&mut &bytes[..cut]).is_err());
        }
        let (kind, shape) = Header::parse("{'descr': '<i8', 'shape': (5,), }").unwrap();
        assert_eq!((kind.as_str(), shape), ("<i8", vec![5]));
    }
}
