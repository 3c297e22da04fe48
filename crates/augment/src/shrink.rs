//! Pictures made smaller once, before they are stored: less to read and to decode ever after.

use augreg_decode::{DecodeError, Window, header};

use crate::pipeline::Scratch;
use crate::{Picture, ShorterSide};

/// A picture that was made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The bytes, `[height, width, channels]`.
    pub pixels: Vec<u8>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Resizes `picture` by area so that its shorter side has so many pixels, in 1 or 3 `channels`; None
/// if that would enlarge it or leave it as it is.
///
/// # Errors
///
/// If the picture is a file and cannot be decoded.
///
/// # Source
///
/// `resize_small` (method area) in big_vision `pp/ops_image.py`.
pub fn shrink(
    picture: Picture<'_>,
    side: ShorterSide,
    channels: usize,
    scratch: &mut Scratch,
) -> Result<Option<Shrunk>, DecodeError> {
    let (width, height) = match picture {
        Picture::Pixels(image) => (image.width(), image.height()),
        Picture::Encoded(bytes) => {
            let header = header(bytes)?;
            (header.width as usize, header.height as usize)
        }
    };
    if side.pixels() >= width.min(height) {
        return Ok(None);
    }
    let Scratch { resizer, decoder, .. } = scratch;
    let all = |width, height| Window { left: 0, top: 0, width, height };
    let (source, _) = picture.look(channels, decoder, all)?;
    let (width, height) = side.full(width, height);
    let mut planes = vec![0; width * height * source.channels()];
    resizer.area(source, (width, height), all(width, height), &mut planes);
    let pixels = interleaved(&planes, width * height);
    Ok(Some(Shrunk { pixels, width, height }))
}

/// Planar pixels as `[pixels, channels]`.
fn interleaved(planes: &[u8], plane: usize) -> Vec<u8> {
    let channels = planes.len() / plane;
    (0..plane).flat_map(|i| (0..channels).map(move |c| planes[c * plane + i])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageView;
    use crate::golden::pattern;

    #[test]
    fn a_picture_keeps_its_proportion_and_its_colours_apart() {
        let pixels = [[10, 20, 30]; 40 * 30].concat();
        let picture = ImageView::new(&pixels, 40, 30, 3).into();
        let side = ShorterSide::new(15);
        let small = shrink(picture, side, 3, &mut Scratch::default()).unwrap().unwrap();
        assert_eq!((small.width, small.height), (20, 15));
        assert_eq!(small.pixels, [[10, 20, 30]; 20 * 15].concat());
    }

    #[test]
    fn halving_takes_the_mean_of_four_and_nothing_is_enlarged() {
        let pixels = pattern(8, 8, 1, 0);
        let image = ImageView::new(&pixels, 8, 8, 1);
        let mut scratch = Scratch::default();
        let small = shrink(image.into(), ShorterSide::new(4), 1, &mut scratch).unwrap().unwrap();
        let sum: u32 = [0, 1, 8, 9].map(|i: usize| u32::from(pixels[i])).iter().sum();
        assert_eq!(u32::from(small.pixels[0]), sum / 4);
        for side in [8, 9] {
            let same = shrink(image.into(), ShorterSide::new(side), 1, &mut scratch).unwrap();
            assert_eq!(same, None);
        }
    }
}
