//! Where the labels of points go so that none lies on another or on a point.

use crate::canvas::text_width;

/// Letters of a label, in pixels.
pub(crate) const LETTERS: f64 = 11.0;
/// Half of the side of the square that a point takes.
const POINT: f64 = 5.5;

/// A rectangle on the page: left, top, right, bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame(pub(crate) f64, pub(crate) f64, pub(crate) f64, pub(crate) f64);

impl Frame {
    fn meets(self, other: Self) -> bool {
        self.0 < other.2 && other.0 < self.2 && self.1 < other.3 && other.1 < self.3
    }

    fn holds(self, other: Self) -> bool {
        self.0 <= other.0 && self.1 <= other.1 && other.2 <= self.2 && other.3 <= self.3
    }
}

/// A label that found a place: the middle of its base line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) text: String,
}

/// Places for the labels of points at these pixels within `room`. A label for which there is none
/// is left out: its point still says what it is when it is pointed at.
pub(crate) fn place(points: &[(f64, f64, &str)], room: Frame) -> Vec<Label> {
    let around = |x: f64, y: f64| Frame(x - POINT, y - POINT, x + POINT, y + POINT);
    let mut taken: Vec<_> = points.iter().map(|(x, y, _)| around(*x, *y)).collect();
    let mut labels = Vec::new();
    for (x, y, text) in points.iter().filter(|(.., text)| !text.is_empty()) {
        let half = text_width(text) * LETTERS / 12.0 / 2.0;
        let tall = LETTERS;
        let free = offsets(half, tall).into_iter().find_map(|(dx, dy)| {
            let (x, y) = (x + dx, y + dy);
            let frame = Frame(x - half, y - 0.8 * tall, x + half, y + 0.25 * tall);
            let is_free = room.holds(frame) && !taken.iter().any(|other| other.meets(frame));
            is_free.then_some((x, y, frame))
        });
        if let Some((x, y, frame)) = free {
            taken.push(frame);
            labels.push(Label { x, y, text: (*text).to_owned() });
        }
    }
    labels
}

/// Where to try, the best first: above, beside, below, then the corners, then further away.
fn offsets(half: f64, tall: f64) -> Vec<(f64, f64)> {
    let (beside, above, below) = (half + POINT + 2.0, -POINT - 4.0, POINT + tall);
    let near = [
        (0.0, above),
        (beside, 0.3 * tall),
        (-beside, 0.3 * tall),
        (0.0, below),
        (beside, above),
        (-beside, above),
        (beside, below),
        (-beside, below),
    ];
    near.into_iter().chain(near.map(|(dx, dy)| (dx, dy + dy.signum() * 0.8 * tall))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_label_lies_on_another_or_leaves_the_room(
            points in prop::collection::vec((0.0..300.0, 0.0..200.0), 0..40),
        ) {
            let room = Frame(0.0, 0.0, 300.0, 200.0);
            let points: Vec<_> = points.into_iter().map(|(x, y)| (x, y, "R50+L/32")).collect();
            let labels = place(&points, room);
            let frames: Vec<_> = labels.iter().map(|label| {
                let half = text_width(&label.text) * LETTERS / 12.0 / 2.0;
                Frame(label.x - half, label.y - 0.8 * LETTERS, label.x + half, label.y)
            }).collect();
            for (at, frame) in frames.iter().enumerate() {
                prop_assert!(room.holds(*frame));
                prop_assert!(!frames[..at].iter().any(|other| other.meets(*frame)));
            }
        }
    }

    #[test]
    fn a_point_with_room_around_it_is_labelled_above() {
        let labels = place(&[(50.0, 50.0, "B/16")], Frame(0.0, 0.0, 100.0, 100.0));
        assert_eq!(labels.len(), 1);
        assert!(labels[0].y < 50.0 - POINT);
    }
}
