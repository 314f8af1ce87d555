//! The contract suite: what every placement of orders must do, every request of the port included.

use crate::{
    CancelOrder, CheckOrders, GetOrder, GetTimeline, ListOrders, ListSettlements, Order, OrderPaymentStatus,
    OrderStatus, OrdersError, OrdersPort, PlaceOrder, RefundOrder, RefundScope, RequestedLine, Viewer,
};
use bus::Sources;
use kernel::{Money, PageLimit, PageRequest, Sku, UserId};
use std::sync::Arc;

/// The world around the port: what is sold, who buys, and which tokens the provider takes and declines.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Ids for the requests.
    pub sources: Sources,
    /// A buyer.
    pub buyer: UserId,
    /// Another.
    pub stranger: UserId,
    /// Somebody of the shop.
    pub staff: UserId,
    /// On sale, with more than a hundred on hand.
    pub plenty: Sku,
    /// On sale, with exactly one on hand.
    pub scarce: Sku,
    /// A token that pays.
    pub good_token: String,
    /// A token that is declined.
    pub bad_token: String,
}

impl Shop {
    fn wish(&self, sku: &Sku, quantity: u32) -> PlaceOrder {
        PlaceOrder {
            order_id: self.sources.id(),
            user_id: self.buyer,
            lines: vec![RequestedLine { sku: sku.clone(), quantity }],
            payment_token: self.good_token.clone(),
            shipping_address: None,
            note: None,
            respond_async: false,
        }
    }
}

/// Runs the suite. Panics where the port does not keep its contract.
pub async fn contract(port: Arc<dyn OrdersPort>, shop: Shop) {
    let order = placing(&*port, &shop).await;
    refusals(&*port, &shop).await;
    looking(&*port, &shop, &order).await;
    refunding(&*port, &shop).await;
    cancelling(&*port, &shop).await;
    checking(&*port).await;
}

async fn placing(port: &dyn OrdersPort, shop: &Shop) -> Order {
    let wish = shop.wish(&shop.plenty, 2);
    let order = port.place(wish.clone()).await.expect("an order that can be paid is placed");
    assert_eq!((order.id, order.user_id), (wish.order_id, shop.buyer));
    assert_eq!((order.status, order.payment_status), (OrderStatus::Placed, OrderPaymentStatus::Paid));
    assert!(order.number.is_some_and(|number| number > 0) && order.placed_at.is_some());
    let line = &order.lines[0];
    assert_eq!(line.total, line.unit_price.times(2).expect("fits"));
    assert_eq!(order.total, line.total);
    let again = port.place(wish).await.expect("the same request again");
    assert_eq!(again, order, "a repeated request is answered as the first time");
    order
}

async fn refusals(port: &dyn OrdersPort, shop: &Shop) {
    let declined = PlaceOrder { payment_token: shop.bad_token.clone(), ..shop.wish(&shop.plenty, 1) };
    let id = declined.order_id;
    match port.place(declined).await {
        Err(OrdersError::PaymentDeclined { order_id, decline_code }) => {
            assert_eq!(order_id, id);
            assert!(!decline_code.is_empty());
        }
        other => panic!("a declined payment refuses the order, not {other:?}"),
    }
    let viewer = Viewer::Buyer(shop.buyer);
    let rejected = port.get(GetOrder { order_id: id, viewer }).await.expect("a rejected order is kept");
    assert_eq!((rejected.status, rejected.number), (OrderStatus::Rejected, None));
    assert_eq!(rejected.reason.as_deref(), Some("payment_declined"));

    match port.place(shop.wish(&shop.scarce, 2)).await {
        Err(OrdersError::InsufficientStock { shortages, .. }) => {
            assert_eq!(
                (&shortages[0].sku, shortages[0].requested, shortages[0].available),
                (&shop.scarce, 2, 1)
            );
        }
        other => panic!("more than there is cannot be ordered: {other:?}"),
    }
    // F2: two lines of one SKU are checked on their sum.
    let mut twice = shop.wish(&shop.scarce, 1);
    twice.lines.push(twice.lines[0].clone());
    assert!(matches!(port.place(twice).await, Err(OrdersError::InsufficientStock { .. })));
    let unknown: Sku = "NO-SUCH-SKU".parse().expect("a SKU");
    assert!(matches!(port.place(shop.wish(&unknown, 1)).await, Err(OrdersError::UnknownSku { .. })));
    let none = PlaceOrder { lines: Vec::new(), ..shop.wish(&shop.plenty, 1) };
    assert!(matches!(port.place(none).await, Err(OrdersError::Invalid { .. })));
    let one = port.place(shop.wish(&shop.scarce, 1)).await.expect("the last one, still there");
    assert_eq!(one.status, OrderStatus::Placed);
}

