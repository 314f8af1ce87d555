//! Buyers register, sign in and out, and are told apart.

use crate::teller::Teller;
use serde_json::json;
use tests::http::Request;

pub(crate) async fn buyers_register_and_sign_in(teller: &mut Teller<'_>) {
    teller.meet("ada").await;
    teller.meet("bob").await;
    let ada = teller.token("ada");
    let again = json!({"email": "ADA@example.test", "name": "Ada", "password": "another password of ada"});
    assert_eq!(teller.post(409, "/api/v1/users", None, &again).await["code"], "email_taken");
    let short = json!({"email": "eve@example.test", "name": "Eve", "password": "short"});
    teller.post(422, "/api/v1/users", None, &short).await;
    for (email, password) in
        [("ada@example.test", "not the password"), ("eve@example.test", "whatever it is")]
    {
        let wrong = json!({"email": email, "password": password});
        let refused = teller.post(401, "/api/v1/sessions", None, &wrong).await;
        assert_eq!(refused["code"], "invalid_credentials");
    }
    let me = teller.get(200, "/api/v1/users/me", Some(&ada)).await;
    assert_eq!((&me["email"], &me["role"]), (&json!("ada@example.test"), &json!("customer")));
    teller.get(401, "/api/v1/users/me", None).await;
    teller.get(401, "/api/v1/users/me", Some("no token at all")).await;
    teller.get(403, "/api/v1/users", Some(&ada)).await;
    let admin = teller.admin.clone();
    teller.get(200, "/api/v1/users", Some(&admin)).await;

    let renamed = json!({"name": "Ada L."});
    let change = Request {
        method: "PATCH",
        path: "/api/v1/users/me",
        token: Some(&ada),
        json: Some(&renamed),
        headers: &[],
    };
    assert_eq!(teller.ask(200, &change).await.json()["name"], "Ada L.");

    // A session of its own: what is ended here is nobody else's.
    let credentials = json!({"email": "bob@example.test", "password": tests::process::PASSWORD});
    let session = teller.post(201, "/api/v1/sessions", None, &credentials).await;
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let session = teller.post(201, "/api/v1/sessions/refresh", None, &refresh).await;
    let token = session["access_token"].as_str().expect("a token").to_owned();
    teller.get(200, "/api/v1/sessions", Some(&token)).await;
    let current = "/api/v1/sessions/current";
    let end = Request { method: "DELETE", path: current, token: Some(&token), json: None, headers: &[] };
    teller.ask(204, &end).await;
    // The refresh token is dead at once; used again, it takes its whole family with it.
    teller.post(401, "/api/v1/sessions/refresh", None, &refresh).await;
    teller.get(200, "/.well-known/jwks.json", None).await;
}
