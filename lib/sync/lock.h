/* What the condition needs of the lock. */
#ifndef WEIR_SYNC_LOCK_H
#define WEIR_SYNC_LOCK_H

#include <weir/sync.h>

#include "task/sched.h"

/* The calling task owns it. */
bool weir__lock_is_mine(const weir_lock *lock);

/* Makes the wait's task the owner, at once or in its turn; its wait ends then, with 0. */
void weir__lock_give(weir_lock *lock, struct weir__wait *wait);

/* As weir_lock_acquire, whether cancelled or not. Also on a lock that was freed, if it was kept:
 * WEIR_ECLOSED. */
int weir__lock_take_shielded(weir_lock *lock);

/* Its memory stays, even if it is freed meanwhile, until it is let go. */
void weir__lock_keep(weir_lock *lock);
void weir__lock_let_go(weir_lock *lock);

#endif
