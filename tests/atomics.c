// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Atomic operations of the device while the CPU and other devices do some on the same
 * word: nothing is lost, whatever mode the range has.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "knob.h"
#include "queue.h"

#define JOBS	8
#define ADDS	500
#define VALUE	0x2545f4914f6cdd1dULL

static const char no_exclusive[] = "the kernel cannot give a device pages for itself";

static int set_mode(const struct area *area, uint64_t mode)
{
	return area_set_attr(area, MOCKGPU_ATTR_ATOMIC, mode);
}

static bool offers_system(const struct gpu *gpu)
{
	return gpu->caps & MOCKGPU_CAP_ATOMIC_SYSTEM;
}

static bool takes_pages(const struct gpu *gpu)
{
	return gpu->caps & MOCKGPU_CAP_EXCLUSIVE && gpu->tier != MOCKGPU_TIER_COHERENT;
}

/* A word in zeroed memory, with a mode. */
static struct area word_new(const struct gpu *gpu, uint64_t mode)
{
	struct area area = area_new(gpu, 4 * PAGE, 0, MEM_SMALL);

	memset(area.mem, 0, area.size);
	CHECK_OK(set_mode(&area, mode));
	return area;
}

/* The CPU adds for as long as devices do. */
struct adder {
	uint64_t *word;
	uint64_t added;
	volatile bool stop;
};

static void *add_on_cpu(void *arg)
{
	struct adder *adder = arg;

	while (!adder->stop || adder->added < ADDS) {
		__atomic_add_fetch(adder->word, 1, __ATOMIC_SEQ_CST);
		if (++adder->added % 64 == 0)
			sleep_ms(1);
	}
	return NULL;
}

/* Jobs of all areas, which are views of the same memory by devices, and the CPU. */
static void race(const struct area *areas, unsigned int count)
{
	struct adder adder = { .word = (uint64_t *)areas->mem };
	struct job jobs[2][JOBS] = { };
	uint32_t queues[2];
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, add_on_cpu, &adder));
	for (unsigned int i = 0; i < count; i++)
		queues[i] = queue_new(areas[i].gpu, areas[i].vm);
	for (unsigned int n = 0; n < JOBS; n++)
		for (unsigned int i = 0; i < count; i++) {
			job_add(&jobs[i][n], cmd_add_strided(areas->mem, 8, 1, ADDS, 0));
			job_start(&jobs[i][n], areas[i].gpu, queues[i]);
		}
	for (unsigned int n = 0; n < JOBS; n++)
		for (unsigned int i = 0; i < count; i++)
			CHECK_OK(job_end(&jobs[i][n]));
	adder.stop = true;
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(*(uint64_t *)areas->mem, (long long)(adder.added + count * JOBS * ADDS));
	printf("# %llu additions by the CPU, %u by devices\n", (unsigned long long)adder.added,
	       count * JOBS * ADDS);
}

static void any(struct gpu *gpu)
{
	struct area area = word_new(gpu, MOCKGPU_ATOMIC_ANY);

	race(&area, 1);
}

static void device(struct gpu *gpu)
{
	struct area area = word_new(gpu, MOCKGPU_ATOMIC_DEVICE);
	struct area page = area_part(&area, 0, PAGE);
	uint32_t queue = queue_new(gpu, area.vm);

	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 0, NULL)));
	CHECK_PLACE(&page, MOCKGPU_PAGE_DEVICE);
	race(&area, 1);
}

/* It goes there even if it should be elsewhere, but only for what is atomic. */
static void device_against_preference(struct gpu *gpu)
{
	struct area area = word_new(gpu, MOCKGPU_ATOMIC_DEVICE);
	struct area page = area_part(&area, 0, PAGE);
	uint32_t queue = queue_new(gpu, area.vm);

	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_SYSTEM));
	CHECK_OK(job_do(gpu, queue, cmd_fill(area.mem, PAGE, 0)));
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_PLACE(&page, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(*(uint64_t *)area.mem, 1);
}

