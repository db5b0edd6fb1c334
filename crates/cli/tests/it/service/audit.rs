//! `audit export`, `checkpoint`, `key`, `proof`: what auditors take home. Whether it is true is for `audit verify` to say.

use std::fs;

use super::*;

fn line(index: u64) -> String {
    format!("{{\"entry\":{{\"id\":\"e{index}\",\"kind\":\"decision\"}},\"hash\":\"{index:064x}\",\"index\":{index}}}\n")
}

fn head(from: u64) -> String {
    format!(
        "{{\"from\":{from},\"origin\":\"gate.example.com\",\"peaks\":[],\"schema\":\"ecr-gate.dev/audit-export/v1\"}}\n"
    )
}

fn checkpoint(size: u64) -> String {
    format!("{{\"checkpoint\":\"gate.example.com\\n{size}\\nAAAA\\n\\n— gate AAAA\\n\"}}\n")
}

fn number(request: &Request, name: &str) -> u64 {
    let (_, query) = request.target.split_once('?').unwrap();
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap().parse().unwrap()
}

/// A log of so many entries, given out in parts of `size`.
fn log(entries: u64, size: u64) -> Service {
    Service::start(move |request, _| Answer::bytes(200, part(request, entries, size)))
}

fn part(request: &Request, entries: u64, size: u64) -> String {
    let from = number(request, "from");
    let to = (from + size.min(number(request, "limit"))).min(entries);
    let mut text = head(from);
    text.extend((from..to).map(line));
    if to == entries {
        text.push_str(&checkpoint(entries));
    }
    text
}

fn whole(from: u64, entries: u64) -> String {
    let mut text = head(from);
    text.extend((from..entries).map(line));
    text + &checkpoint(entries)
}

#[test]
fn o3_an_export_is_one_whatever_parts_it_came_in() {
    let gate = bare();
    for size in [1, 3, 7, 1000] {
        let service = log(7, size);
        assert_eq!(run(&gate, &service, &["audit", "export"]).exits(0).stdout, whole(0, 7), "{size}");
        let name = format!("audit-{size}.jsonl");
        run(&gate, &service, &["audit", "export", "--from", "2", "--output-file", &name])
            .exits(0)
            .says("5 entries more");
        assert_eq!(fs::read_to_string(gate.path(&name)).unwrap(), whole(2, 7), "{size}");
    }
    assert_eq!(run(&gate, &log(0, 10), &["audit", "export"]).exits(0).stdout, whole(0, 0));
}

#[test]
fn o3_an_export_goes_on_where_it_ended() {
    let gate = bare();
    run(&gate, &log(5, 2), &["audit", "export", "--output-file", "a"]).exits(0);
    let before = fs::read_to_string(gate.path("a")).unwrap();
    run(&gate, &log(9, 2), &["audit", "export", "--output-file", "a"]).exits(0).says("4 entries more");
    assert_eq!(fs::read_to_string(gate.path("a")).unwrap(), whole(0, 9));
    run(&gate, &log(9, 2), &["audit", "export", "--output-file", "a"]).exits(0).says("0 entries more");
    assert_eq!(fs::read_to_string(gate.path("a")).unwrap(), whole(0, 9), "nothing new changes nothing");
    // Broken off at any byte.
    for cut in 0..before.len() {
        gate.write("b", &before.as_bytes()[..cut]);
        run(&gate, &log(9, 4), &["audit", "export", "--output-file", "b"]);
        let text = fs::read_to_string(gate.path("b")).unwrap();
        // Half a first line is no export; what else is whole stays.
        assert!(
            text == whole(0, 9) || (cut > 0 && cut < head(0).len() && text.as_bytes() == &before.as_bytes()[..cut]),
            "{cut}: {text}"
        );
    }
}

