// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Queues and their jobs, attributes, atomic operations, and VMs that share their ranges.
 *
 * The faults of a job are handled by a worker, to which nothing is refused; those of
 * the CPU and of other commands are handled here.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failnth.h"

#define VALUE		0x1b873593cc9e2d51ULL
/* Longer than any round. */
#define LONG_MS		MOCKGPU_EXEC_MAX_MS
#define POINT		5
#define OLD_MS		20
#define NEW_MS		30
/* Enough of them that the kernel needs more than one node for their tree. */
#define ATTR_PAGES	100

static uint64_t *words(const struct round *round)
{
	return (uint64_t *)round->area.mem;
}

static void fill_with_queue(struct round *round)
{
	fill_used(round);
	round->queue = queue_new(&round->gpu, round->area.vm);
}

/* Queues. */

static int act_queue_create(struct round *round)
{
	return gpu_queue_create(&round->gpu, round->area.vm, &round->queue);
}

static void verify_queue_created(struct round *round, int ret)
{
	if (ret)
		round->queue = queue_new(&round->gpu, round->area.vm);
	CHECK_OK(job_do(&round->gpu, round->queue, cmd_fill(round->area.mem, PAGE, VALUE)));
	CHECK_EQ(*words(round), VALUE);
	verify_alive(round, ret);
}

/* One job waits for the CPU, and one for its turn. */
static void fill_and_wait(struct round *round)
{
	fill_with_queue(round);
	job_add(&round->jobs[0], cmd_wait_equal(words(round), VALUE, LONG_MS));
	job_start(&round->jobs[0], &round->gpu, round->queue);
	job_add(&round->jobs[1], cmd_fill(words(round), PAGE, 0));
	job_start(&round->jobs[1], &round->gpu, round->queue);
}

static int act_queue_destroy(struct round *round)
{
	return gpu_queue_destroy(&round->gpu, round->queue);
}

/* Refused is not done: both jobs can still come to a good end. */
static void verify_queue_destroyed(struct round *round, int ret)
{
	int want = ret ? 0 : -ECANCELED;

	__atomic_store_n(words(round), VALUE, __ATOMIC_SEQ_CST);
	CHECK_RET(job_end(&round->jobs[0]), want);
	CHECK_RET(job_end(&round->jobs[1]), want);
	CHECK_EQ(words(round)[1], ret ? 0 : old_word(&round->area, 1));
	CHECK_RET(act_queue_destroy(round), ret ? 0 : -ENOENT);
	verify_alive(round, ret);
}

/* EXEC. */

/* A command of each kind, so that all of the memory becomes the same word. */
static void add_commands(struct round *round)
{
	struct job *job = &round->jobs[0];
	size_t half = round->area.size / 2;
	char *mem = round->area.mem;

	job_add(job, cmd_fill(mem, half, VALUE));
	job_add(job, cmd_copy(mem + half, mem, half));
	job_add(job, cmd_compare(mem, mem + half, half));
	job_add(job, cmd_checksum(mem, round->area.size, &round->sum));
}

static void prepare_exec(struct round *round)
{
	fill_with_queue(round);
	add_commands(round);
	job_prepare(&round->jobs[0], &round->gpu, round->queue, NULL);
}

