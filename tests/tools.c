// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What tools can see: fdinfo, files in sysfs and debugfs; and many files at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "buffer.h"
#include "knob.h"
#include "queue.h"

#define VALUE	0x5851f42d4c957f2dULL
#define OPENS	1000

/* The value of a key of fdinfo as text; NULL when there is none. */
static char *fdinfo(int fd, const char *key, char *value, size_t size)
{
	size_t length = strlen(key);
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) || line[length] != ':')
			continue;
		if (found)
			FAIL("%s is there twice", key);
		found = true;
		snprintf(value, size, "%s", line + length + 1 + strspn(line + length + 1, " \t"));
		value[strcspn(value, "\n")] = '\0';
	}
	fclose(file);
	return found ? value : NULL;
}

/* A number with its unit, of which there is one. */
static uint64_t fdinfo_number(int fd, const char *key, const char *unit)
{
	char value[64], *end;
	uint64_t number;

	if (!fdinfo(fd, key, value, sizeof(value)))
		FAIL("there is no %s", key);
	number = strtoull(value, &end, 10);
	if (end == value || strcmp(end, unit))
		FAIL("%s is '%s'", key, value);
	return number;
}

static struct gpu open_again(const struct gpu *gpu)
{
	struct gpu other;

	CHECK_OK(gpu_open(&other, gpu->index));
	return other;
}

static bool is_on_pci(const struct gpu *gpu)
{
	char path[64], bus[128];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device/subsystem", gpu->minor);
	len = readlink(path, bus, sizeof(bus) - 1);
	CHECK(len > 0);
	bus[len] = '\0';
	return !strcmp(strrchr(bus, '/'), "/pci");
}

static void fdinfo_names(struct gpu *gpu)
{
	struct gpu other = open_again(gpu);
	char value[64];

	CHECK(fdinfo(gpu->fd, "drm-driver", value, sizeof(value)));
	CHECK(!strcmp(value, "mockgpu"));
	CHECK_EQ(!!fdinfo(gpu->fd, "drm-pdev", value, sizeof(value)), is_on_pci(gpu));
	CHECK(fdinfo_number(gpu->fd, "drm-client-id", "") !=
	      fdinfo_number(other.fd, "drm-client-id", ""));
}

/* The time goes on while a job runs, does not go back, and stops. */
static void fdinfo_busy(struct gpu *gpu)
{
	struct area area = area_new(gpu, PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	uint64_t last = fdinfo_number(gpu->fd, "drm-engine-compute", " ns"), now;
	struct gpu other = open_again(gpu);
	struct job job = { };

	CHECK_EQ(last, 0);
	*(uint64_t *)area.mem = 0;
	job_add(&job, cmd_wait_equal(area.mem, VALUE, 10000));
	job_start(&job, gpu, queue);
	for (int i = 0; i < 50; i++) {
		now = fdinfo_number(gpu->fd, "drm-engine-compute", " ns");
		CHECK(now >= last);
		last = now;
		sleep_ms(10);
	}
	CHECK(last > 200 * 1000000);
	*(volatile uint64_t *)area.mem = VALUE;
	CHECK_OK(job_end(&job));
	now = fdinfo_number(gpu->fd, "drm-engine-compute", " ns");
	CHECK(now >= last);
	sleep_ms(50);
	CHECK_EQ(fdinfo_number(gpu->fd, "drm-engine-compute", " ns"), now);
	CHECK_EQ(fdinfo_number(other.fd, "drm-engine-compute", " ns"), 0);
}

static uint64_t sum_of(const struct gpu *gpus, unsigned int count, const char *key)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += fdinfo_number(gpus[i].fd, key, " KiB");
	return sum;
}

