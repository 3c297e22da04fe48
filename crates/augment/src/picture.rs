//! What a data set holds of an example: pixels, or a file that has yet to be decoded.

use augreg_decode::{DecodeError, Decoder, Window, header};

use crate::ImageView;

/// An example's image, as its data set holds it.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// Pixels.
    Pixels(ImageView<'a>),
    /// The bytes of a JPEG, PNG or WebP file.
    Encoded(&'a [u8]),
}

impl<'a> From<ImageView<'a>> for Picture<'a> {
    fn from(image: ImageView<'a>) -> Self {
        Self::Pixels(image)
    }
}

impl<'a> Picture<'a> {
    /// Its pixels, as far as the window needs them that `choose` makes of width and height, and
    /// where in them the window lies. A file is decoded to `channels`; pixels keep their own.
    pub(crate) fn look(
        self,
        channels: usize,
        decoder: &'a mut Decoder,
        choose: impl FnOnce(usize, usize) -> Window,
    ) -> Result<(ImageView<'a>, Window), DecodeError> {
        match self {
            Self::Pixels(image) => Ok((image, choose(image.width(), image.height()))),
            Self::Encoded(bytes) => {
                let header = header(bytes)?;
                let window = choose(header.width as usize, header.height as usize);
                let part = decoder.decode_window(bytes, &header, channels, window)?;
                let view = ImageView::new(part.pixels, part.width, part.height, part.channels);
                Ok((view, part.window))
            }
        }
    }
}
