//! Each mistake is found, and what is right is not complained about.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use serde_json::{Value, json};

use super::{Certificate, Check, Configured, Gate, Observed, Probe, State, Tags, examine};

const EXPRESSION: &str = include_str!("../../../../deploy/helm/ecr-gate/templates/_webhooks.tpl");

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// An authority and a certificate of it, as Secrets and webhooks have them.
fn certificates(names: &[&str], last: (i32, u8, u8)) -> (String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (authority.not_before, authority.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2036, 1, 1));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    (leaf.not_before, leaf.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(last.0, last.1, last.2));
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    (STANDARD.encode(authority.pem()), STANDARD.encode(leaf.pem()))
}

fn hook(path: &str, name: &str, policy: &str, requirements: &Value, bundle: &str) -> Value {
    let (_, expression) = EXPRESSION.split_once("expression: >-").unwrap();
    let (expression, _) = expression.split_once("{{- end -}}").unwrap();
    json!({
        "name": format!("{name}.{path}.ecr-gate.dev"),
        "clientConfig": {
            "service": { "name": "gate", "namespace": "ecr-gate", "path": format!("/admission/{path}"), "port": 443 },
            "caBundle": bundle,
        },
        "rules": [
            { "operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "scope": "Namespaced",
              "resources": ["pods", "pods/ephemeralcontainers", "replicationcontrollers"] },
            { "operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "apiVersions": ["*"], "scope": "Namespaced",
              "resources": ["deployments", "replicasets", "statefulsets", "daemonsets"] },
            { "operations": ["CREATE", "UPDATE"], "apiGroups": ["batch"], "apiVersions": ["*"], "scope": "Namespaced",
              "resources": ["jobs", "cronjobs"] },
        ],
        "namespaceSelector": { "matchExpressions": requirements },
        "objectSelector": {},
        "matchConditions": [{ "name": "what-makes-pods-changes", "expression": expression.trim() }],
        "matchPolicy": "Equivalent",
        "failurePolicy": policy,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 10,
    })
}

fn hooks(path: &str, bundle: &str) -> Vec<Value> {
    let key = "kubernetes.io/metadata.name";
    let system = json!([{ "key": key, "operator": "In", "values": ["kube-system"] }]);
    let rest = json!([{ "key": key, "operator": "NotIn", "values": ["kube-system", "ecr-gate"] }]);
    let list = [hook(path, "kube-system", "Ignore", &system, bundle), hook(path, "other", "Fail", &rest, bundle)];
    vec![json!({ "metadata": { "name": "gate" }, "webhooks": list })]
}

fn namespace(name: &str, labels: &Value) -> Value {
    json!({ "metadata": { "name": name, "labels": labels }, "status": { "phase": "Active" } })
}

/// A cluster in which everything is right.
fn right() -> Observed {
    let (authority, leaf) = certificates(&["gate.ecr-gate.svc"], (2027, 1, 1));
    let labels = json!({ "app.kubernetes.io/name": "ecr-gate", "app.kubernetes.io/version": "1.0.0" });
    let pod = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "image": "registry/ecr-gate@sha256:1" }] } });
    Observed {
        gate: gate("ecr-gate"),
        now: now(),
        version: "1.0.0",
        server: Ok(json!({ "major": "1", "minor": "35+" })),
        validating: Ok(hooks("validate", &authority)),
        mutating: Ok(hooks("mutate", &authority)),
        namespaces: Ok(["default", "kube-system", "ecr-gate", "shop"].map(|name| namespace(name, &json!({}))).to_vec()),
        services: Ok(vec![json!({
            "metadata": { "name": "gate" },
            "spec": { "selector": { "app.kubernetes.io/name": "ecr-gate" }, "ports": [{ "port": 8443 }, { "port": 443 }] },
        })]),
        slices: Ok(vec![json!({
            "metadata": { "labels": { "kubernetes.io/service-name": "gate" } },
            "endpoints": [{ "conditions": { "ready": true } }, { "conditions": {} }],
        })]),
        deployments: Ok(vec![json!({
            "spec": { "replicas": 2, "template": { "metadata": { "labels": labels } } }, "status": { "availableReplicas": 2 },
        })]),
        pods: Ok(vec![pod.clone(), pod]),
        budgets: Ok(vec![json!({ "spec": { "selector": { "matchLabels": { "app.kubernetes.io/name": "ecr-gate" } } } })]),
        settings: Ok(Vec::new()),
        certificates: BTreeMap::from([("gate-tls".to_owned(), Ok(Certificate::Found(leaf)))]),
        probe: Probe::Refused(
            "admission webhook \"other.validate.ecr-gate.dev\" denied the request: ecr-gate: registry\n[registry] trial: …".to_owned(),
        ),
    }
}

