// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A process with memory in VRAM, for scripts: it obeys one command a line and
 * answers each with one line. "ok ..." is what one hopes for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gpu.h"
#include "mem.h"

#define FLIP	0x1badb0021badb002ULL

static struct gpu gpu;
static uint32_t vm;
static char *mem;
static size_t size;
static uint64_t flip;
static int pins[2];

static void answer(int ret)
{
	if (!ret)
		puts("ok");
	else
		puts(strerrorname_np(-ret));
}

static void do_open(void)
{
	int ret = gpu_open(&gpu, 0);

	if (!ret)
		ret = gpu_vm_create(&gpu, &vm);
	answer(ret);
}

static void do_populate(void)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = vm, .addr = (uintptr_t)mem, .size = size,
	};
	unsigned int tries;

	answer(gpu_populate_patiently(&gpu, &populate, &tries));
}

static void do_transform(void)
{
	int ret = gpu_xor(&gpu, vm, mem, size, FLIP);

	if (!ret)
		flip ^= FLIP;
	answer(ret);
}

static void do_evict(void)
{
	answer(gpu_evict_vm(&gpu, vm));
}

static void do_close(void)
{
	gpu_close(&gpu);
	answer(0);
}

/* A command that needs nothing but a device. */
static void do_query(void)
{
	uint64_t value;

	answer(gpu_query(&gpu, MOCKGPU_PARAM_TIER, &value));
}

static void do_residency(void)
{
	size_t pages = size / PAGE, count[4] = { };
	uint8_t *map = malloc(pages);
	int ret = map ? gpu_residency(&gpu, vm, mem, size, map) : -ENOMEM;

	for (size_t i = 0; !ret && i < pages; i++)
		count[map[i] % 4]++;
	free(map);
	if (ret)
		answer(ret);
	else
		printf("ok none %zu system %zu device %zu other %zu\n",
		       count[MOCKGPU_PAGE_NONE], count[MOCKGPU_PAGE_SYSTEM],
		       count[MOCKGPU_PAGE_DEVICE], count[MOCKGPU_PAGE_OTHER]);
}

static void do_verify(void)
{
	struct mismatch bad;

	if (pattern_matches(mem, size, 1, flip, &bad))
		answer(0);
	else
		printf("offset %#zx: got %#llx, want %#llx\n", bad.offset,
		       (unsigned long long)bad.got, (unsigned long long)bad.want);
}

/* A page of it lies in a pipe, so it cannot move. */
static void do_pin(void)
{
	struct iovec page = { mem, PAGE };

	answer(pipe(pins) || vmsplice(pins[1], &page, 1, 0) < 0 ? -errno : 0);
}

static void do_unpin(void)
{
	answer(close(pins[0]) || close(pins[1]) ? -errno : 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} commands[] = {
	{ "open", do_open },
	{ "populate", do_populate },
	{ "transform", do_transform },
	{ "evict", do_evict },
	{ "query", do_query },
	{ "residency", do_residency },
	{ "verify", do_verify },
	{ "pin", do_pin },
	{ "unpin", do_unpin },
	{ "close", do_close },
};

static void obey(const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(commands[i].name, line)) {
			commands[i].run();
			return;
		}
	}
	puts("unknown command");
}

int main(int argc, char **argv)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	size = (argc > 1 ? strtoul(argv[1], NULL, 0) : 8) * MIB;
	mem = mem_map(size, 0, MEM_SMALL);
	if (!mem) {
		perror("mmap");
		return 1;
	}
	pattern_fill(mem, size, 1);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "quit"))
			break;
		obey(line);
	}
	return 0;
}
