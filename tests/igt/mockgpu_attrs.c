// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What is wanted of ranges of addresses, and memory that is made ready for the device. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "queue.h"
#include "suite.h"

#define PAGES	32
#define SIZE	(PAGES * PAGE)

static int set_part(const struct buffer *buffer, size_t at, size_t size, unsigned int attr,
		    uint64_t value)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = buffer->vm, .attr = attr, .addr = (uintptr_t)buffer->mem + at,
		.size = size, .value = value,
	};

	return gpu_ioctl(buffer->gpu, DRM_IOCTL_MOCKGPU_SET_ATTR, &args);
}

static void set(const struct buffer *buffer, unsigned int attr, uint64_t value)
{
	CHECK_OK(set_part(buffer, 0, buffer->size, attr, value));
}

static uint64_t get(const struct buffer *buffer, size_t at, unsigned int attr)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = buffer->vm, .attr = attr, .addr = (uintptr_t)buffer->mem + at,
	};

	CHECK_OK(gpu_ioctl(buffer->gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &args));
	return args.value;
}

/* All whole pages of it. */
static int prefetch(const struct buffer *buffer, unsigned int location)
{
	uintptr_t start = ((uintptr_t)buffer->mem + PAGE - 1) / PAGE * PAGE;
	struct drm_mockgpu_prefetch args = {
		.vm_id = buffer->vm, .location = location, .addr = start,
		.size = buffer_pages(buffer, PAGE_ANY) * PAGE,
	};

	return gpu_ioctl(buffer->gpu, DRM_IOCTL_MOCKGPU_PREFETCH, &args);
}

/*
 * Somebody may hold a page for a moment: a page that came home is on a list of the
 * processor that moved it, until that has a reason to go through the list.
 */
static void prefetch_to_device(const struct buffer *buffer)
{
	double deadline = seconds_now() + patience(2);

	do {
		int ret = prefetch(buffer, MOCKGPU_PREFER_DEVICE);

		if (ret != -EBUSY)
			CHECK_OK(ret);
		if (buffer_pages(buffer, MOCKGPU_PAGE_DEVICE) == buffer_pages(buffer, PAGE_ANY))
			return;
		sleep_ms(10);
	} while (seconds_now() < deadline);
	FAIL("a prefetch leaves pages behind");
}

static uint64_t faults(const struct buffer *buffer)
{
	return counter(buffer->gpu, MOCKGPU_COUNTER_DEVICE_FAULTS);
}

/* A job reads it all. Its result is in other memory, which may be new to the device. */
static void read_by_job(const struct buffer *buffer)
{
	uint64_t start = ((uintptr_t)buffer->mem + PAGE - 1) / PAGE * PAGE;
	void *mem = (void *)(uintptr_t)start;

	CHECK_OK(job_do(buffer->gpu, queue_new(buffer->gpu, buffer->vm),
			cmd_compare(mem, mem, buffer_pages(buffer, PAGE_ANY) * PAGE)));
}

static void check_ready(const struct buffer *buffer)
{
	uint64_t before = faults(buffer);

	read_by_job(buffer);
	if (faults(buffer) - before > 1)
		FAIL("%llu page faults after a prefetch",
		     (unsigned long long)(faults(buffer) - before));
}

