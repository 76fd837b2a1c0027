create table users (id int primary key, name text not null);
insert into users (id, name) select n, 'user ' || n from generate_series(1, 1000) as n;
