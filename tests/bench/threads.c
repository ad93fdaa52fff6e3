// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Threads that fault at the same time, each in 2 MiB of its own. They wait for each
 * other before and after; the memory of a round is there before it begins.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

/* What comes home with one fault of a CPU. */
#define PIECE	(64 * KIB)

struct member {
	struct team *team;
	pthread_t thread;
	char *mem;
	uint32_t vm;
	bool own_vm;
	int err;
};

struct team {
	struct bench *bench;
	/* The part of a member: 0 or -errno. */
	int (*work)(struct member *member);
	pthread_barrier_t begin, end;
	bool over;
	unsigned int count;
	struct member members[];
};

static void *member_main(void *data)
{
	struct member *member = data;
	struct team *team = member->team;

	for (;;) {
		pthread_barrier_wait(&team->begin);
		if (team->over)
			return NULL;
		member->err = team->work(member);
		pthread_barrier_wait(&team->end);
	}
}

static int read_each_page(struct member *member)
{
	uint64_t word;
	int err = 0;

	for (size_t at = 0; !err && at < HUGE_PAGE; at += PAGE)
		err = gpu_read(&member->team->bench->gpu, member->vm, member->mem + at,
			       sizeof(word), &word);
	return err;
}

static int touch_each_piece(struct member *member)
{
	for (size_t at = 0; at < HUGE_PAGE; at += PIECE)
		((volatile char *)member->mem)[at]++;
	return 0;
}

static int start_member(struct team *team, unsigned int i, bool own_vm)
{
	struct bench *bench = team->bench;
	struct member *member = &team->members[i];
	int err = 0;

	member->team = team;
	member->mem = bench->mem + i * HUGE_PAGE;
	member->vm = bench->vm;
	if (own_vm)
		err = gpu_vm_create(&bench->gpu, &member->vm);
	if (err)
		return err;
	member->own_vm = own_vm;
	return -pthread_create(&member->thread, NULL, member_main, member);
}

/* Whoever cannot have all of them gives up: nobody could end those that wait. */
static int start_team(struct bench *bench, int (*work)(struct member *), bool own_vm)
{
	struct team *team = calloc(1, sizeof(*team) + bench->threads * sizeof(team->members[0]));

	if (!team)
		return -ENOMEM;
	team->bench = bench;
	team->work = work;
	pthread_barrier_init(&team->begin, NULL, bench->threads + 1);
	pthread_barrier_init(&team->end, NULL, bench->threads + 1);
	bench->team = team;
	for (; team->count < bench->threads; team->count++)
		if (start_member(team, team->count, own_vm))
			exit(1);
	return 0;
}

/* Ranges of one page: each is a mapping of its own. */
static int map_pages_apart(struct bench *bench)
{
	int err = map_anew(bench);

	for (size_t i = 0; !err && i < pages_of(bench); i += 2)
		if (mprotect(bench->mem + i * PAGE, PAGE, PROT_READ))
			err = -errno;
	return err;
}

static int prepare_gpu(struct bench *bench, bool own_vm)
{
	int err = bench->team ? 0 : start_team(bench, read_each_page, own_vm);
	volatile char sink;

	if (!err)
		err = map_pages_apart(bench);
	for (size_t i = 0; !err && i < pages_of(bench); i++)
		sink = ((volatile char *)bench->mem)[i * PAGE];
	(void)sink;
	return err;
}

int prepare_team_gpu(struct bench *bench)
{
	return prepare_gpu(bench, false);
}

int prepare_team_gpu_apart(struct bench *bench)
{
	return prepare_gpu(bench, true);
}

int prepare_team_cpu(struct bench *bench)
{
	int err = bench->team ? 0 : start_team(bench, touch_each_piece, false);

	if (!err)
		err = map_anew(bench);
	if (err)
		return err;
	touch_all(bench);
	for (size_t at = 0; !err && at < bench->size; at += PIECE)
		err = gpu_populate(&bench->gpu, bench->vm, bench->mem + at, PIECE);
	return err;
}

int run_team(struct bench *bench)
{
	struct team *team = bench->team;
	int err = 0;

	bench->calls = bench->size / (team->work == touch_each_piece ? PIECE : PAGE);
	pthread_barrier_wait(&team->begin);
	pthread_barrier_wait(&team->end);
	for (unsigned int i = 0; i < team->count; i++)
		err = err ? err : team->members[i].err;
	return err;
}

void finish_team(struct bench *bench)
{
	struct team *team = bench->team;

	if (!team)
		return;
	team->over = true;
	pthread_barrier_wait(&team->begin);
	for (unsigned int i = 0; i < team->count; i++) {
		pthread_join(team->members[i].thread, NULL);
		if (team->members[i].own_vm)
			gpu_vm_destroy(&bench->gpu, team->members[i].vm);
	}
	free(team);
	bench->team = NULL;
}