fn gate(namespace: &str) -> Gate {
    Gate { namespace: namespace.to_owned(), urls: Vec::new() }
}

fn looked_with(observed: &Observed, tags: Tags) -> Vec<Check> {
    let environment_of = |name: &str| if name.starts_with("dev") { "staging" } else { "production" }.to_owned();
    examine(observed, Some(&Configured { environment_of: &environment_of, tags }))
}

fn looked(observed: &Observed) -> Vec<Check> {
    looked_with(observed, Tags::Pods)
}

fn complaints_of(checks: Vec<Check>) -> Vec<(State, String)> {
    let checks = checks.into_iter().filter(|check| check.state != State::Ok);
    checks.map(|check| (check.state, format!("{}: {}", check.id, check.found))).collect()
}

fn complaints(observed: &Observed) -> Vec<(State, String)> {
    complaints_of(looked(observed))
}

#[test]
fn d1_where_everything_is_right_nothing_is_complained_about() {
    assert_eq!(complaints(&right()), []);
    assert!(looked(&right()).len() > 20);
}

/// The webhook of all other namespaces.
fn other(list: &mut super::Look<Vec<Value>>) -> &mut Value {
    &mut list.as_mut().unwrap()[0]["webhooks"][1]
}

#[test]
fn d1_each_mistake_is_found_and_says_what_to_do() {
    use State::{Problem, Unknown, Warning};
    type Change = fn(&mut Observed);
    let cases: Vec<(&str, State, &str, Change)> = vec![
        ("none", Problem, "kubernetes.webhooks: none asks the gate: everything starts", |o| {
            o.validating = Ok(Vec::new());
        }),
        ("none, nor a gate", Problem, "there is no gate in the namespace ecr-gate", |o| {
            (o.validating, o.mutating, o.deployments) = (Ok(Vec::new()), Ok(Vec::new()), Ok(Vec::new()));
        }),
        ("no mutation", Problem, "tags stay tags", |o| o.mutating = Ok(Vec::new())),
        ("unread", Unknown, "kubernetes.webhooks: forbidden", |o| o.validating = Err("forbidden".to_owned())),
        ("ignore", Problem, "kubernetes.failurePolicy: Ignore", |o| {
            other(&mut o.validating)["failurePolicy"] = json!("Ignore");
        }),
        ("ignore for more than kube-system", Problem, "kubernetes.failurePolicy: Ignore", |o| {
            let names =
                json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": ["kube-system", "shop"] });
            other(&mut o.validating)["failurePolicy"] = json!("Ignore");
            other(&mut o.validating)["namespaceSelector"] = json!({ "matchExpressions": [names] });
        }),
        ("two seconds", Problem, "kubernetes.timeout: 2 s", |o| other(&mut o.validating)["timeoutSeconds"] = json!(2)),
        ("four seconds", Warning, "kubernetes.timeout: 4 s", |o| other(&mut o.mutating)["timeoutSeconds"] = json!(4)),
        ("thirty seconds", Warning, "kubernetes.timeout: 30 s", |o| {
            other(&mut o.validating)["timeoutSeconds"] = json!(30);
        }),
        ("effects", Warning, "kubernetes.sideEffects: None", |o| {
            other(&mut o.validating)["sideEffects"] = json!("None");
        }),
        ("creates only", Problem, "CREATE and UPDATE of pods", |o| {
            other(&mut o.validating)["rules"][0]["operations"] = json!(["CREATE"]);
        }),
        ("no debugging", Problem, "of pods/ephemeralcontainers", |o| {
            other(&mut o.validating)["rules"][0]["resources"] = json!(["pods"]);
        }),
        ("no jobs", Warning, "jobs, cronjobs are not asked about", |o| {
            other(&mut o.validating)["rules"][2]["apiGroups"] = json!(["other"]);
        }),
        ("cluster scope", Problem, "of pods", |o| other(&mut o.validating)["rules"][0]["scope"] = json!("Cluster")),
        ("exact", Problem, "matchPolicy is Exact", |o| other(&mut o.validating)["matchPolicy"] = json!("Exact")),
        ("labels of objects", Problem, "kubernetes.objectSelector", |o| {
            other(&mut o.validating)["objectSelector"] =
                json!({ "matchExpressions": [{ "key": "skip", "operator": "DoesNotExist" }] });
        }),
        ("another condition", Warning, "false: what-makes-pods-changes: `request.userInfo.username != 'root'`", |o| {
            other(&mut o.validating)["matchConditions"][0]["expression"] =
                json!("request.userInfo.username\n  != 'root'");
        }),
        ("the chart's condition by another name", Warning, "matchConditions: not those of this version", |o| {
            other(&mut o.validating)["matchConditions"][0]["name"] = json!("mine");
        }),
        ("a condition about namespaces", Problem, "false: more: `request.namespace != 'shop'`", |o| {
            more(&mut o.validating, "request.namespace != 'shop'");
        }),
        ("one about them for mutation", Problem, "matchConditions: whole namespaces may be let by", |o| {
            more(&mut o.mutating, "!has(namespaceObject.metadata.labels)");
        }),
        ("what conditions choose cannot be told", Unknown, "namespaces: which of 4 are asked about is said by", |o| {
            more(&mut o.validating, "object.metadata['namespace'] != 'shop'");
        }),
        (
            "an address that nobody named",
            Warning,
            "webhooks: it asks https://10.0.0.1:9443 at a path of the gate",
            |o| {
                let mut one = other(&mut o.validating).clone();
                one["clientConfig"] = json!({ "url": "https://10.0.0.1:9443/admission/validate" });
                o.validating.as_mut().unwrap()[0]["webhooks"].as_array_mut().unwrap().push(one);
            },
        ),
        ("nobody but such a one", Problem, "none asks the gate: everything starts", |o| {
            for hook in o.validating.as_mut().unwrap()[0]["webhooks"].as_array_mut().unwrap() {
                hook["clientConfig"] = json!({ "url": "https://10.0.0.1:9443/admission/validate" });
            }
        }),
        (
            "a namespace without mutation",
            Warning,
            "mutation does not see: pods, pods/ephemeralcontainers in shop",
            |o| {
                other(&mut o.mutating)["namespaceSelector"]["matchExpressions"][0]["values"] =
                    json!(["ecr-gate", "shop"]);
            },
        ),
        ("mutation without debugging", Warning, "see: pods/ephemeralcontainers in default, shop", |o| {
            other(&mut o.mutating)["rules"][0]["resources"] = json!(["pods"]);
        }),
        ("mutation of creates only", Warning, "see: pods, pods/ephemeralcontainers in default, shop", |o| {
            other(&mut o.mutating)["rules"][0]["operations"] = json!(["CREATE"]);
        }),
        ("a strange selector of mutation", Unknown, "kubernetes.mutation: ", |o| {
            other(&mut o.mutating)["namespaceSelector"]["matchExpressions"][0]["operator"] = json!("Gt");
        }),
        ("a bare namespace", Problem, "nobody asks about what starts in shop", |o| {
            other(&mut o.validating)["namespaceSelector"]["matchExpressions"][0]["values"] =
                json!(["ecr-gate", "shop"]);
        }),
        ("a strange selector", Unknown, "has the operator \"Gt\"", |o| {
            other(&mut o.validating)["namespaceSelector"]["matchExpressions"][0]["operator"] = json!("Gt");
        }),
        ("a label that says otherwise", Warning, "dev-1 is staging, and its label environment says production", |o| {
            o.namespaces.as_mut().unwrap().push(namespace("dev-1", &json!({ "environment": "production" })));
        }),
        ("a label that is lighter", Warning, "shop-2 is production, and its label example.com/env says test", |o| {
            o.namespaces.as_mut().unwrap().push(namespace("shop-2", &json!({ "example.com/env": "test" })));
        }),
        ("a name that says otherwise", Warning, "dev-prod is staging, and its name says production", |o| {
            o.namespaces.as_mut().unwrap().push(namespace("dev-prod", &json!({})));
        }),
        ("two environments", Warning, "judged as several environments: dev-1 (production and staging)", |o| {
            o.namespaces.as_mut().unwrap().push(namespace("dev-1", &json!({})));
            let mut more = other(&mut o.validating).clone();
            more["clientConfig"]["service"]["path"] = json!("/admission/validate/production");
            o.validating.as_mut().unwrap()[0]["webhooks"].as_array_mut().unwrap().push(more);
        }),
        ("no service", Problem, "there is no Service gate", |o| o.services = Ok(Vec::new())),
        ("another port", Problem, "it has no port 443", |o| {
            o.services.as_mut().unwrap()[0]["spec"]["ports"] = json!([{ "port": 8443 }]);
        }),
        ("nobody behind it", Problem, "nothing is behind it", |o| o.slices = Ok(Vec::new())),
        ("nobody ready", Problem, "none of 1 behind it is ready", |o| {
            o.slices.as_mut().unwrap()[0]["endpoints"] = json!([{ "conditions": { "ready": false } }]);
        }),
        ("one replica", Warning, "kubernetes.replicas: 1", |o| {
            o.deployments.as_mut().unwrap()[0]["spec"]["replicas"] = json!(1);
        }),
        ("no budget", Warning, "no PodDisruptionBudget", |o| o.budgets = Ok(Vec::new())),
        ("one away", Warning, "1 of 2 available", |o| {
            o.deployments.as_mut().unwrap()[0]["status"]["availableReplicas"] = json!(1);
        }),
        ("an old server", Problem, "1.27 is older than 1.28", |o| {
            o.server = Ok(json!({ "major": "1", "minor": "27" }));
        }),
        ("two versions", Warning, "its pods run registry/ecr-gate@sha256:1, registry/ecr-gate@sha256:2", |o| {
            o.pods.as_mut().unwrap()[0]["spec"]["containers"][0]["image"] = json!("registry/ecr-gate@sha256:2");
        }),
        ("another version", Warning, "it is 1.0.0 in the cluster, and this is 2.0.0", |o| o.version = "2.0.0"),
        ("no authority", Problem, "kubernetes.caBundle: none", |o| {
            other(&mut o.validating)["clientConfig"]["caBundle"] = json!("");
        }),
        ("no certificate", Problem, "kubernetes.caBundle: it holds no certificate", |o| {
            other(&mut o.mutating)["clientConfig"]["caBundle"] = json!(STANDARD.encode("hello"));
        }),
        ("another authority", Problem, "none of the authorities signed it", |o| {
            o.certificates.insert(
                "gate-tls".to_owned(),
                Ok(Certificate::Found(certificates(&["gate.ecr-gate.svc"], (2027, 1, 1)).1)),
            );
        }),
        ("an ended certificate", Problem, "kubernetes.certificate: it ended on 2026-05-31", |o| {
            renewed(o, &["gate.ecr-gate.svc"], (2026, 5, 31));
        }),
        ("a certificate that ends", Warning, "kubernetes.certificate: it ends on 2026-06-10", |o| {
            renewed(o, &["gate.ecr-gate.svc"], (2026, 6, 10));
        }),
        ("another name", Problem, "it is for other names", |o| renewed(o, &["gate.elsewhere.svc"], (2027, 1, 1))),
        ("a secret that may not be read", Unknown, "kubernetes.certificate: forbidden", |o| {
            o.certificates.insert("gate-tls".to_owned(), Err("forbidden".to_owned()));
        }),
        ("a secret that is gone", Problem, "there is no Secret gate-tls in ecr-gate", |o| {
            o.certificates.insert("gate-tls".to_owned(), Ok(Certificate::NoSecret));
        }),
        ("a secret without it", Problem, "the Secret has no tls.crt", |o| {
            o.certificates.insert("gate-tls".to_owned(), Ok(Certificate::Empty));
        }),
        ("admitted", Problem, "would start in default", |o| o.probe = Probe::Admitted("default".to_owned())),
        ("unreachable", Problem, "failed calling webhook", |o| {
            o.probe = Probe::Refused("failed calling webhook \"x\": no endpoints available".to_owned());
        }),
        ("undecided", Problem, "cannot decide (store)", |o| {
            o.probe = Probe::Refused("admission webhook \"x\" denied the request: ecr-gate: store\n[store]".to_owned());
        }),
        ("no such environment", Problem, "cannot decide (request)", |o| {
            let words = "denied the request: ecr-gate: request\n[request] environment \"staging\" is not declared";
            o.probe = Probe::Refused(format!("admission webhook \"x\" {words}"));
        }),
        ("somebody else", Unknown, "somebody else said no", |o| o.probe = Probe::Refused("exceeded quota".to_owned())),
        ("not tried", Unknown, "forbidden", |o| o.probe = Probe::NotTried("forbidden".to_owned())),
    ];
    for (name, state, words, change) in cases {
        let mut observed = right();
        change(&mut observed);
        let found = complaints(&observed);
        assert!(found.iter().any(|(is, said)| *is == state && said.contains(words)), "{name}: {found:#?}");
        for check in looked(&observed).iter().filter(|check| check.state != State::Ok) {
            assert!(check.remedy.is_some() && !check.why.is_empty(), "{name}: {check:?}");
        }
    }
}

