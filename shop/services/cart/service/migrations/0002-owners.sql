-- Whoever has had a cart. Giving somebody a cart and erasing him lock his row, so that one of the two sees what the other has done.
create table owners (
  -- An integer or a UUID, as text.
  user_id text primary key,
  is_erased boolean not null
);
create index carts_of_user on carts (user_id) where user_id is not null;
