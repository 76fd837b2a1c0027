/** The event store's own tables, present in the schema of every service. Applied like a service's migrations. */
export const EVENT_STORE_MIGRATION = {
  name: 'skerry/0003-event-store',
  sql: `
-- How far each stream has come. Its row is what two appends at once wait for, and what one of them loses on.
create table skerry_stream (
  stream text not null,
  id text not null,
  version int not null,
  at timestamptz not null,
  primary key (stream, id)
) with (fillfactor = 80);

-- What happened, never changed and never deleted by the platform. Within a stream the times never go backwards.
create table skerry_stream_event (
  eid bigint generated always as identity primary key,
  stream text not null,
  id text not null,
  version int not null,
  type text not null,
  schema smallint not null,
  data jsonb not null,
  meta jsonb not null,
  at timestamptz not null,
  unique (stream, id, version)
);

-- Events without a place in the global order yet: written with the event, so none is ever forgotten.
create table skerry_stream_pending (
  eid bigint primary key
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The global order: from 1, without gaps, and never added to but at its end.
create table skerry_stream_order (
  pos bigint primary key,
  eid bigint not null unique
);
insert into skerry_lease (name, part) values ('sequencer', 0);

-- The state of a stream at some version, to be spared reading what came before. Any of them may be deleted at any time.
create table skerry_stream_snapshot (
  stream text not null,
  id text not null,
  version int not null,
  fingerprint text not null,
  state jsonb not null,
  primary key (stream, id)
);

-- Each time a read model is built is a generation, with tables of its own. The live one answers.
create table skerry_projection (
  name text not null,
  generation int not null,
  version int not null,
  status text not null check (status in ('building', 'live')),
  tables text[] not null,
  pos bigint not null default 0,
  owner uuid,
  epoch bigint not null default 0,
  expires_at timestamptz,
  failed_pos bigint,
  error text,
  stopped_at timestamptz,
  created_at timestamptz not null,
  primary key (name, generation)
) with (fillfactor = 50);
create unique index skerry_projection_status on skerry_projection (name, status);

-- Events that somebody has decided to leave out of a version of a read model, and why.
create table skerry_projection_skip (
  name text not null,
  version int not null,
  pos bigint not null,
  reason text not null,
  at timestamptz not null,
  primary key (name, version, pos)
);
`,
} as const
