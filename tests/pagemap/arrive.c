// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory goes into VRAM although pages are held, torn, filled meanwhile or scattered. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x3141592653589793ULL
#define PAINT		0xdeadfeeddeadfeedULL
#define HUGE_PAGES	(HUGE_PAGE / PAGE)
/* Some milliseconds of work, if the processor is to be had. */
#define REFUSAL_SECONDS	2

static bool is_third(size_t page)
{
	return page % 3 == 0;
}

/* Holds every third page from a place on; returns how many. */
static size_t pin_thirds(const struct pins *pins, const struct area *area, size_t first)
{
	size_t count = 0;

	for (size_t page = 0; page < HUGE_PAGES; page++) {
		if (!is_third(first + page))
			continue;
		pins_add(pins, area->mem + (first + page) * PAGE);
		count++;
	}
	return count;
}

/* It works both ways once nobody holds anything. */
static void check_movable(struct area *area)
{
	area_populate(area);
	area_check_device(area);
	area_device_flip(area, FLIP);
	area_evict(area);
	area_check_cpu(area);
}

/* Every third page is held, so the whole range stays as it is. */
static void third_pinned(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct pins pins = pins_new();

	pin_thirds(&pins, &area, 0);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_check_device(&area);
	area_check_cpu(&area);
	pins_drop(&pins);
	check_movable(&area);
}

/* The pages before and behind are of another size than those in the middle. */
static void third_pinned_huge(struct gpu *gpu)
{
	struct area area = area_new(gpu, 3 * HUGE_PAGE, 0, MEM_SMALL);
	struct area middle = area_part(&area, HUGE_PAGE, HUGE_PAGE);
	struct pins pins = pins_new();

	CHECK_SYS(madvise(middle.mem, middle.size, MADV_HUGEPAGE));
	area_fill(&area);
	pin_thirds(&pins, &area, HUGE_PAGES);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_PLACE(&middle, MOCKGPU_PAGE_SYSTEM);
	area_check_device(&area);
	area_check_cpu(&area);
	pins_drop(&pins);
	check_movable(&area);
}

/*
 * One page that cannot move, asked for again and again: each time costs little,
 * copies nothing, and the device works on the memory where it is.
 */
static void pinned_again(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct pins pins = pins_new();
	uint64_t before[MOCKGPU_COUNTER_COUNT], now[MOCKGPU_COUNTER_COUNT];
	double begin = seconds_now(), try_begin;

	pins_add(&pins, area.mem + 100 * PAGE);
	CHECK_OK(gpu_counters(gpu, before));
	for (int i = 0; i < 200; i++) {
		try_begin = seconds_now();
		CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
		if (seconds_now() - try_begin > patience(REFUSAL_SECONDS))
			FAIL("a refusal took %.3f s", seconds_now() - try_begin);
		CHECK_OK(gpu_xor(gpu, area.vm, area.mem + 100 * PAGE, PAGE, FLIP));
	}
	printf("# 200 refusals in %.1f s\n", seconds_now() - begin);
	CHECK_OK(gpu_counters(gpu, now));
	CHECK_EQ(now[MOCKGPU_COUNTER_BYTES_COPIED_IN], before[MOCKGPU_COUNTER_BYTES_COPIED_IN]);
	CHECK_EQ(now[MOCKGPU_COUNTER_PAGES_TO_DEVICE], before[MOCKGPU_COUNTER_PAGES_TO_DEVICE]);
	area_check_cpu(&area);
	pins_drop(&pins);
	check_movable(&area);
}

#ifdef MOCKGPU_POPULATE_PARTIAL
static bool is_nothing(size_t page)
{
	(void)page;
	return false;
}

static int populate_partly(const struct area *area, struct drm_mockgpu_populate *populate)
{
	*populate = (struct drm_mockgpu_populate){
		.vm_id = area->vm, .addr = (uintptr_t)area->mem, .size = area->size,
		.flags = MOCKGPU_POPULATE_PARTIAL,
	};
	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_POPULATE, populate);
}

/*
 * That many move, were there before and stay. Who holds a page for a moment only is
 * waited for: what then moves later is added up.
 */
