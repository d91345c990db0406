-- flights.sql: the flights that left New York in 2013, from a Kafka topic into two tables.
--
-- Both tables are in one database, so every batch of flights changes both of them, and weir's ledger,
-- in one transaction: at no moment does one table know of a flight that the other does not.
-- ./dev demo runs it; by hand: . build/run/kafka.env; . build/run/pg.env; weir run examples/flights.sql

SET pipeline.name = 'flights';
SET pipeline.delivery = 'exactly_once';

CREATE TABLE departures (
  time_hour timestamptz, -- the hour of the scheduled departure
  minute integer,        -- and its minute
  dep_time integer,      -- NULL: the flight was cancelled
  dep_delay integer,     -- minutes
  arr_delay integer,     -- minutes, NULL: it did not arrive where it was to
  carrier text,
  flight integer,
  tailnum text,
  origin text,
  dest text,
  distance integer       -- miles
) WITH (connector = 'kafka', brokers = '${KAFKA:-localhost:9092}', topic = 'flights', format = 'json');

CREATE TABLE public.flights (
  departure timestamptz,
  flight text,
  tailnum text,
  origin text,
  dest text,
  delay_min integer,
  distance_km numeric(7,1)
) WITH (connector = 'postgres', dsn = '${PG_DSN:?set PG_DSN}', create_table = true);

CREATE TABLE public.delayed_flights (
  departure timestamptz,
  flight text,
  origin text,
  dest text,
  delay_min integer,
  severity text
) WITH (connector = 'postgres', dsn = '${PG_DSN:?set PG_DSN}', create_table = true);

INSERT INTO public.flights
SELECT time_hour + minute * interval '1 minute', carrier || flight::text, tailnum, origin, dest,
       dep_delay, round(distance * 1.609344, 1)
FROM departures
WHERE dep_time IS NOT NULL;

INSERT INTO public.delayed_flights
SELECT time_hour + minute * interval '1 minute', carrier || flight::text, origin, dest, arr_delay,
       CASE WHEN arr_delay >= 180 THEN 'severe' WHEN arr_delay >= 60 THEN 'long' ELSE 'short' END
FROM departures
WHERE arr_delay >= 15 AND dep_time IS NOT NULL;
