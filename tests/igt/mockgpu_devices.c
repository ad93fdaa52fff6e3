// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Several devices and the same memory. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define SIZE		(32 * PAGE)
#define MOST_DEVICES	4

/* One memory, with a VM of each device; they have one shadow. */
struct team {
	struct gpu gpus[MOST_DEVICES];
	struct buffer views[MOST_DEVICES];
	unsigned int count;
};

static struct team *team_new(struct gpu *gpu, const char *kind, size_t size)
{
	struct team *team = calloc(1, sizeof(*team));

	CHECK(team);
	team->gpus[0] = *gpu;
	team->views[0] = kind_buffer(kind_find(kind), gpu, size, NULL);
	team->count = 1;
	for (unsigned int i = 0; i < MOST_DEVICES && team->count < MOST_DEVICES; i++) {
		struct gpu *other = &team->gpus[team->count];

		if (i == gpu->index || gpu_open(other, i))
			continue;
		team->views[team->count++] = buffer_as_seen_by(&team->views[0], other);
	}
	return team;
}

static void check_all_views(const struct team *team)
{
	for (unsigned int i = 0; i < team->count; i++)
		buffer_check_dev(&team->views[i]);
	buffer_check_cpu(&team->views[0]);
}

static void work(const struct buffer *view)
{
	buffer_dev_xor(view, 0, view->size, new_value());
}

/* arg is a kind of memory. */
static void in_turn(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, arg, SIZE);

	for (unsigned int round = 0; round < 12; round++) {
		work(&team->views[round % team->count]);
		buffer_check_dev(&team->views[(round + 1) % team->count]);
	}
	check_all_views(team);
}

static void from_one_to_the_next(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, arg, SIZE);

	for (unsigned int round = 0; round < 8; round++) {
		const struct buffer *view = &team->views[round % team->count];

		buffer_populate(view);
		work(view);
		CHECK_ALL(&team->views[(round + 1) % team->count], MOCKGPU_PAGE_OTHER);
		buffer_check_dev(view);
	}
	check_all_views(team);
}

static void reads_the_others(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, arg, SIZE);

	for (unsigned int round = 0; round < 6; round++) {
		const struct buffer *owner = &team->views[round % team->count];

		buffer_populate(owner);
		work(owner);
		buffer_check_dev(&team->views[(round + 1) % team->count]);
		work(&team->views[(round + 1) % team->count]);
		buffer_check_dev(owner);
	}
	check_all_views(team);
}

/* Each device has a part of it. */
static void a_part_each(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, arg, SIZE);

	for (size_t at = 0; at < SIZE; at += 4 * PAGE) {
		struct buffer part = buffer_part(&team->views[at / PAGE / 4 % team->count], at,
						 4 * PAGE);

		buffer_populate(&part);
	}
	for (unsigned int i = 0; i < team->count; i++)
		work(&team->views[i]);
	check_all_views(team);
	buffer_populate(&team->views[0]);
	check_all_views(team);
}

static void both_read_zeros(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, "mmap-zero", SIZE);

	(void)arg;
	check_all_views(team);
	work(&team->views[1]);
	check_all_views(team);
	buffer_populate(&team->views[0]);
	check_all_views(team);
}

static void read_only(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, "mmap", SIZE);

	(void)arg;
	CHECK_SYS(mprotect(team->views[0].mem, SIZE, PROT_READ));
	check_all_views(team);
	buffer_populate(&team->views[0]);
	for (unsigned int i = 0; i < team->count; i++)
		buffer_dev_denied(&team->views[i], 0, MOCKGPU_ACCESS_FILL, -EFAULT);
	check_all_views(team);
}

/* What the process does reaches every device. */
static void unmapped_for_all(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, arg, SIZE);
	struct buffer last = buffer_part(&team->views[0], SIZE / 2, SIZE / 2);

	if (gpu_has_vram(gpu) && kind_find(arg)->flags & KIND_MOVES)
		buffer_populate(&last);
	check_all_views(team);
	CHECK_SYS(munmap(team->views[0].mem, SIZE / 2));
	for (unsigned int i = 0; i < team->count; i++) {
		buffer_dev_denied(&team->views[i], 0, MOCKGPU_ACCESS_READ, -EFAULT);
		last.gpu = team->views[i].gpu;
		last.vm = team->views[i].vm;
		work(&last);
	}
	buffer_check(&last);
}

static void dropped_for_all(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, "mmap", SIZE);

	(void)arg;
	for (unsigned int round = 0; round < 4; round++) {
		if (gpu_has_vram(gpu))
			buffer_populate(&team->views[round % team->count]);
		check_all_views(team);
		CHECK_SYS(madvise(team->views[0].mem, SIZE, MADV_DONTNEED));
		buffer_expect_zeros(&team->views[0]);
		check_all_views(team);
		buffer_cpu_write(&team->views[0]);
	}
}

