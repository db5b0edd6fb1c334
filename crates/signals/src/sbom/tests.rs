//! Bills of materials in all their formats (B19).

mod outside;

use model::Digest;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Sbom, ParseError> {
    parse(text.as_bytes(), &Limits::STANDARD)
}

fn digest() -> Digest {
    Digest::of(b"manifest")
}

fn hex() -> String {
    digest().as_str().replace("sha256:", "")
}

fn cyclonedx() -> String {
    let (digest, hex) = (digest(), hex());
    format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:1","metadata":{{
          "timestamp":"2026-01-02T03:04:05+01:00",
          "tools":{{"components":[{{"type":"application","name":"syft","version":"1.18.1"}}],"services":[{{"name":"maker"}}]}},
          "component":{{"bom-ref":"1","type":"container","name":"app","version":"{digest}"}}}},
        "components":[
          {{"type":"library","name":"zlib","version":"1.3","purl":"pkg:deb/Debian/zlib@1.3?distro=debian-12&arch=amd64",
            "hashes":[{{"alg":"SHA-256","content":"{hex}"}},{{"alg":"MD5","content":"AB"}}],
            "licenses":[{{"license":{{"id":"Zlib"}}}},{{"license":{{"name":"Own licence"}}}},{{"expression":"MIT OR X11"}}]}},
          {{"type":"library","name":"outer","components":[{{"type":"library","name":"inner","version":"2","purl":"pkg:npm/inner@2"}}]}},
          {{"type":"library","name":"inner","version":"2","purl":"pkg:npm/inner@2"}},
          {{"type":"library","name":"odd","version":"1","purl":"pkg:swift/no-namespace@1"}}]}}"#
    )
}

fn spdx() -> String {
    let hex = hex();
    format!(
        r#"{{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"document","documentNamespace":"https://example.com/1",
        "creationInfo":{{"created":"2026-01-02T03:04:05Z","creators":["Organization: Example","Tool: syft-1.18.1"]}},
        "packages":[
          {{"SPDXID":"SPDXRef-root","name":"app","versionInfo":"1.0","licenseDeclared":"NOASSERTION","primaryPackagePurpose":"CONTAINER",
            "checksums":[{{"algorithm":"SHA256","checksumValue":"{hex}"}}]}},
          {{"SPDXID":"SPDXRef-a","name":"bash","versionInfo":"5.1.8-6.el9","licenseConcluded":"NONE",
            "licenseDeclared":"(MIT AND LicenseRef-GPLv2-)","externalRefs":[
            {{"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a:x"}},
            {{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:rpm/redhat/bash@5.1.8-6.el9?arch=x86_64"}}]}},
          {{"SPDXID":"SPDXRef-b","name":"two","externalRefs":[
            {{"referenceCategory":"PACKAGE_MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/one@1"}},
            {{"referenceCategory":"PACKAGE_MANAGER","referenceType":"http://spdx.org/rdf/references/purl","referenceLocator":"pkg:npm/two@2"}}]}}],
        "hasExtractedLicensingInfos":[{{"licenseId":"LicenseRef-GPLv2-","extractedText":"GPLv2+"}}],
        "relationships":[
          {{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-root"}},
          {{"spdxElementId":"SPDXRef-root","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-a"}}]}}"#
    )
}

fn spdx3() -> String {
    let hex = hex();
    format!(
        r#"{{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[
        {{"type":"CreationInfo","@id":"_:info","specVersion":"3.0.1","created":"2026-01-02T03:04:05Z","createdBy":["urn:who"]}},
        {{"type":"Tool","spdxId":"urn:tool","creationInfo":"_:info","name":"maker"}},
        {{"type":"SpdxDocument","spdxId":"urn:doc","creationInfo":"_:info","name":"document","rootElement":["urn:bom"]}},
        {{"type":"software_Sbom","spdxId":"urn:bom","creationInfo":"_:info","rootElement":["urn:root"],"element":["urn:a"]}},
        {{"type":"software_Package","spdxId":"urn:root","creationInfo":"_:info","name":"app","verifiedUsing":[
          {{"type":"Hash","algorithm":"sha256","hashValue":"{hex}"}}]}},
        {{"type":"software_Package","spdxId":"urn:a","creationInfo":"_:info","name":"bash","software_packageVersion":"5.2",
          "software_packageUrl":"pkg:deb/debian/bash@5.2","externalIdentifier":[
          {{"type":"ExternalIdentifier","externalIdentifierType":"packageUrl","identifier":"pkg:deb/debian/bash@5.2"}}]}},
        {{"type":"software_File","spdxId":"urn:file","creationInfo":"_:info","name":"./bin/bash"}},
        {{"type":"simplelicensing_LicenseExpression","spdxId":"urn:l","creationInfo":"_:info","simplelicensing_licenseExpression":"GPL-3.0-or-later"}},
        {{"type":"Relationship","spdxId":"urn:r1","creationInfo":"_:info","from":"urn:a","relationshipType":"hasDeclaredLicense","to":["urn:l"]}},
        {{"type":"Relationship","spdxId":"urn:r2","creationInfo":"_:info","from":"urn:a","relationshipType":"hasConcludedLicense","to":["https://spdx.org/licenses/MIT"]}}]}}"#
    )
}

fn statement(predicate_type: &str, predicate: &str) -> String {
    let hex = Digest::of(b"subject").as_str().replace("sha256:", "");
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"{predicate_type}",
        "subject":[{{"name":"pkg:docker/app@1?platform=linux%2Famd64","digest":{{"sha256":"{hex}"}}}}],"predicate":{predicate}}}"#
    )
}