/* Several files and VMs use the same memory of the process: it is told once. */
static void fdinfo_memory(struct gpu *gpu)
{
	struct gpu gpus[3] = { *gpu, open_again(gpu), open_again(gpu) };
	struct area area = area_filled(gpu, 4 * MIB, 0, MEM_SMALL);
	struct area away = area_part(&area, 0, 2 * MIB), home = area_part(&area, 2 * MIB, 2 * MIB);
	bool has_vram = gpu_has_vram(gpu);
	char *copy = malloc(area.size);

	CHECK(copy);
	CHECK_EQ(sum_of(gpus, 3, "drm-resident-vram"), 0);
	CHECK_EQ(sum_of(gpus, 3, "drm-resident-system"), 0);
	if (has_vram)
		area_populate(&away);
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int n = 0; n < 2; n++)
			CHECK_OK(gpu_read(&gpus[i], vm_new(&gpus[i]), home.mem, home.size, copy));
	CHECK_EQ(sum_of(gpus, 3, "drm-resident-system"), home.size / KIB);
	CHECK_EQ(sum_of(gpus, 3, "drm-total-system"), home.size / KIB);
	CHECK_EQ(sum_of(gpus, 3, "drm-resident-vram"), has_vram ? away.size / KIB : 0);
	CHECK_EQ(sum_of(gpus, 3, "drm-total-vram"), has_vram ? away.size / KIB : 0);
	/* Another file tells it when the first one is closed. */
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	close(gpus[0].fd);
	CHECK_EQ(sum_of(gpus + 1, 2, "drm-resident-system"), home.size / KIB);
	CHECK_EQ(sum_of(gpus + 1, 2, "drm-resident-vram"), has_vram ? away.size / KIB : 0);
	CHECK_SYS(munmap(area.mem, area.size));
	CHECK_EQ(sum_of(gpus + 1, 2, "drm-resident-system"), 0);
}

static void region_is(const struct gpu *gpu, const char *region, uint64_t total,
		      uint64_t resident, uint64_t shared)
{
	char total_key[32], resident_key[32], shared_key[32];

	snprintf(total_key, sizeof(total_key), "drm-total-%s", region);
	snprintf(resident_key, sizeof(resident_key), "drm-resident-%s", region);
	snprintf(shared_key, sizeof(shared_key), "drm-shared-%s", region);
	CHECK_EQ(fdinfo_number(gpu->fd, total_key, " KiB"), total / KIB);
	CHECK_EQ(fdinfo_number(gpu->fd, resident_key, " KiB"), resident / KIB);
	CHECK_EQ(fdinfo_number(gpu->fd, shared_key, " KiB"), shared / KIB);
}

/* A buffer counts where it is, and once although the device also has it in a VM. */
static void fdinfo_buffers(struct gpu *gpu)
{
	uint64_t vram = gpu_has_vram(gpu) ? MIB : 0;
	struct area area = area_new(gpu, 2 * MIB, 0, MEM_SMALL);
	uint32_t home, away;
	uint64_t word = 1;
	int fd;

	CHECK_OK(gem_create(gpu, MIB, 0, &home));
	if (vram)
		CHECK_OK(gem_create(gpu, MIB, MOCKGPU_GEM_VRAM, &away));
	region_is(gpu, "system", MIB, 0, 0);
	region_is(gpu, "vram", vram, 0, 0);

	CHECK_OK(gem_bind(gpu, area.vm, home, 0, area.mem, MIB));
	CHECK_OK(gpu_write(gpu, area.vm, area.mem, sizeof(word), &word));
	if (vram) {
		CHECK_OK(gem_bind(gpu, area.vm, away, 0, area.mem + MIB, MIB));
		CHECK_OK(gpu_write(gpu, area.vm, area.mem + MIB, sizeof(word), &word));
	}
	region_is(gpu, "system", MIB, MIB, 0);
	region_is(gpu, "vram", vram, vram, 0);

	CHECK_OK(gem_export(gpu, home, &fd));
	region_is(gpu, "system", MIB, MIB, MIB);
	region_is(gpu, "vram", vram, vram, 0);
	close(fd);
	CHECK_OK(gem_unbind(gpu, area.vm, area.mem, MIB));
	CHECK_OK(gem_close(gpu, home));
	region_is(gpu, "system", 0, 0, 0);
}

static uint64_t sysfs_number(const struct gpu *gpu, const char *name)
{
	char path[128], line[64];

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device/%s", gpu->minor, name);
	if (!*file_line(path, line, sizeof(line)))
		FAIL("%s is empty", path);
	return strtoull(line, NULL, 10);
}

static void sysfs(struct gpu *gpu)
{
	char path[128], line[64];

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device/tier", gpu->minor);
	file_line(path, line, sizeof(line));
	if (strcmp(line, gpu_tier_name(gpu->tier)))
		FAIL("tier is '%s'", line);
	CHECK_EQ(sysfs_number(gpu, "vram_size"), (long long)gpu->vram_size);
	CHECK_EQ(sysfs_number(gpu, "vram_used"), 0);
	if (gpu_has_vram(gpu)) {
		struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

		area_populate(&area);
		CHECK_EQ(sysfs_number(gpu, "vram_used"), MIB);
	}
}

