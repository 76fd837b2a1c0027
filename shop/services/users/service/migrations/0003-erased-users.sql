-- Of an erased user his id stays, and the key he registered under: no request that is late brings him back.
alter table users
  alter column name drop not null,
  alter column email drop not null,
  add column erased_at timestamptz;

-- skerry:allow migration-add-constraint: the version before erases nobody, and writes no user without a name and an e-mail
alter table users add constraint erased_as_a_whole
  check (case when erased_at is null then num_nulls(name, email) = 0 else num_nonnulls(name, email) = 0 end);
