use super::*;

/// A directory with a configuration of one command, and a function of this text.
fn functions(text: &str) -> Result<Functions, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let config = Config::parse(
        br#"{"commands":[{"name":"solve","executable":"/bin/true"}]}"#,
        &path,
    )
    .unwrap();
    let place = directory.path().join(DIRECTORY);
    fs::create_dir(&place).unwrap();
    fs::write(place.join("model.mod"), "minimize;").unwrap();
    fs::write(place.join("f.json"), text).unwrap();
    fs::write(place.join("notes.txt"), "no definition").unwrap();
    beside(&config, &path).map_err(|error| {
        let shown = runtime::telling::line(&error);
        shown.replace(&format!("{}/", place.display()), "")
    })
}

#[test]
fn a_definition_says_what_a_function_is() {
    let found = functions(
        r#"{"command": "solve", "arguments": ["-m", "model.mod"],
            "files": {"models/model.mod": "model.mod"},
            "inputs": [{"id": "data", "path": "data.dat", "max-bytes": 100}],
            "outputs": [{"id": "plan", "path": "out/plan.txt"}],
            "limits": {"max-memory": 64}}"#,
    )
    .unwrap();
    let function = &found["f"];
    assert_eq!(function.arguments, ["-m", "model.mod"]);
    assert!(function.input("data").unwrap().required);
    assert!(function.input("plan").is_none());
    assert_eq!(function.limits.max_memory, NonZeroU64::new(64));
}

#[test]
fn every_fault_is_told_with_its_file_and_where_it_can_be_its_line() {
    for (text, fault) in [
        (
            "{\"command\": \"solve\",\n\"argument\": []}",
            "f.json:2: unknown field `argument`",
        ),
        ("{}", "f.json:1: missing field `command`"),
        ("{\"command\": \"sovle\"}", "f.json: \"command\": "),
        (
            "{\"command\": \"solve\",\n\n\"inputs\": [{\"id\": \"a/b\", \"path\": \"x\"}]}",
            "f.json:3: must be made of letters",
        ),
        (
            "{\"command\": \"solve\", \"outputs\": [{\"id\": \"a\",\n\"path\": \"../x\"}]}",
            "f.json:2: a path in the project must be plain",
        ),
        (
            "{\"command\": \"solve\", \"outputs\": [{\"id\": \"a\", \"path\": \"/etc/passwd\"}]}",
            "f.json:1: a path in the project must be relative",
        ),
        (
            "{\"command\": \"solve\", \"inputs\": [{\"id\": \"a\", \"path\": \"x\"}, {\"id\": \"a\", \"path\": \"y\"}]}",
            "f.json: \"inputs\" has the id \"a\" twice",
        ),
        (
            "{\"command\": \"solve\", \"inputs\": [{\"id\": \"a\", \"path\": \"x\"}, {\"id\": \"b\", \"path\": \"x/y\"}]}",
            "f.json: input \"b\": the path \"x/y\" is in the way of input \"a\"'s \"x\"",
        ),
        (
            "{\"command\": \"solve\", \"files\": {\"m\": \"absent.mod\"}}",
            "f.json: \"files\": no file absent.mod",
        ),
        (
            "{\"command\": \"solve\", \"command\": \"solve\"}",
            "f.json:1: duplicate field `command`",
        ),
    ] {
        let found = functions(text).unwrap_err();
        assert!(found.starts_with(fault), "{text}\n{found}\n{fault}");
    }
}

#[test]
fn limits_only_narrow() {
    let limit = |memory, time| Limits {
        max_memory: NonZeroU64::new(memory),
        max_time: NonZeroU64::new(time),
    };
    assert_eq!(limit(10, 0).narrowed(limit(20, 3)), limit(10, 3));
    assert_eq!(limit(0, 0).narrowed(limit(0, 0)), limit(0, 0));
    assert_eq!(limit(30, 9).narrowed(limit(20, 0)), limit(20, 9));
}

/// Every key of an object of the schema.
fn keys(schema: &serde_json::Value) -> Vec<&String> {
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: serde_json::Value = serde_json::from_str(include_str!(
        "../../../../../docs/opt-server-functions.schema.json"
    ))
    .unwrap();
    let function: Function = serde_json::from_str(
        r#"{"command": "c", "inputs": [{"id": "a", "path": "a", "max-bytes": 1}],
            "outputs": [{"id": "a", "path": "a"}], "limits": {"max-memory": 1, "max-time": 1}}"#,
    )
    .unwrap();
    let ours = serde_json::to_value(function).unwrap();
    let properties = &schema["properties"];
    for (schema, ours) in [
        (&schema, &ours),
        (&properties["inputs"]["items"], &ours["inputs"][0]),
        (&properties["outputs"]["items"], &ours["outputs"][0]),
        (&properties["limits"], &ours["limits"]),
    ] {
        let mut own: Vec<_> = ours.as_object().unwrap().keys().collect();
        own.sort();
        assert_eq!(keys(schema), own);
        assert_eq!(schema["additionalProperties"], false);
    }
}
