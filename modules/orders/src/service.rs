//! The port's implementation.

use crate::{
    Settings,
    cancellation::{Cancellation, CancellationState},
    integrity,
    placement::{self, Placement, PlacementState},
    store, subscriptions, timeline,
};
use async_trait::async_trait;
use bus::{BusError, Context};
use bus_durable::{
    Claim, Database, Subscribers, replay,
    saga::{Begun, Driven, Engine, Phase, SagaSettings},
};
use inventory_ports::InventoryPort;
use kernel::{IntegrityCheck, OrderId, Page};
use notifications_ports::NotificationsPort;
use orders_ports::{
    CancelOrder, CheckOrders, GetOrder, GetTimeline, ListOrders, ListSettlements, Order, OrderRefund,
    OrderStatus, OrdersError, OrdersPort, PlaceOrder, RefundOrder, Settlement, TimelineEntry,
};
use payments_ports::PaymentsPort;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// What is kept back of a call's time, so that its answer still arrives.
const MARGIN: Duration = Duration::from_millis(500);

/// Orders.
pub struct Service {
    pub(crate) database: Database,
    pub(crate) inventory: Arc<dyn InventoryPort>,
    pub(crate) payments: Arc<dyn PaymentsPort>,
    pub(crate) notifications: Arc<dyn NotificationsPort>,
    pub(crate) settings: Settings,
    pub(crate) placements: Engine<Placement>,
    pub(crate) cancellations: Engine<Cancellation>,
}

impl Service {
    /// Orders on this database, calling these ports.
    ///
    /// # Errors
    /// None today; a module may fail to start.
    pub async fn start(
        database: Database,
        inventory: Arc<dyn InventoryPort>,
        payments: Arc<dyn PaymentsPort>,
        notifications: Arc<dyn NotificationsPort>,
        settings: Settings,
        sagas: SagaSettings,
    ) -> Result<Arc<Self>, BusError> {
        let placement =
            Placement::new(database.clone(), Arc::clone(&inventory), Arc::clone(&payments), &settings);
        let cancellation =
            Cancellation::new(Arc::clone(&inventory), Arc::clone(&payments), database.sources());
        let placements = Engine::new(database.clone(), placement, sagas);
        let cancellations = Engine::new(database.clone(), cancellation, sagas);
        Ok(Arc::new(Self {
            database,
            inventory,
            payments,
            notifications,
            settings,
            placements,
            cancellations,
        }))
    }

    /// What handles orders' subscriptions.
    #[must_use]
    pub fn subscribers(self: &Arc<Self>) -> Subscribers {
        subscriptions::subscribers(&self.placements)
    }

    /// The tasks that take sagas up again.
    #[must_use]
    pub fn workers(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let mut tasks = self.placements.workers(stop.clone());
        tasks.extend(self.cancellations.workers(stop));
        tasks
    }

    /// Stores the order and its saga, in one unit of work with the claim on the public command.
    async fn begin(
        &self,
        order: &Order,
        saga: Arc<Begun<Placement>>,
        respond_async: bool,
    ) -> Result<Claim, OrdersError> {
        let command = Context::current().command;
        let state = (self.placements.clone(), order.clone(), saga, command, respond_async);
        let locks = vec![order.id.to_string()];
        self.database
            .write_locking(locks, state, |(placements, order, saga, command, respond_async), tx| {
                Box::pin(async move {
                    let claim = tx.claim_new(command.as_deref()).await?;
                    if claim != Claim::New {
                        return Ok(claim);
                    }
                    tx.insert_later(store::new_row(order)?);
                    placements.begin(saga, tx)?;
                    if let (Some(command), true) = (command, respond_async) {
                        tx.settle(&command.id, &Ok::<_, OrdersError>(order))?;
                    }
                    Ok(Claim::New)
                })
            })
            .await
    }

    /// Waits for a saga as long as the call may last.
    pub(crate) async fn wait_for<S>(&self, saga: JoinHandle<Driven<S>>) -> Option<Driven<S>> {
        let patience = Context::current()
            .remaining()
            .map_or(Duration::from_secs(10), |left| left.saturating_sub(MARGIN).max(left / 2));
        tokio::time::timeout(patience, saga).await.ok().and_then(Result::ok)
    }

    async fn answer(
        &self,
        id: OrderId,
        driven: Option<Driven<PlacementState>>,
    ) -> Result<Order, OrdersError> {
        let Some(Driven { phase, state }) = driven else { return self.stored(id).await };
        match (phase, state.written(), state.refusal) {
            (Phase::Completed | Phase::Waiting, Some(order), _) => Ok(order),
            (Phase::Compensated, _, Some(refusal)) => Err(refusal),
            _ => self.stored(id).await,
        }
    }

