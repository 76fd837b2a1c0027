-- From here on an order is what follows from its history, a stream of the event store. Orders that are there already get the part of it
-- that is still known: what was published of them, and when. Of the steps in between nothing was kept.
with known as (
  select 'order' as stream, id, row_number() over (partition by id order by step)::int as version, type, data, times.at
  from orders
  left join skerry_key_head as head on head.topic = 'orders' and head.key = orders.id
  cross join lateral (values
    (1, 'placed', true, placed_at, jsonb_build_object(
      'user_id', user_id,
      'lines', lines,
      'total', jsonb_build_object('minor_units', total_minor_units, 'currency', currency),
      'placed_at', to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    )),
    (2, 'confirmed', status in ('confirmed', 'refunded'), case status when 'refunded' then head.previous_at else head.at end, '{}'),
    (3, 'cancelled', status = 'cancelled', head.at, jsonb_build_object('reason', coalesce(reason, 'unknown'))),
    (4, 'refunded', status = 'refunded', head.at, jsonb_build_object('reason', coalesce(reason, 'unknown')))
  ) as steps (step, type, has_happened, happened_at, data)
  cross join lateral (select greatest(placed_at, happened_at) as at) as times
  where has_happened
), heads as (
  insert into skerry_stream (stream, id, version, at) select stream, id, max(version), max(at) from known group by stream, id
), written as (
  insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at)
  select stream, id, version, type, 1, data, '{"actor": "0003-order-histories"}', at from known order by at, id, version
  returning eid
)
insert into skerry_stream_pending (eid) select eid from written;

alter table orders add column version int;
update orders set version = stream.version from skerry_stream as stream where stream.stream = 'order' and stream.id = orders.id;
alter table orders
  alter column version set not null,
  alter column status drop default,
  -- A host of the release before knows no histories. It can place no more orders, nor end one that was carried over.
  add check (version >= case status when 'placed' then 1 when 'refunded' then 3 else 2 end);
