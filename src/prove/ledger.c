/* ledger.c: writes down what was sent, and reads it back for the verdict. */
#include "prove/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prove_ledger {
    FILE *file;
};

int prove_ledger_create(const char *path, struct prove_ledger **ret, struct weir_error *err)
{
    struct prove_ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the list of what is sent");
    }
    ledger->file = fopen(path, "wxe");
    if (ledger->file == NULL) {
        free(ledger);
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot create %s", path);
    }
    *ret = ledger;
    return WEIR_OK;
}

void prove_ledger_add(struct prove_ledger *ledger, uint64_t id, int32_t partition, int64_t offset)
{
    if (offset < 0) {
        (void)fprintf(ledger->file, "%" PRIu64 "\t%" PRId32 "\t?\n", id, partition);
    } else {
        (void)fprintf(ledger->file, "%" PRIu64 "\t%" PRId32 "\t%" PRId64 "\n", id, partition,
                      offset); /* flush() finds out about failures */
    }
}

int prove_ledger_flush(struct prove_ledger *ledger, struct weir_error *err)
{
    if (fflush(ledger->file) != 0 || ferror(ledger->file) != 0) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot write down what was sent");
    }
    return WEIR_OK;
}

void prove_ledger_close(struct prove_ledger *ledger)
{
    if (ledger != NULL) {
        (void)fclose(ledger->file); /* flushed before, where it matters */
        free(ledger);
    }
}

/* One line into its entry. */
static bool read_line(const char *line, uint64_t count, struct prove_sent *sent)
{
    char offset[32];
    uint64_t id;
    int32_t partition;

    if (sscanf(line, "%" SCNu64 "\t%" SCNd32 "\t%31s", &id, &partition, offset) != 3 ||
        id >= count || sent[id].state != PROVE_NOT_SENT) {
        return false;
    }
    sent[id] = (struct prove_sent){
        .offset = offset[0] == '?' ? -1 : strtoll(offset, NULL, 10),
        .partition = partition,
        .state = offset[0] == '?' ? PROVE_UNSURE : PROVE_SENT,
    };
    return true;
}

int prove_ledger_read(const char *path, uint64_t count, struct prove_sent **ret_sent,
                      struct weir_error *err)
{
    struct prove_sent *sent = calloc(count + 1, sizeof(*sent));
    FILE *file = fopen(path, "re");
    char line[128];
    int rc = WEIR_OK;

    if (sent == NULL || file == NULL) {
        rc = sent == NULL ? weir_error_set(err, WEIR_ENOMEM, "no memory for what was sent")
                          : weir_error_set_errno(err, WEIR_EIO, errno, "cannot read %s", path);
    }
    while (rc == WEIR_OK && fgets(line, sizeof(line), file) != NULL) {
        if (!read_line(line, count, sent)) {
            rc = weir_error_set(err, WEIR_ECORRUPT, "%s: not a line of ours: %.60s", path, line);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (rc != WEIR_OK) {
        free(sent);
        return rc;
    }
    *ret_sent = sent;
    return WEIR_OK;
}
