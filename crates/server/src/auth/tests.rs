//! Who a request is by.

use axum::http::HeaderValue;

use super::*;

fn tokens() -> Tokens {
    Tokens::new(vec![
        Token::of("reader", "secret-r", Role::Read),
        Token::of("pipeline", "secret-w", Role::Write),
        Token::of("admin", "secret-a", Role::Admin),
    ])
}

fn headers(host: &str, authorization: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn bearer(secret: &str) -> Option<Caller> {
    tokens().bearer(secret)
}

#[test]
fn s36_a_token_says_who_and_what_they_may() {
    for (secret, name, allowed) in [
        ("secret-r", "reader", [true, true, false]),
        ("secret-w", "pipeline", [true, true, false]),
        ("secret-a", "admin", [true, true, true]),
    ] {
        let caller = bearer(secret).unwrap();
        assert_eq!(caller.name.as_deref(), Some(name));
        for (access, allowed) in [Access::Read, Access::Write, Access::Admin].into_iter().zip(allowed) {
            let answer = caller.may(access);
            assert_eq!(answer.is_ok(), allowed, "{name} {access:?}");
            assert!(answer.is_ok() || answer.is_err_and(|fail| fail.status() == 403));
        }
    }
    assert!(bearer("secret-r").unwrap().actor().may_everywhere(Right::Ask));
    assert!(!bearer("secret-r").unwrap().actor().may_somewhere(Right::Submit));
    assert!(bearer("secret-w").unwrap().actor().may_everywhere(Right::Submit));
    assert!(bearer("secret-a").unwrap().actor().may_everywhere(Right::Govern));
    for wrong in ["", "secret", "SECRET-A", "secret-a ", "secret-a x"] {
        assert!(bearer(wrong).is_none(), "{wrong:?}");
    }
}

#[test]
fn s36_nobody_writes_without_a_token() {
    let anonymous = Caller::anonymous();
    assert!(anonymous.may(Access::Read).is_ok());
    for access in [Access::Write, Access::Admin] {
        assert_eq!(anonymous.may(access).unwrap_err().status(), 401);
    }
    for right in [Right::Request, Right::Submit, Right::Promote, Right::Govern, Right::Administer] {
        assert!(!anonymous.actor().may_somewhere(right), "{right:?}");
    }
}

#[test]
fn s36_a_page_of_another_name_does_not_read_without_a_token() {
    let local = |host: &str| named_locally(&headers(host, &[]), &Uri::from_static("/x"));
    for host in ["127.0.0.1", "127.0.0.1:8181", "localhost:8181", "LOCALHOST", "[::1]:8181", "[::1]", "192.0.2.1:80"] {
        assert!(local(host), "{host}");
    }
    for host in ["evil.example:8181", "evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80"] {
        assert!(!local(host), "{host}");
    }
    assert!(!named_locally(&HeaderMap::new(), &Uri::from_static("/x")));
    assert!(!named_locally(&headers("localhost", &[]), &Uri::from_static("http://evil.example/x")));
}
