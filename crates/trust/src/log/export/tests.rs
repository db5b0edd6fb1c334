//! Exports: what verifies, and that no byte, line or earlier checkpoint can be changed without being found.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::log::checkpoint::tests::key;
use crate::log::{Entry, LogKey, Subject, TreeHead, leaf_hash};

const ORIGIN: &str = "gate.example/audit";

fn bytes_of(index: u64, text: &str) -> String {
    let digest = model::Digest::of(&index.to_le_bytes());
    let subject = Subject { digest, repository: "registry.example/team/app".to_owned() };
    let entry = Entry {
        at: jiff::Timestamp::from_second(1_780_000_000 + i64::try_from(index % 1000).unwrap()).unwrap(),
        body: Map::from_iter([("text".to_owned(), json!(text)), ("number".to_owned(), json!(index))]),
        id: format!("019c1234-5678-7abc-8def-{index:012x}"),
        kind: if index % 3 == 2 { "policy.activated" } else { "decision" }.to_owned(),
        subject: (index % 3 != 2).then_some(subject),
    };
    entry.bytes().unwrap()
}

/// A log of these entries, and what it exports from an entry on.
struct Log {
    key: LogKey,
    trees: Vec<Frontier>,
    entries: Vec<String>,
}

impl Log {
    fn of(texts: &[String]) -> Self {
        let mut trees = vec![Frontier::new()];
        let entries: Vec<_> = (0..).zip(texts).map(|(index, text)| bytes_of(index, text)).collect();
        for entry in &entries {
            let mut tree = trees.last().unwrap().clone();
            tree.append(leaf_hash(entry.as_bytes()));
            trees.push(tree);
        }
        Self { key: key(ORIGIN), trees, entries }
    }

    fn numbered(size: usize) -> Self {
        Self::of(&(0..size).map(|number| format!("entry\n{number}")).collect::<Vec<_>>())
    }

    fn note(&self, size: usize) -> String {
        self.key.sign_checkpoint(size as u64, &self.trees[size].root()).unwrap()
    }

    fn head(&self, size: usize) -> TreeHead {
        TreeHead { origin: ORIGIN.to_owned(), size: size as u64, root: self.trees[size].root() }
    }

    fn line(&self, index: usize, dropped: bool) -> String {
        let bytes = &self.entries[index];
        entry(index as u64, &leaf_hash(bytes.as_bytes()), (!dropped).then_some(bytes))
    }

    /// Lines from this entry on, without those that were dropped.
    fn export(&self, from: usize, dropped: &[usize]) -> Vec<String> {
        let mut lines = vec![header(ORIGIN, &self.trees[from])];
        lines.extend((from..self.entries.len()).map(|index| self.line(index, dropped.contains(&index))));
        lines.push(checkpoint(&self.note(self.entries.len())));
        lines
    }

    fn verifier(&self) -> ExportVerifier {
        ExportVerifier::new(Some(self.key.verifier().clone()))
    }

    fn verify(&self, export: &[u8]) -> Result<Verified, ExportError> {
        verify(self.verifier(), export)
    }
}

fn verify(mut verifier: ExportVerifier, export: &[u8]) -> Result<Verified, ExportError> {
    verifier.feed(export)?;
    verifier.finish()
}

