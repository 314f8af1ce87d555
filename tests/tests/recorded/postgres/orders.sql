CREATE TABLE public.counter (
    name text NOT NULL,
    value bigint NOT NULL
);
CREATE TABLE public.idempotency (
    id text NOT NULL,
    fingerprint text NOT NULL,
    outcome text,
    at bigint NOT NULL
);
CREATE TABLE public.inbox (
    "position" bigint NOT NULL,
    message_id uuid NOT NULL,
    subscription text NOT NULL,
    name text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    trace text,
    data text NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    due_at bigint NOT NULL,
    received_at bigint NOT NULL,
    done_at bigint,
    error text
);
CREATE SEQUENCE public.inbox_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.inbox_position_seq OWNED BY public.inbox."position";
CREATE TABLE public.lease (
    name text NOT NULL,
    owner uuid NOT NULL,
    until bigint NOT NULL
);
CREATE TABLE public.order_event (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    actor text NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE public.order_refund (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    command_id text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,
    actor uuid NOT NULL,
    at bigint NOT NULL,
    CONSTRAINT order_refund_amount_check CHECK ((amount > 0))
);
CREATE TABLE public.orders (
    id uuid NOT NULL,
    number bigint,
    user_id uuid NOT NULL,
    status text NOT NULL,
    reason text,
    payment_id uuid NOT NULL,
    payment_status text NOT NULL,
    lines text NOT NULL,
    total bigint NOT NULL,
    currency text NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    shipping_address text,
    note text,
    action_url text,
    cancellation_id uuid,
    cancelled_by uuid,
    placed_at bigint,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT orders_check CHECK ((refunded <= total)),
    CONSTRAINT orders_check1 CHECK (((number IS NULL) = (placed_at IS NULL))),
    CONSTRAINT orders_refunded_check CHECK ((refunded >= 0)),
    CONSTRAINT orders_total_check CHECK ((total >= 0))
);
CREATE TABLE public.orders_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.outbox (
    "position" bigint NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    trace text,
    data text NOT NULL
);
CREATE TABLE public.outbox_delivery (
    "position" bigint NOT NULL,
    subscription text NOT NULL,
    module text NOT NULL,
    state text NOT NULL,
    at bigint NOT NULL,
    key text NOT NULL,
    done_at bigint
);
CREATE SEQUENCE public.outbox_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbox_position_seq OWNED BY public.outbox."position";
CREATE TABLE public.saga (
    id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    state text NOT NULL,
    phase text NOT NULL,
    step bigint NOT NULL,
    attempts bigint NOT NULL,
    due_at bigint NOT NULL,
    version bigint NOT NULL,
    error text,
    history text NOT NULL,
    trace text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
ALTER TABLE ONLY public.inbox ALTER COLUMN "position" SET DEFAULT nextval('public.inbox_position_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN "position" SET DEFAULT nextval('public.outbox_position_seq'::regclass);
INSERT INTO public.counter VALUES
	('order_number', 4);
INSERT INTO public.idempotency VALUES
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:31741bc66a60b44cf2010cec0b4fd587b06583917bf0e4fa6d43168892eb838d', '74ff0bee9e2f7f7c117862287bc993b155a02d5dd847cf37032a8b0451f5e49a', NULL, 1795726894760591),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:8cf960c7b1ec10679993af8256453397e1206105b8584836367e3e31008a980a', '199d589e83207d9f3fc86326d046619992128ac2d39216af4da0d60f81842ef2', NULL, 1795726894764593),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:0297e5cfd9bd9c73a9935e749ae749d131ad3c5e0163bd562d3dc5d083b12fbc', 'b7f1ea0b0752bd831f2e5b5bd76a4a914eb8c6af8b5067dfd975ef7c0769a449', '{"Ok":{"id":"01a219a9-e68a-7000-804a-f6b3006e7091","number":1,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"placed","reason":null,"payment_id":"01a219a9-e68e-7000-bb8b-f903c9bf129c","payment_status":"paid","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":"2026-11-26T21:01:34.768794Z","created_at":"2026-11-26T21:01:34.734128Z","version":2}}', 1795726894735134),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:a7c73f631276b8ba8eeacf43c2bccc197228de7bafc24210f8a2215924e7c051', 'b7f1ea0b0752bd831f2e5b5bd76a4a914eb8c6af8b5067dfd975ef7c0769a449', '{"Ok":{"id":"01a219a9-e68d-7001-80fc-96165f717fab","number":2,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"placed","reason":null,"payment_id":"01a219a9-e693-7000-bf4c-ec3bea207b7e","payment_status":"paid","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":"2026-11-26T21:01:34.780888Z","created_at":"2026-11-26T21:01:34.739327Z","version":2}}', 1795726894741054),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:7f8755bfc9595b8db2b790b3a97156942f3560bed1d55c5338e83625ee2ed60d', 'f044d6aa856949c3afaf2fc79f78919f9082532fb5eb6d54b67e4565a79526fe', NULL, 1795726894783736),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:9023348c3459be2a1ce752b69ec0d8d66a3ea168dcaf7e3d2f816526f05f8a79', '4d1131549bae839571c5f99130e5e720dea944c367a9d511bf3f7738accef941', '{"Err":{"error":"payment_declined","detail":{"order_id":"01a219a9-e696-7000-800f-1150c38250c3","decline_code":"card_declined"}}}', 1795726894749337),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:3c9b9036ea0d8eb5faab08080bd83b71ed79bff893c5a46733e16d94f8183a08', 'ebdabe8b4386f839bca16c0f8cb3180b5a572ca7d094c11c4c2738623282efbc', NULL, 1795726894797302),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:91a89b5a0bf2c450878823fc242f1140208808d10a9b54186c312510dec5d1e2', '74ff0bee9e2f7f7c117862287bc993b155a02d5dd847cf37032a8b0451f5e49a', NULL, 1795726894829088),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:09b6d5b228bebaeede12bb0b1a3390e09687afc3cac727285286c2d9fc0cadf5', '199d589e83207d9f3fc86326d046619992128ac2d39216af4da0d60f81842ef2', NULL, 1795726894843005),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:18e4bcdf915504a1f8a2128eaef98b7dc9c864311bf6362cb78872bd4233522e', '7dda6a0baf569f67eb1d8618e13a3e6bdc28817b2ec3205999316b847bc5142a', NULL, 1795726894846226),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:8cc164f4b5ecad3599ac89ec2fb2a2ff1ae8cc313e83cff0317ace5dfc8e3184', '1af281a9255f83da565c9b2edfb95f93ee418c386f7820b11428f60b31466300', '{"Err":{"error":"payment_declined","detail":{"order_id":"01a219a9-e6b1-7001-9dec-644f7a53649e","decline_code":"capture_declined"}}}', 1795726894775417),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:36a40694ad7812643cd40bbb866303cb8593f19e2000d9b3ee03f0fa9ffb71ef', 'f044d6aa856949c3afaf2fc79f78919f9082532fb5eb6d54b67e4565a79526fe', NULL, 1795726894859355),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:38e8a61781f18f9ea12cd4f5653875fddba6939ff5528730dacbc4a32ece70bc', 'a5c3c819d74394d991e8a612e865a1d2c77ccb018867d04be1cc8a94f28637b3', '{"Ok":{"id":"01a219a9-e6d2-7000-9e04-2d1e42b2c996","number":3,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"placed","reason":null,"payment_id":"01a219a9-e6d9-7001-bb4b-55b291d82f1f","payment_status":"paid","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":"2026-11-26T21:01:34.866899Z","created_at":"2026-11-26T21:01:34.809793Z","version":2}}', 1795726894813058),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:8a2e426205aca5ffe7b2fa9605da926de0600f6ed0d7beb72fc662ab7e0a5d4c', 'a5c3c819d74394d991e8a612e865a1d2c77ccb018867d04be1cc8a94f28637b3', '{"Ok":{"id":"01a219a9-e6d9-7000-9195-ce08816b8348","number":4,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"placed","reason":null,"payment_id":"01a219a9-e6da-7001-8d65-439a7c2fad46","payment_status":"paid","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":"2026-11-26T21:01:34.867025Z","created_at":"2026-11-26T21:01:34.810657Z","version":2}}', 1795726894813114),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:a3e0a7c0eee4accb73da482c79eedad7f6b0f753964d62967ea9cb6e90f8f055', 'ebdabe8b4386f839bca16c0f8cb3180b5a572ca7d094c11c4c2738623282efbc', NULL, 1795726894872397),
	('01a219a9-e651-7000-9aa9-bc86b62c9ce0:6afc299b76a2032e9802ab10058e1492a39693ca9251a33f11227719354800e6', '2faae99e744720af6a31aec42e64a28a9afd20dac0b4e6693fa2af31754637a9', '{"Err":{"error":"payment_declined","detail":{"order_id":"01a219a9-e6df-7002-8771-87b073d4dade","decline_code":"card_declined"}}}', 1795726894818849);
