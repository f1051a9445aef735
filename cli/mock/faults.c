#include "mock/faults.h"

#include <string.h>

static const struct {
    const char *word;
    const char *what;
} kinds[MOCK_FAULT_KINDS] = {
#define X(name, word, what) {word, what},
    MOCK_FAULT_MAP(X)
#undef X
};

const char *mock_fault_word(enum mock_fault kind)
{
    return kinds[kind].word;
}

const char *mock_fault_what(enum mock_fault kind)
{
    return kinds[kind].what;
}

enum mock_fault mock_fault_find(const char *word, size_t len)
{
    for (int i = 0; i < MOCK_FAULT_KINDS; i++)
        if (strlen(kinds[i].word) == len && memcmp(kinds[i].word, word, len) == 0)
            return (enum mock_fault)i;
    return MOCK_FAULT_NONE;
}

enum mock_fault mock_faults_pick(const struct mock_faults *faults, double draw)
{
    double upto = 0;

    for (int i = 0; i < MOCK_FAULT_KINDS; i++) {
        upto += faults->share[i];
        if (draw < upto)
            return (enum mock_fault)i;
    }
    return MOCK_FAULT_NONE;
}
