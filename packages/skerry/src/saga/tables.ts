/** The tables of sagas, in the schema of every service that has some. */
export const SAGA_MIGRATION = {
  name: 'skerry/0005-sagas',
  sql: `
create table skerry_saga (
  id uuid primary key,
  name text not null,
  version int not null,
  status text not null check (status in ('running', 'compensating', 'completed', 'compensated', 'parked')),
  input text not null,
  failure text,
  parked_because text,
  cancel_code text,
  -- From then on nothing is undone.
  past_pivot boolean not null default false,
  -- What it waits for.
  wait_type text,
  wait_key text,
  traceparent text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  -- The instance that works on it; each new one gets a new epoch, and what an earlier one still writes is refused.
  owner uuid,
  epoch bigint not null default 0,
  -- When to look at it again; while it is being worked on, when others may think its owner dead. Null: never by itself.
  next_at timestamptz
) with (fillfactor = 70);
create index skerry_saga_due on skerry_saga (next_at) where next_at is not null;
create index skerry_saga_wait on skerry_saga (wait_type, wait_key) where wait_type is not null;
create index skerry_saga_open on skerry_saga (name, version) where status in ('running', 'compensating', 'parked');
create index skerry_saga_ended on skerry_saga (ended_at) where ended_at is not null;

create table skerry_saga_step (
  saga_id uuid not null references skerry_saga on delete cascade,
  step text not null,
  state text not null,
  primary key (saga_id, step)
);

-- Events that sagas of this service may be waiting for, or come to wait for.
create table skerry_saga_event (
  type text not null,
  key text not null,
  message_id text not null,
  data text not null,
  at timestamptz not null,
  primary key (type, key, message_id)
);
create index skerry_saga_event_at on skerry_saga_event (at);

-- The steps of each version, as instances of it were started with them.
create table skerry_saga_definition (
  name text not null,
  version int not null,
  shape text not null,
  primary key (name, version)
);

-- What people did to sagas.
create table skerry_saga_intervention (
  id bigint generated always as identity primary key,
  saga_id uuid not null references skerry_saga on delete cascade,
  action text not null,
  step text,
  by text not null,
  at timestamptz not null
);
`,
}