fn lines(sbom: &Sbom) -> Vec<String> {
    let line = |c: &model::Component| {
        let purl = c.purl.as_deref().unwrap_or("-");
        format!("{purl} {} {} [{}]", c.name, c.version, c.licenses.join(", "))
    };
    sbom.components.iter().map(line).collect()
}

#[test]
fn b19_cyclonedx_is_read() {
    let sbom = read(&cyclonedx()).unwrap();
    assert_eq!((sbom.format.as_str(), sbom.version.as_str(), sbom.name.as_deref()), ("cyclonedx", "1.6", Some("app")));
    assert_eq!(sbom.created.unwrap().to_string(), "2026-01-02T02:04:05Z");
    assert_eq!(sbom.tools, ["syft 1.18.1", "maker"]);
    assert_eq!(sbom.describes, [digest()]);
    assert_eq!(
        lines(&sbom),
        [
            "- outer  []",
            "pkg:deb/debian/zlib@1.3?arch=amd64&distro=debian-12 zlib 1.3 [Zlib, Own licence, MIT OR X11]",
            "pkg:npm/inner@2 inner 2 []",
            "pkg:swift/no-namespace@1 odd 1 []",
        ],
        "sorted, nested ones too, duplicates once, what is no canonical purl as it stands"
    );
    assert_eq!(sbom.components[1].hashes, [digest().to_string(), "md5:ab".to_owned()]);
    assert_eq!(read(&format!("\u{feff}{}", cyclonedx())).unwrap(), sbom, "with a byte order mark");
}

#[test]
fn b19_cyclonedx_versions_1_2_to_1_7_and_no_other() {
    for version in ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"] {
        let text = cyclonedx().replace("\"1.6\"", &format!("{version:?}"));
        assert_eq!(read(&text).unwrap().version, version);
    }
    for version in ["1.0", "1.1", "1.8", "2.0", "", "1.60"] {
        let error = read(&cyclonedx().replace("\"1.6\"", &format!("{version:?}"))).unwrap_err();
        assert!(error.cause.contains(&format!("{version:?}")) && error.place == "specVersion", "{error}");
    }
    let old = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","components":[],"metadata":{"tools":[{"vendor":"v","name":"t","version":"1"},{"name":"u"}]}}"#;
    assert_eq!(read(old).unwrap().tools, ["t 1", "u"]);
}

