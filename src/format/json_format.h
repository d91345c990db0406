/* json_format.h: one JSON object a message. */
#ifndef WEIR_FORMAT_JSON_FORMAT_H
#define WEIR_FORMAT_JSON_FORMAT_H

#include "format/format.h"

extern const struct weir_format_ops weir_json_format_ops;

#endif
