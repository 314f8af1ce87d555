//! Query strings, as strict as bodies: unknown and repeated parameters are refused, faults have pointers.

use crate::{FieldError, Problem, decode, json::pointer_step};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use kernel::PageRequest;
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// More parameters than any resource has.
const MOST: usize = 100;

/// The query as `T`, which should deny unknown fields.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// `limit` and `cursor` alone: a list without a filter.
#[derive(Debug, Clone)]
pub struct Paging(pub PageRequest);

/// `limit` and `cursor`, and the rest of the query as the filter.
#[derive(Debug, Clone)]
pub struct List<T> {
    /// What the list is narrowed by.
    pub filter: T,
    /// Which page is asked for.
    pub page: PageRequest,
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parameters(request.query_string()).and_then(read).map(Self))
    }
}

impl FromRequest for Paging {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(paged(request.query_string()).and_then(|(page, rest)| match rest.into_iter().next() {
            Some((name, _)) => Err(unknown(&name)),
            None => Ok(Self(page)),
        }))
    }
}

impl<T: DeserializeOwned> FromRequest for List<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(paged(request.query_string()).and_then(|(page, rest)| Ok(Self { filter: read(rest)?, page })))
    }
}

type Parameters = Vec<(String, String)>;

fn read<T: DeserializeOwned>(parameters: Parameters) -> Result<T, Problem> {
    decode::from_texts(parameters).map_err(|field| Problem::invalid_fields(vec![field]))
}

fn paged(query: &str) -> Result<(PageRequest, Parameters), Problem> {
    let is_paging = |(name, _): &(String, String)| name == "limit" || name == "cursor";
    let (page, rest) = parameters(query)?.into_iter().partition(is_paging);
    Ok((read(page)?, rest))
}

fn unknown(name: &str) -> Problem {
    Problem::invalid(pointer_step(name), "unknown_field", "there is no such parameter")
}

fn parameters(query: &str) -> Result<Parameters, Problem> {
    let mut parameters = Parameters::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if parameters.len() == MOST {
            return Err(Problem::bad_request("malformed_request", "There are too many query parameters."));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let undecodable =
            |_| Problem::bad_request("malformed_request", "The query is not UTF-8, percent-encoded.");
        let (name, value) = (decoded(name).map_err(undecodable)?, decoded(value).map_err(undecodable)?);
        if parameters.iter().any(|(known, _)| *known == name) {
            // One reader takes the first, another the last: neither is right.
            return Err(Problem::invalid_fields(vec![FieldError::new(
                pointer_step(&name),
                "invalid_value",
                "given twice",
            )]));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

struct NotText;

fn decoded(text: &str) -> Result<String, NotText> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(NotText);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).map_err(|_| NotText)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        status: Option<String>,
        minimum: Option<u32>,
    }

    async fn list(query: &str) -> Result<List<Filter>, Problem> {
        List::extract(&TestRequest::get().uri(&format!("/x?{query}")).to_http_request()).await
    }

    #[actix_web::test]
    async fn a_filter_and_a_page_share_a_query() {
        let List { filter, page } =
            list("status=a%20b%2B+c&limit=5&minimum=3&cursor=xyz").await.expect("read");
        assert_eq!((filter.status.as_deref(), filter.minimum), (Some("a b+ c"), Some(3)));
        assert_eq!((page.limit.rows(), page.cursor.expect("given").as_str()), (5, "xyz"));
        let List { filter, page } = list("").await.expect("read");
        assert_eq!((filter.status, filter.minimum, page.limit.rows()), (None, None, 20));
    }

    /// Sections 5.1 (API4) and 5.2 (15.3.7): sizes out of range, repeated and unknown parameters.
    #[actix_web::test]
    async fn a_query_is_refused_for_what_is_wrong_with_it() {
        let many: String = (0..101).map(|i| format!("p{i}=&")).collect();
        for (query, status, code, pointer) in [
            ("limit=0", 422, "invalid_value", Some("/limit")),
            ("limit=1000000", 422, "invalid_value", Some("/limit")),
            ("limit=5&limit=6", 422, "invalid_value", Some("/limit")),
            ("minimum=x", 422, "invalid_value", Some("/minimum")),
            ("status=a&user=A&user=B", 422, "invalid_value", Some("/user")),
            ("role=admin", 422, "unknown_field", Some("/role")),
            ("status=%ff", 400, "malformed_request", None),
            ("status=%4", 400, "malformed_request", None),
            (many.as_str(), 400, "malformed_request", None),
        ] {
            let problem = list(query).await.expect_err("refused");
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code), "{query}");
            assert_eq!(problem.document()["errors"][0]["pointer"].as_str(), pointer, "{query}");
        }
        let request = TestRequest::get().uri("/x?limit=3&extra=1").to_http_request();
        assert_eq!(Paging::extract(&request).await.expect_err("refused").code(), "unknown_field");
    }
}
