//! `docs/annotations.md` is the list of cases; what holds for every type is a property.

use super::*;
use crate::diagnostic::{Blame, Diagnostic};
use proptest::prelude::*;
use serde_json::{Map, json};

const DOCUMENT: &str = include_str!("../../../docs/annotations.md");

/// The lines of every block of that language, each with its number in the document.
fn blocks(language: &str) -> Vec<Vec<(usize, &'static str)>> {
    let mut blocks = Vec::new();
    let mut open = false;
    for (index, line) in DOCUMENT.lines().enumerate() {
        if line == format!("```{language}") {
            open = true;
            blocks.push(Vec::new());
        } else if line.starts_with("```") {
            open = false;
        } else if let Some(block) = blocks.last_mut().filter(|_| open && !line.is_empty()) {
            block.push((index + 1, line));
        }
    }
    assert!(!blocks.is_empty(), "the document has no `{language}` block");
    blocks
}

/// What a line of the document promises.
enum Promise {
    Itself,
    Becomes(&'static str),
    Error { code: &'static str, path: &'static str },
}

fn promise(line: &'static str) -> (&'static str, Promise) {
    if let Some((given, wanted)) = line.split_once("// =>") {
        return (given.trim(), Promise::Becomes(wanted.trim()));
    }
    match line.split_once("// error[") {
        Some((given, error)) => {
            let (code, path) = error.split_once(']').expect("`// error[code]`");
            (given.trim(), Promise::Error { code, path: path.trim() })
        }
        None => (line.trim(), Promise::Itself),
    }
}

#[test]
fn the_document_says_what_types_mean() {
    for (number, line) in blocks("type").concat() {
        let (given, promise) = promise(line);
        let parsed = Type::parse(given).map(|kind| kind.to_string());
        match (promise, parsed) {
            (Promise::Itself, Ok(found)) => assert_eq!(found, given, "line {number}"),
            (Promise::Becomes(wanted), Ok(found)) => assert_eq!(found, wanted, "line {number}"),
            (Promise::Error { code, .. }, Err(error)) => {
                assert_eq!(error.code, code, "line {number}: {error}");
                assert!(error.help.is_some(), "line {number}: {error}");
                assert!(error.offset + error.length <= given.chars().count().max(1) + 1);
            }
            (_, found) => panic!("line {number}: `{given}` gave {found:?}"),
        }
    }
}

#[test]
fn the_document_says_how_values_are_checked() {
    for (number, line) in blocks("check").concat() {
        let (given, promise) = promise(line);
        let (kind, value) = given.split_once(" <- ").expect("`type <- value`");
        let value = serde_json::from_str(value).expect("the value is JSON");
        let checked = Type::parse(kind).expect("the type parses").check(value);
        match (promise, checked) {
            (Promise::Becomes(wanted), Ok(found)) => {
                assert_eq!(found.to_string(), wanted, "line {number}");
            }
            (Promise::Error { code, path }, Err(found)) => {
                assert_eq!(found.len(), 1, "line {number}: {found:?}");
                assert_eq!(found[0].kind.code(Subject::Arguments), code, "line {number}");
                assert_eq!(found[0].path, path, "line {number}");
            }
            (_, found) => panic!("line {number}: `{given}` gave {found:?}"),
        }
    }
}

#[test]
fn the_document_says_how_parameters_are_built() {
    for block in blocks("param") {
        let mut parameters = Parameters::new();
        for (number, line) in block {
            let (given, promise) = promise(line);
            let added = if given.is_empty() { Ok(()) } else { add_line(&mut parameters, given) };
            match (promise, added) {
                (Promise::Itself, Ok(())) => {}
                (Promise::Becomes(wanted), Ok(())) => {
                    parameters.finish().expect("the parameters are complete");
                    assert_eq!(as_object(&parameters).to_string(), wanted, "line {number}");
                }
                (Promise::Error { code, .. }, Err(error)) => {
                    assert_eq!(error.code, code, "line {number}: {error}");
                    assert!(error.help.is_some(), "line {number}: {error}");
                }
                (_, found) => panic!("line {number}: `{given}` gave {found:?}"),
            }
        }
    }
}

fn add_line(parameters: &mut Parameters, line: &str) -> Result<(), TypeError> {
    let line = line.strip_prefix("@param ").expect("`@param …`");
    let (path, rest) = line.split_once(' ').expect("a type after the path");
    let (kind, read) = Type::parse_param_prefix(rest)?;
    let default = match rest[read..].trim_start().strip_prefix('=') {
        Some(default) => Some(parse_default(default, &kind)?),
        None => None,
    };
    parameters.add(path, kind, default, "")
}

fn as_object(parameters: &Parameters) -> Type {
    let field = |parameter: &Parameter| {
        Field::new(parameter.argument_name(), parameter.kind.clone())
            .with_default(parameter.default.clone())
    };
    Type::Object(parameters.iter().map(field).collect())
}

fn kind(text: &str) -> Type {
    Type::parse(text).expect("the type parses")
}

fn parameters(lines: &[&str]) -> Parameters {
    let mut parameters = Parameters::new();
    for line in lines {
        add_line(&mut parameters, line).expect("the line is fine");
    }
    parameters.finish().expect("the parameters are complete");
    parameters
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn refusal(text: &str) -> (usize, usize, String, String) {
    let error = Type::parse(text).expect_err("the type is refused");
    (error.offset, error.length, error.message, error.help.expect("there is help"))
}

#[test]
fn a_refusal_points_at_the_word_and_says_what_to_write() {
    let (offset, length, message, help) = refusal("{ ä: int, größe: strng }");
    assert_eq!((offset, length), (2, 1));
    assert_eq!((message.as_str(), help.as_str()), ("the name `ä` needs quotes", "write `\"ä\"`"));

    let (offset, length, message, help) = refusal("{ \"ä\": int, b: strng }");
    assert_eq!((offset, length, message.as_str()), (15, 5, "`strng` is no type"));
    assert_eq!(help, "did you mean `string`?");

    let (offset, length, _, help) = refusal("\"a\" | \"b\" | null");
    assert_eq!((offset, length), (12, 4));
    assert_eq!(help, "write `(\"a\" | \"b\")?`, which may be null or left out");

    assert_eq!(refusal("int(5)").3, "write `int(5..=5)` for exactly, `int(..=5)` for at most 5");
    assert_eq!(refusal("7").3, "write `int(7..=7)` for this number alone, or a range");
    assert_eq!(refusal("array").2, "`array` alone does not say what is in it");
    assert_eq!(refusal("").2, "the text ends where a type is missing");
}

#[test]
fn a_prefix_leaves_the_rest_to_others() {
    for (text, wanted, rest) in [
        ("string - the text", "string", " - the text"),
        ("int(1..=5)? = 3 - how many", "int(1..=5)?", " = 3 - how many"),
        (" \"a\" | \"b\" = \"a\"", "\"a\" | \"b\"", " = \"a\""),
        ("{ a: int } => 5", "{ a: int }", " => 5"),
        ("string (the text)", "string", " (the text)"),
    ] {
        let (found, read) = Type::parse_prefix(text).expect("it starts with a type");
        assert_eq!((found.to_string().as_str(), &text[read..]), (wanted, rest));
    }
    let text = r#" { "a": [1, 'x'], b: #{} } => 2"#;
    let (value, read) = parse_value_prefix(text).expect("it starts with a value");
    assert_eq!((value, &text[read..]), (json!({ "a": [1, "x"], "b": {} }), " => 2"));
}

#[test]
fn literals_of_json_and_of_rhai() {
    for (text, wanted) in [
        ("()", json!(null)),
        ("#{ a: 1, \"b c\": [true,] }", json!({ "a": 1, "b c": [true] })),
        ("1_000", json!(1000)),
        ("-2.5e-1", json!(-0.25)),
        (r#""\ud83d\ude00\x41\U0001F600""#, json!("😀A😀")),
        (r"'\''", json!("'")),
        ("-9223372036854775808", json!(i64::MIN)),
    ] {
        assert_eq!(parse_value(text), Ok(wanted), "{text}");
    }
    for text in [
        "",
        "'ab'",
        "`a`",
        "{a 1}",
        "[1",
        "1 2",
        "1e999",
        "18446744073709551616",
        "1x",
        "None",
        r#""\ud83d""#,
        r#""\q""#,
        "\"a\nb\"",
        "{\"a\": 1, \"a\": 2}",
        "-",
        "+1",
        ".5",
        "#",
        "(",
    ] {
        let error = parse_value(text).expect_err(text);
        assert_eq!(error.code, TypeError::VALUE, "{text}");
        assert!(error.help.is_some(), "{text}");
    }
}

#[test]
fn hostile_depth_and_length_are_refused() {
    let codes = [
        "(".repeat(4_000),
        "{a:".repeat(2_000),
        format!("string{}", "[]".repeat(4_000)),
        "array<".repeat(1_000),
        "map<string,".repeat(700),
        format!("{}\"x\"", "\"a\" | ".repeat(2_000)),
        (0..1_000).map(|n| format!("\"{n}\" | ")).collect::<String>() + "int",
        (0..20).fold("int".to_owned(), |text, n| format!("({text} | {})", twenty(n))),
    ]
    .map(|text| Type::parse(&text).map_err(|error| error.code));
    assert!(codes.iter().all(|code| *code == Err(TypeError::TYPE_SIZE)), "{codes:?}");
    assert_eq!(parse_value(&"[".repeat(9_000)).map_err(|e| e.code), Err(TypeError::VALUE));
    let deepest = format!("string{}", "[]".repeat(MAX_TYPE_DEPTH));
    assert_eq!(kind(&deepest).depth(), MAX_TYPE_DEPTH);
    let grouped = (0..MAX_TYPE_DEPTH).fold("int".to_owned(), |text, _| format!("({text} | any)[]"));
    assert_eq!(kind(&kind(&grouped).to_string()), kind(&grouped));
}

fn twenty(n: usize) -> String {
    (0..20).map(|m| format!("\"{n}.{m}\"")).collect::<Vec<_>>().join("|")
}

#[test]
fn a_value_that_nests_too_deep_is_refused_without_recursion() {
    let deep = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
    assert!(Type::Any.check(deep(MAX_VALUE_DEPTH)).is_ok());
    for levels in [MAX_VALUE_DEPTH + 1, 200_000] {
        let value = (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
        let found = kind("any[]").check(value).expect_err("too deep");
        assert_eq!((found.len(), found[0].kind), (1, MismatchKind::Bounds));
    }
    let mut given = Map::new();
    given.insert("other".to_owned(), (0..200_000).fold(Value::Null, |v, _| Value::Array(vec![v])));
    let found = parameters(&["@param a any"]).check(given).expect_err("too deep");
    assert_eq!(found[0].path, "other");
}

#[test]
fn arguments_come_in_declared_order_with_nulls_and_defaults() {
    let parameters = parameters(&[
        "@param text string",
        "@param default_ int = 5",
        "@param note string?",
        "@param ratio float",
    ]);
    let given = object(json!({ "ratio": 2, "text": "a" }));
    let arguments = parameters.check(given).expect("the arguments fit");
    assert_eq!(arguments.get("default"), Some(&json!(5)));
    assert_eq!(
        Value::Object(arguments.as_map().clone()).to_string(),
        r#"{"text":"a","default":5,"note":null,"ratio":2.0}"#
    );
    let values: Vec<Value> = arguments.into_values().collect();
    assert_eq!(values, [json!("a"), json!(5), json!(null), json!(2.0)]);
}

#[test]
fn every_mismatch_is_reported_with_path_and_help() {
    let parameters = parameters(&[
        "@param items { name: string(..=5), qty: int(1..=99) }[]",
        "@param unique bool = false",
        "@param mode \"fast\" | \"exact\"",
        "@param last int",
    ]);
    let given = object(json!({
        "items": [{ "name": "a", "qty": 1 }, { "name": "too long", "qty": "7", "qtty": 0 }],
        "uniqe": true, "mode": "fats",
    }));
    let found = parameters.check(given).expect_err("much is wrong");
    let lines: Vec<String> = found
        .into_iter()
        .map(|mismatch| {
            let diagnostic = Diagnostic::from(mismatch);
            format!("{diagnostic}; {}", diagnostic.help.join("; "))
        })
        .collect();
    let wanted = [
        "bounds]: `items[1].name` must be `string(..=5)`, not string of 8 characters; ",
        "type]: `items[1].qty` must be `int(1..=99)`, not string \"7\"; leave out the quotes: `7`",
        "unknown]: `items[1].qtty` is unknown; it was given as int 0; did you mean `qty`?",
        "type]: `mode` must be `\"fast\" | \"exact\"`, not string \"fats\"; did you mean \"fast\"?",
        "missing]: `last` is missing; it is `int`; ",
        "unknown]: `uniqe` is unknown; it was given as bool true; did you mean `unique`?",
    ];
    assert_eq!(lines, wanted.map(|line| format!("error[arguments/{line}")));
}

#[test]
fn mismatches_are_bounded_in_number_and_length() {
    let found = kind("int[]").check(json!(vec!["x".repeat(100_000); 1_000])).expect_err("strings");
    assert_eq!(found.len(), MAX_MISMATCHES);
    assert!(found.iter().all(|mismatch| mismatch.got.chars().count() < 60));
    let mut given = Map::new();
    given.insert("k".repeat(1_000_000), json!(1));
    let found = kind("{ a?: int }").check(Value::Object(given)).expect_err("unknown");
    assert!(found[0].path.chars().count() < 60);
}

#[test]
fn a_result_is_the_authors() {
    let found = kind("{ words: int }").check(json!({})).expect_err("nothing in it");
    let diagnostic = found[0].clone().into_diagnostic(Subject::Result);
    assert_eq!(diagnostic.blame, Blame::Author);
    assert_eq!(
        diagnostic.to_string(),
        "error[result/missing]: the result's `words` is missing; it is `int`"
    );
}

#[test]
fn nested_unions_do_not_multiply() {
    // Looked at once for each way through the alternatives, this would take 2^25 steps.
    let text = (0..25).fold("int".to_owned(), |text, _| format!("{{ a: {text} }} | string"));
    let value = (0..25).fold(json!(1.5), |value, _| json!({ "a": value }));
    let found = kind(&text).check(value).expect_err("1.5 is no int");
    assert_eq!(found[0].path.matches('a').count(), 25);
}

#[test]
fn a_choice_that_takes_too_many_steps_is_refused() {
    let alternatives: Vec<_> = (1..200).map(|n| format!("int({n}..={n})[]")).collect();
    let choice = kind(&alternatives.join(" | "));
    let items = |last: u32, many: usize| {
        let mut items = vec![json!(199); many];
        items.push(json!(last));
        json!(items)
    };
    assert!(choice.check(items(199, 1_000)).is_ok());
    let found = choice.check(items(200, 1_000)).expect_err("the last is another");
    assert_eq!(found[0].path, "[1000]");
    // Each but the last alternative is given up at its first item.
    assert!(choice.check(items(199, 100_000)).is_ok());
    let equal: Vec<_> = (1..200).map(|n| format!("int(0..={n})[]")).collect();
    let wide = Type::parse(&equal.join(" | ")).expect("a type");
    let found = wide.check(items(200, 100_000)).expect_err("no alternative has 200");
    assert_eq!(found[0].kind, MismatchKind::Bounds);
    assert!(found[0].help.as_deref().is_some_and(|help| help.contains("send less")), "{found:?}");
}

#[test]
fn schemas_are_plain_2020_12() {
    let parameters = parameters(&[
        "@param text string(1..=200)",
        "@param mode (\"fast\" | \"exact\")?",
        "@param ratio float(0..1) = 0.5",
        "@param default_ int(1..5)",
        "@param items object[](..=50)",
        "@param items[].qty int?",
        "@param either \"auto\" | int | \"none\" | string[]",
        "@param extra map<string, any>?",
        "@param maybe (int | bool)?",
    ]);
    let mut described = Parameters::new();
    for parameter in &parameters {
        let Parameter { name, kind, default, .. } = parameter.clone();
        let description = if name == "text" { "The text." } else { "" };
        described.add(&name, kind, default, description).expect("it was fine before");
    }
    assert_eq!(
        described.to_json_schema().to_string(),
        json!({
            "type": "object",
            "properties": {
                "text": {
                    "description": "The text.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                },
                "mode": { "type": ["string", "null"], "enum": ["fast", "exact", null] },
                "ratio": {
                    "type": "number",
                    "minimum": 0.0,
                    "exclusiveMaximum": 1.0,
                    "default": 0.5,
                },
                "default": { "type": "integer", "minimum": 1, "maximum": 4 },
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": { "qty": { "type": ["integer", "null"] } },
                        "additionalProperties": false,
                    },
                    "maxItems": 50,
                },
                "either": { "anyOf": [
                    { "type": "string", "enum": ["auto", "none"] },
                    { "type": "integer" },
                    { "type": "array", "items": { "type": "string" } },
                ] },
                "extra": { "type": ["object", "null"], "additionalProperties": {} },
                "maybe": { "anyOf": [
                    { "type": "integer" }, { "type": "boolean" }, { "type": "null" },
                ] },
            },
            "required": ["text", "default", "items", "either"],
            "additionalProperties": false,
        })
        .to_string()
    );
    assert!(kind("{}").is_object() && kind("map<string, int>").is_object());
    assert!(!kind("{}?").is_object() && !kind("{} | { a: int }").is_object());
}

#[test]
fn parameters_survive_serde_with_their_nested_descriptions() {
    let mut parameters = Parameters::new();
    let object = Type::parse_param_prefix("object[]?").expect("`object` is fine here").0;
    parameters.add("items", object, None, "What to buy.").expect("a parameter");
    parameters.add("items[].qty", kind("int(1..=99)"), Some(json!(1)), "How many.").expect("field");
    parameters.add("items[].\"a b\"", Type::Any, None, "Nested.").expect("a field in quotes");
    parameters.add("items[].\"a b\".c", kind("bool?"), None, "Deep.").expect("a nested field");
    parameters.add("end_", kind("float"), Some(json!(2)), "").expect("a parameter");
    parameters.finish().expect("complete");
    let text = serde_json::to_string(&parameters).expect("it serializes");
    let again: Parameters = serde_json::from_str(&text).expect("it comes back");
    assert_eq!(again, parameters);
    assert_eq!(serde_json::to_string(&again).expect("it serializes"), text);
    assert_eq!(again.get("items").expect("it is there").description, "What to buy.");
    let schema = again.to_json_schema();
    let nested = &schema["properties"]["items"]["items"]["properties"]["a b"]["properties"]["c"];
    assert_eq!(nested["description"], "Deep.");
    assert!(serde_json::from_str::<Parameters>(r#"[{"name":"a","type":"strng"}]"#).is_err());
}

#[test]
fn finish_refuses_what_is_left_open_and_defaults_that_no_longer_fit() {
    let mut open = Parameters::new();
    add_line(&mut open, "@param options object").expect("lines may follow");
    assert_eq!(open.finish().map_err(|error| error.code), Err(TypeError::PARAM_PATH));

    let mut narrowed = Parameters::new();
    add_line(&mut narrowed, "@param options { n: int } = { n: 500 }").expect("it fits");
    add_line(&mut narrowed, "@param options.n int(..=9)").expect("it narrows");
    assert_eq!(narrowed.finish().map_err(|error| error.code), Err(TypeError::DEFAULT));

    let mut order = Parameters::new();
    add_line(&mut order, "@param o { a: { b: int } }").expect("a parameter");
    add_line(&mut order, "@param o.a.b int").expect("a field");
    let error = add_line(&mut order, "@param o.a { b: int }").expect_err("the parent comes late");
    assert_eq!(error.code, TypeError::PARAM_PATH);
}

#[test]
fn a_line_may_call_listed_fields_an_object() {
    let parameters = parameters(&["@param o { a: { b: int }[]? }", "@param o.a object[](..=5)"]);
    assert_eq!(as_object(&parameters).to_string(), "{ o: { a?: { b: int }[](..=5) } }");
}

#[test]
fn a_line_neither_requires_nor_widens_what_its_parent_lists() {
    let lines = ["@param o { a: string, b?: string }", "@param o.b string(..=9)"];
    assert_eq!(
        as_object(&parameters(&lines)).to_string(),
        "{ o: { a: string, b?: string(..=9) } }"
    );
    let mut parameters = parameters(&["@param o { a: int }"]);
    let error = add_line(&mut parameters, "@param o.a int = ()").expect_err("null is no int");
    assert_eq!(error.code, TypeError::PARAM_PATH);
}

#[test]
fn a_path_refusal_changes_nothing() {
    let mut parameters = parameters(&["@param a any", "@param b { c: { d: int } }"]);
    let before = parameters.clone();
    for line in [
        "@param a[].b.c[0] int",
        "@param b.c.e int",
        "@param b[].c int",
        "@param b{}.c int",
        "@param b? int",
        "@param 1 int",
        "@param b..c int",
        "@param b.\"c int",
        "@param c.d int",
    ] {
        let error = add_line(&mut parameters, line).expect_err(line);
        assert_eq!(error.code, TypeError::PARAM_PATH, "{line}: {error}");
        assert!(error.help.is_some(), "{line}");
        assert_eq!(parameters, before, "{line}");
    }
}

fn a_type() -> impl Strategy<Value = Type> {
    let length = (0..9_u64, proptest::option::of(9..99_u64))
        .prop_map(|(min, max)| LengthRange::new(min, max).expect("min is below max"));
    let int = (proptest::option::of(-99..0_i64), proptest::option::of(0..i64::MAX))
        .prop_map(|(min, max)| IntRange::new(min, max).expect("min is below max"));
    let float = (proptest::option::of(-1e9..0.0), proptest::option::of(1e-9..1e300), any::<bool>())
        .prop_map(|(min, max, closed)| {
            let end = if closed { RangeEnd::Included } else { RangeEnd::Excluded };
            FloatRange::new(min, max, end).expect("min is below max")
        });
    let leaf = prop_oneof![
        Just(Type::Null),
        Just(Type::Any),
        Just(Type::Bool),
        int.prop_map(Type::Int),
        float.prop_map(Type::Float),
        length.clone().prop_map(Type::String),
        any::<String>().prop_map(Type::Literal),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let field = (any::<String>(), inner.clone(), proptest::option::of(a_value()));
        prop_oneof![
            (inner.clone(), length.clone()).prop_map(|(t, n)| Type::Array(Box::new(t), n)),
            (inner.clone(), length.clone()).prop_map(|(t, n)| Type::Map(Box::new(t), n)),
            inner.clone().prop_map(Type::optional),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Type::union),
            proptest::collection::vec(field, 0..4).prop_map(object_type),
        ]
    })
}

fn object_type(given: Vec<(String, Type, Option<Value>)>) -> Type {
    let mut fields: Vec<Field> = Vec::new();
    for (name, kind, default) in given {
        if fields.iter().all(|field| field.name != name) {
            let default = default.and_then(|value| kind.check(value).ok());
            fields.push(Field::new(name, kind).with_default(default));
        }
    }
    Type::Object(fields)
}

fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..99_i64).prop_map(Value::from),
        (-9..99_i64).prop_map(|n| Value::from(n as f64)),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    // A failure is kept as a named test, not as a seed in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_text_is_the_type(kind in a_type()) {
        let text = kind.to_string();
        prop_assert_eq!(Type::parse_stored(&text), Ok(kind.clone()), "{}", text);
        let json = serde_json::to_string(&kind).expect("it serializes");
        prop_assert_eq!(serde_json::from_str::<Type>(&json).ok(), Some(kind));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        check_text(&text)?;
    }

