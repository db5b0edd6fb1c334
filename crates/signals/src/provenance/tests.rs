//! Provenance of both versions and of each build type, and what must not be read into one.

mod outside;

use serde_json::{Value, json};

use super::*;

const COMMIT: &str = "d37a7f740ee7404914456f24dcd90e865a0509e8";
const OTHER: &str = "4d329c75e7ec1725f7c9ce917a8799d408d06be3";
const MAIN: &str = "git+https://github.com/acme/app@refs/heads/main";

fn read(kind: &str, predicate: &Value) -> Result<Provenance, String> {
    parse(kind, predicate.to_string().as_bytes(), &Limits::STANDARD).map_err(|error| error.to_string())
}

fn v0_2() -> Value {
    json!({
        "builder": { "id": "https://builder.example/1" },
        "buildType": "https://builder.example/type",
        "invocation": {
            "configSource": { "uri": MAIN, "digest": { "sha1": COMMIT }, "entryPoint": "build.yml" },
            "parameters": { "version": "1.2", "flags": { "debug": false, "n": 3, "a/b~c": null }, "list": [1, "x"], "none": {} },
            "environment": { "any": ["thing", { "at": "all" }] }
        },
        "metadata": {
            "buildInvocationID": "run-1",
            "buildFinishedOn": "2026-03-01T10:00:00Z",
            "completeness": { "parameters": true, "environment": false, "materials": false },
            "reproducible": false
        },
        "materials": [
            { "uri": MAIN, "digest": { "sha1": COMMIT } },
            { "uri": "pkg:docker/alpine@3.17", "digest": { "sha256": "00" } }
        ]
    })
}

#[expect(clippy::needless_pass_by_value, reason = "called with what is made on the spot")]
fn v1(build_type: &str, parameters: Value, dependencies: Value) -> Value {
    json!({
        "buildDefinition": {
            "buildType": build_type,
            "externalParameters": parameters,
            "internalParameters": { "github": { "event_name": "push" } },
            "resolvedDependencies": dependencies
        },
        "runDetails": {
            "builder": { "id": "https://builder.example/1", "version": { "x": "1" } },
            "metadata": { "invocationId": "run-1", "startedOn": "2026-03-01T09:00:00Z", "finishedOn": "2026-03-01T10:00:00Z" }
        }
    })
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what may be missing")]
fn source(repository: &str, git_ref: Option<&str>, commit: Option<&str>) -> Option<SourceRevision> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Some(SourceRevision { repository: repository.to_owned(), git_ref: owned(git_ref), commit: owned(commit) })
}

fn app() -> Option<SourceRevision> {
    source("github.com/acme/app", Some("refs/heads/main"), Some(COMMIT))
}

#[test]
fn s27_version_0_2_is_read() {
    let read = read(V0_2, &v0_2()).unwrap();
    assert_eq!(
        (read.builder.as_str(), read.build_type.as_str()),
        ("https://builder.example/1", "https://builder.example/type")
    );
    assert_eq!((read.source, read.workflow.as_deref()), (app(), Some("build.yml")));
    assert_eq!(read.invocation.as_deref(), Some("run-1"));
    assert_eq!(read.finished.map(|time| time.to_string()).as_deref(), Some("2026-03-01T10:00:00Z"));
    assert_eq!(read.materials.len(), 2);
    assert_eq!(read.materials[1].uri, "pkg:docker/alpine@3.17");
    let parameters: Vec<_> = read.parameters.iter().map(|(path, text)| format!("{path}={text}")).collect();
    assert_eq!(
        parameters,
        ["flags/a~1b~0c=null", "flags/debug=false", "flags/n=3", "list=[1,\"x\"]", "none={}", "version=1.2"]
    );
}

