//! The JSON Schema of sweep files, which editors check and complete TOML by.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{Key, Table, Value, tables};

/// The JSON Schema (draft 7, which taplo reads) of sweep files.
#[must_use]
pub fn json_schema() -> Json {
    let all = tables();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!("A sweep file of augreg"));
    let mut tables = all.iter();
    if let Some(file) = tables.next() {
        schema.extend(object(file));
    }
    let rest: Map<_, _> = tables.map(|table| (table.id.to_owned(), object(table).into())).collect();
    schema.insert("definitions".to_owned(), rest.into());
    schema.into()
}

fn object(table: &Table) -> Map<String, Json> {
    let keys = table.keys.iter().map(|key| (key.name.to_owned(), property(key)));
    let keys: Map<_, _> = keys.collect();
    let required: Vec<_> =
        table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("description".to_owned(), json!(table.about));
    object.insert("properties".to_owned(), keys.into());
    object.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn property(key: &Key) -> Json {
    let doc = match &*key.default {
        "" => key.doc.to_string(),
        default => format!("{} Default: {default}.", key.doc),
    };
    // Beside a `$ref` draft 7 reads nothing else.
    match value(&key.value) {
        Json::Object(mut schema) if !schema.contains_key("$ref") => {
            schema.insert("description".to_owned(), json!(doc));
            schema.into()
        }
        schema => json!({ "description": doc, "allOf": [schema] }),
    }
}

/// The schema of a value, where that of a table stands in its place.
fn in_place(of: &Value) -> Json {
    match of {
        Value::Table(id) => {
            let table = tables().into_iter().find(|table| table.id == *id);
            table.map_or_else(|| value(of), |table| object(&table).into())
        }
        of => value(of),
    }
}

/// What is allowed by one of these. Where each is about another type, one schema says it, since what is said of
/// objects does not concern lists: an editor then marks the mistake, where of an `anyOf` it marks everything, and
/// completes within lists of tables.
fn either(all: Vec<Json>) -> Json {
    let own_type = |schema: &Json| {
        let plain = !["enum", "anyOf", "allOf", "$ref"].iter().any(|key| schema.get(key).is_some());
        schema["type"].as_str().filter(|_| plain).map(str::to_owned)
    };
    let types: Option<Vec<String>> = all.iter().map(own_type).collect();
    let is_distinct =
        |types: &Vec<String>| types.iter().collect::<BTreeSet<_>>().len() == types.len();
    let Some(types) = types.filter(is_distinct) else { return json!({ "anyOf": all }) };
    let mut merged = Map::new();
    for schema in all {
        let Json::Object(schema) = schema else { continue };
        for (key, value) in schema {
            merged.entry(key).or_insert(value);
        }
    }
    merged.insert("type".to_owned(), json!(types));
    merged.into()
}

fn value(of: &Value) -> Json {
    match of {
        Value::Text("") => json!({ "type": "string" }),
        Value::Text(example) => json!({ "type": "string", "examples": [example] }),
        Value::Words(words) => json!({ "type": "string", "enum": words }),
        Value::Name(known) if known.is_empty() => json!({ "type": "string" }),
        Value::Name(known) => json!({ "type": "string", "examples": known }),
        Value::Number { least, above, below } => {
            let bounds =
                [("minimum", least), ("exclusiveMinimum", above), ("exclusiveMaximum", below)];
            let mut schema = Map::from_iter([("type".to_owned(), json!("number"))]);
            let bounds =
                bounds.into_iter().filter_map(|(name, at)| Some((name.to_owned(), json!((*at)?))));
            schema.extend(bounds);
            schema.into()
        }
        Value::Count(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        Value::Count(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Value::Flag => json!({ "type": "boolean" }),
        Value::Table(id) => json!({ "$ref": format!("#/definitions/{id}") }),
        Value::Named(id) => json!({
            "type": "object",
            "additionalProperties": { "$ref": format!("#/definitions/{id}") },
        }),
        Value::List(item) => json!({ "type": "array", "items": value(item) }),
        Value::Axis(item) => {
            let list = json!({ "type": "array", "items": value(item), "minItems": 1 });
            either(vec![in_place(item), list])
        }
        Value::Either(all) => either(all.iter().map(in_place).collect()),
        Value::Counts => {
            json!({ "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } })
        }
        Value::Point => json!({ "type": "object", "minProperties": 1 }),
    }
}