static void move_partly(const struct area *area, size_t moved, size_t resident, size_t stayed)
{
	struct drm_mockgpu_populate populate;
	size_t first_resident, all = 0;
	int ret, tries = 0;

	do {
		if (tries)
			sleep_ms(10);
		ret = populate_partly(area, &populate);
		CHECK(!ret || ret == -EBUSY);
		if (!tries)
			first_resident = populate.resident;
		CHECK_EQ(populate.resident, first_resident + all);
		all += populate.moved;
	} while (all < moved && ++tries < 20);
	if (tries)
		printf("# partial populate needed %d tries\n", tries + 1);
	CHECK_EQ(all, moved);
	CHECK_EQ(first_resident, resident);
	CHECK_EQ(populate.stayed, stayed);
	CHECK_EQ(ret, moved + resident ? 0 : -EBUSY);
}

/* Exactly the pages that nobody holds move, and VRAM is taken for no others. */
static void partial_pinned(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct pins pins = pins_new();
	size_t pinned = pin_thirds(&pins, &area, 0), free_pages = HUGE_PAGES - pinned;

	move_partly(&area, free_pages, 0, pinned);
	check_all_but(&area, is_third);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, free_pages);
	area_check_device(&area);
	area_device_flip(&area, FLIP);
	/* What is left cannot move now, and then it can. */
	move_partly(&area, 0, free_pages, pinned);
	area_check_device(&area);
	pins_drop(&pins);
	move_partly(&area, pinned, free_pages, 0);
	check_all_but(&area, is_nothing);
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

/* All kinds of pages in one range: data, held, holes, already there. */
static void partial_kinds(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct area data = area_part(&area, 0, MIB), there = area_part(&area, 0, MIB / 2);
	struct area holes = area_part(&area, MIB, MIB);
	struct pins pins = pins_new();
	struct mismatch bad;

	area_fill(&data);
	there.seed = data.seed;
	area_populate(&there);
	for (size_t page = 128; page < 256; page += 3)
		pins_add(&pins, area.mem + page * PAGE);
	move_partly(&area, HUGE_PAGES - 128 - 43, 128, 43);
	area_check_device(&data);
	CHECK_PLACE(&holes, MOCKGPU_PAGE_DEVICE);
	pins_drop(&pins);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	area_check_cpu(&data);
	CHECK_DATA(words_are(holes.mem, holes.size, 0, &bad), bad);
}

/* Pages are held and let go, filled and given back while others are taken along. */
static void *hold_some(void *arg)
{
	struct area *area = arg;
	uint64_t state = 11;
	double deadline = seconds_now() + brief_seconds();

	while (seconds_now() < deadline) {
		struct pins pins = pins_new();

		for (int i = 0; i < 20; i++)
			pins_add(&pins, area->mem + random_next(&state) % (area->size / PAGE) * PAGE);
		sleep_ms(random_next(&state) % 5);
		pins_drop(&pins);
	}
	return NULL;
}

static void partial_race(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct drm_mockgpu_populate populate;
	unsigned long rounds = 0, moved = 0;
	struct crew crew;
	double begin = seconds_now();

	crew_start(&crew, 2, hold_some, &area);
	for (; !moved || seconds_now() - begin < brief_seconds(); rounds++) {
		int ret = populate_partly(&area, &populate);

		CHECK(!ret || ret == -EBUSY);
		CHECK_EQ(populate.moved + populate.resident + populate.stayed,
			 area.size / PAGE);
		moved += populate.moved;
		check_bound("to move at least one page", begin + brief_seconds());
		ret = gpu_evict_vm(gpu, area.vm);
		CHECK(!ret || ret == -EBUSY);
	}
	crew_join(&crew);
	printf("# %lu rounds, %lu pages moved\n", rounds, moved);
	area_check_device(&area);
	area_check_cpu(&area);
}
#endif

/* The first half has data, the second has none yet. */
static struct area half_touched(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);

	pattern_fill(area.mem, MIB, 5);
	return area;
}

