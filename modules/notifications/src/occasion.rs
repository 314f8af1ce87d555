//! What gives occasion to a notification, and the key under which it is told once.

use kernel::{OrderId, UserId};
use notifications_ports::Template;
use orders_ports::{OrderCancelled, OrderExpired, OrderPlaced};
use payments_ports::PaymentRefunded;
use serde::{Deserialize, Serialize};
use users_ports::UserRegistered;

/// Something to be told to a user.
#[derive(Debug, Clone)]
pub(crate) struct Occasion {
    pub(crate) template: Template,
    pub(crate) user: UserId,
    pub(crate) order: Option<OrderId>,
    /// What happened, apart from any message that says so: the template, and the ids of what it is about.
    pub(crate) occurrence: String,
    pub(crate) facts: Facts,
}

/// What the templates can say beside the user's name. Nothing personal, and no text that staff wrote for each
/// other, such as a reason.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) number: Option<i64>,
    pub(crate) order_id: Option<OrderId>,
    #[serde(default)]
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Option<String>,
    pub(crate) amount: Option<String>,
}

/// A line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    title: String,
    quantity: u32,
    total: String,
}

/// An event that is told to somebody.
pub(crate) trait Told {
    fn occasion(&self) -> Occasion;
}

fn about_order(template: Template, user: UserId, order: OrderId, facts: Facts) -> Occasion {
    let facts = Facts { order_id: Some(order), ..facts };
    Occasion { template, user, order: Some(order), occurrence: format!("{template}:{order}"), facts }
}

impl Told for OrderPlaced {
    fn occasion(&self) -> Occasion {
        let lines = self
            .lines
            .iter()
            .map(|l| Line { title: l.title.clone(), quantity: l.quantity, total: l.total.to_string() })
            .collect();
        let total = Some(self.total.to_string());
        let facts = Facts { number: Some(self.number), lines, total, ..Facts::default() };
        about_order(Template::OrderConfirmation, self.user_id, self.order_id, facts)
    }
}

impl Told for OrderCancelled {
    fn occasion(&self) -> Occasion {
        let facts = Facts { number: self.number, total: Some(self.total.to_string()), ..Facts::default() };
        about_order(Template::OrderCancelled, self.user_id, self.order_id, facts)
    }
}

impl Told for OrderExpired {
    fn occasion(&self) -> Occasion {
        let facts = Facts { total: Some(self.total.to_string()), ..Facts::default() };
        about_order(Template::OrderExpired, self.user_id, self.order_id, facts)
    }
}

impl Told for PaymentRefunded {
    fn occasion(&self) -> Occasion {
        let facts = Facts { amount: Some(self.refund.amount.to_string()), ..Facts::default() };
        let payment = &self.payment;
        let mut occasion = about_order(Template::RefundIssued, payment.user_id, payment.order_id, facts);
        // An order can be refunded more than once.
        occasion.occurrence = format!("{}:{}", occasion.occurrence, self.refund.id);
        occasion
    }
}

impl Told for UserRegistered {
    fn occasion(&self) -> Occasion {
        let (template, user) = (Template::Welcome, self.user_id);
        let occurrence = format!("{template}:{user}");
        Occasion { template, user, order: None, occurrence, facts: Facts::default() }
    }
}
