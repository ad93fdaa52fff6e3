// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The device holds things up: a page, the copy engine, a clear; or gives odd pages. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x3819660112501051ULL
#define HUGE_PAGES	(HUGE_PAGE / PAGE)
#define MOST_COPIES	10

/* Sets a knob that not every version of the device has. */
static void turn(const struct gpu *gpu, const char *knob, const char *text)
{
	int ret = knob_write(gpu, knob, text);

	if (ret == -ENOENT)
		test_skip("the device has no knob %s", knob);
	CHECK_OK(ret);
}

static struct area populated(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	area_populate(&area);
	area_device_flip(&area, FLIP);
	return area;
}

/*
 * An eviction tries a few times. Core mm lets one reference too many pass until the
 * pages have been copied, so those that are held can be copied each time, but no
 * others can.
 */
static void check_copied(const struct gpu *gpu, uint64_t before, size_t moved, size_t held)
{
	uint64_t copied = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT) - before;

	if (copied < moved || copied > moved + MOST_COPIES * held)
		FAIL("%llu bytes were copied, %zu moved and %zu were held",
		     (unsigned long long)copied, moved, held);
}

/*
 * Each page is held: eviction says so, in time, and none goes home. When they are
 * let go it works, and the data is right.
 */
static void all_pages(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);
	uint64_t copied = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT);
	uint64_t home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);
	double begin = seconds_now();

	turn(gpu, "hold_page", "all");
	CHECK_RET(gpu_evict_vm(gpu, area.vm), -EBUSY);
	check_bound("an eviction", begin);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home);
	check_copied(gpu, copied, 0, area.size);
	area_check_device(&area);
	turn(gpu, "hold_page", "0");
	copied = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT);
	area_evict(&area);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home + HUGE_PAGES);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT), copied + area.size);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_check_cpu(&area);
}

/* The VRAM page with the highest number belongs to the allocation made last. */
static unsigned long last_page(const struct gpu *gpu)
{
	char line[128], path[128];
	unsigned long first, last = 0;
	FILE *vram;

	device_file(gpu, "vram", path, sizeof(path));
	vram = fopen(path, "r");
	CHECK(vram);
	while (fgets(line, sizeof(line), vram))
		CHECK_EQ(sscanf(line, "%lu-%lu", &first, &last), 2);
	fclose(vram);
	CHECK(last);
	return last;
}

static void hold_last(const struct gpu *gpu)
{
	char number[24];

	snprintf(number, sizeof(number), "%lu", last_page(gpu));
	turn(gpu, "hold_page", number);
}

/* One page is held: all others of its allocation go home, once, and it follows. */
static void one_page(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);
	struct area others = area_part(&area, 0, area.size - PAGE);
	uint64_t copied = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT);
	uint64_t home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);

	hold_last(gpu);
	for (int i = 0; i < 3; i++) {
		CHECK_RET(gpu_evict_vm(gpu, area.vm), -EBUSY);
		CHECK_PLACE(&others, MOCKGPU_PAGE_SYSTEM);
		CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 1);
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home + HUGE_PAGES - 1);
		check_copied(gpu, copied, others.size, (i + 1) * PAGE);
	}
	area_check_cpu(&others);
	area_check_device(&area);
	turn(gpu, "hold_page", "0");
	copied = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT), copied + PAGE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home + HUGE_PAGES);
	area_check_cpu(&area);
}

/* An allocation that is busy does not keep the next one from leaving. */
static void next_victim(struct gpu *gpu)
{
	struct area free_one = populated(gpu, HUGE_PAGE), busy = free_one, other;
	struct drm_mockgpu_evict evict = { .scope = MOCKGPU_EVICT_DEVICE };

	busy = populated(gpu, HUGE_PAGE);
	hold_last(gpu);
	other = populated(gpu, HUGE_PAGE);
	evict.vm_id = busy.vm;
	CHECK_RET(gpu_evict(gpu, &evict), -EBUSY);
	CHECK_EQ(evict.evicted, 2);
	CHECK_EQ(evict.busy, 1);
	CHECK_PLACE(&free_one, MOCKGPU_PAGE_SYSTEM);
	CHECK_PLACE(&other, MOCKGPU_PAGE_SYSTEM);
	area_check_cpu(&free_one);
	area_check_cpu(&other);
	turn(gpu, "hold_page", "0");
	area_evict(&busy);
	area_check_cpu(&busy);
}

/* The page is let go at any time: between two attempts, or in one. */
static void *let_go_soon(void *arg)
{
	const struct gpu *gpu = arg;

	usleep(getpid() % 7 * 1000);
	knob_write(gpu, "hold_page", "0");
	return NULL;
}

