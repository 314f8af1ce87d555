//! What every implementation of the port does, wherever it is served and however often it is asked.
//!
//! Written against a provider that behaves by the sandbox's tokens.

use crate::{
    AuthorizePayment, CapturePayment, CheckPayments, GetPayment, ListPayments, Payment, PaymentHistory,
    PaymentStatus, PaymentsError, PaymentsPort, ReceiveWebhook, RefundPayment, RefundStatus, VoidPayment,
};
use bus::Sources;
use kernel::{Currency, Money, OrderId, PaymentId};
use std::sync::Arc;

/// Signs a webhook, given its event id and its body, as the provider under test does.
pub type SignWebhook = dyn Fn(&str, &str) -> ReceiveWebhook + Send + Sync;

/// Exercises every request of the port: its success and its refusals, each asked at least once.
///
/// # Panics
/// Where the port does not keep its contract.
pub async fn contract(port: Arc<dyn PaymentsPort>, sources: &Sources, sign: &SignWebhook) {
    let suite = Suite { port: &*port, sources };
    suite.a_payment_is_authorized_captured_and_refunded().await;
    suite.a_refusal_is_the_same_each_time().await;
    suite.an_order_has_one_payment_in_flight().await;
    suite.a_buyer_may_have_to_approve().await;
    suite.a_void_undoes_whatever_happened().await;
    suite.what_is_unknown_is_not_found().await;
    suite.webhooks_are_taken_once_and_only_from_the_provider(sign).await;
    let checks = port.check_payments(CheckPayments {}).await.expect("checks");
    for check in checks {
        assert_eq!(check.violations, 0, "{}: {:?}", check.invariant, check.sample);
    }
}

struct Suite<'a> {
    port: &'a dyn PaymentsPort,
    sources: &'a Sources,
}

fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