/* The device faults in what nobody has touched, and moves it. */
static void prepare_exec_first(struct round *round)
{
	round->queue = queue_new(&round->gpu, round->area.vm);
	CHECK_OK(area_set_attr(&round->area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	add_commands(round);
	job_prepare(&round->jobs[0], &round->gpu, round->queue, NULL);
}

static int act_exec(struct round *round)
{
	return job_submit(&round->jobs[0]);
}

/* Refused is not done: nobody will ever signal its end. */
static void check_not_queued(const struct round *round)
{
	CHECK_EQ(counter(&round->gpu, MOCKGPU_COUNTER_LIVE_JOBS), 0);
	CHECK_RET(sync_wait(&round->gpu, round->jobs[0].sync, 0, 0), -EINVAL);
}

static void check_job_done(struct round *round)
{
	struct mismatch bad;

	CHECK_OK(job_end(&round->jobs[0]));
	CHECK_DATA(words_are(round->area.mem, round->area.size, VALUE, &bad), bad);
	CHECK_EQ(round->sum, device_sum(words(round), round->area.size / 8));
}

static void verify_exec(struct round *round, int ret)
{
	if (ret) {
		check_not_queued(round);
		CHECK_OK(act_exec(round));
	}
	check_job_done(round);
	verify_alive(round, ret);
}

/* It waits for a job of another queue, at both kinds of sync objects, and signals both. */
static void prepare_exec_syncs(struct round *round)
{
	struct drm_mockgpu_sync *in = round->syncs, *out = round->syncs + 1;
	struct drm_mockgpu_exec exec = { .out_syncs = (uintptr_t)in, .out_count = 1 };

	fill_with_queue(round);
	for (size_t i = 0; i < ARRAY_SIZE(round->syncs); i++) {
		CHECK_OK(sync_create(&round->gpu, &round->syncs[i].handle));
		round->syncs[i].point = POINT;
	}
	job_add(&round->jobs[1], cmd_wait_equal(words(round), VALUE, LONG_MS));
	CHECK_OK(job_try_start(&round->jobs[1], &round->gpu,
			       queue_new(&round->gpu, round->area.vm), &exec));
	round->ins[0] = *in;
	round->ins[1].handle = round->jobs[1].sync;
	exec = (struct drm_mockgpu_exec){
		.in_syncs = (uintptr_t)round->ins, .in_count = ARRAY_SIZE(round->ins),
		.out_syncs = (uintptr_t)out, .out_count = 1,
	};
	add_commands(round);
	job_prepare(&round->jobs[0], &round->gpu, round->queue, &exec);
}

static void verify_exec_syncs(struct round *round, int ret)
{
	uint64_t point;

	if (ret) {
		CHECK_EQ(counter(&round->gpu, MOCKGPU_COUNTER_LIVE_JOBS), 1);
		CHECK_OK(act_exec(round));
	}
	CHECK_RET(sync_wait(&round->gpu, round->jobs[0].sync, 0, 0), -ETIME);
	__atomic_store_n(words(round), VALUE, __ATOMIC_SEQ_CST);
	check_job_done(round);
	CHECK_OK(job_end(&round->jobs[1]));
	CHECK_OK(sync_query(&round->gpu, round->syncs[1].handle, &point));
	CHECK_EQ(point, POINT);
	verify_alive(round, ret);
}

/* A job that ends with an error, which others are told. */
static void prepare_exec_bad(struct round *round)
{
	fill_with_queue(round);
	job_add(&round->jobs[0], cmd_fill(words(round), PAGE, VALUE));
	job_add(&round->jobs[0], cmd_fill((void *)PAGE, PAGE, VALUE));
	job_prepare(&round->jobs[0], &round->gpu, round->queue, NULL);
}

static void verify_exec_bad(struct round *round, int ret)
{
	if (ret) {
		check_not_queued(round);
		CHECK_OK(act_exec(round));
	}
	CHECK_RET(job_end(&round->jobs[0]), -EFAULT);
	CHECK_EQ(round->jobs[0].result->command, 1);
	CHECK_EQ(*words(round), VALUE);
	verify_alive(round, ret);
}

/* Attributes, of single pages and of all of them. */

static int set_pages(const struct round *round, size_t page, size_t count, uint64_t value)
{
	struct area part = round->area;

	part.mem += page * PAGE;
	part.size = count * PAGE;
	return area_set_attr(&part, MOCKGPU_ATTR_TIMESLICE_MS, value);
}

static int get_page(struct round *round, size_t page)
{
	round->attr = (struct drm_mockgpu_attr_range){
		.vm_id = round->area.vm, .attr = MOCKGPU_ATTR_TIMESLICE_MS,
		.addr = (uintptr_t)round->area.mem + page * PAGE,
	};
	return gpu_ioctl(&round->gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &round->attr);
}

static void check_pages(struct round *round, size_t page, size_t count, uint64_t value)
{
	CHECK_OK(get_page(round, page));
	CHECK_EQ(round->attr.value, value);
	CHECK_EQ(round->attr.addr, (uintptr_t)round->area.mem + page * PAGE);
	CHECK_EQ(round->attr.size, count * PAGE);
}

static void prepare_attr(struct round *round)
{
	fill_used(round);
	CHECK_OK(set_pages(round, 0, ATTR_PAGES, OLD_MS));
}

/* One range becomes three. */
static int act_set_attr(struct round *round)
{
	return set_pages(round, 3, 2, NEW_MS);
}

static void verify_set_attr(struct round *round, int ret)
{
	if (ret) {
		check_pages(round, 0, ATTR_PAGES, OLD_MS);
	} else {
		check_pages(round, 0, 3, OLD_MS);
		check_pages(round, 3, 2, NEW_MS);
		check_pages(round, 5, ATTR_PAGES - 5, OLD_MS);
	}
	verify_data(round, ret);
}

static void prepare_attrs(struct round *round)
{
	fill_used(round);
	for (size_t page = 0; page < ATTR_PAGES; page++)
		CHECK_OK(set_pages(round, page, 1, page + 1));
}

/* Many become one. */
static int act_set_attrs(struct round *round)
{
	return set_pages(round, 1, ATTR_PAGES - 2, 0);
}

static void verify_set_attrs(struct round *round, int ret)
{
	check_pages(round, 0, 1, 1);
	check_pages(round, ATTR_PAGES - 1, 1, ATTR_PAGES);
	if (!ret)
		check_pages(round, 1, ATTR_PAGES - 2, 0);
	for (size_t page = 1; ret && page < ATTR_PAGES - 1; page++)
		check_pages(round, page, 1, page + 1);
	verify_data(round, ret);
}

static int act_get_attr(struct round *round)
{
	return get_page(round, 50);
}

static void verify_get_attr(struct round *round, int ret)
{
	if (!ret)
		CHECK_EQ(round->attr.value, 51);
	verify_set_attrs(round, -ENOMEM);
}

/*
 * PREFETCH does what it can. When memory for mapping it is refused, what has just been
 * moved comes home again, and is used there.
 */

static int act_prefetch_in(struct round *round)
{
	return area_prefetch(&round->area, MOCKGPU_PREFER_DEVICE);
}

static int act_prefetch_home(struct round *round)
{
	return area_prefetch(&round->area, MOCKGPU_PREFER_SYSTEM);
}

static int act_prefetch(struct round *round)
{
	return area_prefetch(&round->area, MOCKGPU_PREFER_NONE);
}

static void verify_prefetched_in(struct round *round, int ret)
{
	if (!round->fired)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_DEVICE);
	verify_data(round, ret);
}

static void verify_prefetched_home(struct round *round, int ret)
{
	if (!round->fired)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_SYSTEM);
	verify_data(round, ret);
}

