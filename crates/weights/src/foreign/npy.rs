//! One array in NumPy's npy format.
//!
//! The format is a Python dictionary before raw values; the crates that read all of it bring a grammar
//! of Python and compilers of their own, where weights need one kind of number in one or two orders.

use std::io::{self, Read, Write};

use super::array::Array;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What NumPy calls little-endian 32-bit floats.
const FLOAT32: &str = "<f4";

/// Headers end on a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Why an npy file is no array of 32-bit floats.
#[derive(Debug)]
pub(super) enum NpyError {
    /// It is an array of something else, by NumPy's name.
    OtherType(String),
    /// It is no array, or half of one.
    Damaged(String),
}

impl From<io::Error> for NpyError {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn damaged(reason: impl Into<String>) -> NpyError {
    NpyError::Damaged(reason.into())
}

/// Reads an array to the end of `from`.
pub(super) fn read(from: &mut impl Read) -> Result<Array, NpyError> {
    let mut start = [0; 8];
    from.read_exact(&mut start)?;
    if &start[..6] != MAGIC {
        return Err(damaged("it does not begin as an npy file does"));
    }
    let mut length = [0; 4];
    match start[6] {
        1 => from.read_exact(&mut length[..2])?,
        2 | 3 => from.read_exact(&mut length)?,
        version => return Err(damaged(format!("version {version} of npy is not known"))),
    }
    let length = u64::from(u32::from_le_bytes(length));
    let mut header = Vec::new();
    from.take(length).read_to_end(&mut header)?;
    let header = String::from_utf8(header).map_err(|error| damaged(error.to_string()))?;
    let Header { shape, fortran } = Header::parse(&header)?;

    let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let size = elements.and_then(|elements| elements.checked_mul(size_of::<f32>()));
    let size = size.ok_or_else(|| damaged(format!("no array is of shape {shape:?}")))?;
    let mut bytes = Vec::new();
    from.take(size as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != size {
        return Err(damaged(format!("its values are not as many as its shape {shape:?} says")));
    }
    let values = bytemuck::pod_collect_to_vec(&bytes);
    if !fortran {
        return Ok(Array::new(shape, values));
    }
    let turned = Array::new(shape.iter().rev().copied().collect(), values);
    Ok(turned.permuted(&(0..shape.len()).rev().collect::<Vec<_>>()))
}

/// Writes an array.
pub(super) fn write(array: &Array, into: &mut impl Write) -> io::Result<()> {
    let sizes: Vec<_> = array.shape.iter().map(ToString::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" }; // As Python writes a tuple of one.
    let shape = format!("({}{comma})", sizes.join(", "));
    let mut header =
        format!("{{'descr': '{FLOAT32}', 'fortran_order': False, 'shape': {shape}, }}");
    let start = MAGIC.len() + 2 + 2;
    let padded = (start + header.len() + 1).next_multiple_of(ALIGNMENT);
    header += &" ".repeat(padded - start - header.len() - 1);
    header.push('\n');
    into.write_all(MAGIC)?;
    into.write_all(&[1, 0])?;
    into.write_all(&(header.len() as u16).to_le_bytes())?;
    into.write_all(header.as_bytes())?;
    into.write_all(bytemuck::cast_slice(&array.values))
}

/// What is said about an array of 32-bit floats before its values.
#[derive(Debug, PartialEq)]
struct Header {
    shape: Vec<usize>,
    /// Whether the first dimension varies fastest.
    fortran: bool,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, in any order.
    fn parse(text: &str) -> Result<Self, NpyError> {
        let field = |key: &str| {
            let at = text.find(&format!("'{key}':")).map(|at| at + key.len() + 3);
            let rest = at.map(|at| text[at..].trim_start());
            rest.ok_or_else(|| damaged(format!("its header says nothing about `{key}`")))
        };
        let descr = field("descr")?;
        let kind = match descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
            Some((kind, _)) => kind,
            None => "a record",
        };
        if kind != FLOAT32 {
            return Err(NpyError::OtherType(kind.to_owned()));
        }
        let fortran = field("fortran_order")?.starts_with("True");
        let shape = field("shape")?;
        let sizes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let sizes = sizes.map_or("?", |(sizes, _)| sizes).split(',').map(str::trim);
        let shape: Result<Vec<usize>, _> = sizes
            .filter(|size| !size.is_empty())
            .map(|size| size.trim_end_matches('L').parse()) // Python 2 wrote long integers.
            .collect();
        let shape = shape.map_err(|_| damaged("its header has no shape"))?;
        Ok(Self { shape, fortran })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, values: &[f32]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        let values = bytemuck::cast_slice(values);
        [MAGIC, &[1, 0], &length, header.as_bytes(), values].concat()
    }

    /// The header is that of `np.save(file, np.float32([[1, 2]]))`, less padding.
    #[test]
    fn a_file_has_the_header_of_numpy_and_reads_back() {
        let array = Array::new(vec![1, 2], vec![1.0, 2.0]);
        let mut bytes = Vec::new();
        write(&array, &mut bytes).expect("memory takes it");
        let header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
        assert!(bytes[10..].starts_with(header));
        assert_eq!(bytes.len(), 128 + 8, "values begin at a multiple of 64");
        assert_eq!(read(&mut bytes.as_slice()).expect("reads"), array);
        let mut bytes = Vec::new();
        write(&Array::new(vec![3], vec![0.0; 3]), &mut bytes).expect("memory takes it");
        assert!(String::from_utf8_lossy(&bytes).contains("'shape': (3,), }"));
    }

    #[test]
    fn columns_first_and_scalars_are_read_too() {
        let fortran = "{'shape': (2L, 3L), 'fortran_order': True, 'descr': '<f4'}";
        let array = read(&mut &file(fortran, &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0])[..]).expect("reads");
        assert_eq!(array, Array::new(vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        let scalar = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }";
        assert_eq!(read(&mut &file(scalar, &[3.0])[..]).expect("reads").values, [3.0]);
    }

    #[test]
    fn what_is_no_array_of_floats_is_refused() {
        let half = "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }";
        let error = read(&mut &file(half, &[0.0])[..]).expect_err("half floats");
        assert!(matches!(error, NpyError::OtherType(kind) if kind == "<f2"));
        let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }";
        let record = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
        for bytes in [
            file(huge, &[]),
            file(record, &[0.0]),
            file(good, &[0.0]),
            file(good, &[0.0; 3]),
            file("{'descr': '<f4'}", &[]),
            file(&good.replace("(2,)", "(a,)"), &[0.0]),
            b"PK".to_vec(),
            Vec::new(),
        ] {
            assert!(read(&mut bytes.as_slice()).is_err());
        }
    }
}