static const char *const files[] = {
	"vms", "ranges", "tlb", "queues", "errors", "error_state", "vram", "counters", "pagemap",
};

static char *file_text(const struct gpu *gpu, const char *name)
{
	char *text = knob_text(gpu, name);

	if (!text)
		FAIL("%s cannot be read", name);
	return text;
}

/* Sooner or later: what a job leaves behind may take a moment. */
static void check_has(const struct gpu *gpu, const char *name, const char *want)
{
	double deadline = seconds_now() + patience(5);
	char *text = file_text(gpu, name);

	while (!strstr(text, want)) {
		if (seconds_now() > deadline)
			FAIL("no '%s' in %s: %.200s", want, name, text);
		free(text);
		sleep_ms(1);
		text = file_text(gpu, name);
	}
	free(text);
}

/* A file says what there is. */
static void debugfs(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	struct job job = { };
	char want[64];

	*(uint64_t *)area.mem = 0;
	job_add(&job, cmd_wait_equal(area.mem, VALUE, 10000));
	job_start(&job, gpu, queue);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem + PAGE, PAGE, 1));
	snprintf(want, sizeof(want), " pid %d ", getpid());
	check_has(gpu, "vms", want);
	snprintf(want, sizeof(want), " %#lx dma ", (unsigned long)area.mem + PAGE);
	check_has(gpu, "tlb", want);
	check_has(gpu, "ranges", " mapped writable");
	check_has(gpu, "queues", " jobs 1 submitted 1 ");
	*(volatile uint64_t *)area.mem = VALUE;
	CHECK_OK(job_end(&job));
	check_has(gpu, "queues", " jobs 0 submitted 1 ");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		free(file_text(gpu, files[i]));
}

struct reader {
	const struct gpu *gpu;
	volatile bool stop;
	unsigned long rounds;
};

static void *read_all(void *arg)
{
	struct reader *reader = arg;

	while (!reader->stop) {
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			free(file_text(reader->gpu, files[i]));
		reader->rounds++;
	}
	return NULL;
}

/* They can be read while all they show comes and goes. */
static void debugfs_busy(struct gpu *gpu)
{
	struct reader readers[2] = { { .gpu = gpu }, { .gpu = gpu } };
	double deadline = seconds_now() + 3;
	unsigned int rounds = 0;
	pthread_t threads[2];

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		CHECK(!pthread_create(&threads[i], NULL, read_all, &readers[i]));
	while (seconds_now() < deadline || rounds < 3) {
		struct gpu other = open_again(gpu);
		struct area area = area_filled(&other, 64 * PAGE, 0, MEM_SMALL);
		uint32_t queue = queue_new(&other, area.vm);
		uint64_t sum;

		if (gpu_has_vram(gpu))
			area_move(&area, 0);
		CHECK_OK(job_do(&other, queue, cmd_checksum(area.mem, area.size, &sum)));
		CHECK_SYS(munmap(area.mem, area.size));
		gpu_close(&other);
		rounds++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i].stop = true;
		CHECK(!pthread_join(threads[i], NULL));
		CHECK(readers[i].rounds);
	}
	printf("# %u rounds, %lu and %lu readings\n", rounds, readers[0].rounds,
	       readers[1].rounds);
}

/* A thousand files, each with a VM that has used a page, and then none. */
static void thousand_opens(struct gpu *gpu)
{
	struct rlimit limit = { 4 * OPENS, 4 * OPENS };
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	struct gpu *gpus = calloc(OPENS, sizeof(*gpus));
	uint64_t vms = counter(gpu, MOCKGPU_COUNTER_LIVE_VMS), word;
	unsigned int opened = 0;
	char path[64];

	CHECK(gpus);
	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &limit));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", gpu->fd);
	for (; opened < OPENS; opened++) {
		gpus[opened] = *gpu;
		gpus[opened].fd = open(path, O_RDWR | O_CLOEXEC);
		if (gpus[opened].fd < 0)
			FAIL("open %u: %s", opened, errno_name(errno));
		area.gpu = &gpus[opened];
		area.vm = vm_new(area.gpu);
		CHECK_OK(gpu_read(area.gpu, area.vm, area.mem, sizeof(word), &word));
		CHECK(word == pattern_word(area.seed, 0));
	}
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VMS), vms + OPENS);
	*(volatile uint64_t *)area.mem = VALUE;
	CHECK_OK(gpu_read(area.gpu, area.vm, area.mem, sizeof(word), &word));
	CHECK(word == VALUE);
	while (opened)
		gpu_close(&gpus[--opened]);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VMS), vms);
}

