-- The users who were erased, as users says: nothing is ordered for them any more, whether users can be asked or not.
create table erased_users (
  -- An integer or a UUID, as text.
  user_id text primary key
);
