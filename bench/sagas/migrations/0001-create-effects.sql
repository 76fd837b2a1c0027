create table effects (
  number int not null,
  step text not null,
  primary key (number, step)
);
