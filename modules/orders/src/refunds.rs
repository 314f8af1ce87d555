//! Refunds. Payments decides whether there is money left, atomically; orders notes what was given back, once,
//! whether it hears of it by the answer or by the event.

use crate::{Service, store};
use bus::{BusError, Context, Timestamp};
use bus_durable::{Claim, Tx, replay};
use kernel::{Money, RefundId};
use orders_ports::{Order, OrderRefund, OrderStatus, OrdersError, RefundOrder, RefundScope, Viewer};
use payments_ports::{PaymentsError, Refund, RefundPayment, RefundStatus};

/// Gives money back.
pub(crate) async fn refund(service: &Service, request: RefundOrder) -> Result<OrderRefund, OrdersError> {
    let order = store::visible(&service.database, request.order_id, Viewer::Staff(request.actor)).await?;
    let amount = match known(service, request.refund_id).await? {
        Some(amount) => Money::new(amount, order.total.currency),
        None => amount(&order, &request.scope)?,
    };
    let refund_id = match begin(service, &request, &order, amount).await? {
        Begun::Settled(outcome) => return replay(&outcome),
        Begun::Id(id) => id,
    };
    let ask =
        RefundPayment { refund_id, payment_id: order.payment_id, amount, reason: request.reason.clone() };
    let outcome = match service.payments.refund(ask).await {
        Ok(refund) if refund.status == RefundStatus::Failed => {
            Err(OrdersError::Invalid { detail: "the provider refused the refund".into() })
        }
        Ok(refund) => Ok(refund),
        Err(PaymentsError::RefundExceedsCaptured { refundable }) => {
            Err(OrdersError::RefundExceedsCaptured { refundable })
        }
        Err(PaymentsError::InvalidTransition { .. } | PaymentsError::NotFound) => {
            Err(store::not_allowed(order.status))
        }
        Err(PaymentsError::Unavailable(error)) => Err(error.into()),
        Err(other) => Err(OrdersError::Invalid { detail: other.to_string() }),
    };
    end(service, refund_id, outcome).await
}

/// The amount of a refund that has been asked for before: a repeated request means the same money.
async fn known(service: &Service, id: RefundId) -> Result<Option<i64>, BusError> {
    let row = service.database.reader().row("SELECT amount FROM order_refund WHERE id = $1", [id.0.into()]);
    row.await?.map(|row| row.get("amount")).transpose()
}

/// How much is meant, at the prices that were paid.
fn amount(order: &Order, scope: &RefundScope) -> Result<Money, OrdersError> {
    let refundable = order.total.minus(order.refunded).map_err(|_| OrdersError::AmountTooLarge)?;
    let amount = match scope {
        RefundScope::Everything => refundable,
        RefundScope::Amount(amount) => *amount,
        RefundScope::Lines(lines) => {
            let mut sum = Money::zero(order.total.currency);
            for line in lines {
                let bought = order.lines.iter().find(|bought| bought.sku == line.sku);
                let bought =
                    bought.ok_or_else(|| OrdersError::UnknownSku { skus: vec![line.sku.clone()] })?;
                let all = order.lines.iter().filter(|bought| bought.sku == line.sku);
                if line.quantity > all.map(|bought| bought.quantity).sum() {
                    return Err(OrdersError::RefundExceedsCaptured { refundable });
                }
                let price = bought.unit_price.times(line.quantity);
                sum = price.and_then(|price| sum.plus(price)).map_err(|_| OrdersError::AmountTooLarge)?;
            }
            sum
        }
    };
    if !matches!(order.status, OrderStatus::Placed | OrderStatus::Fulfilled) {
        return Err(store::not_allowed(order.status));
    }
    if amount.currency != order.total.currency {
        return Err(OrdersError::MixedCurrencies);
    }
    if matches!(scope, RefundScope::Everything) && amount.amount == 0 {
        return Err(OrdersError::RefundExceedsCaptured { refundable });
    }
    if amount.amount <= 0 {
        return Err(OrdersError::Invalid { detail: "a refund is more than nothing".into() });
    }
    Ok(amount)
}

enum Begun {
    Settled(String),
    Id(RefundId),
}

