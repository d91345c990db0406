/* raw_format.h: the message as it is. */
#ifndef WEIR_FORMAT_RAW_FORMAT_H
#define WEIR_FORMAT_RAW_FORMAT_H

#include "format/format.h"

extern const struct weir_format_ops weir_raw_format_ops;

#endif
