/* json_index.cc: the only file that knows simdjson, and the only one in C++.
 *
 * The implementation for this machine's processor is chosen by simdjson at run time. */
#include "format/json_index.h"

#include <simdjson.h>

namespace
{
constexpr size_t kUsualBytes = 64 << 10;
constexpr size_t kDepth = 1; /* of a second stage that is never run */

using implementation = simdjson::internal::dom_parser_implementation;
} // namespace

struct json_indexer {
    std::unique_ptr<implementation> parser;
};

static bool make_room(json_indexer *indexer, size_t bytes)
{
    return indexer->parser->allocate(bytes, kDepth) == simdjson::SUCCESS;
}

json_indexer *json_indexer_new(void)
{
    auto *indexer = new (std::nothrow) json_indexer;

    if (indexer != nullptr &&
        simdjson::get_active_implementation()->create_dom_parser_implementation(
            kUsualBytes, kDepth, indexer->parser) != simdjson::SUCCESS) {
        delete indexer;
        return nullptr;
    }
    return indexer;
}

void json_indexer_free(json_indexer *indexer)
{
    delete indexer;
}

static json_index_result translate(simdjson::error_code code)
{
    switch (code) {
    case simdjson::SUCCESS:
        return JSON_INDEX_OK;
    case simdjson::EMPTY:
        return JSON_INDEX_EMPTY;
    case simdjson::UTF8_ERROR:
        return JSON_INDEX_BAD_UTF8;
    case simdjson::UNCLOSED_STRING:
        return JSON_INDEX_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS:
        return JSON_INDEX_CONTROL_CHARACTER;
    default:
        return JSON_INDEX_BAD_TEXT;
    }
}

json_index_result json_index(json_indexer *indexer, const char *text, size_t bytes,
                             const uint32_t **ret_at, uint32_t *ret_count)
{
    if (bytes == 0) {
        return JSON_INDEX_EMPTY;
    }
    if (bytes > indexer->parser->capacity() && !make_room(indexer, bytes)) {
        return JSON_INDEX_NO_MEMORY;
    }
    json_index_result result = translate(indexer->parser->stage1(
        reinterpret_cast<const uint8_t *>(text), bytes, simdjson::stage1_mode::regular));
    *ret_at = indexer->parser->structural_indexes.get();
    *ret_count = indexer->parser->n_structural_indexes;
    return result;
}

void json_indexer_trim(json_indexer *indexer)
{
    if (indexer->parser->capacity() > kUsualBytes) {
        /* To less memory; should even that fail, the next text asks again. */
        (void)make_room(indexer, kUsualBytes);
    }
}