static void let_go_meanwhile(struct gpu *gpu)
{
	double deadline = seconds_now() + brief_seconds();
	unsigned int rounds = 0, refused = 0;

	for (; seconds_now() < deadline; rounds++) {
		struct area area = populated(gpu, 64 * PAGE);
		struct crew crew;
		int ret;

		hold_last(gpu);
		crew_start(&crew, 1, let_go_soon, gpu);
		ret = gpu_evict_vm(gpu, area.vm);
		CHECK(!ret || ret == -EBUSY);
		refused += !!ret;
		crew_join(&crew);
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		area_check_cpu(&area);
		CHECK_OK(gpu_vm_destroy(gpu, area.vm));
		CHECK_SYS(munmap(area.mem, area.size));
	}
	printf("# %u rounds, %u refused\n", rounds, refused);
}

/* The CPU wants a page that somebody holds: it waits, but it can be killed. */
static void read_last_page(void *arg)
{
	struct area *area = arg;
	struct area page = area_part(area, area->size - PAGE, PAGE);

	area_check_cpu(&page);
}

static void read_all(void *arg)
{
	area_check_cpu(arg);
}

static void fault_on_held(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);
	pid_t reader, victim;

	hold_last(gpu);
	reader = test_fork(read_all, &area);
	victim = test_fork(read_last_page, &area);
	sleep_ms(300);
	CHECK_EQ(waitpid(victim, NULL, WNOHANG), 0);
	CHECK_SYS(kill(victim, SIGKILL));
	join_in_time(victim, "the end of a process that waits for a page");
	CHECK_EQ(waitpid(victim, NULL, 0), victim);
	turn(gpu, "hold_page", "0");
	join_in_time(reader, "to get the page");
	test_join(reader);
	area_check_device(&area);
	area_check_cpu(&area);
}

static void *let_go_later(void *arg)
{
	const struct gpu *gpu = arg;

	sleep_ms(300);
	knob_write(gpu, "hold_page", "0");
	return NULL;
}

/*
 * Once read-only for the CPU, pages are not the device's to write until they have been
 * home. One that somebody holds cannot go yet: the device waits for it.
 */
static void write_on_held(struct gpu *gpu)
{
	struct area area = populated(gpu, 64 * PAGE);
	struct crew crew;

	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ));
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	hold_last(gpu);
	crew_start(&crew, 1, let_go_later, gpu);
	area_device_flip(&area, FLIP);
	crew_join(&crew);
	area_check_cpu(&area);
}

struct stranger {
	struct gpu *gpu;
	_Atomic bool begun;
};

/* Of another device, that has no link. */
static void read_held(void *arg)
{
	struct stranger *stranger = arg;
	struct area area = populated(stranger->gpu, 64 * PAGE);
	struct gpu other;

	CHECK_OK(gpu_open(&other, stranger->gpu->index ? 0 : 1));
	area.gpu = &other;
	area.vm = vm_new(&other);
	hold_last(stranger->gpu);
	atomic_store(&stranger->begun, true);
	area_check_device(&area);
}

static void stranger_on_held(struct gpu *gpu)
{
	struct stranger *stranger = mmap(NULL, sizeof(*stranger), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(stranger != MAP_FAILED);
	stranger->gpu = gpu;
	pid = test_fork(read_held, stranger);
	while (!atomic_load(&stranger->begun))
		sleep_ms(10);
	sleep_ms(300);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_SYS(kill(pid, SIGKILL));
	join_in_time(pid, "the end of a process whose device waits for a page");
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	turn(gpu, "hold_page", "0");
}

struct attempt {
	struct area area;
	int ret;
};

static void *attempt(void *arg)
{
	struct attempt *attempt = arg;
	const struct area *area = &attempt->area;

	attempt->ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
	return NULL;
}

static void fill_page(char *page, uint64_t value)
{
	for (size_t i = 0; i < PAGE / sizeof(value); i++)
		((volatile uint64_t *)page)[i] = value;
}

/* Every other page is a hole; the CPU fills one when the copy engine has begun. */
static void copy_while_filled(struct gpu *gpu)
{
	struct attempt one = { .area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL) };
	struct area *area = &one.area;
	struct mismatch bad;
	struct crew crew;

	for (size_t page = 0; page < HUGE_PAGES; page += 2)
		fill_page(area->mem + page * PAGE, page);
	turn(gpu, "hold_copy", "1");
	crew_start(&crew, 1, attempt, &one);
	wait_for_copy(gpu);
	fill_page(area->mem + 101 * PAGE, FLIP);
	turn(gpu, "hold_copy", "0");
	crew_join(&crew);
	CHECK_RET(one.ret, -EBUSY);
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	for (size_t page = 0; page < HUGE_PAGES; page++)
		CHECK_DATA(words_are(area->mem + page * PAGE, PAGE,
				     page == 101 ? FLIP : page % 2 ? 0 : page, &bad), bad);
}

