// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Shows on one screen how memory of a process moves into VRAM and back.
 *
 * Exit status: 0 all was right, 1 something was wrong, 2 could not be shown.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"
#include "mem.h"

#define CELLS		64
#define SEED		42
#define FLIP		0xa5a5a5a5a5a5a5a5ULL

static struct gpu gpu;
static uint32_t vm;
static char *mem;
static size_t size = 64 * MIB;
/* The part that the program writes to; it leaves the rest untouched. */
static size_t written;
static bool colour;
static uint64_t before[MOCKGPU_COUNTER_COUNT];

static _Noreturn void finish(int status, const char *label, const char *format, va_list args)
{
	fflush(stdout);
	printf("%s%s%s", colour ? "\033[1;31m" : "", label, colour ? "\033[0m" : "");
	vprintf(format, args);
	putchar('\n');
	exit(status);
}

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finish(1, "FAIL: ", format, args);
}

static _Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	finish(2, "No demo: ", format, args);
}

static void must(int ret, const char *what)
{
	if (ret)
		fail("%s: %s", what, strerror(-ret));
}

/* "64 MiB", "3.5 MiB", "12 KiB", "0" */
static const char *human(uint64_t bytes)
{
	static char texts[4][32];
	static unsigned int turn;
	char *text = texts[turn++ % 4];

	if (bytes >= MIB)
		snprintf(text, sizeof(texts[0]), "%.4g MiB", (double)bytes / MIB);
	else if (bytes >= KIB)
		snprintf(text, sizeof(texts[0]), "%.4g KiB", (double)bytes / KIB);
	else
		snprintf(text, sizeof(texts[0]), "%llu", (unsigned long long)bytes);
	return text;
}

/* How a kind of page, or a cell of several kinds, is drawn. */
static const struct look {
	char symbol;
	const char *colour, *name;
} looks[] = {
	[MOCKGPU_PAGE_NONE] = { '.', "\033[2m", "not populated" },
	[MOCKGPU_PAGE_SYSTEM] = { 's', "\033[30;42m", "system memory" },
	[MOCKGPU_PAGE_DEVICE] = { 'D', "\033[97;45m", "VRAM of the device" },
	[MOCKGPU_PAGE_OTHER] = { '?', "\033[30;41m", "another device" },
	{ '+', "\033[30;43m", "some of each" },
};

#define LOOK_MIXED	4

static void draw(unsigned int look)
{
	if (colour)
		printf("%s%c\033[0m", looks[look].colour, looks[look].symbol);
	else
		putchar(looks[look].symbol);
}

static void draw_legend(void)
{
	static const unsigned int shown[] = {
		MOCKGPU_PAGE_NONE, MOCKGPU_PAGE_SYSTEM, MOCKGPU_PAGE_DEVICE, LOOK_MIXED,
	};

	printf("  Each cell is %s:", human(size / CELLS));
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		printf("  ");
		draw(shown[i]);
		printf(" %s", looks[shown[i]].name);
	}
	puts("");
}

static unsigned int look_of(const uint8_t *pages, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (pages[i] != pages[0])
			return LOOK_MIXED;
	return pages[0] < LOOK_MIXED ? pages[0] : LOOK_MIXED;
}

/* The map, and how much is in VRAM. */
static size_t draw_map(void)
{
	size_t pages = size / PAGE, each = pages / CELLS, in_vram = 0;
	uint8_t *map = malloc(pages);

	if (!map)
		fail("out of memory");
	must(gpu_residency(&gpu, vm, mem, size, map), "looking where the pages are");
	printf("  [");
	for (size_t cell = 0; cell < CELLS; cell++)
		draw(look_of(map + cell * each, each));
	for (size_t i = 0; i < pages; i++)
		in_vram += map[i] == MOCKGPU_PAGE_DEVICE;
	printf("] %s in VRAM\n", human(in_vram * PAGE));
	free(map);
	return in_vram;
}

