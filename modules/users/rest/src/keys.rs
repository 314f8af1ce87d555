//! The public keys of access tokens, for whoever verifies them.

use crate::{
    Users,
    body::{JwkBody, JwksBody},
    problem::problem,
};
use actix_web::{get, web};
use edge::{Problem, Reply};
use users_ports::SigningKeys;

/// The public keys that access tokens are signed with (RFC 7517), newest first.
#[utoipa::path(tag = "users", responses((status = 200, body = JwksBody)))]
#[get("/.well-known/jwks.json")]
pub(crate) async fn jwks(users: web::Data<Users>) -> Result<Reply, Problem> {
    let keys = users.port.signing_keys(SigningKeys {}).await.map_err(problem)?.keys;
    Ok(Reply::ok(&JwksBody { keys: keys.into_iter().map(JwkBody::from).collect() }))
}
