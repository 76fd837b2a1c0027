-- When it was found that there is nobody to send it to any more.
alter table notifications add column withheld_at timestamptz;
