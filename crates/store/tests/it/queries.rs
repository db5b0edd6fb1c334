//! What is asked for is found, and nothing else, page by page.

use model::Verdict;
use sqlx::{Connection as _, PgConnection, Row as _};
use store::{Batch, DecisionQuery, DecisionRow, PackagesRow};

use crate::round_trips::{promotion, workload};
use crate::support::{Database, answer, at, decision, digest, id, on_both, run};

on_both!(
    decisions_are_found_by_every_field_and_page_by_page,
    the_newest_decision_is_known_for_an_image_and_its_children,
    everything_decided_is_walked_through,
    packages_lead_to_images,
    workloads_and_promotions_are_found,
);

fn mixed(number: u64) -> DecisionRow {
    let mut row = decision(number);
    row.repository = format!("registry.example/{}", ["a", "B", "c"][usize::try_from(number % 3).unwrap()]);
    row.digest = digest(number % 10);
    row.environment = String::from(if number.is_multiple_of(4) { "staging" } else { "production" });
    row.verdict =
        [Verdict::Allow, Verdict::Warn, Verdict::Pending, Verdict::Deny][usize::try_from(number % 5 % 4).unwrap()];
    row
}

async fn decisions_are_found_by_every_field_and_page_by_page(database: &Database) {
    let store = database.open().await;
    let rows: Vec<DecisionRow> = (0..120).map(mixed).collect();
    let answers = (0..120).map(|number| {
        let mut row = answer(number, number);
        row.pipeline = (number % 2 == 0).then(|| format!("p{}", number % 6));
        row.commit = (number % 3 == 0).then(|| format!("c{}", number % 9));
        row
    });
    // A second answer to one decision: of a pipeline, without the commit of the other.
    let mut second = answer(500, 3);
    second.pipeline = Some("p4".to_owned());
    let answers: Vec<_> = answers.chain([second]).collect();
    store.write(Batch { decisions: rows.clone(), answers: answers.clone(), ..Batch::default() }).await.unwrap();

    let any = DecisionQuery::default;
    let queries = [
        any(),
        DecisionQuery { digest: Some(digest(3)), ..any() },
        DecisionQuery { digest: Some(digest("nobody")), ..any() },
        DecisionQuery { repository: Some("registry.example/B".to_owned()), ..any() },
        DecisionQuery { environment: Some("staging".to_owned()), verdict: Some(Verdict::Deny), ..any() },
        DecisionQuery { since: Some(at(30)), until: Some(at(60)), ..any() },
        DecisionQuery { pipeline: Some("p4".to_owned()), ..any() },
        DecisionQuery { commit: Some("c3".to_owned()), ..any() },
        DecisionQuery { pipeline: Some("p4".to_owned()), commit: Some("c3".to_owned()), ..any() },
        DecisionQuery {
            digest: Some(digest(0)),
            repository: Some("registry.example/a".to_owned()),
            environment: Some("staging".to_owned()),
            since: Some(at(1)),
            pipeline: Some("p0".to_owned()),
            ..any()
        },
        DecisionQuery { before: Some(id(50)), ..any() },
    ];
    for query in queries {
        let answered = |row: &DecisionRow| {
            (query.pipeline.is_none() && query.commit.is_none())
                || answers.iter().any(|answer| {
                    answer.decision == row.id
                        && (query.pipeline.is_none() || answer.pipeline == query.pipeline)
                        && (query.commit.is_none() || answer.commit == query.commit)
                })
        };
        let holds = |row: &&DecisionRow| {
            query.digest.as_ref().is_none_or(|wanted| row.digest == *wanted)
                && query.repository.as_ref().is_none_or(|wanted| row.repository == *wanted)
                && query.environment.as_ref().is_none_or(|wanted| row.environment == *wanted)
                && query.verdict.is_none_or(|wanted| row.verdict == wanted)
                && query.since.is_none_or(|since| row.recorded_at >= since)
                && query.until.is_none_or(|until| row.recorded_at < until)
                && query.before.as_ref().is_none_or(|before| row.id < *before)
                && answered(row)
        };
        let expected: Vec<DecisionRow> = rows.iter().rev().filter(holds).cloned().collect();
        let mut found: Vec<DecisionRow> = Vec::new();
        let mut page = query.clone();
        page.limit = 7;
        loop {
            let rows = store.decisions(&page).await.unwrap();
            assert!(rows.len() <= 7);
            let Some(last) = rows.last() else { break };
            page.before = Some(last.id.clone());
            found.extend(rows);
        }
        assert_eq!(found, expected, "{query:?}");
    }
}

