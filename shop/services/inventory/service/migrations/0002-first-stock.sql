-- What is in the warehouse on the first day.
insert into stock (sku, on_hand, low_below) values
  ('kettle', 500, 20), ('teapot', 500, 20), ('mug', 2000, 50), ('tea-green', 1000, 50), ('tea-black', 1000, 50), ('honey', 1000, 50),
  ('biscuits', 1000, 50), ('lamp', 200, 10), ('blanket', 200, 10), ('candle', 500, 20), ('notebook', 500, 20), ('pen', 300, 10),
  ('ink', 500, 20), ('lighthouse', 40, 5);
insert into movements (sku, kind, quantity, reason, moved_at) select sku, 'initial', on_hand, 'first day', now() from stock;
