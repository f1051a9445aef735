#include "mock/stats.h"

#include "mock/text.h"

static cJSON *statuses(const struct mock_stats *stats)
{
    cJSON *object = cJSON_CreateObject();

    for (unsigned status = 0; status < MOCK_STATUS_END; status++) {
        struct mock_text text;
        char *key;

        if (!stats->status[status])
            continue;
        key = mock_json_alloc(8);
        if (!key)
            break;
        text = mock_text_over(key, 8);
        mock_text_uint(&text, status);
        mock_text_end(&text);
        mock_json_put_int(object, key, stats->status[status]);
    }
    return object;
}

cJSON *mock_stats_json(const struct mock_stats *stats)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *connections;
    cJSON *faults;

    mock_json_put_int(object, "requests", stats->requests);
    mock_json_put(object, "status", statuses(stats));
    mock_json_put_int(object, "throttled", stats->throttled);
    mock_json_put_int(object, "admitted", stats->admitted);
    mock_json_put_int(object, "in_flight", stats->in_flight);
    mock_json_put_int(object, "max_in_flight", stats->max_in_flight);
    connections = mock_json_put(object, "connections", cJSON_CreateObject());
    mock_json_put_int(connections, "accepted", stats->accepted);
    mock_json_put_int(connections, "open", stats->open);
    faults = mock_json_put(object, "faults", cJSON_CreateObject());
    for (int i = 0; i < MOCK_FAULT_KINDS; i++)
        mock_json_put_int(faults, mock_fault_word((enum mock_fault)i), stats->faults[i]);
    return object;
}
