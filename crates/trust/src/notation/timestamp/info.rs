//! `TSTInfo`: what a timestamp authority signs. Source: RFC 3161, 2.4.2.

use jiff::{SignedDuration, Timestamp};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{Decode, Error, ErrorKind, Reader, Result, SliceReader, Tag, TagMode, TagNumber};
use x509_cert::ext::Extensions;

/// The baseline policy, which promises an accuracy of one second (RFC 3628, 5.2).
const BASELINE_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.2023.1.1");

#[derive(Debug)]
pub(super) struct Info {
    pub(super) imprint_algorithm: ObjectIdentifier,
    pub(super) imprint: Vec<u8>,
    pub(super) at: Timestamp,
    /// The time is right within so much, either way.
    pub(super) accuracy: SignedDuration,
    pub(super) has_critical_extensions: bool,
}

impl Info {
    pub(super) fn read(der: &[u8]) -> Result<Self> {
        let mut reader = SliceReader::new(content(der, Tag::Sequence)?)?;
        if reader.decode::<u8>()? != 1 {
            return Err(failed());
        }
        let policy: ObjectIdentifier = reader.decode()?;
        let mut imprint = SliceReader::new(reader.decode::<AnyRef<'_>>()?.value())?;
        let imprint_algorithm = SliceReader::new(imprint.decode::<AnyRef<'_>>()?.value())?.decode()?;
        let hash = imprint.decode::<OctetStringRef<'_>>()?.as_bytes().to_vec();
        imprint.finish(())?;
        let serial = reader.tlv_bytes()?;
        content(serial, Tag::Integer)?;
        let at = moment(content(reader.tlv_bytes()?, Tag::GeneralizedTime)?)?;

        let default = SignedDuration::from_secs(i64::from(policy == BASELINE_POLICY));
        let mut info = Self { imprint_algorithm, imprint: hash, at, accuracy: default, has_critical_extensions: false };
        while !reader.is_finished() {
            let part = reader.tlv_bytes()?;
            match AnyRef::from_der(part)?.tag_of() {
                Tag::Sequence => info.accuracy = accuracy(content(part, Tag::Sequence)?)?,
                Tag::ContextSpecific { number: TagNumber::N1, .. } => {
                    let mut extensions = SliceReader::new(part)?;
                    let extensions: Option<Extensions> =
                        extensions.context_specific(TagNumber::N1, TagMode::Implicit)?;
                    info.has_critical_extensions = extensions.iter().flatten().any(|extension| extension.critical);
                }
                // Whether times are in order, the nonce, the authority's name: nothing that is relied on.
                _ => {}
            }
        }
        Ok(info)
    }
}

/// What a DER value of this tag holds; nothing comes after it.
pub(super) fn content(der: &[u8], tag: Tag) -> Result<&[u8]> {
    let any = AnyRef::from_der(der)?;
    if any.tag_of() == tag { Ok(any.value()) } else { Err(failed()) }
}

trait TagOf {
    fn tag_of(&self) -> Tag;
}

impl TagOf for AnyRef<'_> {
    fn tag_of(&self) -> Tag {
        x509_cert::der::Tagged::tag(self)
    }
}

fn failed() -> Error {
    ErrorKind::Failed.into()
}

fn accuracy(content: &[u8]) -> Result<SignedDuration> {
    let mut reader = SliceReader::new(content)?;
    let seconds: u32 = if reader.is_finished() || reader.peek_tag()? != Tag::Integer { 0 } else { reader.decode()? };
    let millis: Option<u16> = reader.context_specific(TagNumber::N0, TagMode::Implicit)?;
    let micros: Option<u16> = reader.context_specific(TagNumber::N1, TagMode::Implicit)?;
    reader.finish(())?;
    let parts = [millis.map_or(0, |millis| i64::from(millis) * 1000), micros.map_or(0, i64::from)];
    Ok(SignedDuration::from_secs(i64::from(seconds)) + SignedDuration::from_micros(parts.iter().sum()))
}

/// `YYYYMMDDhhmmss[.f…]Z`, in which RFC 3161 allows fractions of a second, as DER does not.
fn moment(content: &[u8]) -> Result<Timestamp> {
    let text = std::str::from_utf8(content).map_err(|_| failed())?;
    let (whole, fraction) =
        text.strip_suffix('Z').map(|text| text.split_once('.').unwrap_or((text, ""))).ok_or_else(failed)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) || fraction.len() > 9 || text.contains(".Z") {
        return Err(failed());
    }
    let part = |from: usize, to: usize| whole.get(from..to).ok_or_else(failed);
    let dot = if fraction.is_empty() { "" } else { "." };
    let written = format!(
        "{}-{}-{}T{}:{}:{}{dot}{fraction}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    written.parse().map_err(|_| failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s27_times_of_timestamps_are_read_with_and_without_fractions() {
        assert_eq!(moment(b"20240618062716Z").unwrap().to_string(), "2024-06-18T06:27:16Z");
        assert_eq!(moment(b"20240618062716.5Z").unwrap().to_string(), "2024-06-18T06:27:16.5Z");
        for bad in [
            "",
            "Z",
            "20240618062716",
            "20240618062716.Z",
            "20241318062716Z",
            "2024061806271Z",
            "20240618062716+0100",
            "2024061806271\u{e9}Z",
        ] {
            assert!(moment(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn s27_the_accuracy_of_a_timestamp_adds_up() {
        assert_eq!(accuracy(&[]).unwrap(), SignedDuration::ZERO);
        assert_eq!(accuracy(&[2, 1, 1]).unwrap(), SignedDuration::from_secs(1));
        assert_eq!(accuracy(&[2, 1, 1, 0x80, 1, 5, 0x81, 1, 7]).unwrap(), SignedDuration::from_micros(1_005_007));
        assert!(accuracy(&[2, 1, 0xff]).is_err());
    }
}