async fn looking(port: &dyn OrdersPort, shop: &Shop, order: &Order) {
    let order_id = order.id;
    let seen = port.get(GetOrder { order_id, viewer: Viewer::Buyer(shop.buyer) }).await.expect("its buyer's");
    assert_eq!(&seen, order);
    let staff = Viewer::Staff(shop.staff);
    assert_eq!(&port.get(GetOrder { order_id, viewer: staff }).await.expect("staff see all"), order);
    let stranger = Viewer::Buyer(shop.stranger);
    let hidden = port.get(GetOrder { order_id, viewer: stranger }).await;
    assert_eq!(hidden, Err(OrdersError::NotFound), "another's order is not there");
    let timeline = port.timeline(GetTimeline { order_id, viewer: staff }).await.expect("a timeline");
    for kind in ["order.created", "saga.reserve", "saga.authorize", "saga.capture", "order.placed"] {
        assert!(timeline.iter().any(|entry| entry.kind == kind), "{kind} is missing in {timeline:?}");
    }
    assert!(timeline.is_sorted_by_key(|entry| entry.at));
    let hidden = port.timeline(GetTimeline { order_id, viewer: stranger }).await;
    assert_eq!(hidden, Err(OrdersError::NotFound));

    let limit = PageLimit::try_from(1).expect("in range");
    let mut page = PageRequest { limit, cursor: None };
    let mut walked = Vec::new();
    loop {
        let viewer = Viewer::Buyer(shop.buyer);
        let list = ListOrders { viewer, user_id: None, status: None, page: page.clone() };
        let found = port.list(list).await.expect("a page");
        walked.extend(found.data.into_iter().map(|order| order.id));
        match found.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    assert!(walked.contains(&order_id) && walked.is_sorted_by(|a, b| a > b), "newest first, each once");
    let viewer = stranger;
    let list = ListOrders { viewer, user_id: Some(shop.buyer), status: None, page: PageRequest::default() };
    assert!(port.list(list).await.expect("a page").data.is_empty(), "a stranger sees his own only");
    let cursor = Some(kernel::Cursor::from_client("nonsense".into()));
    let page = PageRequest { limit, cursor };
    let list = ListOrders { viewer: staff, user_id: None, status: Some(OrderStatus::Placed), page };
    assert_eq!(port.list(list).await, Err(OrdersError::InvalidCursor));
}

async fn refunding(port: &dyn OrdersPort, shop: &Shop) {
    let order = port.place(shop.wish(&shop.plenty, 2)).await.expect("placed");
    let refund = |scope| RefundOrder {
        refund_id: shop.sources.id(),
        order_id: order.id,
        scope,
        reason: "does not fit".into(),
        actor: shop.staff,
    };
    let line = RequestedLine { sku: shop.plenty.clone(), quantity: 1 };
    let ask = refund(RefundScope::Lines(vec![line]));
    let given = port.refund(ask.clone()).await.expect("one of two");
    assert_eq!(given.amount, order.lines[0].unit_price);
    assert_eq!(port.refund(ask).await.expect("again").amount, given.amount);
    let more = RequestedLine { sku: shop.plenty.clone(), quantity: 3 };
    let refused = port.refund(refund(RefundScope::Lines(vec![more]))).await;
    assert!(
        matches!(refused, Err(OrdersError::RefundExceedsCaptured { .. })),
        "two were bought: {refused:?}"
    );
    let too_much = Money::new(order.total.amount, order.total.currency);
    match port.refund(refund(RefundScope::Amount(too_much))).await {
        Err(OrdersError::RefundExceedsCaptured { refundable }) => {
            assert_eq!(refundable, order.total.minus(given.amount).expect("fits"));
        }
        other => panic!("more than is left cannot be given back: {other:?}"),
    }
    port.refund(refund(RefundScope::Everything)).await.expect("the rest");
    let viewer = Viewer::Staff(shop.staff);
    let now = port.get(GetOrder { order_id: order.id, viewer }).await.expect("there");
    assert_eq!((now.payment_status, now.refunded), (OrderPaymentStatus::Refunded, order.total));
    let nowhere = RefundOrder { order_id: shop.sources.id(), ..refund(RefundScope::Everything) };
    assert_eq!(port.refund(nowhere).await.err(), Some(OrdersError::NotFound));
}

async fn cancelling(port: &dyn OrdersPort, shop: &Shop) {
    let order = port.place(shop.wish(&shop.plenty, 1)).await.expect("placed");
    let cancel = |viewer, expected_version| CancelOrder {
        cancellation_id: shop.sources.id(),
        order_id: order.id,
        viewer,
        reason: "changed my mind".into(),
        expected_version,
    };
    let stranger = cancel(Viewer::Buyer(shop.stranger), None);
    assert_eq!(port.cancel(stranger).await, Err(OrdersError::NotFound));
    let buyer = Viewer::Buyer(shop.buyer);
    let stale = cancel(buyer, Some(order.version + 7));
    let current = order.version;
    assert_eq!(port.cancel(stale).await, Err(OrdersError::VersionMismatch { current }), "F22");
    let ask = cancel(buyer, Some(order.version));
    let cancelled = port.cancel(ask.clone()).await.expect("cancelled");
    assert_eq!(cancelled.status, OrderStatus::Cancelled);
    assert_eq!(cancelled.payment_status, OrderPaymentStatus::Refunded);
    assert_eq!(port.cancel(ask).await.expect("the same cancellation again"), cancelled);
    match port.cancel(cancel(buyer, None)).await {
        Err(OrdersError::InvalidTransition { status, allowed }) => {
            assert_eq!((status, allowed), (OrderStatus::Cancelled, Vec::new()));
        }
        other => panic!("a cancelled order cannot be cancelled by another request: {other:?}"),
    }
}

async fn checking(port: &dyn OrdersPort) {
    for check in port.check(CheckOrders {}).await.expect("checks") {
        assert_eq!(check.violations, 0, "{check:?}");
    }
    let all = port.settlements(ListSettlements { before: None, limit: 100 }).await.expect("settlements");
    assert!(all.is_sorted_by(|a, b| a.order_id > b.order_id) && !all.is_empty());
    let before = Some(all[0].order_id);
    let rest = port.settlements(ListSettlements { before, limit: 1 }).await.expect("settlements");
    assert!(rest.iter().all(|settlement| settlement.order_id < all[0].order_id) && rest.len() <= 1);
}
