//! What every implementation and every placement of the port does: each request, its answer and its refusals.
//!
//! Run it with each request sent once and with each sent twice: the answers are the same.

use crate::*;
use bus::{Command, Context, ErrorKind, PortError as _, Sources};
use kernel::{Currency, Money, OrderId, PageLimit, PageRequest, ProductId, Sku, UserId};
use std::{future::Future, sync::Arc};
use uuid::Uuid;

/// Exercises every request of the port. Leaves rows behind; may be run again on the same database.
///
/// # Panics
/// Where the port does not keep its contract.
pub async fn contract(port: Arc<dyn InventoryPort>) {
    let suite = Suite { port, sources: Sources::system() };
    let shirt = suite.products_are_kept().await;
    suite.products_are_found(&shirt).await;
    suite.products_change(&shirt).await;
    suite.stock_is_counted(&shirt).await;
    suite.reservations_hold_stock(&shirt).await;
    suite.refusals_hold_nothing(&shirt).await;
    suite.invariants_hold().await;
    suite.archived_products_are_not_sold(shirt).await;
}

struct Suite {
    port: Arc<dyn InventoryPort>,
    sources: Sources,
}

fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

fn line(sku: &Sku, quantity: u32) -> StockLine {
    StockLine { sku: sku.clone(), quantity }
}

impl Suite {
    fn id<T: From<Uuid>>(&self) -> T {
        self.sources.id()
    }

    /// A SKU that nobody has used.
    fn sku(&self) -> Sku {
        let id: Uuid = self.id();
        format!("C-{}", id.simple()).parse().expect("letters and digits")
    }

    fn actor(&self) -> Actor {
        Actor::User(UserId(self.id()))
    }

    /// Runs a command as the edge does: under an idempotency key, which answers a repetition.
    async fn under_key<F: Future>(&self, work: F) -> F::Output {
        let key: Uuid = self.id();
        let mut context = Context::current();
        context.command = Some(Arc::new(Command { id: key.to_string(), fingerprint: "contract".into() }));
        context.scope(work).await
    }

    fn new_product(&self, title: &str, skus: &[(&Sku, Option<&str>, i64)]) -> CreateProduct {
        let variant = |(sku, title, on_hand): &(&Sku, Option<&str>, i64)| NewVariant {
            sku: (*sku).clone(),
            title: title.map(str::to_owned),
            price: eur(1999),
            on_hand: *on_hand,
        };
        CreateProduct {
            product_id: self.id(),
            title: title.into(),
            description: "Of cotton.".into(),
            status: ProductStatus::Active,
            variants: skus.iter().map(variant).collect(),
            actor: self.actor(),
        }
    }

    async fn available(&self, sku: &Sku) -> i64 {
        let stock = self.port.stock(GetStock { sku: sku.clone() }).await.expect("a stock row");
        assert_eq!(stock.available, stock.on_hand - stock.reserved);
        stock.available
    }

    async fn products_are_kept(&self) -> Product {
        let (plain, small) = (self.sku(), self.sku());
        let word: Uuid = self.id();
        let title = format!("Shirt {}", word.simple());
        let create = self.new_product(&title, &[(&plain, None, 10), (&small, Some("Small"), 0)]);
        let product = self.port.create_product(create.clone()).await.expect("created");
        assert_eq!((product.id, &product.title, product.version), (create.product_id, &title, 1));
        let variant = |sku: &Sku, title: &str, available| Variant {
            sku: sku.clone(),
            title: title.into(),
            price: eur(1999),
            available,
        };
        assert_eq!(product.variants, [variant(&plain, &title, 10), variant(&small, "Small", 0)]);
        assert_eq!(self.port.create_product(create).await.as_ref(), Ok(&product), "the same id is answered");

        let taken = self.new_product("Another", &[(&self.sku(), None, 1), (&plain, None, 1)]);
        let refused = self.port.create_product(taken).await;
        assert_eq!(refused, Err(InventoryError::SkuTaken { skus: vec![plain] }));
        let mut nonsense = self.new_product(" ", &[]);
        nonsense.description = "x".repeat(20_000);
        let refused = self.port.create_product(nonsense).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        product
    }

