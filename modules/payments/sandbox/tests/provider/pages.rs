//! The challenge page, as a browser without scripts sees it.

use crate::support::*;
use sandbox::{AuthorizeCharge, ChargeStatus, Page, Sandbox, SandboxError};
use std::sync::Arc;
use uuid::Uuid;

/// Looks at a path, or clicks on its end.
async fn browse(sandbox: &Sandbox, path: &str) -> Page {
    let rest = path.strip_prefix("/sandbox/challenges/").expect("a challenge");
    match rest.split_once('/') {
        None => sandbox::show(sandbox, rest).await,
        Some((id, "approve")) => sandbox::answer(sandbox, id, true).await,
        Some((id, _)) => sandbox::answer(sandbox, id, false).await,
    }
}

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

async fn challenge(sandbox: &Sandbox, key: &str) -> (Uuid, String) {
    let outcome = sandbox
        .authorize(AuthorizeCharge { reference: "<b>\"&'".into(), ..authorize(key, 1999, "tok_3ds") })
        .await
        .expect("an outcome");
    let ChargeStatus::RequiresAction { url } = outcome.status else { panic!("{:?}", outcome.status) };
    (outcome.charge, url.strip_prefix("http://shop.test").expect("the public URL").to_owned())
}

on_both! {
    async fn an_approved_challenge_authorizes(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let sink = Arc::new(Sink::default());
        let _delivering = Delivering::start(&sandbox, &sink);
        let (charge, path) = challenge(&sandbox, "a").await;
        let early = sandbox.capture(capture("early", charge, 1999)).await.expect("an outcome");
        assert_eq!(early.status, declined("not_authorized"));
        for _ in 0..2 {
            let seen = browse(&sandbox, &format!("{path}/approve")).await;
            assert_eq!((seen.status, header(&seen, "location")), (303, Some(format!("../{charge}").as_str())));
        }
        let page = browse(&sandbox, &path).await;
        assert!(page.body.contains("You approved") && !page.body.contains("<form"));
        // Both ways of asking say what became of it.
        assert_eq!(sandbox.lookup("a").await.expect("reads").expect("known").status, ChargeStatus::Authorized);
        let request = AuthorizeCharge { reference: "<b>\"&'".into(), ..authorize("a", 1999, "tok_3ds") };
        assert_eq!(sandbox.authorize(request).await.expect("an outcome").status, ChargeStatus::Authorized);
        let captured = sandbox.capture(capture("c", charge, 1999)).await.expect("an outcome");
        assert_eq!(captured.status, ChargeStatus::Captured);
        eventually("both webhooks", async || (sink.words().len() == 2).then_some(())).await;
        // Whether one goes by the database decides which arrives first.
        let mut sent: Vec<_> = sink.bodies();
        sent.sort_by_key(|body| body["at"].as_i64());
        assert_eq!(sent.iter().map(|body| &body["type"]).collect::<Vec<_>>(), ["charge.authorized", "charge.captured"]);
        assert_eq!(sent[0]["idempotency_key"], "a");
        sandbox.close().await;
    }

    async fn an_abandoned_challenge_is_declined(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let sink = Arc::new(Sink::default());
        let _delivering = Delivering::start(&sandbox, &sink);
        let (charge, path) = challenge(&sandbox, "a").await;
        browse(&sandbox, &format!("{path}/abandon")).await;
        // Too late.
        browse(&sandbox, &format!("{path}/approve")).await;
        let found = sandbox.lookup("a").await.expect("reads").expect("known");
        assert_eq!((found.charge, found.status), (charge, declined("authentication_abandoned")));
        eventually("the webhook", async || (sink.words().len() == 1).then_some(())).await;
        assert_eq!(sink.bodies()[0]["code"], "authentication_abandoned");
        assert_eq!(
            ledger(&sandbox, "<b>\"&'").await,
            ["authorize requires_action 1999", "authorize declined 1999"]
        );
        sandbox.close().await;
    }

    /// F7: an order that expired while its buyer was away must not be paid for later.
    async fn a_voided_challenge_can_no_longer_be_approved(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let (charge, path) = challenge(&sandbox, "a").await;
        assert_eq!(sandbox.void(void("v", charge)).await.expect("an outcome").status, ChargeStatus::Voided);
        browse(&sandbox, &format!("{path}/approve")).await;
        let page = browse(&sandbox, &path).await;
        assert!(page.body.contains("called off"));
        assert_eq!(sandbox.lookup("a").await.expect("reads").expect("known").status, declined("voided"));
        let refused = sandbox.capture(capture("c", charge, 1999)).await.expect("an outcome");
        assert_eq!(refused.status, declined("already_voided"));
        sandbox.close().await;
    }

    async fn the_page_is_escaped_and_needs_no_script(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let (charge, path) = challenge(&sandbox, "a").await;
        let page = browse(&sandbox, &path).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("&lt;b&gt;&quot;&amp;&#39;") && !page.body.contains("<b>"));
        assert!(page.body.contains("19.99 EUR"));
        assert!(page.body.contains(&format!("<form method=\"post\" action=\"{charge}/approve\">")));
        assert!(page.body.contains(&format!("<form method=\"post\" action=\"{charge}/abandon\">")));
        assert!(!page.body.contains("<script") && !page.body.contains(" on"), "{}", page.body);
        let policy = header(&page, "content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"));
        assert!(!policy.contains("unsafe"));

        for path in ["/sandbox/challenges/nothing", "/sandbox/challenges/00000000-0000-0000-0000-000000000001"] {
            assert_eq!(browse(&sandbox, path).await.status, 404);
            assert_eq!(browse(&sandbox, &format!("{path}/approve")).await.status, 404);
        }
        assert!(!matches!(sandbox.lookup("a").await, Err(SandboxError::InProgress)));
        sandbox.close().await;
    }
}
