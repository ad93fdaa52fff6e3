// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory of devices whose driver is not one of drm_gpusvm: of the kernel's own test of
 * HMM, where there is one. The first two of its devices have private memory, the next
 * two coherent memory if they were given some.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "queue.h"

#define FLIP	0x7d1c35a90b42e6f8ULL

/* A command to that driver: it works on pages from addr on, data is ours. */
struct hmm_dmirror_cmd {
	uint64_t addr;
	uint64_t ptr;
	uint64_t npages;
	uint64_t cpages;
	uint64_t faults;
};

#define HMM_DMIRROR_READ		_IOWR('H', 0x00, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_WRITE		_IOWR('H', 0x01, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_MIGRATE_TO_DEV	_IOWR('H', 0x02, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_MIGRATE_TO_SYS	_IOWR('H', 0x03, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_SNAPSHOT		_IOWR('H', 0x04, struct hmm_dmirror_cmd)

/* What a snapshot says of a page of the device's own. */
#define SNAPSHOT_KIND			0xf0
#define SNAPSHOT_PRIVATE		0x20
#define SNAPSHOT_COHERENT		0x40

enum kind {
	PRIVATE = 0,
	COHERENT = 2,
};

struct foreign {
	int fd;
	enum kind kind;
};

static struct foreign foreign_open(enum kind kind)
{
	struct foreign foreign = { .kind = kind };
	char path[32];

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", kind);
	foreign.fd = open(path, O_RDWR);
	if (foreign.fd < 0 && kind == COHERENT)
		test_skip("the kernel's test of HMM has no coherent memory");
	CHECK_SYS(foreign.fd);
	return foreign;
}

static int foreign_do(const struct foreign *foreign, unsigned long request,
		      const struct area *area, void *data)
{
	struct hmm_dmirror_cmd command = {
		.addr = (uintptr_t)area->mem, .npages = area->size / PAGE,
		.ptr = (uintptr_t)data,
	};
	int ret;

	do
		ret = ioctl(foreign->fd, request, &command);
	while (ret < 0 && (errno == EINTR || errno == EBUSY));
	return ret < 0 ? -errno : 0;
}

/* How many pages are in its memory. None of them may be in the mock's. */
static size_t foreign_pages(const struct foreign *foreign, const struct area *area)
{
	size_t pages = area->size / PAGE, count = 0;
	unsigned char *map = malloc(pages);

	CHECK(map);
	CHECK_OK(foreign_do(foreign, HMM_DMIRROR_SNAPSHOT, area, map));
	for (size_t i = 0; i < pages; i++)
		count += (map[i] & SNAPSHOT_KIND) ==
			 (foreign->kind == PRIVATE ? SNAPSHOT_PRIVATE : SNAPSHOT_COHERENT);
	free(map);
	return count;
}

static void foreign_move(const struct foreign *foreign, unsigned long request,
			 const struct area *area)
{
	void *data = malloc(area->size);
	int ret;

	CHECK(data);
	ret = foreign_do(foreign, request, area, data);
	/* It shows what it has now, and has not all that it was to take. */
	CHECK(!ret || (ret == -ENOENT && request == HMM_DMIRROR_MIGRATE_TO_DEV));
	free(data);
}

/* All of it goes there, as soon as nobody else is at a page of it. */
static void foreign_take(const struct foreign *foreign, const struct area *area)
{
	double begin = seconds_now();

	do {
		foreign_move(foreign, HMM_DMIRROR_MIGRATE_TO_DEV, area);
		check_bound("taking", begin);
	} while (foreign_pages(foreign, area) != area->size / PAGE);
}

static void foreign_give_back(const struct foreign *foreign, const struct area *area)
{
	double begin = seconds_now();

	do {
		foreign_move(foreign, HMM_DMIRROR_MIGRATE_TO_SYS, area);
		check_bound("giving back", begin);
	} while (foreign_pages(foreign, area));
	CHECK_PLACE(area, MOCKGPU_PAGE_SYSTEM);
}

/* What is in private memory of others comes home for the device, as for the CPU. */
static void private_used(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct foreign foreign = foreign_open(PRIVATE);

	foreign_take(&foreign, &area);
	area_device_flip(&area, FLIP);
	CHECK_EQ(foreign_pages(&foreign, &area), 0);
	area_check_device(&area);
	area_check_cpu(&area);
}

