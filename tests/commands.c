// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What each command of a job does to memory, wherever that is, next to what the CPU
 * computes; and that wrong arguments are refused.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "queue.h"

#define VALUE	0x9d6c1e8f35b7a042ULL

/* An area with a queue; half of it is in VRAM, where there is any. */
struct ground {
	struct area area;
	uint32_t queue;
};

static void half_to_vram(struct ground *ground)
{
	struct area half = area_part(&ground->area, 0, ground->area.size / 2);

	if (gpu_has_vram(half.gpu))
		area_populate(&half);
}

static struct ground ground_new(const struct gpu *gpu, size_t size)
{
	struct ground ground = { .area = area_filled(gpu, size, 0, MEM_SMALL) };

	half_to_vram(&ground);
	ground.queue = queue_new(gpu, ground.area.vm);
	return ground;
}

static int perform(const struct ground *ground, struct drm_mockgpu_command command)
{
	return job_do(ground->area.gpu, ground->queue, command);
}

static void fill(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem;
	uint64_t *shadow = malloc(MIB);
	struct mismatch bad;

	memcpy(shadow, mem, MIB);
	half_to_vram(&ground);
	CHECK_OK(perform(&ground, cmd_fill(mem + 4088, MIB - 2 * 4088, VALUE)));
	for (size_t i = 511; i < MIB / 8 - 511; i++)
		shadow[i] = VALUE;
	CHECK_DATA(words_match(mem, shadow, MIB, &bad), bad);
}

/* From any byte to any byte, across pages of both kinds. */
static void copy(struct gpu *gpu)
{
	static const size_t sizes[] = { 1, 8, 4095, 4096, 4097, 100001 };
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem, *shadow = malloc(MIB);
	struct mismatch bad;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t from = MIB / 2 - sizes[i] / 2 - 3, to = from + sizes[i] + i * 777;

		if (i % 2) {
			size_t swap = from;

			from = to;
			to = swap;
		}
		memcpy(shadow, mem, MIB);
		memcpy(shadow + to, shadow + from, sizes[i]);
		half_to_vram(&ground);
		CHECK_OK(perform(&ground, cmd_copy(mem + to, mem + from, sizes[i])));
		CHECK_DATA(words_match(mem, shadow, MIB, &bad), bad);
	}
}

static void compare(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *a = ground.area.mem + 5, *b = ground.area.mem + MIB / 2 + 1000;
	size_t size = MIB / 4;
	static const size_t at[] = { 0, 4090, 4091, 70000, MIB / 4 - 1 };

	memcpy(b, a, size + PAGE);
	half_to_vram(&ground);
	CHECK_OK(perform(&ground, cmd_compare(a, b, size)));
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct job job = { };

		b[at[i]] ^= 1;
		job_add(&job, cmd_compare(a + at[i] + 1, b + at[i] + 1, 4096));
		job_add(&job, cmd_compare(a, b, size));
		job_add(&job, cmd_fill(ground.area.mem, PAGE, 0));
		job_start(&job, gpu, ground.queue);
		CHECK_RET(job_end(&job), -EBADMSG);
		CHECK_EQ(job.result->command, 1);
		CHECK(job.result->addr == (uintptr_t)a + at[i]);
		b[at[i]] ^= 1;
	}
	CHECK_OK(perform(&ground, cmd_compare(a, b, size)));
}

static void checksum(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	uint64_t *mem = (uint64_t *)ground.area.mem, sum = 0;
	uint64_t want = device_sum(mem + 3, MIB / 8 - 7);

	half_to_vram(&ground);
	CHECK_OK(perform(&ground, cmd_checksum(mem + 3, MIB - 56, &sum)));
	CHECK(sum == want);
	mem[7] ^= 1;
	CHECK_OK(perform(&ground, cmd_checksum(mem + 3, MIB - 56, &sum)));
	CHECK(sum != want);
}

static void check_atomics(const struct ground *ground, uint64_t *word)
{
	uint64_t old = 0;

	*word = 5;
	CHECK_OK(perform(ground, cmd_add(word, -7ULL, &old)));
	CHECK(old == 5 && *word == -2ULL);
	CHECK_OK(perform(ground, cmd_exchange(word, VALUE, &old)));
	CHECK(old == -2ULL && *word == VALUE);
	CHECK_OK(perform(ground, cmd_compare_exchange(word, VALUE + 1, 1, &old)));
	CHECK(old == VALUE && *word == VALUE);
	CHECK_OK(perform(ground, cmd_compare_exchange(word, VALUE, 2, &old)));
	CHECK(old == VALUE && *word == 2);
	old = 77;
	CHECK_OK(perform(ground, cmd_add(word, 1, NULL)));
	CHECK(old == 77 && *word == 3);
}

