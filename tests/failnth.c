// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Each thing that the kernel asks for on behalf of a process, memory above all, is
 * refused once: the first, then the second, until there is nothing left to refuse. A
 * step that is hit may fail, with an error that says so, but data stays what it was and
 * nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "inject.h"
#include "knob.h"

#define FLIP		0x6a09e667f3bcc908ULL
#define SMALL_SIZE	(8 * PAGE)
/* More than any step asks for. */
#define MOST_FAILURES	10000
/* So many are tried one by one; behind that are rows of the same, as of pages. */
#define EACH_FAILURE	40
#define RELEASE_SECONDS	10
#define UNKNOWN		(~0ULL)

/* One round of a scene. */
struct round {
	/* A file of its own, which is closed at the end. */
	struct gpu gpu;
	struct area area;
	/* A second device with a VM for the same memory, if there is one. */
	struct gpu other;
	uint32_t other_vm;
	/* How far the device got with what it changed, UNKNOWN if it could not say. */
	uint64_t done;
	pid_t child;
	int fds[2];
	uint8_t map[HUGE_PAGE / PAGE];
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
};

static char *arena;

/* Memory at the same address in each round, not touched yet. */
static void fresh_memory(struct area *area, enum mem_thp thp)
{
	area->size = thp == MEM_HUGE ? HUGE_PAGE : SMALL_SIZE;
	if (!arena)
		arena = mem_map(HUGE_PAGE, 0, thp);
	CHECK(arena);
	area->mem = arena;
	CHECK(mmap(arena, HUGE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == arena);
	CHECK_SYS(madvise(arena, HUGE_PAGE,
			  thp == MEM_HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
}

static void round_begin(struct round *round, const struct gpu *gpu, const struct scene *scene)
{
	*round = (struct round){ .other.fd = -1, .done = UNKNOWN };
	CHECK_OK(gpu_open(&round->gpu, gpu->index));
	round->area.gpu = &round->gpu;
	round->area.vm = vm_new(&round->gpu);
	if (scene->two) {
		CHECK_OK(gpu_open(&round->other, gpu->index ? 0 : 1));
		round->other_vm = vm_new(&round->other);
	}
	fresh_memory(&round->area, scene->thp);
}

static void round_end(struct round *round)
{
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	if (round->other.fd >= 0)
		gpu_close(&round->other);
	if (round->gpu.fd >= 0)
		gpu_close(&round->gpu);
}

/* What may be answered when something was refused. */
static bool is_refusal(int ret)
{
	switch (ret) {
	case 0:
	case -ENOMEM:
	case -EFAULT:
	case -EBUSY:
	/* VRAM was there, but not what says so. */
	case -ENOSPC:
		return true;
	default:
		return false;
	}
}

static const char *find_leak(const struct gpu *gpu, const uint64_t before[], uint64_t *count)
{
	uint64_t now[MOCKGPU_COUNTER_COUNT] = { };

	CHECK_OK(gpu_counters(gpu, now));
	for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++) {
		*count = now[i] - before[i];
		if (gpu_counter_is_live(i) && now[i] > before[i])
			return gpu_counter_name(i);
	}
	CHECK_EQ(now[MOCKGPU_COUNTER_DEVICE_ERRORS], before[MOCKGPU_COUNTER_DEVICE_ERRORS]);
	return NULL;
}

/* Device pages and what they hold are released by workers. */
static void check_leaks(const struct gpu *gpu, const uint64_t before[], unsigned int nth)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);
	const char *leak;
	uint64_t count;

	while ((leak = find_leak(gpu, before, &count)) && seconds_now() < deadline)
		sleep_ms(5);
	if (leak)
		FAIL("failure %u leaves %llu %s more", nth, (unsigned long long)count, leak);
}

/* False when there was nothing left to be refused. */
static bool run_round(const struct gpu *gpu, const struct scene *scene, unsigned int nth)
{
	struct round round;
	bool fired;
	int ret;

	round_begin(&round, gpu, scene);
	if (scene->prepare)
		scene->prepare(&round);
	inject_arm(nth);
	ret = scene->act(&round);
	fired = inject_disarm();
	if (fired && !is_refusal(ret))
		FAIL("failure %u: the answer is %s", nth, errno_name(ret));
	if (!fired && ret)
		FAIL("without a failure: the answer is %s", errno_name(ret));
	if (getenv("FAILNTH_VERBOSE"))
		printf("# failure %u: %s\n", nth, fired ? errno_name(ret) : "none");
	scene->verify(&round, ret);
	round_end(&round);
	return fired;
}

