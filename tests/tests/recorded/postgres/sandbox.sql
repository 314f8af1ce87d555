CREATE TABLE public.charges (
    id uuid NOT NULL,
    version bigint NOT NULL,
    idempotency_key text NOT NULL,
    reference text NOT NULL,
    token text NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    requested bigint NOT NULL,
    authorized bigint NOT NULL,
    captured bigint NOT NULL,
    refunded bigint NOT NULL,
    refund_failures bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT charges_check CHECK (((authorized >= 0) AND ((authorized = 0) OR (authorized <= requested)))),
    CONSTRAINT charges_check1 CHECK (((captured >= 0) AND (captured <= authorized))),
    CONSTRAINT charges_check2 CHECK (((refunded >= 0) AND (refunded <= captured))),
    CONSTRAINT charges_check3 CHECK (((captured = 0) OR (status = 'captured'::text)))
);
CREATE TABLE public.operations (
    key text NOT NULL,
    charge uuid NOT NULL,
    fingerprint text NOT NULL,
    outcome text NOT NULL,
    code text NOT NULL
);
CREATE TABLE public.sandbox_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.transactions (
    reference text NOT NULL,
    at bigint NOT NULL,
    id uuid NOT NULL,
    charge uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    code text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    idempotency_key text NOT NULL
);
CREATE TABLE public.webhooks (
    id uuid NOT NULL,
    body text NOT NULL,
    due_at bigint NOT NULL,
    attempts bigint NOT NULL
);
INSERT INTO public.charges VALUES
	('01a219a9-e69e-7001-bae8-e10bd8f3ea48', 2, 'pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-authorize', '01a219a9-e68a-7000-804a-f6b3006e7091', 'tok_ok', 'EUR', 'captured', 1200, 1200, 1200, 0, 0, 1795726894750482),
	('01a219a9-e6ab-7001-8aeb-1e8f3ba4c468', 1, 'pay-01a219a9-e69c-7000-9b34-d05b67b3ce11-authorize', '01a219a9-e696-7000-800f-1150c38250c3', 'tok_decline', 'EUR', 'declined', 1200, 0, 0, 0, 0, 1795726894763371),
	('01a219a9-e6a4-7001-a136-c1805adf09a0', 2, 'pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-authorize', '01a219a9-e68d-7001-80fc-96165f717fab', 'tok_ok', 'EUR', 'captured', 1200, 1200, 1200, 0, 0, 1795726894756642),
	('01a219a9-e6b8-7001-a35e-5f0b74c1854d', 1, 'pay-01a219a9-e6ac-7000-a602-c281a9a46547-authorize', '01a219a9-e6aa-7000-af2c-d4c6efa544ff', 'tok_lost_ok', 'EUR', 'authorized', 1200, 1200, 0, 0, 0, 1795726894776400),
	('01a219a9-e6c3-7001-9fda-a065ecf28ffc', 2, 'pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-authorize', '01a219a9-e6b1-7001-9dec-644f7a53649e', 'tok_capture_decline', 'EUR', 'voided', 1200, 1200, 0, 0, 0, 1795726894787037),
	('01a219a9-e6fa-7003-a261-7068f5fd4724', 1, 'pay-01a219a9-e6e1-7000-bc05-a987f827a0e0-authorize', '01a219a9-e6df-7002-8771-87b073d4dade', 'tok_decline', 'EUR', 'declined', 1200, 0, 0, 0, 0, 1795726894842094),
	('01a219a9-e6ee-7001-80e3-21b63ce96404', 2, 'pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-authorize', '01a219a9-e6d2-7000-9e04-2d1e42b2c996', 'tok_ok', 'EUR', 'captured', 1200, 1200, 1200, 0, 0, 1795726894830647),
	('01a219a9-e6fa-7001-a656-530364424b66', 2, 'pay-01a219a9-e6da-7001-8d65-439a7c2fad46-authorize', '01a219a9-e6d9-7000-9195-ce08816b8348', 'tok_ok', 'EUR', 'captured', 1200, 1200, 1200, 0, 0, 1795726894842051),
	('01a219a9-e708-7002-811d-29c78a2070de', 1, 'pay-01a219a9-e6fa-7004-9654-a4d9a5cadc35-authorize', '01a219a9-e6f2-7001-94d0-54ff64d0bef6', 'tok_lost_ok', 'EUR', 'authorized', 1200, 1200, 0, 0, 0, 1795726894856300),
	('01a219a9-e70c-7002-bf63-36133c59e217', 2, 'pay-01a219a9-e6fd-7000-a187-9e995c555d90-authorize', '01a219a9-e6fb-7000-9267-e900eabda604', 'tok_capture_decline', 'EUR', 'voided', 1200, 1200, 0, 0, 0, 1795726894860514);