    async fn products_are_found(&self, shirt: &Product) {
        let get = |product_id, active_only| self.port.product(GetProduct { product_id, active_only });
        assert_eq!(get(shirt.id, true).await.as_ref(), Ok(shirt));
        assert_eq!(get(ProductId(self.id()), false).await, Err(InventoryError::ProductNotFound));

        let word = shirt.title.split(' ').nth(1).expect("two words");
        for q in [format!("shIRT {}", word.to_uppercase()), shirt.variants[0].sku.to_string()] {
            let list = ListProducts { q: Some(q.clone()), ..ListProducts::default() };
            let found = self.port.products(list).await.expect("a page");
            assert_eq!(found.data, std::slice::from_ref(shirt), "{q}");
        }
        let draft = Some(ProductStatus::Draft);
        let list = ListProducts { q: Some(word.into()), status: draft, ..ListProducts::default() };
        assert_eq!(self.port.products(list).await.expect("a page").data, []);

        let one = PageRequest { limit: PageLimit::try_from(1).expect("in range"), cursor: None };
        let list = ListProducts { page: one, sort: ProductSort::Newest, ..ListProducts::default() };
        let mut page = self.port.products(list.clone()).await.expect("a page");
        let mut other = list.clone();
        other.sort = ProductSort::Title;
        other.page.cursor = page.next_cursor.take().or_else(|| Some(kernel::Cursor::at(&1)));
        assert_eq!(self.port.products(other).await, Err(InventoryError::InvalidCursor));
    }

    async fn products_change(&self, shirt: &Product) {
        let (plain, large) = (&shirt.variants[0].sku, self.sku());
        let change =
            |sku: &Sku, price, on_hand| VariantChange { sku: sku.clone(), title: None, price, on_hand };
        let update = UpdateProduct {
            product_id: shirt.id,
            expected_version: Some(shirt.version),
            title: None,
            description: Some("Of linen.".into()),
            status: None,
            variants: vec![change(plain, Some(eur(2499)), None), change(&large, Some(eur(2999)), Some(3))],
            actor: self.actor(),
        };
        let changed = self.under_key(self.port.update_product(update.clone())).await.expect("changed");
        assert_eq!((changed.version, changed.description.as_str()), (2, "Of linen."));
        assert_eq!(changed.variants[0].price, eur(2499));
        assert_eq!((&changed.variants[2].sku, changed.variants[2].available), (&large, 3));

        let stale = self.port.update_product(update.clone()).await;
        assert_eq!(stale, Err(InventoryError::VersionMismatch { current: 2 }));
        let mut unknown = update.clone();
        unknown.product_id = self.id();
        assert_eq!(self.port.update_product(unknown).await, Err(InventoryError::ProductNotFound));
        let mut incomplete = UpdateProduct { expected_version: None, ..update };
        incomplete.variants = vec![change(&self.sku(), None, None)];
        let refused = self.port.update_product(incomplete).await.expect_err("a new variant has a price");
        assert_eq!(refused.kind(), ErrorKind::Invalid);

        let quote = self.port.quote(Quote { skus: vec![large.clone(), plain.clone(), large] }).await;
        let quote = quote.expect("both are on sale");
        let quoted: Vec<_> = quote.iter().map(|item| (item.price, item.available)).collect();
        assert_eq!(quoted, [(eur(2999), 3), (eur(2499), 10)], "in the order asked, each once");
        let missing = self.sku();
        let refused = self.port.quote(Quote { skus: vec![plain.clone(), missing.clone()] }).await;
        assert_eq!(refused, Err(InventoryError::UnknownSkus { skus: vec![missing] }));
    }

    async fn stock_is_counted(&self, shirt: &Product) {
        let sku = &shirt.variants[0].sku;
        let adjust = |delta| AdjustStock {
            movement_id: self.id(),
            sku: sku.clone(),
            delta,
            reason: "Counted.".into(),
            expected_version: None,
            actor: self.actor(),
        };
        let request = adjust(5);
        let adjusted = self.port.adjust(request.clone()).await.expect("adjusted");
        assert_eq!((adjusted.stock.on_hand, adjusted.stock.available), (15, 15));
        assert_eq!((adjusted.movement.id, adjusted.movement.delta), (request.movement_id, 5));
        assert_eq!(adjusted.movement.actor, request.actor);
        let shortage = Shortage { sku: sku.clone(), requested: 16, available: 15 };
        let refused = self.port.adjust(adjust(-16)).await;
        assert_eq!(refused, Err(InventoryError::InsufficientStock { shortages: vec![shortage] }));
        let stale = AdjustStock { expected_version: Some(adjusted.stock.version - 1), ..adjust(1) };
        let current = adjusted.stock.version;
        assert_eq!(self.port.adjust(stale).await, Err(InventoryError::VersionMismatch { current }));
        let nothing = self.port.adjust(adjust(0)).await.expect_err("refused");
        assert_eq!(nothing.kind(), ErrorKind::Invalid);
        let unknown = AdjustStock { sku: self.sku(), ..adjust(1) };
        assert_eq!(self.port.adjust(unknown).await, Err(InventoryError::SkuNotFound));
        let missing = GetStock { sku: self.sku() };
        assert_eq!(self.port.stock(missing).await, Err(InventoryError::SkuNotFound));

        let list = ListMovements { sku: sku.clone(), page: PageRequest::default() };
        let ledger = self.port.movements(list).await.expect("a page");
        let deltas: Vec<_> = ledger.data.iter().map(|line| (line.kind, line.delta)).collect();
        assert_eq!(deltas, [(MovementKind::Initial, 10), (MovementKind::Adjustment, 5)]);
        let missing = ListMovements { sku: self.sku(), page: PageRequest::default() };
        assert_eq!(self.port.movements(missing).await, Err(InventoryError::SkuNotFound));
    }

