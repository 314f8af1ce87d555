//! Lists are walked by keyset, and found by words.

use crate::world::World;
use futures::future::join_all;
use inventory_ports::{
    Actor, AdjustStock, InventoryPort as _, ListMovements, ListProducts, ProductSort, ProductStatus,
};
use kernel::{MovementId, PageLimit, PageRequest, ProductId};
use std::collections::BTreeSet;

const SORTS: [ProductSort; 4] =
    [ProductSort::Oldest, ProductSort::Newest, ProductSort::Title, ProductSort::TitleDescending];

fn limit(rows: u16) -> PageLimit {
    PageLimit::try_from(rows).expect("in range")
}

/// Walks a list to its end, doing something after each page.
async fn walk(world: &World, mut list: ListProducts, mut between: impl AsyncFnMut()) -> Vec<ProductId> {
    let mut seen = Vec::new();
    loop {
        let page = world.service.products(list.clone()).await.expect("a page");
        assert!(page.data.len() <= list.page.limit.rows());
        seen.extend(page.data.iter().map(|product| product.id));
        between().await;
        list.page.cursor = page.next_cursor;
        if list.page.cursor.is_none() {
            return seen;
        }
    }
}

/// B24: every product that was there before is seen exactly once, in every order, while others are added.
async fn walking_while_products_are_added_sees_each_earlier_one_once(world: World) {
    let mut before = BTreeSet::new();
    for i in 0..23 {
        // Titles repeat, and so do instants: the id decides.
        before.insert(world.product(&format!("Item {}", i % 3), &[(&format!("I-{i}"), 1)]).await.id);
    }
    let mut added = 0;
    for sort in SORTS {
        let page = PageRequest { limit: limit(4), cursor: None };
        let list = ListProducts { sort, page, ..ListProducts::default() };
        let seen = walk(&world, list, async || {
            added += 1;
            world.product(&format!("Item {}", added % 4), &[(&format!("NEW-{added}"), 1)]).await;
        })
        .await;
        let once: BTreeSet<ProductId> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "{sort:?}: none twice");
        assert!(once.is_superset(&before), "{sort:?}: none missing");
        before.extend(once);
    }
}

/// B24: the ledger too.
async fn walking_a_ledger_while_it_grows_sees_each_earlier_line_once(world: World) {
    world.product("Tea", &[("TEA", 10)]).await;
    let sku: kernel::Sku = "TEA".parse().expect("a SKU");
    let adjust = async || {
        let movement_id: MovementId = world.id();
        let (sku, reason, actor) = (sku.clone(), "counted".into(), Actor::System);
        let adjust = AdjustStock { movement_id, sku, delta: 1, reason, expected_version: None, actor };
        world.service.adjust(adjust).await.expect("adjusted");
    };
    for _ in 0..9 {
        adjust().await;
    }
    let mut list = ListMovements { sku: sku.clone(), page: PageRequest { limit: limit(2), cursor: None } };
    let mut deltas = Vec::new();
    for _ in 0..5 {
        let page = world.service.movements(list.clone()).await.expect("a page");
        deltas.extend(page.data.iter().map(|movement| movement.delta));
        list.page.cursor = page.next_cursor;
        adjust().await;
    }
    assert_eq!(deltas, [10, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert!(list.page.cursor.is_some(), "more has come since");
}

async fn lists_are_sorted_as_asked(world: World) {
    for title in ["banana", "Apple", "cherry"] {
        world.product(title, &[(title, 1)]).await;
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    for (sort, expected) in SORTS.into_iter().zip([
        ["banana", "Apple", "cherry"],
        ["cherry", "Apple", "banana"],
        ["Apple", "banana", "cherry"],
        ["cherry", "banana", "Apple"],
    ]) {
        let page = world.service.products(ListProducts { sort, ..ListProducts::default() }).await;
        let titles: Vec<_> = page.expect("a page").data.into_iter().map(|product| product.title).collect();
        assert_eq!(titles, expected, "{sort:?}");
    }
}

/// Words are matched by prefix, whatever their case, in titles and SKUs; several have to match all.
async fn products_are_found_by_words(world: World) {
    // More than a thousand with one word: common and rare words take different ways to the same answer.
    let many: Vec<(String, String)> =
        (0..1100).map(|i| (format!("Plain thing {i:04}"), format!("PT-{i}"))).collect();
    join_all(many.iter().map(|(title, sku)| async { world.product(title, &[(sku, 1)]).await })).await;
    world.product("Red Shirt", &[("TS-RED-S", 1), ("TS-RED-M", 1)]).await;
    world.product("Blue shirt, plain", &[("TS-BLUE", 1)]).await;
    let search = async |q: &str, status| {
        let list =
            ListProducts { q: Some(q.into()), status, sort: ProductSort::Title, ..ListProducts::default() };
        let page = world.service.products(list).await.expect("a page");
        page.data.into_iter().map(|product| product.title).collect::<Vec<_>>()
    };
    let (red, blue) = ("Red Shirt", "Blue shirt, plain");
    for (q, expected) in [
        ("shirt", vec![blue, red]),
        ("SHI", vec![blue, red]),
        ("hirt", vec![]),
        ("shirt red", vec![red]),
        ("ts-red", vec![red]),
        ("ts-red-m", vec![red]),
        ("blue", vec![blue]),
        ("plain shirt", vec![blue]),
        ("pl shirt", vec![blue]),
        ("plain thing 0042", vec!["Plain thing 0042"]),
        ("plain thing nothing", vec![]),
        ("%", vec![]),
        ("'; DROP TABLE product; --", vec![]),
    ] {
        assert_eq!(search(q, None).await, expected, "{q}");
        assert_eq!(search(q, Some(ProductStatus::Active)).await, expected, "{q}");
        assert_eq!(search(q, Some(ProductStatus::Draft)).await, Vec::<String>::new(), "{q}");
    }
    assert_eq!(search("plain thing", None).await.len(), 20);
    let list = ListProducts {
        q: Some("plain".into()),
        page: PageRequest { limit: limit(100), cursor: None },
        ..ListProducts::default()
    };
    assert_eq!(walk(&world, list, async || {}).await.len(), 1101);
}

crate::on_both! {
    /// B24.
    walking_while_products_are_added_sees_each_earlier_one_once,
    /// B24.
    walking_a_ledger_while_it_grows_sees_each_earlier_line_once,
    lists_are_sorted_as_asked,
    products_are_found_by_words,
}