/* Atomic operations, and pages that the device has for itself because of them. */

void need_atomics(struct round *round)
{
	int ret = area_set_attr(&round->area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM);

	if (ret == -EOPNOTSUPP)
		test_skip("the kernel cannot give a device pages for itself");
	CHECK_OK(ret);
}

static void prepare_exec_atomic(struct round *round)
{
	struct job *job = &round->jobs[0];
	uint64_t *mem;

	fill_with_queue(round);
	need_atomics(round);
	mem = words(round);
	*mem = 40;
	job_add(job, cmd_add(mem, 1, mem + 1));
	job_add(job, cmd_exchange(mem + 2, 7, NULL));
	job_add(job, cmd_compare_exchange(mem, 41, 42, mem + 3));
	job_prepare(job, &round->gpu, round->queue, NULL);
}

static void verify_exec_atomic(struct round *round, int ret)
{
	const uint64_t *mem = words(round);

	if (ret) {
		check_not_queued(round);
		CHECK_OK(act_exec(round));
	}
	CHECK_OK(job_end(&round->jobs[0]));
	CHECK(mem[0] == 42 && mem[1] == 40 && mem[2] == 7 && mem[3] == 41);
	verify_alive(round, ret);
}

/* An addition of 0 to each page. */
static void fill_and_take(struct round *round)
{
	struct area *area = &round->area;

	fill_system(round);
	need_atomics(round);
	CHECK_OK(job_do(&round->gpu, queue_new(&round->gpu, area->vm),
			cmd_add_strided(area->mem, area->size, 0, area->size / PAGE, PAGE)));
}

