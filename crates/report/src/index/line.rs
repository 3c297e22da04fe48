//! One line of a table, read value by value.

use augreg_store::Reference;
use csv::StringRecord;

use super::column::{Column, Header};
use super::error::Mistakes;

/// A line, and where to put what is wrong with it.
pub(super) struct Line<'a> {
    record: &'a StringRecord,
    header: &'a Header,
    mistakes: &'a mut Mistakes,
}

/// What a number must be.
#[derive(Clone, Copy)]
enum Domain {
    /// Greater than 0.
    Positive,
    /// At least 0.
    NotNegative,
    /// At least 0 and less than 1.
    DropRate,
    /// From 0 to 1.
    Accuracy,
}

impl Domain {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Positive => value > 0.0,
            Self::NotNegative => value >= 0.0,
            Self::DropRate => (0.0..1.0).contains(&value),
            Self::Accuracy => (0.0..=1.0).contains(&value),
        }
    }

    fn refuse(self, text: &str, value: f64) -> String {
        match self {
            Self::Positive => format!("`{text}` must be greater than 0"),
            Self::NotNegative => format!("`{text}` must be at least 0"),
            Self::DropRate => format!("`{text}` must be at least 0 and less than 1"),
            Self::Accuracy if (1.0..=100.0).contains(&value) => {
                format!("`{text}` must be between 0 and 1: write 0.795 for 79.5 %")
            }
            Self::Accuracy => format!("`{text}` must be between 0 and 1"),
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn new(
        record: &'a StringRecord,
        header: &'a Header,
        mistakes: &'a mut Mistakes,
    ) -> Self {
        Self { record, header, mistakes }
    }

    /// The row; what is wrong with it is among the mistakes, and then it is none.
    pub(super) fn reference(mut self) -> Reference {
        let epochs = self.setting(Column::Epochs, Domain::Positive);
        let adapted = self.is_adapted();
        Reference {
            line: self.number() as i64,
            model: self.name(Column::Name),
            dataset: self.dataset(epochs),
            epochs,
            learning_rate: Some(self.setting(Column::Lr, Domain::Positive)),
            augmentation: Some(self.augmentation()),
            weight_decay: Some(self.setting(Column::Wd, Domain::NotNegative)),
            dropout: Some(self.setting(Column::Do, Domain::DropRate)),
            stochastic_depth: Some(self.setting(Column::Sd, Domain::DropRate)),
            best_val: self.measured(Column::BestVal, Domain::Accuracy),
            final_val: self.measured(Column::FinalVal, Domain::Accuracy),
            final_test: self.measured(Column::FinalTest, Domain::Accuracy),
            adapt_dataset: adapted.then(|| self.name(Column::AdaptDs)),
            adapt_learning_rate: adapted.then(|| self.setting(Column::AdaptLr, Domain::Positive)),
            adapt_steps: adapted.then(|| self.count_needed(Column::AdaptSteps)),
            adapt_resolution: adapted.then(|| self.count_needed(Column::AdaptResolution)),
            adapt_final_val: self.measured(Column::AdaptFinalVal, Domain::Accuracy),
            adapt_final_test: self.measured(Column::AdaptFinalTest, Domain::Accuracy),
            parameters: self.count(Column::Params),
            infer_images_per_second: self.measured(Column::InferSamplesPerSec, Domain::Positive),
            filename: self.text(Column::Filename).map(str::to_owned),
            adapt_filename: self.text(Column::AdaptFilename).map(str::to_owned),
        }
    }

    fn number(&self) -> u64 {
        self.header.line(self.record.position())
    }

    fn mistake(&mut self, column: Column, problem: String) {
        let place = self.header.place(column);
        self.mistakes.push(self.header.mistake_at(place, self.number(), problem));
    }

    /// What stands in a column; nothing if it is empty.
    fn text(&self, column: Column) -> Option<&'a str> {
        let text = self.record.get(self.header.place(column)).unwrap_or_default().trim();
        (!text.is_empty()).then_some(text)
    }

    /// What stands in a column of numbers; pandas writes nothing or NaN for none.
    fn present(&self, column: Column) -> Option<&'a str> {
        self.text(column).filter(|text| !text.eq_ignore_ascii_case("nan"))
    }

    /// Whether the line is about an adaptation. What says of none must say nothing of one.
    fn is_adapted(&mut self) -> bool {
        let of_one = [
            Column::AdaptLr,
            Column::AdaptSteps,
            Column::AdaptResolution,
            Column::AdaptFinalVal,
            Column::AdaptFinalTest,
        ];
        let adapted = self.text(Column::AdaptDs).is_some();
        if !adapted && let Some(column) = of_one.into_iter().find(|c| self.present(*c).is_some()) {
            let problem =
                format!("it is empty, but there is `{}`: name the data set", column.name());
            self.mistake(Column::AdaptDs, problem);
        }
        adapted
    }

    fn name(&mut self, column: Column) -> String {
        let text = self.text(column);
        if text.is_none() {
            self.mistake(column, "it is empty: every row needs one".to_owned());
        }
        text.unwrap_or_default().to_owned()
    }

    /// The data set; ImageNet-21k for 30 epochs has a name of its own in the published table.
    fn dataset(&mut self, epochs: f64) -> String {
        let name = self.name(Column::Ds);
        if name != "i21k_30" {
            return name;
        }
        if (epochs - 30.0).abs() > f64::EPSILON {
            let problem = format!(
                "`i21k_30` is i21k for 30 epochs, and here are {epochs}: write i21k, or 30 epochs"
            );
            self.mistake(Column::Ds, problem);
        }
        "i21k".to_owned()
    }

    /// The preset as the paper calls it.
    fn augmentation(&mut self) -> String {
        let name = self.name(Column::Aug);
        match name.as_str() {
            "light0" => "light1".to_owned(),
            "light1" => "light2".to_owned(),
            "light2" => {
                let problem = "`light2` is not in tables of this kind, which call the paper's light1 and \
                               light2 `light0` and `light1`: rename all three";
                self.mistake(Column::Aug, problem.to_owned());
                name
            }
            _ => name,
        }
    }

    /// A number that must be there.
    fn setting(&mut self, column: Column, domain: Domain) -> f64 {
        if self.present(column).is_none() {
            self.mistake(column, "there is no number: every row needs one".to_owned());
        }
        self.measured(column, domain).unwrap_or_default()
    }

    /// A number that may be absent.
    fn measured(&mut self, column: Column, domain: Domain) -> Option<f64> {
        let text = self.present(column)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && domain.holds(value) => return Some(value),
            Ok(value) if value.is_finite() => self.mistake(column, domain.refuse(text, value)),
            Ok(_) => self.mistake(column, format!("`{text}` is not finite")),
            Err(_) => self.mistake(column, format!("`{text}` is not a number")),
        }
        None
    }

    fn count_needed(&mut self, column: Column) -> i64 {
        if self.present(column).is_none() {
            self.mistake(column, "there is no number: every adaptation has one".to_owned());
        }
        self.count(column).unwrap_or_default()
    }

    /// A whole number that may be absent. pandas writes 500.0 where others of the column are.
    fn count(&mut self, column: Column) -> Option<i64> {
        let value = self.measured(column, Domain::Positive)?;
        if value.fract() == 0.0 && value < 2f64.powi(53) {
            return Some(value as i64);
        }
        self.mistake(column, format!("`{value}` is not a whole number"));
        None
    }
}
