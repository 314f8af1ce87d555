//! One path, one decision: however it is spelled, and never one of ours.

use crate::{
    fixture::{Server, route},
    upstream::Upstream,
};
use serde_json::json;

fn server(public: &Upstream, private: &Upstream) -> Server {
    Server::with(
        json!([
            route("/{*rest}", &public.url(), json!({})),
            route("/blog/admin/{*rest}", &private.url(), json!({"auth": "admin"})),
        ]),
        |_| {},
    )
}

/// Section 5.9: another spelling of a path finds the same route, and the upstream sees the one spelling.
#[test]
fn spellings_of_a_path_find_one_route() {
    let (public, private) = (Upstream::text("public"), Upstream::text("private"));
    let server = server(&public, &private);
    for path in [
        "/blog/admin",
        "/blog/admin/",
        "/blog/admin/x",
        "/%62log/%61dmin/x",
        "/blog/adm%69n",
        "/blog/admin/...",
    ] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    let headers = [("Authorization", "Bearer admin")];
    assert_eq!(server.send("GET", "/%62log/%61dmin/%7Ex%2d", &headers, "").text(), "private");
    assert_eq!(private.last().path(), "/blog/admin/~x-");
    // Names are told apart by case, and a dot is part of a name.
    for path in ["/Blog/admin", "/blog/ADMIN", "/blog/admin.", "/blogadmin", "/blog/%20admin"] {
        assert_eq!(server.get(path).text(), "public", "{path}");
    }
    assert_eq!(private.asked().len(), 1);
}

/// Section 5.9: a path that can be read in two ways reaches nobody.
#[test]
fn paths_with_two_readings_reach_nobody() {
    let (public, private) = (Upstream::text("public"), Upstream::text("private"));
    let server = server(&public, &private);
    for path in [
        "/x/../blog/admin",
        "/x/%2e%2e/blog/admin",
        "/x/.%2E/blog/admin",
        "//blog/admin",
        "/blog//admin",
        "/blog/./admin",
        "/blog/%2e/admin",
        "/blog%2fadmin",
        "/blog/admin%2Fx",
        "/blog\\admin",
        "/blog%5cadmin",
        "/blog;x/admin",
        "/blog/admin;x=1",
        "/blog/admin%3bx",
        "/x/..;/blog/admin",
        "/blog/admin%00",
        "/%252e%252e/blog/admin",
        "/blog%252fadmin",
        "/%c0%ae%c0%ae/blog/admin",
        "/%e0%80%af/x",
        "/%zz",
        "/%",
        "/blog/%0d%0aX:%20y",
        "/a/..",
        "/..",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.problem(), (400, "ambiguous_path".into()), "{path}");
    }
    assert_eq!((public.asked().len(), private.asked().len()), (0, 0));
}

/// What is ours is ours, in whatever spelling, though everything else is passed on.
#[test]
fn ours_come_first() {
    let (public, private) = (Upstream::text("public"), Upstream::text("private"));
    let server = server(&public, &private);
    for path in ["/api/v1/things/7", "/%61pi/v1/things/7", "/api/v1/thing%73/7"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("via")), (200, None), "{path}");
        assert_eq!(answer.json()["ours"], true, "{path}");
    }
    assert_eq!(server.get("/healthz").json()["status"], "alive");
    for path in [
        "/healthz/x",
        "/api/v1/things",
        "/api/v1/things/7/x",
        "/api/v1/admin/x",
        "/sandbox/x",
        "/.well-known/x",
        "/docs/x/y",
    ] {
        assert_eq!(server.get(path).problem(), (404, "not_found".into()), "{path}");
    }
    for path in ["/api/v1/things/../../../blog", "/healthz/..%2fblog", "/docs/..;/blog"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(public.asked().len(), 0);
    for path in ["/", "/api", "/api/v1", "/api/v1/reviews", "/healthzz"] {
        assert_eq!(server.get(path).text(), "public", "{path}");
    }
}
