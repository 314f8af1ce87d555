//! Changes of products: versions, keys, and what a change leaves alone.

use crate::world::World;
use bus::{BusError, Command, Context};
use futures::future::join_all;
use inventory_ports::{
    Actor, AdjustStock, CreateProduct, InventoryError, InventoryPort as _, ListProducts, NewVariant, Product,
    ProductStatus, Quote, UpdateProduct,
};
use kernel::{Currency, Money, MovementId, UserId};
use std::sync::Arc;

fn update(product: &Product) -> UpdateProduct {
    UpdateProduct {
        product_id: product.id,
        expected_version: None,
        title: None,
        description: None,
        status: None,
        variants: Vec::new(),
        actor: Actor::System,
    }
}

/// F22: of two changes of one version, one is refused.
async fn of_changes_to_one_version_one_wins(world: World) {
    let product = world.product("Clock", &[("CLOCK", 1)]).await;
    let (_, elsewhere) = world.elsewhere().await;
    let services = [&world.service, &elsewhere].into_iter().cycle().take(10);
    let changes = services.enumerate().map(|(i, service)| {
        let title = Some(format!("Clock {i}"));
        service.update_product(UpdateProduct { expected_version: Some(1), title, ..update(&product) })
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(changes).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 9));
    for refusal in lost {
        assert_eq!(refusal, Err(InventoryError::VersionMismatch { current: 2 }));
    }
}

async fn a_change_that_changes_nothing_leaves_the_version(world: World) {
    let product = world.product("Lens", &[("LENS", 1)]).await;
    let same =
        UpdateProduct { title: Some("Lens".into()), status: Some(ProductStatus::Active), ..update(&product) };
    assert_eq!(world.service.update_product(same).await, Ok(product));
}

/// A new title is found by its words, and no longer by those of the old; what is not on sale is not quoted.
async fn a_changed_title_is_found_and_a_draft_is_not_sold(world: World) {
    let product = world.product("Old name", &[("NAMED", 1)]).await;
    let change = UpdateProduct {
        title: Some("New name".into()),
        status: Some(ProductStatus::Draft),
        ..update(&product)
    };
    let changed = world.service.update_product(change).await.expect("changed");
    assert_eq!(changed.variants[0].title, "New name", "a variant without a title is called as its product");
    for (q, found) in [("old", 0), ("new", 1), ("named", 1), ("name", 1)] {
        let list = ListProducts { q: Some(q.into()), ..ListProducts::default() };
        assert_eq!(world.service.products(list).await.expect("a page").data.len(), found, "{q}");
    }
    let sku: kernel::Sku = "NAMED".parse().expect("a SKU");
    let refused = world.service.quote(Quote { skus: vec![sku.clone()] }).await;
    assert_eq!(refused, Err(InventoryError::UnknownSkus { skus: vec![sku] }));
}

/// A SKU given to two new products at once is given to one.
async fn a_sku_is_given_once(world: World) {
    let (_, elsewhere) = world.elsewhere().await;
    let services = [&world.service, &elsewhere].into_iter().cycle().take(10);
    let creations = services.map(|service| {
        let variant = NewVariant {
            sku: "ONLY-ONE".parse().expect("a SKU"),
            title: None,
            price: Money::new(1, Currency::EUR),
            on_hand: 5,
        };
        service.create_product(CreateProduct {
            product_id: world.id(),
            title: "One".into(),
            description: String::new(),
            status: ProductStatus::Active,
            variants: vec![variant],
            actor: Actor::System,
        })
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(creations).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 9));
    assert!(lost.iter().all(|refusal| matches!(refusal, Err(InventoryError::SkuTaken { .. }))), "{lost:?}");
    world.adds_up().await;
}

/// Section 5.5: a command under a key is carried out once, its answer is kept; another request under it is told so.
async fn a_command_under_a_key_is_carried_out_once(world: World) {
    world.product("Coin", &[("COIN", 10)]).await;
    let adjust = async |fingerprint: &str, delta| {
        let movement_id: MovementId = world.id();
        let (sku, actor) = ("COIN".parse().expect("a SKU"), Actor::User(UserId(world.id())));
        let request =
            AdjustStock { movement_id, sku, delta, reason: "counted".into(), expected_version: None, actor };
        let command = Command { id: "key".into(), fingerprint: fingerprint.into() };
        let mut context = Context::default();
        context.command = Some(Arc::new(command));
        let seen = context.clone();
        (context.scope(world.service.adjust(request)).await, seen.replayed())
    };
    let (first, replayed) = adjust("a", 5).await;
    assert!(first.is_ok() && !replayed);
    assert_eq!(adjust("a", 5).await, (first, true));
    let (reused, _) = adjust("b", 6).await;
    assert_eq!(reused, Err(InventoryError::Unavailable(BusError::KeyReused)));
    assert_eq!(world.shelf("COIN").await, (15, 0));
}

crate::on_both! {
    /// F22.
    of_changes_to_one_version_one_wins,
    a_change_that_changes_nothing_leaves_the_version,
    a_changed_title_is_found_and_a_draft_is_not_sold,
    a_sku_is_given_once,
    /// Section 5.5.
    a_command_under_a_key_is_carried_out_once,
}