/* As many VMs as one file may have, and not one more. */
static void many_vms(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	uint32_t vm, last = area.vm;
	unsigned int count = 1;
	uint64_t word;
	int ret;

	while (!(ret = gpu_vm_create(gpu, &vm)))
		last = vm, count++;
	CHECK_RET(ret, -EBUSY);
	CHECK_EQ(count, 4096);
	CHECK_OK(gpu_read(gpu, last, area.mem, sizeof(word), &word));
	CHECK_OK(gpu_vm_destroy(gpu, last));
	CHECK_OK(gpu_vm_create(gpu, &vm));
}

/* A device that sleeps does nothing, and the time of a job does not run out. */
static void asleep(struct gpu *gpu)
{
	struct area other = area_filled(gpu, PAGE, 0, MEM_SMALL);
	struct area area = area_new(gpu, PAGE, 0, MEM_SMALL);
	const struct drm_mockgpu_exec quick = { .timeout_ms = 1000 };
	uint32_t queue = queue_new(gpu, area.vm);
	uint64_t before, word;
	struct job job = { };

	*(uint64_t *)area.mem = 0;
	job_add(&job, cmd_wait_equal(area.mem, VALUE, 60000));
	CHECK_OK(job_try_start(&job, gpu, queue, &quick));
	before = counter(gpu, MOCKGPU_COUNTER_BYTES_ACCESSED);
	while (counter(gpu, MOCKGPU_COUNTER_BYTES_ACCESSED) < before + 64)
		sleep_ms(1);
	CHECK_OK(knob_set(gpu, "asleep", 1));
	before = counter(gpu, MOCKGPU_COUNTER_BYTES_ACCESSED);
	*(volatile uint64_t *)area.mem = VALUE;
	CHECK_RET(gpu_read(gpu, other.vm, other.mem, sizeof(word), &word), -EBUSY);
	sleep_ms(1500);
	CHECK(counter(gpu, MOCKGPU_COUNTER_BYTES_ACCESSED) == before);
	CHECK_RET(sync_wait(gpu, job.sync, 0, 0), -ETIME);
	CHECK_OK(knob_set(gpu, "asleep", 0));
	CHECK_OK(job_end(&job));
	CHECK_OK(gpu_read(gpu, other.vm, other.mem, sizeof(word), &word));
	CHECK(word == pattern_word(other.seed, 0));
}

/* A job that sleeps can be cancelled, and memory comes home once the device wakes. */
static void asleep_and_cancelled(struct gpu *gpu)
{
	struct area area = area_new(gpu, PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	struct job job = { };

	*(uint64_t *)area.mem = 0;
	CHECK_OK(knob_set(gpu, "asleep", 1));
	job_add(&job, cmd_wait_equal(area.mem, VALUE, 10000));
	job_start(&job, gpu, queue);
	sleep_ms(20);
	CHECK_OK(gpu_queue_destroy(gpu, queue));
	CHECK_RET(job_end(&job), -ECANCELED);
}

static const struct test tests[] = {
	{ "fdinfo-names", fdinfo_names, 0, 0 },
	{ "fdinfo-busy", fdinfo_busy, 0, 0 },
	{ "fdinfo-memory", fdinfo_memory, 0, 0 },
	{ "fdinfo-buffers", fdinfo_buffers, 0, 0 },
	{ "sysfs", sysfs, 0, 0 },
	{ "debugfs", debugfs, NEED_ROOT, 0 },
	{ "debugfs-busy", debugfs_busy, NEED_ROOT, 0 },
	{ "thousand-opens", thousand_opens, NEED_ROOT, 0 },
	{ "many-vms", many_vms, 0, 0 },
	{ "asleep", asleep, NEED_KNOBS, 0 },
	{ "asleep-and-cancelled", asleep_and_cancelled, NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