/* All evict at once what one has. */
static void evicted_by_the_owner_only(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, "mmap", SIZE);

	(void)arg;
	buffer_populate(&team->views[1]);
	CHECK_RET(gpu_evict_at(gpu, team->views[0].vm, team->views[0].mem), -ENOENT);
	CHECK_OK(gpu_evict_vm(gpu, team->views[0].vm));
	CHECK_ALL(&team->views[1], MOCKGPU_PAGE_DEVICE);
	buffer_evict(&team->views[1]);
	check_all_views(team);
}

static void one_closes(struct gpu *gpu, const void *arg)
{
	struct team *team = team_new(gpu, "mmap", SIZE);

	(void)arg;
	check_all_views(team);
	if (gpu_has_vram(gpu))
		buffer_populate(&team->views[1]);
	work(&team->views[1]);
	gpu_close(&team->gpus[1]);
	buffer_check(&team->views[0]);
	work(&team->views[0]);
	buffer_check(&team->views[0]);
}

/* Everyone wants all of it, all the time: each device has words of its own. */
struct contest {
	struct team *team;
	atomic_uint next;
	unsigned int rounds;
};

static void *contend(void *arg)
{
	struct contest *contest = arg;
	unsigned int me = atomic_fetch_add(&contest->next, 1);
	const struct buffer *view = &contest->team->views[me];

	for (unsigned int round = 1; round <= contest->rounds; round++) {
		if (gpu_has_vram(view->gpu))
			buffer_try_populate(view);
		for (size_t at = me * 8; at < SIZE; at += PAGE)
			CHECK_OK(gpu_fill(view->gpu, view->vm, view->mem + at, 8, round));
	}
	return NULL;
}

static void all_at_once(struct gpu *gpu, const void *arg)
{
	struct contest contest = { .team = team_new(gpu, arg, SIZE), .rounds = 10 };
	struct crew crew;

	crew_start(&crew, contest.team->count, contend, &contest);
	crew_join(&crew);
	for (size_t at = 0; at < SIZE; at += PAGE)
		for (unsigned int i = 0; i < contest.team->count; i++)
			((uint64_t *)(contest.team->views[0].shadow + at))[i] = contest.rounds;
	check_all_views(contest.team);
}

/* Nothing comes home for it. */
static void with_links(struct gpu *gpu, const void *arg)
{
	struct team *team;
	char links[64];

	file_line("/sys/module/mockgpu/parameters/links", links, sizeof(links));
	if (!*links || !strcmp(links, "none"))
		test_skip("the devices have no links");
	team = team_new(gpu, arg, SIZE);
	for (unsigned int round = 0; round < 2 * team->count; round++) {
		const struct buffer *owner = &team->views[round % team->count];
		const struct buffer *other = &team->views[(round + 1) % team->count];

		buffer_populate(owner);
		work(owner);
		buffer_check_dev(other);
		work(other);
		CHECK_ALL(owner, MOCKGPU_PAGE_DEVICE);
		buffer_check_dev(owner);
	}
	check_all_views(team);
}

struct case_of {
	const char *name;
	const char *describe;
	body_fn body;
	unsigned int needs;
	/* Only for memory that can move. */
	bool moves;
};

static const struct case_of cases[] = {
	{ "in-turn", "Devices change it in turn, where it is", in_turn, 0, false },
	{ "from-one-to-the-next", "It moves from device to device", from_one_to_the_next,
	  NEED_VRAM, true },
	{ "reads-the-others", "A device uses what is in another's VRAM", reads_the_others,
	  NEED_VRAM, true },
	{ "a-part-each", "Each device has a part of it", a_part_each, NEED_VRAM, true },
	{ "unmapped-for-all", "A part goes for all devices", unmapped_for_all, 0, false },
	{ "all-at-once", "Devices change it at the same time", all_at_once, 0, false },
	{ "with-links", "Devices use each other's VRAM over links", with_links, NEED_VRAM, true },
};

static const char *const memories[] = { "mmap", "thp", "mmap-shared", "file-shared" };

static const struct single others[] = {
	{ "both-read-zeros", "Devices read the page of zeros, one writes", both_read_zeros,
	  NEED_TWO_DEVICES | NEED_VRAM },
	{ "read-only", "Read-only memory is so for all devices", read_only,
	  NEED_TWO_DEVICES | NEED_VRAM },
	{ "dropped-for-all", "Pages that are dropped are so for all devices", dropped_for_all,
	  NEED_TWO_DEVICES },
	{ "evicted-by-the-owner", "A device evicts what is its own",
	  evicted_by_the_owner_only, NEED_TWO_DEVICES | NEED_VRAM },
	{ "one-closes", "A device's file is closed, the others go on", one_closes,
	  NEED_TWO_DEVICES },
};

static void subtests(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(memories); k++) {
			const struct kind *kind = kind_find(memories[k]);

			if (cases[i].moves && !(kind->flags & KIND_MOVES))
				continue;
			subtest(cases[i].describe, cases[i].needs | kind->needs | NEED_TWO_DEVICES,
				cases[i].body, memories[k], "%s-%s", cases[i].name, memories[k]);
		}
	singles(others, ARRAY_SIZE(others));
}

SUITE("Several devices and the same memory", subtests)
