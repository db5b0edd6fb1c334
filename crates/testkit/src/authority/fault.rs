//! Every way in which a signature can be wrong while all the rest of it is right, with the reason a gate has to give.

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident $name:literal $reason:literal;)*) => {
        /// One way to be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)* }
            }

            /// The reason code that a gate refuses it with.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$fault => $reason,)* }
            }
        }
    };
}

faults! {
    /// The signature is over something else.
    Signature "signature" "signature.invalid";
    /// What is signed names another image.
    OtherImage "other-image" "signature.otherImage";
    /// The bundle is cut off.
    Cut "cut" "signature.malformed";
    /// The bundle is of a version that nobody knows.
    Version "version" "signature.unsupported";
    /// The log entry is of a kind that cannot be judged (`dsse` 0.0.2 of Rekor v2).
    EntryKind "entry-kind" "signature.unsupported";
    /// Signed with a key that nobody named. Only of key signers.
    UnknownKey "unknown-key" "signature.unknownKey";
    /// The certificate is by an authority that nobody named.
    UnknownAuthority "unknown-authority" "signature.untrusted";
    /// The certificate is for servers, not for signing code.
    Purpose "purpose" "signature.untrusted";
    /// The certificate names two identities.
    TwoIdentities "two-identities" "signature.certificate";
    /// The certificate names nobody.
    NoIdentity "no-identity" "signature.certificate";
    /// The certificate names a host.
    HostIdentity "host-identity" "signature.certificate";
    /// The certificate's identity has a NUL byte in it.
    NulIdentity "nul-identity" "signature.certificate";
    /// The certificate names no OIDC issuer.
    NoIssuer "no-issuer" "signature.certificate";
    /// The certificate had ended when the log saw the signature.
    Expired "expired" "signature.certificateTime";
    /// The certificate had not begun.
    NotYetValid "not-yet-valid" "signature.certificateTime";
    /// A timestamp is of a time when the certificate had ended, although the log saw the signature before.
    LateTimestamp "late-timestamp" "signature.certificateTime";
    /// The certificate has no proof of publication.
    NoSct "no-sct" "signature.sct";
    /// Its proof of publication is by a log that nobody named.
    SctOfOtherLog "sct-of-other-log" "signature.sct";
    /// Its proof of publication is about another certificate.
    SctOfOtherCertificate "sct-of-other-certificate" "signature.sct";
    /// There is no log entry.
    NoEntry "no-entry" "signature.logMissing";
    /// The entry is in a log that nobody named.
    UnknownLog "unknown-log" "signature.logUnknown";
    /// The log's signed entry timestamp is over another time.
    EntryTimestamp "entry-timestamp" "signature.logInvalid";
    /// The proof of inclusion leads to another root.
    InclusionProof "inclusion-proof" "signature.logInvalid";
    /// There is no proof of inclusion.
    NoInclusionProof "no-inclusion-proof" "signature.logInvalid";
    /// The checkpoint is signed by another log.
    Checkpoint "checkpoint" "signature.logInvalid";
    /// The checkpoint is of another tree.
    CheckpointOfOtherTree "checkpoint-of-other-tree" "signature.logInvalid";
    /// The entry is about another signature of the same signer.
    OtherEntry "other-entry" "signature.logInvalid";
    /// The entry says that it is of another kind than its body.
    EntryOfOtherKind "entry-of-other-kind" "signature.logInvalid";
    /// The entry is no JSON, and the log vouches for that.
    EntryBody "entry-body" "signature.logInvalid";
    /// The log saw the signature in the future.
    Future "future" "signature.logInvalid";
    /// Nobody proves the time: there is an entry and no signed entry timestamp.
    NoTime "no-time" "signature.timeUnproven";
    /// The timestamp is by an authority that nobody named.
    UnknownStamper "unknown-stamper" "signature.timestamp";
    /// The timestamp is over another signature.
    OtherTimestamp "other-timestamp" "signature.timestamp";
}

impl Fault {
    /// The fault of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}
