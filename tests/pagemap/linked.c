// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Devices use and fetch each other's VRAM over links (module parameter links).
 * Some take a device away, so every test is run by a program of its own.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x2236067977499789ULL
#define HUGE_PAGES	(HUGE_PAGE / PAGE)
#define MOST_DEVICES	3
#define UNBIND_SECONDS	30

/* A range with a VM of each device; what one changes, all know. */
struct team {
	struct gpu gpus[MOST_DEVICES];
	struct area areas[MOST_DEVICES];
	unsigned int count;
	atomic_bool stop;
};

static const char *links_of_devices(char *text, size_t size)
{
	return file_line("/sys/module/mockgpu/parameters/links", text, size);
}

static struct team *team_new(const struct area *area)
{
	struct team *team = calloc(1, sizeof(*team));

	CHECK(team);
	while (team->count < MOST_DEVICES && !gpu_open(&team->gpus[team->count], team->count)) {
		struct area *mine = &team->areas[team->count];

		*mine = *area;
		mine->gpu = &team->gpus[team->count++];
		mine->vm = vm_new(mine->gpu);
	}
	return team;
}

static void team_free(struct team *team)
{
	for (unsigned int i = 0; i < team->count; i++)
		gpu_close(&team->gpus[i]);
	free(team);
}

/* Devices with links to each other, and memory with data for them. */
static struct team *team_linked(const struct gpu *gpu, size_t size, enum mem_thp thp)
{
	struct area area;
	char links[64];

	if (strcmp(links_of_devices(links, sizeof(links)), "all"))
		test_skip("not all devices have links to each other");
	area = area_filled(gpu, size, 0, thp);
	return team_new(&area);
}

static void flip_by(struct team *team, unsigned int who, uint64_t flip)
{
	area_device_flip(&team->areas[who], flip);
	for (unsigned int i = 0; i < team->count; i++)
		team->areas[i].flip = team->areas[who].flip;
}

static void check_all_devices(const struct team *team)
{
	for (unsigned int i = 0; i < team->count; i++)
		area_check_device(&team->areas[i]);
}

static void knob(const struct gpu *gpu, const char *name, uint32_t value)
{
	CHECK_OK(knob_set(gpu, name, value));
}

/* What moves over a link does not pass by system memory. */
static void fetch(struct team *team, unsigned int from, unsigned int to)
{
	const struct gpu *gpu = &team->gpus[from];
	uint64_t home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);
	uint64_t out = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT);

	area_populate(&team->areas[to]);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_OUT), out);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_PEER_PAGES), 0);
	area_check_device(&team->areas[to]);
}

static void round_trip(struct gpu *gpu, enum mem_thp thp)
{
	struct team *team = team_linked(gpu, 4 * MIB, thp);

	area_populate(&team->areas[0]);
	for (unsigned int n = 0; n < 2 * team->count; n++) {
		flip_by(team, n % team->count, FLIP + n);
		fetch(team, n % team->count, (n + 1) % team->count);
	}
	area_check_cpu(&team->areas[0]);
}

static void moved(struct gpu *gpu)
{
	round_trip(gpu, MEM_SMALL);
}

static void moved_huge(struct gpu *gpu)
{
	round_trip(gpu, MEM_HUGE);
}

/* In both devices no page is beside the one it is beside in the process. */
static void moved_scattered(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);

	knob(&team->gpus[0], "scatter", 1);
	area_populate(&team->areas[0]);
	flip_by(team, 0, FLIP);
	fetch(team, 0, 1);
	knob(&team->gpus[0], "scatter", 0);
	fetch(team, 1, 0);
	area_check_cpu(&team->areas[0]);
}

/* Pages are used where they are, by bytes and across their borders. */
static void used(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE + 8 * PAGE, MEM_SMALL);
	uint64_t home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);
	char *bytes, text[] = "over the link";

	area_populate(&team->areas[0]);
	for (unsigned int i = 0; i < team->count; i++)
		flip_by(team, i, FLIP + i);
	check_all_devices(team);
	CHECK_PLACE(&team->areas[0], MOCKGPU_PAGE_DEVICE);
	CHECK_PLACE(&team->areas[1], MOCKGPU_PAGE_OTHER);
	bytes = team->areas[0].mem + 3 * PAGE - 5;
	CHECK_OK(gpu_write(&team->gpus[1], team->areas[1].vm, bytes, sizeof(text), text));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home);
	/* They stay mapped for the next use. */
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_PEER_PAGES),
		 (team->count - 1) * team->areas[0].size / PAGE);
	for (unsigned int i = 1; i < team->count; i++)
		CHECK_OK(gpu_vm_destroy(&team->gpus[i], team->areas[i].vm));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_PEER_PAGES), 0);
	CHECK(!memcmp(bytes, text, sizeof(text)));
}