impl Suite<'_> {
    fn attempt(&self, order_id: OrderId, token: &str) -> AuthorizePayment {
        AuthorizePayment {
            capture_next: false,
            payment_id: self.sources.id(),
            order_id,
            user_id: self.sources.id(),
            amount: eur(1999),
            token: token.into(),
        }
    }

    async fn authorized(&self, token: &str) -> Payment {
        let request = self.attempt(self.sources.id(), token);
        self.port.authorize(request).await.expect("authorizes")
    }

    fn refund(&self, payment_id: PaymentId, amount: i64) -> RefundPayment {
        RefundPayment {
            refund_id: self.sources.id(),
            payment_id,
            amount: eur(amount),
            reason: "returned".into(),
        }
    }

    async fn a_payment_is_authorized_captured_and_refunded(&self) {
        let request = self.attempt(self.sources.id(), "tok_ok");
        let payment_id = request.payment_id;
        let payment = self.port.authorize(request.clone()).await.expect("authorizes");
        assert_eq!(payment.status, PaymentStatus::Authorized);
        assert_eq!((payment.amount, payment.captured, payment.refunded), (eur(1999), eur(0), eur(0)));
        assert_eq!(self.port.authorize(request.clone()).await, Ok(payment), "asked again");
        let other = AuthorizePayment { amount: eur(1), ..request.clone() };
        assert_eq!(self.port.authorize(other).await, Err(PaymentsError::IdReused));
        let early = self.port.refund(self.refund(payment_id, 1)).await;
        assert_eq!(early, Err(PaymentsError::InvalidTransition { status: PaymentStatus::Authorized }));

        let captured = self.port.capture(CapturePayment { payment_id }).await.expect("captures");
        assert_eq!((captured.status, captured.captured), (PaymentStatus::Captured, eur(1999)));
        assert_eq!(
            self.port.capture(CapturePayment { payment_id }).await,
            Ok(captured.clone()),
            "asked again"
        );
        assert_eq!(self.port.authorize(request.clone()).await, Ok(captured), "asked late");

        let part = self.refund(payment_id, 500);
        let refund = self.port.refund(part.clone()).await.expect("refunds");
        assert_eq!((refund.status, refund.amount), (RefundStatus::Succeeded, eur(500)));
        assert_eq!(self.port.refund(part.clone()).await, Ok(refund), "asked again");
        let reused = RefundPayment { amount: eur(501), ..part };
        assert_eq!(self.port.refund(reused).await, Err(PaymentsError::IdReused));
        let more = self.port.refund(self.refund(payment_id, 1500)).await;
        assert_eq!(more, Err(PaymentsError::RefundExceedsCaptured { refundable: eur(1499) }));
        let nothing = self.port.refund(self.refund(payment_id, 0)).await;
        assert_eq!(nothing, Err(PaymentsError::InvalidAmount));
        self.port.refund(self.refund(payment_id, 1499)).await.expect("refunds the rest");

        let payment = self.port.get_payment(GetPayment { payment_id }).await.expect("is there");
        assert_eq!((payment.status, payment.refunded), (PaymentStatus::Refunded, eur(1999)));
        let order_id = request.order_id;
        let listed = self.port.list_payments(ListPayments { order_id }).await.expect("lists");
        assert_eq!(listed, [payment]);
        let history = self.port.payment_history(PaymentHistory { order_id }).await.expect("has a history");
        let kinds: Vec<&str> = history.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds.first(), Some(&"authorized"));
        assert_eq!(kinds.iter().filter(|kind| **kind == "captured").count(), 1);
        assert_eq!(kinds.iter().filter(|kind| **kind == "refunded").count(), 2);
        assert!(history.is_sorted_by_key(|event| event.at));
    }

    async fn a_refusal_is_the_same_each_time(&self) {
        let request = self.attempt(self.sources.id(), "tok_decline_expired_card");
        let (payment_id, order_id) = (request.payment_id, request.order_id);
        let refusal = Err(PaymentsError::Declined { payment_id, code: "expired_card".into() });
        assert_eq!(self.port.authorize(request.clone()).await, refusal);
        assert_eq!(self.port.authorize(request).await, refusal, "asked again");
        let capture = self.port.capture(CapturePayment { payment_id }).await;
        assert_eq!(capture, Err(PaymentsError::InvalidTransition { status: PaymentStatus::Declined }));
        let undone = self.port.void(VoidPayment { payment_id }).await.expect("nothing to undo");
        assert_eq!(undone.status, PaymentStatus::Declined);
        // F4: another means of payment for the same order.
        let other = self.port.authorize(self.attempt(order_id, "tok_ok")).await.expect("authorizes");
        assert_eq!(other.status, PaymentStatus::Authorized);

        let payment_id = self.authorized("tok_capture_decline").await.id;
        for _ in 0..2 {
            let refused = self.port.capture(CapturePayment { payment_id }).await;
            assert!(matches!(refused, Err(PaymentsError::Declined { .. })), "{refused:?}");
        }
        let undone = self.port.void(VoidPayment { payment_id }).await.expect("voids");
        assert_eq!(undone.status, PaymentStatus::Voided);

        let free = AuthorizePayment { amount: eur(0), ..self.attempt(self.sources.id(), "tok_ok") };
        assert_eq!(self.port.authorize(free).await, Err(PaymentsError::InvalidAmount));
    }

    async fn an_order_has_one_payment_in_flight(&self) {
        let first = self.authorized("tok_ok").await;
        let second = self.port.authorize(self.attempt(first.order_id, "tok_ok")).await;
        assert_eq!(second, Err(PaymentsError::AttemptInFlight { payment_id: first.id }));
    }

    async fn a_buyer_may_have_to_approve(&self) {
        let payment = self.authorized("tok_3ds").await;
        assert_eq!(payment.status, PaymentStatus::RequiresAction);
        assert!(payment.action_url.is_some());
        let payment_id = payment.id;
        let capture = self.port.capture(CapturePayment { payment_id }).await;
        assert_eq!(capture, Err(PaymentsError::InvalidTransition { status: PaymentStatus::RequiresAction }));
        let undone = self.port.void(VoidPayment { payment_id }).await.expect("calls it off");
        assert_eq!((undone.status, undone.action_url), (PaymentStatus::Voided, None));
    }

    async fn a_void_undoes_whatever_happened(&self) {
        let late = self.attempt(self.sources.id(), "tok_ok");
        let payment_id = late.payment_id;
        let tombstone = self.port.void(VoidPayment { payment_id }).await.expect("leaves a tombstone");
        assert_eq!(tombstone.status, PaymentStatus::Voided);
        let refused = Err(PaymentsError::InvalidTransition { status: PaymentStatus::Voided });
        assert_eq!(self.port.authorize(late).await, refused, "B15: the undo came first");

        let payment_id = self.authorized("tok_ok").await.id;
        let voided = self.port.void(VoidPayment { payment_id }).await.expect("voids");
        assert_eq!(voided.status, PaymentStatus::Voided);
        assert_eq!(self.port.void(VoidPayment { payment_id }).await, Ok(voided), "asked again");
        assert_eq!(self.port.capture(CapturePayment { payment_id }).await, refused);

        let payment_id = self.authorized("tok_ok").await.id;
        self.port.capture(CapturePayment { payment_id }).await.expect("captures");
        let refunded = self.port.void(VoidPayment { payment_id }).await.expect("refunds");
        assert_eq!((refunded.status, refunded.refunded), (PaymentStatus::Refunded, eur(1999)));
        assert_eq!(self.port.void(VoidPayment { payment_id }).await, Ok(refunded), "asked again");
    }

    async fn what_is_unknown_is_not_found(&self) {
        let payment_id: PaymentId = self.sources.id();
        let not_found = Err(PaymentsError::NotFound);
        assert_eq!(self.port.get_payment(GetPayment { payment_id }).await, not_found);
        assert_eq!(self.port.capture(CapturePayment { payment_id }).await, not_found);
        assert_eq!(self.port.refund(self.refund(payment_id, 1)).await, Err(PaymentsError::NotFound));
        let order_id: OrderId = self.sources.id();
        assert_eq!(self.port.list_payments(ListPayments { order_id }).await, Ok(Vec::new()));
        assert_eq!(self.port.payment_history(PaymentHistory { order_id }).await, Ok(Vec::new()));
    }

    async fn webhooks_are_taken_once_and_only_from_the_provider(&self, sign: &SignWebhook) {
        let order: OrderId = self.sources.id();
        let event = format!("evt_{order}");
        let body = format!(
            r#"{{"id":"{event}","type":"charge.captured","reference":"{order}","charge":"{order}",
            "amount":{{"amount":1,"currency":"EUR"}},"status":"captured","at":0,"idempotency_key":"pay-{order}-capture"}}"#
        );
        let webhook = sign(&event, &body);
        let receipt = self.port.receive_webhook(webhook.clone()).await.expect("is stored");
        assert!(!receipt.matched, "F11: it is about nothing that is known here");
        assert_eq!(self.port.receive_webhook(webhook.clone()).await, Ok(receipt), "sent again");
        let changed = ReceiveWebhook { body: body.replace("captured", "refunded"), ..webhook.clone() };
        assert_eq!(self.port.receive_webhook(changed).await, Err(PaymentsError::InvalidSignature));
        let stranger = ReceiveWebhook { provider: "nobody".into(), ..webhook };
        assert_eq!(self.port.receive_webhook(stranger).await, Err(PaymentsError::NotFound));
    }
}
