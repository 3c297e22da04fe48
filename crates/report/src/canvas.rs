//! What plotters draws on: SVG elements with classes instead of colours.
//!
//! The crate knows colours only. [`Ink`] says what a colour stands for, and the style sheet what
//! that looks like on light and on dark pages and on paper.

use std::convert::Infallible;

use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, RGBColor, ShapeStyle, TextStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use crate::label;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// What something is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The lines behind the data.
    Mesh,
    /// The edges of the coordinate system.
    Axis,
    /// What is written along the axes.
    Label,
    /// A line of the series of this colour.
    Series(u8),
}

impl Ink {
    pub(crate) fn shape(self, width: u32) -> ShapeStyle {
        ShapeStyle { color: self.colour().into(), filled: false, stroke_width: width }
    }

    pub(crate) fn text(self, size: i32) -> TextStyle<'static> {
        let colour = self.colour().to_backend_color();
        TextStyle { color: colour, ..TextStyle::from(("sans-serif", size)) }
    }

    fn colour(self) -> RGBColor {
        match self {
            Self::Mesh => RGBColor(0, 0, 0),
            Self::Axis => RGBColor(1, 0, 0),
            Self::Label => RGBColor(2, 0, 0),
            Self::Series(number) => RGBColor(3, number, 0),
        }
    }

    fn class(colour: BackendColor) -> String {
        match colour.rgb {
            (0, ..) => "mesh".to_owned(),
            (1, ..) => "axis".to_owned(),
            (3, number, _) => format!("line c{number}"),
            _ => "label".to_owned(),
        }
    }
}

/// An SVG fragment that grows.
pub(crate) struct Canvas<'a> {
    pub(crate) size: (u32, u32),
    pub(crate) svg: &'a mut String,
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    /// Nothing that is drawn here comes down to pixels.
    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Drawn {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<_> = path.into_iter().map(|(x, y)| format!("{x} {y}")).collect();
        let class = Ink::class(style.color());
        if style.color().alpha > 0.0 {
            *self.svg += &format!("<path class=\"{class}\" d=\"M{}\"/>", points.join("L"));
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let size = style.size();
        let anchor = style.anchor();
        let place = match anchor.h_pos {
            HPos::Left => "",
            HPos::Center => " c",
            HPos::Right => " e",
        };
        // From the top, the middle or the bottom of the letters to their base line.
        let down = match anchor.v_pos {
            VPos::Top => 0.8 * size,
            VPos::Center => 0.35 * size,
            VPos::Bottom => -0.2 * size,
        };
        let turn = match style.transform() {
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
            FontTransform::None => String::new(),
        };
        let class = Ink::class(style.color());
        for (line, text) in text.split('\n').enumerate() {
            let y = f64::from(y) + down + 1.15 * size * line as f64;
            let text = maud::html! { (label::printable(text)) }.into_string();
            *self.svg += &format!(
                "<text class=\"{class}{place}\" x=\"{x}\" y=\"{y:.1}\"{turn}>{text}</text>"
            );
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok(((text_width(text) * style.size() / 12.0) as u32, style.size() as u32))
    }
}

/// Pixels that a text in letters of 12 pixels takes at most.
pub(crate) fn text_width(text: &str) -> f64 {
    7.2 * label::width(text) as f64
}