static void caption(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void caption(const char *format, ...)
{
	static unsigned int number;
	va_list args;

	printf("%s%u. ", colour ? "\033[1m" : "", ++number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts(colour ? "\033[0m" : "");
}

/* Untouched memory reads zero, the rest has the pattern; the device flips both. */
static void verify(const char *data, size_t from, size_t to, uint64_t flip, const char *who)
{
	const uint64_t *words = (const uint64_t *)data;

	for (size_t i = from / 8; i < to / 8; i++) {
		uint64_t want = (i < written / 8 ? pattern_word(SEED, i) : 0) ^ flip;

		if (words[i] != want)
			fail("%s finds %#llx at offset %#zx, it should be %#llx", who,
			     (unsigned long long)words[i], i * 8, (unsigned long long)want);
	}
}

static void verify_through_device(void)
{
	char *copy = malloc(size);

	if (!copy)
		fail("out of memory");
	must(gpu_read(&gpu, vm, mem, size, copy), "reading through the device");
	verify(copy, 0, size, FLIP, "the device");
	free(copy);
}

static const char *tier_meaning(void)
{
	if (gpu.tier == MOCKGPU_TIER_PRIVATE)
		return "the CPU cannot touch its VRAM";
	return "the CPU can touch its VRAM";
}

static void open_device(unsigned int index)
{
	int ret = gpu_open(&gpu, index);

	if (ret == -EACCES)
		give_up("no permission for the device: be root or in the group render");
	if (ret)
		give_up("no mockgpu device %u: run 'modprobe mockgpu' first", index);
	if (!gpu_has_vram(&gpu))
		give_up("the device has no VRAM (system tier). For VRAM, use a kernel with CONFIG_DEVICE_PRIVATE\nor reserve memory at boot (memmap=512M$0x100000000), then reload mockgpu.");
	if (size > gpu.vram_size)
		give_up("%s do not fit into %s of VRAM: use --size", human(size), human(gpu.vram_size));
	must(gpu_vm_create(&gpu, &vm), "creating a VM");
	must(gpu_counters(&gpu, before), "reading the counters");
}

static void show_start(void)
{
	mem = mem_map(size, 0, MEM_SMALL);
	if (!mem)
		fail("no memory of %s", human(size));
	written = size / 8 * 7;
	printf("Mock GPU %u: %s tier (%s), %s of VRAM.\n\n", gpu.index, gpu_tier_name(gpu.tier),
	       tier_meaning(), human(gpu.vram_size));
	caption("A process gets %s of memory and writes to the first %s.", human(size),
		human(written));
	draw_legend();
	pattern_fill(mem, written, SEED);
	if (draw_map())
		fail("new memory is in VRAM already");
}

static void show_populate(void)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = vm, .addr = (uintptr_t)mem, .size = size,
	};
	double start = seconds_now();
	unsigned int tries;

	must(gpu_populate_patiently(&gpu, &populate, &tries), "moving memory into VRAM");
	caption("Populate: all of it moves into VRAM, holes are cleared (%.2f s).",
		seconds_now() - start);
	if (draw_map() != size / PAGE)
		fail("not all pages are in VRAM");
}

static void show_transform(void)
{
	must(gpu_xor(&gpu, vm, mem, size, FLIP), "computing on the device");
	caption("Compute: the device changes every word, where it is.");
	if (draw_map() != size / PAGE)
		fail("pages left VRAM when the device used them");
	verify_through_device();
}

