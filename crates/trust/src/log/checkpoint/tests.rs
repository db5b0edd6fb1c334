//! Checkpoints and keys: what is read and what is refused, beside notes that other readers of signed notes open.

use proptest::prelude::*;

use super::super::tree::tests::leaves;
use super::super::{Frontier, MAX_NOTE};
use super::*;

/// A key of 32 bytes that count up, as PKCS #8.
pub(in crate::log) const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";
/// What golang.org/x/mod/sumdb/note reads as this key, and the note over a tree of five leaves that it opens with it; the root is the one
/// that golang.org/x/mod/sumdb/tlog computes.
const VERIFIER: &str = "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const NOTE: &str = "gate.example/audit
5
NBUVmC1lDiNSDb1U1/zwr6G3DMOhakEdRk3JwayWwwE=

— gate.example/audit r0e2Iqa+c1MsPfaHgPW3TGqnX3opjjFyBClHzICU/nk0J3zVaqrpZNzTFTSjelvhXuLOwUpeCeopyZgwgxmGPSZmJws=
";
const ROOT_OF_300: &str = "e7afc82d38944fc7930545328091d45823288c1f734cbdac06396713ebd4b5d5";

pub(in crate::log) fn key(name: &str) -> LogKey {
    LogKey::from_pem(name, KEY.as_bytes(), None).unwrap()
}

fn tree(size: u64) -> Frontier {
    let mut tree = Frontier::new();
    for leaf in leaves(size) {
        tree.append(leaf);
    }
    tree
}

fn verifier() -> VerifierKey {
    VERIFIER.parse().unwrap()
}

#[test]
fn o3_a_checkpoint_is_what_other_readers_of_signed_notes_read() {
    let key = key("gate.example/audit");
    assert_eq!(key.verifier().to_string(), VERIFIER);
    assert_eq!(verifier(), *key.verifier());
    let root = tree(5).root();
    assert_eq!(key.sign_checkpoint(5, &root).unwrap(), NOTE);
    let open = Checkpoint::open(NOTE, &verifier()).unwrap();
    assert_eq!(open.head(), &TreeHead { origin: "gate.example/audit".to_owned(), size: 5, root });
    assert_eq!(open.note(), NOTE);
    assert_eq!(hex::encode(tree(300).root()), ROOT_OF_300);
}

#[test]
fn o3_signatures_of_others_do_not_count_and_one_that_is_ours_in_name_only_spoils_the_note() {
    let (text, ours) = NOTE.split_once("\n\n").unwrap();
    let other = LogKey::from_pem("gate.example/audit", LogKey::generate().unwrap().as_bytes(), None).unwrap();
    // Any name that the grammar of notes allows, and any kind of key.
    let witness = "— witness.example/w\u{7f} AAAAAAECAwQFBgc=\n";
    let with = |signatures: &[&str]| Checkpoint::open(&format!("{text}\n\n{}", signatures.concat()), &verifier());
    assert!(with(&[witness, ours]).is_ok());
    assert!(with(&[ours, witness, ours]).is_ok());
    assert!(matches!(with(&[witness]), Err(NoteError::NotSigned(_))));
    let forged = other.sign(&format!("{text}\n")).unwrap();
    let forged = forged.split_once("\n\n").unwrap().1;
    assert!(matches!(with(&[forged]), Err(NoteError::NotSigned(_))));
    assert!(with(&[forged, ours]).is_ok());
    let broken = ours.replace("r0e2Iqa", "r0e2Iqb");
    assert!(matches!(with(&[&broken]), Err(NoteError::WrongSignature(_))));
    assert!(matches!(with(&[ours, &broken]), Err(NoteError::WrongSignature(_))));
    assert!(matches!(with(&[&witness.repeat(65), ours]), Err(NoteError::NotANote(_))));
    let long = format!("— witness.example/w {}\n", "AAAA".repeat(MAX_NOTE / 4));
    assert!(matches!(with(&[&long, ours]), Err(NoteError::TooLarge(_))));
    let elsewhere = key("other.example/audit").sign(&format!("{text}\n")).unwrap();
    assert!(matches!(Checkpoint::open(&elsewhere, &verifier()), Err(NoteError::NotSigned(_))));
    let name = VerifierKey::clone(key("other.example/audit").verifier());
    assert!(matches!(Checkpoint::open(NOTE, &name), Err(NoteError::OtherLog { .. })));
}

