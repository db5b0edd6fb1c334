//! Genuine provenance by others, from the folder that `ECR_GATE_TESTDATA` names. Signatures are not looked at here.

use std::path::PathBuf;

use super::*;

/// The payload of the provenance of an image: the blob that is a DSSE envelope.
#[expect(clippy::disallowed_methods, reason = "tests read documents of others")]
fn statement(version: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("ECR_GATE_TESTDATA") else {
        println!("skipped: ECR_GATE_TESTDATA is not set, the provenance of {version} is not read");
        return None;
    };
    let blobs = PathBuf::from(folder).join(format!("slsa-images/{version}/container_workflow_dispatch/blobs/sha256"));
    for entry in std::fs::read_dir(&blobs).expect("the blobs of the image") {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let Ok(Value::Object(blob)) = serde_json::from_slice(&bytes) else { continue };
        if let Some(Value::String(payload)) = blob.get("payload") {
            return Some(serde_json::from_slice(&base64(payload)).unwrap());
        }
    }
    panic!("no envelope in {}", blobs.display());
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).expect("base64");
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn s27_the_generator_for_containers() {
    for (version, git_ref, commit) in [("v1.10.0", "refs/tags/v13.0.30", COMMIT), ("v2.1.0", "refs/heads/main", OTHER)]
    {
        let Some(statement) = statement(version) else { return };
        assert_eq!(statement["predicateType"], V0_2);
        let read = read(V0_2, &statement["predicate"]).unwrap();
        let generator = "https://github.com/slsa-framework/slsa-github-generator";
        assert_eq!(
            read.builder,
            format!("{generator}/.github/workflows/generator_container_slsa3.yml@refs/tags/{version}")
        );
        assert_eq!(read.build_type, format!("{generator}/container@v1"));
        assert_eq!(read.source, source("github.com/slsa-framework/example-package", Some(git_ref), Some(commit)));
        let workflow = ".github/workflows/verifier-e2e.all.workflow_dispatch.main.all.slsa3.yml";
        assert_eq!(read.workflow.as_deref(), Some(workflow));
        assert!(read.invocation.is_some() && read.parameters.is_empty(), "{:?}", read.parameters);
        assert_eq!(read.materials.len(), 1);
    }
}
