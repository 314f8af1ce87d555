PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "inventory_migrations" ( "version" varchar NOT NULL PRIMARY KEY, "applied_at" integer NOT NULL );
INSERT INTO inventory_migrations VALUES('m0001_durable',1795726865);
INSERT INTO inventory_migrations VALUES('m0002_stock',1795726865);
CREATE TABLE outbox (
                    position INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, source TEXT NOT NULL,
                    key TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, trace TEXT, data TEXT NOT NULL);
CREATE TABLE outbox_delivery (
                    position BIGINT NOT NULL REFERENCES outbox (position) ON DELETE CASCADE, subscription TEXT NOT NULL,
                    module TEXT NOT NULL, state TEXT NOT NULL, at BIGINT NOT NULL, key TEXT NOT NULL, done_at BIGINT,
                    PRIMARY KEY (position, subscription));
CREATE TABLE inbox (
                    position INTEGER PRIMARY KEY AUTOINCREMENT, message_id BLOB NOT NULL, subscription TEXT NOT NULL, name TEXT NOT NULL,
                    source TEXT NOT NULL, key TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, trace TEXT,
                    data TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending', attempts BIGINT NOT NULL DEFAULT 0,
                    due_at BIGINT NOT NULL, received_at BIGINT NOT NULL, done_at BIGINT, error TEXT,
                    UNIQUE (message_id, subscription));
INSERT INTO inbox VALUES(1,X'01a219a9761c70009ca20769ef8ac314','inventory.ship_stock','orders.order_placed.v1','orders','01a219a9-760a-7000-920a-a10c6b7a80ba',2,1795726865948312,'00-efb5dd7f2a0d7e2165d6ad08855596a1-928127355a76bd4d-01','{"order_id":"01a219a9-760a-7000-920a-a10c6b7a80ba","number":1,"user_id":"01a219a9-75be-7001-ab61-8ec104383402","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:05.948275Z","version":2}','done',0,0,1795726865977113,1795726865983227,NULL);
INSERT INTO inbox VALUES(2,X'01a219a9762570008b7fd64ec56a228e','inventory.ship_stock','orders.order_placed.v1','orders','01a219a9-7614-7000-b168-2a0ab1ac0863',2,1795726865957938,'00-21aad91177318fe86591d458e23e9213-64bf6194cd23eccf-01','{"order_id":"01a219a9-7614-7000-b168-2a0ab1ac0863","number":2,"user_id":"01a219a9-75be-7001-ab61-8ec104383402","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:05.957903Z","version":2}','done',0,0,1795726865977113,1795726865983211,NULL);
INSERT INTO inbox VALUES(3,X'01a219a9766d7000ab093c7219859cc8','inventory.ship_stock','orders.order_placed.v1','orders','01a219a9-7659-7000-85ee-42d704fc0035',2,1795726866029432,'00-a34dcb04631eae8af64b54d33cd8762f-d63a01d501524dcb-01','{"order_id":"01a219a9-7659-7000-85ee-42d704fc0035","number":3,"user_id":"01a219a9-75be-7001-ab61-8ec104383402","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:06.029399Z","version":2}','done',0,0,1795726866063029,1795726866068921,NULL);
INSERT INTO inbox VALUES(4,X'01a219a976787000b0cda4836bdc5352','inventory.ship_stock','orders.order_placed.v1','orders','01a219a9-7661-7000-b13b-951632c237bb',2,1795726866040839,'00-73fe742ce32225eb8480143e30c51e93-8be0f3d7f909a513-01','{"order_id":"01a219a9-7661-7000-b13b-951632c237bb","number":4,"user_id":"01a219a9-75be-7001-ab61-8ec104383402","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:06.040811Z","version":2}','done',0,0,1795726866063029,1795726866068904,NULL);
CREATE TABLE idempotency (
                    id TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, outcome TEXT, at BIGINT NOT NULL);