static unsigned int next_failure(unsigned int nth)
{
	unsigned int next = nth < EACH_FAILURE ? nth + 1 : nth + nth / 4;

	CHECK(next < MOST_FAILURES);
	return next;
}

static void run_scene(struct gpu *gpu, const struct scene *scene)
{
	uint64_t before[MOCKGPU_COUNTER_COUNT];
	const char *missing = inject_missing();
	unsigned int nth = 1, rounds = 0;

	if (missing)
		test_skip("%s", missing);
	CHECK_OK(gpu_counters(gpu, before));
	while (run_round(gpu, scene, nth)) {
		check_leaks(gpu, before, nth);
		rounds++;
		nth = next_failure(nth);
	}
	check_leaks(gpu, before, nth);
	printf("# %u failures, of up to %u\n", rounds, nth - 1);
	CHECK(nth > 1);
}

/* Both see the pattern, and everything works again. */
static void verify_data(struct round *round, int ret)
{
	struct area *area = &round->area;

	(void)ret;
	area_check_device(area);
	area_check_cpu(area);
	area_populate(area);
	area_device_flip(area, FLIP);
	area_check_cpu(area);
}

static void fill_system(struct round *round)
{
	area_fill(&round->area);
}

static void fill_device(struct round *round)
{
	area_fill(&round->area);
	area_populate(&round->area);
}

/* Also in its page table. */
static void fill_used(struct round *round)
{
	fill_device(round);
	area_device_flip(&round->area, FLIP);
}

static void verify_alive(struct round *round, int ret)
{
	(void)ret;
	area_fill(&round->area);
	verify_data(round, 0);
}

/* Commands that change nothing. */

static int act_query(struct round *round)
{
	uint64_t value;

	return gpu_query(&round->gpu, MOCKGPU_PARAM_VRAM_USED, &value);
}

static int act_counters(struct round *round)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT];

	return gpu_counters(&round->gpu, values);
}

static int act_residency(struct round *round)
{
	memset(round->map, 0xff, sizeof(round->map));
	return gpu_residency(&round->gpu, round->area.vm, round->area.mem, round->area.size,
			     round->map);
}

static void verify_residency(struct round *round, int ret)
{
	for (size_t i = 0; !ret && i < round->area.size / PAGE; i++)
		CHECK_EQ(round->map[i], MOCKGPU_PAGE_DEVICE);
	verify_data(round, ret);
}

/* Files and VMs. */

static int act_open(struct round *round)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", round->gpu.minor);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int act_close(struct round *round)
{
	int ret = close(round->gpu.fd) ? -errno : 0;

	round->gpu.fd = -1;
	return ret;
}

static void verify_closed(struct round *round, int ret)
{
	CHECK_OK(ret);
	area_check_cpu(&round->area);
}

static int act_vm_create(struct round *round)
{
	uint32_t vm;

	return gpu_vm_create(&round->gpu, &vm);
}

static int act_vm_destroy(struct round *round)
{
	return gpu_vm_destroy(&round->gpu, round->area.vm);
}

static void verify_destroyed(struct round *round, int ret)
{
	area_check_cpu(&round->area);
	/* Refused is not done. */
	if (ret)
		CHECK_OK(act_vm_destroy(round));
	else
		CHECK_RET(act_vm_destroy(round), -ENOENT);
}

/* Into VRAM. */

static int populate(struct round *round, uint64_t flags)
{
	struct drm_mockgpu_populate args = {
		.vm_id = round->area.vm, .flags = flags,
		.addr = (uintptr_t)round->area.mem, .size = round->area.size,
	};

	return gpu_ioctl(&round->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &args);
}

static int act_populate(struct round *round)
{
	return populate(round, 0);
}

static int act_populate_partial(struct round *round)
{
	return populate(round, MOCKGPU_POPULATE_PARTIAL);
}

