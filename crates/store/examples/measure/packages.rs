//! Which images hold a package that has a new CVE: the work follows the images that do, whatever the number of those that do not.

use std::time::{Duration, Instant};

use model::Digest;
use serde_json::{Value, json};
use store::{Backend, Batch, PackagesRow, Store};

use crate::databases::Databases;
use crate::rows::image;
use crate::{Outcome, percentile};

/// Images with the same bill of materials.
const SHARING: u64 = 5;
/// Packages of each bill of materials.
const PACKAGES: u64 = 50;
/// Packages that there are.
const NAMES: u64 = 2000;
/// How many images hold the packages that are asked for.
const AFFECTED: [u64; 4] = [10, 100, 1000, 10_000];
const TURNS: usize = 12;
/// As the service asks.
const PAGE: u32 = 200;
const BATCH: u64 = 500;

struct Indexed {
    images: u64,
    name: String,
    store: Store,
    /// By place in [`AFFECTED`].
    took: Vec<Vec<Duration>>,
}

pub(crate) async fn measure(databases: &Databases, largest: u64) -> Outcome<Value> {
    let mut all = Vec::new();
    let begun = Instant::now();
    for images in [largest / 10, largest] {
        let images = images.max(SHARING).next_multiple_of(SHARING);
        let name = format!("packages{images}");
        let store = databases.fill(&name).await?;
        fill(&store, images).await?;
        store.close().await;
        drop(store);
        all.push(Indexed { images, store: databases.open(&name).await?, name, took: vec![Vec::new(); AFFECTED.len()] });
    }
    let filling = begun.elapsed();
    for turn in 0..TURNS {
        for (place, affected) in AFFECTED.into_iter().enumerate() {
            for one in all.iter_mut().filter(|one| affected <= one.images) {
                let begun = Instant::now();
                let found = everywhere(&one.store, affected).await?;
                let took = begun.elapsed();
                if found != affected {
                    return Err(format!("{found} images hold what {affected} hold").into());
                }
                if turn > 0 {
                    one.took[place].push(took);
                }
            }
        }
    }
    let mut found = Vec::new();
    for one in all {
        one.store.close().await;
        drop(one.store);
        for (affected, mut took) in AFFECTED.into_iter().zip(one.took).filter(|(_, took)| !took.is_empty()) {
            let read = rows_read(databases, &one.name, affected).await?;
            let median = percentile(&mut took, 50);
            found.push(json!({ "images": one.images, "affected": affected, "medianMicros": median, "rowsRead": read }));
        }
    }
    Ok(json!({ "asked": found, "fillingSeconds": filling.as_secs() }))
}

fn package(affected: u64) -> String {
    format!("pkg:npm/affects-{affected}")
}

/// All images that hold the package, page by page; how many.
async fn everywhere(store: &Store, affected: u64) -> Outcome<u64> {
    let (mut after, mut found) = (None, 0);
    loop {
        let page = store.images_with(&package(affected), None, after, PAGE).await?;
        found += u64::try_from(page.len())?;
        match page.last() {
            Some((repository, digest, _)) if page.len() >= PAGE as usize => {
                after = Some((repository.clone(), digest.clone()));
            }
            _ => return Ok(found),
        }
    }
}

/// Rows of tables and indexes that PostgreSQL reads for it; SQLite does not say.
async fn rows_read(databases: &Databases, name: &str, affected: u64) -> Outcome<Option<u64>> {
    if databases.backend() == Backend::Sqlite {
        return Ok(None);
    }
    // What a connection read is counted when it ends.
    let ask = async |asked: bool| {
        let store = databases.open(name).await?;
        if asked {
            everywhere(&store, affected).await?;
        }
        store.close().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        databases.rows_read(name).await
    };
    let before = ask(false).await?;
    let between = ask(false).await?;
    let after = ask(true).await?;
    // Opening reads some, too.
    Ok(Some((after - between).saturating_sub(between - before)))
}

async fn fill(store: &Store, images: u64) -> Outcome<()> {
    let sets = images / SHARING;
    let mut written = 0;
    while written < images {
        let some = BATCH.min(images - written);
        let packages = (written..written + some).map(|number| row(number, number % sets)).collect();
        store.write(Batch { packages, ..Batch::default() }).await?;
        written += some;
    }
    Ok(())
}

/// An image, and what is in it.
fn row(number: u64, set: u64) -> PackagesRow {
    let common = (0..PACKAGES).map(|place| {
        let package = (set + place * place * 7) % NAMES;
        (format!("pkg:deb/debian/package-{package}"), format!("1.{}.0", package % 9))
    });
    let asked_for = AFFECTED.into_iter().filter(|affected| set < affected / SHARING);
    PackagesRow {
        repository: format!("registry.example/team/app-{}", number % 100),
        digest: image(number),
        set: Digest::of(format!("bill of materials {set}").as_bytes()),
        packages: common.chain(asked_for.map(|affected| (package(affected), "1.0.0".to_owned()))).collect(),
    }
}