#[test]
fn s27_a_source_is_named_only_where_all_that_is_said_agrees() {
    let with = |change: fn(&mut Value)| {
        let mut predicate = v0_2();
        change(&mut predicate);
        read(V0_2, &predicate).map(|read| read.source)
    };
    assert_eq!(with(|p| p["materials"] = Value::Null), Ok(app()));
    // The commit may stand beside the material alone.
    assert_eq!(with(|p| p["invocation"]["configSource"]["digest"] = Value::Null), Ok(app()));
    // Built was something else than what the configuration came from.
    assert_eq!(with(|p| p["materials"][0]["uri"] = "git+https://github.com/acme/other".into()), Ok(None));
    for odd in ["", "git+https://github.com/acme/app@", "git+https://x@github.com/acme/app", "pkg:github/acme/app"] {
        let mut predicate = v0_2();
        predicate["invocation"]["configSource"]["uri"] = odd.into();
        assert_eq!(read(V0_2, &predicate).unwrap().source, None, "{odd}");
    }
    assert_eq!(with(|p| p["invocation"] = Value::Null), Ok(None));
    // Two commits of one source.
    assert!(with(|p| p["materials"][0]["digest"]["sha1"] = OTHER.into()).unwrap_err().contains("at commit"));
    assert!(
        with(|p| p["invocation"]["configSource"]["uri"] = format!("git+https://github.com/acme/app@{OTHER}").into())
            .unwrap_err()
            .contains("at commit")
    );
    assert!(
        with(|p| p["invocation"]["configSource"]["digest"]["sha1"] = "main".into()).unwrap_err().contains("no commit")
    );
}

#[test]
fn s27_buildkit_and_gitlab_in_version_0_2() {
    let mut buildkit = v0_2();
    buildkit["buildType"] = "https://mobyproject.org/buildkit@v1".into();
    buildkit["invocation"]["configSource"] = json!({
        "uri": "https://github.com/acme/app.git#refs/heads/main", "digest": { "sha1": COMMIT }, "entryPoint": "Dockerfile"
    });
    buildkit["materials"] =
        json!([{ "uri": "https://github.com/acme/app.git#refs/heads/main", "digest": { "sha1": COMMIT } }]);
    let built = read(V0_2, &buildkit).unwrap();
    assert_eq!((built.source, built.workflow.as_deref()), (app(), Some("Dockerfile")));
    // A folder of whoever ran the build, and an archive from somewhere: neither is a repository.
    buildkit["materials"] = json!([]);
    buildkit["invocation"]["configSource"] = json!({ "entryPoint": "Dockerfile" });
    assert_eq!(read(V0_2, &buildkit).unwrap().source, None);
    buildkit["invocation"]["configSource"] =
        json!({ "uri": "https://files.example/app.tar", "digest": { "sha256": "a".repeat(64) } });
    assert_eq!(read(V0_2, &buildkit).unwrap().source, None);
    let mut gitlab = v0_2();
    gitlab["invocation"]["configSource"] =
        json!({ "uri": "https://gitlab.com/acme/app", "digest": { "sha256": COMMIT }, "entryPoint": "build" });
    gitlab["materials"] = json!([{ "uri": "https://gitlab.com/acme/app", "digest": { "sha256": COMMIT } }]);
    assert_eq!(read(V0_2, &gitlab).unwrap().source, source("gitlab.com/acme/app", None, Some(COMMIT)));
}

#[test]
fn s27_tekton_names_its_pipeline_and_its_inputs() {
    let mut tekton = v0_2();
    tekton["buildType"] = "tekton.dev/v1beta1/TaskRun".into();
    tekton["invocation"]["configSource"]["uri"] = "git+https://github.com/acme/pipelines".into();
    tekton["invocation"]["configSource"]["digest"]["sha1"] = OTHER.into();
    let git = |uri: &str, commit: &str| json!({ "uri": uri, "digest": { "sha1": commit } });
    let of = |materials: Value| {
        let mut tekton = tekton.clone();
        tekton["materials"] = materials;
        read(V0_2, &tekton).unwrap().source
    };
    let (pipelines, app) =
        (git("git+https://github.com/acme/pipelines", OTHER), git("git+https://github.com/acme/app.git", COMMIT));
    let wanted = source("github.com/acme/app", None, Some(COMMIT));
    assert_eq!(of(json!([pipelines, app, app])), wanted);
    assert_eq!(of(json!([pipelines])), None, "the pipeline's repository is not the source");
    assert_eq!(of(json!([app, git("git+https://github.com/acme/more", COMMIT)])), None, "which of the two?");
    assert_eq!(of(json!([app, git("git+https://github.com/acme/app.git", OTHER)])), None, "which of the two?");
    let named = |name: &str, uri: &str| json!({ "name": name, "uri": uri, "digest": { "sha1": COMMIT } });
    let inputs = json!([
        named("pipeline", "git+https://github.com/acme/pipelines"),
        { "uri": "gcr.io/x/y", "digest": { "sha256": "00" } },
        named("inputs/result", "git+https://github.com/acme/app.git")
    ]);
    for kind in ["https://tekton.dev/chains/v2/slsa", "https://tekton.dev/predicate/chains/slsa/v2"] {
        let built =
            read(V1, &v1(kind, json!({ "runSpec": {}, "buildConfigSource": { "path": "ci.yaml" } }), inputs.clone()))
                .unwrap();
        assert_eq!((built.source, built.workflow.as_deref()), (wanted.clone(), Some("ci.yaml")));
    }
}