static void verify_populated(struct round *round, int ret)
{
	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_DEVICE);
	verify_data(round, ret);
}

/* Some are somewhere, each may be anywhere. */
static void verify_partial(struct round *round, int ret)
{
	verify_data(round, ret);
}

/* Every other page was never touched; what is there is zeros. */
static void prepare_holes(struct round *round)
{
	for (size_t at = 0; at < round->area.size; at += 2 * PAGE)
		pattern_fill(round->area.mem + at, PAGE, at + 1);
}

static void verify_holes(struct round *round, int ret)
{
	struct mismatch bad;

	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_DEVICE);
	for (size_t at = 0; at < round->area.size; at += 2 * PAGE) {
		CHECK_DATA(pattern_matches(round->area.mem + at, PAGE, at + 1, 0, &bad), bad);
		CHECK_DATA(words_are(round->area.mem + at + PAGE, PAGE, 0, &bad), bad);
	}
}

/* What the other device has. */
static void fill_on_other(struct round *round)
{
	struct area theirs = round->area;

	theirs.gpu = &round->other;
	theirs.vm = round->other_vm;
	area_fill(&theirs);
	area_populate(&theirs);
	theirs.gpu = round->area.gpu;
	theirs.vm = round->area.vm;
	round->area = theirs;
}

/* And home again. */

static int act_evict_vm(struct round *round)
{
	return gpu_evict_vm(&round->gpu, round->area.vm);
}

static int act_evict_addr(struct round *round)
{
	return gpu_evict_at(&round->gpu, round->area.vm, round->area.mem);
}

static int act_evict_device(struct round *round)
{
	return gpu_evict_device(&round->gpu, round->area.vm);
}

static void verify_evicted(struct round *round, int ret)
{
	if (!ret)
		CHECK_PLACE(&round->area, MOCKGPU_PAGE_SYSTEM);
	verify_data(round, ret);
}

/* A process that touches its memory gets it, however often that has to be tried. */
static int act_cpu_read(struct round *round)
{
	const volatile char *mem = round->area.mem;

	for (size_t at = 0; at < round->area.size; at += PAGE)
		(void)mem[at];
	return 0;
}

static int act_cpu_write(struct round *round)
{
	volatile uint64_t *mem = (uint64_t *)round->area.mem;

	for (size_t i = 0; i < round->area.size / 8; i += PAGE / 8)
		mem[i] = pattern_word(round->area.seed, i) ^ round->area.flip;
	return 0;
}

/* The kernel touches it for the process; a pipe has room for all of it. */
static void fill_and_pipe(struct round *round)
{
	fill_used(round);
	CHECK_SYS(pipe(round->fds));
}

static int act_kernel_read(struct round *round)
{
	return write(round->fds[1], round->area.mem, round->area.size) < 0 ? -errno : 0;
}

static void verify_piped(struct round *round, int ret)
{
	close(round->fds[0]);
	close(round->fds[1]);
	verify_data(round, ret);
}

static void child_waits(void *arg)
{
	(void)arg;
	pause();
}

static void fill_and_fork(struct round *round)
{
	fill_used(round);
	round->child = test_fork(child_waits, NULL);
}

static void verify_and_reap(struct round *round, int ret)
{
	CHECK_SYS(kill(round->child, SIGKILL));
	CHECK_EQ(waitpid(round->child, NULL, 0), round->child);
	verify_data(round, ret);
}

/* The device works on it. */

static int act_access(struct round *round, unsigned int op, const void *data)
{
	struct drm_mockgpu_access args = {
		.vm_id = round->area.vm, .op = op, .done = UNKNOWN,
		.value = op == MOCKGPU_ACCESS_XOR || op == MOCKGPU_ACCESS_FILL ? FLIP : 0,
		.addr = (uintptr_t)round->area.mem, .size = round->area.size,
		.data = (uintptr_t)data,
	};
	int ret = gpu_access(&round->gpu, &args);

	round->done = args.done;
	return ret;
}

static int act_xor(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_XOR, NULL);
}

static int act_fill(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_FILL, NULL);
}

static char buffer[SMALL_SIZE];

static int act_device_read(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_READ, buffer);
}

static int act_device_write(struct round *round)
{
	return act_access(round, MOCKGPU_ACCESS_WRITE, buffer);
}