static void check_half(const struct area *area, const char *mem, size_t filled, uint64_t value)
{
	const char *page = mem + MIB + filled * PAGE;
	struct mismatch bad;

	CHECK_DATA(pattern_matches(mem, MIB, 5, 0, &bad), bad);
	CHECK_DATA(words_are(mem + MIB, filled * PAGE, 0, &bad), bad);
	CHECK_DATA(words_are(page, PAGE, value, &bad), bad);
	CHECK_DATA(words_are(page + PAGE, mem + area->size - page - PAGE, 0, &bad), bad);
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

/*
 * The CPU fills a hole of the range between collecting and committing: what it
 * wrote stays, the command says so, and nothing is left in VRAM.
 */
static void cpu_fills_hole(struct gpu *gpu)
{
	struct attempt one = { .area = half_touched(gpu) };
	struct area *area = &one.area;
	struct crew crew;
	char *copy = malloc(area->size);

	CHECK(copy);
	CHECK_OK(knob_set(gpu, "copy_delay_us", 500000));
	crew_start(&crew, 1, attempt, &one);
	wait_for_copy(gpu);
	fill_page(area->mem + MIB + 7 * PAGE, FLIP);
	crew_join(&crew);
	CHECK_OK(knob_set(gpu, "copy_delay_us", 0));
	CHECK_RET(one.ret, -EBUSY);
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	CHECK_OK(gpu_read(gpu, area->vm, area->mem, area->size, copy));
	check_half(area, copy, 7, FLIP);
	check_half(area, area->mem, 7, FLIP);
	area_populate(area);
	CHECK_OK(gpu_read(gpu, area->vm, area->mem, area->size, copy));
	check_half(area, copy, 7, FLIP);
}

struct storm {
	struct area area;
	atomic_uint next;
	atomic_bool stop;
};

/* Each thread has a word in every page and counts in it. */
static void *count_in_pages(void *arg)
{
	struct storm *storm = arg;
	unsigned int number = atomic_fetch_add(&storm->next, 1);
	size_t pages = storm->area.size / PAGE;
	uint64_t *counts = calloc(pages, sizeof(*counts)), state = number + 1;

	CHECK(counts);
	while (!atomic_load(&storm->stop)) {
		size_t page = random_next(&state) % pages;
		volatile uint64_t *word = (uint64_t *)(storm->area.mem + page * PAGE) + number;

		CHECK_EQ((*word)++, counts[page]++);
	}
	for (size_t page = 0; page < pages; page++)
		CHECK_EQ(((uint64_t *)(storm->area.mem + page * PAGE))[number], counts[page]);
	free(counts);
	return NULL;
}

/*
 * Threads write to pages of the range, at first holes, while it goes to VRAM
 * over and over: no count is lost, whatever the command answers.
 */
static void hammer(struct gpu *gpu, unsigned int delay_us)
{
	struct storm storm = { .area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL) };
	struct area *area = &storm.area;
	uint64_t before = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE), pages = 0;
	double deadline = seconds_now() + brief_seconds();
	unsigned long moved = 0, refused = 0;
	struct crew crew;

	CHECK_OK(knob_set(gpu, "copy_delay_us", delay_us));
	crew_start(&crew, 4, count_in_pages, &storm);
	while (moved + refused < 3 || !pages || seconds_now() < deadline) {
		int ret = gpu_populate(gpu, area->vm, area->mem, area->size);

		check_bound("one migration", deadline);
		CHECK(!ret || ret == -EBUSY);
		moved += !ret;
		refused += !!ret;
		pages = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE) - before;
		ret = gpu_evict_vm(gpu, area->vm);
		CHECK(!ret || ret == -EBUSY);
	}
	atomic_store(&storm.stop, true);
	crew_join(&crew);
	printf("# moved %lu times, refused %lu times, %llu pages moved\n", moved, refused,
	       (unsigned long long)pages);
}

static void hammered(struct gpu *gpu)
{
	hammer(gpu, 0);
}

static void hammered_slowly(struct gpu *gpu)
{
	hammer(gpu, 2000);
}

/* Threads fill the holes of a range, each a word of every page, while it moves. */
static void *fill_holes(void *arg)
{
	struct storm *storm = arg;
	unsigned int number = atomic_fetch_add(&storm->next, 1);
	size_t pages = storm->area.size / PAGE;

	for (size_t i = 0; i < pages; i++) {
		size_t page = (i * 37 + number * 11) % pages;

		((volatile uint64_t *)(storm->area.mem + page * PAGE))[number] = page + number;
	}
	return NULL;
}

