create table payments (
  -- An integer or a UUID, as text.
  order_id text primary key,
  status text not null check (status in ('authorizing', 'authorized', 'declined', 'capturing', 'captured', 'voiding', 'voided')),
  -- Null where it was voided before anybody asked for it.
  amount bigint check (amount > 0),
  currency text,
  -- The provider's token for a card.
  card text,
  -- Counts the cards that were tried.
  attempt int not null default 1,
  authorized bigint not null default 0,
  captured bigint not null default 0,
  refunds_requested bigint not null default 0,
  refunded bigint not null default 0,
  reason text,
  changed_at timestamptz not null,
  constraint known_unless_voided check (status = 'voided' or (amount is not null and currency is not null and card is not null)),
  constraint no_more_than_asked check (authorized between 0 and coalesce(amount, 0)),
  constraint no_more_than_authorized check (captured between 0 and authorized),
  constraint no_more_than_captured check (refunded between 0 and refunds_requested and refunds_requested <= captured)
);

-- What the provider was asked, each under a key of its own for ever; written before it is asked.
create table provider_requests (
  key text primary key,
  order_id text not null references payments,
  kind text not null check (kind in ('authorize', 'capture', 'void', 'refund')),
  -- The key of the authorization that it is about.
  authorization_key text not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  card text not null,
  -- Pending until somebody has learnt what the provider did: from its answer, from a webhook, or by asking again.
  state text not null check (state in ('pending', 'succeeded', 'declined')),
  reason text,
  requested_at timestamptz not null,
  settled_at timestamptz,
  -- When to ask what became of it.
  check_at timestamptz not null,
  check ((state = 'pending') = (settled_at is null))
);
create index provider_requests_of_order on provider_requests (order_id);
create index provider_requests_open on provider_requests (check_at) where state = 'pending';
-- Whatever goes wrong elsewhere, an order is never charged twice.
create unique index charged_once on provider_requests (order_id) where kind = 'capture' and state <> 'declined';

-- The webhooks that have been taken, so that a repetition is recognised.
create table provider_events (
  id text primary key,
  key text not null,
  type text not null,
  -- settled: it was news. known: it was not. stranger: no request of ours has this key. contradiction: we know otherwise.
  effect text not null check (effect in ('settled', 'known', 'stranger', 'contradiction')),
  payload jsonb not null,
  received_at timestamptz not null
);

-- Double entry, both sides in one row: a posting that does not balance cannot be written. Rows are only ever added.
create table ledger_postings (
  id bigint generated always as identity primary key,
  order_id text not null references payments,
  -- The request that it follows from.
  key text not null references provider_requests,
  debit text not null,
  credit text not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  posted_at timestamptz not null,
  unique (key, debit),
  check (debit <> credit),
  check (debit in ('authorized-at-provider', 'promised-by-customers', 'due-from-provider', 'refunds')),
  check (credit in ('authorized-at-provider', 'promised-by-customers', 'due-from-provider', 'sales'))
);
create index ledger_postings_of_order on ledger_postings (order_id);

-- The same as accountants read it: one row for each side, debits above zero.
create view ledger_entries as
  select id as posting_id, order_id, debit as account, amount, currency, posted_at from ledger_postings
  union all
  select id, order_id, credit, -amount, currency, posted_at from ledger_postings;
