/* json_index.h: where the structure of a JSON text is: simdjson's first stage behind a C interface.
 *
 * Only the first stage is simdjson's: it checks UTF-8, quotes and control characters of the whole text and finds
 * every character that matters, 64 at a time. The second stage, which knows the columns, is ours
 * (json_text.c): simdjson's on-demand interface checks only what it visits, its DOM loses the digits of
 * numbers, and both let a key stand twice. */
#ifndef WEIR_FORMAT_JSON_INDEX_H
#define WEIR_FORMAT_JSON_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_indexer;

enum json_index_result {
    JSON_INDEX_OK,
    JSON_INDEX_NO_MEMORY,
    JSON_INDEX_EMPTY, /* nothing but white space */
    JSON_INDEX_BAD_UTF8,
    JSON_INDEX_UNCLOSED_STRING,
    JSON_INDEX_CONTROL_CHARACTER, /* below 0x20, inside a string */
    JSON_INDEX_BAD_TEXT,          /* anything else that simdjson says */
};

/* NULL without memory. */
struct json_indexer *json_indexer_new(void);
void json_indexer_free(struct json_indexer *indexer);

/* Finds each of { } [ ] : , outside of strings and the first character of each string and of each other
 * value, rising. (*ret_at)[*ret_count] is bytes, the end of the text. Valid until the next call. 64
 * bytes behind the text are readable. */
enum json_index_result json_index(struct json_indexer *indexer, const char *text, size_t bytes,
                                  const uint32_t **ret_at, uint32_t *ret_count);
/* Gives back the memory of an unusually long text. */
void json_indexer_trim(struct json_indexer *indexer);

#ifdef __cplusplus
}
#endif

#endif