    #[test]
    fn any_near_type_is_parsed_or_refused(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("string"), Just("int"), Just("float"), Just("any"), Just("array<"),
                Just("map<string,"), Just(">"), Just("{"), Just("}"), Just("a:"), Just("b?: "),
                Just("["), Just("]"), Just("[]"), Just("("), Just(")"), Just("1..=5"),
                Just("(..3)"),
                Just("|"), Just("?"), Just("\"ä\""), Just("\\"), Just("="), Just("1"), Just("'"),
                Just(" "), Just(","), Just("#{"), Just("null"), Just("object"), Just("\u{202e}"),
            ],
            0..24,
        )
    ) {
        check_text(&parts.concat())?;
    }

    #[test]
    fn a_checked_value_stays_as_it_is(kind in a_type(), value in a_value()) {
        if let Ok(once) = kind.check(value) {
            prop_assert_eq!(kind.check(once.clone()), Ok(once));
        }
    }

    #[test]
    fn any_path_is_added_or_refused(path in "[ab.\\[\\]{}\"? ]{0,10}", kind in a_type()) {
        let mut parameters = parameters(&["@param a any", "@param b { a: { b: any }[] }?"]);
        if parameters.add(&path, kind, None, "what for").is_ok() && parameters.finish().is_ok() {
            let text = serde_json::to_string(&parameters).expect("it serializes");
            prop_assert_eq!(serde_json::from_str::<Parameters>(&text).ok(), Some(parameters));
        }
    }
}

fn check_text(text: &str) -> Result<(), TestCaseError> {
    let _ = parse_value(text);
    let _ = parse_default_prefix(text, &Type::Any);
    if let Ok((_, read)) = Type::parse_param_prefix(text) {
        prop_assert!(text.is_char_boundary(read));
    }
    match Type::parse(text) {
        Ok(kind) => {
            prop_assert_eq!(Type::parse_stored(&kind.to_string()), Ok(kind));
        }
        Err(error) => {
            prop_assert!(error.offset <= text.chars().count() && error.length > 0);
            prop_assert!(error.offset + error.length <= text.chars().count() + 1);
            prop_assert!(error.help.is_some(), "{}", error);
        }
    }
    Ok(())
}
