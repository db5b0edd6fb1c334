//! One request as the endpoint understood it: the AWS JSON 1.1 protocol of ECR, and the query protocol of STS.

use std::time::Instant;

use serde_json::{Map, Value};

use crate::escapes::pairs;

/// What `X-Amz-Target` starts with for ECR.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

/// A request that reached the endpoint.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation, for example `DescribeImages`; empty when the request names none.
    pub operation: String,
    /// The JSON body; a form as an object of strings; the text itself when it is neither.
    pub body: Value,
    /// When it had arrived in full.
    pub at: Instant,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Every header, names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// Reads the operation and the body; nothing in a request is an error here.
    pub(crate) fn understand(headers: Vec<(String, String)>, body: &[u8]) -> Self {
        let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let text = String::from_utf8_lossy(body);
        let (operation, body) = match find("x-amz-target") {
            Some(target) => (
                target.strip_prefix(TARGET).unwrap_or(&target).to_owned(),
                serde_json::from_slice(body).unwrap_or_else(|_| Value::String(text.into_owned())),
            ),
            None if text.contains("Action=") => {
                let form = form(&text);
                let operation = form.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
                (operation, Value::Object(form))
            }
            None => (String::new(), Value::String(text.into_owned())),
        };
        Self { operation, body, at: Instant::now(), authorization: find("authorization"), headers }
    }

    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The digest asked about (`imageId.imageDigest` or the first of `imageIds`).
    pub fn digest(&self) -> Option<&str> {
        self.image_id()["imageDigest"].as_str()
    }

    /// The tag asked about (`imageId.imageTag` or the first of `imageIds`).
    pub fn tag(&self) -> Option<&str> {
        self.image_id()["imageTag"].as_str()
    }

    /// The page asked for.
    pub fn next_token(&self) -> Option<&str> {
        self.body["nextToken"].as_str()
    }

    /// Whether this request is about the image with this digest or tag.
    pub fn is_about(&self, image: &str) -> bool {
        self.digest() == Some(image) || self.tag() == Some(image)
    }

    fn image_id(&self) -> &Value {
        match &self.body["imageId"] {
            Value::Null => &self.body["imageIds"][0],
            one => one,
        }
    }
}

/// The fields of an `application/x-www-form-urlencoded` body.
fn form(text: &str) -> Map<String, Value> {
    pairs(text.trim()).into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}
