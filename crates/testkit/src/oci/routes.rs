//! The answers: OCI distribution specification 1.1, pull, push, content discovery and deletion.

use serde_json::{Value, json};

use super::auth::{self, Wish};
use super::reply::Reply;
use super::state::State;
use super::wire::Call;
use super::{INDEX, digest_of, uploads};

/// Answers a request.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    if call.path == "/token" {
        return auth::token(state, call);
    }
    if let Some(digest) = call.path.strip_prefix("/storage/") {
        return storage(state, call, digest);
    }
    if call.path == "/v2" || call.path == "/v2/" {
        let fine = || Reply::new(200).json("application/json", &json!({}));
        return auth::refuse(state, call, None).unwrap_or_else(fine).header(VERSION.0, VERSION.1);
    }
    let Some((name, part, rest)) = split(&call.path) else {
        return Reply::error(404, "NAME_UNKNOWN", "no such path");
    };
    let push = !matches!(call.method.as_str(), "GET" | "HEAD");
    if let Some(refusal) = auth::refuse(state, call, Some(&Wish { repository: name, push })) {
        return refusal.header(VERSION.0, VERSION.1);
    }
    let reply = match (call.method.as_str(), part) {
        ("GET" | "HEAD", Part::Manifests) => manifest(state, name, rest),
        ("PUT", Part::Manifests) => put_manifest(state, call, name, rest),
        ("DELETE", Part::Manifests) => delete_manifest(state, name, rest),
        ("GET" | "HEAD", Part::Blobs) => blob(state, call, name, rest),
        ("DELETE", Part::Blobs) => match state.repository(name).blobs.remove(rest) {
            Some(_) => Reply::new(202),
            None => blob_unknown(),
        },
        (_, Part::Uploads) => uploads::answer(state, call, name, rest),
        ("GET", Part::Referrers) => referrers(state, call, name, rest),
        ("GET", Part::Tags) => tags(state, call, name),
        _ => Reply::error(405, "UNSUPPORTED", "the operation is unsupported"),
    };
    reply.header(VERSION.0, VERSION.1)
}

const VERSION: (&str, &str) = ("Docker-Distribution-Api-Version", "registry/2.0");

#[derive(Clone, Copy)]
enum Part {
    Manifests,
    Blobs,
    Uploads,
    Referrers,
    Tags,
}

/// `/v2/NAME/PART/REST`; a name has slashes, too.
fn split(path: &str) -> Option<(&str, Part, &str)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some((name, Part::Tags, ""));
    }
    if let Some((name, rest)) = path.rsplit_once("/blobs/uploads") {
        return Some((name, Part::Uploads, rest.trim_start_matches('/')));
    }
    let parts = [("/manifests/", Part::Manifests), ("/blobs/", Part::Blobs), ("/referrers/", Part::Referrers)];
    parts.into_iter().find_map(|(mark, part)| path.rsplit_once(mark).map(|(name, rest)| (name, part, rest)))
}

pub(super) fn blob_unknown() -> Reply {
    Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry")
}

