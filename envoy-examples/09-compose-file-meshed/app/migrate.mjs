// Runs once, before the others, and ends.
import { query } from './wire.mjs';

await query(
  process.env.DATABASE_URL,
  'create table if not exists orders (id serial primary key, name text, packed_by text)',
);
process.stdout.write('the tables are there\n');
