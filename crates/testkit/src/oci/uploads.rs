//! Pushing blobs: in one request, in two, in pieces, or mounted from another repository.

use super::digest_of;
use super::reply::Reply;
use super::routes::blob_unknown;
use super::state::State;
use super::wire::Call;

/// `/v2/NAME/blobs/uploads/[ID]`
pub(super) fn answer(state: &mut State, call: &Call, name: &str, id: &str) -> Reply {
    match (call.method.as_str(), id) {
        ("POST", "") => begin(state, call, name),
        (_, id) if !state.uploads.contains_key(id) => Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload"),
        ("PATCH", id) => {
            let held = state.uploads.entry(id.to_owned()).or_default();
            held.extend_from_slice(&call.body);
            let end = held.len();
            under_way(state, name, id, 202, end)
        }
        ("GET", id) => {
            let end = state.uploads.get(id).map_or(0, Vec::len);
            under_way(state, name, id, 204, end)
        }
        ("PUT", id) => {
            let mut held = state.uploads.remove(id).unwrap_or_default();
            held.extend_from_slice(&call.body);
            finish(state, call, name, held)
        }
        ("DELETE", id) => {
            state.uploads.remove(id);
            Reply::new(204)
        }
        _ => Reply::error(405, "UNSUPPORTED", "the operation is unsupported"),
    }
}

fn begin(state: &mut State, call: &Call, name: &str) -> Reply {
    if call.query.contains_key("digest") {
        return finish(state, call, name, call.body.clone());
    }
    if let (Some(digest), Some(from), true) =
        (call.query.get("mount"), call.query.get("from"), state.settings.mounts_blobs)
    {
        let source = state.repositories.get(from).and_then(|repository| repository.blobs.get(digest)).cloned();
        if let Some(bytes) = source {
            state.repository(name).blobs.insert(digest.clone(), bytes);
            return created(name, digest);
        }
    }
    let id = format!("upload-{}", state.number());
    state.uploads.insert(id.clone(), Vec::new());
    under_way(state, name, &id, 202, 0)
}

/// The Location carries a state of the registry's own, which a client has to send back.
fn under_way(state: &State, name: &str, id: &str, status: u16, end: usize) -> Reply {
    let host = if state.settings.absolute_locations { format!("http://{}", state.address) } else { String::new() };
    Reply::new(status)
        .header("Location", &format!("{host}/v2/{name}/blobs/uploads/{id}?_state=s%3D{end}"))
        .header("Range", &format!("0-{}", end.saturating_sub(1)))
        .header("Docker-Upload-UUID", id)
}

fn finish(state: &mut State, call: &Call, name: &str, bytes: Vec<u8>) -> Reply {
    let digest = digest_of(&bytes);
    match call.query.get("digest") {
        Some(wanted) if *wanted == digest => {
            state.repository(name).blobs.insert(digest.clone(), bytes);
            created(name, &digest)
        }
        Some(_) => Reply::error(400, "DIGEST_INVALID", "the digest of the blob is another one"),
        None => blob_unknown(),
    }
}

fn created(name: &str, digest: &str) -> Reply {
    Reply::new(201).header("Location", &format!("/v2/{name}/blobs/{digest}")).header("Docker-Content-Digest", digest)
}
