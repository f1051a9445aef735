/* Every wait of sync in every state in which a cancel can meet it. */
#include "cancel_rows.h"

int main(void)
{
    return cancel_matrix_run(rows, sizeof rows / sizeof rows[0]);
}
