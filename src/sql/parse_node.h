/* parse_node.h: what the parse*.c files, the only ones that know libpg_query, share.
 *
 * Uses  libpg_query's protobuf tree, with the descriptors that protobuf-c keeps of each message: by
 *       them a node's fields can be walked without naming each.
 * P1    No field of the grammar's tree is ignored: a function that turns a node into our own tree
 *       lists the fields it understands, and parse_check_fields() refuses any other that is set. */
#ifndef WEIR_SQL_PARSE_NODE_H
#define WEIR_SQL_PARSE_NODE_H

#include <pg_query/pg_query.pb-c.h>

#include "sql/ast.h"

struct parse_token {
    uint32_t at, end;
    int token; /* PG_QUERY__TOKEN__... */
    bool is_keyword;
};

struct parse {
    const struct weir_sql *sql;
    struct parse_token *tokens; /* of the whole text, without comments */
    uint32_t token_count;
    uint32_t statement_at; /* first token of the statement being read */
    uint32_t statement_end;
};

/* The tree of a text, after the checks that keep the grammar's library safe; fills *p but for the
 * statement. On success the caller frees *ret. */
int parse_text(const struct weir_sql *sql, struct parse *p, PgQuery__ParseResult **ret);

/* The message inside a Node, or NULL. */
const ProtobufCMessage *parse_node_message(const PgQuery__Node *node);

/* Where a message is in the file: its own location or that of the first part that has one;
 * otherwise fallback. */
uint32_t parse_locate(const ProtobufCMessage *message, uint32_t fallback);

/* P1: allowed names the fields that the caller reads, separated by spaces. */
int parse_check_fields(const struct parse *p, const ProtobufCMessage *message, uint32_t at,
                       const char *allowed);

/* "WORDS is not supported yet", at the first keyword of WORDS behind at, or at at. */
int parse_refuse(const struct parse *p, uint32_t at, const char *words);
/* The same for a node of a kind that the caller has no use for. */
int parse_refuse_node(const struct parse *p, const PgQuery__Node *node, uint32_t at);

/* A copy of a C string in the arena; data NULL without memory. */
struct weir_str parse_copy(const struct parse *p, const char *text);

/* The text of a String node; NULL for other nodes. */
const char *parse_string_of(const PgQuery__Node *node);

int parse_expr(const struct parse *p, const PgQuery__Node *node, struct ast_expr **ret);
int parse_type(const struct parse *p, const PgQuery__TypeName *name, struct ast_type *ret);

#endif