INSERT INTO public.operations VALUES
	('pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-authorize', '01a219a9-e69e-7001-bae8-e10bd8f3ea48', '["authorize","01a219a9-e68a-7000-804a-f6b3006e7091",1200,"EUR","tok_ok"]', 'authorized', ''),
	('pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-authorize', '01a219a9-e6a4-7001-a136-c1805adf09a0', '["authorize","01a219a9-e68d-7001-80fc-96165f717fab",1200,"EUR","tok_ok"]', 'authorized', ''),
	('pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-capture', '01a219a9-e69e-7001-bae8-e10bd8f3ea48', '["capture","01a219a9-e69e-7001-bae8-e10bd8f3ea48",1200,"EUR"]', 'captured', ''),
	('pay-01a219a9-e69c-7000-9b34-d05b67b3ce11-authorize', '01a219a9-e6ab-7001-8aeb-1e8f3ba4c468', '["authorize","01a219a9-e696-7000-800f-1150c38250c3",1200,"EUR","tok_decline"]', 'declined', 'card_declined'),
	('pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-capture', '01a219a9-e6a4-7001-a136-c1805adf09a0', '["capture","01a219a9-e6a4-7001-a136-c1805adf09a0",1200,"EUR"]', 'captured', ''),
	('pay-01a219a9-e6ac-7000-a602-c281a9a46547-authorize', '01a219a9-e6b8-7001-a35e-5f0b74c1854d', '["authorize","01a219a9-e6aa-7000-af2c-d4c6efa544ff",1200,"EUR","tok_lost_ok"]', 'authorized', ''),
	('pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-authorize', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', '["authorize","01a219a9-e6b1-7001-9dec-644f7a53649e",1200,"EUR","tok_capture_decline"]', 'authorized', ''),
	('pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-capture', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', '["capture","01a219a9-e6c3-7001-9fda-a065ecf28ffc",1200,"EUR"]', 'declined', 'capture_declined'),
	('pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-void', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', '["void","01a219a9-e6c3-7001-9fda-a065ecf28ffc"]', 'voided', ''),
	('pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-authorize', '01a219a9-e6ee-7001-80e3-21b63ce96404', '["authorize","01a219a9-e6d2-7000-9e04-2d1e42b2c996",1200,"EUR","tok_ok"]', 'authorized', ''),
	('pay-01a219a9-e6da-7001-8d65-439a7c2fad46-authorize', '01a219a9-e6fa-7001-a656-530364424b66', '["authorize","01a219a9-e6d9-7000-9195-ce08816b8348",1200,"EUR","tok_ok"]', 'authorized', ''),
	('pay-01a219a9-e6e1-7000-bc05-a987f827a0e0-authorize', '01a219a9-e6fa-7003-a261-7068f5fd4724', '["authorize","01a219a9-e6df-7002-8771-87b073d4dade",1200,"EUR","tok_decline"]', 'declined', 'card_declined'),
	('pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-capture', '01a219a9-e6ee-7001-80e3-21b63ce96404', '["capture","01a219a9-e6ee-7001-80e3-21b63ce96404",1200,"EUR"]', 'captured', ''),
	('pay-01a219a9-e6da-7001-8d65-439a7c2fad46-capture', '01a219a9-e6fa-7001-a656-530364424b66', '["capture","01a219a9-e6fa-7001-a656-530364424b66",1200,"EUR"]', 'captured', ''),
	('pay-01a219a9-e6fa-7004-9654-a4d9a5cadc35-authorize', '01a219a9-e708-7002-811d-29c78a2070de', '["authorize","01a219a9-e6f2-7001-94d0-54ff64d0bef6",1200,"EUR","tok_lost_ok"]', 'authorized', ''),
	('pay-01a219a9-e6fd-7000-a187-9e995c555d90-authorize', '01a219a9-e70c-7002-bf63-36133c59e217', '["authorize","01a219a9-e6fb-7000-9267-e900eabda604",1200,"EUR","tok_capture_decline"]', 'authorized', ''),
	('pay-01a219a9-e6fd-7000-a187-9e995c555d90-capture', '01a219a9-e70c-7002-bf63-36133c59e217', '["capture","01a219a9-e70c-7002-bf63-36133c59e217",1200,"EUR"]', 'declined', 'capture_declined'),
	('pay-01a219a9-e6fd-7000-a187-9e995c555d90-void', '01a219a9-e70c-7002-bf63-36133c59e217', '["void","01a219a9-e70c-7002-bf63-36133c59e217"]', 'voided', '');
INSERT INTO public.sandbox_migrations VALUES
	('m20260101_000001_charges', 1795726894);
INSERT INTO public.transactions VALUES
	('01a219a9-e68a-7000-804a-f6b3006e7091', 1795726894750482, '01a219a9-e69e-7000-af93-b423f4a06ca7', '01a219a9-e69e-7001-bae8-e10bd8f3ea48', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-authorize'),
	('01a219a9-e68d-7001-80fc-96165f717fab', 1795726894756642, '01a219a9-e6a4-7000-a520-adb0ab1ac8fe', '01a219a9-e6a4-7001-a136-c1805adf09a0', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-authorize'),
	('01a219a9-e68a-7000-804a-f6b3006e7091', 1795726894761953, '01a219a9-e6a9-7001-aee6-4e6c95af309a', '01a219a9-e69e-7001-bae8-e10bd8f3ea48', 'capture', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-capture'),
	('01a219a9-e696-7000-800f-1150c38250c3', 1795726894763371, '01a219a9-e6ab-7000-b9ee-9e1800955f58', '01a219a9-e6ab-7001-8aeb-1e8f3ba4c468', 'authorize', 'declined', 'card_declined', 1200, 'EUR', 'pay-01a219a9-e69c-7000-9b34-d05b67b3ce11-authorize'),
	('01a219a9-e68d-7001-80fc-96165f717fab', 1795726894770345, '01a219a9-e6b2-7000-b7d7-3d451915bb80', '01a219a9-e6a4-7001-a136-c1805adf09a0', 'capture', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-capture'),
	('01a219a9-e6aa-7000-af2c-d4c6efa544ff', 1795726894776400, '01a219a9-e6b8-7000-aae9-46d38eead9e5', '01a219a9-e6b8-7001-a35e-5f0b74c1854d', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6ac-7000-a602-c281a9a46547-authorize'),
	('01a219a9-e6b1-7001-9dec-644f7a53649e', 1795726894787037, '01a219a9-e6c3-7000-b134-ad2b191cf075', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-authorize'),
	('01a219a9-e6b1-7001-9dec-644f7a53649e', 1795726894795440, '01a219a9-e6cb-7000-94ee-333eb61492be', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', 'capture', 'declined', 'capture_declined', 1200, 'EUR', 'pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-capture'),
	('01a219a9-e6b1-7001-9dec-644f7a53649e', 1795726894822627, '01a219a9-e6e6-7000-9cb0-fc8100f0243b', '01a219a9-e6c3-7001-9fda-a065ecf28ffc', 'void', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-void'),
	('01a219a9-e6d2-7000-9e04-2d1e42b2c996', 1795726894830647, '01a219a9-e6ee-7000-a3d8-99ca060e9455', '01a219a9-e6ee-7001-80e3-21b63ce96404', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-authorize'),
	('01a219a9-e6d9-7000-9195-ce08816b8348', 1795726894842051, '01a219a9-e6fa-7000-8e69-7ac2c780c60c', '01a219a9-e6fa-7001-a656-530364424b66', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6da-7001-8d65-439a7c2fad46-authorize'),
	('01a219a9-e6df-7002-8771-87b073d4dade', 1795726894842094, '01a219a9-e6fa-7002-bf43-12d245cd15af', '01a219a9-e6fa-7003-a261-7068f5fd4724', 'authorize', 'declined', 'card_declined', 1200, 'EUR', 'pay-01a219a9-e6e1-7000-bc05-a987f827a0e0-authorize'),
	('01a219a9-e6d2-7000-9e04-2d1e42b2c996', 1795726894849251, '01a219a9-e701-7000-bade-6f0d64c25bf3', '01a219a9-e6ee-7001-80e3-21b63ce96404', 'capture', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-capture'),
	('01a219a9-e6f2-7001-94d0-54ff64d0bef6', 1795726894856300, '01a219a9-e708-7001-b3f9-fdeac7ae4a06', '01a219a9-e708-7002-811d-29c78a2070de', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6fa-7004-9654-a4d9a5cadc35-authorize'),
	('01a219a9-e6d9-7000-9195-ce08816b8348', 1795726894856341, '01a219a9-e708-7003-9aba-1d3d2c8d36d1', '01a219a9-e6fa-7001-a656-530364424b66', 'capture', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6da-7001-8d65-439a7c2fad46-capture'),
	('01a219a9-e6fb-7000-9267-e900eabda604', 1795726894860514, '01a219a9-e70c-7001-9576-da5adc837524', '01a219a9-e70c-7002-bf63-36133c59e217', 'authorize', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6fd-7000-a187-9e995c555d90-authorize'),
	('01a219a9-e6fb-7000-9267-e900eabda604', 1795726894870129, '01a219a9-e716-7000-b16a-8a026d74552d', '01a219a9-e70c-7002-bf63-36133c59e217', 'capture', 'declined', 'capture_declined', 1200, 'EUR', 'pay-01a219a9-e6fd-7000-a187-9e995c555d90-capture'),
	('01a219a9-e6fb-7000-9267-e900eabda604', 1795726894883920, '01a219a9-e723-7000-a41a-869929465c4b', '01a219a9-e70c-7002-bf63-36133c59e217', 'void', 'succeeded', '', 1200, 'EUR', 'pay-01a219a9-e6fd-7000-a187-9e995c555d90-void');
INSERT INTO public.webhooks VALUES
	('01a219a9-e6a4-7000-a520-adb0ab1ac8fe', '{"id":"evt_01a219a9-e6a4-7000-a520-adb0ab1ac8fe","type":"charge.authorized","reference":"01a219a9-e68d-7001-80fc-96165f717fab","charge":"01a219a9-e6a4-7001-a136-c1805adf09a0","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894756642,"idempotency_key":"pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-authorize"}', 1795726900756642, 0),
	('01a219a9-e6a9-7001-aee6-4e6c95af309a', '{"id":"evt_01a219a9-e6a9-7001-aee6-4e6c95af309a","type":"charge.captured","reference":"01a219a9-e68a-7000-804a-f6b3006e7091","charge":"01a219a9-e69e-7001-bae8-e10bd8f3ea48","amount":{"amount":1200,"currency":"EUR"},"status":"captured","at":1795726894761953,"idempotency_key":"pay-01a219a9-e68e-7000-bb8b-f903c9bf129c-capture"}', 1795726900761953, 0),
	('01a219a9-e6ab-7000-b9ee-9e1800955f58', '{"id":"evt_01a219a9-e6ab-7000-b9ee-9e1800955f58","type":"charge.declined","reference":"01a219a9-e696-7000-800f-1150c38250c3","charge":"01a219a9-e6ab-7001-8aeb-1e8f3ba4c468","amount":{"amount":1200,"currency":"EUR"},"status":"declined","code":"card_declined","at":1795726894763371,"idempotency_key":"pay-01a219a9-e69c-7000-9b34-d05b67b3ce11-authorize"}', 1795726900763371, 0),
	('01a219a9-e6b2-7000-b7d7-3d451915bb80', '{"id":"evt_01a219a9-e6b2-7000-b7d7-3d451915bb80","type":"charge.captured","reference":"01a219a9-e68d-7001-80fc-96165f717fab","charge":"01a219a9-e6a4-7001-a136-c1805adf09a0","amount":{"amount":1200,"currency":"EUR"},"status":"captured","at":1795726894770345,"idempotency_key":"pay-01a219a9-e693-7000-bf4c-ec3bea207b7e-capture"}', 1795726900770345, 0),
	('01a219a9-e6b8-7000-aae9-46d38eead9e5', '{"id":"evt_01a219a9-e6b8-7000-aae9-46d38eead9e5","type":"charge.authorized","reference":"01a219a9-e6aa-7000-af2c-d4c6efa544ff","charge":"01a219a9-e6b8-7001-a35e-5f0b74c1854d","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894776400,"idempotency_key":"pay-01a219a9-e6ac-7000-a602-c281a9a46547-authorize"}', 1795726900776400, 0),
	('01a219a9-e6c3-7000-b134-ad2b191cf075', '{"id":"evt_01a219a9-e6c3-7000-b134-ad2b191cf075","type":"charge.authorized","reference":"01a219a9-e6b1-7001-9dec-644f7a53649e","charge":"01a219a9-e6c3-7001-9fda-a065ecf28ffc","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894787037,"idempotency_key":"pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-authorize"}', 1795726900787037, 0),
	('01a219a9-e6e6-7000-9cb0-fc8100f0243b', '{"id":"evt_01a219a9-e6e6-7000-9cb0-fc8100f0243b","type":"charge.voided","reference":"01a219a9-e6b1-7001-9dec-644f7a53649e","charge":"01a219a9-e6c3-7001-9fda-a065ecf28ffc","amount":{"amount":1200,"currency":"EUR"},"status":"voided","at":1795726894822627,"idempotency_key":"pay-01a219a9-e6b4-7000-bdec-341f83c5fa3a-void"}', 1795726900822627, 0),
	('01a219a9-e6ee-7000-a3d8-99ca060e9455', '{"id":"evt_01a219a9-e6ee-7000-a3d8-99ca060e9455","type":"charge.authorized","reference":"01a219a9-e6d2-7000-9e04-2d1e42b2c996","charge":"01a219a9-e6ee-7001-80e3-21b63ce96404","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894830647,"idempotency_key":"pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-authorize"}', 1795726900830647, 0),
	('01a219a9-e6fa-7000-8e69-7ac2c780c60c', '{"id":"evt_01a219a9-e6fa-7000-8e69-7ac2c780c60c","type":"charge.authorized","reference":"01a219a9-e6d9-7000-9195-ce08816b8348","charge":"01a219a9-e6fa-7001-a656-530364424b66","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894842051,"idempotency_key":"pay-01a219a9-e6da-7001-8d65-439a7c2fad46-authorize"}', 1795726900842051, 0),
	('01a219a9-e6fa-7002-bf43-12d245cd15af', '{"id":"evt_01a219a9-e6fa-7002-bf43-12d245cd15af","type":"charge.declined","reference":"01a219a9-e6df-7002-8771-87b073d4dade","charge":"01a219a9-e6fa-7003-a261-7068f5fd4724","amount":{"amount":1200,"currency":"EUR"},"status":"declined","code":"card_declined","at":1795726894842094,"idempotency_key":"pay-01a219a9-e6e1-7000-bc05-a987f827a0e0-authorize"}', 1795726900842094, 0),
	('01a219a9-e701-7000-bade-6f0d64c25bf3', '{"id":"evt_01a219a9-e701-7000-bade-6f0d64c25bf3","type":"charge.captured","reference":"01a219a9-e6d2-7000-9e04-2d1e42b2c996","charge":"01a219a9-e6ee-7001-80e3-21b63ce96404","amount":{"amount":1200,"currency":"EUR"},"status":"captured","at":1795726894849251,"idempotency_key":"pay-01a219a9-e6d9-7001-bb4b-55b291d82f1f-capture"}', 1795726900849251, 0),
	('01a219a9-e708-7001-b3f9-fdeac7ae4a06', '{"id":"evt_01a219a9-e708-7001-b3f9-fdeac7ae4a06","type":"charge.authorized","reference":"01a219a9-e6f2-7001-94d0-54ff64d0bef6","charge":"01a219a9-e708-7002-811d-29c78a2070de","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894856300,"idempotency_key":"pay-01a219a9-e6fa-7004-9654-a4d9a5cadc35-authorize"}', 1795726900856300, 0),
	('01a219a9-e708-7003-9aba-1d3d2c8d36d1', '{"id":"evt_01a219a9-e708-7003-9aba-1d3d2c8d36d1","type":"charge.captured","reference":"01a219a9-e6d9-7000-9195-ce08816b8348","charge":"01a219a9-e6fa-7001-a656-530364424b66","amount":{"amount":1200,"currency":"EUR"},"status":"captured","at":1795726894856341,"idempotency_key":"pay-01a219a9-e6da-7001-8d65-439a7c2fad46-capture"}', 1795726900856341, 0),
	('01a219a9-e70c-7001-9576-da5adc837524', '{"id":"evt_01a219a9-e70c-7001-9576-da5adc837524","type":"charge.authorized","reference":"01a219a9-e6fb-7000-9267-e900eabda604","charge":"01a219a9-e70c-7002-bf63-36133c59e217","amount":{"amount":1200,"currency":"EUR"},"status":"authorized","at":1795726894860514,"idempotency_key":"pay-01a219a9-e6fd-7000-a187-9e995c555d90-authorize"}', 1795726900860514, 0),
	('01a219a9-e723-7000-a41a-869929465c4b', '{"id":"evt_01a219a9-e723-7000-a41a-869929465c4b","type":"charge.voided","reference":"01a219a9-e6fb-7000-9267-e900eabda604","charge":"01a219a9-e70c-7002-bf63-36133c59e217","amount":{"amount":1200,"currency":"EUR"},"status":"voided","at":1795726894883920,"idempotency_key":"pay-01a219a9-e6fd-7000-a187-9e995c555d90-void"}', 1795726900883920, 0);
ALTER TABLE ONLY public.charges
    ADD CONSTRAINT charges_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.sandbox_migrations
    ADD CONSTRAINT sandbox_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (reference, at, id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX transactions_one_capture ON public.transactions USING btree (charge) WHERE ((kind = 'capture'::text) AND (status = 'succeeded'::text));
CREATE INDEX webhooks_due ON public.webhooks USING btree (due_at);
ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_charge_fkey FOREIGN KEY (charge) REFERENCES public.charges(id);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT transactions_charge_fkey FOREIGN KEY (charge) REFERENCES public.charges(id);