static void private_populated(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct foreign foreign = foreign_open(PRIVATE);

	foreign_take(&foreign, &area);
	area_populate(&area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_device_flip(&area, FLIP);
	area_check_device(&area);
	area_check_cpu(&area);
}

/*
 * Coherent memory of others stays where it is, and what is behind its pages is nobody
 * else's to look at: that is refused in time, of the rest nothing is lost.
 */
static void check_left_alone(const struct area *area)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = area->vm, .addr = (uintptr_t)area->mem, .size = area->size,
	};
	double begin = seconds_now();

	CHECK_RET(gpu_xor(area->gpu, area->vm, area->mem, area->size, FLIP), -EOPNOTSUPP);
	check_bound("use", begin);
	begin = seconds_now();
	CHECK_RET(gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate), -EBUSY);
	CHECK_EQ(populate.moved, 0);
	CHECK_EQ(populate.stayed, area->size / PAGE);
	check_bound("populate", begin);
	CHECK_RET(gpu_evict_at(area->gpu, area->vm, area->mem), -ENOENT);
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
	CHECK_PLACE(area, MOCKGPU_PAGE_OTHER);
	area_check_cpu(area);
}

static void coherent_left_alone(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct foreign foreign = foreign_open(COHERENT);

	foreign_take(&foreign, &area);
	check_left_alone(&area);
	CHECK_EQ(foreign_pages(&foreign, &area), area.size / PAGE);
	foreign_give_back(&foreign, &area);
	area_device_flip(&area, FLIP);
	area_populate(&area);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* A job meets such memory in its page faults. */
static void coherent_in_a_job(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL);
	struct area other = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL);
	struct foreign foreign = foreign_open(COHERENT);
	uint32_t queue = queue_new(gpu, area.vm);
	double begin = seconds_now();

	foreign_take(&foreign, &area);
	CHECK_RET(job_do(gpu, queue, cmd_fill(area.mem, area.size, FLIP)), -EOPNOTSUPP);
	check_bound("the job", begin);
	CHECK_OK(job_do(gpu, queue, cmd_fill(other.mem, other.size, FLIP)));
	area_check_cpu(&area);
}

/* Everything beside each other: theirs, ours, system memory and nothing at all. */
static void mixed(struct gpu *gpu, enum kind kind)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	size_t quarter = area.size / 4;
	struct area ours = area_part(&area, 0, quarter);
	struct area theirs = area_part(&area, quarter, quarter);
	struct area data = area_part(&area, 0, 3 * quarter);
	struct foreign foreign = foreign_open(kind);
	struct mismatch bad;

	CHECK_SYS(madvise(area.mem + data.size, quarter, MADV_DONTNEED));
	area_populate(&ours);
	foreign_take(&foreign, &theirs);
	if (kind == COHERENT) {
		CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
		CHECK_PLACE(&theirs, MOCKGPU_PAGE_OTHER);
		CHECK_PLACE(&ours, MOCKGPU_PAGE_DEVICE);
		area_check_cpu(&data);
		foreign_give_back(&foreign, &theirs);
	}
	area_populate(&area);
	area_check_device(&data);
	area_evict(&area);
	area_check_cpu(&data);
	CHECK_DATA(words_are(area.mem + data.size, quarter, 0, &bad), bad);
}

static void private_mixed(struct gpu *gpu)
{
	mixed(gpu, PRIVATE);
}

static void coherent_mixed(struct gpu *gpu)
{
	mixed(gpu, COHERENT);
}

/* The other driver reads and writes what is in VRAM, and does not get it for itself. */
static void by_theirs(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL), data = area;
	struct foreign foreign = foreign_open(PRIVATE);

	area_populate(&area);
	foreign_move(&foreign, HMM_DMIRROR_MIGRATE_TO_DEV, &area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	data.mem = malloc(area.size);
	CHECK(data.mem);
	CHECK_OK(foreign_do(&foreign, HMM_DMIRROR_READ, &area, data.mem));
	area_check_cpu(&data);
	area_populate(&area);
	pattern_fill(data.mem, area.size, area.seed + 1);
	CHECK_OK(foreign_do(&foreign, HMM_DMIRROR_WRITE, &area, data.mem));
	area.seed++;
	area_check_device(&area);
	area_populate(&area);
	area_check_device(&area);
	area_check_cpu(&area);
	free(data.mem);
}

/* From one to the other and back by two threads, while a third one uses it. */
struct tug {
	struct area area;
	struct foreign foreign;
	atomic_bool stop;
	atomic_ulong ours, theirs;
};