#[test]
fn s27_each_build_type_of_version_1_says_it_in_its_own_place() {
    let dependency = json!([{ "uri": MAIN, "digest": { "gitCommit": COMMIT } }]);
    let workflow = json!({ "ref": "refs/heads/main", "repository": "https://github.com/acme/app", "path": ".github/workflows/x.yml" });
    let github = json!({ "workflow": workflow });
    for kind in [
        "https://actions.github.io/buildtypes/workflow/v1",
        "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
        "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
    ] {
        let built = read(V1, &v1(kind, github.clone(), dependency.clone())).unwrap();
        assert_eq!((built.source, built.workflow.as_deref()), (app(), Some(".github/workflows/x.yml")), "{kind}");
        assert_eq!(built.parameters["workflow/ref"], "refs/heads/main");
        assert_eq!(built.invocation.as_deref(), Some("run-1"));
    }
    for (kind, parameters, workflow) in [
        (
            "https://slsa.dev/container-based-build/v0.1?draft",
            json!({ "source": { "uri": MAIN, "digest": { "sha1": COMMIT } }, "configPath": "build.toml" }),
            "build.toml",
        ),
        (
            "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            json!({ "configSource": { "uri": "https://github.com/acme/app.git#refs/heads/main", "digest": { "sha1": COMMIT }, "path": "Dockerfile" }, "request": { "frontend": "dockerfile.v0" } }),
            "Dockerfile",
        ),
        (
            "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
            json!({ "substitutions": {}, "buildConfigSource": { "path": "cloudbuild.yaml", "ref": "refs/heads/main", "repository": "git+https://github.com/acme/app" } }),
            "cloudbuild.yaml",
        ),
        (
            "https://slsa-framework.github.io/gcb-buildtypes/triggered-build/v1",
            json!({ "configSource": { "path": "c.yaml", "ref": "refs/heads/main", "repository": "https://github.com/acme/app" }, "sourceToBuild": { "dir": "x" } }),
            "c.yaml",
        ),
        (
            "https://slsa-framework.github.io/gcb-buildtypes/triggered-build/v1",
            json!({ "configSource": { "path": "c.yaml", "ref": "refs/heads/x", "repository": "https://github.com/acme/config" }, "sourceToBuild": { "repository": "https://github.com/acme/app", "ref": "refs/heads/main" } }),
            "c.yaml",
        ),
    ] {
        let built = read(V1, &v1(kind, parameters, dependency.clone())).unwrap();
        assert_eq!((built.source, built.workflow.as_deref()), (app(), Some(workflow)), "{kind}");
    }
    let gitlab = json!({ "source": "https://gitlab.com/acme/app", "entryPoint": "build", "variables": { "CI_COMMIT_BRANCH": "main" } });
    let dependency = json!([{ "uri": "https://gitlab.com/acme/app", "digest": { "gitCommit": COMMIT } }]);
    for kind in [
        "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v17.0.0/PROVENANCE.md",
        "https://docs.gitlab.com/ci/pipeline_security/slsa/provenance_v1/",
    ] {
        let built = read(V1, &v1(kind, gitlab.clone(), dependency.clone())).unwrap();
        // Anyone may set a variable; the branch is not said.
        assert_eq!(built.source, source("gitlab.com/acme/app", None, Some(COMMIT)));
        assert_eq!(built.workflow.as_deref(), Some("build"));
    }
}

