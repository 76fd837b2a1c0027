create table notifications (
  id uuid primary key,
  -- Integers or UUIDs, as text.
  order_id text not null,
  user_id text not null,
  kind text not null,
  message text not null,
  created_at timestamptz not null,
  -- When the mail was handed over; until then the notification is pending.
  sent_at timestamptz,
  unique (order_id, kind)
);