async fn the_newest_decision_is_known_for_an_image_and_its_children(database: &Database) {
    let store = database.open().await;
    let of = |number: u64, image: &str, environment: &str, children: &[&str]| {
        let mut row = decision(number);
        row.digest = digest(image);
        row.environment = String::from(environment);
        row.children = children.iter().map(digest).collect();
        row
    };
    // In one transaction and in several, the later one first and last.
    let first = vec![of(5, "index", "production", &["a", "b"]), of(2, "index", "production", &["a", "c"])];
    store.write(Batch { decisions: first, ..Batch::default() }).await.unwrap();
    for row in [
        of(3, "index", "production", &["a", "d"]),
        of(7, "index", "staging", &["a"]),
        of(4, "other", "production", &["b"]),
    ] {
        store.write(Batch { decisions: vec![row], ..Batch::default() }).await.unwrap();
    }
    let repository = "registry.example/team/app";
    let latest = async |image: &str, environment: &str| {
        let found = store.latest_decision(repository, &digest(image), environment).await.unwrap();
        found.map(|row| row.id)
    };
    assert_eq!(latest("index", "production").await, Some(id(5)));
    assert_eq!(latest("index", "staging").await, Some(id(7)));
    assert_eq!(latest("a", "production").await, None);
    let parent = async |child: &str, environment: &str| {
        let found = store.parent_decision(repository, &digest(child), environment).await.unwrap();
        found.map(|row| row.id)
    };
    assert_eq!(parent("a", "production").await, Some(id(5)));
    assert_eq!(parent("b", "production").await, Some(id(5)));
    assert_eq!(parent("c", "production").await, Some(id(2)));
    assert_eq!(parent("d", "production").await, Some(id(3)));
    assert_eq!(parent("a", "staging").await, Some(id(7)));
    assert_eq!(parent("index", "production").await, None);
    assert!(store.parent_decision("registry.example/other", &digest("a"), "production").await.unwrap().is_none());
}

