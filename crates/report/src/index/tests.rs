use super::*;

const HEADER: &str = "name,ds,epochs,lr,aug,wd,do,sd,best_val,final_val,final_test,adapt_ds,adapt_lr,\
adapt_steps,adapt_resolution,adapt_final_val,adapt_final_test,params,infer_samples_per_sec,filename,\
adapt_filename";

/// R26+S/32 on Pets, as the study's notebook shows it (the last of its 16 rows).
const ROW: &str = "R26+S/32,i21k,300,0.001,light1,0.1,0.0,0.0,0.48,0.478,0.47,oxford_iiit_pet,0.003,500,\
384,0.967391,0.941946,44456467,560.40,R26_S_32-i21k-300ep,R26_S_32-i21k-300ep--oxford_iiit_pet";

fn read_bytes(bytes: &[u8]) -> Result<Index, IndexError> {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file");
    std::fs::write(file.path(), bytes).expect("writes");
    read(file.path())
}

fn good(lines: &[&str]) -> Index {
    read_bytes((lines.join("\n") + "\n").as_bytes()).expect("a table")
}

/// What is said of a table, without where it lies.
fn refused(bytes: &[u8]) -> String {
    let said = read_bytes(bytes).expect_err("no table").to_string();
    let (_, said) = said.split_once(".csv`").expect("names the file");
    said.trim_start_matches([' ', ',']).to_owned()
}

/// What is said of [`ROW`] with `from` replaced by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(ROW.contains(from), "{from}");
    refused(format!("{HEADER}\n{}\n", ROW.replacen(from, to, 1)).as_bytes())
}

#[test]
fn a_row_is_taken_in_with_the_papers_names() {
    let index = good(&[HEADER, ROW]);
    let row = &index.rows[0];
    assert_eq!((row.line, row.model.as_str(), row.dataset.as_str()), (2, "R26+S/32", "i21k"));
    assert_eq!(row.augmentation.as_deref(), Some("light2"));
    assert_eq!((row.adapt_steps, row.adapt_resolution), (Some(500), Some(384)));
    assert_eq!((row.adapt_final_test, row.parameters), (Some(0.941_946), Some(44_456_467)));

    let other = ROW.replace("i21k,300", "i21k_30,30").replace("light1", "light0");
    let row = &good(&[HEADER, &other]).rows[0];
    assert_eq!((row.dataset.as_str(), row.augmentation.as_deref()), ("i21k", Some("light1")));
    assert!((row.epochs - 30.0).abs() < f64::EPSILON);
}

#[test]
fn what_was_not_measured_may_be_absent_and_so_may_an_adaptation() {
    for nothing in ["", "NaN", "nan"] {
        let row = ROW.replace("560.40", nothing).replace("0.48,", &format!("{nothing},"));
        let row = &good(&[HEADER, &row]).rows[0];
        assert_eq!((row.infer_images_per_second, row.best_val), (None, None));
    }
    let upstream = "B/8,i21k,300.0,0.001,none,0.1,0.0,0.0,0.5,0.5,0.5,,,,,,,,,,";
    let row = &good(&[HEADER, upstream]).rows[0];
    assert_eq!((&row.adapt_dataset, row.adapt_steps, &row.filename), (&None, None, &None));
}

/// pandas writes its row numbers in front, 500.0 for 500 beside a NaN, and maybe CRLF or a BOM.
#[test]
fn what_pandas_and_spreadsheets_do_to_a_table_does_not_matter() {
    let row = ROW.replace(",500,", ",500.0,");
    let text = format!("\u{feff},{HEADER}\r\n0,{row}\r\n");
    let index = read_bytes(text.as_bytes()).expect("a table");
    assert_eq!(index.ignored, [""]);
    assert_eq!(index.rows, good(&[HEADER, ROW]).rows);
    let turned = |line: &str| line.split(',').rev().collect::<Vec<_>>().join(",");
    assert_eq!(good(&[&turned(HEADER), &turned(ROW)]).rows, index.rows);
}

