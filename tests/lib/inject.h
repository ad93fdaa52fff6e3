/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Failures on demand: what the kernel asks for is not to be had, once. */
#ifndef _TESTS_INJECT_H_
#define _TESTS_INJECT_H_

#include <stdbool.h>

/* What is missing for it, or NULL. Needs root and CONFIG_FAULT_INJECTION. */
const char *inject_missing(void);

/*
 * Of all that this thread's system calls and page faults ask for from now on (memory,
 * access to user memory), the nth is refused; 1 is the first.
 */
void inject_arm(unsigned int nth);
/*
 * The same of the kernel's worker that is busy for the work queue of that name. There is
 * one, or there will be soon.
 */
void inject_arm_worker(const char *queue, unsigned int nth);
/* No more of that. Was the nth refused? */
bool inject_disarm(void);
/* Likewise for another thread, which has ended but has not been waited for. */
bool inject_fired(int pid);

#endif