#[test]
fn o3_an_export_is_written_as_documented() {
    let log = Log::of(&["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    let hex = |index: usize| hex::encode(leaf_hash(log.entries[index].as_bytes()));
    let note = log.note(3).replace('\n', "\\n");
    let peak = hex::encode(log.trees[2].peaks()[0]);
    assert_eq!(
        log.export(2, &[]).concat(),
        format!(
            "{{\"from\":2,\"origin\":\"gate.example/audit\",\"peaks\":[\"{peak}\"],\"schema\":\"ecr-gate.dev/audit-export/v1\"}}\n\
             {{\"entry\":{},\"hash\":\"{}\",\"index\":2}}\n{{\"checkpoint\":\"{note}\"}}\n",
            log.entries[2],
            hex(2)
        )
    );
    assert_eq!(log.line(0, true), format!("{{\"entry\":null,\"hash\":\"{}\",\"index\":0}}\n", hex(0)));
}

/// What was exported once is verified by every later version.
#[test]
fn b18_an_export_of_before_still_verifies() {
    let log = Log::numbered(7);
    let export = log.export(2, &[3]).concat();
    let kept = include_str!("../../../tests/it/data/log/export.jsonl");
    assert_eq!(export, kept, "exports are written in another way than before");
    let key = "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4".parse().unwrap();
    assert!(verify(ExportVerifier::new(Some(key)), kept.as_bytes()).is_ok());
}

#[test]
fn o3_an_export_verifies_and_says_what_it_holds() {
    let log = Log::numbered(10);
    let verified = log.verify(log.export(0, &[3, 4, 5, 7]).concat().as_bytes()).unwrap();
    assert_eq!((verified.from, &verified.head, &verified.note), (0, &log.head(10), &log.note(10)));
    assert_eq!(verified.signed_by.as_ref(), Some(log.key.verifier()));
    let kinds = [("decision".to_owned(), 4), ("policy.activated".to_owned(), 2)];
    assert_eq!(verified.kinds, kinds.into_iter().collect());
    let time = |second: i64| jiff::Timestamp::from_second(1_780_000_000 + second).unwrap();
    assert_eq!(verified.times, Some((time(0), time(9))));
    assert_eq!((verified.dropped, verified.dropped_stretches), (4, vec![(3, 5), (7, 7)]));
    // The end of a log, where nothing was added since; and a log that is empty.
    let nothing_new = log.verify(log.export(10, &[]).concat().as_bytes()).unwrap();
    assert_eq!((nothing_new.from, nothing_new.head.size, nothing_new.times), (10, 10, None));
    let empty = Log::of(&[]);
    assert_eq!(empty.verify(empty.export(0, &[]).concat().as_bytes()).unwrap().head.size, 0);
}

#[test]
fn o3_no_byte_of_an_export_can_be_changed_added_or_taken_away() {
    let log = Log::numbered(4);
    for (from, dropped) in [(1, vec![2]), (4, vec![])] {
        let export = log.export(from, &dropped).concat().into_bytes();
        log.verify(&export).unwrap();
        for at in 0..export.len() {
            let turned = (0..8).map(|bit| export[at] ^ (1 << bit));
            for byte in turned.chain(*b"09aA\"\\\n\r {},/=").filter(|byte| *byte != export[at]) {
                let mut changed = export.clone();
                changed[at] = byte;
                assert!(log.verify(&changed).is_err(), "byte {at} as {byte}");
            }
            let (mut shorter, mut doubled) = (export.clone(), export.clone());
            shorter.remove(at);
            doubled.insert(at, export[at]);
            assert!(log.verify(&shorter).is_err(), "without byte {at}");
            assert!(log.verify(&doubled).is_err(), "with byte {at} twice");
            assert!(log.verify(&export[..at]).is_err(), "cut before byte {at}");
            assert!(log.verify(&export[at + 1..]).is_err(), "begun after byte {at}");
        }
    }
}

#[test]
fn o3_no_line_can_be_left_out_doubled_or_moved() {
    let log = Log::numbered(6);
    let lines = log.export(1, &[3]);
    let whole = |lines: &[String]| log.verify(lines.concat().as_bytes());
    for at in 0..lines.len() {
        let (mut without, mut doubled) = (lines.clone(), lines.clone());
        without.remove(at);
        doubled.insert(at, lines[at].clone());
        assert!(whole(&without).is_err(), "without line {at}");
        assert!(whole(&doubled).is_err(), "with line {at} twice");
        for other in 0..at {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert!(whole(&swapped).is_err(), "lines {at} and {other} swapped");
        }
    }
}

#[test]
fn o3_the_error_names_the_line_and_what_is_wrong_with_it() {
    let log = Log::numbered(6);
    let lines = log.export(1, &[]);
    let fault = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        log.verify(lines.concat().as_bytes()).unwrap_err()
    };
    let edit = |at: usize, from: &'static str, to: &'static str| {
        fault(&move |lines| {
            assert!(lines[at].contains(from), "{}", lines[at]);
            lines[at] = lines[at].replace(from, to);
        })
    };
    let changed = edit(3, "\"decision\"", "\"override\"");
    assert!(matches!((changed.line, &changed.fault), (4, Fault::Hash { index: 3, .. })), "{changed}");
    let spelled = edit(3, "{\"at\"", "{ \"at\"");
    assert!(matches!((spelled.line, &spelled.fault), (4, Fault::Entry(_))), "{spelled}");
    let gap = fault(&|lines| drop(lines.remove(3)));
    assert_eq!((gap.line, gap.fault), (4, Fault::Gap { expected: 3, found: 4 }));
    let cut = fault(&|lines| lines.truncate(4));
    assert_eq!((cut.line, cut.fault), (5, Fault::NoCheckpoint));
    let cut = fault(&|lines| lines[3].truncate(20));
    assert_eq!(cut.line, 4, "{cut}");
    let cut = fault(&|lines| {
        lines.truncate(4);
        lines[3].truncate(20);
    });
    assert_eq!((cut.line, cut.fault), (4, Fault::CutLine));
    let after = fault(&|lines| lines.push("{}\n".to_owned()));
    assert_eq!((after.line, after.fault), (8, Fault::AfterEnd));
    let size = fault(&|lines| drop(lines.remove(5)));
    assert_eq!((size.line, size.fault), (6, Fault::Size { signed: 6, there: 5 }));
    let origin = edit(0, "gate.example", "gate.exbmple");
    assert!(matches!((origin.line, &origin.fault), (7, Fault::Origin { .. })), "{origin}");
    let peaks = edit(0, "\"peaks\":[\"", "\"peaks\":[\"00");
    assert!(matches!((peaks.line, &peaks.fault), (1, Fault::Line(_))), "{peaks}");
    let schema = edit(0, "export/v1", "export/v2");
    assert!(matches!((schema.line, &schema.fault), (1, Fault::Line(_))), "{schema}");
    let nothing = log.verify(b"").unwrap_err();
    assert_eq!((nothing.line, nothing.fault), (1, Fault::NoCheckpoint));
    let other = log.verify(b"{\"Results\":[]}\n").unwrap_err();
    assert!(matches!((other.line, &other.fault), (1, Fault::Line(_))), "{other}");
    let endless = log.verify(&vec![b'x'; MAX_LINE + 1]).unwrap_err();
    assert_eq!((endless.line, endless.fault), (1, Fault::LongLine));
    let float = format!("{{\"entry\":{{\"a\":0.5}},\"hash\":\"{}\",\"index\":1}}\n", "0".repeat(64));
    let float = fault(&|lines| lines[1].clone_from(&float));
    assert!(matches!((float.line, &float.fault), (2, Fault::Entry(_))), "{float}");
}

#[test]
fn o3_a_log_that_was_rewritten_does_not_verify_however_carefully() {
    // Hash and entry fit each other: the root does not.
    let log = Log::numbered(6);
    let mut lines = log.export(0, &[]);
    let forged = bytes_of(3, "never happened");
    lines[4] = entry(3, &leaf_hash(forged.as_bytes()), Some(&forged));
    let error = log.verify(lines.concat().as_bytes()).unwrap_err();
    assert!(matches!((error.line, &error.fault), (8, Fault::Root { .. })), "{error}");
    // With a checkpoint of another key; and of the log's own key, by whoever holds it: found by who kept an earlier checkpoint.
    let mut texts: Vec<_> = (0..6).map(|number| format!("entry\n{number}")).collect();
    texts[3] = "never happened".to_owned();
    let mut rewritten = Log::of(&texts);
    let export = rewritten.export(0, &[]).concat();
    assert!(log.verify(export.as_bytes()).is_ok());
    let error = verify(log.verifier().known(log.head(5)), export.as_bytes()).unwrap_err();
    assert!(matches!((error.line, &error.fault), (6, Fault::Rewritten { size: 5, .. })), "{error}");
    let error = verify(log.verifier().known(log.head(5)), rewritten.export(5, &[]).concat().as_bytes()).unwrap_err();
    assert!(matches!((error.line, &error.fault), (1, Fault::Rewritten { size: 5, .. })), "{error}");
    rewritten.key = LogKey::from_pem(ORIGIN, LogKey::generate().unwrap().as_bytes(), None).unwrap();
    let export = rewritten.export(0, &[]).concat();
    let error = log.verify(export.as_bytes()).unwrap_err();
    assert!(matches!((error.line, &error.fault), (8, Fault::Checkpoint(_))), "{error}");
    // Without a key nobody vouches for it, and the answer says so.
    let verified = verify(ExportVerifier::new(None), export.as_bytes()).unwrap();
    assert_eq!(verified.signed_by, None);
}

#[test]
fn o3_a_known_checkpoint_is_shown_to_be_a_beginning_or_said_not_to_be_covered() {
    let log = Log::numbered(9);
    for from in 0..=9 {
        let export = log.export(from, &[]).concat();
        for known in 0..=9 {
            let verified = verify(log.verifier().known(log.head(known)), export.as_bytes()).unwrap();
            let expected = if known < from { Continuity::NotCovered } else { Continuity::Extends };
            assert_eq!(verified.known, [(log.head(known), expected)], "{known} known, from {from}");
        }
    }
    let longer = Log::numbered(10);
    let export = log.export(2, &[]).concat();
    let all = log.verifier().known(log.head(4)).known(log.head(1)).known(longer.head(10));
    let error = verify(all, export.as_bytes()).unwrap_err();
    assert_eq!((error.line, error.fault), (9, Fault::Shorter { known: 10, to: 9 }));
    let other = TreeHead { origin: "other.example".to_owned(), ..log.head(4) };
    let error = verify(log.verifier().known(other), export.as_bytes()).unwrap_err();
    assert!(matches!((error.line, &error.fault), (1, Fault::KnownOtherLog { size: 4, .. })), "{error}");
    for known in 2..=9 {
        let mut wrong = log.head(known);
        wrong.root[31] ^= 1;
        let error = verify(log.verifier().known(wrong), export.as_bytes()).unwrap_err();
        assert!(matches!(error.fault, Fault::Rewritten { .. }), "{error}");
    }
}

#[test]
fn o3_an_error_stays_one() {
    let log = Log::numbered(2);
    let mut verifier = log.verifier();
    let error = verifier.feed(b"{}\n").unwrap_err();
    assert_eq!(verifier.feed(log.export(0, &[]).concat().as_bytes()), Err(error.clone()));
    assert_eq!(verifier.finish(), Err(error));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn o3_any_log_verifies_in_any_pieces_and_no_change_of_a_byte_does(
        texts in prop::collection::vec("(\\PC|\n|\"|\\\\|\u{0}){0,30}", 1..20),
        from: prop::sample::Index,
        piece in 1..200_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 50),
        dropped in prop::collection::vec(0..20_usize, 0..4),
    ) {
        let log = Log::of(&texts);
        let export = log.export(from.index(texts.len() + 1), &dropped).concat().into_bytes();
        let whole = log.verify(&export);
        prop_assert!(whole.is_ok(), "{whole:?}");
        let mut verifier = log.verifier();
        for piece in export.chunks(piece) {
            prop_assert!(verifier.feed(piece).is_ok());
        }
        prop_assert_eq!(verifier.finish(), whole);
        for (at, by) in changes {
            let mut changed = export.clone();
            let at = at.index(export.len());
            changed[at] ^= by;
            prop_assert!(log.verify(&changed).is_err(), "byte {} changed", at);
        }
    }
}
