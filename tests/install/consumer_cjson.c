/* A program that uses the cJSON adapter of an installed weir. */
#include <stdlib.h>
#include <string.h>

#include <weir/cjson.h>

int main(void)
{
    char *text = NULL;
    cJSON *tree = cJSON_CreateTrue();
    int rc = weir_cjson_text(tree, &text, NULL);
    int same = rc == 0 && strcmp(text, "true") == 0;
    weir_json_text_free(text);
    cJSON_Delete(tree);
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
