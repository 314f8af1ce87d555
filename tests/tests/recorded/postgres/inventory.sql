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
CREATE TABLE public.inventory_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.lease (
    name text NOT NULL,
    owner uuid NOT NULL,
    until bigint NOT NULL
);
CREATE TABLE public.movement (
    id uuid NOT NULL,
    sku text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    delta bigint NOT NULL,
    reason text NOT NULL,
    order_id uuid,
    actor text NOT NULL,
    at bigint NOT NULL
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
CREATE TABLE public.product (
    id uuid NOT NULL,
    title text NOT NULL,
    title_key text NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL,
    status text NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.product_word (
    word text NOT NULL COLLATE pg_catalog."C",
    product_id uuid NOT NULL
);
CREATE TABLE public.reservation (
    order_id uuid NOT NULL,
    lines text NOT NULL,
    state text NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL
);
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
CREATE TABLE public.variant (
    sku text NOT NULL COLLATE pg_catalog."C",
    product_id uuid NOT NULL,
    place bigint NOT NULL,
    title text,
    price bigint NOT NULL,
    currency text NOT NULL,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT variant_check CHECK ((reserved <= on_hand)),
    CONSTRAINT variant_on_hand_check CHECK ((on_hand >= 0)),
    CONSTRAINT variant_price_check CHECK ((price >= 0)),
    CONSTRAINT variant_reserved_check CHECK ((reserved >= 0))
);
ALTER TABLE ONLY public.inbox ALTER COLUMN "position" SET DEFAULT nextval('public.inbox_position_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN "position" SET DEFAULT nextval('public.outbox_position_seq'::regclass);
INSERT INTO public.inbox VALUES
	(2, '01a219a9-e6bc-7000-86c7-d2f5b1b4e9d3', 'inventory.ship_stock', 'orders.order_placed.v1', 'orders', '01a219a9-e68d-7001-80fc-96165f717fab', 2, 1795726894780938, '00-2b5756b0fcf0d8bd8cbf1ad6da7b96eb-a09a420b45cdc7ad-01', '{"order_id":"01a219a9-e68d-7001-80fc-96165f717fab","number":2,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.780888Z","version":2}', 'done', 0, 0, 1795726894803291, 1795726894810555, NULL),
	(1, '01a219a9-e6b0-7000-bcfb-20ab2ab7c481', 'inventory.ship_stock', 'orders.order_placed.v1', 'orders', '01a219a9-e68a-7000-804a-f6b3006e7091', 2, 1795726894768842, '00-2d0ce61768321e7abb744ba7245900bf-0fc51ec772809bf9-01', '{"order_id":"01a219a9-e68a-7000-804a-f6b3006e7091","number":1,"user_id":"01a219a9-e651-7000-9aa9-bc86b62c9ce0","lines":[{"sku":"REC-A","title":"Recorded REC-A","quantity":1,"unit_price":{"amount":1200,"currency":"EUR"},"total":{"amount":1200,"currency":"EUR"}}],"total":{"amount":1200,"currency":"EUR"},"placed_at":"2026-11-26T21:01:34.768794Z","version":2}', 'done', 0, 0, 1795726894803291, 1795726894815371, NULL);
INSERT INTO public.inventory_migrations VALUES
	('m0001_durable', 1795726894),
	('m0002_stock', 1795726894);
INSERT INTO public.lease VALUES
	('dispatch', '01a219a9-e5ce-7000-a99f-2b00e06ecad3', 1795726897543886);
INSERT INTO public.movement VALUES
	('01a219a9-e649-7000-824a-62124b4d1391', 'REC-A', 'initial', 500, 'first stock', NULL, '01a219a9-e5cd-7000-8a51-5c9e3b17d824', 1795726894665090),
	('01a219a9-e64e-7001-a9e3-4759ef690c2b', 'REC-B', 'initial', 500, 'first stock', NULL, '01a219a9-e5cd-7000-8a51-5c9e3b17d824', 1795726894670564),
	('01a219a9-e6da-7000-9bef-c87fc19916f4', 'REC-A', 'sale', -1, 'order 2', '01a219a9-e68d-7001-80fc-96165f717fab', 'system', 1795726894810544),
	('01a219a9-e6df-7001-a3ed-2caf33178fe8', 'REC-A', 'sale', -1, 'order 1', '01a219a9-e68a-7000-804a-f6b3006e7091', 'system', 1795726894815362);
INSERT INTO public.product VALUES
	('01a219a9-e645-7000-9d68-207c34d07ffd', 'Recorded REC-A', 'recorded rec-a', '', 'active', 1795726894665090, 1),
	('01a219a9-e64e-7000-9206-e971457709be', 'Recorded REC-B', 'recorded rec-b', '', 'active', 1795726894670564, 1);
INSERT INTO public.product_word VALUES
	('a', '01a219a9-e645-7000-9d68-207c34d07ffd'),
	('rec', '01a219a9-e645-7000-9d68-207c34d07ffd'),
	('rec-a', '01a219a9-e645-7000-9d68-207c34d07ffd'),
	('recorded', '01a219a9-e645-7000-9d68-207c34d07ffd'),
	('b', '01a219a9-e64e-7000-9206-e971457709be'),
	('rec', '01a219a9-e64e-7000-9206-e971457709be'),
	('rec-b', '01a219a9-e64e-7000-9206-e971457709be'),
	('recorded', '01a219a9-e64e-7000-9206-e971457709be');
INSERT INTO public.reservation VALUES
	('01a219a9-e6a1-7001-a73f-767a81ed068c', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794765892, 1795726894765892),
	('01a219a9-e6aa-7000-af2c-d4c6efa544ff', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794772633, 1795726894772633),
	('01a219a9-e696-7000-800f-1150c38250c3', '[{"sku":"REC-A","quantity":1}]', 'released', 1795727794755620, 1795726894755620),
	('01a219a9-e6ba-7001-8205-5c3414164c85', '[{"sku":"REC-A","quantity":1}]', 'held', 1795727794790066, 1795726894790066),
	('01a219a9-e6c5-7000-8990-2ec69d813d6a', '[{"sku":"REC-A","quantity":1}]', 'held', 1795727794798804, 1795726894798804),
	('01a219a9-e68d-7001-80fc-96165f717fab', '[{"sku":"REC-A","quantity":1}]', 'shipped', 1795727794747170, 1795726894747170),
	('01a219a9-e68a-7000-804a-f6b3006e7091', '[{"sku":"REC-A","quantity":1}]', 'shipped', 1795727794741544, 1795726894741544),
	('01a219a9-e6d2-7000-9e04-2d1e42b2c996', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794819167, 1795726894819167),
	('01a219a9-e6d9-7000-9195-ce08816b8348', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794819192, 1795726894819192),
	('01a219a9-e6ea-7000-a4d9-2d078e06a79d', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794836695, 1795726894836695),
	('01a219a9-e6f2-7001-94d0-54ff64d0bef6', '[{"sku":"REC-B","quantity":1}]', 'held', 1795727794846190, 1795726894846190),
	('01a219a9-e6b1-7001-9dec-644f7a53649e', '[{"sku":"REC-B","quantity":1}]', 'released', 1795727794781049, 1795726894781049),
	('01a219a9-e6fb-7000-9267-e900eabda604', '[{"sku":"REC-A","quantity":1}]', 'held', 1795727794852664, 1795726894852664),
	('01a219a9-e706-7000-b8d2-bde467f0a86e', '[{"sku":"REC-A","quantity":1}]', 'held', 1795727794866709, 1795726894866709),
	('01a219a9-e6df-7002-8771-87b073d4dade', '[{"sku":"REC-B","quantity":1}]', 'released', 1795727794821406, 1795726894821406),
	('01a219a9-e712-7000-adac-d1e79ff9c780', '[{"sku":"REC-A","quantity":1}]', 'held', 1795727794878232, 1795726894878232);
INSERT INTO public.variant VALUES
	('REC-B', '01a219a9-e64e-7000-9206-e971457709be', 0, NULL, 1200, 'EUR', 500, 6, 10),
	('REC-A', '01a219a9-e645-7000-9d68-207c34d07ffd', 0, NULL, 1200, 'EUR', 498, 5, 12);
SELECT pg_catalog.setval('public.inbox_position_seq', 2, true);
SELECT pg_catalog.setval('public.outbox_position_seq', 1, false);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_message_id_subscription_key UNIQUE (message_id, subscription);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.inventory_migrations
    ADD CONSTRAINT inventory_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.movement
    ADD CONSTRAINT movement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_pkey PRIMARY KEY ("position", subscription);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.product
    ADD CONSTRAINT product_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.product_word
    ADD CONSTRAINT product_word_pkey PRIMARY KEY (word, product_id);
ALTER TABLE ONLY public.reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (order_id);
ALTER TABLE ONLY public.saga
    ADD CONSTRAINT saga_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.variant
    ADD CONSTRAINT variant_pkey PRIMARY KEY (sku);
CREATE INDEX idempotency_at ON public.idempotency USING btree (at);
CREATE INDEX inbox_dead ON public.inbox USING btree ("position") WHERE (state = 'dead'::text);
CREATE INDEX inbox_key ON public.inbox USING btree (subscription, key, "position") WHERE (state = ANY (ARRAY['pending'::text, 'dead'::text]));
CREATE INDEX inbox_oldest ON public.inbox USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_pending ON public.inbox USING btree (subscription, "position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_settled ON public.inbox USING btree (received_at) WHERE (state = ANY (ARRAY['done'::text, 'discarded'::text]));
CREATE INDEX movement_order ON public.movement USING btree (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX movement_sku ON public.movement USING btree (sku, id, delta);
CREATE INDEX outbox_at ON public.outbox USING btree (at);
CREATE INDEX outbox_delivery_oldest ON public.outbox_delivery USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_delivery_parked ON public.outbox_delivery USING btree ("position", subscription) WHERE (state = 'parked'::text);
CREATE INDEX outbox_delivery_pending ON public.outbox_delivery USING btree (module, "position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_key ON public.outbox USING btree (key, "position");
CREATE INDEX product_all_created ON public.product USING btree (created_at, id);
CREATE INDEX product_all_title ON public.product USING btree (title_key, id);
CREATE INDEX product_created ON public.product USING btree (status, created_at, id);
CREATE INDEX product_title ON public.product USING btree (status, title_key, id);
CREATE INDEX product_word_product ON public.product_word USING btree (product_id, word);
CREATE INDEX reservation_held ON public.reservation USING btree (expires_at) WHERE (state = 'held'::text);
CREATE INDEX saga_due ON public.saga USING btree (kind, due_at) WHERE (phase = ANY (ARRAY['running'::text, 'waiting'::text, 'unwinding'::text]));
CREATE INDEX saga_key ON public.saga USING btree (key);
CREATE INDEX saga_phase ON public.saga USING btree (phase, id);
CREATE INDEX variant_product ON public.variant USING btree (product_id, place);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_position_fkey FOREIGN KEY ("position") REFERENCES public.outbox("position") ON DELETE CASCADE;
ALTER TABLE ONLY public.product_word
    ADD CONSTRAINT product_word_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.product(id);
ALTER TABLE ONLY public.variant
    ADD CONSTRAINT variant_product_id_fkey FOREIGN KEY (product_id) REFERENCES public.product(id);
