/* The manual. In pieces, since C promises no longer string literals than 4,095 bytes. */
#include <stdio.h>

#include "defaults.h"
#include "http_text.h"
#include "options.h"

static void print_where(void)
{
    fputs("Usage: weir run INPUT -o OUTPUT [OPTION]...\n"
          "Sends the API requests of a file, many at a time, as fast as the limits\n"
          "allow, tries those again that can be helped, and writes each answer as soon\n"
          "as it is there.\n"
          "\n"
          "  -o, --output FILE   where the answers go; must not exist yet. - is stdout; a\n"
          "                      pipe or a device may be named as it is\n"
          "  --force             overwrite OUTPUT if it exists\n"
          "  --base-url URL      the server: http(s)://HOST, or with a path; row URLs such\n"
          "                      as /v1/embeddings are appended to it; a path that the\n"
          "                      row's URL repeats, such as /v1, is not doubled\n"
          "  --api-key-env NAME  send \"Authorization: Bearer KEY\" with the key that is in\n"
          "                      the environment variable NAME; needs --base-url\n"
          "  --header 'N: V'     send this header too; may be given several times. The key\n"
          "                      and these headers go to the base URL's scheme, host and\n"
          "                      port and to no other (without --base-url: with every row)\n"
          "\n",
          stdout);
}

static void print_how(void)
{
    printf("  --concurrency N     requests in flight at a time, 1 to %d (default %d),\n"
           "                      over all servers that the rows name\n"
           "  --rate N/UNIT       start at most N requests per s, min, h or d, evenly\n"
           "                      spread, further attempts included, to each server\n"
           "                      (scheme, host and port; default: the server's limit,\n"
           "                      as its answers show it)\n"
           "  --burst N           requests that may start at once after a pause (default:\n"
           "                      what 20 ms of the rate bring, at least 1); needs --rate\n",
           CONCURRENCY_MAX, CONCURRENCY_DEFAULT);
    printf("  --max-attempts N    give a row up after N attempts, 1 to %d (default %d);\n"
           "                      answers of \"too fast\" do not count, unless N is 1\n"
           "  --timeout S         seconds: cut an attempt off after that time, and begin no\n"
           "                      further one once that much has passed since the row's\n"
           "                      first (default: none, and 600 s for an attempt)\n"
           "  --idle-timeout S    seconds: of a row that asks for a stream, give an attempt\n"
           "                      up when nothing has come from the server for that long,\n"
           "                      its queue before the first word included (default: none)\n",
           ATTEMPTS_MAX, ATTEMPTS_DEFAULT);
    printf("  --max-outage S      seconds: wait so long for a server that has gone away\n"
           "                      (connections are refused, or its name is not found)\n"
           "                      before it is given up (default %d); see below\n",
           OUTAGE_DEFAULT_S);
    fputs("  --no-replay         never send a POST or PATCH row again when the server may\n"
          "                      have acted on it (connection lost, timeout, 500). By\n"
          "                      default such rows ARE sent again, which suits LLM calls:\n"
          "                      they change nothing, but may be paid for twice\n"
          "  --idempotency-key   send a key with each POST and PATCH row (Idempotency-Key,\n"
          "                      random, the same in all attempts): a server that knows\n"
          "                      it acts once, however often it gets the row. A row's own\n"
          "                      key (headers), or that of --header, is sent in its place.\n"
          "                      Another run makes other keys. Not with --no-replay\n",
          stdout);
    printf("  --max-line-bytes N  longest line of INPUT (default %zu)\n"
           "  --progress MODE     auto: a status line if stderr is a terminal, else a line\n"
           "                      every %d s (default); plain: a line every %d s; a number:\n"
           "                      a line every so many seconds; none: nothing but fatal\n"
           "                      errors; see the exit status\n"
           "  --help              this text\n"
           "\n",
           LINE_BYTES_DEFAULT, PROGRESS_UNWATCHED_S, PROGRESS_PLAIN_S);
}

static void print_connection(void)
{
    fputs("Connections:\n"
          "  --proxy URL         instead of the environment's: http, https, socks5, ...;\n"
          "                      '' is none. A password in it can be seen by others on\n"
          "                      this machine, which one in http_proxy cannot\n"
          "  --unix-socket PATH  connect to this socket, whatever the URL's host\n"
          "  --resolve H:P:ADDR  connect to ADDR for host H, port P; several times\n"
          "  --http2             HTTP/2 with https servers that speak it (the summary\n"
          "                      tells for how many attempts); no effect with http://\n"
          "  --compressed        ask for compressed answers; OUTPUT has them decompressed\n"
          "  --connect-timeout S seconds for name, TCP and TLS (default 30)\n"
          "  --cacert PATH       trust these authorities alone: a PEM file or a folder\n"
          "                      with hashed names (default: the system's)\n"
          "  --cert FILE         this client's certificate, PEM\n"
          "  --key FILE          its key (default: in the same file)\n"
          "  --key-password-env NAME  the key's password is in that variable\n"
          "  --tls-keylog FILE   append the keys of TLS connections, for Wireshark\n"
          "                      (SSLKEYLOGFILE is not obeyed)\n"
          "  --insecure          accept any certificate: for servers under test\n"
          "\n",
          stdout);
}