CREATE TABLE lease (name TEXT NOT NULL PRIMARY KEY, owner BLOB NOT NULL, until BIGINT NOT NULL);
INSERT INTO lease VALUES('dispatch',X'01a219a9755a7000912c4a56c03a3912',1795726868758972);
CREATE TABLE saga (
                    id BLOB NOT NULL PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
                    phase TEXT NOT NULL, step BIGINT NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT NOT NULL,
                    version BIGINT NOT NULL, error TEXT, history TEXT NOT NULL, trace TEXT,
                    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
CREATE TABLE product (
                    id BLOB NOT NULL PRIMARY KEY, title TEXT NOT NULL, title_key TEXT NOT NULL,
                    description TEXT NOT NULL, status TEXT NOT NULL, created_at BIGINT NOT NULL,
                    version BIGINT NOT NULL);
INSERT INTO product VALUES(X'01a219a975b17000bad4ce6e75914090','Recorded REC-A','recorded rec-a','','active',1795726865842251,1);
INSERT INTO product VALUES(X'01a219a975b97000b79be78e8da6b0a5','Recorded REC-B','recorded rec-b','','active',1795726865852677,1);
CREATE TABLE variant (
                    sku TEXT NOT NULL PRIMARY KEY, product_id BLOB NOT NULL REFERENCES product (id),
                    place BIGINT NOT NULL, title TEXT, price BIGINT NOT NULL CHECK (price >= 0),
                    currency TEXT NOT NULL, on_hand BIGINT NOT NULL CHECK (on_hand >= 0),
                    reserved BIGINT NOT NULL CHECK (reserved >= 0), version BIGINT NOT NULL,
                    CHECK (reserved <= on_hand));
INSERT INTO variant VALUES('REC-A',X'01a219a975b17000bad4ce6e75914090',0,NULL,1200,'EUR',500,3,6);
INSERT INTO variant VALUES('REC-B',X'01a219a975b97000b79be78e8da6b0a5',0,NULL,1200,'EUR',496,6,17);
CREATE TABLE product_word (
                    word TEXT NOT NULL, product_id BLOB NOT NULL REFERENCES product (id),
                    PRIMARY KEY (word, product_id));
INSERT INTO product_word VALUES('a',X'01a219a975b17000bad4ce6e75914090');
INSERT INTO product_word VALUES('rec',X'01a219a975b17000bad4ce6e75914090');
INSERT INTO product_word VALUES('rec-a',X'01a219a975b17000bad4ce6e75914090');
INSERT INTO product_word VALUES('recorded',X'01a219a975b17000bad4ce6e75914090');
INSERT INTO product_word VALUES('b',X'01a219a975b97000b79be78e8da6b0a5');
INSERT INTO product_word VALUES('rec',X'01a219a975b97000b79be78e8da6b0a5');
INSERT INTO product_word VALUES('rec-b',X'01a219a975b97000b79be78e8da6b0a5');
INSERT INTO product_word VALUES('recorded',X'01a219a975b97000b79be78e8da6b0a5');
CREATE TABLE reservation (
                    order_id BLOB NOT NULL PRIMARY KEY, lines TEXT NOT NULL, state TEXT NOT NULL,
                    expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL);
INSERT INTO reservation VALUES(X'01a219a9760a7000920aa10c6b7a80ba','[{"sku":"REC-B","quantity":1}]','shipped',1795727765935727,1795726865935727);
INSERT INTO reservation VALUES(X'01a219a976147000b1682a0ab1ac0863','[{"sku":"REC-B","quantity":1}]','shipped',1795727765946768,1795726865946768);
INSERT INTO reservation VALUES(X'01a219a9761f7000b6b8a20ad48b9ad2','[{"sku":"REC-A","quantity":1}]','released',1795727765958206,1795726865958206);
INSERT INTO reservation VALUES(X'01a219a976287000bb9be5115cd90114','[{"sku":"REC-A","quantity":1}]','held',1795727765964476,1795726865964476);
INSERT INTO reservation VALUES(X'01a219a976357000afcb3e6010910454','[{"sku":"REC-A","quantity":1}]','held',1795727765981364,1795726865981364);
INSERT INTO reservation VALUES(X'01a219a9763e7000affc6deb92dea45f','[{"sku":"REC-B","quantity":1}]','released',1795727765988190,1795726865988190);
INSERT INTO reservation VALUES(X'01a219a97643700181a2b5d57d4cb6d5','[{"sku":"REC-B","quantity":1}]','held',1795727765994299,1795726865994299);
INSERT INTO reservation VALUES(X'01a219a9764e7001bc500607ca9f4d04','[{"sku":"REC-B","quantity":1}]','held',1795727766003150,1795726866003150);
INSERT INTO reservation VALUES(X'01a219a97659700085ee42d704fc0035','[{"sku":"REC-B","quantity":1}]','shipped',1795727766015550,1795726866015550);
INSERT INTO reservation VALUES(X'01a219a976617000b13b951632c237bb','[{"sku":"REC-B","quantity":1}]','shipped',1795727766021792,1795726866021792);
INSERT INTO reservation VALUES(X'01a219a9766a70008d70f4c3be47b573','[{"sku":"REC-B","quantity":1}]','released',1795727766037130,1795726866037130);
INSERT INTO reservation VALUES(X'01a219a976767001b642aa654b8626cc','[{"sku":"REC-A","quantity":1}]','held',1795727766040408,1795726866040408);
INSERT INTO reservation VALUES(X'01a219a9767c7000bacf88ea82044972','[{"sku":"REC-B","quantity":1}]','held',1795727766049047,1795726866049047);
INSERT INTO reservation VALUES(X'01a219a976857001a3f834620c7b8f71','[{"sku":"REC-B","quantity":1}]','held',1795727766058637,1795726866058637);
INSERT INTO reservation VALUES(X'01a219a9768e700092948690d763c32d','[{"sku":"REC-B","quantity":1}]','held',1795727766070011,1795726866070011);
INSERT INTO reservation VALUES(X'01a219a976987001b15f3abdc6cadbe6','[{"sku":"REC-B","quantity":1}]','held',1795727766080668,1795726866080668);
CREATE TABLE movement (
                    id BLOB NOT NULL PRIMARY KEY, sku TEXT NOT NULL, kind TEXT NOT NULL, delta BIGINT NOT NULL,
                    reason TEXT NOT NULL, order_id BLOB, actor TEXT NOT NULL, at BIGINT NOT NULL);
INSERT INTO movement VALUES(X'01a219a975b2700092e313fa6a319737','REC-A','initial',500,'first stock',NULL,'01a219a9-7559-7000-81ec-3cb9d9aa3a36',1795726865842251);
INSERT INTO movement VALUES(X'01a219a975bc700082e7a5a7beaaa760','REC-B','initial',500,'first stock',NULL,'01a219a9-7559-7000-81ec-3cb9d9aa3a36',1795726865852677);
INSERT INTO movement VALUES(X'01a219a9763f7000a5bae77545811cc3','REC-B','sale',-1,'order 2',X'01a219a976147000b1682a0ab1ac0863','system',1795726865983200);
INSERT INTO movement VALUES(X'01a219a9763f7001ac3146f1f0b90989','REC-B','sale',-1,'order 1',X'01a219a9760a7000920aa10c6b7a80ba','system',1795726865983225);
INSERT INTO movement VALUES(X'01a219a97694700095a20c1631bb4d71','REC-B','sale',-1,'order 4',X'01a219a976617000b13b951632c237bb','system',1795726866068893);
INSERT INTO movement VALUES(X'01a219a976947001b730dd3093cdabb1','REC-B','sale',-1,'order 3',X'01a219a97659700085ee42d704fc0035','system',1795726866068919);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('inbox',4);
CREATE INDEX outbox_at ON outbox (at);
CREATE INDEX outbox_key ON outbox (key, position);
CREATE INDEX outbox_delivery_pending ON outbox_delivery (module, position) WHERE state = 'pending';
CREATE INDEX outbox_delivery_oldest ON outbox_delivery (position) WHERE state = 'pending';
CREATE INDEX outbox_delivery_parked ON outbox_delivery (position, subscription) WHERE state = 'parked';
CREATE INDEX inbox_pending ON inbox (subscription, position) WHERE state = 'pending';
CREATE INDEX inbox_oldest ON inbox (position) WHERE state = 'pending';
CREATE INDEX inbox_dead ON inbox (position) WHERE state = 'dead';
CREATE INDEX inbox_key ON inbox (subscription, key, position) WHERE state IN ('pending', 'dead');
CREATE INDEX inbox_settled ON inbox (received_at) WHERE state IN ('done', 'discarded');
CREATE INDEX idempotency_at ON idempotency (at);
CREATE INDEX saga_due ON saga (kind, due_at) WHERE phase IN ('running', 'waiting', 'unwinding');
CREATE INDEX saga_phase ON saga (phase, id);
CREATE INDEX saga_key ON saga (key);
CREATE INDEX product_created ON product (status, created_at, id);
CREATE INDEX product_title ON product (status, title_key, id);
CREATE INDEX product_all_created ON product (created_at, id);
CREATE INDEX product_all_title ON product (title_key, id);
CREATE INDEX variant_product ON variant (product_id, place);
CREATE INDEX product_word_product ON product_word (product_id, word);
CREATE INDEX reservation_held ON reservation (expires_at) WHERE state = 'held';
CREATE INDEX movement_sku ON movement (sku, id, delta);
CREATE INDEX movement_order ON movement (order_id) WHERE order_id IS NOT NULL;
COMMIT;