/// Another condition beside the chart's.
fn more(list: &mut super::Look<Vec<Value>>, expression: &str) {
    let condition = json!({ "name": "more", "expression": expression });
    other(list)["matchConditions"].as_array_mut().unwrap().push(condition);
}

#[test]
fn d2_what_mutation_has_to_see_is_said_by_the_configuration() {
    let without = Observed { mutating: Ok(Vec::new()), ..right() };
    let of = |checks: Vec<Check>| complaints_of(checks).into_iter().map(|(state, _)| state).collect::<Vec<_>>();
    for tags in [Tags::Pods, Tags::All] {
        assert_eq!(of(looked_with(&without, tags)), [State::Problem], "{tags:?}");
    }
    assert_eq!(of(looked_with(&without, Tags::Off)), [State::Warning]);
    let unread = complaints_of(examine(&without, None));
    assert!(unread.iter().all(|(state, _)| *state == State::Unknown) && unread.len() == 2, "{unread:?}");
    // What the chart registers for pods alone is enough for them, and not for all.
    let mut pods = right();
    for hook in pods.mutating.as_mut().unwrap()[0]["webhooks"].as_array_mut().unwrap() {
        hook["rules"].as_array_mut().unwrap().truncate(1);
        hook["rules"][0]["resources"] = json!(["pods", "pods/ephemeralcontainers"]);
    }
    assert_eq!(complaints(&pods), []);
    let all = complaints_of(looked_with(&pods, Tags::All));
    let [(State::Warning, said)] = all.as_slice() else { panic!("{all:?}") };
    assert!(
        said.contains("replicationcontrollers, deployments") && said.ends_with("in default, kube-system, shop"),
        "{said}"
    );
}

