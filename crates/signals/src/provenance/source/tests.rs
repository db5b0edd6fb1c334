//! Addresses of repositories: what is one, and what must never be taken for another.

use super::*;

const COMMIT: &str = "d37a7f740ee7404914456f24dcd90e865a0509e8";

fn read(uri: &str) -> Option<(String, Option<String>, Option<String>)> {
    location(uri).map(|location| (location.repository, location.git_ref, location.commit))
}

fn is(uri: &str, repository: &str, git_ref: Option<&str>, commit: Option<&str>) {
    let wanted = (repository.to_owned(), git_ref.map(str::to_owned), commit.map(str::to_owned));
    assert_eq!(read(uri), Some(wanted), "{uri}");
}

#[test]
fn s27_a_repository_has_one_spelling() {
    let main = Some("refs/heads/main");
    is("git+https://github.com/acme/app@refs/heads/main", "github.com/acme/app", main, None);
    is("https://github.com/acme/app.git#refs/heads/main", "github.com/acme/app", main, None);
    is("https://github.com/acme/app.git#refs/heads/main:deploy", "github.com/acme/app", main, None);
    is("https://GitHub.com/acme/app/", "github.com/acme/app", None, None);
    is("git+https://github.com/acme/app.git", "github.com/acme/app", None, None);
    is(
        "git+ssh://git@gitlab.com/acme/group/app.git@refs/tags/v1",
        "gitlab.com/acme/group/app",
        Some("refs/tags/v1"),
        None,
    );
    is("git+https://git.acme.example:8443/app", "git.acme.example:8443/app", None, None);
    is(&format!("git+https://github.com/acme/app@{COMMIT}"), "github.com/acme/app", None, Some(COMMIT));
    is(
        &format!("https://github.com/acme/app.git#{}", COMMIT.to_uppercase()),
        "github.com/acme/app",
        None,
        Some(COMMIT),
    );
    // Branches of robots and tags of packages have an `@` in them.
    is(
        "git+https://github.com/acme/app@refs/tags/@acme/app@1.0.0",
        "github.com/acme/app",
        Some("refs/tags/@acme/app@1.0.0"),
        None,
    );
    is("https://git.sr.ht/~acme/app", "git.sr.ht/~acme/app", None, None);
}

#[test]
fn s27_near_misses_stay_apart() {
    let mut all = std::collections::BTreeSet::new();
    for uri in [
        "git+https://github.com/slsa-framework/example-package",
        "git+https://github.com/slsa-framework/example-package-x",
        "git+https://github.com/slsa-framework/example-packag",
        "git+https://github.com/slsa-framework/Example-package",
        "git+https://github.com/slsa-framework/example-package.git.git",
        "git+https://github.com/slsa-framework/example-package.gi",
        "git+https://github.com/slsa-framework/example-package/sub",
        "git+https://github.com/slsa-framework-x/example-package",
        "git+https://github.com:443/slsa-framework/example-package",
        "git+https://github.com.evil.example/slsa-framework/example-package",
        "git+https://evil.example/github.com/slsa-framework/example-package",
        "git+https://github.com/example-package",
        "git+https://gitlab.com/slsa-framework/example-package",
    ] {
        let Some((repository, None, None)) = read(uri) else { panic!("{uri}") };
        assert!(all.insert(repository), "{uri} is taken for another one");
    }
    assert!(all.contains("github.com/slsa-framework/example-package"));
}