static void atomics(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	uint64_t *mem = (uint64_t *)ground.area.mem;

	for (int i = 0; i < 3; i++) {
		half_to_vram(&ground);
		check_atomics(&ground, mem + i * 511);
		check_atomics(&ground, mem + MIB / 8 - 1 - i * 511);
	}
}

#define SHARED_ROUNDS	2000
#define SHARED_QUEUES	4

static void *add_on_cpu(void *arg)
{
	for (int i = 0; i < SHARED_ROUNDS; i++)
		atomic_fetch_add((_Atomic uint64_t *)arg, 1);
	return NULL;
}

/*
 * Several queues, several threads and, where there is one, another device add to the
 * same word: none of it is lost, while the page moves around.
 */
static void shared_word(struct gpu *gpu)
{
	struct area area = area_new(gpu, 2 * PAGE, 0, MEM_SMALL), elsewhere = area;
	struct job jobs[SHARED_QUEUES] = { };
	struct gpu other;
	pthread_t threads[2];
	uint64_t *word = (uint64_t *)(area.mem + PAGE + 8), total = 0;
	bool two = !gpu_open(&other, gpu->index ? 0 : 1);

	if (two) {
		elsewhere.gpu = &other;
		elsewhere.vm = vm_new(&other);
	}
	*word = 0;
	for (unsigned int i = 0; i < SHARED_QUEUES; i++) {
		const struct area *use = two && i % 2 ? &elsewhere : &area;

		job_add(&jobs[i], cmd_add_strided(word, 8, 1, SHARED_ROUNDS, 0));
		job_start(&jobs[i], use->gpu, queue_new(use->gpu, use->vm));
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, add_on_cpu, word), 0);
	for (int i = 0; i < 10 && gpu_has_vram(gpu); i++) {
		const struct area *use = two && i % 2 ? &elsewhere : &area;
		int ret = gpu_populate(use->gpu, use->vm, use->mem, use->size);

		CHECK(!ret || ret == -EBUSY);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (unsigned int i = 0; i < SHARED_QUEUES; i++)
		CHECK_OK(job_end(&jobs[i]));
	total = (2 + SHARED_QUEUES) * SHARED_ROUNDS;
	if (*word != total)
		FAIL("%llu, not %llu", (unsigned long long)*word, (unsigned long long)total);
}

static void strided(struct gpu *gpu)
{
	static const size_t steps[] = { 0, 8, 24, 4096, 4104, 1 << 20, 3000000 };
	struct ground ground = ground_new(gpu, MIB);
	uint64_t *mem = (uint64_t *)ground.area.mem, *shadow = malloc(MIB);
	size_t size = MIB - 40;
	struct mismatch bad;

	memcpy(shadow, mem, MIB);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		for (uint64_t n = 0; n < 500; n++)
			shadow[2 + n * steps[i] % size / 8] += VALUE + i;
		half_to_vram(&ground);
		CHECK_OK(perform(&ground, cmd_add_strided(mem + 2, size, VALUE + i, 500, steps[i])));
	}
	CHECK_DATA(words_match(mem, shadow, MIB, &bad), bad);
}

static void random_access(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	uint64_t *mem = (uint64_t *)ground.area.mem, *shadow = malloc(MIB);
	size_t words = MIB / 8 - 5;
	struct mismatch bad;

	memcpy(shadow, mem, MIB);
	for (uint64_t seed = 0; seed < 4; seed++) {
		for (uint64_t n = 0; n < 3000; n++)
			shadow[2 + device_random(seed << 60, n) % words] += seed + 1;
		half_to_vram(&ground);
		CHECK_OK(perform(&ground, cmd_add_random(mem + 2, words * 8, seed + 1, 3000,
							 seed << 60)));
	}
	CHECK_DATA(words_match(mem, shadow, MIB, &bad), bad);
}

struct mover {
	struct area area;
	atomic_bool stop;
};

/*
 * Takes it to VRAM and back, and reads on the CPU, all the time; but on a slow machine a
 * job might need all of its ten seconds for that.
 */