static void fill_round(struct storm *storm, unsigned int threads)
{
	struct area *area = &storm->area;
	struct crew crew;
	int ret;

	CHECK_SYS(madvise(area->mem, area->size, MADV_DONTNEED));
	atomic_store(&storm->next, 0);
	crew_start(&crew, threads, fill_holes, storm);
	ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
	CHECK(!ret || ret == -EBUSY);
	crew_join(&crew);
	for (size_t page = 0; page < area->size / PAGE; page++)
		for (unsigned int i = 0; i < PAGE / 8; i++)
			CHECK_EQ(((uint64_t *)(area->mem + page * PAGE))[i],
				 i < threads ? page + i : 0);
}

static void holes_race(struct gpu *gpu)
{
	struct storm storm = { .area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL) };
	double deadline = seconds_now() + brief_seconds();
	unsigned int rounds = 0;

	CHECK_OK(knob_set(gpu, "copy_delay_us", 500));
	for (; !rounds || seconds_now() < deadline; rounds++)
		fill_round(&storm, 8);
	printf("# %u rounds\n", rounds);
}

/* A huge page of which one page was given back: it is mapped page by page. */
static struct area torn(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_HUGE);

	if (huge_kib(area.mem) != HUGE_PAGE / KIB)
		test_skip("there was no huge page to be had");
	CHECK_SYS(madvise(area.mem + MIB, PAGE, MADV_DONTNEED));
	return area;
}

static void check_torn(const struct area *area)
{
	struct area low = area_part(area, 0, MIB);
	char *copy = malloc(area->size);
	struct mismatch bad;

	CHECK(copy);
	area_check_cpu(&low);
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, area->size, copy));
	CHECK_DATA(words_are(copy + MIB, PAGE, 0, &bad), bad);
	for (size_t i = (MIB + PAGE) / 8; i < area->size / 8; i++)
		CHECK(((uint64_t *)copy)[i] == (pattern_word(area->seed, i) ^ area->flip));
	free(copy);
}

/* It may be split at any time, as nobody needs all of it. */
static void torn_huge(struct gpu *gpu)
{
	unsigned long before = huge_pages_split();
	struct area area = torn(gpu);
	int ret = gpu_populate(gpu, area.vm, area.mem, area.size);

	if (torn_pages_move())
		CHECK_OK(ret);
	else if (ret || huge_pages_split() == before)
		CHECK_RET(ret, -EBUSY);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), ret ? 0 : HUGE_PAGES);
	check_torn(&area);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	check_torn(&area);
}

#ifdef MOCKGPU_POPULATE_PARTIAL
/* With what is around it, as far as that goes. */
static void torn_huge_partial(struct gpu *gpu)
{
	unsigned long before = huge_pages_split();
	struct drm_mockgpu_populate populate;
	struct area area = torn(gpu);

	CHECK_OK(populate_partly(&area, &populate));
	if (torn_pages_move() || huge_pages_split() != before) {
		move_partly(&area, HUGE_PAGES - populate.moved, populate.moved, 0);
	} else {
		CHECK_EQ(populate.moved, 1);
		CHECK_EQ(populate.stayed, HUGE_PAGES - 1);
	}
	check_torn(&area);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	check_torn(&area);
}
#endif

struct served {
	char *mem;
	int fd;
};

