//! `ecr-gate decisions --id ID --evidence DIR`: what a decision rests on, as files.

use std::path::Path;

use model::Digest;
use serde::Deserialize;

use super::segment;
use crate::failure::Failure;
use crate::server::{Ask, Server, not_understood};
use crate::ui::Ui;

/// The largest piece that is read, in bytes.
const LARGEST: usize = 256 << 20;

#[derive(Deserialize)]
struct Listed {
    evidence: Vec<Piece>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    digest: Digest,
    is_facts: bool,
    kept: bool,
}

/// Writes every piece that is kept, and says which are not. What has not the digest that it is named by is not written.
pub(super) async fn write(server: &mut Server, id: &str, folder: &Path, ui: Ui) -> Result<(), Failure> {
    let ask = Ask::get(format!("decisions/{}/evidence", segment("--id", id)?));
    server.take_time();
    let sent = server.send(&ask).await;
    let listed: Listed = sent.and_then(|reply| reply.read()).map_err(|why| why.failure(server))?;
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::configuration(format!("the folder {} cannot be made: {error}", folder.display())))?;
    for Piece { digest, is_facts, kept } in listed.evidence {
        if !kept {
            ui.insist(&format!("warning: {digest} is not kept: it was too large, or is forgotten"));
            continue;
        }
        server.take_time();
        let sent = server.send(&Ask::get(format!("evidence/{digest}")).limit(LARGEST)).await;
        let bytes = sent.map_err(|why| why.failure(server))?.body;
        if digest.as_str().starts_with("sha256:") && Digest::of(&bytes) != digest {
            return Err(not_understood(format!("the service gave other bytes than those of {digest}")));
        }
        let ending = if is_facts { ".facts.json.gz" } else { "" };
        let path = folder.join(format!("{}{ending}", digest.as_str().replacen(':', "-", 1)));
        std::fs::write(&path, &bytes)
            .map_err(|error| Failure::internal(format!("{} cannot be written: {error}", path.display())))?;
        ui.say(&format!("{}: {} bytes", path.display(), bytes.len()));
    }
    Ok(())
}
