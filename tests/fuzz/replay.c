/* usage: fuzz_NAME FOLDER-OR-FILE... : the target with each file, without libFuzzer. A folder
 * without a file in it is an error: its test would prove nothing. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { MAX_FILE = 1 << 20 };

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *read = malloc(MAX_FILE);
    if (file == NULL || read == NULL) {
        perror(path);
        exit(1);
    }
    size_t size = fread(read, 1, MAX_FILE, file);
    fclose(file);
    uint8_t *data = malloc(size > 0 ? size : 1); /* nothing behind it, for sanitizers */
    if (data == NULL)
        exit(1);
    memcpy(data, read, size);
    free(read);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return true;
}

static size_t replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    size_t files = 0;
    if (folder == NULL) {
        perror(path);
        exit(1);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        files += replay_file(name);
    }
    closedir(folder);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        files += folder ? replay_folder(argv[i]) : replay_file(argv[i]);
    }
    printf("%zu inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