/* Whatever links there are, and there may be none: only the way is another. */
static void every_pair(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	struct team *team = team_new(&area);

	for (unsigned int n = 0; n < team->count * team->count; n++) {
		unsigned int from = n / team->count, to = n % team->count;

		area_populate(&team->areas[from]);
		flip_by(team, to, FLIP + n);
		area_check_device(&team->areas[from]);
		area_populate(&team->areas[from]);
		area_populate(&team->areas[to]);
		area_check_device(&team->areas[to]);
		flip_by(team, from, FLIP - n);
	}
	area_check_cpu(&team->areas[0]);
}

/* A parent and a child share pages; a linked device writes to the parent's. */
struct child {
	struct area area;
	int told[2];
};

static void check_when_told(void *arg)
{
	struct child *child = arg;
	char byte;

	CHECK_EQ(read(child->told[0], &byte, 1), 1);
	area_check_cpu(&child->area);
}

static void forked(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, MIB, MEM_SMALL);
	struct child child;
	pid_t pid;

	area_populate(&team->areas[0]);
	flip_by(team, 0, FLIP);
	child.area = team->areas[0];
	CHECK_SYS(pipe(child.told));
	pid = test_fork(check_when_told, &child);
	flip_by(team, 1, FLIP + 1);
	CHECK_EQ(write(child.told[1], "", 1), 1);
	test_join(pid);
	check_all_devices(team);
	area_check_cpu(&team->areas[0]);
}

/* What the parent drops while a device fetches all of it, the child still has. */
static void *drop_pages(void *arg)
{
	struct team *team = arg;
	const struct area *area = &team->areas[0];
	uint64_t random = 1;

	while (!atomic_load(&team->stop)) {
		size_t page = random_next(&random) % (area->size / PAGE);

		CHECK_SYS(madvise(area->mem + page * PAGE, PAGE, MADV_DONTNEED));
		for (volatile unsigned int i = random % 20000; i; i--)
			continue;
	}
	return NULL;
}

static void fetch_while_dropped(struct team *team)
{
	struct child child = { .area = team->areas[0] };
	pthread_t thread;
	pid_t pid;
	int ret;

	area_fill(&team->areas[0]);
	area_populate(&team->areas[0]);
	child.area = team->areas[0];
	CHECK_SYS(pipe(child.told));
	pid = test_fork(check_when_told, &child);
	atomic_store(&team->stop, false);
	CHECK(!pthread_create(&thread, NULL, drop_pages, team));
	ret = gpu_populate(team->areas[1].gpu, team->areas[1].vm, team->areas[1].mem,
			   team->areas[1].size);
	CHECK(!ret || ret == -EBUSY);
	atomic_store(&team->stop, true);
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(write(child.told[1], "", 1), 1);
	test_join(pid);
	CHECK_SYS(close(child.told[0]));
	CHECK_SYS(close(child.told[1]));
}

static void dropped_while_fetched(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, 64 * PAGE, MEM_SMALL);
	double end = seconds_now() + 4 * brief_seconds();
	unsigned int rounds = 0;

	for (; seconds_now() < end; rounds++)
		fetch_while_dropped(team);
	printf("# %u rounds\n", rounds);
}

/* The n-th of 512 mappings fails: all pages take the other way. */
static void map_fails(struct gpu *gpu)
{
	static const uint32_t which[] = { 1, 2, 100, HUGE_PAGES };
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	uint64_t home;
	uint32_t left;

	knob(&team->gpus[0], "scatter", 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(which); i++) {
		area_populate(&team->areas[0]);
		flip_by(team, 0, FLIP + i);
		home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);
		knob(&team->gpus[0], "fail_device_map", which[i]);
		area_populate(&team->areas[1]);
		CHECK_OK(knob_get(&team->gpus[0], "fail_device_map", &left));
		CHECK_EQ(left, 0);
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home + HUGE_PAGES);
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_PEER_PAGES), 0);
		area_check_device(&team->areas[1]);
		CHECK_OK(gpu_evict_vm(&team->gpus[1], team->areas[1].vm));
	}
	knob(&team->gpus[0], "scatter", 0);
	area_check_cpu(&team->areas[0]);
}

/* A device that cannot map what it wants to use brings it home. */
static void map_for_use_fails(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, MIB, MEM_SMALL);

	area_populate(&team->areas[0]);
	knob(&team->gpus[0], "fail_device_map", 7);
	flip_by(team, 1, FLIP);
	CHECK(area_pages(&team->areas[0], MOCKGPU_PAGE_SYSTEM));
	check_all_devices(team);
	area_check_cpu(&team->areas[0]);
}

