//! Arrays of 32-bit floats in row-major order, as npz files and conversions between layouts need them.

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    /// As many as `shape` says.
    pub(crate) values: Vec<f32>,
}

impl Array {
    pub(crate) fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape, values }
    }

    /// The same values under another shape of as many.
    pub(crate) fn reshaped(self, shape: &[usize]) -> Self {
        Self::new(shape.to_vec(), self.values)
    }

    /// A copy with dimension i of the result being dimension `axes[i]` of this (NumPy's `transpose`).
    pub(crate) fn permuted(&self, axes: &[usize]) -> Self {
        debug_assert_eq!(axes.len(), self.shape.len());
        let mut strides = vec![1; self.shape.len()];
        for i in (1..strides.len()).rev() {
            strides[i - 1] = strides[i] * self.shape[i];
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let steps: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
        let mut values = Vec::with_capacity(self.values.len());
        gather(&self.values, &shape, &steps, 0, &mut values);
        Self { shape, values }
    }

    /// Arrays one below the other along their first dimension.
    pub(crate) fn stacked(parts: &[Self]) -> Self {
        let mut shape = parts[0].shape.clone();
        shape[0] = parts.iter().map(|part| part.shape[0]).sum();
        Self::new(shape, parts.iter().flat_map(|part| &part.values).copied().collect())
    }

    /// Part `index` of `count` equal ones along the first dimension.
    pub(crate) fn part(&self, index: usize, count: usize) -> Self {
        let mut shape = self.shape.clone();
        shape[0] /= count;
        let size = self.values.len() / count;
        Self::new(shape, self.values[index * size..(index + 1) * size].to_vec())
    }
}

/// Appends the values of a strided view in row-major order.
fn gather(from: &[f32], shape: &[usize], steps: &[usize], at: usize, into: &mut Vec<f32>) {
    match (shape, steps) {
        ([], _) | (_, []) => into.push(from[at]),
        ([size], [step]) => into.extend((0..*size).map(|i| from[at + i * step])),
        ([size, shape @ ..], [step, steps @ ..]) => {
            for i in 0..*size {
                gather(from, shape, steps, at + i * step, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_change_places_as_in_numpy() {
        // np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)
        let array = Array::new(vec![2, 3, 4], (0u8..24).map(f32::from).collect());
        let permuted = array.permuted(&[2, 0, 1]);
        assert_eq!(permuted.shape, [4, 2, 3]);
        assert_eq!(permuted.values[..8], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 1.0, 5.0]);
        assert_eq!(permuted.permuted(&[1, 2, 0]), array);
    }

    #[test]
    fn parts_stack_to_the_whole() {
        let array = Array::new(vec![6, 2], (0u8..12).map(f32::from).collect());
        let parts: Vec<_> = (0..3).map(|i| array.part(i, 3)).collect();
        assert_eq!(parts[1].values, [4.0, 5.0, 6.0, 7.0]);
        assert_eq!(Array::stacked(&parts), array);
    }
}