static void prefetch_here(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(arg, gpu, SIZE, NULL);

	CHECK_OK(prefetch(&buffer, MOCKGPU_PREFER_NONE));
	check_ready(&buffer);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_check(&buffer);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void prefetch_there(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(arg, gpu, SIZE, NULL);

	prefetch_to_device(&buffer);
	check_ready(&buffer);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void prefetch_and_back(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(arg, gpu, SIZE, NULL);

	for (int round = 0; round < 3; round++) {
		prefetch_to_device(&buffer);
		buffer_dev_xor(&buffer, 0, SIZE, new_value());
		CHECK_OK(prefetch(&buffer, MOCKGPU_PREFER_SYSTEM));
		CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
		check_ready(&buffer);
		buffer_check_cpu(&buffer);
		buffer_cpu_touch(&buffer);
	}
	buffer_check(&buffer);
}

/* It is ready all the same, after an error that says that it has not moved. */
static void prefetch_in_vain(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(arg, gpu, SIZE, NULL);

	CHECK_RET(prefetch(&buffer, MOCKGPU_PREFER_DEVICE), -EBUSY);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	check_ready(&buffer);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void prefetches(const void *arg)
{
	const struct kind *kind = arg;

	dynamic(kind->needs, prefetch_here, kind, "here");
	if (kind->flags & KIND_MOVES) {
		dynamic(kind->needs | NEED_VRAM, prefetch_there, kind, "device");
		dynamic(kind->needs | NEED_VRAM, prefetch_and_back, kind, "ping-pong");
	} else {
		dynamic(kind->needs | NEED_VRAM, prefetch_in_vain, kind, "refused");
	}
}

/* The first fault moves so much around it, and nothing else. */
static void granularity(struct gpu *gpu, const void *arg)
{
	const size_t bytes = *(const size_t *)arg;
	struct buffer buffer = buffer_filled(gpu, 2 * HUGE_PAGE, MEM_SMALL);
	size_t at = HUGE_PAGE / 2 + 3 * PAGE, start = at / bytes * bytes;
	struct buffer moved = buffer_part(&buffer, start, bytes);
	uint64_t sum;

	set(&buffer, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE);
	set(&buffer, MOCKGPU_ATTR_GRANULARITY, bytes);
	CHECK_OK(job_do(gpu, queue_new(gpu, buffer.vm), cmd_checksum(buffer.mem + at, 8, &sum)));
	CHECK(sum == *(uint64_t *)(buffer.shadow + at));
	CHECK_ALL(&moved, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), (long long)(bytes / PAGE));
	buffer_dev_xor(&moved, 0, bytes, new_value());
	buffer_check(&buffer);
}

static void granularities(const void *arg)
{
	static const size_t sizes[] = { PAGE, 16 * PAGE, 128 * PAGE, HUGE_PAGE };

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		dynamic(NEED_VRAM, granularity, &sizes[i], "%zu-pages", sizes[i] / PAGE);
}

/* Each time something else is wanted the next access finds the data. */
static void flips(struct gpu *gpu, const void *arg)
{
	static const unsigned int places[] = {
		MOCKGPU_PREFER_DEVICE, MOCKGPU_PREFER_SYSTEM, MOCKGPU_PREFER_NONE,
		MOCKGPU_PREFER_DEVICE, MOCKGPU_PREFER_NONE, MOCKGPU_PREFER_SYSTEM,
	};
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		unsigned int place = places[i % ARRAY_SIZE(places)];

		set(&buffer, MOCKGPU_ATTR_PREFERRED, place);
		read_by_job(&buffer);
		if (place == MOCKGPU_PREFER_DEVICE)
			CHECK_ALL(&buffer, MOCKGPU_PAGE_DEVICE);
		if (place == MOCKGPU_PREFER_SYSTEM)
			CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
		buffer_dev_xor(&buffer, 0, SIZE, new_value());
		buffer_check_dev(&buffer);
		if (i % 4 == 3)
			buffer_cpu_touch(&buffer);
	}
	buffer_check(&buffer);
}

/* Values over halves, over more than there is, and over parts of parts. */
static void overlapping(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	const unsigned int attr = MOCKGPU_ATTR_TIMESLICE_MS;

	(void)arg;
	set(&buffer, attr, 1);
	CHECK_OK(set_part(&buffer, SIZE / 2, SIZE, attr, 2));
	CHECK_OK(set_part(&buffer, SIZE / 4, SIZE / 2, attr, 3));
	CHECK_OK(set_part(&buffer, SIZE / 4 + PAGE, PAGE, attr, 4));
	CHECK_EQ(get(&buffer, 0, attr), 1);
	CHECK_EQ(get(&buffer, SIZE / 4, attr), 3);
	CHECK_EQ(get(&buffer, SIZE / 4 + PAGE + 5, attr), 4);
	CHECK_EQ(get(&buffer, SIZE / 4 + 2 * PAGE, attr), 3);
	CHECK_EQ(get(&buffer, 3 * SIZE / 4, attr), 2);
	CHECK_EQ(get(&buffer, SIZE, attr), 2);
	CHECK_EQ(get(&buffer, 3 * SIZE / 2, attr), 0);
	for (size_t at = 0; at < SIZE; at += SIZE / 8)
		buffer_dev_xor(&buffer, at, SIZE / 8, new_value());
	buffer_check(&buffer);
}

/* Another mapping at the same address has what was wanted of the first one. */
static void remapped(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	set(&buffer, MOCKGPU_ATTR_READ_ONLY, 1);
	buffer_dev_denied(&buffer, PAGE, MOCKGPU_ACCESS_FILL, -EFAULT);
	CHECK(mmap(buffer.mem, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == buffer.mem);
	buffer_expect_zeros(&buffer);
	buffer_dev_denied(&buffer, PAGE, MOCKGPU_ACCESS_XOR, -EFAULT);
	buffer_check(&buffer);
	set(&buffer, MOCKGPU_ATTR_READ_ONLY, 0);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

/* A job that writes ends where it may not, and what is before that is written. */
static void read_only_job(struct gpu *gpu, const void *arg)
{
	const struct kind *kind = arg;
	struct buffer buffer = kind_buffer(kind, gpu, SIZE, NULL);
	uint32_t queue = queue_new(gpu, buffer.vm);
	uintptr_t wall = ((uintptr_t)buffer.mem + SIZE / 2) / PAGE * PAGE;
	size_t before = wall - (uintptr_t)buffer.mem;
	uint64_t value = new_value();
	struct job job = { };

	CHECK_OK(set_part(&buffer, before, 4 * PAGE, MOCKGPU_ATTR_READ_ONLY, 1));
	job_add(&job, cmd_fill(buffer.mem, SIZE / 8 * 8, value));
	job_start(&job, gpu, queue);
	CHECK_RET(job_end(&job), -EFAULT);
	CHECK(job.result->addr == wall);
	for (size_t i = 0; i < before / 8; i++)
		((uint64_t *)buffer.shadow)[i] = value;
	buffer_check(&buffer);
	CHECK_OK(set_part(&buffer, before, 4 * PAGE, MOCKGPU_ATTR_READ_ONLY, 0));
	buffer_dev_xor(&buffer, 0, SIZE / 8 * 8, new_value());
	buffer_check(&buffer);
}

static void holes(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct buffer low = buffer_part(&buffer, 0, SIZE / 2);
	struct buffer high = buffer_part(&buffer, SIZE / 2 + PAGE, SIZE / 2 - PAGE);

	(void)arg;
	CHECK_SYS(munmap(buffer.mem + SIZE / 2, PAGE));
	CHECK_RET(prefetch(&buffer, MOCKGPU_PREFER_NONE), -ENOENT);
	/* What is there was made ready. */
	check_ready(&low);
	check_ready(&high);
	CHECK_SYS(mprotect(low.mem, low.size, PROT_NONE));
	CHECK_RET(prefetch(&low, MOCKGPU_PREFER_NONE), -EFAULT);
	CHECK_SYS(mprotect(low.mem, low.size, PROT_READ | PROT_WRITE));
	CHECK_OK(prefetch(&low, MOCKGPU_PREFER_NONE));
	buffer_check(&low);
	buffer_check(&high);
}

/* A CPU that is at it while prefetches come: both get on. */
struct rivals {
	struct buffer buffer;
	atomic_bool stop;
};

static void *keep_prefetching(void *arg)
{
	struct rivals *rivals = arg;

	for (unsigned int i = 0; !atomic_load(&rivals->stop); i++) {
		int ret = prefetch(&rivals->buffer, 1 + i % 2);

		if (ret && ret != -EBUSY)
			FAIL("a prefetch answers %s", errno_name(ret));
	}
	return NULL;
}

static void rivals(struct gpu *gpu, const void *arg)
{
	struct rivals rivals = { .buffer = buffer_filled(gpu, SIZE, MEM_SMALL) };
	struct crew crew;

	(void)arg;
	crew_start(&crew, 1, keep_prefetching, &rivals);
	for (int round = 0; round < 40; round++) {
		buffer_cpu_touch(&rivals.buffer);
		buffer_dev_xor(&rivals.buffer, 0, SIZE, new_value());
	}
	atomic_store(&rivals.stop, true);
	crew_join(&crew);
	buffer_check(&rivals.buffer);
}

static const struct single others[] = {
	{ "preferred-flips", "Memory is wanted elsewhere before each access", flips, NEED_VRAM },
	{ "overlapping", "Values are set over parts of others", overlapping, 0 },
	{ "remapped", "Addresses keep what is wanted of them", remapped, 0 },
	{ "prefetch-holes", "A prefetch finds holes and what may not be read", holes, 0 },
	{ "prefetch-race", "The CPU writes while memory is prefetched to and fro", rivals,
	  NEED_VRAM },
};

static void subtests(void)
{
	static const char *const writable[] = { "mmap", "thp", "mmap-shared", "file-shared" };
	char describe[160];

	for (size_t i = 0; i < kind_count; i++) {
		snprintf(describe, sizeof(describe), "A prefetch of %s", kinds[i].describe);
		subtest_of(describe, prefetches, &kinds[i], "prefetch-%s", kinds[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(writable); i++) {
		const struct kind *kind = kind_find(writable[i]);

		snprintf(describe, sizeof(describe), "The device may not write to a part of %s",
			 kind->describe);
		subtest(describe, kind->needs, read_only_job, kind, "read-only-%s", kind->name);
	}
	subtest_of("A page fault moves as much as is wanted", granularities, NULL, "granularity");
	singles(others, ARRAY_SIZE(others));
}

SUITE("Attributes of ranges of addresses, and prefetch", subtests)
