//! How tokens are written.

use super::*;

#[test]
fn o2_a_token_is_known_by_how_it_is_written() {
    let one = secret().unwrap();
    assert_ne!(one, secret().unwrap());
    assert_eq!(hash(&one), Some(Digest::of(one.as_bytes())));
    for wrong in [
        String::new(),
        PREFIX.to_owned(),
        one[1..].to_owned(),
        format!("{one}0"),
        one[..one.len() - 1].to_owned(),
        one.to_uppercase(),
        format!("{PREFIX}{}", "ä".repeat((WRITTEN + CHECK) / 2)),
        format!("{}{}", &one[..one.len() - 1], if one.ends_with('0') { '1' } else { '0' }),
    ] {
        assert_eq!(hash(&wrong), None, "{wrong}");
    }
}
