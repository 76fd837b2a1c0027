/** The tables of sagas, in the schema of every service that has some. */
export const SAGA_MIGRATIONS: readonly { readonly name: string; readonly sql: string }[] = [
  {
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
  },
  {
    name: 'skerry/0006-saga-places',
    sql: `
-- How often in a row whoever worked on it was lost before anything came of it.
alter table skerry_saga add column unfinished int not null default 0;

-- One order of starts and events, whatever the clocks of hosts say: an event with a higher place came after the start.
create sequence skerry_saga_place;
alter table skerry_saga add column place bigint;
alter table skerry_saga_event add column place bigint;
-- Of what is there already only the clocks are known. An event of the very moment of a start came after it.
update skerry_saga set place = floor(extract(epoch from started_at) * 1000) * 2;
update skerry_saga_event set place = floor(extract(epoch from at) * 1000) * 2 + 1;
select setval('skerry_saga_place', (select max(place) from (
  select place from skerry_saga union all select place from skerry_saga_event union all select 1) as given), true);
alter table skerry_saga alter column place set default nextval('skerry_saga_place'), alter column place set not null;
alter table skerry_saga_event alter column place set default nextval('skerry_saga_place'), alter column place set not null;
`,
  },
  {
    name: 'skerry/0007-saga-steps',
    sql: `
-- Whoever writes a step has just written its saga; to have PostgreSQL look for that once more costs a third of the statement. What the
-- constraint did when sagas are deleted, by whichever version of the platform, a trigger does.
alter table skerry_saga_step drop constraint skerry_saga_step_saga_id_fkey;
create function skerry_forget_saga_steps() returns trigger language plpgsql as $$ begin
  delete from skerry_saga_step where saga_id in (select id from forgotten);
  return null;
end $$;
create trigger skerry_forget_saga_steps after delete on skerry_saga referencing old table as forgotten
  for each statement execute function skerry_forget_saga_steps();
`,
  },
]
