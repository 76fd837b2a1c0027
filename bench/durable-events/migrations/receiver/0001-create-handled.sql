create table handled (
  position bigint generated always as identity primary key,
  number int not null,
  key int not null,
  sequence int not null,
  content text not null
);