/* The copy over the link stops in the middle, and nothing of it counts. */
static void copy_fails(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	uint32_t left;

	area_populate(&team->areas[0]);
	flip_by(team, 0, FLIP);
	knob(&team->gpus[1], "fail_copy", 200);
	area_populate(&team->areas[1]);
	CHECK_OK(knob_get(&team->gpus[1], "fail_copy", &left));
	CHECK_EQ(left, 0);
	area_check_device(&team->areas[1]);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_check_cpu(&team->areas[1]);
}

/* With both other devices, at home, nowhere, in turn: all of it is fetched. */
static void from_everywhere(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	struct area *area = &team->areas[0], data = *area, part;
	struct mismatch bad;

	for (size_t page = 0; page < HUGE_PAGES / 2; page++) {
		part = area_part(&team->areas[page % 4 % team->count], page * PAGE, PAGE);
		if (page % 4 < 3)
			CHECK_OK(gpu_populate(part.gpu, part.vm, part.mem, PAGE));
	}
	data.gpu = area->gpu;
	data.size /= 2;
	CHECK_SYS(madvise(area->mem + data.size, data.size, MADV_DONTNEED));
	area_populate(&team->areas[team->count - 1]);
	area_check_cpu(&data);
	CHECK_DATA(words_are(area->mem + data.size, data.size, 0, &bad), bad);
	for (unsigned int i = 0; i + 1 < team->count; i++)
		wait_for_counter(&team->gpus[i], MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

static int populate_report(const struct area *area, uint64_t flags,
			   struct drm_mockgpu_populate *populate)
{
	*populate = (struct drm_mockgpu_populate){
		.vm_id = area->vm, .addr = (uintptr_t)area->mem, .size = area->size,
		.flags = flags,
	};
	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_POPULATE, populate);
}

/* For a part of a range there is another way, which must not lose any either. */
static void partial(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	struct drm_mockgpu_populate populate;

	area_populate(&team->areas[0]);
	flip_by(team, 0, FLIP);
	CHECK_OK(populate_report(&team->areas[1], MOCKGPU_POPULATE_PARTIAL, &populate));
	CHECK_EQ(populate.moved, HUGE_PAGES);
	CHECK_EQ(populate.stayed, 0);
	CHECK_PLACE(&team->areas[1], MOCKGPU_PAGE_DEVICE);
	area_check_device(&team->areas[1]);
	area_check_cpu(&team->areas[1]);
}

/* What comes over the link has moved, and was not there before. */
static void reported(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	struct area half = area_part(&team->areas[0], 0, MIB);
	struct drm_mockgpu_populate populate;

	area_populate(&half);
	CHECK_OK(populate_report(&team->areas[1], 0, &populate));
	CHECK_EQ(populate.moved, HUGE_PAGES);
	CHECK_EQ(populate.resident, 0);
	CHECK_EQ(populate.stayed, 0);
	area_check_cpu(&team->areas[1]);
}

/*
 * The last pages of one device and the first of the next have neighbouring
 * addresses where VRAM is memory: what lies across them is two pieces.
 */
static void neighbours(struct gpu *gpu)
{
	struct team *team = team_linked(gpu, 8 * PAGE, MEM_SMALL);
	struct area rest = area_new(gpu, gpu->vram_size - 4 * PAGE, 0, MEM_SMALL);
	struct area last = area_part(&team->areas[0], 0, 4 * PAGE);
	struct area first = area_part(&team->areas[1], 4 * PAGE, 4 * PAGE);

	if (team->count < 3)
		test_skip("needs three devices");
	CHECK_OK(gpu_populate(gpu, rest.vm, rest.mem, rest.size));
	area_populate(&last);
	area_populate(&first);
	CHECK_OK(gpu_evict_vm(gpu, rest.vm));
	fetch(team, 0, 2);
	area_check_cpu(&team->areas[0]);
}

static void unbind_first(void)
{
	double begin = seconds_now();

	CHECK_OK(device_unbind(0));
	if (seconds_now() - begin > UNBIND_SECONDS)
		FAIL("unbind took %.1f s", seconds_now() - begin);
}

static void unbind_when_told(void *arg)
{
	int *told = arg;
	char byte;

	CHECK_EQ(read(told[0], &byte, 1), 1);
	unbind_first();
}

struct attempt {
	const struct area *area;
	int ret;
};

static void *attempt(void *arg)
{
	struct attempt *attempt = arg;
	const struct area *area = attempt->area;

	attempt->ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
	return NULL;
}

static void wait_for_held_copy(const struct gpu *gpu)
{
	double begin = seconds_now();
	uint32_t held = 0;

	while (!held) {
		sleep_ms(2);
		CHECK_OK(knob_get(gpu, "copies_held", &held));
		check_bound("to begin with the copy", begin);
	}
}

/*
 * A device goes while another is in the middle of fetching from it. Who unbinds
 * is there before: a process that moves memory cannot fork, and shares none.
 */
static void unbound_in_copy(struct gpu *gpu)
{
	struct attempt one;
	struct team *team;
	struct crew crew;
	int told[2];
	pid_t pid;

	CHECK_SYS(pipe(told));
	pid = test_fork(unbind_when_told, told);
	team = team_linked(gpu, HUGE_PAGE, MEM_SMALL);
	one.area = &team->areas[1];
	area_populate(&team->areas[0]);
	flip_by(team, 0, FLIP);
	knob(&team->gpus[1], "hold_copy", 1);
	crew_start(&crew, 1, attempt, &one);
	wait_for_held_copy(&team->gpus[1]);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_PEER_PAGES), HUGE_PAGES);
	CHECK_EQ(write(told[1], "", 1), 1);
	sleep_ms(300);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	knob(&team->gpus[1], "hold_copy", 0);
	crew_join(&crew);
	test_join(pid);
	CHECK(!one.ret || one.ret == -EBUSY);
	area_check_device(&team->areas[1]);
	area_check_cpu(&team->areas[1]);
	CHECK_OK(device_bind(0));
}

