//! What is too long is refused before it is read.

use super::*;

#[test]
fn a_list_that_is_too_long_is_refused_before_it_is_read() {
    let text = review("", "Pod", "CREATE", &json!(0), &Value::Null).to_string();
    let many = |one: &str| [one; 1001].join(",");
    for list in ["containers", "initContainers", "ephemeralContainers", "volumes"] {
        let spec = format!(r#"{{"{list}":[{}]}}"#, many("{}"));
        let whole = text.replace("\"object\":0", &format!(r#""object":{{"spec":{spec}}}"#));
        let wrong = images(&parse(whole.as_bytes()).unwrap(), &Kinds::default()).unwrap_err().to_string();
        assert!(wrong.starts_with("/spec: a list has more than 1000 entries"), "{list}: {wrong}");
        // As before it is, and may be deleted.
        let update = whole
            .replace("CREATE", "UPDATE")
            .replace("\"oldObject\":null", &format!(r#""oldObject":{{"spec":{spec}}}"#));
        let read = images(&parse(update.as_bytes()).unwrap(), &Kinds::default());
        assert_eq!(read, Ok(Images::None("nothing but metadata and status is another")), "{list}");
        let other = update.replace(r#""oldObject":{"spec":{"#, r#""oldObject":{"spec":{"x":1,"#);
        assert!(images(&parse(other.as_bytes()).unwrap(), &Kinds::default()).is_err(), "{list}");
    }
    let owned =
        format!(r#""object":{{"metadata":{{"ownerReferences":[{}]}}}}"#, many(r#"{"kind":"","name":"","uid":""}"#));
    let wrong = parse(text.replace("\"object\":0", &owned).as_bytes()).unwrap_err();
    assert!(wrong.uid.is_some() && wrong.what.contains("more than 1000 entries"), "{wrong}");
    let keys: Vec<String> = (0..=1000).map(|number| format!(r#""ecr-gate.dev/{number}":"""#)).collect();
    let noted = format!(r#""object":{{"metadata":{{"annotations":{{{}}}}}}}"#, keys.join(","));
    assert!(parse(text.replace("\"object\":0", &noted).as_bytes()).unwrap_err().what.contains("too many"));
    let groups = review("", "Pod", "CREATE", &json!({}), &Value::Null).to_string();
    let groups = groups.replace(r#""groups":["oncall","#, &format!(r#""groups":["oncall",{},"#, many("\"a\"")));
    assert_eq!(parse(groups.as_bytes()).unwrap().user.groups.len(), 1000, "the others give nobody any right");
}
