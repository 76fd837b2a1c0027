/**
 * The tables of recent telemetry. Each is a log: ids grow, only the oldest rows are ever deleted, and `through_bytes` counts the bytes of all
 * rows ever written up to this one, so that what is kept can be bounded without reading it.
 */

/** By which SQLite files say whose they are: a file of another program's is left alone. */
export const APPLICATION_ID = 0x5ce22e57
/** Raised with every change of the tables: a file of another version is emptied. */
export const SCHEMA_VERSION = 2

export const LOG_TABLES = ['span', 'line', 'sample'] as const
export type LogTable = (typeof LOG_TABLES)[number]

export const SCHEMA = `
create table span (
  id integer primary key autoincrement,
  through_bytes integer not null,
  written_ms integer not null,
  trace text not null,
  span text not null,
  parent text,
  service text not null,
  name text not null,
  kind text not null,
  part text not null,
  target text not null,
  start_ms real not null,
  duration_ms real not null,
  failure text,
  attributes text not null,
  events text
) strict;
create index span_of_trace on span (trace);
create index failed_span on span (trace) where failure is not null;

create table line (
  id integer primary key autoincrement,
  through_bytes integer not null,
  written_ms integer not null,
  at_ms integer not null,
  level integer not null,
  service text,
  trace text,
  span text,
  message text not null,
  fields text not null
) strict;
create index line_of_trace on line (trace) where trace is not null;

create table sample (
  id integer primary key autoincrement,
  through_bytes integer not null,
  written_ms integer not null,
  process text not null,
  metric text not null,
  kind text not null,
  unit text not null,
  description text not null,
  labels text not null,
  value real not null,
  count integer,
  buckets text
) strict;
create index sample_of_metric on sample (metric, written_ms);

create table process (
  process text primary key,
  since_ms integer not null,
  seen_ms integer not null,
  spans integer not null,
  spans_left_out integer not null,
  share real not null,
  lines integer not null,
  lines_left_out integer not null,
  dropped integer not null
) strict, without rowid;
`
