-- The platform's projections take over. The orders that were learned of become events, from which everything else is built anew.
with known as (
  select 'learnedBefore' as stream, order_id as id, placed_at as at,
         jsonb_build_object('skus', skus, 'placed_at', to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as data
  from orders_seen
), heads as (
  insert into skerry_stream (stream, id, version, at) select stream, id, 1, at from known
), written as (
  insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at)
  select stream, id, 1, 'confirmed', 1, data, '{"actor": "0002-to-a-projection"}', at from known order by at, id
  returning eid
)
insert into skerry_stream_pending (eid) select eid from written;

drop table pairs, sales, folded, projection, orders_seen;