static int act_give_back(struct round *round)
{
	return area_set_attr(&round->area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_ANY);
}

/* VMs that share their ranges. */

static uint32_t shared_vm(const struct gpu *gpu)
{
	uint32_t vm;

	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &vm));
	return vm;
}

static struct area others(const struct round *round)
{
	struct area area = round->area;

	area.gpu = &round->other;
	area.vm = round->other_vm;
	return area;
}

/* The other device has used the memory, which is in its VRAM; this one may join. */
static void fill_shared_by_other(struct round *round)
{
	struct area area;

	round->other_vm = shared_vm(&round->other);
	area = others(round);
	area_fill(&area);
	area_populate(&area);
	area_device_flip(&area, FLIP);
	round->area.seed = area.seed;
	round->area.flip = area.flip;
}

void fill_shared(struct round *round)
{
	fill_shared_by_other(round);
	round->area.vm = shared_vm(&round->gpu);
}

static void fill_shared_used(struct round *round)
{
	fill_shared(round);
	area_populate(&round->area);
	area_device_flip(&round->area, FLIP);
}

static int act_vm_create_shared(struct round *round)
{
	return gpu_vm_create_with(&round->gpu, MOCKGPU_VM_SHARED, &round->area.vm);
}

static void verify_joined(struct round *round, int ret)
{
	if (ret)
		round->area.vm = shared_vm(&round->gpu);
	area_fill(&round->area);
	verify_data(round, ret);
}

static void check_other(const struct round *round)
{
	struct area area = others(round);

	area_check_device(&area);
}

/* What is one device's is the other's. */
static void verify_shared(struct round *round, int ret)
{
	check_other(round);
	verify_data(round, ret);
	check_other(round);
}

static void verify_shared_xor(struct round *round, int ret)
{
	check_progress(round, ret, flipped_word);
	area_fill(&round->area);
	verify_shared(round, ret);
}

static void verify_joined_shared(struct round *round, int ret)
{
	if (ret)
		round->area.vm = shared_vm(&round->gpu);
	verify_shared(round, ret);
}

/* Its ranges stay, for the other one. */
static void verify_left_shared(struct round *round, int ret)
{
	area_check_cpu(&round->area);
	check_other(round);
	CHECK_RET(act_vm_destroy(round), ret ? 0 : -ENOENT);
	check_other(round);
}

static void verify_shared_unmapped(struct round *round, int ret)
{
	char *mem = round->area.mem + UNMAPPED_PAGE * PAGE, byte;

	if (!ret)
		CHECK_RET(gpu_read(&round->other, round->other_vm, mem, 1, &byte), -EFAULT);
	verify_unmapped(round, ret);
}

SCENE(queue_create, .prepare = fill_used, .act = act_queue_create,
      .verify = verify_queue_created)
SCENE(queue_destroy, .prepare = fill_and_wait, .act = act_queue_destroy,
      .verify = verify_queue_destroyed)
SCENE(exec, .prepare = prepare_exec, .act = act_exec, .verify = verify_exec)
SCENE(exec_first, .prepare = prepare_exec_first, .act = act_exec, .verify = verify_exec)
SCENE(exec_syncs, .prepare = prepare_exec_syncs, .act = act_exec, .verify = verify_exec_syncs)
SCENE(exec_bad, .prepare = prepare_exec_bad, .act = act_exec, .verify = verify_exec_bad)
SCENE(exec_atomic, .prepare = prepare_exec_atomic, .act = act_exec,
      .verify = verify_exec_atomic)
SCENE(set_attr, .prepare = prepare_attr, .act = act_set_attr, .verify = verify_set_attr)
SCENE(set_attr_many, .prepare = prepare_attrs, .act = act_set_attrs,
      .verify = verify_set_attrs)
SCENE(get_attr, .prepare = prepare_attrs, .act = act_get_attr, .verify = verify_get_attr)
SCENE(prefetch_in, .prepare = fill_system, .act = act_prefetch_in,
      .verify = verify_prefetched_in)