#[test]
fn d1_whoever_looks_into_another_namespace_is_told_where_the_gate_is() {
    let mistyped = Observed { gate: gate("nope"), deployments: Ok(Vec::new()), ..right() };
    let said = "kubernetes.gate: there is no gate in the namespace nope; the webhooks ask one in ecr-gate".to_owned();
    assert_eq!(complaints(&mistyped), [(State::Problem, said)]);
    assert_eq!(looked(&mistyped)[0].remedy.as_deref().unwrap().matches("--namespace ecr-gate").count(), 1);
    // Webhooks that name the gate's address are found whatever the namespace is.
    let mut outside = right();
    outside.gate.urls = vec!["https://10.0.0.1:9443".parse().unwrap()];
    for list in [&mut outside.validating, &mut outside.mutating] {
        for hook in list.as_mut().unwrap()[0]["webhooks"].as_array_mut().unwrap() {
            let path = hook["clientConfig"]["service"]["path"].as_str().unwrap().to_owned();
            hook["clientConfig"] =
                json!({ "url": format!("https://10.0.0.1:9443{path}"), "caBundle": hook["clientConfig"]["caBundle"] });
        }
    }
    let is_missed = |observed: &Observed| looked(observed).iter().any(|check| check.id == "kubernetes.gate");
    assert!(!is_missed(&outside), "{:#?}", complaints(&outside));
    outside.gate.namespace = "nope".to_owned();
    // Nothing of it is in the cluster, and every namespace is asked about.
    outside.deployments = Ok(Vec::new());
    outside.namespaces.as_mut().unwrap().retain(|one| one["metadata"]["name"] != "ecr-gate");
    for one in outside.namespaces.as_mut().unwrap() {
        one["metadata"]["labels"] = json!({ "kubernetes.io/metadata.name": one["metadata"]["name"] });
    }
    assert!(!is_missed(&outside), "{:#?}", complaints(&outside));
    outside
        .namespaces
        .as_mut()
        .unwrap()
        .push(namespace("ecr-gate", &json!({ "kubernetes.io/metadata.name": "ecr-gate" })));
    assert!(is_missed(&outside), "its own namespace is left out, and is not the one that was named");
}

