/* parse_text.c: calls libpg_query, PostgreSQL's own grammar, and keeps the call safe.
 *
 * P2  libpg_query and protobuf-c recurse on the depth of the tree without a limit of their own that
 *     we could rely on, so the tokens are counted first: no statement nests deeper than
 *     SQL_NESTING_MAX tokens, by which all recursion here and in the binder is bounded.
 * Checked by tests/unit/sql/test_mutations.c and test_refusals.c. */
#include <pg_query.h>

#include "sql/parse_node.h"

/* Refuses what libpg_query would not survive or understand: a file too large, NUL, broken UTF-8. */
static int check_text(const struct weir_sql *sql)
{
    struct weir_str text = sql->text;

    if (text.len > SQL_FILE_BYTES_MAX) {
        return weir_sql_fail_file(sql, NULL, "the file is larger than 1 MiB");
    }
    for (size_t i = 0; i < text.len;) {
        unsigned char first = (unsigned char)text.data[i];
        size_t more = first < 0x80                    ? 0
                      : first >= 0xc2 && first < 0xe0 ? 1
                      : first >= 0xe0 && first < 0xf0 ? 2
                      : first >= 0xf0 && first < 0xf5 ? 3
                                                      : SIZE_MAX;
        bool good = first != 0 && more != SIZE_MAX && text.len - i > more;
        for (size_t k = 1; good && k <= more; k++) {
            good = ((unsigned char)text.data[i + k] & 0xc0) == 0x80;
        }
        if (!good) {
            return weir_sql_fail(sql, (uint32_t)i, NULL, "the file is not valid UTF-8 text");
        }
        i += more + 1;
    }
    return WEIR_OK;
}

/* libpg_query counts characters from 1; we count bytes from 0. */
static uint32_t byte_of_character(struct weir_str text, int character)
{
    size_t at = 0;

    for (int seen = 1; seen < character && at < text.len; seen++) {
        at++;
        while (at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return (uint32_t)at;
}

static int report(const struct weir_sql *sql, const PgQueryError *error)
{
    uint32_t at = byte_of_character(sql->text, error->cursorpos);
    const char *hint = NULL;

    if (strstr(error->message, "at or near \".\"") != NULL) {
        hint = "a name with dots, such as an option, is written in double quotes: \"a.b.c\"";
    } else if (strstr(error->message, "memory exhausted") != NULL) {
        return weir_sql_fail(sql, at, NULL, "the statement nests too deep");
    }
    return weir_sql_fail(sql, at, hint, "%s", error->message);
}

static int scan(const struct weir_sql *sql, const char *text, struct parse *p)
{
    PgQueryScanResult result = pg_query_scan(text);
    PgQuery__ScanResult *tokens = NULL;
    int rc = WEIR_OK;

    if (result.error != NULL) {
        rc = report(sql, result.error);
        goto out;
    }
    tokens = pg_query__scan_result__unpack(NULL, result.pbuf.len, (uint8_t *)result.pbuf.data);
    p->tokens = tokens == NULL
                    ? NULL
                    : weir_arena_calloc(sql->arena, tokens->n_tokens + 1, sizeof(*p->tokens));
    if (p->tokens == NULL) {
        rc = weir_sql_no_memory(sql);
        goto out;
    }
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        const PgQuery__ScanToken *token = tokens->tokens[i];
        if (token->token != PG_QUERY__TOKEN__SQL_COMMENT &&
            token->token != PG_QUERY__TOKEN__C_COMMENT) {
            p->tokens[p->token_count++] = (struct parse_token){
                .at = (uint32_t)token->start,
                .end = (uint32_t)token->end,
                .token = (int)token->token,
                .is_keyword = token->keyword_kind != PG_QUERY__KEYWORD_KIND__NO_KEYWORD,
            };
        }
    }
out:
    if (tokens != NULL) {
        pg_query__scan_result__free_unpacked(tokens, NULL);
    }
    pg_query_free_scan_result(result);
    return rc;
}

/* What a token does to the nesting. A comma, AND, OR and the words of CASE begin a new part beside
 * the last one; UNION and JOIN build on everything before them. */
enum nesting_move {
    NESTING_GROW,
    NESTING_PUSH,
    NESTING_POP,
    NESTING_SIBLING,
    NESTING_STICK,
    NESTING_STATEMENT
};

static enum nesting_move nesting_move(int token)
{
    switch (token) {
    case '(':
    case '[':
    case PG_QUERY__TOKEN__CASE:
        return NESTING_PUSH;
    case ')':
    case ']':
    case PG_QUERY__TOKEN__END_P:
        return NESTING_POP;
    case ',':
    case PG_QUERY__TOKEN__AND:
    case PG_QUERY__TOKEN__OR:
    case PG_QUERY__TOKEN__WHEN:
    case PG_QUERY__TOKEN__THEN:
    case PG_QUERY__TOKEN__ELSE:
        return NESTING_SIBLING;
    case PG_QUERY__TOKEN__UNION:
    case PG_QUERY__TOKEN__INTERSECT:
    case PG_QUERY__TOKEN__EXCEPT:
    case PG_QUERY__TOKEN__JOIN:
        return NESTING_STICK;
    case ';':
        return NESTING_STATEMENT;
    default:
        return NESTING_GROW;
    }
}

/* P2: an upper bound of the depth of any tree that these tokens can make. */
static int check_nesting(const struct parse *p)
{
    uint32_t parts[SQL_NESTING_MAX + 1] = { 0 }; /* tokens of the open part, by bracket */
    uint32_t stuck[SQL_NESTING_MAX + 1] = { 0 };
    uint32_t level = 0, depth = 0;

    for (uint32_t i = 0; i < p->token_count; i++) {
        switch (nesting_move(p->tokens[i].token)) {
        case NESTING_STATEMENT:
            level = depth = 0;
            parts[0] = stuck[0] = 0;
            continue;
        case NESTING_POP:
            if (level > 0) {
                depth -= parts[level] + stuck[level] + 1;
                level--;
            }
            break;
        case NESTING_SIBLING:
            depth -= parts[level];
            parts[level] = 0;
            break;
        case NESTING_PUSH:
            level++;
            parts[level] = stuck[level] = 0;
            depth++;
            break;
        case NESTING_STICK:
            stuck[level]++;
            depth++;
            break;
        case NESTING_GROW:
            parts[level]++;
            depth++;
            break;
        }
        if (depth >= SQL_NESTING_MAX) { /* level <= depth, so parts[] has room */
            return weir_sql_fail(
                p->sql, p->tokens[i].at, "split the expression, or write it with fewer brackets",
                "the expression is too long or nests too deep (limit: %d tokens)", SQL_NESTING_MAX);
        }
    }
    return WEIR_OK;
}

int parse_text(const struct weir_sql *sql, struct parse *p, PgQuery__ParseResult **ret)
{
    char *text = weir_arena_copy(sql->arena, sql->text);
    PgQueryProtobufParseResult result;
    int rc;

    *p = (struct parse){ .sql = sql };
    if (text == NULL) {
        return weir_sql_no_memory(sql);
    }
    rc = check_text(sql);
    if (rc == WEIR_OK) {
        rc = scan(sql, text, p);
    }
    if (rc == WEIR_OK) {
        rc = check_nesting(p);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    result = pg_query_parse_protobuf(text);
    if (result.error != NULL) {
        rc = report(sql, result.error);
    } else {
        *ret = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                              (uint8_t *)result.parse_tree.data);
        rc = *ret == NULL ? weir_sql_no_memory(sql) : WEIR_OK;
    }
    pg_query_free_protobuf_parse_result(result);
    return rc;
}