/* How often a page was taken for this VM alone, the only one of the process. */
static unsigned long long taken(const struct gpu *gpu)
{
	char *text = knob_text(gpu, "vms"), *at;
	unsigned long long count;

	CHECK(text);
	at = strstr(text, " exclusive ");
	CHECK(at);
	CHECK_EQ(sscanf(at, " exclusive %llu", &count), 1);
	free(text);
	return count;
}

static void system_wide(struct gpu *gpu)
{
	struct area area;

	if (!offers_system(gpu))
		test_skip("%s, nor has it coherent VRAM", no_exclusive);
	area = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	race(&area, 1);
}

/* The page stays where it is, and the device has it until the CPU touches it. */
static void exclusive(struct gpu *gpu)
{
	struct area area;
	uint32_t queue;
	uint64_t old;
	struct job job = { };

	if (!(gpu->caps & MOCKGPU_CAP_EXCLUSIVE))
		test_skip("%s", no_exclusive);
	if (gpu->tier == MOCKGPU_TIER_COHERENT)
		test_skip("coherent VRAM is used instead");
	area = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	queue = queue_new(gpu, area.vm);
	job_add(&job, cmd_add(area.mem, 5, &old));
	job_add(&job, cmd_add(area.mem + 8, 6, NULL));
	job_add(&job, cmd_exchange(area.mem + 16, 7, NULL));
	job_start(&job, gpu, queue);
	CHECK_OK(job_end(&job));
	CHECK_EQ(old, 0);
	CHECK_EQ(taken(gpu), 1);
	CHECK_EQ(*(volatile uint64_t *)area.mem, 5);
	CHECK_EQ(((uint64_t *)area.mem)[1], 6);
	CHECK_EQ(((uint64_t *)area.mem)[2], 7);
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_EQ(taken(gpu), 2);
	/* What is not atomic can use what the device has. */
	CHECK_OK(job_do(gpu, queue, cmd_fill(area.mem + 64, 64, 9)));
	CHECK_EQ(*(volatile uint64_t *)area.mem, 6);
	CHECK_EQ(((uint64_t *)area.mem)[8], 9);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	/* Gone with the mapping, also while the device has it. */
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_SYS(munmap(area.mem, PAGE));
	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EFAULT);
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem + PAGE, 1, NULL)));
}

/* What the CPU drops while the device takes it, the device has no more. */
static void drop_while_taken(const struct area *area, uint32_t queue, unsigned int turns)
{
	volatile uint64_t *word = (uint64_t *)area->mem;
	struct job job = { };

	*word = 0;
	job_add(&job, cmd_add(area->mem, 1, NULL));
	job_start(&job, area->gpu, queue);
	for (volatile unsigned int i = 0; i < turns; i++)
		continue;
	CHECK_SYS(madvise(area->mem, PAGE, MADV_DONTNEED));
	CHECK_OK(job_end(&job));
	*word = 0;
	CHECK_OK(job_do(area->gpu, queue, cmd_add(area->mem, 1, NULL)));
	CHECK_EQ(*word, 1);
}

static void exclusive_dropped(struct gpu *gpu)
{
	uint64_t random = 1, rounds = 0;
	struct area area;
	uint32_t queue;
	double end;

	if (!takes_pages(gpu))
		test_skip("pages are not taken here");
	area = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	queue = queue_new(gpu, area.vm);
	end = seconds_now() + 2;
	for (; seconds_now() < end; rounds++)
		drop_while_taken(&area, queue, random_next(&random) % 20000);
	printf("# %llu rounds\n", (unsigned long long)rounds);
}