/* Huge pages come home whole. */
static size_t quarter(void)
{
	size_t part = (size / 4 + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

	return part < size ? part : size;
}

static void show_touch(void)
{
	size_t touched = quarter(), in_vram;

	verify(mem, 0, touched, FLIP, "the CPU");
	if (gpu.tier == MOCKGPU_TIER_PRIVATE)
		caption("The CPU reads the first %s: it faults, and they come home.", human(touched));
	else
		caption("The CPU reads the first %s in place: nothing has to move.", human(touched));
	in_vram = draw_map();
	if (in_vram != (gpu.tier == MOCKGPU_TIER_PRIVATE ? size - touched : size) / PAGE)
		fail("pages are not where they should be");
}

static void show_evict(void)
{
	must(gpu_evict_vm(&gpu, vm), "evicting");
	caption("Evict: the rest comes home; every byte is verified.");
	if (draw_map())
		fail("pages stayed in VRAM");
	verify(mem, 0, size, FLIP, "the CPU");
}

static void show_moves(const uint64_t now[])
{
	uint64_t change[MOCKGPU_COUNTER_COUNT];

	for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		change[i] = now[i] - before[i];
	printf("  to device %llu pages (%llu of them cleared), to RAM %llu pages, CPU faults %llu\n",
	       (unsigned long long)change[MOCKGPU_COUNTER_PAGES_TO_DEVICE],
	       (unsigned long long)change[MOCKGPU_COUNTER_PAGES_CLEARED],
	       (unsigned long long)change[MOCKGPU_COUNTER_PAGES_TO_RAM],
	       (unsigned long long)change[MOCKGPU_COUNTER_CPU_FAULTS]);
	printf("  copied in %s, copied out %s, device accessed %s, wrong accesses %llu\n",
	       human(change[MOCKGPU_COUNTER_BYTES_COPIED_IN]),
	       human(change[MOCKGPU_COUNTER_BYTES_COPIED_OUT]),
	       human(change[MOCKGPU_COUNTER_BYTES_ACCESSED]),
	       (unsigned long long)change[MOCKGPU_COUNTER_DEVICE_ERRORS]);
	if (change[MOCKGPU_COUNTER_DEVICE_ERRORS])
		fail("the device caught wrong accesses");
	if (change[MOCKGPU_COUNTER_PAGES_TO_DEVICE] != size / PAGE ||
	    change[MOCKGPU_COUNTER_PAGES_TO_RAM] != size / PAGE)
		fail("not as many pages moved as there are");
}

static uint64_t live_objects(uint64_t now[])
{
	uint64_t live = 0;

	must(gpu_counters(&gpu, now), "reading the counters");
	for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		live += gpu_counter_is_live(i) ? now[i] : 0;
	return live;
}

static void show_end(void)
{
	uint64_t now[MOCKGPU_COUNTER_COUNT];
	double deadline = seconds_now() + 5;

	munmap(mem, size);
	must(gpu_vm_destroy(&gpu, vm), "destroying the VM");
	/* Workers release what nobody uses any more. */
	while (live_objects(now) && seconds_now() < deadline)
		sleep_ms(5);
	caption("The memory is given back. What happened, and what is left alive:");
	show_moves(now);
	printf(" ");
	for (int i = 0, n = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		if (gpu_counter_is_live(i))
			printf("%s %s %llu", n++ ? "," : "", gpu_counter_name(i) + strlen("live "),
			       (unsigned long long)now[i]);
	printf("\n");
	if (live_objects(now))
		fail("something is left alive");
}

static _Noreturn void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: demo [--size MIB] [--device N] [--color | --plain]\n");
	exit(status);
}

/* A number of MiB that gives whole pages to each cell. */
static size_t parse_size(const char *text)
{
	char *end;
	unsigned long mib = strtoul(text, &end, 10);

	if (*end || !mib || mib > 65536)
		usage(2);
	return mib * MIB;
}

static unsigned int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "device", required_argument, NULL, 'd' },
		{ "color", no_argument, NULL, 'c' },
		{ "plain", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	unsigned int index = 0;
	int option;

	colour = isatty(STDOUT_FILENO);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's': size = parse_size(optarg); break;
		case 'd': index = strtoul(optarg, NULL, 0); break;
		case 'c': colour = true; break;
		case 'p': colour = false; break;
		case 'h': usage(0);
		default: usage(2);
		}
	}
	if (optind < argc)
		usage(2);
	return index;
}

int main(int argc, char **argv)
{
	unsigned int index = parse(argc, argv);

	setvbuf(stdout, NULL, _IOLBF, 0);
	open_device(index);
	show_start();
	show_populate();
	show_transform();
	show_touch();
	show_evict();
	show_end();
	printf("\n%sPASS%s\n", colour ? "\033[1;32m" : "", colour ? "\033[0m" : "");
	return 0;
}
