#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mock/answers.h"
#include "mock/chance.h"
#include "mock/text.h"

#define DIMENSIONS_DEFAULT 8 /* few, for a rehearsal pays for every number */
#define DIMENSIONS_MAX     3072
#define INPUTS_MAX         2048
#define NUMBERS_MAX        262144 /* in one answer: one may hold the others up for about 50 ms */
#define NUMBER_TEXT_MAX    16

struct embed {
    const char *model;
    const cJSON *input;
    int dimensions;
    bool base64;
    uint64_t tokens;
};

static bool all_numbers(const cJSON *array)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsNumber(item))
            return false;
    }
    return cJSON_IsArray(array) && array->child;
}

/* One input is a text, or an array of tokens, which are numbers. */
static bool is_one(const cJSON *input)
{
    return (cJSON_IsString(input) && input->valuestring[0]) || all_numbers(input);
}

static uint64_t hash_input(struct embed *embed, const cJSON *input)
{
    uint64_t hash = mock_hash(embed->model, strlen(embed->model), 0);
    const cJSON *token;

    if (cJSON_IsString(input)) {
        embed->tokens += mock_answer_tokens(mock_answer_characters(input->valuestring));
        return mock_hash(input->valuestring, strlen(input->valuestring), hash);
    }
    cJSON_ArrayForEach(token, input)
    {
        hash = mock_hash(&token->valuedouble, sizeof(token->valuedouble), hash);
        embed->tokens++;
    }
    return hash;
}

/* Fills `vector` with a direction chosen by the hash, of length 1. */
static void make_vector(double *vector, int dimensions, uint64_t hash)
{
    double square = 0;

    for (int i = 0; i < dimensions; i++) {
        uint64_t bits = mock_mix(hash + (uint64_t)i);

        vector[i] = (double)(bits >> 11) * 0x1p-52 - 1 + 0x1p-53; /* (-1, 1), never 0 */
        square += vector[i] * vector[i];
    }
    for (int i = 0; i < dimensions; i++)
        vector[i] /= sqrt(square);
}

/* As text at once: a cJSON value per number would cost many times as much. */
static cJSON *float_vector(const double *vector, int dimensions)
{
    size_t max = (size_t)dimensions * NUMBER_TEXT_MAX + 3;
    char *memory = mock_json_alloc(max);
    struct mock_text text;
    char number[NUMBER_TEXT_MAX];

    if (!memory)
        return NULL;
    text = mock_text_over(memory, max);
    for (int i = 0; i < dimensions; i++) {
        snprintf(number, sizeof(number), "%c%.9f", i ? ',' : '[', vector[i]);
        mock_text_str(&text, number);
    }
    mock_text_put(&text, "]", 1);
    mock_text_end(&text);
    return cJSON_CreateRaw(memory);
}

static void base64_write(struct mock_text *text, const unsigned char *from, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned word = (unsigned)from[i] << 16 | (left > 1 ? (unsigned)from[i + 1] << 8 : 0) |
                        (left > 2 ? from[i + 2] : 0u);
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                        left > 1 ? digits[word >> 6 & 63] : '=',
                        left > 2 ? digits[word & 63] : '='};

        mock_text_put(text, four, sizeof(four));
    }
}

/* Little-endian floats of 32 bits, as OpenAI's own clients ask for them. */
static cJSON *base64_vector(const double *vector, int dimensions)
{
    size_t len = (size_t)dimensions * 4;
    size_t max = (len + 2) / 3 * 4 + 1;
    unsigned char *bytes = mock_json_alloc(len);
    char *memory = mock_json_alloc(max);
    struct mock_text text;

    if (!bytes || !memory)
        return NULL;
    for (int i = 0; i < dimensions; i++) {
        float number = (float)vector[i];
        uint32_t bits;

        memcpy(&bits, &number, sizeof(bits));
        for (int b = 0; b < 4; b++)
            bytes[i * 4 + b] = (unsigned char)(bits >> (8 * b));
    }
    text = mock_text_over(memory, max);
    base64_write(&text, bytes, len);
    mock_text_end(&text);
    return cJSON_CreateStringReference(memory);
}