/* What is wanted of an address is so in all VMs that share it, and at once. */
static void exclusive_shared(struct gpu *gpu)
{
	struct area area, other;
	uint32_t queue;

	if (!takes_pages(gpu))
		test_skip("pages are not taken here");
	area = area_new(gpu, 4 * PAGE, 0, MEM_SMALL);
	memset(area.mem, 0, area.size);
	other = area;
	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &area.vm));
	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &other.vm));
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM));
	queue = queue_new(gpu, other.vm);
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_READ_ONLY, 1));
	CHECK_RET(job_do(gpu, queue, cmd_fill(area.mem, 8, VALUE)), -EFAULT);
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_READ_ONLY, 0));
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_NONE));
	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EACCES);
	CHECK_EQ(*(volatile uint64_t *)area.mem, 2);
}

/* Pages that come and go, and the jobs that use them meanwhile. */
struct churn {
	struct area area;
	volatile bool stop;
	unsigned int adds, faults;
};

static void *add_all_the_time(void *arg)
{
	struct churn *churn = arg;
	const struct area *area = &churn->area;
	uint32_t queue = queue_new(area->gpu, area->vm);

	for (uint64_t seed = 0; !churn->stop; seed++) {
		int ret = job_do(area->gpu, queue,
				 cmd_add_random(area->mem, area->size, 1, 200, seed));

		/* There may be nothing at the moment, or all but one of too many changes. */
		if (ret && ret != -ETIME)
			CHECK_RET(ret, -EFAULT);
		churn->adds += !ret;
		churn->faults += !!ret;
	}
	return NULL;
}

/* What is free is free for a while, so that whoever still uses it is seen. */
static void *replace_all_the_time(void *arg)
{
	struct churn *churn = arg;
	char *mem = churn->area.mem;
	uint64_t random = 1;

	while (!churn->stop) {
		memset(mem, 1, churn->area.size);
		sleep_ms(random_next(&random) % 16);
		CHECK_SYS(munmap(mem, churn->area.size));
		sleep_ms(4);
		CHECK(mmap(mem, churn->area.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	}
	return NULL;
}

/* A page that is not the device's own any more may be freed, and is not used then. */
static void exclusive_and_mode(struct gpu *gpu)
{
	struct churn churn = { };
	pthread_t adder, replacer;
	uint64_t random = 2, rounds = 0;
	double end = seconds_now() + 2;

	if (!takes_pages(gpu))
		test_skip("pages are not taken here");
	churn.area = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	CHECK(!pthread_create(&adder, NULL, add_all_the_time, &churn));
	CHECK(!pthread_create(&replacer, NULL, replace_all_the_time, &churn));
	for (; seconds_now() < end; rounds++) {
		CHECK_OK(set_mode(&churn.area, MOCKGPU_ATOMIC_SYSTEM));
		sleep_ms(random_next(&random) % 8);
		CHECK_OK(set_mode(&churn.area, MOCKGPU_ATOMIC_ANY));
	}
	churn.stop = true;
	CHECK(!pthread_join(adder, NULL));
	CHECK(!pthread_join(replacer, NULL));
	printf("# %llu changes, %u jobs, %u found nothing\n", (unsigned long long)rounds,
	       churn.adds, churn.faults);
	CHECK_OK(job_do(gpu, queue_new(gpu, churn.area.vm), cmd_add(churn.area.mem, 1, NULL)));
	CHECK_EQ(*(uint64_t *)churn.area.mem, 1);
}

/* More pages than a VM can have for itself at once. */
static void exclusive_many(struct gpu *gpu)
{
	struct area area;
	uint32_t queue;

	if (!takes_pages(gpu))
		test_skip("pages are not taken here");
	/* Not every kernel can give a part of a huge page, so that has to move. */
	area = area_new(gpu, 600 * PAGE, 0, gpu_has_vram(gpu) ? MEM_HUGE : MEM_SMALL);
	memset(area.mem, 0, area.size);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM));
	queue = queue_new(gpu, area.vm);
	/* So few at a time that a job does not need its ten seconds on a slow machine. */
	for (size_t page = 0; page < 600; page += 10)
		CHECK_OK(job_do(gpu, queue, cmd_add_strided(area.mem + page * PAGE, 10 * PAGE, 1,
							    10, PAGE)));
	for (size_t page = 0; page < 600; page++)
		CHECK_EQ(*(uint64_t *)(area.mem + page * PAGE), 1);
}