#[test]
fn b19_cyclonedx_says_what_it_describes_in_many_ways() {
    let (digest, hex) = (digest(), hex());
    let encoded = digest.as_str().replace(':', "%3A");
    for component in [
        format!(r#""name":"app","version":"{digest}""#),
        format!(r#""name":"example.com/app@{digest}""#),
        format!(r#""name":"app","purl":"pkg:oci/app@{encoded}?arch=amd64&repository_url=example.com%2Fapp""#),
        format!(r#""name":"app","bom-ref":"pkg:oci/app@{encoded}?arch=amd64""#),
        format!(r#""name":"app","purl":"pkg:oci/127.0.0.1:5000/team/app@{digest}?tag=1""#),
        format!(r#""name":"app","hashes":[{{"alg":"SHA-256","content":"{}"}}]"#, hex.to_uppercase()),
        format!(r#""name":"app","properties":[{{"name":"aquasecurity:trivy:ImageID","value":"{digest}"}}]"#),
        format!(
            r#""name":"app","properties":[{{"name":"aquasecurity:trivy:RepoDigest","value":"example.com/app@{digest}"}}]"#
        ),
    ] {
        let text =
            format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{{"component":{{{component}}}}}}}"#);
        assert_eq!(read(&text).unwrap().describes, std::slice::from_ref(&digest), "{component}");
    }
    let layer = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{{"name":"x","version":"{digest}"}}],"metadata":{{"component":
        {{"name":"app","version":"1.0","properties":[{{"name":"aquasecurity:trivy:DiffID","value":"{digest}"}}]}}}}}}"#
    );
    assert_eq!(read(&layer).unwrap().describes, [], "a layer or a component is not the image");
}

#[test]
fn b19_spdx_is_read() {
    let sbom = read(&spdx()).unwrap();
    assert_eq!((sbom.format.as_str(), sbom.version.as_str(), sbom.name.as_deref()), ("spdx", "2.3", Some("app")));
    assert_eq!(
        (sbom.created.unwrap().to_string().as_str(), sbom.tools.as_slice()),
        ("2026-01-02T03:04:05Z", &["syft-1.18.1".to_owned()][..])
    );
    assert_eq!(sbom.describes, [digest()]);
    assert_eq!(
        lines(&sbom),
        [
            "- app 1.0 []",
            "pkg:npm/one@1 two  []",
            "pkg:npm/two@2 two  []",
            "pkg:rpm/redhat/bash@5.1.8-6.el9?arch=x86_64 bash 5.1.8-6.el9 [(MIT AND LicenseRef-GPLv2-), GPLv2+]",
        ],
        "licences by their names too, each purl of a package"
    );
}

#[test]
fn b19_spdx_says_what_it_describes_in_many_ways() {
    let digest = digest();
    let described = |how: &str, package: &str| {
        let text = format!(
            r#"{{"spdxVersion":"SPDX-2.2","name":"n","packages":[{{"SPDXID":"SPDXRef-r","name":"app",{package}}},{{"SPDXID":"SPDXRef-x","name":"x","versionInfo":"{}"}}],{how}}}"#,
            Digest::of(b"another")
        );
        read(&text).unwrap().describes
    };
    let by_list = r#""documentDescribes":["SPDXRef-r"]"#;
    let by_inverse = r#""relationships":[{"spdxElementId":"SPDXRef-r","relationshipType":"DESCRIBED_BY","relatedSpdxElement":"SPDXRef-DOCUMENT"}]"#;
    let version = format!(r#""versionInfo":"{digest}""#);
    for how in [by_list, by_inverse] {
        assert_eq!(described(how, &version), std::slice::from_ref(&digest));
    }
    for package in [
        format!(r#""externalRefs":[{{"referenceType":"purl","referenceLocator":"pkg:oci/app@{digest}?arch="}}]"#),
        format!(r#""attributionTexts":["ImageID: {digest}","DiffID: {}"]"#, Digest::of(b"layer")),
        format!(r#""annotations":[{{"annotator":"Tool: trivy","comment":"RepoDigest: example.com/app@{digest}"}}]"#),
    ] {
        assert_eq!(described(by_list, &package), std::slice::from_ref(&digest), "{package}");
    }
    assert_eq!(described(r#""documentDescribes":[]"#, &version), [], "not said to be described");
    let named = format!(r#"{{"spdxVersion":"SPDX-2.3","name":"example.com/app@{digest}","packages":[]}}"#);
    assert_eq!(read(&named).unwrap().describes, [digest]);
}

#[test]
fn b19_spdx_3_is_read() {
    let sbom = read(&spdx3()).unwrap();
    assert_eq!((sbom.format.as_str(), sbom.version.as_str(), sbom.name.as_deref()), ("spdx", "3.0.1", Some("app")));
    assert_eq!((sbom.describes.as_slice(), sbom.tools.as_slice()), (&[digest()][..], &["maker".to_owned()][..]));
    assert_eq!(sbom.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(lines(&sbom), ["- app  []", "pkg:deb/debian/bash@5.2 bash 5.2 [GPL-3.0-or-later, MIT]"]);
    for (from, to) in [
        ("\"3.0.1\"", "\"3.1.0\""),
        ("SpdxDocument", "Other"),
        ("\"name\":\"bash\",", ""),
        ("\"@graph\":", "\"@graphs\":"),
    ] {
        assert!(read(&spdx3().replace(from, to)).is_err(), "{from}");
    }
}

#[test]
fn b19_statements_are_unwrapped_and_their_subjects_are_described() {
    let subject = Digest::of(b"subject");
    let mut both = vec![digest(), subject.clone()];
    both.sort_unstable();
    for (kind, document) in [
        ("https://spdx.dev/Document", spdx()),
        ("https://spdx.dev/Document/v2.3", spdx()),
        ("https://spdx.dev/Document", spdx3()),
        ("https://cyclonedx.org/bom", cyclonedx()),
        ("https://cyclonedx.org/bom/v1.6", cyclonedx()),
    ] {
        let text = statement(kind, &document);
        let (subjects, sbom) = from_statement(text.as_bytes(), &Limits::STANDARD).unwrap();
        assert_eq!((subjects.as_slice(), sbom.describes.as_slice()), (&[subject.clone()][..], both.as_slice()));
        assert_eq!(read(&text).unwrap(), sbom);
    }
    for (wrong, why) in [
        (statement("https://slsa.dev/provenance/v1", &spdx()), "slsa.dev"),
        (statement("https://cyclonedx.org/bombast", &cyclonedx()), "bombast"),
        (statement("https://cyclonedx.org/bom", &spdx()), "spdx"),
        (statement("https://spdx.dev/Document", "\"SPDXVersion: SPDX-2.3\""), "invalid type"),
        (statement("https://spdx.dev/Document", "null"), "invalid type"),
        (statement("https://spdx.dev/Document", &spdx()).replace("\"sha256\":", "\"gitCommit\":"), "no subject"),
        (
            statement("https://spdx.dev/Document", &spdx())
                .replace("\"digest\":{\"sha256\":\"", "\"digest\":{\"sha256\":\"x"),
            "hexadecimal",
        ),
        (statement("https://spdx.dev/Document", &statement("https://spdx.dev/Document", &spdx())), "in-toto"),
        (spdx(), "SPDX document"),
    ] {
        let error = from_statement(wrong.as_bytes(), &Limits::STANDARD).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}

#[test]
fn b19_what_is_not_understood_is_refused_and_named() {
    let in_cyclonedx = |from: &str, to: &str| cyclonedx().replacen(from, to, 1);
    let in_spdx = |from: &str, to: &str| spdx().replacen(from, to, 1);
    for (text, why) in [
        (String::new(), "EOF"),
        ("[]".to_owned(), "invalid"),
        ("{}".to_owned(), "none of the fields"),
        ("<bom/>".to_owned(), "XML"),
        ("SPDXVersion: SPDX-2.3".to_owned(), "tag-value"),
        (r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30="}"#.to_owned(), "verified first"),
        (in_cyclonedx("\"CycloneDX\"", "\"AnotherFormat\""), "AnotherFormat"),
        (in_cyclonedx("\"specVersion\":\"1.6\",", ""), "does not say its version"),
        (in_cyclonedx("\"specVersion\"", "\"specVersion\":\"1.6\",\"specVersion\""), "duplicate"),
        (in_cyclonedx("\"components\":[\n", "\"components\":[],\"components\":[\n"), "duplicate"),
        (r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#.to_owned(), "neither components"),
        (
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":null,"metadata":{"component":{"name":"x"}}}"#
                .to_owned(),
            "null",
        ),
        (r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}}"#.to_owned(), "invalid type"),
        (in_cyclonedx("\"name\":\"zlib\",", ""), "name"),
        (in_cyclonedx("\"outer\",\"components\":[", "\"outer\",\"components\":null,\"x\":["), "null"),
        (in_cyclonedx("{\"license\":{\"id\":\"Zlib\"}}", "{\"license\":{}}"), "components[0].licenses[0]"),
        (in_cyclonedx("2026-01-02T03:04:05+01:00", "yesterday"), "yesterday"),
        (in_spdx("SPDX-2.3", "SPDX-2.4"), "SPDX-2.4"),
        (in_spdx("\"SPDX-2.3\"", "2.3"), "2.3"),
        (in_spdx("\"packages\":", "\"package\":"), "no list of packages"),
        (in_spdx("\"packages\":[", "\"packages\":null,\"x\":["), "null"),
        (in_spdx("\"packages\":[", "\"packages\":[],\"packages\":["), "duplicate"),
        (in_spdx("\"externalRefs\":[", "\"externalRefs\":null,\"x\":["), "null"),
        (in_spdx("\"relationships\":[", "\"relationships\":null,\"x\":["), "null"),
    ] {
        let error = read(&text).expect_err(why);
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}

#[test]
fn b19_what_is_over_the_limits_is_refused_not_cut() {
    for text in [cyclonedx(), spdx(), spdx3()] {
        let entries = Limits { entries: 2, ..Limits::STANDARD };
        let bytes = Limits { bytes: text.len() - 1, ..Limits::STANDARD };
        let whole = parse(text.as_bytes(), &Limits { bytes: text.len(), entries: 9, ..Limits::STANDARD }).unwrap();
        assert_eq!(parse(text.as_bytes(), &entries).is_err(), whole.components.len() > 2);
        assert!(parse(text.as_bytes(), &bytes).unwrap_err().cause.contains("bytes"));
    }
    let deep = format!("{}{}", "{\"bomFormat\":\"CycloneDX\",\"x\":".repeat(1000), "[".repeat(100_000));
    assert!(read(&deep).is_err());
}

#[test]
fn b19_a_small_document_does_not_become_a_large_one() {
    let many =
        |text: &str, times: usize| (0..times).map(|n| text.replace("%%", &n.to_string())).collect::<Vec<_>>().join(",");
    let spdx = |name: &str, package: &str| {
        format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"SPDXID":"a","name":"x",{package}}}],
            "hasExtractedLicensingInfos":[{{"licenseId":"L","name":"{name}"}}]}}"#
        )
    };
    let purls = many(r#"{"referenceType":"purl","referenceLocator":"pkg:npm/x@%%"}"#, 300);
    let sums = many(r#"{"algorithm":"MD5","checksumValue":"%%"}"#, 300);
    let references = spdx("x", &format!(r#""externalRefs":[{purls}],"checksums":[{sums}]"#));
    let expression = "x".repeat(1000);
    let relationships = many(
        r#"{"type":"software_Package","spdxId":"p%%","name":"x%%"},{"type":"Relationship","from":"p%%","relationshipType":"hasDeclaredLicense","to":["l"]}"#,
        100,
    );
    let licenses = format!(
        r#"{{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{{"type":"CreationInfo","specVersion":"3.0.1"}},
        {{"type":"SpdxDocument"}},{{"type":"simplelicensing_LicenseExpression","spdxId":"l","simplelicensing_licenseExpression":"{expression}"}},{relationships}]}}"#
    );
    for text in [references, licenses] {
        let small = Limits { bytes: text.len(), ..Limits::STANDARD };
        assert!(parse(text.as_bytes(), &small).unwrap_err().cause.contains("repeats itself"));
        assert!(read(&text).unwrap().components.len() >= 100, "what is no more than the limit is read");
    }
    let repeated = spdx(&"x".repeat(200), &format!(r#""licenseDeclared":"{}""#, "(L)".repeat(300)));
    assert_eq!(read(&repeated).unwrap().components[0].licenses.len(), 2, "each licence once");
}

#[test]
fn b19_an_image_in_which_nothing_was_found_is_described_by_an_empty_list() {
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":"empty"}}}"#;
    assert_eq!(read(text).unwrap().components, []);
    let other = text.replace("\"metadata\"", "\"Components\":[{\"name\":\"x\"}],\"metadata\"");
    assert!(read(&other).unwrap_err().cause.contains("\"Components\""), "a list under another name is not no list");
}

fn any_format() -> Vec<String> {
    vec![cyclonedx(), spdx(), spdx3(), statement("https://spdx.dev/Document", &spdx())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn b19_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes, &Limits::STANDARD).is_err());
        prop_assert!(from_statement(&bytes, &Limits::STANDARD).is_err());
    }

    #[test]
    fn b19_a_cut_document_is_refused(which in 0..4_usize, cut in 0.0..1.0_f64) {
        let text = any_format().swap_remove(which);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (text.len() as f64 * cut) as usize;
        prop_assert!(parse(&text.as_bytes()[..at], &Limits::STANDARD).is_err());
    }

    #[test]
    fn b19_a_changed_document_loses_no_component(which in 0..4_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = any_format().swap_remove(which);
        let whole = read(&text).unwrap().components.len();
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(sbom) = parse(&bytes, &Limits::STANDARD) {
            // One byte can make two components one or two, or rename a key that holds one purl of a package.
            prop_assert!(sbom.components.len() + 1 >= whole, "{} of {whole}", sbom.components.len());
        }
    }
}