#[test]
fn o3_only_the_grammar_of_checkpoints_is_read() {
    let key = key("gate.example/audit");
    let root = "NBUVmC1lDiNSDb1U1/zwr6G3DMOhakEdRk3JwayWwwE=";
    let open = |text: &str| Checkpoint::open(&key.sign(text).unwrap(), key.verifier());
    assert!(open(&format!("gate.example/audit\n5\n{root}\n")).is_ok());
    assert!(open(&format!("gate.example/audit\n5\n{root}\nmore\nand more\n")).is_ok());
    assert!(open(&format!("gate.example/audit\n0\n{root}\n")).is_ok());
    for text in [
        "\n".to_owned(),
        "gate.example/audit\n5\n".to_owned(),
        format!("\n5\n{root}\n"),
        format!("gate.example/audit\n\n{root}\n"),
        format!("gate.example/audit\n05\n{root}\n"),
        format!("gate.example/audit\n00\n{root}\n"),
        format!("gate.example/audit\n+5\n{root}\n"),
        format!("gate.example/audit\n-5\n{root}\n"),
        format!("gate.example/audit\n5 \n{root}\n"),
        format!("gate.example/audit\n0x5\n{root}\n"),
        format!("gate.example/audit\n4611686018427387905\n{root}\n"),
        format!("gate.example/audit\n18446744073709551616\n{root}\n"),
        "gate.example/audit\n5\nNBUVmC1lDiNSDb1U1/zwr6G3DMOhakEdRk3JwayWwwF=\n".to_owned(),
        "gate.example/audit\n5\nNBUVmC1lDiNSDb1U1/zwr6G3DMOhakEdRk3JwayWwwE\n".to_owned(),
        "gate.example/audit\n5\nNBUVmC1lDiNSDb1U1/zwr6G3DMOhakEdRk3JwayW\n".to_owned(),
        format!("gate.example/audit\n5\n{root}\n\nmore\n"),
        format!("gate.example/audit\n5\n{root}\nmore\n\n"),
    ] {
        assert!(matches!(open(&text), Err(NoteError::NotACheckpoint(_))), "{text:?}: {:?}", open(&text));
    }
    for note in [
        "",
        "\n",
        "\n\n",
        "text\n— name AAAAAAE=\n",
        &NOTE.replace("\n\n", "\n"),
        NOTE.trim_end(),
        &format!("{NOTE}\n"),
        &format!("{NOTE}more\n"),
        &NOTE.replace('—', "-"),
        &NOTE.replace("— ", "—"),
        &NOTE.replace("JwayWwwE=\n", "JwayWwwE=\r\n"),
        &NOTE.replace("— gate.example/audit", "— gate.example+audit"),
        &NOTE.replace("— gate.example/audit", "— "),
        &NOTE.replace("— gate.example/audit", "— gate.example/\u{a0}audit"),
        "text\n\n— name AAAAAA==\n",
        "text\n\n— name !\n",
    ] {
        let error = UnverifiedCheckpoint::read(note).unwrap_err();
        assert!(matches!(error, NoteError::NotANote(_)), "{note:?}: {error}");
    }
}

#[test]
fn o3_a_verifier_key_is_read_as_it_is_written_and_in_no_other_form() {
    for wrong in [
        "",
        "gate.example/audit",
        "gate.example/audit+af47b622",
        "gate.example/audit+AF47B622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gate.example/audit+af47b623+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gate.example/audid+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gate.example/audit+af47b622+AgOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG",
        "gate.example/audit+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQS",
        "gate.example/audit+af47b622+",
        "gate example+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "+af47b622+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    ] {
        assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong}");
    }
}

#[test]
fn o3_a_new_key_is_read_back_and_other_kinds_are_refused() {
    let file = LogKey::generate().unwrap();
    let key = LogKey::from_pem("gate.example/audit", file.as_bytes(), None).unwrap();
    let note = key.sign_checkpoint(5, &tree(5).root()).unwrap();
    assert!(Checkpoint::open(&note, &key.verifier().to_string().parse().unwrap()).is_ok());
    assert!(Checkpoint::open(&note, &verifier()).is_err());
    assert_ne!(*file, *LogKey::generate().unwrap());
    let shown = format!("{key:?}");
    assert!(!shown.contains(file.lines().nth(1).unwrap()), "{shown}");
    let ecdsa = crate::SigningKey::generate(None).unwrap().private;
    let error = LogKey::from_pem("gate.example/audit", ecdsa.as_bytes(), None).unwrap_err();
    assert!(error.to_string().contains("ecdsa-p256"), "{error}");
    assert!(LogKey::from_pem("gate.example/audit", b"no key", None).is_err());
    for name in ["", "gate example", "gate+example", "gate\nexample", "gate\u{2003}example", &"x".repeat(256)] {
        assert!(matches!(LogKey::from_pem(name, KEY.as_bytes(), None), Err(NoteError::Name(_))), "{name:?}");
    }
    assert!(key.sign_checkpoint(MAX_SIZE + 1, &Hash::default()).is_err());
}

#[test]
fn o3_no_byte_of_a_checkpoint_can_be_changed() {
    for at in 0..NOTE.len() {
        for byte in 0..=u8::MAX {
            let mut note = NOTE.as_bytes().to_vec();
            note[at] = byte;
            if note != NOTE.as_bytes()
                && let Ok(note) = String::from_utf8(note)
            {
                assert!(Checkpoint::open(&note, &verifier()).is_err(), "byte {at} as {byte}");
            }
        }
    }
}

proptest! {
    #[test]
    fn o3_whatever_is_read_as_a_note_or_key_is_no_panic(text in "(\\PC|\n|— |\\+|=){0,200}") {
        prop_assert!(Checkpoint::open(&text, &verifier()).is_err());
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}