static void two_devices(struct gpu *gpu)
{
	struct gpu other;
	struct area areas[2];

	if (!offers_system(gpu))
		test_skip("%s, nor has it coherent VRAM", no_exclusive);
	CHECK_OK(gpu_open(&other, !gpu->index));
	areas[0] = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	areas[1] = areas[0];
	areas[1].gpu = &other;
	areas[1].vm = vm_new(&other);
	CHECK_OK(set_mode(&areas[1], MOCKGPU_ATOMIC_SYSTEM));
	race(areas, 2);
}

/* What cannot be taken or moved is an error, in time. */
static void shared_memory(struct gpu *gpu)
{
	struct area area = word_new(gpu, MOCKGPU_ATOMIC_ANY);
	struct drm_mockgpu_exec quick = { .timeout_ms = 500 };
	struct job job = { };
	int ret;

	CHECK(mmap(area.mem, area.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.mem);
	if (!offers_system(gpu))
		test_skip("%s, nor has it coherent VRAM", no_exclusive);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM));
	job_add(&job, cmd_add(area.mem, 1, NULL));
	CHECK_OK(job_try_start(&job, gpu, queue_new(gpu, area.vm), &quick));
	ret = job_end(&job);
	if (ret != -EOPNOTSUPP)
		CHECK_RET(ret, -ETIME);
	CHECK_EQ(*(uint64_t *)area.mem, 0);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_ANY));
	CHECK_OK(job_do(gpu, queue_new(gpu, area.vm), cmd_add(area.mem, 1, NULL)));
	CHECK_EQ(*(uint64_t *)area.mem, 1);
}

/* A page of a file, which starts with a 1. */
static char *map_file(int fd, int flags)
{
	const uint64_t one = 1;
	char *mem;

	CHECK_SYS(ftruncate(fd, PAGE));
	CHECK_EQ(pwrite(fd, &one, 8, 0), 8);
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (mem == MAP_FAILED)
		FAIL("mmap: %s", errno_name(errno));
	return mem;
}

static void check_content(int fd, uint64_t value)
{
	uint64_t word = 0;

	CHECK_EQ(pread(fd, &word, 8, 0), 8);
	CHECK_EQ(word, value);
}

/* The process's own copy of a file that nobody serves is memory like any other. */
static void check_private_file(struct gpu *gpu, int fd)
{
	struct area area = { .gpu = gpu, .vm = vm_new(gpu), .size = PAGE };
	uint32_t queue = queue_new(gpu, area.vm);

	area.mem = map_file(fd, MAP_PRIVATE);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM));
	for (uint64_t value = 2; value < 5; value++) {
		CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
		CHECK_EQ(*(volatile uint64_t *)area.mem, value);
	}
	check_content(fd, 1);
	CHECK_OK(gpu_queue_destroy(gpu, queue));
}

/* Its pages are not the process's own. */
static void check_shared_file(struct gpu *gpu, int fd)
{
	struct area area = { .gpu = gpu, .vm = vm_new(gpu), .size = PAGE };
	uint32_t queue = queue_new(gpu, area.vm);

	area.mem = map_file(fd, MAP_SHARED);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM));
	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EOPNOTSUPP);
	CHECK_EQ(*(volatile uint64_t *)area.mem, 1);
	check_content(fd, 1);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_ANY));
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_EQ(*(volatile uint64_t *)area.mem, 2);
	CHECK_OK(gpu_queue_destroy(gpu, queue));
}

static void check_files(struct gpu *gpu, int fd)
{
	CHECK_SYS(fd);
	check_private_file(gpu, fd);
	check_shared_file(gpu, fd);
	CHECK_SYS(close(fd));
}

