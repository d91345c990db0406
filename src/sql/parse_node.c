/* parse_node.c: refuses by name whatever part of PostgreSQL's grammar is not built.
 *
 * P1  as in parse_node.h. A part that has no row in the table of words is refused all the same, by
 *     the grammar's own name for it.
 * Checked by tests/unit/sql/test_refusals.c. */
#include "sql/parse_node.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"

/* What people call a field of a message, or a whole node. */
static const struct words_row {
    const char *part, *words;
} words_table[] = {
    { "SelectStmt.distinct_clause", "DISTINCT" },
    { "SelectStmt.into_clause", "SELECT INTO" },
    { "SelectStmt.group_clause", "GROUP BY" },
    { "SelectStmt.group_distinct", "GROUP BY DISTINCT" },
    { "SelectStmt.having_clause", "HAVING" },
    { "SelectStmt.window_clause", "WINDOW" },
    { "SelectStmt.values_lists", "VALUES" },
    { "SelectStmt.sort_clause", "ORDER BY" },
    { "SelectStmt.limit_offset", "OFFSET" },
    { "SelectStmt.limit_count", "LIMIT" },
    { "SelectStmt.locking_clause", "FOR UPDATE" },
    { "SelectStmt.with_clause", "WITH" },
    { "InsertStmt.on_conflict_clause", "ON CONFLICT" },
    { "InsertStmt.returning_list", "RETURNING" },
    { "InsertStmt.with_clause", "WITH" },
    { "CreateStmt.inh_relations", "INHERITS" },
    { "CreateStmt.partspec", "PARTITION BY" },
    { "CreateStmt.of_typename", "OF type" },
    { "CreateStmt.tablespacename", "TABLESPACE" },
    { "CreateStmt.access_method", "USING" },
    { "CreateStmt.if_not_exists", "IF NOT EXISTS" },
    { "ColumnDef.compression", "COMPRESSION" },
    { "ColumnDef.storage", "STORAGE" },
    { "ColumnDef.coll_clause", "COLLATE" },
    { "ColumnDef.fdwoptions", "OPTIONS" },
    { "Constraint.conname", "CONSTRAINT with a name" },
    { "Constraint.deferrable", "DEFERRABLE" },
    { "Constraint.initdeferred", "INITIALLY DEFERRED" },
    { "Constraint.including", "INCLUDE" },
    { "Constraint.options", "WITH behind a constraint" },
    { "Constraint.indexspace", "USING INDEX TABLESPACE" },
    { "Constraint.indexname", "USING INDEX" },
    { "FuncCall.agg_order", "ORDER BY in a function's arguments" },
    { "FuncCall.agg_filter", "FILTER" },
    { "FuncCall.over", "OVER (window functions)" },
    { "FuncCall.agg_within_group", "WITHIN GROUP" },
    { "FuncCall.agg_distinct", "DISTINCT in a function's arguments" },
    { "FuncCall.func_variadic", "VARIADIC" },
    { "TypeName.setof", "SETOF" },
    { "TypeName.pct_type", "%TYPE" },
    { "TypeName.array_bounds", "an array type" },
    { "RangeVar.catalogname", "a database in front of a table's name" },
    { "RangeVar.alias", "an alias of a target table" },
    { "Alias.colnames", "a list of columns behind an alias" },
    { "VariableSetStmt.is_local", "LOCAL" },
    { "ResTarget.indirection", "a part of a column as target" },
    { "DefElem.defnamespace", "a prefix of an option's name" },
    { "SubLink", "a subquery" },
    { "AArrayExpr", "an array" },
    { "AIndirection", "a subscript or field selection" },
    { "RowExpr", "a row value" },
    { "ParamRef", "a parameter such as $1" },
    { "CollateClause", "COLLATE" },
    { "XmlExpr", "XML" },
    { "XmlSerialize", "XML" },
    { "GroupingFunc", "GROUPING" },
    { "MinMaxExpr", "GREATEST or LEAST" },
    { "NamedArgExpr", "a named argument" },
    { "SetToDefault", "DEFAULT" },
    { "CurrentOfExpr", "CURRENT OF" },
    { "JoinExpr", "JOIN" },
    { "RangeSubselect", "a subquery in FROM" },
    { "RangeFunction", "a function in FROM" },
    { "RangeTableSample", "TABLESAMPLE" },
    { "RangeTableFunc", "XMLTABLE" },
    { "TableLikeClause", "LIKE in a table's columns" },
    { "MultiAssignRef", "a multiple assignment" },
};

static const char *words_for(const char *part)
{
    for (size_t i = 0; i < sizeof(words_table) / sizeof(words_table[0]); i++) {
        if (strcmp(words_table[i].part, part) == 0) {
            return words_table[i].words;
        }
    }
    return part;
}