/* A file of a process whose contents need its memory map. */
static void read_maps(void *arg)
{
	char path[64], text[4096];
	pid_t pid = *(pid_t *)arg;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY);
	CHECK_SYS(fd);
	CHECK(read(fd, text, sizeof(text)) > 0);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY);
	CHECK_SYS(fd);
	CHECK(read(fd, text, sizeof(text)) > 0);
}

static void copy_in(void *arg)
{
	struct area area = *(struct area *)arg;

	area.vm = vm_new(area.gpu);
	gpu_populate(area.gpu, area.vm, area.mem, area.size);
}

static void copy_out(void *arg)
{
	struct area area = *(struct area *)arg;

	area.vm = vm_new(area.gpu);
	gpu_evict_at(area.gpu, area.vm, area.mem);
}

/*
 * The copy engine hangs. Who waits for it can be killed, and others can look at
 * that process; when the engine goes on, all data is right.
 */
static void check_hang(struct gpu *gpu, struct area *area, void (*wait)(void *arg))
{
	pid_t pid, looker;

	turn(gpu, "hold_copy", "1");
	pid = test_fork(wait, area);
	wait_for_copy(gpu);
	sleep_ms(100);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	looker = test_fork(read_maps, &pid);
	join_in_time(looker, "to look at a process that waits");
	test_join(looker);
	CHECK_SYS(kill(pid, SIGKILL));
	join_in_time(pid, "the end of a process that waits");
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	turn(gpu, "hold_copy", "0");
	area_check_device(area);
	area_check_cpu(area);
}

static void hang_in_fault(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);

	check_hang(gpu, &area, read_all);
}

static void hang_in_populate(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);

	check_hang(gpu, &area, copy_in);
}

static void hang_in_evict(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);

	check_hang(gpu, &area, copy_out);
}

/* Clearing goes on for a while after the command: nobody sees or loses anything. */
static void clear_later(struct gpu *gpu, const char *no_clear_op)
{
	struct area area = area_new(gpu, 4 * MIB, 0, MEM_SMALL), data = area_part(&area, 0, MIB);
	char *copy = malloc(area.size);
	struct mismatch bad;

	CHECK(copy);
	turn(gpu, "no_clear_op", no_clear_op);
	turn(gpu, "clear_delay_ms", "200");
	area_populate(&area);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, MIB, FLIP));
	CHECK_OK(gpu_read(gpu, area.vm, area.mem, area.size, copy));
	CHECK_DATA(words_are(copy, MIB, FLIP, &bad), bad);
	CHECK_DATA(words_are(copy + MIB, area.size - MIB, 0, &bad), bad);
	sleep_ms(300);
	CHECK_OK(gpu_read(gpu, area.vm, area.mem, area.size, copy));
	CHECK_DATA(words_are(copy, MIB, FLIP, &bad), bad);
	CHECK_DATA(words_are(copy + MIB, area.size - MIB, 0, &bad), bad);
	CHECK_DATA(words_are(data.mem, MIB, FLIP, &bad), bad);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	/* The same with data: it is copied only after the clear. */
	area_fill(&area);
	area_populate(&area);
	area_check_device(&area);
	sleep_ms(300);
	area_check_device(&area);
	area_check_cpu(&area);
	turn(gpu, "clear_delay_ms", "0");
	turn(gpu, "no_clear_op", "0");
}

static void cleared_later(struct gpu *gpu)
{
	clear_later(gpu, "0");
}

static void cleared_by_copy(struct gpu *gpu)
{
	clear_later(gpu, "1");
}

/* The range is left, discarded or moved home before the clear is over. */
static void left_before_clear(struct gpu *gpu)
{
	turn(gpu, "clear_delay_ms", "100");
	for (int i = 0; i < 5; i++) {
		struct area area = area_new(gpu, MIB, 0, MEM_SMALL);
		struct mismatch bad;
		struct attempt one = { .area = area };
		struct crew crew;

		crew_start(&crew, 1, attempt, &one);
		usleep(i * 20000);
		CHECK_SYS(madvise(area.mem, area.size, MADV_DONTNEED));
		CHECK_DATA(words_are(area.mem, area.size, 0, &bad), bad);
		crew_join(&crew);
		CHECK(!one.ret || one.ret == -EBUSY);
		CHECK_DATA(words_are(area.mem, area.size, 0, &bad), bad);
		CHECK_SYS(munmap(area.mem, area.size));
	}
	turn(gpu, "clear_delay_ms", "0");
}

