//! First step: the stock is held before any money moves.

use super::PlacementState;
use async_trait::async_trait;
use bus::BusError;
use bus_durable::saga::{Acted, Step};
use inventory_ports::{InventoryError, InventoryPort, ReleaseStock, ReserveStock, StockLine};
use orders_ports::{OrdersError, Shortage};
use std::sync::Arc;

pub(crate) struct Reserve {
    pub(crate) inventory: Arc<dyn InventoryPort>,
}

#[async_trait]
impl Step<PlacementState> for Reserve {
    fn name(&self) -> &'static str {
        "reserve"
    }

    async fn act(&self, state: &mut PlacementState) -> Acted {
        let order_id = state.order.id;
        let lines = state.order.lines.iter();
        let lines = lines.map(|line| StockLine { sku: line.sku.clone(), quantity: line.quantity }).collect();
        match self.inventory.reserve(ReserveStock { order_id, lines }).await {
            Ok(reservation) => {
                state.reserved_until = Some(reservation.expires_at);
                Acted::Done
            }
            Err(InventoryError::InsufficientStock { shortages }) => {
                let shortages = shortages
                    .into_iter()
                    .map(|short| Shortage {
                        sku: short.sku,
                        requested: short.requested,
                        available: short.available,
                    })
                    .collect();
                state.refuse(OrdersError::InsufficientStock { order_id, shortages })
            }
            Err(InventoryError::UnknownSkus { skus }) => state.refuse(OrdersError::UnknownSku { skus }),
            Err(InventoryError::Unavailable(error)) => {
                state.refusal = Some(OrdersError::NotPlaced { order_id, dependency: "inventory".into() });
                Acted::Unknown(error.to_string())
            }
            Err(other) => {
                let dependency = "inventory".into();
                tracing::warn!(%order_id, error = %other, "the stock cannot be reserved");
                state.refuse(OrdersError::NotPlaced { order_id, dependency })
            }
        }
    }

    /// Also where nothing is known to be held: a reservation that comes late must find the door closed.
    async fn undo(&self, state: &mut PlacementState) -> Result<(), BusError> {
        let reason = "the order was not placed".to_owned();
        match self.inventory.release(ReleaseStock { order_id: state.order.id, reason }).await {
            Ok(_) => Ok(()),
            Err(InventoryError::Unavailable(error)) => Err(error),
            Err(other) => Err(BusError::failed(&other)),
        }
    }
}