async fn everything_decided_is_walked_through(database: &Database) {
    let store = database.open().await;
    let rows: Vec<DecisionRow> = (0..80).map(mixed).collect();
    store.write(Batch { decisions: rows.clone(), ..Batch::default() }).await.unwrap();
    let mut expected: Vec<_> = rows.into_iter().map(|row| (row.repository, row.digest, row.environment)).collect();
    // Byte by byte, in both databases.
    expected.sort();
    expected.dedup();
    let mut found = Vec::new();
    loop {
        let page = store.decided(found.last().cloned(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected);
}

async fn packages_lead_to_images(database: &Database) {
    let store = database.open().await;
    let holds = |repository: &str, image: u64, set: &str, packages: &[(&str, &str)]| PackagesRow {
        repository: repository.to_owned(),
        digest: digest(image),
        set: digest(set),
        packages: packages.iter().map(|(purl, version)| ((*purl).to_owned(), (*version).to_owned())).collect(),
    };
    let (common, odd) = (&[("pkg:a", "1"), ("pkg:b", "1")], &[("pkg:a", "1"), ("pkg:a", "2"), ("pkg:c", "")]);
    let mut rows: Vec<_> = (0..20).map(|image| holds("r", image, "common", common)).collect();
    rows.extend((10..14).map(|image| holds("r", image, "odd", odd)));
    rows.push(holds("s", 0, "odd", odd));
    for some in rows.chunks(9) {
        store.write(Batch { packages: some.to_vec(), ..Batch::default() }).await.unwrap();
    }
    let expected = |purl: &str, version: Option<&str>| {
        let mut all: Vec<_> = (rows.iter())
            .flat_map(|row| row.packages.iter().map(|package| (row.repository.clone(), row.digest.clone(), package)))
            .filter(|(_, _, (name, found))| name == purl && version.is_none_or(|version| found == version))
            .map(|(repository, image, (_, version))| (repository, image, version.clone()))
            .collect();
        all.sort();
        all.dedup();
        all
    };
    for (purl, version) in [
        ("pkg:a", None),
        ("pkg:a", Some("1")),
        ("pkg:a", Some("2")),
        ("pkg:c", None),
        ("pkg:b", Some("2")),
        ("pkg:", None),
    ] {
        for limit in [1, 2, 3, 100] {
            let mut found: Vec<(String, model::Digest, String)> = Vec::new();
            loop {
                let after = found.last().map(|(repository, image, _)| (repository.clone(), image.clone()));
                let page = store.images_with(purl, version, after, limit).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, expected(purl, version), "{purl} {version:?} {limit}");
        }
    }
    // A set is kept once.
    let counts = store.status().await.unwrap().rows;
    let count = |table: &str| counts.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!((count("packages"), count("package_sets"), count("set_members"), count("image_sets")), (4, 2, 5, 25));
}

async fn workloads_and_promotions_are_found(database: &Database) {
    let store = database.open().await;
    let workloads: Vec<_> = (0..20)
        .map(|number| {
            let mut row = workload(&format!("c{number:02}"), number, number);
            row.digest = digest(number % 4);
            row
        })
        .collect();
    let promotions: Vec<_> = (0..20)
        .map(|number| {
            let mut row = promotion(number);
            row.at = at(i64::try_from(number).unwrap());
            row.environment = String::from(if number.is_multiple_of(2) { "staging" } else { "production" });
            row
        })
        .collect();
    store
        .write(Batch { workloads: workloads.clone(), promotions: promotions.clone(), ..Batch::default() })
        .await
        .unwrap();
    let mut wanted: Vec<_> = (0..600).map(|number| digest(format!("nobody {number}"))).collect();
    wanted.extend([digest(1), digest(3)]);
    assert_eq!(store.workloads(&wanted, 100).await.unwrap().len(), 10);
    assert_eq!(store.workloads(&wanted, 7).await.unwrap().len(), 7);
    assert_eq!(store.workloads(&[], 7).await.unwrap(), []);
    let found = store.workloads(&[digest(2)], 100).await.unwrap();
    assert_eq!(found, workloads.iter().filter(|row| row.digest == digest(2)).cloned().collect::<Vec<_>>());

    let found = store.promotions(Some("production"), Some(at(5)), Some(at(15)), 3).await.unwrap();
    assert_eq!(found.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [id(13), id(11), id(9)]);
    assert_eq!(store.promotions(None, None, Some(at(2)), 10).await.unwrap().len(), 2);
    assert_eq!(store.promotions(Some("nowhere"), None, None, 10).await.unwrap(), []);
}

/// A database that was filled a moment ago: PostgreSQL has counted nothing yet, and would read the whole table of packages.
#[test]
fn packages_are_looked_up_without_statistics() {
    run(Database::postgres(), async |database| {
        let store = database.open().await;
        let of = |set: u64| PackagesRow {
            repository: "r".to_owned(),
            digest: digest(set),
            set: digest(format!("set {set}")),
            packages: (0..40).map(|package| (format!("pkg:{}", (set * 40 + package) % 2000), "1".to_owned())).collect(),
        };
        for some in (0..210).collect::<Vec<u64>>().chunks(70) {
            let packages = some.iter().map(|set| of(*set)).collect();
            store.write(Batch { packages, ..Batch::default() }).await.unwrap();
        }
        assert_eq!(store.images_with("pkg:0", None, None, 100).await.unwrap().len(), 5);
        store.close().await;
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let sql = "SELECT COALESCE(SUM(idx_scan), 0)::bigint, COALESCE(SUM(seq_tup_read), 0)::bigint \
                   FROM pg_stat_user_tables WHERE relname IN ('set_members', 'image_sets')";
        // What a connection read is counted when it has ended.
        let (mut by_index, mut walked) = (0, 0);
        while by_index == 0 && walked == 0 {
            let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
            (by_index, walked) = (row.get::<i64, _>(0), row.get::<i64, _>(1));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(walked, 0, "rows of whole tables are read");
    });
}