static uint64_t old_word(const struct area *area, size_t i)
{
	return pattern_word(area->seed, i) ^ area->flip;
}

/*
 * Words are new up to where the device got, and old behind that. If it could not say how
 * far it got, up to anywhere.
 */
static void verify_progress(struct round *round, int ret,
			    uint64_t (*new_word)(const struct area *area, size_t i))
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t count = round->area.size / 8, i = 0;

	while (i < count && words[i] == new_word(&round->area, i))
		i++;
	if (round->done != UNKNOWN && i < round->done / 8)
		FAIL("word %zu is not new, of %llu", i, (unsigned long long)round->done / 8);
	if (!ret)
		CHECK_EQ(i, count);
	if (round->done != UNKNOWN)
		i = round->done / 8;
	for (; i < count; i++)
		if (words[i] != old_word(&round->area, i))
			FAIL("word %zu of %llu is not old", i, (unsigned long long)round->done / 8);
	area_fill(&round->area);
	verify_data(round, ret);
}

static uint64_t flipped_word(const struct area *area, size_t i)
{
	return old_word(area, i) ^ FLIP;
}

static uint64_t filled_word(const struct area *area, size_t i)
{
	(void)area;
	(void)i;
	return FLIP;
}

static uint64_t written_word(const struct area *area, size_t i)
{
	(void)area;
	return pattern_word(99, i);
}

static void verify_xor(struct round *round, int ret)
{
	verify_progress(round, ret, flipped_word);
}

static void verify_fill(struct round *round, int ret)
{
	verify_progress(round, ret, filled_word);
}

static void verify_written(struct round *round, int ret)
{
	verify_progress(round, ret, written_word);
}

static void verify_read(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)buffer;
	size_t known = round->done == UNKNOWN ? 0 : round->done / 8;

	if (!ret)
		CHECK_EQ(round->done, SMALL_SIZE);
	for (size_t i = 0; i < known; i++)
		CHECK(words[i] == old_word(&round->area, i));
	verify_data(round, ret);
}

static void prepare_write(struct round *round)
{
	fill_device(round);
	pattern_fill(buffer, sizeof(buffer), 99);
}

/* Memory that nobody ever touched. */
static void verify_first_touch(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t done = round->done == UNKNOWN ? 0 : round->done / 8;

	if (!ret)
		CHECK_EQ(done, round->area.size / 8);
	for (size_t i = 0; i < round->area.size / 8; i++)
		CHECK(words[i] == FLIP || (!words[i] && i >= done));
	area_fill(&round->area);
	verify_data(round, ret);
}

/* The process changes its mappings. */

static int act_unmap_part(struct round *round)
{
	return munmap(round->area.mem + 5 * PAGE, 3 * PAGE) ? -errno : 0;
}

/* What is left is as it was, and what is not is not there for the device either. */
static void verify_unmapped(struct round *round, int ret)
{
	struct area low = area_part(&round->area, 0, 5 * PAGE);
	char byte;

	if (ret) {
		verify_data(round, ret);
		return;
	}
	CHECK_RET(gpu_read(&round->gpu, low.vm, low.mem + low.size, 1, &byte), -EFAULT);
	verify_data(&(struct round){ .gpu = round->gpu, .area = low }, ret);
}

static int act_protect(struct round *round)
{
	return mprotect(round->area.mem + 3 * PAGE, 2 * PAGE, PROT_READ) ? -errno : 0;
}

static void verify_protected(struct round *round, int ret)
{
	uint64_t value = 1;
	int want = ret ? 0 : -EFAULT;

	area_check_device(&round->area);
	if (want)
		CHECK_RET(gpu_write(&round->gpu, round->area.vm, round->area.mem + 3 * PAGE,
				    sizeof(value), &value), want);
	CHECK_SYS(mprotect(round->area.mem, round->area.size, PROT_READ | PROT_WRITE));
	verify_data(round, ret);
}

