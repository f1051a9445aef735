/* What the client needs of <weir/retry.h>'s running side. */
#ifndef WEIR_ADMISSION_RETRY_H
#define WEIR_ADMISSION_RETRY_H

#include <weir/retry.h>

/* The end of a use of the budget: by its owner, by a client, by a call. */
void weir__retry_budget_let_go(weir_retry_budget *budget);

#endif