#[test]
fn the_same_settings_with_other_results_are_repetitions_and_the_same_row_is_a_mistake() {
    let other = ROW.replace("0.941946", "0.95");
    assert_eq!(good(&[HEADER, ROW, &other]).repetitions, 1);
    let text = [HEADER, ROW, &other, ROW].join("\n");
    insta::assert_snapshot!(refused(text.as_bytes()), @"
    has a mistake
    line 4: it says what line 2 says: delete one of them
    ");
}

#[test]
fn each_wrong_value_is_named_with_line_column_and_what_would_be_right() {
    insta::assert_snapshot!(with("0.478", "47.8"), @"
    has a mistake
    line 2, column 10 (`final_val`): `47.8` must be between 0 and 1: write 0.795 for 79.5 %
    ");
    insta::assert_snapshot!(with("0.478", "-0.1"), @"
    has a mistake
    line 2, column 10 (`final_val`): `-0.1` must be between 0 and 1
    ");
    insta::assert_snapshot!(with(",300,", ",many,"), @"
    has a mistake
    line 2, column 3 (`epochs`): `many` is not a number
    ");
    insta::assert_snapshot!(with(",0.001,", ",,"), @"
    has a mistake
    line 2, column 4 (`lr`): there is no number: every row needs one
    ");
    insta::assert_snapshot!(with(",0.1,0.0,", ",inf,1.0,"), @"
    has 2 mistakes
    line 2, column 6 (`wd`): `inf` is not finite
    line 2, column 7 (`do`): `1.0` must be at least 0 and less than 1
    ");
    insta::assert_snapshot!(with(",500,", ",500.5,"), @"
    has a mistake
    line 2, column 14 (`adapt_steps`): `500.5` is not a whole number
    ");
    insta::assert_snapshot!(with("560.40", "-1"), @"
    has a mistake
    line 2, column 19 (`infer_samples_per_sec`): `-1` must be greater than 0
    ");
    insta::assert_snapshot!(with("oxford_iiit_pet", ""), @"
    has a mistake
    line 2, column 12 (`adapt_ds`): it is empty, but there is `adapt_lr`: name the data set
    ");
    insta::assert_snapshot!(with("R26+S/32", " "), @"
    has a mistake
    line 2, column 1 (`name`): it is empty: every row needs one
    ");
    insta::assert_snapshot!(with("light1", "light2"), @"
    has a mistake
    line 2, column 5 (`aug`): `light2` is not in tables of this kind, which call the paper's light1 and light2 `light0` and `light1`: rename all three
    ");
    insta::assert_snapshot!(with("i21k,", "i21k_30,"), @"
    has a mistake
    line 2, column 2 (`ds`): `i21k_30` is i21k for 30 epochs, and here are 300: write i21k, or 30 epochs
    ");
}

#[test]
fn a_file_that_is_no_such_table_says_what_is_missing() {
    insta::assert_snapshot!(refused(b""), @"is empty");
    insta::assert_snapshot!(refused(HEADER.as_bytes()), @"has no rows, only a header");
    let header = HEADER.replace("final_val", "final_value").replace(",wd", "");
    insta::assert_snapshot!(
        refused(header.as_bytes()),
        @"line 1: missing columns `wd`, `final_val` (is it `final_value`?), `adapt_final_val` (is it `adapt_final_value`?)"
    );
    insta::assert_snapshot!(
        refused(HEADER.replace(',', ";").as_bytes()),
        @r#"line 1: columns are separated by ";", not by commas"#
    );
    insta::assert_snapshot!(
        refused(HEADER.replace("sd,", "do,").as_bytes()),
        @"line 1: column `do` comes twice"
    );
    insta::assert_snapshot!(refused(b"name,\xe9\n"), @"line 1: the header is not UTF-8");
}

#[test]
fn a_line_that_is_cut_or_has_a_comma_too_many_or_is_not_utf_8_is_named() {
    let cut = format!("{HEADER}\n{ROW}\n{}", &ROW[..80]);
    insta::assert_snapshot!(refused(cut.as_bytes()), @"
    has a mistake
    line 3: the file ends here, after 13 of 21 values: it is cut off, get it again
    ");
    // Within the last value nothing is missing but the end that file names have.
    let named = format!("{ROW}-steps_0k-lr_0.003-res_384");
    let other = named.replace("0.941946", "0.95");
    let cut = format!("{HEADER}\n{named}\n{}", &other[..other.len() - 1]);
    insta::assert_snapshot!(refused(cut.as_bytes()), @"
    has a mistake
    line 3: the file ends within `adapt_filename`: it is cut off, get it again
    ");
    assert!(read_bytes(format!("{HEADER}\n{named}\n{other}").as_bytes()).is_ok());
    // The same line elsewhere is not called the end.
    let short = format!("{HEADER}\n{}\n{ROW}", &ROW[..80]);
    insta::assert_snapshot!(refused(short.as_bytes()), @"
    has a mistake
    line 2: it has 13 values where the header has 21: a comma too many or too few, or one in a text without quotes
    ");
    let comma = format!("{HEADER}\n{}\n{ROW}\n", ROW.replace("R26+", "R26,"));
    insta::assert_snapshot!(refused(comma.as_bytes()), @"
    has a mistake
    line 2: it has 22 values where the header has 21: a comma too many or too few, or one in a text without quotes
    ");
    let mut latin = format!("{HEADER}\n{ROW}\n").into_bytes();
    let at = HEADER.len() + 1;
    latin[at] = 0xe9;
    insta::assert_snapshot!(refused(&latin), @"
    has a mistake
    line 2, column 1 (`name`): it is not UTF-8: save the file in that encoding
    ");
}

#[test]
fn of_many_mistakes_ten_are_told_and_all_counted() {
    let lines: Vec<_> = (0..30).map(|_| ROW.replace("0.478", "x")).collect();
    let said = refused(format!("{HEADER}\n{}\n", lines.join("\n")).as_bytes());
    assert!(said.starts_with("has 30 mistakes\nline 2, "), "{said}");
    assert!(said.ends_with("\nand 20 more"), "{said}");
    assert_eq!(said.lines().count(), 12);
}