static void add_embedding(cJSON *data, struct embed *embed, const cJSON *input, uint64_t index)
{
    double *vector = mock_json_alloc((size_t)embed->dimensions * sizeof(*vector));
    cJSON *object = cJSON_CreateObject();

    if (!vector)
        return;
    make_vector(vector, embed->dimensions, hash_input(embed, input));
    mock_json_put_str(object, "object", "embedding");
    mock_json_put_int(object, "index", index);
    mock_json_put(object, "embedding",
                  embed->base64 ? base64_vector(vector, embed->dimensions)
                                : float_vector(vector, embed->dimensions));
    mock_json_add(data, object);
}

static cJSON *embed_answer(struct embed *embed)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON *data;
    cJSON *usage;
    const cJSON *item;
    uint64_t index = 0;

    mock_json_put_str(answer, "object", "list");
    data = mock_json_put(answer, "data", cJSON_CreateArray());
    if (is_one(embed->input)) {
        add_embedding(data, embed, embed->input, 0);
    } else {
        cJSON_ArrayForEach(item, embed->input)
        {
            add_embedding(data, embed, item, index++);
        }
    }
    mock_json_put_str(answer, "model", embed->model);
    usage = mock_json_put(answer, "usage", cJSON_CreateObject());
    mock_json_put_int(usage, "prompt_tokens", embed->tokens);
    mock_json_put_int(usage, "total_tokens", embed->tokens);
    return answer;
}

/* How many inputs there are; 0 when they are not what can be embedded. */
static int count_inputs(const cJSON *input)
{
    const cJSON *item;
    int count = 0;

    if (is_one(input))
        return 1;
    if (!cJSON_IsArray(input))
        return 0;
    cJSON_ArrayForEach(item, input)
    {
        if (!is_one(item))
            return 0;
        count++;
    }
    return count;
}

static int read_input(struct embed *embed, struct mock_buf *out, struct mock_reply *reply)
{
    int count = count_inputs(embed->input);

    if (!embed->input)
        mock_answer_refuse(reply, out, "input", "missing_required_parameter",
                           "Missing required parameter: 'input'.");
    else if (count == 0)
        mock_answer_refuse(reply, out, "input", "invalid_type",
                           "Invalid 'input': expected a text that is not empty, an array of "
                           "such texts, or arrays of tokens.");
    else if (count > INPUTS_MAX || count * embed->dimensions > NUMBERS_MAX)
        mock_answer_refuse(
            reply, out, "input", "array_above_max_length",
            "Invalid 'input': at most 2048 inputs and 262144 numbers in one answer.");
    else
        return 0;
    return -1;
}

static int read_format(struct embed *embed, const cJSON *body, struct mock_buf *out,
                       struct mock_reply *reply)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(body, "encoding_format");
    const char *name = cJSON_GetStringValue(format);

    embed->base64 = name && strcmp(name, "base64") == 0;
    if (!format || cJSON_IsNull(format) || embed->base64 || (name && strcmp(name, "float") == 0))
        return 0;
    mock_answer_refuse(reply, out, "encoding_format", "invalid_value",
                       "Invalid 'encoding_format': expected float or base64.");
    return -1;
}

void mock_answer_embeddings(const struct mock_request *req, struct mock_buf *out,
                            struct mock_reply *reply)
{
    cJSON *body = mock_answer_parse(req, out, reply);
    struct embed embed = {.dimensions = DIMENSIONS_DEFAULT};

    if (!body ||
        mock_answer_number(body, "dimensions", DIMENSIONS_MAX, &embed.dimensions, out, reply) != 0)
        return;
    embed.model = mock_answer_model(body);
    embed.input = cJSON_GetObjectItemCaseSensitive(body, "input");
    if (read_input(&embed, out, reply) == 0 && read_format(&embed, body, out, reply) == 0)
        mock_reply_json(reply, HTTP_STATUS_OK, embed_answer(&embed), out);
}
