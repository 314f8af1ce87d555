//! Who is calling, as the gateway found out.

use crate::Problem;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use bus::{Caller, Role};
use std::{
    future::{Ready, ready},
    net::IpAddr,
};

/// A caller who is signed in; else 401. `Option<SignedIn>` where it matters but is not required.
#[derive(Debug, Clone, Copy)]
pub struct SignedIn(pub Caller);

/// A caller who is staff or admin; else 401 or 403.
#[derive(Debug, Clone, Copy)]
pub struct Staff(pub Caller);

/// A caller who is admin; else 401 or 403.
#[derive(Debug, Clone, Copy)]
pub struct Admin(pub Caller);

/// Where the request came from: the peer, or what a trusted proxy says. Set by the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl ClientIp {
    /// The client's address, the peer's own where no gateway has looked.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<IpAddr> {
        let known = request.extensions().get::<Self>().map(|ip| ip.0);
        known.or_else(|| request.peer_addr().map(|peer| peer.ip()))
    }
}

fn at_least(request: &HttpRequest, role: Role) -> Result<Caller, Problem> {
    match request.extensions().get::<Caller>().copied() {
        None => Err(Problem::unauthenticated()),
        Some(caller) if caller.role < role => Err(Problem::forbidden()),
        Some(caller) => Ok(caller),
    }
}

macro_rules! role {
    ($($name:ident: $role:ident),+) => {$(
        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(at_least(request, Role::$role).map(Self))
            }
        }
    )+};
}

role!(SignedIn: Customer, Staff: Staff, Admin: Admin);

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    /// Section 5.1, API5: nobody is 401, too little is 403.
    #[test]
    fn roles_are_checked() {
        let request = |role: Option<Role>| {
            let request = TestRequest::get().to_http_request();
            if let Some(role) = role {
                let caller = Caller { user: Uuid::nil(), role, session: Uuid::nil() };
                request.extensions_mut().insert(caller);
            }
            request
        };
        let status =
            |role, needed| at_least(&request(role), needed).map_err(|problem| problem.status().as_u16());
        assert_eq!(status(None, Role::Customer).err(), Some(401));
        assert_eq!(status(None, Role::Admin).err(), Some(401));
        assert_eq!(status(Some(Role::Customer), Role::Staff).err(), Some(403));
        assert_eq!(status(Some(Role::Staff), Role::Admin).err(), Some(403));
        assert!(status(Some(Role::Admin), Role::Staff).is_ok());
        assert!(status(Some(Role::Customer), Role::Customer).is_ok());
    }
}
