//! Payments as the other modules see them: the port, its messages, its events and its contract.
#![warn(missing_docs)]

#[cfg(feature = "contract")]
mod contract;
mod error;
mod events;
mod messages;
mod payment;

#[cfg(feature = "contract")]
pub use contract::{SignWebhook, contract};
pub use error::PaymentsError;
pub use events::{EVENTS, PaymentRefunded, PaymentSettled, SUBSCRIPTIONS};
pub use messages::{
    AuthorizePayment, CapturePayment, CheckPayments, GetPayment, ListPayments, PaymentHistory,
    ReceiveWebhook, RefundPayment, VoidPayment,
};
pub use payment::{
    Payment, PaymentEvent, PaymentStatus, Refund, RefundStatus, UnknownStatus, WebhookReceipt,
};

bus::port! {
    /// Money from buyers, and back to them.
    "payments" pub trait PaymentsPort {
        #[command]
        /// Sets the buyer's money aside. `Ok` says `authorized`, `requires_action` or, where the provider's
        /// answer is not known yet, `processing`: then [`PaymentSettled`] tells the outcome later. Repeated,
        /// it asks the provider under the same key and answers with the payment as it is by then. A refusal
        /// is [`PaymentsError::Declined`]; a payment that was voided or has failed is
        /// [`PaymentsError::InvalidTransition`].
        async fn authorize(&self, request: AuthorizePayment) -> Result<Payment, PaymentsError>;

        #[command]
        /// Takes the authorized money, all of it. `Ok` says `captured` or, where the provider's answer is
        /// not known yet, `processing`.
        async fn capture(&self, request: CapturePayment) -> Result<Payment, PaymentsError>;

        #[command]
        /// Undoes whatever happened: calls an authorization off, gives captured money back, and sees to it
        /// that an authorization that comes late does nothing. [`PaymentsError::NotSettled`] where that
        /// could not be finished yet: it goes on by itself, and asking again is safe.
        async fn void(&self, request: VoidPayment) -> Result<Payment, PaymentsError>;

        #[command]
        /// Gives captured money back, never more than was captured. Where the provider's answer is not
        /// known yet the refund is `processing`, its amount held.
        async fn refund(&self, request: RefundPayment) -> Result<Refund, PaymentsError>;

        #[query]
        /// A payment.
        async fn get_payment(&self, request: GetPayment) -> Result<Payment, PaymentsError>;

        #[query]
        /// The payments for an order, oldest first.
        async fn list_payments(&self, request: ListPayments) -> Result<Vec<Payment>, PaymentsError>;

        #[query]
        /// What happened to an order's payments, oldest first.
        async fn payment_history(&self, request: PaymentHistory) -> Result<Vec<PaymentEvent>, PaymentsError>;

        #[command]
        /// Takes a provider's signed webhook, once for each of its event ids.
        async fn receive_webhook(&self, request: ReceiveWebhook) -> Result<WebhookReceipt, PaymentsError>;

        #[query]
        /// How the books stand against the provider's.
        async fn check_payments(&self, request: CheckPayments) -> Result<Vec<kernel::IntegrityCheck>, PaymentsError>;
    }
}