static int act_remap(struct round *round)
{
	char *to = arena + HUGE_PAGE - SMALL_SIZE;

	if (mremap(arena, SMALL_SIZE, SMALL_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -errno;
	round->area.mem = to;
	return 0;
}

static int act_discard(struct round *round)
{
	return madvise(round->area.mem, round->area.size, MADV_DONTNEED) ? -errno : 0;
}

static void verify_discarded(struct round *round, int ret)
{
	struct mismatch bad;

	if (!ret)
		CHECK_DATA(words_are(round->area.mem, round->area.size, 0, &bad), bad);
	verify_alive(round, ret);
}

/* The parent's words are what it has; the child is gone. */
static void verify_xor_forked(struct round *round, int ret)
{
	CHECK_SYS(kill(round->child, SIGKILL));
	CHECK_EQ(waitpid(round->child, NULL, 0), round->child);
	verify_xor(round, ret);
}

/* The end of a process that has memory in VRAM and in the page table of the device. */
struct end {
	const struct gpu *gpu;
	unsigned int nth;
};

static void end_in_use(void *arg)
{
	static const struct scene scene = { };
	const struct end *end = arg;
	struct round round;

	round_begin(&round, end->gpu, &scene);
	fill_used(&round);
	inject_arm(end->nth);
	_exit(0);
}

static bool end_round(const struct gpu *gpu, unsigned int nth)
{
	struct end end = { gpu, nth };
	pid_t pid = test_fork(end_in_use, &end);
	siginfo_t info;
	bool fired;

	CHECK_SYS(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	fired = inject_fired(pid);
	test_join(pid);
	return fired;
}

static void process_end(struct gpu *gpu)
{
	uint64_t before[MOCKGPU_COUNTER_COUNT];
	const char *missing = inject_missing();
	unsigned int nth = 1, rounds = 0;

	if (missing)
		test_skip("%s", missing);
	CHECK_OK(gpu_counters(gpu, before));
	while (end_round(gpu, nth)) {
		check_leaks(gpu, before, nth);
		rounds++;
		nth = next_failure(nth);
	}
	check_leaks(gpu, before, nth);
	printf("# %u failures, of up to %u\n", rounds, nth - 1);
}

/* The driver is taken from a device and given to it again. */

static int tell_driver(const char *what, unsigned int index)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/mockgpu/%s", what);
	snprintf(name, sizeof(name), "mockgpu.%u", index);
	return file_write(path, name);
}

static bool is_bound(unsigned int index)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/mockgpu/mockgpu.%u", index);
	return !access(path, F_OK);
}

/* What is alive in the SVM module, whoever uses it. */
static unsigned long long live_total(void)
{
	FILE *file = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long long total = 0, value;
	char name[64];

	CHECK(file);
	while (fscanf(file, "%63s %llu", name, &value) == 2)
		if (!strncmp(name, "live_", 5))
			total += value;
	fclose(file);
	return total;
}

static void check_live_total(unsigned long long want, unsigned int nth)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);
	unsigned long long total;

	while ((total = live_total()) > want && seconds_now() < deadline)
		sleep_ms(5);
	if (total > want)
		FAIL("failure %u leaves %llu things alive, not %llu", nth, total, want);
}

/* It is a device that works. */
static void use_device(unsigned int index, struct area *area)
{
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, index));
	*area = (struct area){ .gpu = &gpu, .vm = vm_new(&gpu) };
	fresh_memory(area, MEM_SMALL);
	area_fill(area);
	area_populate(area);
	area_device_flip(area, FLIP);
	gpu_close(&gpu);
	area->gpu = NULL;
}

/* What makes the file for it may be refused something, and nobody is told. */
static bool has_node(unsigned int index)
{
	struct gpu gpu;

	if (gpu_open(&gpu, index))
		return false;
	gpu_close(&gpu);
	return true;
}

/* A device that is not there yet is there afterwards, or not at all. */
static bool bind_round(unsigned int index, unsigned int nth)
{
	struct area area;
	bool fired;
	int ret;

	inject_arm(nth);
	ret = tell_driver("bind", index);
	fired = inject_disarm();
	if (!fired)
		CHECK_OK(ret);
	CHECK_EQ(is_bound(index), !ret);
	if (fired && !ret && !has_node(index)) {
		CHECK_OK(tell_driver("unbind", index));
		ret = -ENOMEM;
	}
	if (ret)
		CHECK_OK(tell_driver("bind", index));
	use_device(index, &area);
	area_check_cpu(&area);
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	CHECK_OK(tell_driver("unbind", index));
	return fired;
}