#[test]
fn s27_what_can_be_read_in_two_ways_is_not_read() {
    for uri in [
        "",
        "acme/app",
        "github.com/acme/app",
        "git+github.com/acme/app",
        "git@github.com:acme/app.git",
        "pkg:docker/alpine@3.17?platform=linux%2Famd64",
        "pkg:github/acme/app@v1",
        "http://github.com/acme/app",
        "git+http://github.com/acme/app",
        "git://github.com/acme/app",
        "git+git+https://github.com/acme/app",
        "git+file:///srv/app",
        "hg+https://github.com/acme/app",
        "https://github.com",
        "https://github.com/",
        "https:///acme/app",
        // Users, in whichever place.
        "https://github.com@evil.example/acme/app",
        "git+https://user@github.com/acme/app",
        "git+https://user:secret@github.com/acme/app",
        "ssh://root@github.com/acme/app",
        "ssh://git@git@github.com/acme/app",
        "git+https://github.com\\@evil.example/acme/app",
        // Paths.
        "git+https://github.com//acme/app",
        "git+https://github.com/acme//app",
        "git+https://github.com/acme/app//",
        "git+https://github.com/acme/%2fapp",
        "git+https://github.com/acme%2Fapp",
        "git+https://github.com/acme/../evil/app",
        "git+https://github.com/acme/./app",
        "git+https://github.com/acme/app?x=y",
        "git+https://github.com/acme/app x",
        "git+https://github.com/acme/\u{430}pp",
        "git+https://github.com/acme/.git",
        "git+https://github.com/acme/app\n",
        // Hosts.
        "git+https://github..com/acme/app",
        "git+https://-github.com/acme/app",
        "git+https://github.com:/acme/app",
        "git+https://github.com:44a/acme/app",
        "git+https://[::1]/acme/app",
        "git+https://git_hub.com/acme/app",
        // Revisions.
        "git+https://github.com/acme/app@",
        "git+https://github.com/acme/app@evil@refs/heads/main",
        "git+https://github.com/acme/app@refs/heads/main#sub",
        "git+https://github.com/acme/app#refs/heads/main",
        "git+https://github.com/acme/app@refs/heads/../main",
        "git+https://github.com/acme/app@refs/heads//main",
        "git+https://github.com/acme/app@refs/heads/main/",
        "git+https://github.com/acme/app@/refs/heads/main",
        "git+https://github.com/acme/app@refs/heads/ma in",
        "git+https://github.com/acme/app@refs/heads/*",
        "git+https://github.com/acme/app@refs/heads/main.lock",
        "git+https://github.com/acme/app@refs/heads/main%00",
        "git+https://github.com/acme/app@refs/@{1}",
        "https://github.com/acme/app@refs/heads/main",
        "https://github.com/acme/app#a#b",
        "https://github.com/acme/app#:sub",
        "https://github.com/acme/app#",
    ] {
        assert_eq!(read(uri), None, "{uri:?}");
    }
}

#[test]
fn s27_a_commit_is_one_and_is_whole() {
    let commit = |digests: &[(&str, &str)]| {
        let digests = digests.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        super::commit("here", &digests).map_err(|error| error.to_string())
    };
    let other = "4d329c75e7ec1725f7c9ce917a8799d408d06be3";
    assert_eq!(commit(&[("sha1", COMMIT)]), Ok(Some(COMMIT.to_owned())));
    assert_eq!(commit(&[("gitCommit", &COMMIT.to_uppercase()), ("sha1", COMMIT)]), Ok(Some(COMMIT.to_owned())));
    assert_eq!(commit(&[("sha256", COMMIT)]), Ok(Some(COMMIT.to_owned())), "GitLab's runner");
    assert_eq!(commit(&[("sha256", &"a".repeat(64))]), Ok(None));
    assert_eq!(commit(&[("sha1", "")]), Ok(None));
    assert_eq!(commit(&[("dirHash", "h1:abc")]), Ok(None));
    assert!(commit(&[("sha1", COMMIT), ("gitCommit", other)]).unwrap_err().contains("two commits"));
    for broken in [&COMMIT[..39], "main", "HEAD", &format!("{COMMIT}0"), &format!("g{}", &COMMIT[1..])] {
        assert!(commit(&[("gitCommit", broken)]).unwrap_err().contains("no commit"), "{broken}");
    }
}

proptest::proptest! {
    #[test]
    fn s27_any_text_is_read_alike_or_not_at_all(text in "(git\\+)?(https|ssh)://[a-zA-Z.:@/#%_~ -]{0,40}") {
        if let Some(found) = location(&text) {
            proptest::prop_assert!(!found.repository.contains(['@', '#', '%', ' ', '?']));
            proptest::prop_assert!(!found.repository.contains("//") && !found.repository.ends_with('/'));
            proptest::prop_assert!(found.git_ref.is_none() || found.commit.is_none());
            // Written in its one spelling, it is the same repository.
            let again = location(&format!("git+https://{}.git", found.repository));
            proptest::prop_assert_eq!(again.map(|again| again.repository), Some(found.repository));
        }
    }
}
