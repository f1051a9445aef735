#include "mock/words.h"

#include "mock/text.h"

enum kind { OPENER, ADJECTIVE, NOUN, VERB, LINK };

/* Sixteen of each, so a choice takes four bits; the openers have two words. */
static const char *const lists[][16] = {
    [OPENER] = {"In short,", "Put simply,", "As ever,", "Most often,", "After all,", "At first,",
                "In time,", "For now,", "By day,", "At night,", "Quite rightly,", "Once more,",
                "Of course,", "At last,", "Above all,", "Up close,"},
    [ADJECTIVE] = {"quiet", "steady", "narrow", "clear", "broad", "patient", "sudden", "early",
                   "old", "deep", "bright", "gentle", "distant", "heavy", "slow", "plain"},
    [NOUN] = {"river", "bridge", "harbour", "mill", "valley", "stream", "lantern", "garden",
              "meadow", "ferry", "village", "orchard", "road", "tide", "lake", "tower"},
    [VERB] = {"carries", "follows", "shapes", "meets", "leaves", "crosses", "holds", "turns",
              "joins", "passes", "feeds", "faces", "guards", "reaches", "borders", "mirrors"},
    [LINK] = {"beside", "beyond", "under", "before", "along", "behind", "toward", "around", "near",
              "above", "below", "past", "across from", "outside", "opposite", "inside"},
};

static void pick(struct mock_text *text, enum kind kind, uint64_t *choice)
{
    mock_text_str(text, lists[kind][*choice & 15]);
    *choice >>= 4;
}

/* "the quiet river" */
static void put_thing(struct mock_text *text, uint64_t *choice)
{
    mock_text_str(text, " the ");
    pick(text, ADJECTIVE, choice);
    mock_text_put(text, " ", 1);
    pick(text, NOUN, choice);
}

static void compose(struct mock_text *text, uint64_t choice)
{
    bool second = choice & 1;

    choice >>= 1;
    pick(text, OPENER, &choice);
    put_thing(text, &choice);
    mock_text_put(text, " ", 1);
    pick(text, VERB, &choice);
    put_thing(text, &choice);
    mock_text_put(text, " ", 1);
    pick(text, LINK, &choice);
    mock_text_str(text, " the ");
    pick(text, NOUN, &choice);
    mock_text_put(text, ".", 1);
    if (!second)
        return;
    mock_text_str(text, " Nobody ");
    pick(text, VERB, &choice);
    put_thing(text, &choice);
    mock_text_put(text, ".", 1);
}

bool mock_words_write(char text[MOCK_WORDS_MAX], size_t max, uint64_t choice)
{
    struct mock_text all = mock_text_over(text, MOCK_WORDS_MAX);

    compose(&all, choice);
    mock_text_end(&all);
    if (all.len <= max)
        return true;
    all.len = max;
    while (all.len > 0 && text[all.len] != ' ')
        all.len--;
    text[all.len ? all.len : max] = '\0';
    return false;
}
