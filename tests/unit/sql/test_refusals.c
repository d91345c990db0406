/* test_refusals.c: what is wrong, or not built, is refused by name with its line and column.
 *
 * Each row is a piece of a pipeline file and the message it must give. Where PostgreSQL has a message
 * for it, ours is the same. */
#include <stdio.h>
#include <stdlib.h>

#include "sql/bind.h"
#include "tests/support/test.h"
#include "tests/unit/sql/fake_registry.h"

enum refusal_kind {
    WHOLE,          /* the text is the file */
    AFTER_TABLES,   /* behind the three lines of FAKE_PRELUDE */
    AFTER_PIPELINE, /* behind these and an INSERT: line 5 */
    EXPRESSION,     /* behind "SELECT ", over the columns below */
};

static const char columns[] =
    "CREATE TABLE t (a integer, b text, c numeric(5,2), e boolean, ts timestamptz, d date, "
    "v varchar(3), j jsonb, i interval, f double precision, u uuid, k bytea)";

static const struct refusal {
    enum refusal_kind kind;
    const char *text;
    int line, column; /* 0: the message has no place */
    const char *message;
} refusals[] = {
    /* The text itself */
    { WHOLE, "SELECT 'a", 1, 8, "unterminated quoted string at or near \"'a\"" },
    { WHOLE, "SET pipeline.name = 'p", 1, 21, "unterminated quoted string at or near \"'p\"" },
    { WHOLE, "/* never closed", 1, 1, "unterminated /* comment at or near \"/* never closed\"" },
    { WHOLE, "CREATE TABLE s (a integer", 1, 26, "syntax error at end of input" },
    { WHOLE, "SET pipeline.name = 'p';\n\tCREAT TABLE s (a integer);", 2, 2,
      "syntax error at or near \"CREAT\"" },
    { WHOLE, "INSERT INTO", 1, 12, "syntax error at end of input" },
    { WHOLE, "\\\\", 1, 1, "syntax error at or near \"\\\"" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s WHERE;", 4, 39,
      "syntax error at or near \";\"" },
    { AFTER_TABLES, "INSERT INTO t SELECT a b c FROM s;", 4, 26, "syntax error at or near \"c\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) WITH (stream.x.y = 'z');", 5, 38,
      "syntax error at or near \".\"" },
    /* Statements */
    { AFTER_PIPELINE, "SELECT 1;", 5, 1, "SELECT is not supported yet" },
    { AFTER_PIPELINE, "SELECT a FROM s;", 5, 1, "SELECT is not supported yet" },
    { AFTER_PIPELINE, "UPDATE t SET x = 1;", 5, 1, "UPDATE is not supported yet" },
    { AFTER_PIPELINE, "DELETE FROM t;", 5, 1, "DELETE FROM is not supported yet" },
    { AFTER_PIPELINE, "CREATE VIEW v AS SELECT 1;", 5, 1, "CREATE VIEW is not supported yet" },
    { AFTER_PIPELINE, "CREATE INDEX ON t (x);", 5, 1, "CREATE INDEX is not supported yet" },
    { AFTER_PIPELINE, "create materialized view v as select 1;", 5, 1,
      "CREATE MATERIALIZED is not supported yet" },
    { AFTER_PIPELINE, "ALTER TABLE t ADD COLUMN z integer;", 5, 1,
      "ALTER TABLE is not supported yet" },
    { AFTER_PIPELINE, "DROP TABLE t;", 5, 1, "DROP TABLE is not supported yet" },
    { AFTER_PIPELINE, "TRUNCATE t;", 5, 1, "TRUNCATE is not supported yet" },
    { AFTER_PIPELINE, "BEGIN;", 5, 1, "BEGIN is not supported yet" },
    { AFTER_PIPELINE, "COPY t FROM stdin;", 5, 1, "COPY is not supported yet" },
    { AFTER_PIPELINE, "VALUES (1);", 5, 1, "VALUES is not supported yet" },
    { AFTER_PIPELINE, "EXPLAIN SELECT 1;", 5, 1, "EXPLAIN is not supported yet" },
    { AFTER_PIPELINE, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1';", 5, 1,
      "CREATE FUNCTION is not supported yet" },
    /* Settings */
    { AFTER_PIPELINE, "SET pipeline.nam = 'x';", 5, 5,
      "unknown option \"nam\"; did you mean \"name\"?" },
    { AFTER_PIPELINE, "SET pipeline.name = 'q';", 5, 5, "option \"name\" is given twice" },
    { AFTER_PIPELINE, "SET timezone = 'Europe/Berlin';", 5, 5, "unknown setting \"timezone\"" },
    { AFTER_PIPELINE, "SET pipeline.trigger = 'soon';", 5, 5,
      "option trigger: 'soon' is not a duration such as '100 ms', '5 s' or '2 min'" },
    { AFTER_PIPELINE, "SET pipeline.trigger = 100;", 5, 5,
      "option trigger: '100' is not a duration such as '100 ms', '5 s' or '2 min'" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '2 h';", 5, 5,
      "option trigger: '2 h' is out of range (1000 to 3600000000 microseconds)" },
    { AFTER_PIPELINE, "SET pipeline.batch_rows = 0;", 5, 5,
      "option batch_rows: '0' is out of range (1 to 1000000)" },
    { AFTER_PIPELINE, "SET pipeline.batch_rows = 1000001;", 5, 5,
      "option batch_rows: '1000001' is out of range (1 to 1000000)" },
    { AFTER_PIPELINE, "SET pipeline.output_partitions = 33;", 5, 5,
      "option output_partitions: '33' is out of range (1 to 32)" },
    { AFTER_PIPELINE, "SET pipeline.output_partitions = 'two';", 5, 5,
      "option output_partitions: 'two' is not an integer" },
    { AFTER_PIPELINE, "SET pipeline.delivery = 'twice';", 5, 5,
      "option delivery: 'twice' is not one of exactly_once|at_least_once|at_most_once" },
    { AFTER_PIPELINE, "SET pipeline.partition_by = 'row';", 5, 5,
      "option partition_by: 'row' is not one of key|source_partition" },
    { AFTER_PIPELINE, "SET pipeline.log.segment_bytes = 100000;", 5, 5,
      "log.segment_bytes must be a multiple of 4096 bytes" },
    { AFTER_PIPELINE, "SET pipeline.batch_bytes = 'many';", 5, 5,
      "option batch_bytes: 'many' is not a size such as '64 kB' or '16 MB'" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '1 s', '2 s';", 5, 1,
      "this form of SET is not supported yet" },
    { AFTER_PIPELINE, "SET pipeline.trigger TO DEFAULT;", 5, 1,
      "this form of SET is not supported yet" },
    { AFTER_PIPELINE, "SET LOCAL pipeline.trigger = '1 s';", 5, 5, "LOCAL is not supported yet" },
    { AFTER_PIPELINE, "RESET pipeline.trigger;", 5, 1, "this form of RESET is not supported yet" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '${NOT_SET_ANYWHERE}';", 5, 5,
      "environment variable NOT_SET_ANYWHERE is not set" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '${NOT_SET_ANYWHERE:?say how long}';", 5, 5,
      "environment variable NOT_SET_ANYWHERE is not set: say how long" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '${';", 5, 5, "\"${\" without \"}\"" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '${1X}';", 5, 5,
      "\"${1X}\" does not name an environment variable" },
    { AFTER_PIPELINE, "SET pipeline.trigger = '${A B}';", 5, 5,
      "\"${A B}\" does not name an environment variable" },
    { WHOLE, "CREATE TABLE s (a int) WITH (connector = 'stream', topic = 'x');", 0, 0,
      "the pipeline has no name" },
    { WHOLE, "SET pipeline.name = 'a name';", 1, 5,
      "a pipeline's name is made of letters, digits, _ and -, at most 63" },
    { WHOLE, "SET pipeline.name = '';", 1, 5,
      "a pipeline's name is made of letters, digits, _ and -, at most 63" },
    { WHOLE, "SET pipeline.name = 'p';", 0, 0, "the pipeline has no INSERT" },
    /* Tables */
    { AFTER_PIPELINE, "CREATE TABLE z (a int) WITH (connector = 'stream', topic = 'x');", 5, 14,
      "table \"z\" is neither read nor written" },
    { AFTER_PIPELINE, "CREATE TABLE s (a int) WITH (connector = 'stream', topic = 'x');", 5, 14,
      "relation \"s\" already exists" },
    { AFTER_PIPELINE, "CREATE TABLE public.t (a int) WITH (connector = 'store', dsn = 'db');", 5,
      14, "relation \"public.t\" already exists" },
    { AFTER_PIPELINE, "CREATE TABLE IF NOT EXISTS z (a int);", 5, 14,
      "IF NOT EXISTS is not supported yet" },
    { AFTER_PIPELINE, "CREATE TEMP TABLE z (a int);", 5, 1, "TEMPORARY is not supported yet" },
    { AFTER_PIPELINE, "CREATE UNLOGGED TABLE z (a int);", 5, 8, "UNLOGGED is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) INHERITS (t);", 5, 24,
      "INHERITS is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (LIKE t);", 5, 22,
      "LIKE in a table's columns is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) PARTITION BY LIST (a);", 5, 24,
      "PARTITION BY is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z PARTITION OF t DEFAULT;", 5, 16,
      "PARTITION OF is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z OF ty;", 5, 16, "OF type is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) TABLESPACE x;", 5, 24,
      "TABLESPACE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) USING heap;", 5, 24, "USING is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int) ON COMMIT DROP;", 5, 24,
      "ON COMMIT is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int DEFAULT 1);", 5, 23, "DEFAULT is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int UNIQUE);", 5, 23, "UNIQUE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int CHECK (a > 1));", 5, 23,
      "CHECK is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int REFERENCES t);", 5, 23,
      "a foreign key is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int GENERATED ALWAYS AS IDENTITY);", 5, 23,
      "GENERATED AS IDENTITY is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int GENERATED ALWAYS AS (1) STORED);", 5, 23,
      "GENERATED is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a text COLLATE \"C\");", 5, 24,
      "COLLATE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, UNIQUE (a));", 5, 24, "UNIQUE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, FOREIGN KEY (a) REFERENCES t);", 5, 24,
      "a foreign key is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, CONSTRAINT k PRIMARY KEY (a));", 5, 24,
      "CONSTRAINT with a name is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int CONSTRAINT n NOT NULL);", 5, 23,
      "CONSTRAINT with a name is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, PRIMARY KEY (a) DEFERRABLE);", 5, 40,
      "DEFERRABLE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, PRIMARY KEY (a) INCLUDE (a));", 5, 40,
      "INCLUDE is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, a text);", 5, 24,
      "column \"a\" specified more than once" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, PRIMARY KEY (b));", 5, 24,
      "column \"b\" named in key does not exist" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, PRIMARY KEY (a, a));", 5, 24,
      "column \"a\" appears twice in primary key constraint" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int PRIMARY KEY, PRIMARY KEY (a));", 5, 17,
      "multiple primary keys for table \"z\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int PRIMARY KEY, b int PRIMARY KEY);", 5, 36,
      "multiple primary keys for table \"z\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int, PRIMARY KEY (a), PRIMARY KEY (a));", 5, 41,
      "multiple primary keys for table \"z\"" },
    { AFTER_PIPELINE, "CREATE TABLE x.y.z (a int);", 5, 14,
      "a database in front of a table's name is not supported yet" },
    /* Types */
    { AFTER_PIPELINE, "CREATE TABLE z (a serial);", 5, 19, "type \"serial\" is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a json);", 5, 19, "type \"json\" is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a int[]);", 5, 19, "an array type is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a money);", 5, 19, "type \"money\" is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a timetz);", 5, 19, "type \"timetz\" is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a varchar(0));", 5, 19,
      "length for type varchar must be at least 1" },
    { AFTER_PIPELINE, "CREATE TABLE z (a varchar(10485761));", 5, 19,
      "length for type varchar cannot exceed 10485760" },
    { AFTER_PIPELINE, "CREATE TABLE z (a char(3, 4));", 5, 25, "syntax error at or near \",\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a numeric(0));", 5, 19,
      "NUMERIC precision 0 must be between 1 and 1000" },
    { AFTER_PIPELINE, "CREATE TABLE z (a numeric(1001, 2));", 5, 19,
      "NUMERIC precision 1001 must be between 1 and 1000" },
    { AFTER_PIPELINE, "CREATE TABLE z (a numeric(5, 2000));", 5, 19,
      "NUMERIC scale 2000 must be between -1000 and 1000" },
    { AFTER_PIPELINE, "CREATE TABLE z (a numeric(5, 2, 1));", 5, 19,
      "invalid type modifier of type numeric" },
    { AFTER_PIPELINE, "CREATE TABLE z (a timestamp(7));", 5, 19,
      "timestamp precision must be between 0 and 6" },
    { AFTER_PIPELINE, "CREATE TABLE z (a interval day);", 5, 19,
      "interval with a field or precision is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a interval(3));", 5, 19,
      "interval with a field or precision is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a text(3));", 5, 19,
      "type modifier is not allowed for type \"text\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a my.type);", 5, 19,
      "a schema in front of a name is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a SETOF int);", 5, 25, "SETOF is not supported yet" },
    { AFTER_PIPELINE, "CREATE TABLE z (a t.x%TYPE);", 5, 22, "syntax error at or near \"%\"" },
    { AFTER_PIPELINE, "CREATE TABLE z (a varchar(b));", 5, 27, "syntax error at or near \"b\"" },
    /* Connectors and their options */
    { AFTER_PIPELINE, "CREATE TABLE z (x integer);\nINSERT INTO z SELECT a FROM s;", 5, 14,
      "table \"z\" has no connector: WITH (connector = '...') is missing" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'postgre');\nINSERT INTO z SELECT a FROM s;", 5,
      34, "connector \"postgre\" cannot be written to" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'socket');\nINSERT INTO z SELECT a FROM s;", 5,
      34, "connector \"socket\" cannot be written to" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', dns = 'x');\nINSERT INTO "
      "z SELECT a FROM s;",
      5, 67, "unknown option \"dns\"; did you mean \"dsn\"?" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store');\nINSERT INTO z SELECT a FROM s;", 5,
      14, "option \"dsn\" is missing: where the store is" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', dsn = 'db');\nINSERT INTO "
      "z SELECT a FROM s;",
      5, 67, "option \"dsn\" is given twice" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', create_table = "
      "'perhaps');\nINSERT INTO z SELECT a FROM s;",
      5, 67, "option create_table: 'perhaps' is not true or false" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', create_table = "
      "perhaps);\nINSERT INTO z SELECT a FROM s;",
      5, 67, "the value of option \"create_table\" must be a string or a number" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', create_table);\nINSERT "
      "INTO z SELECT a FROM s;",
      5, 67, "the value of option \"create_table\" must be a string or a number" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', on_error = "
      "'skip');\nINSERT INTO z SELECT a FROM s;",
      5, 67, "option \"on_error\" belongs to a source" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', format = 'json');\nINSERT "
      "INTO z SELECT a FROM s;",
      5, 67, "option \"format\" belongs to a source" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = "
      "'${NOT_SET_ANYWHERE:?where?}');\nINSERT INTO z SELECT a FROM s;",
      5, 55, "environment variable NOT_SET_ANYWHERE is not set: where?" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', ticket = 'x');\nINSERT "
      "INTO z SELECT a FROM s;",
      5, 67, "option \"ticket\" differs from that of table \"t\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', patience = '1 "
      "s');\nINSERT "
      "INTO z SELECT a FROM s;",
      5, 67, "option \"patience\" differs from that of table \"t\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', \"store.zone\" = "
      "'x');\nINSERT INTO z SELECT a FROM s;",
      5, 67, "option \"store.zone\" differs from that of table \"t\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'far', \"store.zone\" = 'x');\n"
      "CREATE TABLE y (x integer) WITH (connector = 'store', dsn = 'far');\n"
      "INSERT INTO z SELECT a FROM s;\nINSERT INTO y SELECT a FROM s;",
      6, 14, "option \"store.zone\" differs from that of table \"z\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', topic = 'x');\nINSERT INTO t (x) "
      "SELECT x FROM z;",
      5, 34, "connector \"store\" cannot be read from" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'stream', topic = 'x', format = "
      "'avro');\nINSERT INTO t (x) SELECT x FROM z;",
      5, 69, "unknown format \"avro\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'stream', topic = 'x', format = "
      "'raw');\nINSERT INTO t (x) SELECT x FROM z;",
      5, 14, "format 'raw' takes exactly one column, of type bytea or text" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text, y text) WITH (connector = 'stream', topic = 'x', format = "
      "'raw');\nINSERT INTO t (y) SELECT x FROM z;",
      5, 14, "format 'raw' takes exactly one column, of type bytea or text" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text) WITH (connector = 'stream', topic = 'x', delimiter = ';');\nINSERT "
      "INTO t (y) SELECT x FROM z;",
      5, 66, "unknown option \"delimiter\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text) WITH (connector = 'stream', topic = 'x', on_error = "
      "'retry');\nINSERT INTO t (y) SELECT x FROM z;",
      5, 66, "option on_error: 'retry' is not one of fail|dead_letter|skip" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text) WITH (connector = 'stream');\nINSERT INTO t (y) SELECT x FROM z;", 5,
      14, "option \"topic\" is missing: what to read" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text) WITH (connector = 'stream', topic = 'x', wait = '1 "
      "parsec');\nINSERT INTO t (y) SELECT x FROM z;",
      5, 66, "option wait: '1 parsec' is not a duration such as '100 ms', '5 s' or '2 min'" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (_x text) WITH (connector = 'stream', topic = 'x');\nINSERT INTO t (y) "
      "SELECT _x FROM z;",
      5, 17, "a source's column cannot be named \"_x\"" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x text NOT NULL) WITH (connector = 'stream', topic = 'x');\nINSERT INTO t "
      "(y) SELECT x FROM z;",
      5, 17, "NOT NULL and PRIMARY KEY of a source are not supported yet" },
    /* The promise */
    { AFTER_TABLES,
      "CREATE TABLE z (x text) WITH (connector = 'socket');\nINSERT INTO t (y) SELECT x FROM "
      "z;\nINSERT INTO t SELECT a, b FROM s;",
      4, 14,
      "exactly_once needs a source that can be read again after a crash, which connector "
      "\"socket\" cannot" },
    { AFTER_TABLES,
      "CREATE TABLE z (x text) WITH (connector = 'printer');\nINSERT INTO z SELECT b FROM "
      "s;\nINSERT INTO t SELECT a, b FROM s;",
      4, 14,
      "exactly_once needs a sink that keeps a ledger in the transaction of its rows, which "
      "connector \"printer\" cannot" },
    { AFTER_TABLES,
      "CREATE TABLE z (x text) WITH (connector = 'stream', topic = 'x', isolation = "
      "'read_uncommitted');\nINSERT INTO t (y) SELECT x FROM z;\nINSERT INTO t SELECT a, b FROM s;",
      4, 66,
      "exactly_once cannot be kept with isolation 'read_uncommitted': records of an aborted "
      "transaction may be gone when a batch is computed again" },
    { AFTER_TABLES,
      "SET pipeline.partition_by = 'source_partition';\nCREATE TABLE z (x integer PRIMARY KEY) "
      "WITH (connector = 'store', dsn = 'db');\nINSERT INTO z SELECT a FROM s;\nINSERT INTO t "
      "SELECT a, b FROM s;",
      5, 14,
      "table \"z\" has a PRIMARY KEY, and partition_by is 'source_partition': changes of one key "
      "could be written by two connections in any order" },
    /* INSERT */
    { AFTER_TABLES, "INSERT INTO nowhere SELECT a FROM s;", 4, 13,
      "relation \"nowhere\" does not exist" },
    { AFTER_TABLES, "INSERT INTO t SELECT a FROM nowhere;", 4, 29,
      "relation \"nowhere\" does not exist" },
    { AFTER_TABLES, "INSERT INTO t SELECT 1, 'x';", 4, 1,
      "this INSERT reads no table: FROM is missing" },
    { AFTER_TABLES, "INSERT INTO t VALUES (1, 'x');", 4, 15, "VALUES is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t DEFAULT VALUES;", 4, 15, "DEFAULT VALUES is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s ON CONFLICT DO NOTHING;", 4, 34,
      "ON CONFLICT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s RETURNING x;", 4, 34,
      "RETURNING is not supported yet" },
    { AFTER_TABLES, "WITH q AS (SELECT 1) INSERT INTO t SELECT a, b FROM s;", 4, 1,
      "WITH is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t WITH q AS (SELECT 1) SELECT a, b FROM s;", 4, 15,
      "WITH is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t OVERRIDING USER VALUE SELECT a, b FROM s;", 4, 15,
      "OVERRIDING is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t AS u SELECT a, b FROM s;", 4, 13,
      "an alias of a target table is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b, c FROM s;", 4, 28,
      "INSERT has more expressions than target columns" },
    { AFTER_TABLES, "INSERT INTO t (x, y) SELECT a FROM s;", 4, 19,
      "INSERT has more target columns than expressions" },
    { AFTER_TABLES, "INSERT INTO t (x) SELECT a, b FROM s;", 4, 29,
      "INSERT has more expressions than target columns" },
    { AFTER_TABLES, "INSERT INTO t (x, z) SELECT a, b FROM s;", 4, 19,
      "column \"z\" of relation \"t\" does not exist" },
    { AFTER_TABLES, "INSERT INTO t (x, x) SELECT a, a FROM s;", 4, 19,
      "column \"x\" specified more than once" },
    { AFTER_TABLES, "INSERT INTO t (x[1]) SELECT a FROM s;", 4, 18,
      "a part of a column as target is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT * FROM s;", 4, 22,
      "INSERT has more expressions than target columns" },
    { AFTER_TABLES, "INSERT INTO t (x) SELECT ts FROM s;", 4, 26,
      "column \"x\" is of type integer but expression is of type timestamp with time zone" },
    { AFTER_TABLES, "INSERT INTO t (x) SELECT b FROM s;", 4, 26,
      "column \"x\" is of type integer but expression is of type text" },
    { AFTER_TABLES, "INSERT INTO s SELECT x FROM t;\nINSERT INTO t SELECT a, b FROM s;", 5, 13,
      "a table that is both written and read is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s;\nINSERT INTO s SELECT x FROM t;", 5, 13,
      "a table that is both written and read is not supported yet" },
    { AFTER_TABLES,
      "CREATE TABLE z (x integer NOT NULL, y text) WITH (connector = 'store', dsn = 'db');\nINSERT "
      "INTO z (y) SELECT b FROM s;\nINSERT INTO t SELECT a, b FROM s;",
      5, 13, "column \"x\" of relation \"z\" is NOT NULL, but this INSERT leaves it out" },
    /* SELECT */
    { AFTER_TABLES, "INSERT INTO t SELECT DISTINCT a, b FROM s;", 4, 22,
      "DISTINCT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT DISTINCT ON (a) a, b FROM s;", 4, 22,
      "DISTINCT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s GROUP BY a, b;", 4, 34,
      "GROUP BY is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s HAVING a > 1;", 4, 34,
      "HAVING is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s ORDER BY a;", 4, 34,
      "ORDER BY is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s LIMIT 1;", 4, 34,
      "LIMIT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s OFFSET 1;", 4, 34,
      "OFFSET is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s FETCH FIRST 1 ROW ONLY;", 4, 46,
      "LIMIT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s FOR UPDATE;", 4, 34,
      "FOR UPDATE is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s WINDOW w AS (ORDER BY a);", 4, 34,
      "WINDOW is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s UNION ALL SELECT a, b FROM s;", 4, 34,
      "UNION is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s EXCEPT SELECT a, b FROM s;", 4, 34,
      "EXCEPT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s INTERSECT SELECT a, b FROM s;", 4, 34,
      "INTERSECT is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s, t;", 4, 35,
      "a second table in FROM is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s JOIN t ON a = x;", 4, 34,
      "JOIN is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM (SELECT a, b FROM s) q;", 4, 40,
      "a subquery in FROM is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM tumble(s);", 4, 32,
      "a function in FROM is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM ONLY s;", 4, 32, "ONLY is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s TABLESAMPLE SYSTEM (1);", 4, 46,
      "TABLESAMPLE is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s AS q (a, b);", 4, 32,
      "a list of columns behind an alias is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b INTO z FROM s;", 4, 15,
      "SELECT INTO is not supported yet" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s WHERE a;", 4, 40,
      "argument of WHERE must be type boolean, not type integer" },
    { AFTER_TABLES, "INSERT INTO t SELECT s.a, s.b FROM s q;", 4, 22,
      "missing FROM-clause entry for table \"s\"" },
    { AFTER_TABLES, "INSERT INTO t SELECT a, b FROM s WHERE q.a = 1;", 4, 40,
      "missing FROM-clause entry for table \"q\"" },
    /* Expressions */
    { EXPRESSION, "nope", 1, 8, "column \"nope\" does not exist" },
    { EXPRESSION, "A.a", 1, 8, "missing FROM-clause entry for table \"a\"" },
    { EXPRESSION, "a.b.c", 1, 8, "a name of more than two parts is not supported yet" },
    { EXPRESSION, "*, a + *", 1, 15, "syntax error at or near \"*\"" },
    { EXPRESSION, "a + b", 1, 10, "operator does not exist: integer + text" },
    { EXPRESSION, "b + a", 1, 10, "operator does not exist: text + integer" },
    { EXPRESSION, "a + true", 1, 10, "operator does not exist: integer + boolean" },
    { EXPRESSION, "- b", 1, 8, "operator does not exist: - text" },
    { EXPRESSION, "b - 1", 1, 10, "operator does not exist: text - integer" },
    { EXPRESSION, "c + ts", 1, 10, "operator does not exist: numeric + timestamp with time zone" },
    { EXPRESSION, "a = b", 1, 10, "operator does not exist: integer = text" },
    { EXPRESSION, "e > 1", 1, 10, "operator does not exist: boolean > integer" },
    { EXPRESSION, "foo(a)", 1, 8, "function foo(integer) does not exist" },
    { EXPRESSION, "foo()", 1, 8, "function foo() does not exist" },
    { EXPRESSION, "lower(a)", 1, 8, "function lower(integer) does not exist" },
    { EXPRESSION, "lower(b, b)", 1, 8, "function lower(text, text) does not exist" },
    { EXPRESSION, "count(*)", 1, 8, "aggregate functions are not supported yet: count(*)" },
    { EXPRESSION, "sum(a)", 1, 8, "aggregate functions are not supported yet: sum" },
    { EXPRESSION, "max(a) OVER ()", 1, 15, "OVER (window functions) is not supported yet" },
    { EXPRESSION, "lag(a) OVER (ORDER BY a)", 1, 15,
      "OVER (window functions) is not supported yet" },
    { EXPRESSION, "count(DISTINCT a)", 1, 14,
      "DISTINCT in a function's arguments is not supported yet" },
    { EXPRESSION, "string_agg(b, ',' ORDER BY b)", 1, 26,
      "ORDER BY in a function's arguments is not supported yet" },
    { EXPRESSION, "count(a) FILTER (WHERE e)", 1, 17, "FILTER is not supported yet" },
    { EXPRESSION, "percentile_cont(0.5) WITHIN GROUP (ORDER BY a)", 1, 43,
      "ORDER BY in a function's arguments is not supported yet" },
    { EXPRESSION, "my.func(a)", 1, 8, "a schema in front of a name is not supported yet" },
    { EXPRESSION, "a OPERATOR(my.+) 1", 1, 10, "a schema in front of a name is not supported yet" },
    { EXPRESSION, "lower(VARIADIC b)", 1, 14, "VARIADIC is not supported yet" },
    { EXPRESSION, "lower(x => b)", 1, 14, "a named argument is not supported yet" },
    { EXPRESSION, "(SELECT 1)", 1, 8, "a subquery is not supported yet" },
    { EXPRESSION, "EXISTS (SELECT 1)", 1, 8, "a subquery is not supported yet" },
    { EXPRESSION, "a IN (SELECT 1)", 1, 10, "a subquery is not supported yet" },
    { EXPRESSION, "a = ANY (ARRAY[1])", 1, 10, "an operator with ANY or ALL is not supported yet" },
    { EXPRESSION, "b LIKE ANY (ARRAY['x'])", 1, 10,
      "an operator with ANY or ALL is not supported yet" },
    { EXPRESSION, "ARRAY[1, 2]", 1, 8, "an array is not supported yet" },
    { EXPRESSION, "(a, b)", 1, 8, "a row value is not supported yet" },
    { EXPRESSION, "ROW(1, 2) = ROW(1, 2)", 1, 8, "a row value is not supported yet" },
    { EXPRESSION, "b COLLATE \"C\"", 1, 10, "COLLATE is not supported yet" },
    { EXPRESSION, "b[1]", 1, 8, "a subscript or field selection is not supported yet" },
    { EXPRESSION, "(b).c", 1, 9, "a subscript or field selection is not supported yet" },
    { EXPRESSION, "$1", 1, 8, "a parameter such as $1 is not supported yet" },
    { EXPRESSION, "GREATEST(a, 1)", 1, 8, "GREATEST or LEAST is not supported yet" },
    { EXPRESSION, "b SIMILAR TO 'x'", 1, 10, "SIMILAR TO is not supported yet" },
    { EXPRESSION, "b'101'", 1, 8, "a bit string is not supported yet" },
    { EXPRESSION, "XMLPARSE(DOCUMENT b)", 1, 8, "XML is not supported yet" },
    { EXPRESSION, "CURRENT_USER", 1, 8,
      "a function that tells of session, user or catalogue is not supported yet" },
    { EXPRESSION, "CURRENT_TIME", 1, 8, "CURRENT_TIME (time with time zone) is not supported yet" },
    { EXPRESSION, "random()", 1, 8, "function random() is not supported yet" },
    { EXPRESSION, "clock_timestamp()", 1, 8, "function clock_timestamp() is not supported yet" },
    { EXPRESSION, "a AND e", 1, 8, "argument of AND must be type boolean, not type integer" },
    { EXPRESSION, "NOT b", 1, 12, "argument of NOT must be type boolean, not type text" },
    { EXPRESSION, "a IS TRUE", 1, 8, "argument of IS TRUE must be type boolean, not type integer" },
    { EXPRESSION, "CASE WHEN a THEN 1 END", 1, 18,
      "argument of CASE/WHEN must be type boolean, not type integer" },
    { EXPRESSION, "CASE WHEN e THEN 1 ELSE b END", 1, 25,
      "CASE types text and integer cannot be matched" },
    { EXPRESSION, "CASE a WHEN b THEN 1 END", 1, 20, "operator does not exist: integer = text" },
    { EXPRESSION, "COALESCE(a, b)", 1, 20, "COALESCE types integer and text cannot be matched" },
    { EXPRESSION, "a IN (1, b)", 1, 10, "operator does not exist: integer = text" },
    { EXPRESSION, "NULLIF(a, b)", 1, 8, "operator does not exist: integer = text" },
    { EXPRESSION, "a BETWEEN 1 AND b", 1, 10, "operator does not exist: integer <= text" },
    { EXPRESSION, "a IS DISTINCT FROM b", 1, 10, "operator does not exist: integer = text" },
    { EXPRESSION, "e::date", 1, 9, "cannot cast type boolean to date" },
    { EXPRESSION, "CAST(j AS interval)", 1, 8, "cannot cast type jsonb to interval" },
    { EXPRESSION, "a::nothing", 1, 11, "type \"nothing\" is not supported yet" },
    { EXPRESSION, "a::int[]", 1, 11, "an array type is not supported yet" },
    { EXPRESSION, "'abc'::integer", 1, 8, "invalid input syntax for type integer: \"abc\"" },
    { EXPRESSION, "a + 'abc'", 1, 12, "invalid input syntax for type integer: \"abc\"" },
    { EXPRESSION, "'2020-02-30'::date", 1, 8,
      "date/time field value out of range: \"2020-02-30\"" },
    { EXPRESSION, "e = 'maybe'", 1, 12, "invalid input syntax for type boolean: \"maybe\"" },
    { EXPRESSION, "interval '1 parsec'", 1, 17,
      "invalid input syntax for type interval: \"1 parsec\"" },
    { EXPRESSION, "'{'::jsonb", 1, 8,
      "invalid input syntax for type json: The input string ended unexpectedly." },
    { EXPRESSION, "u = 'xyz'", 1, 12, "invalid input syntax for type uuid: \"xyz\"" },
    { EXPRESSION, "a::varchar(0)", 1, 11, "length for type varchar must be at least 1" },
    { EXPRESSION, "grouping(a)", 1, 8, "GROUPING is not supported yet" },
    { EXPRESSION, "1 WHERE a", 1, 16, "argument of WHERE must be type boolean, not type integer" },
    { EXPRESSION, "DEFAULT", 1, 8, "DEFAULT is not supported yet" },
    { AFTER_PIPELINE,
      "CREATE TABLE z (x integer) WITH (connector = 'store', dsn = 'db', mode = 'update');\nINSERT "
      "INTO z SELECT a FROM s;",
      5, 67, "mode 'update' of table \"z\" needs a PRIMARY KEY" },
    { EXPRESSION, "'1' + '2'", 1, 12, "operator is not unique: unknown + unknown" },
    { EXPRESSION, "ts - '1 hour'", 1, 13,
      "invalid input syntax for type timestamp with time zone: \"1 hour\"" },
    { EXPRESSION, "j || j", 1, 10, "||(jsonb, jsonb) is not supported yet" },
    { EXPRESSION, "i < 1", 1, 10, "operator does not exist: interval < integer" },
    { EXPRESSION, "ts + ts", 1, 11,
      "operator does not exist: timestamp with time zone + timestamp with time zone" },
    { EXPRESSION, "date '2020-01-01' + date '2020-01-01'", 1, 26,
      "operator does not exist: date + date" },
    { EXPRESSION, "lower(ts)", 1, 8, "function lower(timestamp with time zone) does not exist" },
    { EXPRESSION, "extract(foo FROM a)", 1, 8,
      "function extract(unknown, integer) does not exist" },
    { EXPRESSION, "date_trunc(a, ts)", 1, 8,
      "function date_trunc(integer, timestamp with time zone) does not exist" },
    { EXPRESSION, "a ->> 'x'", 1, 10, "operator does not exist: integer ->> unknown" },
};

