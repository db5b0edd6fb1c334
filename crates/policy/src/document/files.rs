//! Which files a policy names, and which of its parts may differ between environments.

use super::{Key, PUBLIC_GOOD, Policy, SignerKind};

impl Policy {
    /// Every file that the document names, as it is written: exceptions, keys, certificates, revocation lists, trusted roots.
    pub(crate) fn files(&self) -> Vec<String> {
        let spec = &self.spec;
        let mut files: Vec<String> = spec.exceptions.iter().flatten().cloned().collect();
        for signer in spec.signers.iter().flat_map(|signers| signers.values()) {
            match signer.kind() {
                Some(SignerKind::Key(Key::File(path))) => files.push(path.clone()),
                Some(SignerKind::X509(x509)) => {
                    let lists = [x509.timestamp_authorities.as_ref(), x509.revocation_lists.as_ref()];
                    files.extend(x509.certificates.iter().chain(lists.into_iter().flatten().flatten()).cloned());
                }
                Some(SignerKind::Key(Key::Inline(_) | Key::Kms(_)) | SignerKind::Keyless(_)) | None => {}
            }
        }
        let roots = spec.trust.iter().flat_map(|trust| trust.roots.iter().flatten());
        let rego = spec.rules.iter().filter_map(|rule| rule.rego.as_ref());
        files.extend(rego.flat_map(super::Rego::files).cloned());
        files.extend(roots.filter(|root| *root != PUBLIC_GOOD).cloned());
        files
    }

    /// The first part that is not the same in another reading of the document and has to be.
    pub(crate) fn differs_beyond_rules(&self, other: &Self) -> Option<&'static str> {
        let (one, two) = (&self.spec, &other.spec);
        let same = |one: &dyn std::fmt::Debug, two: &dyn std::fmt::Debug| format!("{one:?}") == format!("{two:?}");
        let parts = [
            ("metadata", same(&self.metadata, &other.metadata)),
            ("environments", same(&one.environments, &two.environments)),
            ("match", same(&one.matches, &two.matches)),
            ("exceptions", same(&one.exceptions, &two.exceptions)),
            ("trust", same(&one.trust, &two.trust)),
            ("signers", same(&one.signers, &two.signers)),
            ("rego", self.files() == other.files()),
        ];
        parts.into_iter().find(|(_, same)| !same).map(|(part, _)| part)
    }
}