    async fn reservations_hold_stock(&self, shirt: &Product) {
        let sku = &shirt.variants[0].sku;
        let order_id: OrderId = self.id();
        let reserve = ReserveStock { order_id, lines: vec![line(sku, 2), line(sku, 3)] };
        let held = self.port.reserve(reserve.clone()).await.expect("held");
        assert_eq!((held.order_id, &held.lines), (order_id, &vec![line(sku, 5)]));
        assert_eq!(self.available(sku).await, 10);
        assert_eq!(self.port.reserve(reserve.clone()).await, Ok(held), "asked twice, held once");
        assert_eq!(self.available(sku).await, 10);

        let release = ReleaseStock { order_id, reason: "changed their mind".into() };
        assert_eq!(self.port.release(release.clone()).await, Ok(ReleasedStock { order_id }));
        assert_eq!(self.port.release(release).await, Ok(ReleasedStock { order_id }));
        assert_eq!(self.available(sku).await, 15);
        let closed = Err(InventoryError::ReservationClosed { order_id });
        assert_eq!(self.port.reserve(reserve).await, closed);
        let movements = self.port.order_movements(OrderMovements { order_id }).await;
        assert_eq!(movements, Ok(vec![]), "what was only held never left the shelf");
    }

    async fn refusals_hold_nothing(&self, shirt: &Product) {
        let (sku, small) = (&shirt.variants[0].sku, &shirt.variants[1].sku);
        let reserve = |lines| ReserveStock { order_id: self.id(), lines };
        let shortages = vec![Shortage { sku: small.clone(), requested: 2, available: 0 }];
        let refused = self.port.reserve(reserve(vec![line(sku, 1), line(small, 1), line(small, 1)])).await;
        assert_eq!(refused, Err(InventoryError::InsufficientStock { shortages }));
        let unknown = self.sku();
        let refused = self.port.reserve(reserve(vec![line(sku, 1), line(&unknown, 1)])).await;
        assert_eq!(refused, Err(InventoryError::UnknownSkus { skus: vec![unknown] }));
        for nonsense in [vec![], vec![line(sku, 0)]] {
            let refused = self.port.reserve(reserve(nonsense)).await.expect_err("refused");
            assert_eq!(refused.kind(), ErrorKind::Invalid);
        }
        assert_eq!(self.available(sku).await, 15);

        let early = reserve(vec![line(sku, 1)]);
        let order_id = early.order_id;
        let release = ReleaseStock { order_id, reason: "gave up".into() };
        assert_eq!(self.port.release(release).await, Ok(ReleasedStock { order_id }));
        let late = self.port.reserve(early).await;
        assert_eq!(late, Err(InventoryError::ReservationClosed { order_id }), "B15: the release came first");
        assert_eq!(self.available(sku).await, 15);
    }

    async fn invariants_hold(&self) {
        let checks = self.port.check(CheckInventory {}).await.expect("checked");
        assert!(checks.len() >= 4 && checks.iter().all(|check| check.violations == 0), "{checks:?}");
        let repaired = self.port.repair(RepairInventory {}).await.expect("nothing to do");
        assert!(repaired.repaired.is_empty() && repaired.contradictory.is_empty());
    }

    async fn archived_products_are_not_sold(&self, shirt: Product) {
        let (product_id, sku) = (shirt.id, shirt.variants[0].sku.clone());
        let stale = ArchiveProduct { product_id, expected_version: Some(1) };
        let refused = self.port.archive_product(stale).await;
        assert_eq!(refused, Err(InventoryError::VersionMismatch { current: 2 }));
        let archive = ArchiveProduct { product_id, expected_version: None };
        let archived = self.port.archive_product(archive.clone()).await.expect("archived");
        assert_eq!((archived.status, archived.version), (ProductStatus::Archived, 3));
        assert_eq!(self.port.archive_product(archive).await, Ok(archived), "once is enough");
        let unknown = ArchiveProduct { product_id: self.id(), expected_version: None };
        assert_eq!(self.port.archive_product(unknown).await, Err(InventoryError::ProductNotFound));

        let public = GetProduct { product_id, active_only: true };
        assert_eq!(self.port.product(public).await, Err(InventoryError::ProductNotFound));
        let gone = InventoryError::UnknownSkus { skus: vec![sku.clone()] };
        assert_eq!(self.port.quote(Quote { skus: vec![sku.clone()] }).await, Err(gone.clone()));
        let reserve = ReserveStock { order_id: self.id(), lines: vec![line(&sku, 1)] };
        assert_eq!(self.port.reserve(reserve).await, Err(gone));
    }
}
