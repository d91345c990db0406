/* parse.c: the statements of a pipeline file as our own tree.
 *
 * P1  as in parse_node.h: what is not built is refused by name, never ignored.
 * Checked by tests/unit/sql/test_refusals.c, test_plan.c and test_mutations.c. */
#include <ctype.h>
#include <stdio.h>

#include "sql/parse_node.h"

static const ProtobufCMessage *base_of(const void *message)
{
    return message;
}

/* The words by which a statement is known: its first keyword, and the next one where that alone
 * says little. */
static const char *statement_words(const struct parse *p)
{
    struct weir_str text = p->sql->text;
    uint32_t i = 0;

    while (i < p->token_count && p->tokens[i].at < p->statement_at) {
        i++;
    }
    uint32_t end = p->tokens[i].end;
    bool vague = text.data[p->statement_at] != '(' && i + 1 < p->token_count &&
                 strchr("CADcad", text.data[p->statement_at]) != NULL &&
                 p->tokens[i + 1].is_keyword && p->tokens[i + 1].end <= p->statement_end;
    if (vague) {
        end = p->tokens[i + 1].end;
    }
    char *words = weir_arena_copy(
        p->sql->arena, (struct weir_str){ text.data + p->statement_at, end - p->statement_at });
    for (char *c = words; c != NULL && *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return words == NULL ? "this" : words;
}

static int parse_table_name(const struct parse *p, const PgQuery__RangeVar *from, bool is_target,
                            struct ast_table_name *ret, struct weir_str *ret_alias)
{
    uint32_t at = parse_locate(base_of(from), p->statement_at);
    int rc = parse_check_fields(p, base_of(from), at,
                                is_target ? "schemaname relname inh relpersistence"
                                          : "schemaname relname inh relpersistence alias");

    if (rc == WEIR_OK && !from->inh) {
        return parse_refuse(p, p->statement_at, "ONLY");
    }
    if (rc == WEIR_OK && strcmp(from->relpersistence, "p") != 0) {
        return parse_refuse(p, p->statement_at,
                            from->relpersistence[0] == 't' ? "TEMPORARY" : "UNLOGGED");
    }
    if (rc == WEIR_OK && from->alias != NULL) {
        rc = parse_check_fields(p, base_of(from->alias), at, "aliasname");
        *ret_alias = parse_copy(p, from->alias->aliasname);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = (struct ast_table_name){ .schema = parse_copy(p, from->schemaname),
                                    .name = parse_copy(p, from->relname),
                                    .at = at };
    return ret->name.data == NULL ? weir_sql_no_memory(p->sql) : WEIR_OK;
}

static int parse_set(const struct parse *p, const PgQuery__VariableSetStmt *stmt,
                     struct ast_option *ret)
{
    const PgQuery__AConst *value;
    char digits[16];
    int rc = parse_check_fields(p, base_of(stmt), p->statement_at, "kind name args");

    if (rc != WEIR_OK) {
        return rc;
    }
    if (stmt->kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE || stmt->n_args != 1 ||
        stmt->args[0]->node_case != PG_QUERY__NODE__NODE_A_CONST) {
        return weir_sql_fail(p->sql, p->statement_at, "write SET pipeline.name = 'value'",
                             "this form of %s is not supported yet", statement_words(p));
    }
    value = stmt->args[0]->a_const;
    /* The statement has no place for its name: point at the value, which is what is wrong when
     * something is; an unknown name is the word behind SET. */
    *ret = (struct ast_option){ .name = parse_copy(p, stmt->name), .at = p->statement_at };
    switch (value->val_case) {
    case PG_QUERY__A__CONST__VAL_SVAL:
        ret->text = parse_copy(p, value->sval->sval);
        ret->is_string = true;
        break;
    case PG_QUERY__A__CONST__VAL_FVAL:
        ret->text = parse_copy(p, value->fval->fval);
        break;
    case PG_QUERY__A__CONST__VAL_IVAL:
        (void)snprintf(digits, sizeof(digits), "%d", value->ival->ival);
        ret->text = parse_copy(p, digits);
        break;
    default:
        return weir_sql_fail(p->sql, p->statement_at, NULL, "SET takes a string or a number");
    }
    for (uint32_t i = 0; i + 1 < p->token_count; i++) {
        if (p->tokens[i].at == p->statement_at) {
            ret->at = p->tokens[i + 1].at;
        }
    }
    return ret->name.data == NULL || ret->text.data == NULL ? weir_sql_no_memory(p->sql) : WEIR_OK;
}

static int parse_option(const struct parse *p, const PgQuery__DefElem *element,
                        struct ast_option *ret)
{
    uint32_t at = parse_locate(base_of(element), p->statement_at);
    const PgQuery__Node *arg = element->arg;
    char digits[16];

    *ret = (struct ast_option){ .name = parse_copy(p, element->defname), .at = at };
    if (element->defnamespace != NULL && element->defnamespace[0] != '\0') {
        ret->name = weir_str_from(
            weir_sql_format(p->sql, "%s.%s", element->defnamespace, element->defname));
    }
    switch (arg == NULL ? PG_QUERY__NODE__NODE__NOT_SET : arg->node_case) {
    case PG_QUERY__NODE__NODE_STRING:
        ret->text = parse_copy(p, arg->string->sval);
        ret->is_string = true;
        break;
    case PG_QUERY__NODE__NODE_INTEGER:
        (void)snprintf(digits, sizeof(digits), "%d", arg->integer->ival);
        ret->text = parse_copy(p, digits);
        break;
    case PG_QUERY__NODE__NODE_FLOAT:
        ret->text = parse_copy(p, arg->float_->fval);
        break;
    default:
        return weir_sql_fail(
            p->sql, at, weir_sql_format(p->sql, "write %s = '...'", element->defname),
            "the value of option \"%s\" must be a string or a number", element->defname);
    }
    return ret->name.data == NULL || ret->text.data == NULL ? weir_sql_no_memory(p->sql) : WEIR_OK;
}

static const char *constraint_words(PgQuery__ConstrType type)
{
    switch (type) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT:
        return "DEFAULT";
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        return "GENERATED AS IDENTITY";
    case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED:
        return "GENERATED";
    case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK:
        return "CHECK";
    case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE:
        return "UNIQUE";
    case PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION:
        return "EXCLUDE";
    case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN:
        return "a foreign key";
    default:
        return "a deferrable constraint";
    }
}

static int parse_column_constraint(const struct parse *p, const PgQuery__Constraint *constraint,
                                   struct ast_column *column)
{
    uint32_t at = parse_locate(base_of(constraint), column->at);

    switch (constraint->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NULL:
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
        column->not_null = true;
        break;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
        column->is_key = true;
        break;
    default:
        return weir_sql_fail(p->sql, at, "the sink's own table may have it; here, leave it out",
                             "%s is not supported yet", constraint_words(constraint->contype));
    }
    return parse_check_fields(p, base_of(constraint), at, "contype initially_valid");
}

static int parse_column_def(const struct parse *p, const PgQuery__ColumnDef *def,
                            struct ast_column *ret)
{
    uint32_t at = parse_locate(base_of(def), p->statement_at);
    int rc = parse_check_fields(p, base_of(def), at, "colname type_name is_local constraints");

    *ret = (struct ast_column){ .name = parse_copy(p, def->colname), .at = at };
    if (rc == WEIR_OK) {
        rc = parse_type(p, def->type_name, &ret->type);
    }
    for (size_t i = 0; rc == WEIR_OK && i < def->n_constraints; i++) {
        rc = parse_column_constraint(p, def->constraints[i]->constraint, ret);
    }
    return rc == WEIR_OK && ret->name.data == NULL ? weir_sql_no_memory(p->sql) : rc;
}

/* A constraint beside the columns: PRIMARY KEY (a, b) only. */
static int parse_table_constraint(const struct parse *p, const PgQuery__Constraint *constraint,
                                  struct ast_create *ret)
{
    uint32_t at = parse_locate(base_of(constraint), p->statement_at);
    int rc;

    if (constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) {
        return weir_sql_fail(p->sql, at, "the sink's own table may have it; here, leave it out",
                             "%s is not supported yet", constraint_words(constraint->contype));
    }
    if (ret->key_count > 0) {
        return weir_sql_fail(p->sql, at, NULL, "multiple primary keys for table \"%.*s\"",
                             WEIR_STR_ARG(ret->table.name));
    }
    rc = parse_check_fields(p, base_of(constraint), at, "contype keys initially_valid");
    ret->keys = weir_arena_calloc(p->sql->arena, constraint->n_keys + 1, sizeof(*ret->keys));
    if (rc != WEIR_OK || ret->keys == NULL) {
        return rc != WEIR_OK ? rc : weir_sql_no_memory(p->sql);
    }
    ret->key_at = at;
    for (size_t i = 0; i < constraint->n_keys; i++) {
        ret->keys[ret->key_count++] =
            (struct ast_name){ parse_copy(p, parse_string_of(constraint->keys[i])), at };
    }
    return WEIR_OK;
}

static int parse_create(const struct parse *p, const PgQuery__CreateStmt *stmt,
                        struct ast_create *ret)
{
    int rc;

    if (stmt->partbound != NULL) { /* comes with a parent, which would be called INHERITS */
        return parse_refuse(p, p->statement_at, "PARTITION OF");
    }
    rc = parse_check_fields(p, base_of(stmt), p->statement_at,
                            "relation table_elts options oncommit");
    if (rc == WEIR_OK && stmt->oncommit != PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_NOOP) {
        return parse_refuse(p, p->statement_at, "ON COMMIT");
    }
    if (rc == WEIR_OK) {
        rc = parse_table_name(p, stmt->relation, true, &ret->table, NULL);
    }
    ret->columns = weir_arena_calloc(p->sql->arena, stmt->n_table_elts + 1, sizeof(*ret->columns));
    ret->options = weir_arena_calloc(p->sql->arena, stmt->n_options + 1, sizeof(*ret->options));
    if (ret->columns == NULL || ret->options == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    for (size_t i = 0; rc == WEIR_OK && i < stmt->n_table_elts; i++) {
        const PgQuery__Node *element = stmt->table_elts[i];
        if (element->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF) {
            rc = parse_column_def(p, element->column_def, &ret->columns[ret->column_count++]);
        } else if (element->node_case == PG_QUERY__NODE__NODE_CONSTRAINT) {
            rc = parse_table_constraint(p, element->constraint, ret);
        } else {
            rc = parse_refuse_node(p, element, p->statement_at);
        }
    }
    for (size_t i = 0; rc == WEIR_OK && i < stmt->n_options; i++) {
        rc = parse_option(p, stmt->options[i]->def_elem, &ret->options[ret->option_count++]);
    }
    return rc;
}

static int parse_targets(const struct parse *p, const PgQuery__SelectStmt *select,
                         struct ast_insert *ret)
{
    int rc = WEIR_OK;

    ret->targets =
        weir_arena_calloc(p->sql->arena, select->n_target_list + 1, sizeof(*ret->targets));
    if (ret->targets == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    for (size_t i = 0; rc == WEIR_OK && i < select->n_target_list; i++) {
        const PgQuery__ResTarget *target = select->target_list[i]->res_target;
        struct ast_target *to = &ret->targets[ret->target_count++];

        to->at = parse_locate(base_of(target), p->statement_at);
        /* An output name (AS x) means nothing here: INSERT goes by position, as in PostgreSQL. */
        rc = parse_check_fields(p, base_of(target), to->at, "name val");
        if (rc == WEIR_OK) {
            rc = parse_expr(p, target->val, &to->expr);
        }
    }
    return rc;
}

static int parse_select(const struct parse *p, const PgQuery__SelectStmt *select,
                        struct ast_insert *ret)
{
    int rc;

    if (select->op != PG_QUERY__SET_OPERATION__SETOP_NONE) {
        return parse_refuse(p, p->statement_at,
                            select->op == PG_QUERY__SET_OPERATION__SETOP_UNION       ? "UNION"
                            : select->op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT ? "INTERSECT"
                                                                                     : "EXCEPT");
    }
    rc = parse_check_fields(p, base_of(select), p->statement_at,
                            "target_list from_clause where_clause limit_option op");
    if (rc == WEIR_OK && select->n_from_clause > 1) {
        const ProtobufCMessage *second = parse_node_message(select->from_clause[1]);
        return parse_refuse(p, parse_locate(second, p->statement_at), "a second table in FROM");
    }
    if (rc == WEIR_OK && select->n_from_clause == 1) {
        const PgQuery__Node *from = select->from_clause[0];
        if (from->node_case != PG_QUERY__NODE__NODE_RANGE_VAR) {
            return parse_refuse_node(p, from, p->statement_at);
        }
        ret->has_from = true;
        rc = parse_table_name(p, from->range_var, false, &ret->from, &ret->alias);
    }
    if (rc == WEIR_OK) {
        rc = parse_targets(p, select, ret);
    }
    if (rc == WEIR_OK && select->where_clause != NULL) {
        rc = parse_expr(p, select->where_clause, &ret->where);
    }
    return rc;
}

static int parse_insert(const struct parse *p, const PgQuery__InsertStmt *stmt,
                        struct ast_insert *ret)
{
    int rc =
        parse_check_fields(p, base_of(stmt), p->statement_at, "relation cols select_stmt override");

    ret->at = p->statement_at;
    if (rc == WEIR_OK && stmt->override != PG_QUERY__OVERRIDING_KIND__OVERRIDING_NOT_SET) {
        return parse_refuse(p, p->statement_at, "OVERRIDING");
    }
    if (rc == WEIR_OK && stmt->select_stmt == NULL) {
        return parse_refuse(p, p->statement_at, "DEFAULT VALUES");
    }
    if (rc == WEIR_OK) {
        rc = parse_table_name(p, stmt->relation, true, &ret->table, NULL);
    }
    ret->columns = weir_arena_calloc(p->sql->arena, stmt->n_cols + 1, sizeof(*ret->columns));
    if (ret->columns == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    for (size_t i = 0; rc == WEIR_OK && i < stmt->n_cols; i++) {
        const PgQuery__ResTarget *column = stmt->cols[i]->res_target;
        uint32_t at = parse_locate(base_of(column), p->statement_at);

        rc = parse_check_fields(p, base_of(column), at, "name");
        ret->columns[ret->column_count++] = (struct ast_name){ parse_copy(p, column->name), at };
    }
    return rc == WEIR_OK ? parse_select(p, stmt->select_stmt->select_stmt, ret) : rc;
}

static int parse_statement(struct parse *p, const PgQuery__RawStmt *raw, struct ast_file *ret)
{
    const PgQuery__Node *stmt = raw->stmt;
    uint32_t i = 0;

    while (i + 1 < p->token_count && p->tokens[i].at < (uint32_t)raw->stmt_location) {
        i++;
    }
    p->statement_at = p->tokens[i].at;
    p->statement_end = raw->stmt_len == 0 ? (uint32_t)p->sql->text.len
                                          : (uint32_t)(raw->stmt_location + raw->stmt_len);
    switch (stmt->node_case) {
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        return parse_set(p, stmt->variable_set_stmt, &ret->sets[ret->set_count++]);
    case PG_QUERY__NODE__NODE_CREATE_STMT:
        return parse_create(p, stmt->create_stmt, &ret->creates[ret->create_count++]);
    case PG_QUERY__NODE__NODE_INSERT_STMT:
        return parse_insert(p, stmt->insert_stmt, &ret->inserts[ret->insert_count++]);
    default:
        return weir_sql_fail(p->sql, p->statement_at,
                             "a pipeline file holds SET, CREATE TABLE ... WITH (...) and "
                             "INSERT INTO ... SELECT",
                             "%s is not supported yet", statement_words(p));
    }
}

int weir_sql_parse(const struct weir_sql *sql, struct ast_file *ret)
{
    PgQuery__ParseResult *tree = NULL;
    struct parse p;
    int rc = parse_text(sql, &p, &tree);

    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = (struct ast_file){
        .sets = weir_arena_calloc(sql->arena, tree->n_stmts + 1, sizeof(*ret->sets)),
        .creates = weir_arena_calloc(sql->arena, tree->n_stmts + 1, sizeof(*ret->creates)),
        .inserts = weir_arena_calloc(sql->arena, tree->n_stmts + 1, sizeof(*ret->inserts)),
    };
    if (ret->sets == NULL || ret->creates == NULL || ret->inserts == NULL) {
        rc = weir_sql_no_memory(sql);
    }
    for (size_t i = 0; rc == WEIR_OK && i < tree->n_stmts; i++) {
        rc = parse_statement(&p, tree->stmts[i], ret);
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    return rc;
}

int weir_sql_parse_select(const struct weir_sql *sql, struct ast_insert *ret)
{
    PgQuery__ParseResult *tree = NULL;
    struct parse p;
    int rc = parse_text(sql, &p, &tree);

    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = (struct ast_insert){ 0 };
    p.statement_end = (uint32_t)sql->text.len;
    if (tree->n_stmts != 1 || tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        rc = weir_sql_fail(sql, 0, NULL, "exactly one SELECT is expected");
    } else {
        rc = parse_select(&p, tree->stmts[0]->stmt->select_stmt, ret);
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    return rc;
}
