//! Image references among the words of a command: which are there, and whether they name an image by digest, by tag or
//! by `latest`. A reference made of variables counts when their names say what they hold.

/// An image reference in a command, and how it names the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Digest,
    Latest,
    Tag,
}

/// The image references among the words of `text`: byte offset and kind.
pub(super) fn references(text: &str) -> Vec<(usize, Reference)> {
    let separates = |c: char| c.is_whitespace() || matches!(c, '=' | ',' | '"' | '\'' | ';' | '(' | ')' | '`');
    let mut found = Vec::new();
    let mut add = |start: usize, end: usize| {
        let word: String = text[start..end].chars().filter(|c| !c.is_whitespace()).collect();
        found.extend(reference(&word).map(|kind| (start, kind)));
    };
    let mut start = 0;
    // Inside `${{ … }}` and `${…}` nothing separates.
    let mut depth = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' if depth > 0 || text[..index].ends_with('$') => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && separates(c) => {
                add(start, index);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    add(start, text.len());
    found
}

/// How `word` names an image, if it does.
pub(super) fn reference(word: &str) -> Option<Reference> {
    let named = |name: &str| {
        let upper = name.to_ascii_uppercase();
        name.contains(".dkr.ecr")
            || (name.contains('/') && !name.starts_with(['/', '.']))
            || (name.starts_with('$') && ["IMAGE", "REPO", "REGISTRY", "ECR"].iter().any(|part| upper.contains(part)))
    };
    if word.contains("://") || word.starts_with("arn:") || word.starts_with('-') {
        return None;
    }
    if let Some((name, digest)) = word.split_once('@') {
        return (named(name) && (digest.starts_with("sha256:") || digest.starts_with('$')))
            .then_some(Reference::Digest);
    }
    let colon = last_colon(word)?;
    let (name, tag) = (&word[..colon], &word[colon + 1..]);
    if name.contains(":/") {
        return None; // a volume: /a:/b:ro
    }
    let tag_like = !tag.is_empty()
        && !tag.contains('/')
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-${}:".contains(c));
    if tag == "latest" && !name.is_empty() {
        return Some(Reference::Latest);
    }
    (tag_like && named(name)).then_some(Reference::Tag)
}

/// The last `:` that is not inside `${…}`.
fn last_colon(word: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut found = None;
    for (index, c) in word.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => found = Some(index),
            _ => {}
        }
    }
    found
}

/// Whether an image in `image:` is pinned, as far as it can be seen. Variables are looked up by the caller.
pub(super) fn is_pinned(image: &str) -> bool {
    image
        .split_once("@sha256:")
        .is_some_and(|(_, hex)| hex.len() >= 64 && hex.bytes().take(64).all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references() {
        let kinds = |text: &str| references(text).into_iter().map(|(_, kind)| kind).collect::<Vec<_>>();
        assert_eq!(kinds("kubectl set image d/x app=$ECR/app:$CI_COMMIT_SHA"), [Reference::Tag]);
        assert_eq!(kinds("x \"$ECR_REGISTRY/$ECR_REPO@$IMAGE_DIGEST\""), [Reference::Digest]);
        assert_eq!(kinds("--image-uri 1.dkr.ecr.r.amazonaws.com/app:1.2"), [Reference::Tag]);
        assert_eq!(kinds("docker run nginx:latest"), [Reference::Latest]);
        assert_eq!(kinds("${IMAGE}:${TAG:-x}"), [Reference::Tag]);
        assert_eq!(kinds("x=${{ env.ECR }}/app:${{ github.sha }}"), [Reference::Tag]);
        assert_eq!(kinds("x=${{ env.ECR }}/app@${{ needs.b.outputs.digest }}"), [Reference::Digest]);
        for text in [
            "http://host:80/x",
            "-v /a:/b",
            "arn:aws:ecs:r:1:service/x",
            "${X:-y}",
            "--set a:b",
            "deploy/app",
            "-p 80:80",
            "-v $PWD/a:/b:ro",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
        let text = "a $IMAGE:$TAG";
        assert_eq!(references(text)[0].0, 2);
    }
}