static void file(struct gpu *gpu)
{
	char path[] = "/var/tmp/atomics-XXXXXX";
	int fd;

	if (!(gpu->caps & MOCKGPU_CAP_EXCLUSIVE))
		test_skip("%s", no_exclusive);
	check_files(gpu, memfd_create("atomics", 0));
	fd = mkstemp(path);
	CHECK_SYS(fd);
	CHECK_SYS(unlink(path));
	check_files(gpu, fd);
}

/* A buffer at the addresses of an area, of the same size, and the CPU's view of it. */
static uint64_t *bind_over(const struct area *area, uint64_t flags)
{
	uint32_t handle;

	CHECK_OK(gem_create(area->gpu, area->size, flags, &handle));
	CHECK_OK(gem_bind(area->gpu, area->vm, handle, 0, area->mem, area->size));
	return gem_map(area->gpu, handle, area->size);
}

/* The first that the device does there, and after the CPU has used it. */
static void check_bound(struct gpu *gpu, unsigned int attr, uint64_t value, uint64_t flags)
{
	struct area area = area_new(gpu, 4 * PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	uint64_t *own = (uint64_t *)area.mem, *map;

	*own = 100;
	CHECK_OK(area_set_attr(&area, attr, value));
	map = bind_over(&area, flags);
	for (uint64_t round = 1; round < 4; round++) {
		CHECK_OK(job_do(gpu, queue, cmd_add(own, 5, NULL)));
		CHECK_EQ(*(volatile uint64_t *)map, 5 * round);
		CHECK_EQ(*(volatile uint64_t *)own, 100);
	}
	/* It keeps the VM, with the page for results: too many have that mapped then. */
	CHECK_OK(gpu_queue_destroy(gpu, queue));
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
}

/* Attributes are not for buffers. */
static void bound(struct gpu *gpu)
{
	for (uint64_t flags = 0; flags <= (gpu_has_vram(gpu) ? MOCKGPU_GEM_VRAM : 0); flags++) {
		check_bound(gpu, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_ANY, flags);
		check_bound(gpu, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_NONE, flags);
		if (gpu_has_vram(gpu))
			check_bound(gpu, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_DEVICE, flags);
		if (offers_system(gpu))
			check_bound(gpu, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM, flags);
		check_bound(gpu, MOCKGPU_ATTR_READ_ONLY, 1, flags);
	}
}

/* What the device had for itself does not stay in front of the buffer. */
static void bound_after_exclusive(struct gpu *gpu)
{
	struct area area;
	uint32_t queue;
	uint64_t *own, *map;

	if (!offers_system(gpu))
		test_skip("%s, nor has it coherent VRAM", no_exclusive);
	area = word_new(gpu, MOCKGPU_ATOMIC_SYSTEM);
	own = (uint64_t *)area.mem;
	queue = queue_new(gpu, area.vm);
	CHECK_OK(job_do(gpu, queue, cmd_add(own, 3, NULL)));
	map = bind_over(&area, 0);
	CHECK_OK(job_do(gpu, queue, cmd_add(own, 4, NULL)));
	CHECK_EQ(*(volatile uint64_t *)map, 4);
	CHECK_EQ(*(volatile uint64_t *)own, 3);
	CHECK_OK(gem_unbind(gpu, area.vm, area.mem, area.size));
	CHECK_OK(job_do(gpu, queue, cmd_add(own, 5, NULL)));
	CHECK_EQ(*(volatile uint64_t *)map, 4);
	CHECK_EQ(*(volatile uint64_t *)own, 8);
}

/* Memory of which there is but a half. */
static void check_hole(struct gpu *gpu, uint64_t mode)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	char *hole = area.mem + area.size / 2;

	memset(area.mem, 0, area.size);
	CHECK_OK(set_mode(&area, mode));
	CHECK_SYS(munmap(hole, area.size / 2));
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_OK(job_do(gpu, queue, cmd_add(hole - 8, 1, NULL)));
	CHECK_RET(job_do(gpu, queue, cmd_add(hole, 1, NULL)), -EFAULT);
	CHECK_EQ(*(uint64_t *)area.mem, 1);
	CHECK_EQ(*(uint64_t *)(hole - 8), 1);
	CHECK_OK(gpu_queue_destroy(gpu, queue));
}

