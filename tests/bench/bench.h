/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the parts of gpusvm-bench share. */
#ifndef _TESTS_BENCH_H_
#define _TESTS_BENCH_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu.h"
#include "mem.h"

/* What is behind a figure; each is counted in a round of its own. */
enum event {
	EVENT_DMA_MAP,
	EVENT_DMA_UNMAP,
	EVENT_TLB_FLUSH,
	EVENT_KMALLOC,
	EVENT_SLAB_ALLOC,
	EVENT_PAGE_ALLOC,
	EVENT_MIGRATE_VMA,
	EVENT_MIGRATE_DEVICE,
	EVENT_COUNT
};

/* The state of a row while it runs. */
struct bench {
	struct gpu gpu;
	uint32_t vm;
	char *mem;
	size_t size;
	enum mem_thp thp;
	bool scattered;		/* no two pages are neighbours in memory */
	unsigned int rounds;
	unsigned long calls;	/* set by the row: how many there were */
	int pipe[2];
	size_t *order;		/* in which ranges are visited */
	unsigned int threads;
	struct team *team;	/* of that many, see threads.c */
	uint64_t vram_size;	/* bytes, 0 for none */
	int hmm;		/* the file, see hmm.c */
	uint64_t hmm_copied;	/* bytes so far */
};

struct row {
	const char *name;
	/* Before each round, not measured. 0 or -errno. */
	int (*prepare)(struct bench *bench);
	/* What is measured. 0 or -errno. */
	int (*run)(struct bench *bench);
	/* The part of run that is the driver's own, measured the same way, or NULL. */
	int (*entry)(struct bench *bench);
	/* After the last round, or NULL. */
	void (*finish)(struct bench *bench);
	size_t smallest;
	size_t largest;
	bool needs_vram;
	bool in_ranges;		/* size is the number of ranges times the page size */
	bool in_threads;	/* size is the number of threads times the page size */
};

/*
 * Whose memory is measured: that of the mock GPU, or of the kernel's HMM test module.
 * Functions return 0 or -errno.
 */
struct target {
	const char *name;
	const struct row *rows;
	size_t count;
	int (*open)(struct bench *bench);
	void (*close)(struct bench *bench);
	/* A view of the address space, anew for each row. */
	int (*begin)(struct bench *bench);
	void (*end)(struct bench *bench);
	/* Bytes that were copied so far, and what copying so many takes. */
	uint64_t (*copied)(const struct bench *bench);
	uint64_t (*copy_time)(size_t bytes);
};

struct result {
	const struct row *row;
	const char *variant;
	size_t size;
	unsigned long calls;
	uint64_t total;		/* ns, or instructions: the best round */
	uint64_t entry;
	uint64_t copy;		/* what copying as many bytes takes */
	uint64_t copied;	/* bytes */
	uint64_t events[EVENT_COUNT];
	int error;
};

extern const struct target mock_target, hmm_target;

/* memory.c */
size_t pages_of(const struct bench *bench);
size_t pieces_of(const struct bench *bench);
int map_anew(struct bench *bench);
void touch_all(struct bench *bench);

/* threads.c */
int prepare_team_gpu(struct bench *bench);
int prepare_team_gpu_apart(struct bench *bench);
int prepare_team_cpu(struct bench *bench);
int run_team(struct bench *bench);
void finish_team(struct bench *bench);

/* count.c */
void count_open(void);
bool count_has(enum event event);
const char *count_name(enum event event);
void count_start(void);
void count_stop(uint64_t events[EVENT_COUNT]);

/* copy.c */
const char *copy_kind(void);
uint64_t copy_time(size_t bytes);
uint64_t copy_time_of_pages(size_t bytes);

/* profile.c */
bool profile_open(void);
void profile_start(void);
void profile_stop(void);
void profile_print(const char *title, unsigned int rounds);

/* clock.c */
uint64_t clock_now(void);

#endif
