/* weir/export.h: marks of the public interface. */
#ifndef WEIR_EXPORT_H
#define WEIR_EXPORT_H

#define WEIR_API __attribute__((visibility("default")))
#define WEIR_MUST_CHECK __attribute__((warn_unused_result))
#define WEIR_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))

#endif
