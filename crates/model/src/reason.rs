//! Every reason the gate can give, declared once: its code, the class of unknown it belongs to, what it means, and
//! what to do. `docs/reference/reasons.md` is generated from this table.
//! Over 500 lines: it is one table.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::text::read_as_text;

/// The closed list of ways not to know (S4). A policy's `onUnknown` decides about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnknownClass {
    /// The scan is running or queued.
    ScanPending,
    /// There is no scan.
    ScanMissing,
    /// The scan ended without a result.
    ScanFailed,
    /// The scanner cannot scan this image.
    ScanUnsupported,
    /// The result is too old.
    ScanStale,
    /// The caller may not ask.
    AccessDenied,
    /// The repository or image is not there.
    NotFound,
    /// The source asked us to slow down until time ran out.
    Throttled,
    /// The registry could not be reached or failed.
    RegistryUnavailable,
    /// Trust material could not be had.
    TrustUnavailable,
    /// Evidence is there but cannot be believed or understood.
    EvidenceInvalid,
    /// Evidence that was there is gone.
    EvidenceRemoved,
    /// The decision store could not be reached.
    StoreUnavailable,
    /// Time ran out.
    Deadline,
    /// A fault of the gate.
    Internal,
}

impl UnknownClass {
    /// Every class, in the order of S4.
    pub const ALL: [Self; 15] = [
        Self::ScanPending,
        Self::ScanMissing,
        Self::ScanFailed,
        Self::ScanUnsupported,
        Self::ScanStale,
        Self::AccessDenied,
        Self::NotFound,
        Self::Throttled,
        Self::RegistryUnavailable,
        Self::TrustUnavailable,
        Self::EvidenceInvalid,
        Self::EvidenceRemoved,
        Self::StoreUnavailable,
        Self::Deadline,
        Self::Internal,
    ];

    /// The name used in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScanPending => "scanPending",
            Self::ScanMissing => "scanMissing",
            Self::ScanFailed => "scanFailed",
            Self::ScanUnsupported => "scanUnsupported",
            Self::ScanStale => "scanStale",
            Self::AccessDenied => "accessDenied",
            Self::NotFound => "notFound",
            Self::Throttled => "throttled",
            Self::RegistryUnavailable => "registryUnavailable",
            Self::TrustUnavailable => "trustUnavailable",
            Self::EvidenceInvalid => "evidenceInvalid",
            Self::EvidenceRemoved => "evidenceRemoved",
            Self::StoreUnavailable => "storeUnavailable",
            Self::Deadline => "deadline",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why: a code for machines, a sentence for people, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reason {
    /// Stable code.
    pub code: ReasonCode,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub remedy: String,
}

impl Reason {
    /// A reason with the remedy that the code's table row gives.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: code.remedy().to_owned() }
    }