/* What processes have there comes home, whatever is refused to who sends it there. */
static bool unbind_round(unsigned int index, unsigned int nth)
{
	struct area area;
	bool fired;
	int ret;

	use_device(index, &area);
	inject_arm(nth);
	ret = tell_driver("unbind", index);
	fired = inject_disarm();
	if (!fired)
		CHECK_OK(ret);
	CHECK_EQ(is_bound(index), !!ret);
	area_check_cpu(&area);
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	if (ret)
		CHECK_OK(tell_driver("unbind", index));
	CHECK_OK(tell_driver("bind", index));
	return fired;
}

static void run_driver(struct gpu *gpu, bool (*round)(unsigned int index, unsigned int nth))
{
	const char *missing = inject_missing();
	unsigned int nth = 1, rounds = 0;
	unsigned long long before;

	if (missing)
		test_skip("%s", missing);
	before = live_total();
	while (round(gpu->index ? 0 : 1, nth)) {
		check_live_total(before, nth);
		rounds++;
		nth = next_failure(nth);
	}
	check_live_total(before, nth);
	printf("# %u failures, of up to %u\n", rounds, nth - 1);
	CHECK(rounds);
}

static void unbind_device(struct gpu *gpu)
{
	run_driver(gpu, unbind_round);
}

static void bind_device(struct gpu *gpu)
{
	CHECK_OK(tell_driver("unbind", gpu->index ? 0 : 1));
	run_driver(gpu, bind_round);
	CHECK_OK(tell_driver("bind", gpu->index ? 0 : 1));
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

#define SCENE(name, ...)						\
static void name(struct gpu *gpu)					\
{									\
	static const struct scene scene = { __VA_ARGS__ };		\
									\
	run_scene(gpu, &scene);						\
}

SCENE(query, .act = act_query, .verify = verify_alive)
SCENE(counters, .act = act_counters, .verify = verify_alive)
SCENE(residency, .prepare = fill_device, .act = act_residency, .verify = verify_residency)
SCENE(open_file, .act = act_open, .verify = verify_alive)
SCENE(close_file, .prepare = fill_used, .act = act_close, .verify = verify_closed)
SCENE(vm_create, .act = act_vm_create, .verify = verify_alive)
SCENE(vm_destroy, .prepare = fill_used, .act = act_vm_destroy, .verify = verify_destroyed)
SCENE(populate_small, .prepare = fill_system, .act = act_populate, .verify = verify_populated)
SCENE(populate_huge, .prepare = fill_system, .act = act_populate, .verify = verify_populated,
      .thp = MEM_HUGE)
SCENE(populate_partial, .prepare = fill_system, .act = act_populate_partial,
      .verify = verify_partial)
SCENE(populate_holes, .prepare = prepare_holes, .act = act_populate, .verify = verify_holes)
SCENE(populate_other, .prepare = fill_on_other, .act = act_populate, .verify = verify_populated,
      .two = true)
SCENE(evict_vm, .prepare = fill_used, .act = act_evict_vm, .verify = verify_evicted)
SCENE(evict_addr, .prepare = fill_used, .act = act_evict_addr, .verify = verify_evicted)
SCENE(evict_device, .prepare = fill_used, .act = act_evict_device, .verify = verify_evicted)
SCENE(evict_huge, .prepare = fill_used, .act = act_evict_vm, .verify = verify_evicted,
      .thp = MEM_HUGE)
SCENE(cpu_read, .prepare = fill_used, .act = act_cpu_read, .verify = verify_data)
SCENE(cpu_write, .prepare = fill_used, .act = act_cpu_write, .verify = verify_data)
SCENE(cpu_read_huge, .prepare = fill_used, .act = act_cpu_read, .verify = verify_data,
      .thp = MEM_HUGE)
SCENE(cpu_write_forked, .prepare = fill_and_fork, .act = act_cpu_write,
      .verify = verify_and_reap)
SCENE(kernel_read, .prepare = fill_and_pipe, .act = act_kernel_read, .verify = verify_piped)
SCENE(device_xor_system, .prepare = fill_system, .act = act_xor, .verify = verify_xor)
SCENE(device_xor_vram, .prepare = fill_device, .act = act_xor, .verify = verify_xor)
SCENE(device_xor_huge, .prepare = fill_system, .act = act_xor, .verify = verify_xor,
      .thp = MEM_HUGE)
SCENE(device_xor_other, .prepare = fill_on_other, .act = act_xor, .verify = verify_xor,
      .two = true)
SCENE(device_xor_forked, .prepare = fill_and_fork, .act = act_xor, .verify = verify_xor_forked)
SCENE(device_fill, .prepare = fill_device, .act = act_fill, .verify = verify_fill)
SCENE(device_fill_first, .act = act_fill, .verify = verify_first_touch)
SCENE(device_read, .prepare = fill_device, .act = act_device_read, .verify = verify_read)
SCENE(device_write, .prepare = prepare_write, .act = act_device_write,
      .verify = verify_written)
SCENE(unmap_part, .prepare = fill_used, .act = act_unmap_part, .verify = verify_unmapped)
SCENE(protect, .prepare = fill_used, .act = act_protect, .verify = verify_protected)
SCENE(remap, .prepare = fill_used, .act = act_remap, .verify = verify_data)
SCENE(discard, .prepare = fill_used, .act = act_discard, .verify = verify_discarded)

#define SECONDS	900

static const struct test tests[] = {
	{ "query", query, NEEDS, SECONDS },
	{ "counters", counters, NEEDS, SECONDS },
	{ "residency", residency, NEEDS, SECONDS },
	{ "open-file", open_file, NEEDS, SECONDS },
	{ "close-file", close_file, NEEDS, SECONDS },
	{ "vm-create", vm_create, NEEDS, SECONDS },
	{ "vm-destroy", vm_destroy, NEEDS, SECONDS },
	{ "populate-small", populate_small, NEEDS, SECONDS },
	{ "populate-huge", populate_huge, NEEDS | NEED_THP, SECONDS },
	{ "populate-partial", populate_partial, NEEDS, SECONDS },
	{ "populate-holes", populate_holes, NEEDS, SECONDS },
	{ "populate-other", populate_other, NEEDS | NEED_TWO_DEVICES, SECONDS },
	{ "evict-vm", evict_vm, NEEDS, SECONDS },
	{ "evict-addr", evict_addr, NEEDS, SECONDS },
	{ "evict-device", evict_device, NEEDS, SECONDS },
	{ "evict-huge", evict_huge, NEEDS | NEED_THP, SECONDS },
	{ "cpu-read", cpu_read, NEEDS, SECONDS },
	{ "cpu-write", cpu_write, NEEDS, SECONDS },
	{ "cpu-read-huge", cpu_read_huge, NEEDS | NEED_THP, SECONDS },
	{ "cpu-write-forked", cpu_write_forked, NEEDS, SECONDS },
	{ "kernel-read", kernel_read, NEEDS, SECONDS },
	{ "device-xor-system", device_xor_system, NEEDS, SECONDS },
	{ "device-xor-vram", device_xor_vram, NEEDS, SECONDS },
	{ "device-xor-huge", device_xor_huge, NEEDS | NEED_THP, SECONDS },
	{ "device-xor-other", device_xor_other, NEEDS | NEED_TWO_DEVICES, SECONDS },
	{ "device-xor-forked", device_xor_forked, NEEDS, SECONDS },
	{ "device-fill", device_fill, NEEDS, SECONDS },
	{ "device-fill-first", device_fill_first, NEEDS, SECONDS },
	{ "device-read", device_read, NEEDS, SECONDS },
	{ "device-write", device_write, NEEDS, SECONDS },
	{ "unmap-part", unmap_part, NEEDS, SECONDS },
	{ "protect", protect, NEEDS, SECONDS },
	{ "remap", remap, NEEDS, SECONDS },
	{ "discard", discard, NEEDS, SECONDS },
	{ "process-end", process_end, NEEDS, SECONDS },
	/* Last, because others see the device that there was at first. */
	{ "unbind", unbind_device, NEEDS | NEED_TWO_DEVICES, SECONDS },
	{ "bind", bind_device, NEEDS | NEED_TWO_DEVICES, SECONDS },
};

HARNESS_MAIN(tests)