/* Pages of an allocation lie anywhere in VRAM, between those of others. */
static void scatter(struct gpu *gpu, enum mem_thp thp)
{
	struct area before, area, behind;

	turn(gpu, "scatter", "1");
	before = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	area_populate(&before);
	area = area_filled(gpu, 2 * HUGE_PAGE, 0, thp);
	area_populate(&area);
	behind = area_filled(gpu, HUGE_PAGE, 3 * PAGE, MEM_SMALL);
	area_populate(&behind);
	area_check_device(&area);
	area_device_flip(&area, FLIP);
	area_check_device(&before);
	area_check_device(&behind);
	area_evict(&area);
	area_check_cpu(&area);
	area_populate(&area);
	area_device_flip(&area, FLIP);
	/* The middle first, by the CPU. */
	CHECK(((volatile uint64_t *)area.mem)[MIB / 8] ==
	      (pattern_word(area.seed, MIB / 8) ^ area.flip));
	area_check_cpu(&area);
	area_check_device(&before);
	area_check_device(&behind);
	CHECK_OK(gpu_evict_vm(gpu, before.vm));
	area_check_cpu(&before);
	area_check_cpu(&behind);
	turn(gpu, "scatter", "0");
}

static void scattered(struct gpu *gpu)
{
	scatter(gpu, MEM_SMALL);
}

static void scattered_huge(struct gpu *gpu)
{
	scatter(gpu, MEM_HUGE);
}

static uint32_t failures_left(const struct gpu *gpu)
{
	uint32_t left;

	CHECK_OK(knob_get(gpu, "fail_device_map", &left));
	return left;
}

/* What comes from another device over a link cannot be mapped: it goes by RAM. */
static void peer_not_mapped(struct gpu *gpu)
{
	struct area seen;
	struct gpu other;
	char links[64];

	if (strcmp(file_line("/sys/module/mockgpu/parameters/links", links, sizeof(links)), "all"))
		test_skip("not all devices have links to each other");
	seen = populated(gpu, HUGE_PAGE);
	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	seen.gpu = &other;
	seen.vm = vm_new(&other);
	turn(gpu, "fail_device_map", "1");
	turn(&other, "fail_device_map", "1");
	area_populate(&seen);
	area_check_device(&seen);
	/* One of the two was asked to map it, and said no. */
	CHECK(!failures_left(gpu) || !failures_left(&other));
	turn(gpu, "fail_device_map", "0");
	turn(&other, "fail_device_map", "0");
	area_device_flip(&seen, FLIP);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_check_cpu(&seen);
}

#define NEEDS	(NEED_VRAM | NEED_KNOBS)

static const struct test tests[] = {
	{ "all-pages", all_pages, NEEDS, 0 },
	{ "one-page", one_page, NEEDS, 0 },
	{ "next-victim", next_victim, NEEDS, 0 },
	{ "let-go-meanwhile", let_go_meanwhile, NEEDS, 0 },
	{ "fault-on-held", fault_on_held, NEED_PRIVATE | NEED_KNOBS, 0 },
	{ "write-on-held", write_on_held, NEEDS, 0 },
	{ "stranger-on-held", stranger_on_held, NEEDS | NEED_TWO_DEVICES, 0 },
	{ "copy-while-filled", copy_while_filled, NEEDS, 0 },
	{ "hang-in-fault", hang_in_fault, NEED_PRIVATE | NEED_KNOBS, 0 },
	{ "hang-in-populate", hang_in_populate, NEEDS, 0 },
	{ "hang-in-evict", hang_in_evict, NEEDS, 0 },
	{ "cleared-later", cleared_later, NEEDS, 0 },
	{ "cleared-by-copy", cleared_by_copy, NEEDS, 0 },
	{ "left-before-clear", left_before_clear, NEEDS, 0 },
	{ "scattered", scattered, NEEDS, 0 },
	{ "scattered-huge", scattered_huge, NEEDS | NEED_THP, 0 },
	{ "peer-not-mapped", peer_not_mapped, NEEDS | NEED_TWO_DEVICES, 0 },
};

HARNESS_MAIN(tests)
