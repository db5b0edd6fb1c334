//! Lists in pages: `Link: <…>; rel="next"` (distribution-spec, "Listing Tags", "Listing Referrers"; RFC 8288). A list is
//! whole or an error: pages that repeat, do not end, or lead to another host end it with an error.

use std::collections::HashSet;

use model::{Repository, Tag};
use reqwest::header::LINK;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::exchange::{Answer, Follow, Question};
use super::sources::Source;
use super::{Client, Inner};
use crate::error::{Asked, Error};
use crate::location::canonical;
use crate::{Location, media_type};

/// How many entries are asked for at a time; registries may give fewer.
const PAGE: &str = "n=500";

#[derive(Deserialize)]
struct Tags {
    // Registries write null where a repository has lost its last tag.
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Vec<String>,
}

impl Client {
    /// All tags of a repository.
    pub async fn tags(&self, location: &Location) -> Result<Vec<Tag>, Error> {
        let source = Source::origin(location);
        let mut question = self.inner.question(&source, "tags/list", "list of tags".to_owned())?;
        question.url.set_query(Some(PAGE));
        let names = self.inner.names(question, |tags: Tags| tags.tags.unwrap_or_else(Vec::new)).await;
        let (asked, names) = names?;
        names.iter().map(|name| name.parse().map_err(|error| odd(&asked, &error))).collect()
    }

    /// All repositories of a registry, if it tells.
    pub async fn catalog(&self, host: &str) -> Result<Vec<Repository>, Error> {
        let host = canonical(host);
        let asked = Asked { host: host.clone(), repository: None, what: "list of repositories".to_owned() };
        self.inner.within_reach(&host, &asked)?;
        let mut url = self.inner.url(&host, "_catalog")?;
        url.set_query(Some(PAGE));
        let question = Question {
            method: Method::GET,
            host: &host,
            url,
            scope: "registry:catalog:*".to_owned(),
            asked,
            accept: None,
            body: None,
            follow: Follow::No,
        };
        let (asked, names) = self.inner.names(question, |catalog: Catalog| catalog.repositories).await?;
        names.iter().map(|name| name.parse().map_err(|error| odd(&asked, &error))).collect()
    }
}

fn odd(asked: &Asked, error: &model::ReferenceError) -> Error {
    malformed(asked, format!("the list holds a name that is none: {error}"))
}

pub(crate) fn malformed(asked: &Asked, why: String) -> Error {
    Error::Malformed { asked: asked.clone(), why }
}

impl Inner {
    /// The names of all pages, each once, in their order.
    async fn names<T: serde::de::DeserializeOwned>(
        &self,
        question: Question<'_>,
        names: impl Fn(T) -> Vec<String>,
    ) -> Result<(Asked, Vec<String>), Error> {
        let asked = question.asked.clone();
        let limits = &self.options.limits;
        let (mut seen, mut all) = (HashSet::new(), Vec::new());
        let mut pages = Pages::new(question, limits.pages);
        while let Some(question) = pages.next() {
            let answer = self.ask(question, limits.manifest_bytes).await?;
            let page: T = serde_json::from_slice(&answer.body)
                .map_err(|error| malformed(&asked, format!("the list is not in the form of one: {error}")))?;
            for name in names(page) {
                if seen.insert(name.clone()) {
                    all.push(name);
                }
            }
            if all.len() > limits.names {
                return Err(malformed(&asked, format!("the list has more than {} names", limits.names)));
            }
            pages.turn(&answer).map_err(|why| malformed(&asked, why))?;
        }
        Ok((asked, all))
    }
}

/// The pages of a list: where the next one is, until there is none.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    question: Question<'a>,
    seen: HashSet<Url>,
    left: usize,
    more: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(question: Question<'a>, limit: usize) -> Self {
        Self { seen: HashSet::from([question.url.clone()]), question, left: limit, more: true }
    }

    /// The question for the page that was not read yet.
    pub(crate) fn next(&self) -> Option<&Question<'a>> {
        self.more.then_some(&self.question)
    }

    /// Turns to the page that the answer links to. An error if the list cannot be read to its end.
    pub(crate) fn turn(&mut self, answer: &Answer) -> Result<(), String> {
        let mut links = Vec::new();
        for header in answer.headers.get_all(LINK) {
            let text = header.to_str().map_err(|_| "a Link header holds odd characters".to_owned())?;
            links.extend(next_links(text).ok_or_else(|| "a Link header cannot be read".to_owned())?);
        }
        let link = match links.as_slice() {
            [] => {
                self.more = false;
                return Ok(());
            }
            [link] => link,
            _ => return Err("a page links to several next pages".to_owned()),
        };
        let here = &self.question.url;
        let next = here.join(link).map_err(|_| "the next page has no address that can be read".to_owned())?;
        if next.host_str() != here.host_str() || next.port() != here.port() {
            return Err("the next page is on another host".to_owned());
        }
        // Behind a proxy that ends TLS, registries write http: the page is asked for the way the first one was.
        let mut url = here.clone();
        url.set_path(next.path());
        url.set_query(next.query());
        if !self.seen.insert(url.clone()) {
            return Err("its pages go round in a circle".to_owned());
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(format!("it has more than {} pages", self.seen.len() - 1));
        }
        self.question.url = url;
        Ok(())
    }
}

/// The targets of all links with `rel="next"`; `None` if the header breaks the grammar.
fn next_links(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (target, mut after) = rest.strip_prefix('<')?.split_once('>')?;
        let mut is_next = false;
        // Parameters up to the comma that ends this link; a comma inside quotes does not.
        loop {
            after = after.trim_start();
            let Some(parameter) = after.strip_prefix(';') else { break };
            let end = end_of_parameter(parameter);
            let (name, value) = parameter[..end].split_once('=').unwrap_or((&parameter[..end], ""));
            let value = value.trim().trim_matches('"');
            is_next |= name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"));
            after = &parameter[end..];
        }
        if is_next {
            found.push(target.to_owned());
        }
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(found)
}

fn end_of_parameter(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' | ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// What is asked of a referrers list.
pub(crate) const ACCEPT_INDEX: &str = media_type::OCI_INDEX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_read_in_the_forms_registries_write_them() {
        let next = |text| next_links(text);
        assert_eq!(next(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#).unwrap(), ["/v2/a/tags/list?n=2&last=b"]);
        assert_eq!(next("<https://h/x>;REL=next").unwrap(), ["https://h/x"]);
        assert_eq!(next(r#"</first>; rel="first", </n,1>; title="a,b;c"; rel="prev next""#).unwrap(), ["/n,1"]);
        assert!(next(r#"</last>; rel="last""#).unwrap().is_empty());
        assert!(next("").unwrap().is_empty());
        for bad in ["/v2/x; rel=next", "</open; rel=next", "</x> rel=next", "</x>; rel=next, junk"] {
            assert_eq!(next(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_link_is_too_odd_to_read(text in "[ -~]{0,200}") {
            let _ = next_links(&text);
        }
    }
}