static void *keep_moving(void *arg)
{
	struct mover *mover = arg;
	const struct area *area = &mover->area;
	double end = seconds_now() + 4;

	for (size_t i = 0; !atomic_load(&mover->stop) && seconds_now() < end; i++) {
		struct area part = area_part(area, i * 5 % 8 * (area->size / 8), area->size / 8);
		int ret = gpu_populate(part.gpu, part.vm, part.mem, part.size);

		CHECK(!ret || ret == -EBUSY);
		ret = gpu_evict_at(part.gpu, part.vm, part.mem);
		CHECK(!ret || ret == -EBUSY || ret == -ENOENT);
		*(volatile char *)(part.mem + i % 100 * PAGE % part.size);
	}
	return NULL;
}

/* The same while the memory does not stay where it is. */
static void random_while_moving(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, 2 * MIB);
	struct mover mover = { .area = ground.area };
	uint64_t *mem = (uint64_t *)ground.area.mem, *shadow = malloc(2 * MIB);
	size_t words = 2 * MIB / 8;
	/* A job has ten seconds, on a slow machine too. */
	uint64_t count = 2000 / patience(1);
	struct job jobs[4] = { };
	struct mismatch bad;
	pthread_t thread;

	memcpy(shadow, mem, 2 * MIB);
	CHECK_EQ(pthread_create(&thread, NULL, keep_moving, &mover), 0);
	for (uint64_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		for (uint64_t n = 0; n < count; n++)
			shadow[device_random(i, n) % words] += i + 1;
		job_add(&jobs[i], cmd_add_random(mem, words * 8, i + 1, count, i));
		job_start(&jobs[i], gpu, queue_new(gpu, ground.area.vm));
	}
	for (uint64_t i = 0; i < ARRAY_SIZE(jobs); i++)
		CHECK_OK(job_end(&jobs[i]));
	atomic_store(&mover.stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_DATA(words_match(mem, shadow, 2 * MIB, &bad), bad);
}

static void waits(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	uint64_t *word = (uint64_t *)ground.area.mem;

	*word = 41;
	CHECK_OK(perform(&ground, cmd_wait_equal(word, 41, 1)));
	CHECK_OK(perform(&ground, cmd_wait_at_least(word, 41, 1)));
	CHECK_OK(perform(&ground, cmd_wait_at_least(word, 3, 1)));
	CHECK_RET(perform(&ground, cmd_wait_equal(word, 40, 1)), -ETIMEDOUT);
	CHECK_RET(perform(&ground, cmd_wait_at_least(word, 42, 30)), -ETIMEDOUT);
	*word = -1ULL;
	CHECK_OK(perform(&ground, cmd_wait_at_least(word, 42, 1)));
}

/* Each of the addresses of a command may be a bad one. */
static void bad_addresses(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem, *hole = mem + MIB / 2 + 4 * PAGE;
	struct drm_mockgpu_command commands[] = {
		cmd_fill(hole - PAGE, 2 * PAGE, 1),
		cmd_copy(mem, hole - PAGE, 2 * PAGE),
		cmd_copy(hole - PAGE, mem, 2 * PAGE),
		cmd_compare(mem + MIB / 2 + PAGE, mem + MIB / 2 + PAGE, 9 * PAGE),
		cmd_checksum(hole - PAGE, 2 * PAGE, (uint64_t *)mem),
		cmd_checksum(mem, PAGE, (uint64_t *)hole),
		cmd_add(hole, 1, NULL),
		cmd_exchange(mem, 1, (uint64_t *)hole),
		cmd_add_strided(hole - PAGE, 2 * PAGE, 1, 1000, 8),
		cmd_wait_equal(hole, 1, 1000),
	};

	CHECK_SYS(munmap(hole, PAGE));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct job job = { };

		job_add(&job, commands[i]);
		job_start(&job, gpu, ground.queue);
		if (job_end(&job) != -EFAULT)
			FAIL("command %zu: no -EFAULT", i);
		CHECK(job.result->addr == (uintptr_t)hole);
	}
	CHECK_OK(perform(&ground, cmd_fill(mem, PAGE, 1)));
}

static void read_only(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem;
	uint64_t sum = 0;

	CHECK_OK(perform(&ground, cmd_fill(mem, MIB, 1)));
	CHECK_SYS(mprotect(mem, MIB, PROT_READ));
	CHECK_RET(perform(&ground, cmd_fill(mem, 8, 2)), -EFAULT);
	CHECK_RET(perform(&ground, cmd_add(mem + MIB - 8, 2, NULL)), -EFAULT);
	CHECK_OK(perform(&ground, cmd_checksum(mem, 16, &sum)));
	CHECK_EQ(sum, 3);
}

