/* memory_faults.c: a memory database that breaks down on demand. See memory_sink.h. */
#include "base/assert.h"
#include "sink/memory_database.h"

void weir_memory_inject(struct weir_memory_database *database,
                        const struct weir_memory_injection *injection)
{
    if (injection == NULL) {
        database->injection_count = 0;
        return;
    }
    weir_assert(database->injection_count < WEIR_MEMORY_INJECTIONS_MAX);
    database->injections[database->injection_count++] = *injection;
}

void weir_memory_go_away(struct weir_memory_database *database, uint32_t count)
{
    database->away_count = count;
}

int weir_memory_reach(struct weir_memory_database *database, bool *ret_at_work,
                      struct weir_error *err)
{
    enum weir_memory_answer answer = WEIR_MEMORY_ANSWERS;

    if (database->away_count != 0) {
        database->away_count--;
        answer = WEIR_MEMORY_AWAY;
    } else if (database->play.call != NULL) {
        answer = database->play.call(database->play.context);
    }
    if (ret_at_work != NULL) {
        *ret_at_work = answer == WEIR_MEMORY_AT_WORK;
    }
    if (answer == WEIR_MEMORY_ANSWERS || (answer == WEIR_MEMORY_AT_WORK && ret_at_work != NULL)) {
        return WEIR_OK;
    }
    return weir_error_set(err, WEIR_EAWAY, "memory database \"%s\" does not answer",
                          database->name);
}

void weir_memory_play(struct weir_memory_database *database, const struct weir_memory_play *play)
{
    database->play = play == NULL ? (struct weir_memory_play){ 0 } : *play;
}

bool weir_memory_cuts(const struct weir_memory_database *database)
{
    return database->play.cut != NULL && database->play.cut(database->play.context);
}

bool weir_memory_decides_at_once(const struct weir_memory_database *database)
{
    return database->play.at_once != NULL && database->play.at_once(database->play.context);
}

void weir_memory_refuse(struct weir_memory_database *database, weir_memory_refuses refuses,
                        void *context)
{
    database->refuses = refuses;
    database->refuses_context = context;
}

bool weir_memory_row_refused(const struct weir_memory_database *database, const char *table,
                             const struct weir_record *origin)
{
    return database->refuses != NULL && database->refuses(database->refuses_context, table, origin);
}

void weir_memory_late_linger(struct weir_memory_database *database, bool linger)
{
    database->late_lingers = linger;
}

bool weir_memory_take_fault(struct weir_memory_database *database,
                            const struct weir_memory_commit *commit, enum weir_memory_fault *ret)
{
    for (uint32_t i = 0; i < database->injection_count; i++) {
        struct weir_memory_injection *injection = &database->injections[i];

        if (injection->count != 0 &&
            (injection->batch == 0 || injection->batch == commit->step->batch) &&
            (injection->partition == UINT32_MAX || injection->partition == commit->partition)) {
            injection->count--;
            *ret = injection->fault;
            return true;
        }
    }
    return database->play.commit != NULL &&
           database->play.commit(database->play.context, commit->step->batch, commit->partition,
                                 ret);
}
