/*
 * JSON made up by a JSON schema, as a model's structured answer.
 */
#ifndef WEIR_MOCK_SCHEMA_H
#define WEIR_MOCK_SCHEMA_H

#include <stdbool.h>

#include "mock/json.h"

/* Values that the schema allows, chosen by a number: types, properties, items, enum, const,
 * minimum, maximum, anyOf, oneOf and $ref to what is in the schema; all else in it is not looked
 * at. All properties are there. With `misfit` one of an object's is missing or null. See json.h
 * about failure. */
cJSON *mock_schema_answer(const cJSON *schema, uint64_t choice, bool misfit);

#endif