INSERT INTO public.lease VALUES
	('dispatch', '01a219a9-e5ce-7001-b2ca-20821ea97d03', 1795726897548158);
INSERT INTO public.orders VALUES
	('01a219a9-e6a1-7001-a73f-767a81ed068c', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6a7-7000-aaf9-53a827ad611f', 'pending', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894759032, 1),
	('01a219a9-e6aa-7000-af2c-d4c6efa544ff', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6ac-7000-a602-c281a9a46547', 'pending', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894764016, 1),
	('01a219a9-e68a-7000-804a-f6b3006e7091', 1, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'placed', NULL, '01a219a9-e68e-7000-bb8b-f903c9bf129c', 'paid', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, 1795726894768794, 1795726894734128, 2),
	('01a219a9-e68d-7001-80fc-96165f717fab', 2, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'placed', NULL, '01a219a9-e693-7000-bf4c-ec3bea207b7e', 'paid', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, 1795726894780888, 1795726894739327, 2),
	('01a219a9-e6ba-7001-8205-5c3414164c85', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6bd-7000-94f0-7add5445e424', 'pending', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894781460, 1),
	('01a219a9-e696-7000-800f-1150c38250c3', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'rejected', 'payment_declined', '01a219a9-e69c-7000-9b34-d05b67b3ce11', 'failed', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894748738, 2),
	('01a219a9-e6c5-7000-8990-2ec69d813d6a', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6ca-7000-a181-3b169afeff17', 'pending', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894794496, 1),
	('01a219a9-e6ea-7000-a4d9-2d078e06a79d', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6eb-7000-8424-eb7bff0d7942', 'pending', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894827200, 1),
	('01a219a9-e6f2-7001-94d0-54ff64d0bef6', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6fa-7004-9654-a4d9a5cadc35', 'pending', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894842417, 1),
	('01a219a9-e6fb-7000-9267-e900eabda604', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e6fd-7000-a187-9e995c555d90', 'pending', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894845709, 1),
	('01a219a9-e6b1-7001-9dec-644f7a53649e', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'rejected', 'payment_declined', '01a219a9-e6b4-7000-bdec-341f83c5fa3a', 'voided', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894772807, 2),
	('01a219a9-e706-7000-b8d2-bde467f0a86e', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e70a-7000-b4bb-37aedc652637', 'pending', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894858214, 1),
	('01a219a9-e6d2-7000-9e04-2d1e42b2c996', 3, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'placed', NULL, '01a219a9-e6d9-7001-bb4b-55b291d82f1f', 'paid', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, 1795726894866899, 1795726894809793, 2),
	('01a219a9-e6d9-7000-9195-ce08816b8348', 4, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'placed', NULL, '01a219a9-e6da-7001-8d65-439a7c2fad46', 'paid', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, 1795726894867025, 1795726894810657, 2),
	('01a219a9-e712-7000-adac-d1e79ff9c780', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'processing', NULL, '01a219a9-e715-7000-b6bf-d1acb213b7f2', 'pending', '[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894869329, 1),
	('01a219a9-e6df-7002-8771-87b073d4dade', NULL, '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 'rejected', 'payment_declined', '01a219a9-e6e1-7000-bc05-a987f827a0e0', 'failed', '[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}]', 1200, 'EUR', 0, NULL, NULL, NULL, NULL, NULL, NULL, 1795726894817296, 2);
INSERT INTO public.orders_migrations VALUES
	('m0001_durable', 1795726894),
	('m0002_orders', 1795726894);
INSERT INTO public.outbox VALUES
	(1, '01a219a9-e6b0-7000-bcfb-20ab2ab7c481', 'orders.order_placed.v1', 'orders', '01a219a9-e68a-7000-804a-f6b3006e7091', 2, 1795726894768842, '00-2d0ce61768321e7abb744ba7245900bf-0fc51ec772809bf9-01', '{"order_id":"01a219a9-e68a-7000-804a-f6b3006e7091","number":1,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.768794Z","version":2}'),
	(2, '01a219a9-e6bc-7000-86c7-d2f5b1b4e9d3', 'orders.order_placed.v1', 'orders', '01a219a9-e68d-7001-80fc-96165f717fab', 2, 1795726894780938, '00-2b5756b0fcf0d8bd8cbf1ad6da7b96eb-a09a420b45cdc7ad-01', '{"order_id":"01a219a9-e68d-7001-80fc-96165f717fab","number":2,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.780888Z","version":2}'),
	(3, '01a219a9-e712-7001-84f2-27d58c6c9de1', 'orders.order_placed.v1', 'orders', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', 2, 1795726894866944, '00-6c1a2dc2de97477c5c1171476eaf5e59-ec66076840117c99-01', '{"order_id":"01a219a9-e6d2-7000-9e04-2d1e42b2c996","number":3,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.866899Z","version":2}'),
	(4, '01a219a9-e713-7000-9b75-45069748acc6', 'orders.order_placed.v1', 'orders', '01a219a9-e6d9-7000-9195-ce08816b8348', 2, 1795726894867039, '00-9d289b97311d8417f704b0360533f035-fe88e47a75aa031d-01', '{"order_id":"01a219a9-e6d9-7000-9195-ce08816b8348","number":4,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.867025Z","version":2}');
INSERT INTO public.outbox_delivery VALUES
	(1, 'notifications.order_placed', 'notifications', 'pending', 1795726894768842, '01a219a9-e68a-7000-804a-f6b3006e7091', NULL),
	(2, 'notifications.order_placed', 'notifications', 'pending', 1795726894780938, '01a219a9-e68d-7001-80fc-96165f717fab', NULL),
	(1, 'inventory.ship_stock', 'inventory', 'done', 1795726894768842, '01a219a9-e68a-7000-804a-f6b3006e7091', 1795726894808110),
	(2, 'inventory.ship_stock', 'inventory', 'done', 1795726894780938, '01a219a9-e68d-7001-80fc-96165f717fab', 1795726894808112),
	(3, 'notifications.order_placed', 'notifications', 'pending', 1795726894866944, '01a219a9-e6d2-7000-9e04-2d1e42b2c996', NULL),
	(3, 'inventory.ship_stock', 'inventory', 'pending', 1795726894866944, '01a219a9-e6d2-7000-9e04-2d1e42b2c996', NULL),
	(4, 'notifications.order_placed', 'notifications', 'pending', 1795726894867039, '01a219a9-e6d9-7000-9195-ce08816b8348', NULL),
	(4, 'inventory.ship_stock', 'inventory', 'pending', 1795726894867039, '01a219a9-e6d9-7000-9195-ce08816b8348', NULL);
INSERT INTO public.saga VALUES
	('01a219a9-e6a7-7001-bde6-c21897446859', 'orders.placement', '01a219a9-e6a1-7001-a73f-767a81ed068c', '{"order":{"id":"01a219a9-e6a1-7001-a73f-767a81ed068c","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6a7-7000-aaf9-53a827ad611f","payment_status":"pending","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.759032Z","version":1},"token":"tok_slow_900","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:31741bc66a60b44cf2010cec0b4fd587b06583917bf0e4fa6d43168892eb838d","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898759040, 1, NULL, '[]', '00-473fb31c5ae999bfe02de6f12378c791-cb02387e642a029b-01', 1795726894760623, 1795726894760623),
	('01a219a9-e6ac-7001-8070-6e3f78de849f', 'orders.placement', '01a219a9-e6aa-7000-af2c-d4c6efa544ff', '{"order":{"id":"01a219a9-e6aa-7000-af2c-d4c6efa544ff","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6ac-7000-a602-c281a9a46547","payment_status":"pending","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.764016Z","version":1},"token":"tok_lost_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:8cf960c7b1ec10679993af8256453397e1206105b8584836367e3e31008a980a","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898764024, 1, NULL, '[]', '00-4c8e755c1d767a1bbb6793e28314ff77-c76f973d78f6152f-01', 1795726894764619, 1795726894764619),
	('01a219a9-e68e-7001-94ed-5e89cb23e830', 'orders.placement', '01a219a9-e68a-7000-804a-f6b3006e7091', '{"order":{"id":"01a219a9-e68a-7000-804a-f6b3006e7091","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e68e-7000-bb8b-f903c9bf129c","payment_status":"paid","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.734128Z","version":1},"token":"tok_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:0297e5cfd9bd9c73a9935e749ae749d131ad3c5e0163bd562d3dc5d083b12fbc","reserved_until":"2026-11-26T21:16:34.741544Z","refusal":null}', 'completed', 3, 0, 1795726898734143, 2, NULL, '[{"at":"2026-11-26T21:01:34.74472Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.759076Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.766634Z","what":"capture","outcome":"done"}]', '00-2d0ce61768321e7abb744ba7245900bf-0fc51ec772809bf9-01', 1795726894735468, 1795726894768260),
	('01a219a9-e693-7001-82d0-780ef57c1bf1', 'orders.placement', '01a219a9-e68d-7001-80fc-96165f717fab', '{"order":{"id":"01a219a9-e68d-7001-80fc-96165f717fab","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e693-7000-bf4c-ec3bea207b7e","payment_status":"paid","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.739327Z","version":1},"token":"tok_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:a7c73f631276b8ba8eeacf43c2bccc197228de7bafc24210f8a2215924e7c051","reserved_until":"2026-11-26T21:16:34.74717Z","refusal":null}', 'completed', 3, 0, 1795726898739338, 2, NULL, '[{"at":"2026-11-26T21:01:34.749492Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.764179Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.775154Z","what":"capture","outcome":"done"}]', '00-2b5756b0fcf0d8bd8cbf1ad6da7b96eb-a09a420b45cdc7ad-01', 1795726894741081, 1795726894780524),
	('01a219a9-e6b4-7001-8555-b5912fedd567', 'orders.placement', '01a219a9-e6b1-7001-9dec-644f7a53649e', '{"order":{"id":"01a219a9-e6b1-7001-9dec-644f7a53649e","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6b4-7000-bdec-341f83c5fa3a","payment_status":"authorized","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.772807Z","version":1},"token":"tok_capture_decline","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:8cc164f4b5ecad3599ac89ec2fb2a2ff1ae8cc313e83cff0317ace5dfc8e3184","reserved_until":"2026-11-26T21:16:34.781049Z","refusal":{"error":"payment_declined","detail":{"order_id":"01a219a9-e6b1-7001-9dec-644f7a53649e","decline_code":"capture_declined"}}}', 'compensated', 0, 0, 1795726898772818, 3, 'the payment was declined', '[{"at":"2026-11-26T21:01:34.782677Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.791834Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.808136Z","what":"capture","outcome":"refused","detail":"the payment was declined"},{"at":"2026-11-26T21:01:34.840644Z","what":"capture","outcome":"undone"},{"at":"2026-11-26T21:01:34.846846Z","what":"authorize","outcome":"undone"},{"at":"2026-11-26T21:01:34.853176Z","what":"reserve","outcome":"undone"}]', '00-ee333a39d2ee0c598168a731a8e997b5-7a1b9ea74772d7cd-01', 1795726894775436, 1795726894853709),
	('01a219a9-e6bd-7001-9e07-a4639817eb4d', 'orders.placement', '01a219a9-e6ba-7001-8205-5c3414164c85', '{"order":{"id":"01a219a9-e6ba-7001-8205-5c3414164c85","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6bd-7000-94f0-7add5445e424","payment_status":"pending","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.78146Z","version":1},"token":"tok_lost_fail","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:7f8755bfc9595b8db2b790b3a97156942f3560bed1d55c5338e83625ee2ed60d","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898781470, 1, NULL, '[]', '00-268f092589034fac3643a371b047e92f-cf0ea8c82da02489-01', 1795726894783763, 1795726894783763),
	('01a219a9-e69c-7001-baf9-4ff7293d051d', 'orders.placement', '01a219a9-e696-7000-800f-1150c38250c3', '{"order":{"id":"01a219a9-e696-7000-800f-1150c38250c3","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e69c-7000-9b34-d05b67b3ce11","payment_status":"pending","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.748738Z","version":1},"token":"tok_decline","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:9023348c3459be2a1ce752b69ec0d8d66a3ea168dcaf7e3d2f816526f05f8a79","reserved_until":"2026-11-26T21:16:34.75562Z","refusal":{"error":"payment_declined","detail":{"order_id":"01a219a9-e696-7000-800f-1150c38250c3","decline_code":"card_declined"}}}', 'compensated', 0, 0, 1795726898748749, 3, 'the payment was declined', '[{"at":"2026-11-26T21:01:34.757162Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.76841Z","what":"authorize","outcome":"refused","detail":"the payment was declined"},{"at":"2026-11-26T21:01:34.78383Z","what":"authorize","outcome":"undone"},{"at":"2026-11-26T21:01:34.789344Z","what":"reserve","outcome":"undone"}]', '00-c39de3f562a38090b4d8864a8a903367-3736213125e8271d-01', 1795726894749369, 1795726894791444),
	('01a219a9-e6ca-7001-b3a9-6f64f9df44a9', 'orders.placement', '01a219a9-e6c5-7000-8990-2ec69d813d6a', '{"order":{"id":"01a219a9-e6c5-7000-8990-2ec69d813d6a","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6ca-7000-a181-3b169afeff17","payment_status":"pending","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.794496Z","version":1},"token":"tok_slow_400","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:3c9b9036ea0d8eb5faab08080bd83b71ed79bff893c5a46733e16d94f8183a08","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898794508, 1, NULL, '[]', '00-8d9adbfc967964a7fd9c6db40201dbaf-dbe52c61892a56df-01', 1795726894797329, 1795726894797329),
	('01a219a9-e6d9-7002-914f-7cc153757f26', 'orders.placement', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', '{"order":{"id":"01a219a9-e6d2-7000-9e04-2d1e42b2c996","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6d9-7001-bb4b-55b291d82f1f","payment_status":"paid","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.809793Z","version":1},"token":"tok_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:38e8a61781f18f9ea12cd4f5653875fddba6939ff5528730dacbc4a32ece70bc","reserved_until":"2026-11-26T21:16:34.819167Z","refusal":null}', 'completed', 3, 0, 1795726898809802, 2, NULL, '[{"at":"2026-11-26T21:01:34.820957Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.844064Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.859324Z","what":"capture","outcome":"done"}]', '00-6c1a2dc2de97477c5c1171476eaf5e59-ec66076840117c99-01', 1795726894813081, 1795726894866242),
	('01a219a9-e6e1-7001-b175-9b646756ffc5', 'orders.placement', '01a219a9-e6df-7002-8771-87b073d4dade', '{"order":{"id":"01a219a9-e6df-7002-8771-87b073d4dade","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6e1-7000-bc05-a987f827a0e0","payment_status":"pending","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.817296Z","version":1},"token":"tok_decline","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:6afc299b76a2032e9802ab10058e1492a39693ca9251a33f11227719354800e6","reserved_until":"2026-11-26T21:16:34.821406Z","refusal":{"error":"payment_declined","detail":{"order_id":"01a219a9-e6df-7002-8771-87b073d4dade","decline_code":"card_declined"}}}', 'compensated', 0, 0, 1795726898817306, 3, 'the payment was declined', '[{"at":"2026-11-26T21:01:34.823768Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.854845Z","what":"authorize","outcome":"refused","detail":"the payment was declined"},{"at":"2026-11-26T21:01:34.865568Z","what":"authorize","outcome":"undone"},{"at":"2026-11-26T21:01:34.873634Z","what":"reserve","outcome":"undone"}]', '00-816f26099b4e5ac6d30ecaa1f3712193-2818ca261a87e891-01', 1795726894818876, 1795726894877213),
	('01a219a9-e6eb-7001-8701-3429561a8483', 'orders.placement', '01a219a9-e6ea-7000-a4d9-2d078e06a79d', '{"order":{"id":"01a219a9-e6ea-7000-a4d9-2d078e06a79d","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6eb-7000-8424-eb7bff0d7942","payment_status":"pending","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.8272Z","version":1},"token":"tok_slow_900","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:91a89b5a0bf2c450878823fc242f1140208808d10a9b54186c312510dec5d1e2","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898827208, 1, NULL, '[]', '00-e06b1058428ddf90d812f87dadca7849-2bd978fa9bb2f3fb-01', 1795726894829121, 1795726894829121),
	('01a219a9-e6fa-7005-af87-2c490c8793c5', 'orders.placement', '01a219a9-e6f2-7001-94d0-54ff64d0bef6', '{"order":{"id":"01a219a9-e6f2-7001-94d0-54ff64d0bef6","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6fa-7004-9654-a4d9a5cadc35","payment_status":"pending","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.842417Z","version":1},"token":"tok_lost_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:09b6d5b228bebaeede12bb0b1a3390e09687afc3cac727285286c2d9fc0cadf5","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898842429, 1, NULL, '[]', '00-3b4843aafa4670292774c2e834cc4529-6ac679447b546003-01', 1795726894843040, 1795726894843040),
	('01a219a9-e70a-7001-8d92-47c94f2557f7', 'orders.placement', '01a219a9-e706-7000-b8d2-bde467f0a86e', '{"order":{"id":"01a219a9-e706-7000-b8d2-bde467f0a86e","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e70a-7000-b4bb-37aedc652637","payment_status":"pending","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.858214Z","version":1},"token":"tok_lost_fail","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:36a40694ad7812643cd40bbb866303cb8593f19e2000d9b3ee03f0fa9ffb71ef","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898858225, 1, NULL, '[]', '00-b072a9e06eaec8a3295f4464de6e347d-3b0396d0eb15dc7b-01', 1795726894859383, 1795726894859383),
	('01a219a9-e6da-7002-a27d-d87799f6c467', 'orders.placement', '01a219a9-e6d9-7000-9195-ce08816b8348', '{"order":{"id":"01a219a9-e6d9-7000-9195-ce08816b8348","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6da-7001-8d65-439a7c2fad46","payment_status":"paid","lines":[{"sku":"REC-B","title":"Recorded REC-B","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.810657Z","version":1},"token":"tok_ok","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:8a2e426205aca5ffe7b2fa9605da926de0600f6ed0d7beb72fc662ab7e0a5d4c","reserved_until":"2026-11-26T21:16:34.819192Z","refusal":null}', 'completed', 3, 0, 1795726898810676, 2, NULL, '[{"at":"2026-11-26T21:01:34.821769Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.854814Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.862734Z","what":"capture","outcome":"done"}]', '00-9d289b97311d8417f704b0360533f035-fe88e47a75aa031d-01', 1795726894813123, 1795726894867023),
	('01a219a9-e715-7001-92ed-64543b5fe10d', 'orders.placement', '01a219a9-e712-7000-adac-d1e79ff9c780', '{"order":{"id":"01a219a9-e712-7000-adac-d1e79ff9c780","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e715-7000-b6bf-d1acb213b7f2","payment_status":"pending","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.869329Z","version":1},"token":"tok_slow_400","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:a3e0a7c0eee4accb73da482c79eedad7f6b0f753964d62967ea9cb6e90f8f055","reserved_until":null,"refusal":null}', 'running', 0, 0, 1795726898869339, 1, NULL, '[]', '00-7cbb16ebc2581e8cc33a9cf351a72c61-563c11097479fff7-01', 1795726894872425, 1795726894872425),
	('01a219a9-e6fd-7001-b256-8a524acbdeed', 'orders.placement', '01a219a9-e6fb-7000-9267-e900eabda604', '{"order":{"id":"01a219a9-e6fb-7000-9267-e900eabda604","number":null,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","status":"processing","reason":null,"payment_id":"01a219a9-e6fd-7000-a187-9e995c555d90","payment_status":"authorized","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"refunded":{"amount":0,"currency":"EUR"},"shipping_address":null,"note":null,"action_url":null,"placed_at":null,"created_at":"2026-11-26T21:01:34.845709Z","version":1},"token":"tok_capture_decline","command":"01a219a9-e651-7000-9aa9-bc86b62c9ce0:18e4bcdf915504a1f8a2128eaef98b7dc9c864311bf6362cb78872bd4233522e","reserved_until":"2026-11-26T21:16:34.852664Z","refusal":{"error":"payment_declined","detail":{"order_id":"01a219a9-e6fb-7000-9267-e900eabda604","decline_code":"capture_declined"}}}', 'unwinding', 2, 0, 1795726898845719, 2, 'the payment was declined', '[{"at":"2026-11-26T21:01:34.853673Z","what":"reserve","outcome":"done"},{"at":"2026-11-26T21:01:34.86728Z","what":"authorize","outcome":"done"},{"at":"2026-11-26T21:01:34.877119Z","what":"capture","outcome":"refused","detail":"the payment was declined"}]', '00-376ece7d8002fdf60d2b7746840385b1-478bec4819deb279-01', 1795726894846256, 1795726894880217);
SELECT pg_catalog.setval('public.inbox_position_seq', 1, false);
SELECT pg_catalog.setval('public.outbox_position_seq', 4, true);
ALTER TABLE ONLY public.counter
    ADD CONSTRAINT counter_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_message_id_subscription_key UNIQUE (message_id, subscription);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.order_event
    ADD CONSTRAINT order_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.order_refund
    ADD CONSTRAINT order_refund_command_id_key UNIQUE (command_id);
ALTER TABLE ONLY public.order_refund
    ADD CONSTRAINT order_refund_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders_migrations
    ADD CONSTRAINT orders_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_number_key UNIQUE (number);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_pkey PRIMARY KEY ("position", subscription);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.saga
    ADD CONSTRAINT saga_pkey PRIMARY KEY (id);
CREATE INDEX idempotency_at ON public.idempotency USING btree (at);
CREATE INDEX inbox_dead ON public.inbox USING btree ("position") WHERE (state = 'dead'::text);
CREATE INDEX inbox_key ON public.inbox USING btree (subscription, key, "position") WHERE (state = ANY (ARRAY['pending'::text, 'dead'::text]));
CREATE INDEX inbox_oldest ON public.inbox USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_pending ON public.inbox USING btree (subscription, "position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_settled ON public.inbox USING btree (received_at) WHERE (state = ANY (ARRAY['done'::text, 'discarded'::text]));
CREATE INDEX order_event_order ON public.order_event USING btree (order_id, id);
CREATE INDEX order_refund_order ON public.order_refund USING btree (order_id, id);
CREATE INDEX orders_status ON public.orders USING btree (status, id);
CREATE INDEX orders_user ON public.orders USING btree (user_id, id);
CREATE INDEX orders_user_status ON public.orders USING btree (user_id, status, id);
CREATE INDEX outbox_at ON public.outbox USING btree (at);
CREATE INDEX outbox_delivery_oldest ON public.outbox_delivery USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_delivery_parked ON public.outbox_delivery USING btree ("position", subscription) WHERE (state = 'parked'::text);
CREATE INDEX outbox_delivery_pending ON public.outbox_delivery USING btree (module, "position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_key ON public.outbox USING btree (key, "position");
CREATE INDEX saga_due ON public.saga USING btree (kind, due_at) WHERE (phase = ANY (ARRAY['running'::text, 'waiting'::text, 'unwinding'::text]));
CREATE INDEX saga_key ON public.saga USING btree (key);
CREATE INDEX saga_phase ON public.saga USING btree (phase, id);
ALTER TABLE ONLY public.order_refund
    ADD CONSTRAINT order_refund_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_position_fkey FOREIGN KEY ("position") REFERENCES public.outbox("position") ON DELETE CASCADE;