static void print_input(void)
{
    printf("INPUT (- is stdin) has one request a line, a JSON object; blank lines are\n"
           "skipped. OpenAI batch files can be used as they are. Members:\n"
           "  url        required: /path below the base URL, or http(s)://... Without\n"
           "             --base-url, a path in the first row that could be sent ends the\n"
           "             run (2) before anything is; in a later one it fails that row\n"
           "  body       any JSON value, sent byte for byte; null or none: no body\n"
           "  method     %s\n"
           "             (default: POST with a body, GET without)\n"
           "  headers    {\"Name\":\"value\"}, for this row alone; they replace those of the\n"
           "             command line. A body gets \"Content-Type: application/json\" unless\n"
           "             one is named\n"
           "  custom_id  any JSON value, echoed; need not be unique\n"
           "Others are ignored.\n"
           "\n",
           METHODS);
}

static void print_output(void)
{
    fputs(
        "OUTPUT gets one line for each row, in the order in which they end:\n"
        "  "
        "{\"row\":1,\"custom_id\":\"a\",\"response\":{\"status_code\":200,\"request_id\":\"r1\",\n"
        "   \"body\":{...}},\"error\":null,\"attempts\":1}\n"
        "  row        from 1, blank lines not counted: the number of the line in INPUT\n"
        "             less the blank lines above it. Messages name FILE:LINE; those on\n"
        "             stderr say (row N), too, where that is another number\n"
        "  response   null when no answer came. body is the server's JSON as it came,\n"
        "             but on one line; what is not JSON is kept as a string\n"
        "  error      null when the status is 200 to 299, else {\"code\",\"message\"}.\n"
        "             Codes: http_429 and the like; bad_row: could not be sent; or how\n"
        "             the last attempt failed: connect, resolve, tls, cert, reset,\n"
        "             timeout, proto, bodysize, headersize, transfer, stream_error\n"
        "  attempts   how often it was tried\n"
        "A row may ask for a stream (\"stream\":true in the body, or alt=sse in the URL):\n"
        "its events are collected, and body is their text, a string. A stream without\n"
        "its end is a lost answer, and tried again as such; so is one that is silent\n"
        "for longer than --idle-timeout, whose code is timeout.\n"
        "After a stop or a kill OUTPUT has whole lines: take the rows that are in it\n"
        "out of INPUT by their number (the README has the commands), and run the rest\n"
        "into another OUTPUT.\n"
        "A new OUTPUT is readable by its owner alone. Redirects are not followed.\n"
        "\n",
        stdout);
}

static void print_what_if(void)
{
    printf("Tried again, after growing random waits and never before the server's\n"
           "Retry-After: 429, 408, 409, 425, 5xx, connections refused or lost, attempts\n"
           "that took too long. A 429 holds all rows for that server back for as long\n"
           "as it says.\n"
           "\n"
           "A server that goes away in mid-run costs its rows nothing: they wait, and one\n"
           "at a time finds out whether it is back, after 1, 2, 4, ... 30 s. That does\n"
           "not count for --max-attempts and --timeout. After --max-outage it is given up:\n"
           "its rows get no line in OUTPUT, so that a further run does them, and the exit\n"
           "status is 69. Rows for other servers go on. When a server is away for more\n"
           "than %d s they are given room: of its rows no more than half of those in\n"
           "memory wait, and the others are left for a further run, too. A server that\n"
           "was never reached, while another was, is given up after --max-attempts: its\n"
           "rows fail. One that the whole run is for ends it at once.\n"
           "\n"
           "Ctrl-C (or SIGTERM, SIGHUP): the first time, no further request starts and\n"
           "those in flight get up to %d s; the second time they are cancelled; the third\n"
           "time the program leaves at once. OUTPUT holds whole lines, one for each row\n"
           "that is done. A disk that gets full ends the run, with OUTPUT cut back to\n"
           "whole lines. A signal that is ignored at the start stays so, as nohup does\n"
           "with SIGHUP and a shell script with the SIGINT of what it starts by &: end\n"
           "such a run by SIGTERM.\n"
           "\n"
           "Proxies are taken from the environment (http_proxy, https_proxy, ALL_PROXY,\n"
           "no_proxy) for all servers but those on this machine (localhost, 127.*, ::1).\n"
           "\n",
           PATIENCE_S, GRACE_S);
}

static void print_status(void)
{
    printf("Exit status:\n"
           "  0   every row succeeded\n"
           "  3   some rows failed\n"
           "  2   bad usage, input or output, or no --base-url for relative URLs; nothing\n"
           "      was sent\n"
           "  4   the first %d rows were all refused with 401, or all with 403\n"
           "  69  no connection to the server at all, or it was given up after\n"
           "      --max-outage; rows are left\n"
           "  74  reading INPUT or writing OUTPUT failed, or the reader of a pipe has gone\n"
           "  1   out of memory and the like\n"
           "  130, 143, 129   ended by SIGINT, SIGTERM, SIGHUP\n"
           "\n"
           "Example:\n"
           "  weir run requests.jsonl -o answers.jsonl --base-url https://api.openai.com \\\n"
           "      --api-key-env OPENAI_API_KEY --rate 500/min\n",
           AUTH_ROWS);
}

void print_run_help(void)
{
    print_where();
    print_how();
    print_connection();
    print_input();
    print_output();
    print_what_if();
    print_status();
}