enum { REFUSALS = sizeof(refusals) / sizeof(refusals[0]) };

static int bind(const char *text, struct weir_error *err)
{
    struct weir_bound_select bound;
    struct weir_format_column *list;
    struct weir_arena arena;
    uint32_t count;
    int rc;

    weir_arena_init(&arena, 0);
    rc = weir_bind_columns(WEIR_STR(columns), &arena, &list, &count, err);
    assert_int_equal(rc, WEIR_OK);
    rc = weir_bind_select(list, count, weir_str_from(text), &arena, &bound, err);
    weir_arena_fini(&arena);
    return rc;
}

static void is_refused(void **state)
{
    static const char *const before[] = {
        [WHOLE] = "",
        [AFTER_TABLES] = FAKE_PRELUDE,
        [AFTER_PIPELINE] = FAKE_PRELUDE "INSERT INTO t SELECT a, b FROM s;\n",
        [EXPRESSION] = "SELECT ",
    };
    const struct refusal *row = *state;
    struct weir_plan *plan = NULL;
    struct weir_error err = { 0 };
    char text[2048], head[1024];

    (void)snprintf(text, sizeof(text), "%s%s", before[row->kind], row->text);
    if (row->kind == EXPRESSION) {
        assert_int_equal(bind(text, &err), WEIR_ECONFIG);
    } else {
        assert_int_equal(
            weir_plan_make("f.sql", weir_str_from(text), &fake_registry, NULL, 0, &plan, &err),
            WEIR_ECONFIG);
    }
    if (row->line == 0) {
        (void)snprintf(head, sizeof(head), "f.sql: error: %s", row->message);
    } else {
        (void)snprintf(head, sizeof(head), "%s:%d:%d: error: %s",
                       row->kind == EXPRESSION ? "select" : "f.sql", row->line, row->column,
                       row->message);
    }
    err.text[strcspn(err.text, "\n")] = '\0'; /* the first line; the rest: test_report.c */
    assert_string_equal(err.text, head);
}

int main(void)
{
    struct CMUnitTest tests[REFUSALS];

    for (size_t i = 0; i < REFUSALS; i++) {
        tests[i] = (struct CMUnitTest){ refusals[i].message, is_refused, NULL, NULL,
                                        (void *)&refusals[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