/* A device goes while others work on its VRAM over their links. */
struct users {
	struct team *team;
	atomic_uint next;
	atomic_bool stop;
	atomic_ulong used;
};

/* Each thread has words of its own in every page, which it counts up. */
static void *use_words(void *arg)
{
	struct users *users = arg;
	unsigned int number = atomic_fetch_add(&users->next, 1);
	const struct area *area = &users->team->areas[1 + number % (users->team->count - 1)];
	size_t pages = area->size / PAGE;
	uint64_t *counts = calloc(pages, sizeof(*counts)), state = number + 1;

	CHECK(counts);
	while (!atomic_load(&users->stop)) {
		size_t page = random_next(&state) % pages;
		uint64_t *slot = (uint64_t *)(area->mem + page * PAGE) + number;
		int ret = gpu_fill(area->gpu, area->vm, slot, 8, counts[page] + 1);

		CHECK(!ret || ret == -EBUSY || ret == -EFAULT);
		counts[page] += !ret;
		atomic_fetch_add(&users->used, !ret);
	}
	for (size_t page = 0; page < pages; page++)
		CHECK_EQ(((uint64_t *)(area->mem + page * PAGE))[number], counts[page]);
	free(counts);
	return NULL;
}

static void use_round(struct gpu *gpu, unsigned int ms)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct users users = { .team = team_new(&area) };
	struct crew crew;
	unsigned long before;

	area_populate(&users.team->areas[0]);
	crew_start(&crew, 4, use_words, &users);
	sleep_ms(ms);
	before = atomic_load(&users.used);
	unbind_first();
	sleep_ms(20);
	atomic_store(&users.stop, true);
	crew_join(&crew);
	CHECK(before);
	team_free(users.team);
	CHECK_SYS(munmap(area.mem, area.size));
	CHECK_OK(device_bind(0));
}

static void unbound_in_use(struct gpu *gpu)
{
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0;
	char links[64];

	if (strcmp(links_of_devices(links, sizeof(links)), "all"))
		test_skip("not all devices have links to each other");
	for (; rounds < 3 || seconds_now() < deadline; rounds++) {
		struct gpu mine;

		CHECK_OK(gpu_open(&mine, gpu->index));
		use_round(&mine, 100 + rounds % 5 * 20);
		gpu_close(&mine);
	}
	printf("# %u rounds\n", rounds);
}

#define NEEDS	(NEED_VRAM | NEED_TWO_DEVICES | NEED_KNOBS | NEED_ROOT)

static const struct test tests[] = {
	{ "moved", moved, NEEDS, 0 },
	{ "moved-huge", moved_huge, NEEDS | NEED_THP, 0 },
	{ "moved-scattered", moved_scattered, NEEDS, 0 },
	{ "used", used, NEEDS, 0 },
	{ "every-pair", every_pair, NEEDS, 0 },
	{ "forked", forked, NEEDS, 0 },
	{ "dropped-while-fetched", dropped_while_fetched, NEEDS, 0 },
	{ "map-fails", map_fails, NEEDS, 0 },
	{ "map-for-use-fails", map_for_use_fails, NEEDS, 0 },
	{ "copy-fails", copy_fails, NEEDS, 0 },
	{ "from-everywhere", from_everywhere, NEEDS, 0 },
	{ "partial", partial, NEEDS, 0 },
	{ "unbound-in-copy", unbound_in_copy, NEEDS, 0 },
	{ "unbound-in-use", unbound_in_use, NEEDS, 300 },
	{ "reported", reported, NEEDS, 0 },
	{ "neighbours", neighbours, NEEDS | NEED_COHERENT, 0 },
};

HARNESS_MAIN(tests)
