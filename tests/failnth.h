/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Scenes in which each thing that the kernel is asked for is refused once. failnth.c
 * plays them; each of failnth-*.c has those about one part of the device.
 */
#ifndef _TESTS_FAILNTH_H_
#define _TESTS_FAILNTH_H_

#include <drm/drm.h>

#include "check.h"
#include "queue.h"

#define FLIP		0x6a09e667f3bcc908ULL
#define SMALL_SIZE	(8 * PAGE)
#define UNKNOWN		(~0ULL)

/* One round of a scene. It does not move. */
struct round {
	/* A file of its own, which is closed at the end. */
	struct gpu gpu;
	struct area area;
	/* Another device or file with a VM for the same memory, if there is one. */
	struct gpu other;
	uint32_t other_vm;
	/* How far the device got with what it changed, UNKNOWN if it could not say. */
	uint64_t done;
	/* Was something refused? Known when the step is over. */
	bool fired;
	pid_t child;
	int fds[2];
	uint8_t map[HUGE_PAGE / PAGE];
	/* Of scenes with commands. */
	uint32_t queue;
	struct job jobs[2];
	struct drm_mockgpu_sync syncs[2], ins[2];
	struct drm_mockgpu_attr_range attr;
	uint64_t sum;
	/* Of scenes with buffers; what is bound elsewhere than at the memory. */
	uint32_t handles[2];
	struct area bound;
	struct drm_mode_create_dumb dumb;
	uint64_t offset;
};

struct scene {
	void (*prepare)(struct round *round);
	/* Returns 0 or a negative errno. */
	int (*act)(struct round *round);
	/* After that, when nothing is refused any more. */
	void (*verify)(struct round *round, int ret);
	enum mem_thp thp;
	/* Two devices. */
	bool two;
	/* It may well be that the kernel asks for nothing. */
	bool modest;
	/* A work queue: what is asked for by its worker is refused, and not to act(). */
	const char *worker;
};

void run_scene(struct gpu *gpu, const struct scene *scene);

#define SCENE(name, ...)						\
static void name(struct gpu *gpu)					\
{									\
	static const struct scene scene = { __VA_ARGS__ };		\
									\
	run_scene(gpu, &scene);						\
}

/* For what is no scene. */
struct rounds {
	/* False when there was nothing left to be refused. */
	bool (*play)(void *arg, unsigned int nth);
	/* Is everything as it was before? */
	void (*check)(void *arg, unsigned int nth);
	void *arg;
};

/* Returns how often something was refused. */
unsigned int run_rounds(const struct rounds *rounds);

/* What is alive, at the beginning of a test. */
struct alive {
	const struct gpu *gpu;
	uint64_t counters[MOCKGPU_COUNTER_COUNT];
};

struct alive alive_now(const struct gpu *gpu);
/* Device pages and what they hold are released by workers, so that may take a moment. */
void check_leaks(const struct alive *before, unsigned int nth);

/* A file, and memory with a VM. */
void round_begin(struct round *round, const struct gpu *gpu, const struct scene *scene);

/* A huge page of addresses, where the memory is: its first pages, or all of it. */
extern char *arena;
/* Not touched yet. More is mapped than is used: the device gets that with it. */
#define SMALL_ROOM	(2 * SMALL_SIZE)
void map_small(size_t at);
void fresh_memory(struct area *area, enum mem_thp thp);

/* What there can be before a step, and should be after it. */
void fill_system(struct round *round);
void fill_device(struct round *round);
/* Also in the page table of the device. */
void fill_used(struct round *round);
/* Both see the pattern, and everything works again. */
void verify_data(struct round *round, int ret);
/* Only that everything works. */
void verify_alive(struct round *round, int ret);
void verify_populated(struct round *round, int ret);

/* The word that was there before the device changed it. */
uint64_t old_word(const struct area *area, size_t i);
uint64_t flipped_word(const struct area *area, size_t i);
uint64_t filled_word(const struct area *area, size_t i);
/*
 * Words are new up to where the device got, and old behind that. If it could not say how
 * far it got, up to anywhere.
 */
void check_progress(const struct round *round, int ret,
		    uint64_t (*new_word)(const struct area *area, size_t i));

/* Steps that scenes of several kinds take. */
int act_access(struct round *round, unsigned int op, const void *data);
int act_xor(struct round *round);
int act_fill(struct round *round);
int act_close(struct round *round);
int act_cpu_read(struct round *round);
int act_cpu_write(struct round *round);
int act_kernel_read(struct round *round);
int act_evict_device(struct round *round);
int act_populate(struct round *round);
int act_vm_destroy(struct round *round);
int act_unmap_part(struct round *round);
int act_protect(struct round *round);
/* The pages that act_unmap_part() takes away, and those that act_protect() changes. */
#define UNMAPPED_PAGE	5
#define PROTECTED_PAGE	3
void verify_closed(struct round *round, int ret);
void verify_xor(struct round *round, int ret);
void verify_unmapped(struct round *round, int ret);
void verify_protected(struct round *round, int ret);

/* Buffers at the place of the memory: the device has not seen it, or will move it. */
void buffer_in_system(struct round *round);
void buffer_at_home(struct round *round);
void verify_buffer_alive(struct round *round, int ret);

/* The device may do atomic operations, where neither the CPU nor others come between. */
void need_atomics(struct round *round);
/* The ranges are the other device's as well, which has the memory in its VRAM. */
void fill_shared(struct round *round);

/* A file in which everything is in use, and what is left after its end. */
void fill_busy(struct round *round);
void verify_busy_closed(struct round *round, int ret);
void verify_busy_destroyed(struct round *round, int ret);

/* All tests of a file. */
struct tests {
	const struct test *tests;
	unsigned int count;
};

extern const struct tests memory_tests, command_tests, buffer_tests, fault_tests, end_tests;

#define NEEDS		(NEED_VRAM | NEED_ROOT)
#define NEEDS_TWO	(NEEDS | NEED_TWO_DEVICES)
#define SECONDS		900

#endif
