-- Somebody to order as, on the first day.
insert into users (id, name, email, registered_at) values
  ('1', 'Ann Archer', 'ann@example.com', now()),
  ('2', 'Bob Baker', 'bob@example.com', now());