#[test]
fn s27_an_unknown_build_type_names_no_source() {
    let workflow = json!({ "workflow": { "ref": "refs/heads/main", "repository": "https://github.com/acme/app", "path": "x" }, "source": MAIN });
    for kind in [
        "https://evil.example/workflow/v1",
        "https://actions.github.io/buildtypes/workflow/v11",
        "https://actions.github.io/buildtypes/workflow/v1/x",
        "https://gitlab.com/gitlab-org/gitlab-runner-x/-/blob/",
        "http://actions.github.io/buildtypes/workflow/v1",
    ] {
        let built =
            read(V1, &v1(kind, workflow.clone(), json!([{ "uri": MAIN, "digest": { "gitCommit": COMMIT } }]))).unwrap();
        assert_eq!((built.source, built.workflow), (None, None), "{kind}");
        assert_eq!(built.parameters["workflow/path"], "x");
    }
}

#[test]
fn s27_a_commit_comes_only_from_the_same_revision() {
    let workflow =
        json!({ "workflow": { "ref": "refs/heads/main", "repository": "https://github.com/acme/app", "path": "x" } });
    let kind = "https://actions.github.io/buildtypes/workflow/v1";
    let with =
        |dependencies: Value| read(V1, &v1(kind, workflow.clone(), dependencies)).unwrap().source.unwrap().commit;
    let git = |uri: &str, commit: &str| json!({ "uri": uri, "digest": { "gitCommit": commit } });
    assert_eq!(with(json!([git("git+https://github.com/acme/app@refs/heads/other", OTHER)])), None);
    assert_eq!(with(json!([git("git+https://github.com/acme/app-x@refs/heads/main", OTHER)])), None);
    assert_eq!(
        with(json!([git("git+https://github.com/acme/app@refs/heads/other", OTHER), git(MAIN, COMMIT)])).as_deref(),
        Some(COMMIT)
    );
    assert_eq!(with(json!([git(MAIN, OTHER), git(MAIN, COMMIT)])), None, "which of the two?");
    assert_eq!(with(json!([git("git+https://github.com/acme/app", COMMIT)])).as_deref(), Some(COMMIT));
    assert_eq!(with(json!(null)), None);
}