#[test]
fn o3_a_service_that_is_away_leaves_the_export_as_it_was() {
    let gate = bare();
    run(&gate, &log(5, 2), &["audit", "export", "--output-file", "a"]).exits(0);
    let service = Service::start(|_, _| problem(403, &json!({ "detail": "no" })));
    run(&gate, &service, &["audit", "export", "--output-file", "a"]).exits(3);
    assert_eq!(fs::read_to_string(gate.path("a")).unwrap(), whole(0, 5));
    // Away in the midst of it: what came is kept, and the rest follows later.
    let service = Service::start(|request, number| {
        if number == 1 { problem(403, &json!({ "detail": "no" })) } else { Answer::bytes(200, part(request, 5, 2)) }
    });
    run(&gate, &service, &["audit", "export", "--output-file", "b"]).exits(3);
    assert_eq!(fs::read_to_string(gate.path("b")).unwrap(), head(0) + &line(0) + &line(1));
    run(&gate, &log(5, 2), &["audit", "export", "--output-file", "b"]).exits(0);
    assert_eq!(fs::read_to_string(gate.path("b")).unwrap(), whole(0, 5));
}

#[test]
fn o3_a_file_that_is_something_else_stays() {
    let (gate, service) = (bare(), log(5, 2));
    for text in ["notes\n".to_owned(), line(0), checkpoint(1), head(0) + &line(1), head(0) + "\n", head(0) + &head(0)] {
        gate.write("a", &text);
        run(&gate, &service, &["audit", "export", "--output-file", "a"]).exits(3).says("is no export");
        assert_eq!(fs::read_to_string(gate.path("a")).unwrap(), text);
    }
    gate.write("a", whole(2, 5));
    run(&gate, &service, &["audit", "export", "--output-file", "a", "--from", "3"]).exits(64);
    assert!(service.seen().is_empty());
}

#[test]
fn o3_an_export_out_of_order_is_not_understood() {
    let gate = bare();
    for text in [
        String::new(),
        head(0),
        line(0) + &checkpoint(1),
        head(1) + &line(1) + &checkpoint(2),
        head(0) + &line(1) + &checkpoint(2),
        head(0) + &line(0) + &line(0) + &checkpoint(1),
        head(0) + &line(0) + &checkpoint(1) + &line(1),
        head(0) + &line(0) + checkpoint(1).trim_end(),
        head(0) + "{\"index\":0",
        head(0) + "<html>\n",
    ] {
        let served = text.clone();
        let service = Service::start(move |_, _| Answer::bytes(200, served.clone()));
        let said = run(&gate, &service, &["audit", "export", "--output-file", "x"]);
        assert_eq!(said.code, 5, "{text:?}: {said:?}");
        fs::remove_file(gate.path("x")).unwrap();
    }
}

#[test]
fn o3_checkpoint_key_and_proof() {
    let gate = bare();
    let note = "gate.example.com\n7\nAAAA\n\n— gate.example.com AAAA\n";
    let proof = json!({ "entry": "{}", "index": 3, "hashes": ["00"], "checkpoint": note });
    let served = proof.clone();
    let service = Service::start(move |request, _| match request.target.as_str() {
        "/api/v1/audit/checkpoint" => Answer::bytes(200, note),
        "/api/v1/audit/key" => Answer::bytes(200, "gate.example.com+0badc0de+AAAA\n"),
        "/api/v1/audit/proof/e3" => Answer::json(200, &served),
        _ => problem(404, &json!({ "detail": "there is no such entry", "code": "notFound" })),
    });
    assert_eq!(run(&gate, &service, &["audit", "checkpoint"]).exits(0).stdout, note, "every byte of it is signed");
    assert_eq!(run(&gate, &service, &["audit", "key"]).exits(0).stdout, "gate.example.com+0badc0de+AAAA\n");
    assert_eq!(run(&gate, &service, &["audit", "proof", "e3"]).exits(0).json(), proof);
    run(&gate, &service, &["audit", "proof", "e4"]).exits(3).says("there is no such entry");
    run(&gate, &service, &["audit", "proof", "../key"]).exits(64);
    let service = Service::start(|_, _| Answer::bytes(200, "\u{1b}[2J"));
    run(&gate, &service, &["audit", "key"]).exits(5);
}
