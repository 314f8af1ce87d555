//! Staff put products on sale and count them; everybody looks.

use crate::teller::Teller;
use serde_json::{Value, json};
use tests::http::Request;

fn product(title: &str, variants: &[(&str, i64, &str, i64)]) -> Value {
    let variant = |(sku, price, currency, on_hand): &(&str, i64, &str, i64)| json!({"sku": sku, "price": {"amount": price, "currency": currency}, "on_hand": on_hand});
    json!({"title": title, "status": "active", "variants": variants.iter().map(variant).collect::<Vec<_>>()})
}

pub(crate) async fn products_are_put_on_sale_and_found(teller: &mut Teller<'_>) {
    let (admin, ada) = (teller.admin.clone(), teller.token("ada"));
    let admin = Some(admin.as_str());
    let products = "/api/v1/products";
    let mugs = product("A mug", &[("MUG-BLUE", 1200, "EUR", 1000), ("MUG-RED", 1300, "EUR", 5)]);
    let made = teller.post(201, products, admin, &mugs).await;
    let path = format!("{products}/{}", made["id"].as_str().expect("an id"));
    teller.post(201, products, admin, &product("A poster", &[("POSTER", 900, "USD", 50)])).await;
    teller.post(201, products, admin, &product("A rarity", &[("RARE", 100_000, "EUR", 1)])).await;
    assert_eq!(teller.post(409, products, admin, &mugs).await["code"], "sku_taken");
    teller.post(403, products, Some(&ada), &mugs).await;
    teller.post(401, products, None, &mugs).await;
    let unknown = json!({"title": "A mug", "colour": "blue", "variants": []});
    assert_eq!(teller.post(422, products, admin, &unknown).await["code"], "unknown_field");

    let found = teller.get(200, "/api/v1/products?sort=title", None).await;
    assert_eq!(found["data"].as_array().map(Vec::len), Some(3));
    let found = teller.get(200, "/api/v1/products?q=post", None).await;
    assert_eq!(found["data"][0]["variants"][0]["sku"], "POSTER");
    let page = teller.get(200, "/api/v1/products?sort=title&limit=2", None).await;
    let cursor = page["next_cursor"].as_str().expect("more").to_owned();
    // The cursor is in the path, and differs from run to run.
    let path_of_rest = format!("/api/v1/products?sort=title&limit=2&cursor={cursor}");
    let rest = teller.shop.server.get(&path_of_rest, None).await.expect("an answer").json();
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &Value::Null));

    teller.get(200, &path, None).await;
    let change = json!({"title": "The mug"});
    let patch =
        |tag| Request { method: "PATCH", path: &path, token: admin, json: Some(&change), headers: tag };
    assert_eq!(teller.ask(200, &patch(&[("If-Match", "\"1\"")])).await.json()["version"], 2);
    let stale = teller.ask(412, &patch(&[("If-Match", "\"1\"")])).await.json();
    assert_eq!(stale["code"], "version_mismatch");
    teller.get(404, "/api/v1/products/018f3f6e-7b1a-7c3d-8e2f-1a2b3c4d5e6f", None).await;

    let stock = teller.get(200, "/api/v1/stock/MUG-RED", admin).await;
    assert_eq!((&stock["on_hand"], &stock["available"]), (&json!(5), &json!(5)));
    teller.get(403, "/api/v1/stock/MUG-RED", Some(&ada)).await;
    let adjustments = "/api/v1/stock/MUG-RED/adjustments";
    let counted = json!({"delta": -2, "reason": "two are broken"});
    assert_eq!(teller.post(201, adjustments, admin, &counted).await["on_hand"], 3);
    let too_many = json!({"delta": -4, "reason": "more than there are"});
    assert_eq!(teller.post(409, adjustments, admin, &too_many).await["code"], "insufficient_stock");
    let ledger = teller.get(200, "/api/v1/stock/MUG-RED/movements", admin).await;
    assert_eq!(ledger["data"].as_array().map(Vec::len), Some(2));
}
