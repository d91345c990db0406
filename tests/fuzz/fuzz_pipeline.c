/* fuzz_pipeline.c: a pipeline file with anything in it gives a plan or a message, never a crash.
 *
 * Input: the file's text. A plan is also explained. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/sql/fake_registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct weir_plan *plan = NULL;
    struct weir_error err = { 0 };
    struct weir_buf shown = { 0 };

    int rc = weir_plan_make("f.sql", (struct weir_str){ (const char *)data, len }, &fake_registry,
                            NULL, 0, &plan, &err);
    if (rc == WEIR_OK) {
        weir_plan_explain(plan, &shown);
        weir_assert(shown.len > 0);
    } else {
        weir_assert(rc == WEIR_ECONFIG && strncmp(err.text, "f.sql:", 6) == 0);
    }
    weir_buf_fini(&shown);
    weir_plan_free(plan);
    return 0;
}