static void refuse(const struct ground *ground, const char *what, struct drm_mockgpu_command command)
{
	struct job job = { };
	int ret;

	job_add(&job, command);
	ret = job_try_start(&job, ground->area.gpu, ground->queue, NULL);
	if (ret != -EINVAL)
		FAIL("%s: %s, not -EINVAL", what, errno_name(ret));
}

/* One field is wrong; all else about the command is right. */
#define REFUSE(base, field, bad)						\
	do {									\
		struct drm_mockgpu_command _command = (base);			\
										\
		_command.field = (bad);						\
		refuse(&ground, #base ": " #field " = " #bad, _command);	\
	} while (0)

static void bad_ranges(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem;
	uint64_t *word = (uint64_t *)mem;

	REFUSE(cmd_fill(mem, PAGE, 1), size, 0);
	REFUSE(cmd_fill(mem, PAGE, 1), size, 12);
	REFUSE(cmd_fill(mem, PAGE, 1), size, -8ULL);
	REFUSE(cmd_fill(mem, PAGE, 1), addr, 1ULL << 63);
	REFUSE(cmd_fill(mem, PAGE, 1), addr, (uintptr_t)mem + 4);
	REFUSE(cmd_copy(mem, mem + PAGE, PAGE), size, 0);
	REFUSE(cmd_copy(mem, mem + PAGE, PAGE), size, PAGE + 1);
	REFUSE(cmd_copy(mem + PAGE, mem, PAGE), size, PAGE + 1);
	REFUSE(cmd_copy(mem, mem + PAGE, PAGE), other, 0xffff800000000000);
	REFUSE(cmd_compare(mem, mem + PAGE, PAGE), size, -1ULL);
	REFUSE(cmd_checksum(mem, PAGE, word), other, (uintptr_t)mem + 2);
	REFUSE(cmd_add(mem, 1, word), addr, (uintptr_t)mem + 1);
	REFUSE(cmd_add(mem, 1, word), other, (uintptr_t)mem + 1);
	REFUSE(cmd_add(mem, 1, word), other, 1ULL << 60);
	REFUSE(cmd_add_strided(mem, PAGE, 1, 1, 8), size, 4);
	REFUSE(cmd_wait_equal(mem, 1, 1), addr, (uintptr_t)mem + 7);
}

static void bad_fields(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu, MIB);
	char *mem = ground.area.mem;
	uint64_t *word = (uint64_t *)mem;

	REFUSE(cmd_fill(mem, PAGE, 1), op, 11);
	REFUSE(cmd_fill(mem, PAGE, 1), op, -1);
	REFUSE(cmd_fill(mem, PAGE, 1), timeout_ms, 1);
	REFUSE(cmd_fill(mem, PAGE, 1), other, (uintptr_t)mem);
	REFUSE(cmd_fill(mem, PAGE, 1), compare, 1);
	REFUSE(cmd_fill(mem, PAGE, 1), count, 1);
	REFUSE(cmd_fill(mem, PAGE, 1), step, 8);
	REFUSE(cmd_copy(mem, mem + PAGE, PAGE), value, 1);
	REFUSE(cmd_add(mem, 1, word), size, 8);
	REFUSE(cmd_add(mem, 1, word), compare, 1);
	REFUSE(cmd_add_strided(mem, PAGE, 1, 1, 8), count, 0);
	REFUSE(cmd_add_strided(mem, PAGE, 1, 1, 8), count, (1 << 24) + 1);
	REFUSE(cmd_add_strided(mem, PAGE, 1, 1, 8), step, 4);
	REFUSE(cmd_add_strided(mem, PAGE, 1, 16, 8), step, 1ULL << 60);
	REFUSE(cmd_wait_equal(mem, 1, 1), timeout_ms, 0);
	REFUSE(cmd_wait_equal(mem, 1, 1), size, 8);
}

static const struct test tests[] = {
	{ "fill", fill, 0, 0 },
	{ "copy", copy, 0, 0 },
	{ "compare", compare, 0, 0 },
	{ "checksum", checksum, 0, 0 },
	{ "atomics", atomics, 0, 0 },
	{ "shared-word", shared_word, 0, 0 },
	{ "strided", strided, 0, 0 },
	{ "random", random_access, 0, 0 },
	{ "random-while-moving", random_while_moving, NEED_VRAM, 0 },
	{ "waits", waits, 0, 0 },
	{ "bad-addresses", bad_addresses, 0, 0 },
	{ "read-only", read_only, 0, 0 },
	{ "bad-ranges", bad_ranges, 0, 0 },
	{ "bad-fields", bad_fields, 0, 0 },
};

HARNESS_MAIN(tests)
