//! Any job at all, for laws: values are drawn from the JSON Schema, so that new fields join by themselves.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::job::JobSpec;

/// Any job that the types can hold.
pub(crate) fn any_job() -> impl Strategy<Value = JobSpec> {
    let schema = schemars::schema_for!(JobSpec).to_value();
    (any::<u64>(), 5..30_u64).prop_map(move |(seed, percent)| {
        let mut draw = Draw { state: seed, percent, root: &schema };
        let value = draw.value(&schema, 0);
        serde_json::from_value(value).expect("what the schema allows can be read")
    })
}

/// Any job whose groups and tasks have names of their own, as those that passed validation do.
pub(crate) fn any_named_job() -> impl Strategy<Value = JobSpec> {
    any_job().prop_map(|mut spec| {
        for (index, group) in spec.groups.iter_mut().enumerate() {
            group.name = format!("group{index}");
            for (index, task) in group.tasks.iter_mut().enumerate() {
                task.name = format!("task{index}");
            }
        }
        spec
    })
}

struct Draw<'a> {
    state: u64,
    /// How likely an optional field is there.
    percent: u64,
    root: &'a Value,
}

const WORDS: &[&str] = &[
    "",
    "web",
    "alloc",
    "a b",
    "${attr.x}",
    "1.2.3",
    ">= 1.2, < 2",
    "~> x",
    "[",
    "*",
    "../../x",
    "/etc",
    "docker",
    "exec",
    "qemu",
    "http",
    "-1",
    "70000",
    "é/~",
    "bridge",
    "cni/x",
    "* * * * *",
    "@daily",
    "0644",
    "SIGHUP",
];
const NUMBERS: &[u64] = &[0, 1, 2, 5, 10, 50, 100, 101, 300, 32_000, 65_535];
const SPANS: &[&str] = &["0s", "1s", "-5s", "10s", "5m", "24h", "2562047h"];

impl Draw<'_> {
    /// The next number below `bound` (splitmix64).
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<'b, T>(&mut self, items: &'b [T]) -> &'b T {
        let index = self.below(items.len() as u64);
        &items[usize::try_from(index).expect("an index")]
    }

    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.root.pointer(reference.trim_start_matches('#')).expect("a definition").clone();
            return self.value(&target, depth);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(options) = schema[choice].as_array() {
                let option = self.pick(options).clone();
                return self.value(&option, depth);
            }
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.pick(words).clone();
        }
        if schema["format"] == "duration" {
            return (*self.pick(SPANS)).into();
        }
        match self.type_of(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let length = if depth > 12 { 0 } else { self.below(4) };
                (0..length).map(|_| self.value(&schema["items"], depth + 1)).collect()
            }
            "string" => (*self.pick(WORDS)).into(),
            "integer" => self.integer(schema),
            "boolean" => (self.below(2) == 0).into(),
            _ => Value::Null,
        }
    }

    fn type_of(&mut self, schema: &Value) -> String {
        if let Some(names) = schema["type"].as_array() {
            return self.pick(names).as_str().expect("a type").to_owned();
        }
        schema["type"].as_str().unwrap_or("string").to_owned()
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let number = *self.pick(NUMBERS);
        match (schema["format"].as_str(), self.below(8)) {
            (Some("int32" | "int64"), 0) => json!(-1),
            (Some("int32"), 1) => json!(i32::MIN),
            (Some("int64"), 1) => json!(i64::MIN),
            (Some("uint32"), 0) => json!(u32::MAX),
            (Some("uint64"), 0) => json!(u64::MAX),
            _ => json!(number),
        }
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Value {
        let mut object = Map::new();
        for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
            if self.below(100) < self.percent {
                object.insert(name.clone(), self.value(field, depth + 1));
            }
        }
        let more = &schema["additionalProperties"];
        if *more != Value::Bool(false) && schema.get("properties").is_none() {
            for _ in 0..self.below(3) {
                let key = (*self.pick(WORDS)).to_owned();
                object.insert(key, self.value(more, depth + 1));
            }
        }
        Value::Object(object)
    }
}
