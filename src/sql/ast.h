/* ast.h: what a pipeline file says, before any name or type in it is looked up.
 *
 * Made by parse.c alone, read by the binders. Everything lies in the plan's arena. `at` is a byte
 * offset in the file. Names are as PostgreSQL's grammar hands them over: folded to lower case
 * unless quoted. */
#ifndef WEIR_SQL_AST_H
#define WEIR_SQL_AST_H

#include "base/str.h"
#include "sql/report.h"

enum ast_kind {
    AST_COLUMN,     /* text; qualifier when it is "t.c" */
    AST_STAR,       /* * or t.*; a target only */
    AST_STRING,     /* text: a literal whose type is not known yet */
    AST_NUMBER,     /* text: digits as written, with a sign when negative */
    AST_BOOL,       /* truth */
    AST_NULL,       /* - */
    AST_OPERATOR,   /* text: "+"; one argument (prefix) or two */
    AST_FUNCTION,   /* text: "lower" */
    AST_CAST,       /* args[0] to type */
    AST_AND,        /* two or more arguments */
    AST_OR,         /* two or more arguments */
    AST_NOT,        /* one argument */
    AST_IS_NULL,    /* negated: IS NOT NULL */
    AST_IS_TRUE,    /* negated: IS NOT TRUE */
    AST_IS_FALSE,   /* negated: IS NOT FALSE */
    AST_IS_UNKNOWN, /* negated: IS NOT UNKNOWN */
    AST_DISTINCT,   /* negated: IS NOT DISTINCT FROM */
    AST_BETWEEN,    /* args: value, low, high; negated; symmetric */
    AST_IN,         /* args[0] IN (args[1..]); negated */
    AST_NULLIF,     /* two arguments */
    AST_COALESCE,   /* one or more */
    AST_CASE, /* args: condition, value, ..., else (NULL: none); operand when it is CASE x WHEN */
    AST_NOW,  /* type: what CURRENT_TIMESTAMP(n), CURRENT_DATE ... yield */
};

/* A type as written: PostgreSQL's own name for it ("int4" for integer). */
struct ast_type {
    struct weir_str name;
    int32_t mods[2];
    uint32_t mod_count;
    uint32_t at;
};

struct ast_expr {
    enum ast_kind kind;
    uint32_t at;
    struct weir_str text, qualifier;
    bool truth, negated, symmetric;
    struct ast_type type;
    struct ast_expr *operand;
    struct ast_expr **args;
    uint32_t arg_count;
};

struct ast_name {
    struct weir_str text;
    uint32_t at;
};

/* A table's name as written; schema is empty when there is none. */
struct ast_table_name {
    struct weir_str schema, name;
    uint32_t at;
};

struct ast_column {
    struct weir_str name;
    uint32_t at;
    struct ast_type type;
    bool not_null;
    bool is_key; /* PRIMARY KEY behind the column itself */
};

/* name = value of SET and of WITH (...). Only string literals may hold ${VAR}. */
struct ast_option {
    struct weir_str name, text;
    uint32_t at;
    bool is_string;
};

struct ast_create {
    struct ast_table_name table;
    struct ast_column *columns;
    uint32_t column_count;
    struct ast_name *keys; /* PRIMARY KEY (...) as a clause of its own */
    uint32_t key_count;
    uint32_t key_at;
    struct ast_option *options;
    uint32_t option_count;
};

struct ast_target {
    struct ast_expr *expr;
    uint32_t at;
};

struct ast_insert {
    struct ast_table_name table;
    uint32_t at;
    struct ast_name *columns; /* none: all, in the table's order */
    uint32_t column_count;
    struct ast_target *targets;
    uint32_t target_count;
    struct ast_table_name from;
    bool has_from;
    struct weir_str alias; /* empty: the table's own name */
    struct ast_expr *where;
};

struct ast_file {
    struct ast_option *sets;
    struct ast_create *creates;
    struct ast_insert *inserts;
    uint32_t set_count, create_count, insert_count;
};

enum {
    SQL_FILE_BYTES_MAX = 1024 * 1024,
    SQL_NESTING_MAX = 1000, /* tokens on the way from a statement to its innermost expression */
};

/* Parses the text of sql. What weir does not build is refused by name. WEIR_ECONFIG. */
int weir_sql_parse(const struct weir_sql *sql, struct ast_file *ret);
/* The same for the targets of one "SELECT ..." without FROM or a file of their own. */
int weir_sql_parse_select(const struct weir_sql *sql, struct ast_insert *ret);

#endif
