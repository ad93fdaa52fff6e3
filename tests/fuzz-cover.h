/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Where in the kernel commands lead, and those that led where none was before. */
#ifndef _TESTS_FUZZ_COVER_H_
#define _TESTS_FUZZ_COVER_H_

#include <stdbool.h>
#include <stdint.h>

/* The arguments of any command fit. */
#define LARGEST		256

struct sample {
	unsigned int which;
	unsigned long request;
	uint64_t args[LARGEST / 8];
};

/*
 * From now on the calling thread's way through code that was built for it is known
 * (CONFIG_KCOV, KCOV_INSTRUMENT), until it ends. false where the kernel cannot do that.
 */
bool cover_start(void);
/* A new process has its parent's memory, but its way is not known. */
void cover_forget(void);
void cover_begin(void);
/* Did it lead, since cover_begin(), where nobody was before? */
bool cover_end(void);
unsigned int cover_places(void);

void corpus_add(const struct sample *sample);
/* One of those that were added; false if there is none. */
bool corpus_pick(struct sample *sample, uint64_t *random);
unsigned int corpus_size(void);

#endif