fn manifest(state: &State, name: &str, reference: &str) -> Reply {
    let Some(repository) = state.repositories.get(name) else {
        return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let digest = state.resolve(name, reference);
    let Some((digest, (media_type, bytes))) = digest.and_then(|digest| repository.manifests.get_key_value(&digest))
    else {
        return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    Reply::new(200).body(media_type, bytes.clone()).header("Docker-Content-Digest", digest)
}

fn put_manifest(state: &mut State, call: &Call, name: &str, reference: &str) -> Reply {
    let invalid = |what: &str| Reply::error(400, "MANIFEST_INVALID", what);
    let Ok(manifest) = serde_json::from_slice::<Value>(&call.body) else { return invalid("not JSON") };
    let Some(media_type) = call.header("content-type") else { return invalid("there is no Content-Type") };
    if manifest["mediaType"].as_str().is_some_and(|inside| inside != media_type) {
        return invalid("mediaType and Content-Type are not the same");
    }
    let digest = digest_of(&call.body);
    let tag = (!reference.contains(':')).then_some(reference);
    if tag.is_none() && reference != digest {
        return Reply::error(400, "DIGEST_INVALID", "the digest of the manifest is another one");
    }
    if let Some(missing) = missing(state, name, &manifest) {
        return Reply::error(404, "MANIFEST_BLOB_UNKNOWN", &format!("{missing} is not there"));
    }
    state.put_manifest(name, tag, media_type, &call.body);
    let location = format!("/v2/{name}/manifests/{digest}");
    let reply = Reply::new(201).header("Location", &location).header("Docker-Content-Digest", &digest);
    match manifest["subject"]["digest"].as_str() {
        Some(subject) if state.settings.referrers => reply.header("OCI-Subject", subject),
        _ => reply,
    }
}

/// The first blob or child that a manifest names and the repository lacks; a subject may be missing.
fn missing(state: &State, name: &str, manifest: &Value) -> Option<String> {
    let repository = state.repositories.get(name);
    let list = |key: &str| manifest[key].as_array().cloned().unwrap_or_default();
    let blobs = list("layers").into_iter().chain(manifest.get("config").cloned());
    let blob = |digest: &str| repository.is_some_and(|repository| repository.blobs.contains_key(digest));
    let child = |digest: &str| repository.is_some_and(|repository| repository.manifests.contains_key(digest));
    let digest = |value: &Value| value["digest"].as_str().unwrap_or("a descriptor without digest").to_owned();
    let missing_blob = blobs.map(|value| digest(&value)).find(|digest| !blob(digest));
    missing_blob.or_else(|| list("manifests").iter().map(digest).find(|digest| !child(digest)))
}

fn delete_manifest(state: &mut State, name: &str, reference: &str) -> Reply {
    let repository = state.repository(name);
    let gone = if reference.contains(':') {
        repository.tags.retain(|_, digest| digest != reference);
        repository.manifests.remove(reference).is_some()
    } else {
        repository.tags.remove(reference).is_some()
    };
    if gone { Reply::new(202) } else { Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown") }
}

fn blob(state: &State, call: &Call, name: &str, digest: &str) -> Reply {
    let Some(bytes) = state.repositories.get(name).and_then(|repository| repository.blobs.get(digest)) else {
        return blob_unknown();
    };
    if let Some(storage) = state.settings.blob_storage.as_ref().filter(|_| call.method == "GET") {
        return Reply::new(307).header("Location", &format!("{storage}/storage/{digest}?signed=1"));
    }
    served(call, digest, bytes)
}

/// The blob storage behind the registry: like an object store it takes signed URLs and refuses any other login.
fn storage(state: &State, call: &Call, digest: &str) -> Reply {
    if call.header("authorization").is_some() {
        return Reply::error(400, "UNSUPPORTED", "Only one auth mechanism allowed");
    }
    let blob = state.repositories.values().find_map(|repository| repository.blobs.get(digest));
    blob.map_or_else(blob_unknown, |bytes| served(call, digest, bytes))
}

/// A blob, or the part of it that `Range: bytes=A-[B]` asks for.
fn served(call: &Call, digest: &str, bytes: &[u8]) -> Reply {
    let whole = || Reply::new(200).body("application/octet-stream", bytes).header("Accept-Ranges", "bytes");
    let range = call.header("range").and_then(|range| range.strip_prefix("bytes=")).and_then(|r| r.split_once('-'));
    let reply = match range.map(|(from, to)| (from.parse::<usize>(), to.parse::<usize>().ok())) {
        Some((Ok(from), to)) if from < bytes.len() => {
            let end = to.map_or(bytes.len(), |to| bytes.len().min(to.saturating_add(1))).max(from);
            Reply::new(206)
                .body("application/octet-stream", &bytes[from..end])
                .header("Content-Range", &format!("bytes {from}-{}/{}", end.saturating_sub(1), bytes.len()))
        }
        Some((Ok(_), _)) => Reply::error(416, "UNSUPPORTED", "there is no such range"),
        _ => whole(),
    };
    reply.header("Docker-Content-Digest", digest)
}

fn referrers(state: &State, call: &Call, name: &str, subject: &str) -> Reply {
    if !state.settings.referrers {
        return Reply::error(404, "UNSUPPORTED", "no such path");
    }
    let wanted = call.query.get("artifactType").filter(|_| state.settings.filters_referrers);
    let fits = |found: &Value| wanted.is_none_or(|wanted| found["artifactType"].as_str() == Some(wanted));
    let found: Vec<Value> = state.referrers(name, subject).into_iter().filter(fits).collect();
    let start = call.query.get("start").and_then(|start| start.parse::<usize>().ok()).unwrap_or(0);
    let size = state.settings.page_size.unwrap_or(usize::MAX);
    let page: Vec<&Value> = found.iter().skip(start).take(size).collect();
    let end = start + page.len();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page });
    let mut reply = Reply::new(200).json(INDEX, &index);
    if end < found.len() {
        let filter = wanted.map(|wanted| format!("artifactType={}&", wanted.replace('+', "%2B")));
        let query = format!("{}start={end}", filter.unwrap_or_default());
        reply = reply.header("Link", &format!("</v2/{name}/referrers/{subject}?{query}>; rel=\"next\""));
    }
    if wanted.is_some() { reply.header("OCI-Filters-Applied", "artifactType") } else { reply }
}

fn tags(state: &State, call: &Call, name: &str) -> Reply {
    let Some(repository) = state.repositories.get(name) else {
        return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let last = call.query.get("last").map_or("", String::as_str);
    let asked = call.query.get("n").and_then(|n| n.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let size = asked.min(state.settings.page_size.unwrap_or(usize::MAX));
    let rest: Vec<&String> = repository.tags.keys().filter(|tag| last.is_empty() || tag.as_str() > last).collect();
    let page = &rest[..rest.len().min(size)];
    let reply = Reply::new(200).json("application/json", &json!({ "name": name, "tags": page }));
    match page.last() {
        Some(last) if page.len() < rest.len() => {
            reply.header("Link", &format!("</v2/{name}/tags/list?n={size}&last={last}>; rel=\"next\""))
        }
        _ => reply,
    }
}