static void *pull_here(void *arg)
{
	struct tug *tug = arg;
	int ret;

	while (!atomic_load(&tug->stop)) {
		ret = gpu_populate(tug->area.gpu, tug->area.vm, tug->area.mem, tug->area.size);
		CHECK(!ret || ret == -EBUSY);
		atomic_fetch_add(&tug->ours, !ret);
	}
	return NULL;
}

static void *pull_there(void *arg)
{
	struct tug *tug = arg;

	while (!atomic_load(&tug->stop)) {
		foreign_move(&tug->foreign, HMM_DMIRROR_MIGRATE_TO_DEV, &tug->area);
		atomic_fetch_add(&tug->theirs, 1);
		foreign_move(&tug->foreign, HMM_DMIRROR_MIGRATE_TO_SYS, &tug->area);
	}
	return NULL;
}

/* What a refused use has changed already says done. */
static void tug_use(struct tug *tug, uint64_t *counts)
{
	const struct area *area = &tug->area;

	for (size_t i = 0; i < area->size / PAGE; i++) {
		struct drm_mockgpu_access access = {
			.vm_id = area->vm, .op = MOCKGPU_ACCESS_FILL, .value = counts[i] + 1,
			.addr = (uintptr_t)(area->mem + i * PAGE), .size = sizeof(*counts),
		};
		int ret = gpu_access(area->gpu, &access);

		CHECK(!ret || ret == -EBUSY || ret == -EFAULT || ret == -EOPNOTSUPP);
		counts[i] += !ret;
		CHECK_EQ(*(volatile uint64_t *)(area->mem + i * PAGE), counts[i]);
	}
}

static void tug_of_war(struct gpu *gpu, enum kind kind)
{
	struct tug tug = { .foreign = foreign_open(kind) };
	uint64_t counts[64] = { };
	pthread_t here, there;
	double begin;

	tug.area = area_new(gpu, sizeof(counts) / sizeof(*counts) * PAGE, 0, MEM_SMALL);
	memset(tug.area.mem, 0, tug.area.size);
	CHECK_OK(-pthread_create(&here, NULL, pull_here, &tug));
	CHECK_OK(-pthread_create(&there, NULL, pull_there, &tug));
	begin = seconds_now();
	while (seconds_now() - begin < brief_seconds())
		tug_use(&tug, counts);
	atomic_store(&tug.stop, true);
	CHECK_OK(-pthread_join(here, NULL));
	CHECK_OK(-pthread_join(there, NULL));
	printf("# %lu times here, %lu there\n", tug.ours, tug.theirs);
	CHECK(tug.ours && tug.theirs);
	tug_use(&tug, counts);
	if (kind == COHERENT)
		foreign_give_back(&tug.foreign, &tug.area);
}

static void private_tug_of_war(struct gpu *gpu)
{
	tug_of_war(gpu, PRIVATE);
}

static void coherent_tug_of_war(struct gpu *gpu)
{
	tug_of_war(gpu, COHERENT);
}

/* Our device goes away, their memory stays. */
static void private_unbound(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct area ours = area_part(&area, 0, area.size / 2);
	struct area theirs = area_part(&area, area.size / 2, area.size / 2);
	struct foreign foreign = foreign_open(PRIVATE);

	area_populate(&ours);
	foreign_take(&foreign, &theirs);
	CHECK_OK(device_unbind(gpu->index));
	CHECK_EQ(foreign_pages(&foreign, &theirs), theirs.size / PAGE);
	area_check_cpu(&area);
	CHECK_OK(device_bind(gpu->index));
}

static const struct test tests[] = {
	{ "private-used", private_used, NEED_VRAM, 0 },
	{ "private-populated", private_populated, NEED_VRAM, 0 },
	{ "private-mixed", private_mixed, NEED_VRAM, 0 },
	{ "private-tug-of-war", private_tug_of_war, NEED_VRAM, 0 },
	{ "coherent-left-alone", coherent_left_alone, NEED_VRAM, 0 },
	{ "coherent-in-a-job", coherent_in_a_job, NEED_VRAM, 0 },
	{ "coherent-mixed", coherent_mixed, NEED_VRAM, 0 },
	{ "coherent-tug-of-war", coherent_tug_of_war, NEED_VRAM, 0 },
	{ "by-theirs", by_theirs, NEED_VRAM, 0 },
	{ "private-unbound", private_unbound, NEED_VRAM | NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