/// Notes the refund before any money moves: a repeated command finds its id again.
async fn begin(
    service: &Service,
    request: &RefundOrder,
    order: &Order,
    amount: Money,
) -> Result<Begun, OrdersError> {
    let command = Context::current().command;
    let state = (request.clone(), order.id, amount, command);
    let locks = vec![order.id.to_string()];
    service
        .database
        .write_locking(locks, state, |(request, order_id, amount, command), tx| {
            Box::pin(async move {
                let command = command.as_deref();
                match tx.claim(command).await? {
                    Claim::Settled(outcome) => return Ok(Begun::Settled(outcome)),
                    Claim::Running => {
                        let sql = "SELECT id FROM order_refund WHERE command_id = $1";
                        let id = command.map(|command| command.id.as_str());
                        if let Some(row) = tx.row(sql, [id.into()]).await? {
                            return Ok(Begun::Id(RefundId(row.get("id")?)));
                        }
                    }
                    Claim::New => {}
                }
                let sql = "INSERT INTO order_refund (id, order_id, command_id, amount, currency, reason, status, actor, at) \
                           VALUES ($1, $2, $3, $4, $5, $6, 'requested', $7, $8) ON CONFLICT (id) DO NOTHING";
                let values = [
                    request.refund_id.0.into(),
                    order_id.0.into(),
                    command.map(|command| command.id.clone()).into(),
                    amount.amount.into(),
                    amount.currency.code().into(),
                    request.reason.as_str().into(),
                    request.actor.0.into(),
                    tx.now().micros().into(),
                ];
                tx.execute(sql, values).await?;
                Ok(Begun::Id(request.refund_id))
            })
        })
        .await
}

/// Notes what became of it, with the public command's outcome.
async fn end(
    service: &Service,
    id: RefundId,
    outcome: Result<Refund, OrdersError>,
) -> Result<OrderRefund, OrdersError> {
    let command = Context::current().command;
    let order_id = outcome.as_ref().ok().map(|refund| refund.order_id.to_string());
    let state = (id, outcome, command);
    let ended = service.database.write_locking(order_id.into_iter().collect(), state, |state, tx| {
        Box::pin(async move {
            let (id, outcome, command) = state;
            let answer = match outcome {
                Ok(refund) => Ok(note(tx, refund).await?),
                Err(error) if bus::PortError::bus(error).is_some() => return Ok(Err(error.clone())),
                Err(error) => {
                    let sql =
                        "UPDATE order_refund SET status = 'failed' WHERE id = $1 AND status = 'requested'";
                    tx.execute(sql, [id.0.into()]).await?;
                    Err(error.clone())
                }
            };
            if let Some(command) = command {
                if bus_durable::is_kept(&answer) {
                    tx.settle(&command.id, &answer)?;
                } else {
                    tx.forget(&command.id).await?;
                }
            }
            Ok::<_, OrdersError>(answer)
        })
    });
    ended.await?
}

/// Notes a refund that payments carries out or has carried out: its money counts once.
pub(crate) async fn note(tx: &Tx<'_>, refund: &Refund) -> Result<OrderRefund, BusError> {
    let status = refund.status.as_str();
    let sql = "INSERT INTO order_refund (id, order_id, amount, currency, reason, status, actor, at) \
               VALUES ($1, $2, $3, $4, $5, 'requested', $6, $7) ON CONFLICT (id) DO NOTHING";
    let values = [
        refund.id.0.into(),
        refund.order_id.0.into(),
        refund.amount.amount.into(),
        refund.amount.currency.code().into(),
        refund.reason.as_str().into(),
        uuid::Uuid::nil().into(),
        refund.created_at.micros().into(),
    ];
    tx.execute(sql, values).await?;
    let sql =
        "UPDATE order_refund SET status = $1 WHERE id = $2 AND status <> 'succeeded' RETURNING at, actor";
    let rows = tx.returning(sql, [status.into(), refund.id.0.into()]).await?;
    if let (Some(row), RefundStatus::Succeeded) = (rows.first(), refund.status) {
        let sql = "UPDATE orders SET refunded = refunded + $1, payment_status = \
                   CASE WHEN refunded + $1 >= total THEN 'refunded' ELSE 'partially_refunded' END, \
                   version = version + 1 WHERE id = $2 AND status <> 'cancelled' AND refunded + $1 <= total";
        tx.execute(sql, [refund.amount.amount.into(), refund.order_id.0.into()]).await?;
        let actor: uuid::Uuid = row.get("actor")?;
        let actor = if actor.is_nil() { "system".to_owned() } else { actor.to_string() };
        store::note(tx, refund.order_id, "order.refunded", &refund.amount.to_string(), &actor);
    }
    let at = tx.row("SELECT at FROM order_refund WHERE id = $1", [refund.id.0.into()]).await?;
    Ok(OrderRefund {
        id: refund.id,
        order_id: refund.order_id,
        amount: refund.amount,
        reason: refund.reason.clone(),
        status: status.to_owned(),
        at: at.map_or(Ok(refund.created_at.micros()), |row| row.get("at")).map(Timestamp::from_micros)?,
    })
}