/* A member of a message, where its descriptor says. */
static const void *member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static bool field_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const void *place = member(message, field->offset);

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)member(message, field->quantifier_offset) > 0;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)member(message, field->quantifier_offset) == field->id;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)place != NULL;
    case PROTOBUF_C_TYPE_STRING:
        return *(const char *const *)place != NULL && (*(const char *const *)place)[0] != '\0';
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
        return *(const uint64_t *)place != 0;
    default: /* numbers of 32 bits, enums and booleans, which are ints too */
        return *(const uint32_t *)place != 0;
    }
}

const ProtobufCMessage *parse_node_message(const PgQuery__Node *node)
{
    /* All cases of the union are pointers to messages, so any member reads it. */
    return node == NULL || node->node_case == PG_QUERY__NODE__NODE__NOT_SET
               ? NULL
               : (const ProtobufCMessage *)node->alias;
}

static int64_t location_in(const ProtobufCMessage *message);

static int64_t location_in_field(const ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field)
{
    const void *place = member(message, field->offset);

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || !field_is_set(message, field)) {
        return -1;
    }
    return field->label == PROTOBUF_C_LABEL_REPEATED
               ? location_in((*(ProtobufCMessage *const *const *)place)[0])
               : location_in(*(const ProtobufCMessage *const *)place);
}

/* The location of a message or of the first part that has one; -1 when there is none. */
static int64_t location_in(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor;
    int64_t found = -1;

    if (message == NULL) {
        return -1;
    }
    descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (strcmp(field->name, "location") == 0) {
            found = *(const int32_t *)member(message, field->offset);
            if (found >= 0) {
                return found;
            }
        }
    }
    for (unsigned i = 0; i < descriptor->n_fields && found < 0; i++) {
        found = location_in_field(message, &descriptor->fields[i]);
    }
    return found;
}

uint32_t parse_locate(const ProtobufCMessage *message, uint32_t fallback)
{
    int64_t found = location_in(message);

    return found < 0 ? fallback : (uint32_t)found;
}

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' ')) {
            return true;
        }
    }
    return false;
}

/* The first keyword token at or behind at, within the statement, that is the first of words. */
static const struct parse_token *find_keyword(const struct parse *p, uint32_t at, const char *words)
{
    size_t len = strcspn(words, " ");

    for (uint32_t i = 0; i < p->token_count; i++) {
        const struct parse_token *token = &p->tokens[i];
        if (token->at >= at && token->end <= p->statement_end && token->is_keyword &&
            token->end - token->at == len &&
            strncasecmp(p->sql->text.data + token->at, words, len) == 0) {
            return token;
        }
    }
    return NULL;
}

/* "WORDS is not supported yet" at the first keyword of WORDS behind from, or else at at. */
static int refuse(const struct parse *p, uint32_t from, uint32_t at, const char *words)
{
    /* Words that begin with a capital letter are keywords of the grammar. */
    const struct parse_token *token =
        isupper((unsigned char)words[0]) ? find_keyword(p, from, words) : NULL;

    return weir_sql_fail(p->sql, token == NULL ? at : token->at, NULL, "%s is not supported yet",
                         words);
}

int parse_refuse(const struct parse *p, uint32_t at, const char *words)
{
    return refuse(p, at, at, words);
}

int parse_check_fields(const struct parse *p, const ProtobufCMessage *message, uint32_t at,
                       const char *allowed)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;

    for (unsigned i = 0; i < descriptor->n_fields; i++) { /* P1 */
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        char part[128];

        if (strcmp(field->name, "location") == 0 || !field_is_set(message, field) ||
            is_listed(allowed, field->name)) {
            continue;
        }
        (void)snprintf(part, sizeof(part), "%s.%s", descriptor->short_name, field->name);
        int64_t place = location_in_field(message, field);
        return refuse(p, at, place < 0 ? at : (uint32_t)place, words_for(part));
    }
    return WEIR_OK;
}

int parse_refuse_node(const struct parse *p, const PgQuery__Node *node, uint32_t at)
{
    const ProtobufCMessage *message = parse_node_message(node);

    if (message == NULL) {
        return parse_refuse(p, at, "this expression");
    }
    return parse_refuse(p, parse_locate(message, at), words_for(message->descriptor->short_name));
}

struct weir_str parse_copy(const struct parse *p, const char *text)
{
    struct weir_str from = weir_str_from(text);
    char *copy = weir_arena_copy(p->sql->arena, from);

    return copy == NULL ? (struct weir_str){ 0 } : (struct weir_str){ copy, from.len };
}

const char *parse_string_of(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval
                                                                          : NULL;
}