#[test]
fn s27_what_says_two_things_or_nothing_is_refused() {
    let kind = "https://actions.github.io/buildtypes/workflow/v1";
    let parameters = |text: &str| {
        let whole = v1(kind, json!("@"), json!([])).to_string().replace("\"@\"", text);
        parse(V1, whole.as_bytes(), &Limits::STANDARD).map_err(|error| error.to_string())
    };
    let ours = r#"{"workflow":{"repository":"https://github.com/acme/app","ref":"refs/heads/main"}}"#;
    assert!(parameters(ours).unwrap().source.is_some());
    for (bad, said) in [
        (
            r#"{"workflow":{"repository":"https://github.com/acme/app","repository":"https://github.com/evil/app"}}"#,
            "stands twice",
        ),
        (r#"{"workflow":{},"workflow":{}}"#, "stands twice"),
        (
            r#"{"workflow":{"repository":"https://github.com/acme/app","Repository":"https://github.com/evil/app"}}"#,
            "some readers",
        ),
        (r#"{"Workflow":{"repository":"https://github.com/acme/app"}}"#, "some readers"),
        (r#"{"workflow":{"repository":["https://github.com/acme/app"]}}"#, "no text"),
        ("[]", "no object"),
        ("null", "no object"),
        ("7", "no object"),
    ] {
        let error = parameters(bad).expect_err(bad);
        assert!(
            error.contains(said) && error.starts_with("SLSA provenance, at buildDefinition.externalParameters"),
            "{bad}: {error}"
        );
    }
    for (from, to, said) in [
        (r#""id":"https://builder.example/1""#, r#""id":"""#, "builder.id: it is empty"),
        (r#""id":"https://builder.example/1""#, r#""id":"a","id":"b""#, "duplicate field"),
        (r#""id":"https://builder.example/1""#, r#""id":"a","Id":"b""#, "other readers"),
        (r#""builder":{"id":"https://builder.example/1"},"#, "", "missing field `builder`"),
        (r#""sha1":"d37a7"#, r#""sha1":"x","sha1":"d37a7"#, "stands twice"),
        (r#""buildInvocationID":"run-1""#, r#""buildInvocationID":"run-1","buildInvocationId":"run-2""#, "two things"),
        (r#""2026-03-01T10:00:00Z""#, r#""yesterday""#, "no time"),
    ] {
        let text = v0_2().to_string();
        assert!(text.contains(from), "{from}");
        let error = parse(V0_2, text.replace(from, to).as_bytes(), &Limits::STANDARD).expect_err(to).to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    for other in
        ["https://slsa.dev/provenance/v0.1", "https://slsa.dev/provenance/v2", "https://slsa.dev/provenance/v1.0", ""]
    {
        assert!(read(other, &v0_2()).unwrap_err().contains("is not known"), "{other}");
    }
    assert!(read(V1, &v0_2()).is_err() && read(V0_2, &v1(kind, json!({}), json!([]))).is_err());
    // The same under both names is the same.
    let both = v0_2()
        .to_string()
        .replace(r#""buildInvocationID":"run-1""#, r#""buildInvocationID":"run-1","buildInvocationId":"run-1""#);
    assert!(parse(V0_2, both.as_bytes(), &Limits::STANDARD).is_ok());
}

#[test]
fn a5_it_is_bounded() {
    let small = |limits: Limits, predicate: &Value| {
        parse(V0_2, predicate.to_string().as_bytes(), &limits).map_err(|error| error.cause)
    };
    let mut many = v0_2();
    many["materials"] = (0..20).map(|n| json!({ "uri": format!("pkg:x/{n}") })).collect();
    assert!(small(Limits { entries: 10, ..Limits::STANDARD }, &many).unwrap_err().contains("more than 10"));
    let mut many = v0_2();
    many["invocation"]["parameters"] =
        (0..20).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>().into();
    assert!(small(Limits { entries: 10, ..Limits::STANDARD }, &many).unwrap_err().contains("more values"));
    assert!(small(Limits { bytes: 100, ..Limits::STANDARD }, &v0_2()).unwrap_err().contains("at most 100"));
    // A long name above many others must not become as many long names.
    let mut deep = json!((0..2_000).map(|n| (n.to_string(), json!(1))).collect::<serde_json::Map<_, _>>());
    for _ in 0..20 {
        deep = json!({ "x".repeat(1_000): deep });
    }
    let mut long = v0_2();
    long["invocation"]["parameters"] = deep;
    assert!(small(Limits { bytes: 1 << 20, ..Limits::STANDARD }, &long).unwrap_err().contains("repeats itself"));
    let nested = format!("{}1{}", "{\"a\":".repeat(300), "}".repeat(300));
    let text = v0_2().to_string().replace(r#""version":"1.2""#, &format!(r#""version":{nested}"#));
    assert!(parse(V0_2, text.as_bytes(), &Limits::STANDARD).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(300))]
    #[test]
    fn a5_any_bytes_are_read_or_refused(at in 0_usize..1_200, byte in 0_u8.., cut in 0_usize..1_200) {
        for (kind, predicate) in [(V0_2, v0_2()), (V1, v1("https://actions.github.io/buildtypes/workflow/v1", json!({ "workflow": { "repository": "https://github.com/acme/app" } }), json!([])))] {
            let mut bytes = predicate.to_string().into_bytes();
            let whole = parse(kind, &bytes, &Limits::STANDARD).unwrap();
            let end = cut.min(bytes.len() - 1);
            proptest::prop_assert!(parse(kind, &bytes[..end], &Limits::STANDARD).is_err());
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
            if let Ok(changed) = parse(kind, &bytes, &Limits::STANDARD) {
                // No single byte makes another repository out of one without showing.
                let near = |of: &Provenance| of.source.as_ref().map(|source| source.repository.len());
                proptest::prop_assert!(near(&changed).is_none_or(|len| near(&whole).is_some_and(|was| was.abs_diff(len) <= 4)));
            }
        }
    }
}
