/** The platform's own tables, present in the schema of every service that keeps state or takes part in events. Applied like a service's migrations. */
export const PLATFORM_MIGRATIONS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'skerry/0001-events',
    sql: `
-- Events committed and not yet confirmed by the broker. A row present is a message unsent.
create table skerry_outbox (
  id bigint generated always as identity primary key,
  part smallint not null,
  topic text not null,
  key text not null,
  seq bigint not null,
  message_id uuid not null unique,
  type text not null,
  payload jsonb not null,
  traceparent text not null,
  created_at timestamptz not null,
  previous_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index skerry_outbox_part on skerry_outbox (part, id);

-- The last number given to an event of a key: the numbers of a key have no gaps.
create table skerry_key_head (
  topic text not null,
  key text not null,
  seq bigint not null,
  at timestamptz not null,
  previous_at timestamptz,
  primary key (topic, key)
) with (fillfactor = 80);

-- Who may relay which part of the outbox, and until when. A new owner gets a new epoch.
create table skerry_lease (
  name text not null,
  part smallint not null,
  owner uuid,
  epoch bigint not null default 0,
  expires_at timestamptz,
  primary key (name, part)
) with (fillfactor = 50);
insert into skerry_lease (name, part) select 'relay', part from generate_series(0, 63) as part;

-- The hosts that share the parts.
create table skerry_lease_member (
  name text not null,
  owner uuid not null,
  expires_at timestamptz not null,
  primary key (name, owner)
);

-- The last number of a key that this service has handled: what makes a repeated delivery a no-op and an early one wait.
-- A consumer that joined later began with a number above 1.
create table skerry_key_cursor (
  consumer text not null,
  source text not null,
  key text not null,
  seq bigint not null,
  began bigint not null default 1,
  primary key (consumer, source, key)
) with (fillfactor = 80);

-- Messages without a sequence, from publishers that are not Skerry's: remembered one by one.
create table skerry_inbox (
  consumer text not null,
  message_id text not null,
  received_at timestamptz not null,
  primary key (consumer, message_id)
);
create index skerry_inbox_received on skerry_inbox (received_at);

-- Since when a consumer holds what is published on a topic: earlier numbers of a key will never come.
create table skerry_subscription (
  consumer text not null,
  topic text not null,
  since timestamptz not null,
  primary key (consumer, topic)
);

-- Messages taken from the broker that are not done: waiting for an earlier one of their key, or for their next attempt. While one is
-- being handled, claimed_by is the instance that does and next_at when others may think it dead.
create table skerry_delivery (
  consumer text not null,
  message_id text not null,
  source text not null,
  key text not null,
  seq bigint,
  reason text not null check (reason in ('early', 'retry')),
  envelope text not null,
  attempts int not null,
  unfinished int not null default 0,
  deferrals int not null default 0,
  claimed_by uuid,
  next_at timestamptz not null,
  first_at timestamptz not null,
  last_error text,
  primary key (consumer, message_id)
);
create index skerry_delivery_due on skerry_delivery (next_at);
create index skerry_delivery_key on skerry_delivery (consumer, source, key, seq);

-- Messages that will not be tried again by themselves: kept whole, with what went wrong.
create table skerry_dead_letter (
  id uuid primary key,
  consumer text not null,
  message_id text not null,
  topic text not null,
  type text not null,
  source text not null,
  key text not null,
  seq bigint,
  envelope text not null,
  cause text not null check (cause in ('undecodable', 'undeclared', 'invalid', 'overtaken', 'rejected', 'exhausted')),
  error text not null,
  stack text,
  error_hash text not null,
  attempts int not null,
  trace_id text,
  died_at timestamptz not null,
  unique (consumer, message_id)
);
create index skerry_dead_letter_key on skerry_dead_letter (consumer, source, key);
`,
  },
  {
    name: 'skerry/0002-dead-letters',
    sql: `
-- Dead letters are read page by page from the oldest on, and counted by topic and cause.
create index skerry_dead_letter_died on skerry_dead_letter (died_at, id);
create index skerry_dead_letter_cause on skerry_dead_letter (consumer, topic, cause, died_at);
create index skerry_dead_letter_hash on skerry_dead_letter (error_hash, died_at);
create index skerry_delivery_waiting on skerry_delivery (consumer, source, reason, first_at);

-- What people did with dead letters. Without their data: a letter that was discarded is gone.
create table skerry_dead_letter_audit (
  id uuid primary key,
  at timestamptz not null,
  action text not null check (action in ('replay', 'discard')),
  by text not null,
  note text,
  letter uuid not null,
  consumer text not null,
  message_id text not null,
  topic text not null,
  type text not null,
  source text not null,
  key text not null,
  seq bigint,
  cause text not null,
  error_hash text not null
);
create index skerry_dead_letter_audit_at on skerry_dead_letter_audit (at, id);

-- Since when a consumer handles events of a type, where it asked to begin with what is published from then on.
create table skerry_event_start (
  consumer text not null,
  type text not null,
  since timestamptz not null,
  primary key (consumer, type)
);
`,
  },
  {
    name: 'skerry/0004-later',
    sql: `
-- Events to be published later, with what publishing them needs.
create table skerry_delayed_event (
  id uuid primary key,
  type text not null,
  key text not null,
  payload jsonb not null,
  traceparent text not null,
  due_at timestamptz not null
);
create index skerry_delayed_event_due on skerry_delayed_event (due_at, id);

-- When each schedule of the service runs next: whoever moves it on runs it.
create table skerry_schedule (
  name text primary key,
  timing text not null,
  due_at timestamptz not null,
  -- Later than due_at after a failure.
  next_at timestamptz not null,
  attempts int not null default 0,
  last_error text,
  ran_at timestamptz
);

-- The first answers to requests with an Idempotency-Key.
create table skerry_answer (
  operation text not null,
  key text not null,
  fingerprint text not null,
  answer text,
  at timestamptz not null,
  primary key (operation, key)
);
create index skerry_answer_at on skerry_answer (at);
`,
  },
  {
    name: 'skerry/0008-outbox',
    sql: `
-- Nobody looks for an event by its id, and ids are unique by their making.
alter table skerry_outbox drop constraint skerry_outbox_message_id_key;
`,
  },
]