static int uffd_open(char *mem, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem, size }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		test_skip("userfaultfd: %s", errno_name(errno));
	CHECK_SYS(ioctl(fd, UFFDIO_API, &api));
	CHECK_SYS(ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

/* Gives each page its contents when somebody misses it, and takes its time. */
static void *serve(void *arg)
{
	struct served *served = arg;
	char *page = aligned_alloc(PAGE, PAGE);
	struct uffd_msg message;

	CHECK(page);
	while (read(served->fd, &message, sizeof(message)) == sizeof(message)) {
		uintptr_t at = message.arg.pagefault.address & ~(PAGE - 1);
		struct uffdio_copy copy = { .dst = at, .src = (uintptr_t)page, .len = PAGE };

		sleep_ms(1);
		pattern_fill(page, PAGE, at - (uintptr_t)served->mem);
		if (ioctl(served->fd, UFFDIO_COPY, &copy))
			CHECK_EQ(errno, EEXIST);
	}
	return NULL;
}

/*
 * Missing pages are for somebody in user space to fill: they must not appear as
 * zeroes because the range was asked for by the device.
 */
static void missing_pages(struct gpu *gpu)
{
	struct area area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL);
	struct served served = { area.mem, uffd_open(area.mem, area.size) };
	struct mismatch bad;
	struct crew crew;

	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 0);
	crew_start(&crew, 1, serve, &served);
	for (size_t at = 0; at < area.size; at += PAGE)
		CHECK_DATA(pattern_matches(area.mem + at, PAGE, at, 0, &bad), bad);
	area_populate(&area);
	for (size_t at = 0; at < area.size; at += PAGE)
		CHECK_DATA(pattern_matches(area.mem + at, PAGE, at, 0, &bad), bad);
}

/* VRAM is given to somebody else as soon as its last owner's data is out of it. */
static void *evict_slowly(void *arg)
{
	struct area *area = arg;
	int ret = gpu_evict_vm(area->gpu, area->vm);

	/* Who wants its room may be at it, too. */
	CHECK(!ret || ret == -EBUSY);
	return NULL;
}

static void reused_at_once(struct gpu *gpu)
{
	struct area filler = area_new(gpu, gpu->vram_size - 16 * MIB, 0, MEM_SMALL);
	struct area old = area_filled(gpu, 16 * MIB, 0, MEM_SMALL);
	struct area new = area_filled(gpu, 8 * MIB, 0, MEM_SMALL);
	double begin = seconds_now();
	struct crew crew;
	int ret;

	if (gpu->vram_size > 256 * MIB)
		test_skip("too much VRAM");
	CHECK_OK(knob_set(gpu, "poison", 1));
	area_populate(&old);
	area_populate(&filler);
	/* Both were used, and in a list of its uses it is the first one. */
	area_device_flip(&filler, FLIP);
	area_device_flip(&old, FLIP);
	CHECK_OK(knob_set(gpu, "copy_delay_us", 10000));
	crew_start(&crew, 1, evict_slowly, &old);
	while ((ret = gpu_populate(gpu, new.vm, new.mem, new.size)) == -ENOSPC || ret == -EBUSY)
		check_bound("to get VRAM", begin);
	CHECK_OK(ret);
	crew_join(&crew);
	CHECK_OK(knob_set(gpu, "copy_delay_us", 0));
	area_check_device(&new);
	area_check_cpu(&old);
	area_device_flip(&new, FLIP);
	area_check_cpu(&new);
}

static const struct test tests[] = {
	{ "third-pinned", third_pinned, NEED_VRAM, 0 },
	{ "third-pinned-huge", third_pinned_huge, NEED_VRAM | NEED_THP, 0 },
	{ "pinned-again", pinned_again, NEED_VRAM, 0 },
#ifdef MOCKGPU_POPULATE_PARTIAL
	{ "partial-pinned", partial_pinned, NEED_VRAM, 0 },
	{ "partial-kinds", partial_kinds, NEED_VRAM, 0 },
	{ "partial-race", partial_race, NEED_VRAM, 0 },
	{ "torn-huge-partial", torn_huge_partial, NEED_VRAM | NEED_THP, 0 },
#endif
	{ "cpu-fills-hole", cpu_fills_hole, NEED_VRAM | NEED_KNOBS, 0 },
	{ "holes-race", holes_race, NEED_VRAM | NEED_KNOBS, 0 },
	{ "hammered", hammered, NEED_VRAM | NEED_KNOBS, 0 },
	{ "hammered-slowly", hammered_slowly, NEED_VRAM | NEED_KNOBS, 0 },
	{ "torn-huge", torn_huge, NEED_VRAM | NEED_THP, 0 },
	{ "missing-pages", missing_pages, NEED_VRAM | NEED_ROOT, 0 },
	{ "reused-at-once", reused_at_once, NEED_VRAM | NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