    /// The order as it is stored; why it was refused, where it was.
    async fn stored(&self, id: OrderId) -> Result<Order, OrdersError> {
        store::find(&self.database, id).await?.ok_or(OrdersError::NotFound)
    }

    /// What a repeated request is told: as the first time.
    async fn repeated(&self, order: Order) -> Result<Order, OrdersError> {
        if !matches!(order.status, OrderStatus::Rejected | OrderStatus::Expired) {
            return Ok(order);
        }
        let refusal = self.placements.state_of(&order.id.to_string()).await?.and_then(|state| state.refusal);
        refusal.map_or(Ok(order), Err)
    }
}

#[async_trait]
impl OrdersPort for Service {
    async fn place(&self, request: PlaceOrder) -> Result<Order, OrdersError> {
        if let Some(command) = Context::current().command {
            match self.database.look_up(&command).await? {
                Claim::Settled(outcome) => return replay(&outcome),
                Claim::Running => return Err(BusError::KeyInUse.into()),
                Claim::New => {}
            }
        }
        let order =
            placement::draft(&*self.inventory, &self.settings, self.database.sources(), &request).await?;
        let command = Context::current().command.map(|command| command.id.clone());
        let state = PlacementState::new(order.clone(), request.payment_token, command);
        let saga = Arc::new(self.placements.prepare(order.id.to_string(), state));
        match self.begin(&order, Arc::clone(&saga), request.respond_async).await {
            Ok(Claim::New) => {}
            Ok(Claim::Settled(outcome)) => return replay(&outcome),
            Ok(Claim::Running) => return Err(BusError::KeyInUse.into()),
            // The row may be there already: the request was repeated.
            Err(error) => {
                return match store::find(&self.database, order.id).await? {
                    Some(order) => self.repeated(order).await,
                    None => Err(error),
                };
            }
        }
        let Some(saga) = Arc::into_inner(saga) else {
            return Err(BusError::failed(&"the saga is still being written").into());
        };
        let driven = self.placements.drive(saga);
        if request.respond_async {
            return Ok(order);
        }
        let driven = self.wait_for(driven).await;
        self.answer(order.id, driven).await
    }

    async fn get(&self, request: GetOrder) -> Result<Order, OrdersError> {
        store::visible(&self.database, request.order_id, request.viewer).await
    }

    async fn list(&self, request: ListOrders) -> Result<Page<Order>, OrdersError> {
        store::list(&self.database, request).await
    }

    async fn timeline(&self, request: GetTimeline) -> Result<Vec<TimelineEntry>, OrdersError> {
        let order = store::visible(&self.database, request.order_id, request.viewer).await?;
        timeline::of(self, &order).await
    }

    async fn cancel(&self, request: CancelOrder) -> Result<Order, OrdersError> {
        let order = store::visible(&self.database, request.order_id, request.viewer).await?;
        let command = Context::current().command;
        let state = CancellationState {
            order: order.clone(),
            command: command.as_ref().map(|command| command.id.clone()),
        };
        let saga = Arc::new(self.cancellations.prepare(order.id.to_string(), state));
        let begun = self.begin_cancellation(&request, Arc::clone(&saga)).await?;
        match begun {
            Cancelling::Settled(outcome) => replay(&outcome),
            Cancelling::Begun => {
                let Some(saga) = Arc::into_inner(saga) else {
                    return Err(BusError::failed(&"the saga is still being written").into());
                };
                drop(self.wait_for(self.cancellations.drive(saga)).await);
                self.stored(order.id).await
            }
            Cancelling::Asked => self.await_unwinding(order.id).await,
            Cancelling::Already => self.stored(order.id).await,
        }
    }

    async fn refund(&self, request: RefundOrder) -> Result<OrderRefund, OrdersError> {
        crate::refunds::refund(self, request).await
    }

    async fn check(&self, _: CheckOrders) -> Result<Vec<IntegrityCheck>, OrdersError> {
        Ok(integrity::check(&self.database).await?)
    }

    async fn settlements(&self, request: ListSettlements) -> Result<Vec<Settlement>, OrdersError> {
        Ok(integrity::settlements(&self.database, &request).await?)
    }
}

/// How a cancellation began.
pub(crate) enum Cancelling {
    /// The public command has an outcome.
    Settled(String),
    /// The order is cancelled, its saga is to be driven.
    Begun,
    /// The placement was asked to undo itself.
    Asked,
    /// This very cancellation has begun before.
    Already,
}