SCENE(prefetch_home, .prepare = fill_used, .act = act_prefetch_home,
      .verify = verify_prefetched_home)
SCENE(prefetch_system, .prepare = fill_system, .act = act_prefetch, .verify = verify_data)
SCENE(prefetch_vram, .prepare = fill_device, .act = act_prefetch, .verify = verify_data)
SCENE(taken_xor, .prepare = fill_and_take, .act = act_xor, .verify = verify_xor)
SCENE(taken_populate, .prepare = fill_and_take, .act = act_populate,
      .verify = verify_populated)
SCENE(taken_unmap_part, .prepare = fill_and_take, .act = act_unmap_part,
      .verify = verify_unmapped)
SCENE(taken_protect, .prepare = fill_and_take, .act = act_protect, .verify = verify_protected)
SCENE(taken_back, .prepare = fill_and_take, .act = act_give_back, .verify = verify_data)
SCENE(taken_close, .prepare = fill_and_take, .act = act_close, .verify = verify_closed)
SCENE(shared_create, .act = act_vm_create_shared, .verify = verify_joined)
SCENE(shared_join, .prepare = fill_shared_by_other, .act = act_vm_create_shared,
      .verify = verify_joined_shared, .two = true)
SCENE(shared_first, .prepare = fill_shared, .act = act_xor, .verify = verify_shared_xor,
      .two = true)
SCENE(shared_destroy, .prepare = fill_shared_used, .act = act_vm_destroy,
      .verify = verify_left_shared, .two = true)
SCENE(shared_cpu_write, .prepare = fill_shared_used, .act = act_cpu_write,
      .verify = verify_shared, .two = true)
SCENE(shared_unmap_part, .prepare = fill_shared_used, .act = act_unmap_part,
      .verify = verify_shared_unmapped, .two = true)
SCENE(shared_protect, .prepare = fill_shared_used, .act = act_protect,
      .verify = verify_protected, .two = true)

static const struct test tests[] = {
	{ "queue-create", queue_create, NEEDS, SECONDS },
	{ "queue-destroy", queue_destroy, NEEDS, SECONDS },
	{ "exec", exec, NEEDS, SECONDS },
	{ "exec-first", exec_first, NEEDS, SECONDS },
	{ "exec-syncs", exec_syncs, NEEDS, SECONDS },
	{ "exec-bad", exec_bad, NEEDS, SECONDS },
	{ "exec-atomic", exec_atomic, NEEDS, SECONDS },
	{ "set-attr", set_attr, NEEDS, SECONDS },
	{ "set-attr-many", set_attr_many, NEEDS, SECONDS },
	{ "get-attr", get_attr, NEEDS, SECONDS },
	{ "prefetch-in", prefetch_in, NEEDS, SECONDS },
	{ "prefetch-home", prefetch_home, NEEDS, SECONDS },
	{ "prefetch-system", prefetch_system, NEEDS, SECONDS },
	{ "prefetch-vram", prefetch_vram, NEEDS, SECONDS },
	{ "taken-xor", taken_xor, NEEDS, SECONDS },
	{ "taken-populate", taken_populate, NEEDS, SECONDS },
	{ "taken-unmap-part", taken_unmap_part, NEEDS, SECONDS },
	{ "taken-protect", taken_protect, NEEDS, SECONDS },
	{ "taken-back", taken_back, NEEDS, SECONDS },
	{ "taken-close", taken_close, NEEDS, SECONDS },
	{ "shared-create", shared_create, NEEDS, SECONDS },
	{ "shared-join", shared_join, NEEDS_TWO, SECONDS },
	{ "shared-first", shared_first, NEEDS_TWO, SECONDS },
	{ "shared-destroy", shared_destroy, NEEDS_TWO, SECONDS },
	{ "shared-cpu-write", shared_cpu_write, NEEDS_TWO | NEED_PRIVATE, SECONDS },
	{ "shared-unmap-part", shared_unmap_part, NEEDS_TWO, SECONDS },
	{ "shared-protect", shared_protect, NEEDS_TWO, SECONDS },
};

const struct tests command_tests = { tests, ARRAY_SIZE(tests) };
