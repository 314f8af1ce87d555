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
CREATE TABLE public.payment (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    user_id uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    token text NOT NULL,
    status text NOT NULL,
    step text NOT NULL,
    undo bigint NOT NULL,
    live bigint NOT NULL,
    charge text,
    captured bigint NOT NULL,
    refund_held bigint NOT NULL,
    refunded bigint NOT NULL,
    decline_code text,
    action_url text,
    attention text,
    due_at bigint NOT NULL,
    waiting_until bigint NOT NULL,
    sent_at bigint NOT NULL,
    attempts bigint NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT payment_amount_check CHECK ((amount >= 0)),
    CONSTRAINT payment_check CHECK (((captured >= 0) AND (captured <= amount))),
    CONSTRAINT payment_check1 CHECK ((refund_held <= captured)),
    CONSTRAINT payment_check2 CHECK ((refunded <= refund_held)),
    CONSTRAINT payment_check3 CHECK (((status <> 'processing'::text) OR (step <> ''::text))),
    CONSTRAINT payment_refunded_check CHECK ((refunded >= 0))
);
CREATE TABLE public.payment_event (
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL
);
CREATE TABLE public.payments_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.refund (
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    order_id uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL,
    code text,
    due_at bigint NOT NULL,
    attempts bigint NOT NULL,
    created_at bigint NOT NULL,
    settled_at bigint,
    CONSTRAINT refund_amount_check CHECK ((amount > 0))
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
CREATE TABLE public.webhook_event (
    "position" bigint NOT NULL,
    provider text NOT NULL,
    event_id text NOT NULL,
    reference text NOT NULL,
    body text NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    due_at bigint NOT NULL,
    error text,
    received_at bigint NOT NULL
);
CREATE SEQUENCE public.webhook_event_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.webhook_event_position_seq OWNED BY public.webhook_event."position";
ALTER TABLE ONLY public.inbox ALTER COLUMN "position" SET DEFAULT nextval('public.inbox_position_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN "position" SET DEFAULT nextval('public.outbox_position_seq'::regclass);
ALTER TABLE ONLY public.webhook_event ALTER COLUMN "position" SET DEFAULT nextval('public.webhook_event_position_seq'::regclass);
INSERT INTO public.lease VALUES
	('dispatch', '01a219a9-e5ce-7002-92d8-1bb550265d29', 1795726897554741);
INSERT INTO public.payment VALUES
	('01a219a9-e68e-7000-bb8b-f903c9bf129c', '01a219a9-e68a-7000-804a-f6b3006e7091', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_ok', 'captured', '', 0, 1, '01a219a9-e69e-7001-bae8-e10bd8f3ea48', 1200, 0, 0, NULL, NULL, NULL, 1795726899504783, 0, 1795726894744858, 0, 3, 1795726894744858, 1795726894765362),
	('01a219a9-e69c-7000-9b34-d05b67b3ce11', '01a219a9-e696-7000-800f-1150c38250c3', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_decline', 'declined', '', 0, 0, NULL, 0, 0, 0, 'card_declined', NULL, NULL, 1795726897507208, 0, 1795726894757208, 0, 2, 1795726894757208, 1795726894767031),
	('01a219a9-e6a7-7000-aaf9-53a827ad611f', '01a219a9-e6a1-7001-a73f-767a81ed068c', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_slow_900', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897518850, 1795726897518850, 1795726894768850, 0, 1, 1795726894768850, 1795726894768850),
	('01a219a9-e693-7000-bf4c-ec3bea207b7e', '01a219a9-e68d-7001-80fc-96165f717fab', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_ok', 'captured', '', 0, 1, '01a219a9-e6a4-7001-a136-c1805adf09a0', 1200, 0, 0, NULL, NULL, NULL, 1795726899508953, 0, 1795726894749542, 0, 3, 1795726894749542, 1795726894774285),
	('01a219a9-e6ac-7000-a602-c281a9a46547', '01a219a9-e6aa-7000-af2c-d4c6efa544ff', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_lost_ok', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897524029, 1795726897524029, 1795726894774029, 0, 1, 1795726894774029, 1795726894774029),
	('01a219a9-e6bd-7000-94f0-7add5445e424', '01a219a9-e6ba-7001-8205-5c3414164c85', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_lost_fail', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897541865, 1795726897541865, 1795726894791865, 0, 1, 1795726894791865, 1795726894791865),
	('01a219a9-e6ca-7000-a181-3b169afeff17', '01a219a9-e6c5-7000-8990-2ec69d813d6a', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_slow_400', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897552035, 1795726897552035, 1795726894802035, 0, 1, 1795726894802035, 1795726894802035),
	('01a219a9-e6b4-7000-bdec-341f83c5fa3a', '01a219a9-e6b1-7001-9dec-644f7a53649e', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_capture_decline', 'voided', '', 1, 0, '01a219a9-e6c3-7001-9fda-a065ecf28ffc', 0, 0, 0, 'capture_declined', NULL, NULL, 1795726901816709, 0, 1795726894782749, 0, 5, 1795726894782749, 1795726894834186),
	('01a219a9-e6eb-7000-8424-eb7bff0d7942', '01a219a9-e6ea-7000-a4d9-2d078e06a79d', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_slow_900', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897594178, 1795726897594178, 1795726894844178, 0, 1, 1795726894844178, 1795726894844178),
	('01a219a9-e6fa-7004-9654-a4d9a5cadc35', '01a219a9-e6f2-7001-94d0-54ff64d0bef6', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_lost_ok', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897597924, 1795726897597924, 1795726894847924, 0, 1, 1795726894847924, 1795726894847924),
	('01a219a9-e6e1-7000-bc05-a987f827a0e0', '01a219a9-e6df-7002-8771-87b073d4dade', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_decline', 'declined', '', 0, 0, NULL, 0, 0, 0, 'card_declined', NULL, NULL, 1795726897573825, 0, 1795726894823825, 0, 2, 1795726894823825, 1795726894849507),
	('01a219a9-e6d9-7001-bb4b-55b291d82f1f', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_ok', 'captured', '', 0, 1, '01a219a9-e6ee-7001-80e3-21b63ce96404', 1200, 0, 0, NULL, NULL, NULL, 1795726899586229, 0, 1795726894821015, 0, 3, 1795726894821015, 1795726894856288),
	('01a219a9-e6da-7001-8d65-439a7c2fad46', '01a219a9-e6d9-7000-9195-ce08816b8348', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_ok', 'captured', '', 0, 1, '01a219a9-e6fa-7001-a656-530364424b66', 1200, 0, 0, NULL, NULL, NULL, 1795726899596805, 0, 1795726894821827, 0, 3, 1795726894821827, 1795726894860062),
	('01a219a9-e70a-7000-b4bb-37aedc652637', '01a219a9-e706-7000-b8d2-bde467f0a86e', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_lost_fail', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897621126, 1795726897621126, 1795726894871126, 0, 1, 1795726894871126, 1795726894871126),
	('01a219a9-e715-7000-b6bf-d1acb213b7f2', '01a219a9-e712-7000-adac-d1e79ff9c780', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_slow_400', 'processing', 'authorize', 0, 1, NULL, 0, 0, 0, NULL, NULL, NULL, 1795726897629537, 1795726897629537, 1795726894879537, 0, 1, 1795726894879537, 1795726894879537),
	('01a219a9-e6fd-7000-a187-9e995c555d90', '01a219a9-e6fb-7000-9267-e900eabda604', '01a219a9-e651-7000-9aa9-bc86b62c9ce0', 1200, 'EUR', 'tok_capture_decline', 'voided', '', 1, 0, '01a219a9-e70c-7002-bf63-36133c59e217', 0, 0, 0, 'capture_declined', NULL, NULL, 1795726901881647, 0, 1795726894853741, 0, 5, 1795726894853741, 1795726894885948);
INSERT INTO public.payment_event VALUES
	('01a219a9-e6a3-7000-a393-4f7cdf79e707', '01a219a9-e68e-7000-bb8b-f903c9bf129c', '01a219a9-e68a-7000-804a-f6b3006e7091', 'authorized', '', 1200, 'EUR', 1795726894755132, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6a9-7000-beec-ecaf476a8871', '01a219a9-e693-7000-bf4c-ec3bea207b7e', '01a219a9-e68d-7001-80fc-96165f717fab', 'authorized', '', 1200, 'EUR', 1795726894761367, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6ad-7000-9341-2bb9ed798a4f', '01a219a9-e68e-7000-bb8b-f903c9bf129c', '01a219a9-e68a-7000-804a-f6b3006e7091', 'captured', '', 1200, 'EUR', 1795726894765371, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6af-7000-9958-a38446ff60c4', '01a219a9-e69c-7000-9b34-d05b67b3ce11', '01a219a9-e696-7000-800f-1150c38250c3', 'declined', 'card_declined', 1200, 'EUR', 1795726894767434, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6b6-7000-b96b-3d319aa2fdfd', '01a219a9-e693-7000-bf4c-ec3bea207b7e', '01a219a9-e68d-7001-80fc-96165f717fab', 'captured', '', 1200, 'EUR', 1795726894774323, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6c5-7001-b080-72486efd48db', '01a219a9-e6b4-7000-bdec-341f83c5fa3a', '01a219a9-e6b1-7001-9dec-644f7a53649e', 'authorized', '', 1200, 'EUR', 1795726894789635, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6cf-7000-8d85-ed28a401c751', '01a219a9-e6b4-7000-bdec-341f83c5fa3a', '01a219a9-e6b1-7001-9dec-644f7a53649e', 'capture_declined', 'capture_declined', 1200, 'EUR', 1795726894799091, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6e4-7000-8402-0675bbf2e965', '01a219a9-e6b4-7000-bdec-341f83c5fa3a', '01a219a9-e6b1-7001-9dec-644f7a53649e', 'void_requested', '', 1200, 'EUR', 1795726894820005, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6f2-7000-9977-ef8587362711', '01a219a9-e6b4-7000-bdec-341f83c5fa3a', '01a219a9-e6b1-7001-9dec-644f7a53649e', 'voided', '', 1200, 'EUR', 1795726894834196, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e6f9-7000-a1f9-8b4d40328619', '01a219a9-e6d9-7001-bb4b-55b291d82f1f', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', 'authorized', '', 1200, 'EUR', 1795726894841792, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e701-7001-88a3-4c85c16c0dd6', '01a219a9-e6da-7001-8d65-439a7c2fad46', '01a219a9-e6d9-7000-9195-ce08816b8348', 'authorized', '', 1200, 'EUR', 1795726894849489, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e701-7002-a906-d5790da61c42', '01a219a9-e6e1-7000-bc05-a987f827a0e0', '01a219a9-e6df-7002-8771-87b073d4dade', 'declined', 'card_declined', 1200, 'EUR', 1795726894849510, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e708-7000-8130-bf6374b07d61', '01a219a9-e6d9-7001-bb4b-55b291d82f1f', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', 'captured', '', 1200, 'EUR', 1795726894856295, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e70c-7000-a5f2-160d6739676f', '01a219a9-e6da-7001-8d65-439a7c2fad46', '01a219a9-e6d9-7000-9195-ce08816b8348', 'captured', '', 1200, 'EUR', 1795726894860071, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e711-7000-a077-4f1ba7ae97ab', '01a219a9-e6fd-7000-a187-9e995c555d90', '01a219a9-e6fb-7000-9267-e900eabda604', 'authorized', '', 1200, 'EUR', 1795726894865249, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e71a-7000-bb8f-a58ffeb6d21c', '01a219a9-e6fd-7000-a187-9e995c555d90', '01a219a9-e6fb-7000-9267-e900eabda604', 'capture_declined', 'capture_declined', 1200, 'EUR', 1795726894874429, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e722-7001-b555-6927d7dcef8b', '01a219a9-e6fd-7000-a187-9e995c555d90', '01a219a9-e6fb-7000-9267-e900eabda604', 'void_requested', '', 1200, 'EUR', 1795726894882473, '01a219a9-e651-7000-9aa9-bc86b62c9ce0'),
	('01a219a9-e725-7000-88bd-1f8882849baf', '01a219a9-e6fd-7000-a187-9e995c555d90', '01a219a9-e6fb-7000-9267-e900eabda604', 'voided', '', 1200, 'EUR', 1795726894885959, '01a219a9-e651-7000-9aa9-bc86b62c9ce0');
INSERT INTO public.payments_migrations VALUES
	('m0001_durable', 1795726894),
	('m0002_payments', 1795726894);
INSERT INTO public.webhook_event VALUES
	(1, 'sandbox', 'evt_01a219a9-e69e-7000-af93-b423f4a06ca7', '01a219a9-e68a-7000-804a-f6b3006e7091', '{"id":"evt_01a219a9-e69e-7000-af93-b423f4a06ca7","type":"charge.authorized","reference":"01a219a9-e68a-7000-804a-f6b3006e7091","charge":"01a219a9-e69e-7001-bae8-e10bd8f3ea48","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894750482,"idempotency_key":"pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-authorize"}', 'done', 0, 1795726894860011, NULL, 1795726894860011);
SELECT pg_catalog.setval('public.inbox_position_seq', 1, false);
SELECT pg_catalog.setval('public.outbox_position_seq', 1, false);
SELECT pg_catalog.setval('public.webhook_event_position_seq', 1, true);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_message_id_subscription_key UNIQUE (message_id, subscription);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_pkey PRIMARY KEY ("position", subscription);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_id_key UNIQUE (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.payment_event
    ADD CONSTRAINT payment_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.payments_migrations
    ADD CONSTRAINT payments_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.refund
    ADD CONSTRAINT refund_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.saga
    ADD CONSTRAINT saga_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_event
    ADD CONSTRAINT webhook_event_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.webhook_event
    ADD CONSTRAINT webhook_event_provider_event_id_key UNIQUE (provider, event_id);
CREATE INDEX idempotency_at ON public.idempotency USING btree (at);
CREATE INDEX inbox_dead ON public.inbox USING btree ("position") WHERE (state = 'dead'::text);
CREATE INDEX inbox_key ON public.inbox USING btree (subscription, key, "position") WHERE (state = ANY (ARRAY['pending'::text, 'dead'::text]));
CREATE INDEX inbox_oldest ON public.inbox USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_pending ON public.inbox USING btree (subscription, "position") WHERE (state = 'pending'::text);
CREATE INDEX inbox_settled ON public.inbox USING btree (received_at) WHERE (state = ANY (ARRAY['done'::text, 'discarded'::text]));
CREATE INDEX outbox_at ON public.outbox USING btree (at);
CREATE INDEX outbox_delivery_oldest ON public.outbox_delivery USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_delivery_parked ON public.outbox_delivery USING btree ("position", subscription) WHERE (state = 'parked'::text);
CREATE INDEX outbox_delivery_pending ON public.outbox_delivery USING btree (module, "position") WHERE (state = 'pending'::text);
CREATE INDEX outbox_key ON public.outbox USING btree (key, "position");
CREATE INDEX payment_attention ON public.payment USING btree (id) WHERE (attention IS NOT NULL);
CREATE INDEX payment_due ON public.payment USING btree (due_at) WHERE (step <> ''::text);
CREATE INDEX payment_event_order ON public.payment_event USING btree (order_id, at, id);
CREATE UNIQUE INDEX payment_live ON public.payment USING btree (order_id) WHERE (live = 1);
CREATE INDEX payment_order ON public.payment USING btree (order_id, id);
CREATE INDEX payment_refunds ON public.payment USING btree (id) WHERE (refund_held > 0);
CREATE INDEX refund_due ON public.refund USING btree (due_at) WHERE (status = 'processing'::text);
CREATE INDEX refund_payment ON public.refund USING btree (payment_id, id);
CREATE INDEX saga_due ON public.saga USING btree (kind, due_at) WHERE (phase = ANY (ARRAY['running'::text, 'waiting'::text, 'unwinding'::text]));
CREATE INDEX saga_key ON public.saga USING btree (key);
CREATE INDEX saga_phase ON public.saga USING btree (phase, id);
CREATE INDEX webhook_event_bad ON public.webhook_event USING btree ("position") WHERE (state = ANY (ARRAY['dead'::text, 'mismatch'::text]));
CREATE INDEX webhook_event_pending ON public.webhook_event USING btree ("position") WHERE (state = 'pending'::text);
CREATE INDEX webhook_event_received ON public.webhook_event USING btree (received_at);
ALTER TABLE ONLY public.outbox_delivery
    ADD CONSTRAINT outbox_delivery_position_fkey FOREIGN KEY ("position") REFERENCES public.outbox("position") ON DELETE CASCADE;
ALTER TABLE ONLY public.refund
    ADD CONSTRAINT refund_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES public.payment(id);
