create table notifications (
  id uuid primary key,
  order_id int not null,
  text text not null
);