    /// The same with a more exact remedy.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

macro_rules! reasons {
    ($($variant:ident $code:literal $class:expr, $meaning:literal, $remedy:literal;)+) => {
        /// A stable reason code. Codes are never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl ReasonCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands in records, such as `scan.pending`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The class of unknown; `None` for a real rule failure.
            pub fn class(self) -> Option<UnknownClass> {
                #[allow(unused_imports)]
                use UnknownClass::*;
                match self { $(Self::$variant => $class,)+ }
            }

            /// What it means, one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

reasons! {
    VulnMaxExceeded "vuln.maxExceeded" None,
        "More findings of a severity than the policy allows.",
        "Upgrade the packages to their fixed versions, rebuild and push; or ask for an exception with an end date.";
    VulnDenied "vuln.denied" None,
        "The policy's `deny` list names this vulnerability.",
        "Remove or upgrade the package; exceptions do not lift a deny list.";
    VulnKnownExploited "vuln.knownExploited" None,
        "An exploit is known for this vulnerability and the policy denies that.",
        "Upgrade at once; neither a grace period nor `ignoreUnfixed` covers a known exploit.";
    VulnCvss "vuln.cvss" None,
        "The CVSS score reaches the policy's limit.",
        "Upgrade the package to its fixed version, or ask for an exception with an end date.";
    VulnEpss "vuln.epss" None,
        "The EPSS probability reaches the policy's limit.",
        "Upgrade the package to its fixed version, or ask for an exception with an end date.";
    VulnCountExceeded "vuln.countExceeded" None,
        "The scanner's own count is larger than the list of findings it gave, and over the limit.",
        "Look at the scan in the ECR console; run the check again; if the counts stay apart, tell AWS support.";
    SignatureMissing "signature.missing" None,
        "The policy asks for signatures, and there is none by a signer that counts.",
        "Sign the image's digest with a key or identity that the policy names; `ecr-gate verify` shows what is there.";
    SignatureThreshold "signature.threshold" None,
        "Fewer of the named signers signed the image than the policy asks for, or one that is required did not.",
        "Let the signer that is named sign the image's digest.";
    SignatureInvalid "signature.invalid" None,
        "A signature does not verify: what was signed, or the signature, was changed, or another key made it.",
        "Sign the image again; if nobody on your side changed it, find out who pushed the signature.";
    SignatureOtherImage "signature.otherImage" None,
        "A signature is about another image than the one it is attached to.",
        "Sign the digest that is deployed; a signature cannot be moved to another image.";
    SignatureMalformed "signature.malformed" None,
        "A signature cannot be read.",
        "Sign the image again with a current tool.";
    SignatureUnsupported "signature.unsupported" None,
        "A signature has a form that the gate cannot judge: neither absent nor valid.",
        "Sign with a supported form; the documentation lists them.";
    SignatureUnknownKey "signature.unknownKey" None,
        "A signature was made by none of the keys that the policies name.",
        "Add the key to `spec.signers`, or sign with one that is there.";
    SignatureUntrusted "signature.untrusted" None,
        "The signing certificate does not chain to a trusted authority, or is none for signing code.",
        "Check which certificate authority issued it, and whether the trust material names that authority.";
    SignatureCertificate "signature.certificate" None,
        "The signing certificate does not say in the required form who it is for.",
        "Get a certificate with exactly one identity from the certificate authority.";
    SignatureCertificateTime "signature.certificateTime" None,
        "The signing certificate was not valid when the signature was made, as far as that is proven.",
        "Sign within the certificate's validity, and let a log or timestamp authority witness it.";
    SignatureSct "signature.sct" None,
        "The certificate's proof of publication (SCT) is missing, or is not by a trusted certificate log.",
        "Use a certificate of a certificate authority that publishes what it issues, and its current trusted root.";
    SignatureLogMissing "signature.logMissing" None,
        "The signature has no entry in a transparency log, and one is asked for.",
        "Sign with upload to the transparency log, or drop `transparencyLog: required` for this signer.";
    SignatureLogUnknown "signature.logUnknown" None,
        "The signature's entry is in a transparency log that the trusted roots do not name.",
        "Give the trusted root of that log, or sign again with upload to a log that is trusted.";
    SignatureLogInvalid "signature.logInvalid" None,
        "The proof that the signature is in the transparency log does not hold, or is about something else.",
        "Sign the image again; if that happens again, tell those who run the log.";
    SignatureTimestamp "signature.timestamp" None,
        "A timestamp of the signature does not verify, or is by an authority that is not trusted.",
        "Give the timestamp authority's certificates, or sign again with a trusted one.";
    SignatureTimeUnproven "signature.timeUnproven" None,
        "Nothing that is trusted proves when the signature was made, and that is asked for.",
        "Sign with upload to a transparency log, or with a timestamp authority.";
    SignatureIdentity "signature.identity" None,
        "A signature verifies, and its signer is not one that the rule names.",
        "Compare the identity and issuer shown with `spec.signers`; a workflow, branch or project that differs is another identity.";
    SignatureWindow "signature.window" None,
        "A signature was made outside the time in which its signer counts (`notBefore`, `notAfter`).",
        "Sign with the current key; see the guide on key rotation.";
    SignatureRevoked "signature.revoked" None,
        "The signer is revoked.",
        "Sign again with a key that is not revoked, after finding out whether the image is genuine.";
    SignatureExpired "signature.expired" None,
        "The signature has expired by the signer's own word, or its certificate has and no trusted timestamp proves the signing.",
        "Sign the image again.";
    AttestationMissing "attestation.missing" None,
        "The policy asks for a signed statement, and there is none of that type by a signer that counts.",
        "Attach one: `ecr-gate attest` or `cosign attest`; `ecr-gate verify` shows what is there.";
    AttestationCondition "attestation.condition" None,
        "A signed statement does not say what the policy asks for.",
        "Look at the value that is named, and at what the statement was made from.";
    AttestationInvalid "attestation.invalid" Some(EvidenceInvalid),
        "A signed statement by a signer that counts cannot be read.",
        "Make the statement again with a current tool.";
    ProvenanceMissing "provenance.missing" None,
        "The policy asks for signed provenance, and there is none by a signer that counts.",
        "Let the build attach SLSA provenance, signed by the builder.";
    ProvenanceBuilder "provenance.builder" None,
        "The image was built by another builder than the policy allows.",
        "Build on an allowed builder; the pattern has to match the whole id, version included.";
    ProvenanceBuildType "provenance.buildType" None,
        "The image was built in another way (`buildType`) than the policy allows.",
        "Build with an allowed workflow.";
    ProvenanceSource "provenance.source" None,
        "The image was built from another source repository than the policy allows, or the provenance names none.",
        "Build from an allowed repository.";
    ProvenanceRef "provenance.ref" None,
        "The image was built from another branch or tag than the policy allows, or the provenance names none.",
        "Build from an allowed branch or tag.";
    ProvenanceCommit "provenance.commit" None,
        "The image was built from another commit than the policy allows, or the provenance names none.",
        "Build the commit that was approved.";
    ProvenanceWorkflow "provenance.workflow" None,
        "The image was built by another workflow than the policy allows, or the provenance names none.",
        "Build by the approved workflow.";
    ProvenanceParameters "provenance.parameters" None,
        "The build was started with other parameters than the policy allows.",
        "Start the build with the allowed parameters.";
    TrustRootMissing "trust.rootMissing" Some(TrustUnavailable),
        "Trust material that the policy needs is not at hand, so nothing can be verified with it.",
        "Give the file that is named: a key, a trusted root, or the certificates of a trust store.";
    TrustRootInvalid "trust.rootInvalid" Some(TrustUnavailable),
        "Trust material cannot be read or used.",
        "Replace the file that is named; `cosign trusted-root create` makes a trusted root, `ecr-gate keys generate` a key.";
    TrustKeyUnavailable "trust.keyUnavailable" Some(TrustUnavailable),
        "A key could not be fetched from its key management service.",
        "Check the key's name, the credentials and the permission kms:GetPublicKey.";
    TrustKeyDenied "trust.keyDenied" Some(AccessDenied),
        "A key management service does not give the key to this caller, or has no such key.",
        "Check the key's name and region, and allow kms:GetPublicKey (and kms:Sign for signing) on it for the role of the job.";
    TrustRevocationUnavailable "trust.revocationUnavailable" Some(TrustUnavailable),
        "It cannot be said whether a certificate is revoked, and the policy asks for that.",
        "Give a current revocation list of the certificate's issuer.";
    SbomMissing "sbom.missing" None,
        "The policy asks for a bill of materials and there is none that it accepts.",
        "Make one when the image is built (`syft -o cyclonedx-json`), attach it or give it with `--sbom`; see `from` of the rule.";
    SbomMismatch "sbom.mismatch" None,
        "The bill of materials is not about this image: it names another digest, or other packages than the image holds.",
        "Make the bill of materials from the image that is deployed, after its last build step.";
    SbomDeniedPackage "sbom.deniedPackage" None,
        "The bill of materials lists a package that the policy denies.",
        "Remove the package, or replace it.";
    SbomDeniedLicense "sbom.deniedLicense" None,
        "The bill of materials lists a licence that the policy denies.",
        "Replace the package, or ask whoever answers for licences.";
    SbomInvalid "sbom.invalid" Some(EvidenceInvalid),
        "The bill of materials cannot be read, or not to its end.",
        "Make it again with a current tool; see the table of formats in the documentation.";
    VexInvalid "vex.invalid" Some(EvidenceInvalid),
        "The VEX document cannot be read.",
        "Correct the document at the place that is named.";
    ConfigBroken "config.broken" None,
        "The image's configuration breaks the policy.",
        "Change the Dockerfile or the build so that the rule holds, and push again.";
    ConfigSecret "config.secret" None,
        "Something that looks like a secret is in the image's environment, history or labels.",
        "Take it out of the build, revoke it, and hand it over at run time; whoever could pull the image has it.";
    BaseImageBroken "baseImage.broken" None,
        "The base image is not one that the policy approves, or it is too old.",
        "Build on an approved base image of today.";
    AgeExceeded "age.exceeded" None,
        "The image is older than the policy allows.",
        "Build the image again, on the packages of today, and push it.";
    AgeTooYoung "age.tooYoung" None,
        "The image is younger than the policy allows.",
        "Wait until it is old enough, or deploy the release before.";
    AgeUnproven "age.unproven" None,
        "The image gives no date that somebody can have meant, and an unknown age is not a good one.",
        "Let the build write a true date: set SOURCE_DATE_EPOCH to the time of the commit.";
    AgeNotSaid "age.notSaid" Some(NotFound),
        "Nobody says when the image was pushed: only the API of Amazon ECR does.",
        "Judge the image in Amazon ECR, or use `of: built` in the rule.";
    ReferenceRegistry "reference.registry" None,
        "The image comes from a registry or repository that the policy does not allow.",
        "Take the image from a repository that the policy allows, or have it added to the policy.";
    ReferenceTag "reference.tag" None,
        "The image is named by a tag that the policy does not allow.",
        "Name the image by another tag; one that neither names a tag nor a digest means `latest`.";
    ReferenceDigest "reference.digest" None,
        "The image is named without a digest, and the policy asks for one: what a tag names can change.",
        "Write the digest behind the name: `REPOSITORY@sha256:…`, or `REPOSITORY:TAG@sha256:…`.";
    ReferenceUnknown "reference.unknown" Some(NotFound),
        "The image is named without a registry, so that nobody can say whether it comes from an allowed one.",
        "Name the image by its whole reference, with the registry's host; an image on this machine has to be pushed first.";
    EntrypointBroken "config.entrypoint" None,
        "What the image would run is not there or cannot be run.",
        "Check ENTRYPOINT and CMD, the file's mode, its architecture and its interpreter.";
    PackagesDenied "packages.denied" None,
        "The layers hold a package that the policy denies.",
        "Remove the package in the build, or use a base image without it.";
    PackagesNotAllowed "packages.notAllowed" None,
        "The layers hold packages that the policy does not list.",
        "Remove the packages, or have them added to the policy.";
    PackagesMissing "packages.missing" None,
        "The layers lack a package that the policy asks for.",
        "Install the package in the build.";
    PackagesTooMany "packages.tooMany" None,
        "The layers hold more packages than the policy allows.",
        "Use a smaller base image, build in several stages, and leave build tools out.";
    PackagesNoDatabase "packages.noDatabase" Some(ScanUnsupported),
        "The layers hold no package database with a package in it, so that nobody can say which packages there are.",
        "Keep the package database in the image; for images that are built from nothing write `withoutDatabase: pass`.";
    ConfigInvalid "config.invalid" Some(EvidenceInvalid),
        "The image's configuration or a layer cannot be read.",
        "Push the image again with a current client.";
    ContentUnsupported "image.contentUnsupported" Some(ScanUnsupported),
        "The image holds something that this version cannot read, such as an old package database.",
        "Rebuild on a current base image, or take this check out of the rule.";
    MeasurementMissing "measurement.missing" None,
        "The policy asks for a measurement of this image and there is none that it accepts.",
        "Measure the image and attach the result: `ecr-gate measure record`.";
    MeasurementExceeded "measurement.exceeded" None,
        "A measurement is over the policy's limit.",
        "Find out what made it grow; compare with the measurements of the release before.";
    MeasurementInvalid "measurement.invalid" Some(EvidenceInvalid),
        "A measurement cannot be compared: its unit is of another kind, or it has too few samples.",
        "Record the metric with a unit of the rule's kind and with all samples of one run.";
    ScanUnproven "scan.unproven" Some(ScanMissing),
        "The report names findings but does not prove that a whole scan stands behind it.",
        "Give a report that does, such as Trivy's or Grype's own JSON; this one may only add findings.";
    ScanUndated "scan.undated" Some(ScanStale),
        "The report does not say when the image was scanned.",
        "Use a version of the scanner that dates its report.";
    ScanUnbound "scan.unbound" Some(EvidenceInvalid),
        "The report does not say which image it is about.",
        "Let the scanner scan the image by its digest, or as the archive or layout that is judged.";
    ScanNotAccepted "scan.notAccepted" Some(ScanMissing),
        "The policy does not accept the source of this report.",
        "Add `file` or the scanner to `sources.accept` of the rule, or let the gate ask a source that is accepted.";
    ScanRequiredMissing "scan.requiredMissing" Some(ScanMissing),
        "A source that the policy requires did not answer.",
        "Scan the image with it; `sources.required` of the rule lists the sources.";
    ReportUnknownFormat "report.unknownFormat" Some(EvidenceInvalid),
        "The file is in no format that this version reads.",
        "Compare it with the table of formats in the documentation.";
    NotHandedOver "evidence.notHandedOver" Some(Internal),
        "None was handed over, and nobody looked in the registry.",
        "Hand it over, or name an image in a registry; for recorded facts: record them again by this policy.";
    NotCollected "notCollected" Some(Internal),
        "Nobody asked for this.",
        "For recorded facts: record them again by this policy (`check --policy FILE --output facts=FILE`). Otherwise please report it with the message.";
    RegistryAccessDenied "registry.accessDenied" Some(AccessDenied),
        "The registry refused the request.",
        "Log in (`docker login HOST`) or check what the account may read.";
    RegistryNotFound "registry.notFound" Some(NotFound),
        "The registry has no such repository, image or blob.",
        "Check the name, the tag or digest, and that the push has ended.";
    RegistryThrottled "registry.throttled" Some(Throttled),
        "The registry kept asking to slow down until time ran out.",
        "Run fewer checks at a time, or log in: anonymous pulls are often limited.";
    RegistryUnavailable "registry.unavailable" Some(RegistryUnavailable),
        "The registry failed or could not be reached.",
        "Check the network, proxy, certificate and port, then run the check again.";
    RegistryMalformed "registry.malformed" Some(EvidenceInvalid),
        "The registry answered with something that is not in the form of its API, or whose digest is another one.",
        "Run the check again; if it stays, look at proxies and mirrors between the gate and the registry.";
    RegistryTooLarge "registry.tooLarge" Some(EvidenceInvalid),
        "Something in the registry is larger than the gate reads.",
        "Look at the image; the limits are documented.";
    RegistryReferrersCut "registry.referrersCut" Some(RegistryUnavailable),
        "The list of referrers could not be read to its end.",
        "Remove old referrers of the image, or ask the registry's operators.";
    SourceInvalid "source.invalid" Some(EvidenceInvalid),
        "The local layout or archive cannot be read.",
        "Write it again, for example with `skopeo copy` or `docker save`.";
    DenyListed "deny.listed" None,
        "The image, or something in it, is on the deny list.",
        "Take what is named out of the image, or use another one; exceptions do not lift a deny list. `ecr-gate deny list` says who put it there, and why.";
    DenyQuarantined "deny.quarantined" None,
        "The image, or something in it, is quarantined: for scanners and forensics to look at, for nobody to run.",
        "Run the release before; ask whoever quarantined it. `ecr-gate deny list` says who that is, and why.";
    PolicyNoneMatched "policy.noneMatched" None,
        "No policy matches this image in this environment.",
        "Add the image to `spec.match` of a policy, or correct `--environment`.";
    ScanPending "scan.pending" Some(ScanPending),
        "The scan is queued or running.",
        "Wait and run the check again, or give it a longer `--timeout`.";
    ScanNoFindingsYet "scan.noFindingsYet" Some(ScanPending),
        "The scan says it is done but its findings are not there yet.",
        "Wait and run the check again, or give it a longer `--timeout`.";
    ScanUnconfirmed "scan.unconfirmed" Some(ScanPending),
        "Continuous scanning shows an empty list that no second reading has confirmed.",
        "Run the check against ECR itself with a `--timeout` longer than the poll interval.";
    ScanMissing "scan.missing" Some(ScanMissing),
        "There is no scan of this image.",
        "Turn on scan on push for the repository (`ecr-gate doctor --fix`), or let the gate start scans.";
    ScanNotStartable "scan.notStartable" Some(ScanMissing),
        "There is no scan of this image and the gate may not start one.",
        "Leave out `--no-start-scan`, or turn on scan on push and push again.";
    ScanFailed "scan.failed" Some(ScanFailed),
        "The scanner ended with a failure.",
        "Push the image again or start another scan; basic scanning accepts one scan per image in 24 hours.";
    ScanFindingsUnavailable "scan.findingsUnavailable" Some(ScanFailed),
        "The scanner has no findings to give for this image.",
        "Check that Amazon Inspector covers the repository (`ecr-gate doctor`).";
    ScanEligibilityExpired "scan.eligibilityExpired" Some(ScanFailed),
        "Amazon Inspector no longer scans this image: its scan window has ended.",
        "Push the image again, or lengthen the re-scan duration in Amazon Inspector.";
    ScanLimitExceeded "scan.limitExceeded" Some(ScanFailed),
        "The scanner refused the image because a limit was reached.",
        "Look up the Amazon Inspector and ECR quotas of the account, and ask for more or remove images.";
    ScanImageArchived "scan.imageArchived" Some(ScanUnsupported),
        "The image is archived; archived images are not scanned.",
        "Restore the image from the archive storage class and wait for its scan.";
    ScanUnsupported "scan.unsupported" Some(ScanUnsupported),
        "The scanner cannot scan this image: its operating system is unknown to it, as with distroless or scratch.",
        "Turn on enhanced scanning, which reads language packages too, or give a scanner's report as a second source.";
    ScanStale "scan.stale" Some(ScanStale),
        "The scan's vulnerability data is older than the policy allows.",
        "Start another scan, or push the image again; basic scanning accepts one scan per image in 24 hours.";
    ScanOlderThanPush "scan.olderThanPush" Some(ScanStale),
        "The scan ended before the image was pushed.",
        "Start another scan; basic scanning accepts one scan per image in 24 hours.";
    ScanUnknownStatus "scan.unknownStatus" Some(EvidenceInvalid),
        "The scanner answered with a status that this version does not know.",
        "Look for a newer ecr-gate; an unknown status is never a pass.";
    ScanMalformed "scan.malformed" Some(EvidenceInvalid),
        "The scan answer cannot be read: it is cut off, or not in the form of the API.",
        "Run the check again; if it stays, look at proxies between the gate and AWS, or at the report file.";
    ScanPartial "scan.partial" Some(EvidenceInvalid),
        "The scan answer is one page of several.",
        "Save the whole answer: `aws ecr describe-image-scan-findings` without `--no-paginate` and `--max-items`.";
    ScanCountsDisagree "scan.countsDisagree" Some(EvidenceInvalid),
        "The scanner's own counts and its list of findings differ in a severity that the policy limits.",
        "Run the check again; if the counts stay apart, look at the scan in the ECR console and tell AWS support.";
    ScanOtherImage "scan.otherImage" Some(EvidenceInvalid),
        "The scan answer is about another image.",
        "Give the report of the image that is being judged.";
    ScanPagesEndless "scan.pagesEndless" Some(EvidenceInvalid),
        "The scanner's list of findings repeats a page token or does not end.",
        "Run the check again; if it stays, tell AWS support.";
    ImageTagMoved "image.tagMoved" Some(EvidenceInvalid),
        "The tag was moved to another image while the gate was looking.",
        "Check the digest that was built (`repository@sha256:…`), or make tags immutable (`ecr-gate doctor --fix`).";
    ImagePlatformMissing "image.platformMissing" Some(NotFound),
        "The image index lacks a platform that the policy names.",
        "Build and push that platform, or take it out of the policy's `platforms`.";
    ImageManifestInvalid "image.manifestInvalid" Some(EvidenceInvalid),
        "The image manifest cannot be understood.",
        "Push the image again with a current client.";
    ImageNotAnImage "image.notAnImage" Some(ScanUnsupported),
        "The reference names an artifact that is no container image.",
        "Give the reference of the image itself.";
    AwsAccessDenied "aws.accessDenied" Some(AccessDenied),
        "AWS refused the call: the identity lacks a permission.",
        "Attach the policy that `ecr-gate iam-policy` prints to the role of the job.";
    AwsCredentialsMissing "aws.credentialsMissing" Some(AccessDenied),
        "No AWS credentials were found.",
        "Give the job a role (`AWS_ROLE_ARN` with `AWS_OIDC_TOKEN` or a web identity token file), a profile, or instance credentials.";
    AwsCredentialsExpired "aws.credentialsExpired" Some(AccessDenied),
        "The AWS credentials have expired.",
        "Let the job fetch new credentials; a session should outlive the gate's `--timeout`.";
    AwsCredentialsInvalid "aws.credentialsInvalid" Some(AccessDenied),
        "AWS does not accept the credentials.",
        "Check the access key, the session token, the role's trust policy (`ecr-gate trust-policy`) and the machine's clock.";
    AwsRepositoryNotFound "aws.repositoryNotFound" Some(NotFound),
        "The repository is not there.",
        "Check account, region and repository name; `aws ecr describe-repositories` lists them.";
    AwsImageNotFound "aws.imageNotFound" Some(NotFound),
        "The image is not in the repository.",
        "Check tag or digest, and that the push has ended before the gate starts.";
    AwsInvalidRequest "aws.invalidRequest" Some(NotFound),
        "AWS rejected the request as not valid.",
        "Check account, region, repository, tag and digest.";
    AwsThrottled "aws.throttled" Some(Throttled),
        "AWS kept asking to slow down until time ran out.",
        "Run fewer checks at a time, poll less often (`--poll-interval`), or give a longer `--timeout`.";
    AwsUnavailable "aws.unavailable" Some(RegistryUnavailable),
        "AWS failed or could not be reached.",
        "Check the network, proxy and endpoint settings and the AWS health page, then run the check again.";
    AwsUnknownError "aws.unknownError" Some(RegistryUnavailable),
        "AWS answered with an error that this version does not know.",
        "Read the error code; look for a newer ecr-gate.";
    AwsMalformed "aws.malformed" Some(EvidenceInvalid),
        "AWS answered with something that is not in the form of its API.",
        "Run the check again; if it stays, look at proxies between the gate and AWS and at the endpoint setting.";
    AwsAnswerTooLarge "aws.answerTooLarge" Some(EvidenceInvalid),
        "An answer is larger than the gate reads.",
        "Tell the maintainers which image this is; the limit is documented.";
    RegoDenied "rego.denied" None,
        "A Rego policy of yours has a message for this image.",
        "The message is your policy's own; whoever wrote it knows what to do.";
    RegoFailed "rego.failed" Some(Internal),
        "A Rego rule gave no answer: an error, a conflict, no value, or a value that is not a list of messages.",
        "Correct the rule where the message says; try it with `opa eval --strict-builtin-errors` on the same input.";
    RegoLimit "rego.limit" Some(Internal),
        "A Rego rule does more work, or makes larger values, than the limit allows.",
        "Make the rule cheaper: look findings up by key instead of comparing every one with every other.";
    RegoTime "rego.time" Some(Internal),
        "A Rego rule ran for too long on this machine before its work was counted to the limit.",
        "Run the check again when the machine is less busy; make the rule cheaper if it stays.";
    Deadline "deadline" Some(Deadline),
        "Time ran out while waiting for an answer.",
        "Give a longer `--timeout`, or find out why the source answers slowly.";
    Unrecognised "unrecognised" None,
        "A newer version gave a reason whose code this version does not know; the code stands before the message.",
        "Read the message, and update ecr-gate.";
    Internal "internal" Some(Internal),
        "A fault of the gate.",
        "Please report it with the message.";
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

read_as_text!(ReasonCode, "A reason code; the table of them is in the documentation.", |text| ReasonCode::ALL
    .iter()
    .copied()
    .find(|code| code.as_str() == text)
    .ok_or_else(|| format!("{text:?} is no reason code that this version knows")));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_row_helps() {
        let mut codes: Vec<_> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ReasonCode::ALL.len());
        for code in ReasonCode::ALL {
            assert!(code.meaning().ends_with('.') && code.remedy().ends_with('.'), "{code}");
        }
    }
}