/// Another certificate and its authority.
fn renewed(observed: &mut Observed, names: &[&str], last: (i32, u8, u8)) {
    let (authority, leaf) = certificates(names, last);
    observed.validating = Ok(hooks("validate", &authority));
    observed.mutating = Ok(hooks("mutate", &authority));
    observed.certificates.insert("gate-tls".to_owned(), Ok(Certificate::Found(leaf)));
}

#[test]
fn d1_what_cannot_be_looked_at_is_never_called_right() {
    let no = || Err("forbidden".to_owned());
    let observed = Observed {
        server: Err("forbidden".to_owned()),
        validating: no(),
        mutating: no(),
        namespaces: no(),
        services: no(),
        slices: no(),
        deployments: no(),
        pods: no(),
        budgets: no(),
        settings: no(),
        certificates: BTreeMap::new(),
        probe: Probe::NotTried("forbidden".to_owned()),
        ..right()
    };
    let checks = examine(&observed, None);
    assert!(!checks.is_empty() && checks.iter().all(|check| check.state == State::Unknown), "{checks:#?}");
    let unread = Observed { services: no(), slices: no(), deployments: no(), budgets: no(), ..right() };
    assert!(complaints(&unread).iter().all(|(state, _)| *state == State::Unknown) && !complaints(&unread).is_empty());
}
