create table orders (
  id int primary key,
  user_id int not null,
  product text not null,
  cents int not null
);