static void beside_hole(struct gpu *gpu)
{
	check_hole(gpu, MOCKGPU_ATOMIC_ANY);
	if (gpu_has_vram(gpu))
		check_hole(gpu, MOCKGPU_ATOMIC_DEVICE);
	if (offers_system(gpu))
		check_hole(gpu, MOCKGPU_ATOMIC_SYSTEM);
}

static void none(struct gpu *gpu)
{
	struct area area = word_new(gpu, MOCKGPU_ATOMIC_NONE);
	uint32_t queue = queue_new(gpu, area.vm);
	uint64_t sum;

	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EACCES);
	CHECK_RET(job_do(gpu, queue, cmd_exchange(area.mem, 1, NULL)), -EACCES);
	CHECK_RET(job_do(gpu, queue, cmd_compare_exchange(area.mem, 0, 1, NULL)), -EACCES);
	CHECK_RET(job_do(gpu, queue, cmd_add_random(area.mem, 64, 1, 4, 1)), -EACCES);
	CHECK_EQ(*(uint64_t *)area.mem, 0);
	CHECK_OK(job_do(gpu, queue, cmd_fill(area.mem, PAGE, 3)));
	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EACCES);
	CHECK_OK(job_do(gpu, queue, cmd_wait_equal(area.mem, 3, 1000)));
	CHECK_OK(job_do(gpu, queue, cmd_checksum(area.mem, 8, &sum)));
	CHECK_EQ(sum, 3);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_ANY));
	CHECK_OK(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)));
	CHECK_EQ(*(uint64_t *)area.mem, 4);
}

static void arguments(struct gpu *gpu)
{
	struct area area = area_new(gpu, PAGE, 0, MEM_SMALL);

	CHECK_RET(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM + 1), -EINVAL);
	CHECK_RET(set_mode(&area, -1), -EINVAL);
	CHECK_RET(set_mode(&area, MOCKGPU_ATOMIC_DEVICE), gpu_has_vram(gpu) ? 0 : -EOPNOTSUPP);
	CHECK_RET(set_mode(&area, MOCKGPU_ATOMIC_SYSTEM), offers_system(gpu) ? 0 : -EOPNOTSUPP);
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_NONE));
	CHECK_OK(set_mode(&area, MOCKGPU_ATOMIC_ANY));
}

static const struct test tests[] = {
	{ "arguments", arguments, 0, 0 },
	{ "none", none, 0, 0 },
	{ "any", any, 0, 0 },
	{ "device", device, NEED_VRAM, 0 },
	{ "device-against-preference", device_against_preference, NEED_VRAM, 0 },
	{ "system", system_wide, 0, 0 },
	{ "exclusive", exclusive, NEED_ROOT, 0 },
	{ "exclusive-dropped", exclusive_dropped, 0, 0 },
	{ "exclusive-shared", exclusive_shared, 0, 0 },
	{ "exclusive-and-mode", exclusive_and_mode, 0, 0 },
	{ "exclusive-many", exclusive_many, 0, 0 },
	{ "two-devices", two_devices, NEED_TWO_DEVICES, 0 },
	{ "shared-memory", shared_memory, 0, 0 },
	{ "file", file, 0, 0 },
	{ "beside-hole", beside_hole, 0, 0 },
	{ "bound", bound, 0, 0 },
	{ "bound-after-exclusive", bound_after_exclusive, 0, 0 },
};

HARNESS_MAIN(tests)
