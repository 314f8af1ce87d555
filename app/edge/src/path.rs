//! Ids in paths.

use crate::Problem;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The path's parameters as `T`: one id, or a tuple. What cannot be an id names nothing, so it is a 404.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = web::Path::<T>::from_request(request, payload).into_inner();
        ready(read.map(|path| Self(path.into_inner())).map_err(|_| Problem::not_found()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use kernel::{OrderId, Sku};

    #[actix_web::test]
    async fn a_malformed_id_names_nothing() {
        let id = "018f3b2c-0000-7000-8000-000000000001";
        let request = TestRequest::get().param("id", id).to_http_request();
        let Path(read) = Path::<OrderId>::extract(&request).await.expect("an id");
        assert_eq!(read.to_string(), id);
        let request = TestRequest::get().param("id", "1 OR 1=1").to_http_request();
        let problem = Path::<OrderId>::extract(&request).await.expect_err("refused");
        assert_eq!((problem.status().as_u16(), problem.code()), (404, "not_found"));
        let request = TestRequest::get().param("sku", "no/sku").to_http_request();
        assert!(Path::<Sku>::extract(&request).await.is_err());
    }
}
