// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where in the kernel the time of a row goes: the place of every so many nanoseconds,
 * by function. Under scripts/vm --icount those are instructions, and the same run
 * gives the same profile.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* A prime: what goes round and round is not to be met at the same place each time. */
#define PERIOD_NS	10007
#define RING_PAGES	256
#define SHOWN		40

struct symbol {
	uint64_t addr;
	unsigned long samples;
	char name[64];
};

static int fd = -1;
static struct perf_event_mmap_page *ring;
static struct symbol *symbols;
static size_t count;
static unsigned long samples;

static int by_addr(const void *a, const void *b)
{
	const struct symbol *one = a, *other = b;

	return one->addr < other->addr ? -1 : one->addr > other->addr;
}

static int by_samples(const void *a, const void *b)
{
	const struct symbol *one = a, *other = b;

	return one->samples > other->samples ? -1 : one->samples < other->samples;
}

static void add_symbol(const char *line)
{
	struct symbol symbol = {};
	unsigned long long addr;
	char type;

	if (sscanf(line, "%llx %c %63s", &addr, &type, symbol.name) != 3 ||
	    !strchr("tTwW", type))
		return;
	if (count % 4096 == 0)
		symbols = realloc(symbols, (count + 4096) * sizeof(*symbols));
	if (!symbols)
		exit(1);
	symbol.addr = addr;
	symbols[count++] = symbol;
}

static void read_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		add_symbol(line);
	if (file)
		fclose(file);
	qsort(symbols, count, sizeof(*symbols), by_addr);
}

/* The symbol at or below an address. */
static struct symbol *find_symbol(uint64_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}

/* False when the kernel has no such counter. */
bool profile_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_IP,
		.disabled = 1,
		.exclude_user = 1,
	};

	read_symbols();
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		return false;
	ring = mmap(NULL, (1 + RING_PAGES) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return ring != MAP_FAILED;
}

void profile_start(void)
{
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
}

static void take(const struct perf_event_header *header)
{
	struct symbol *symbol;

	if (header->type != PERF_RECORD_SAMPLE)
		return;
	symbol = find_symbol(*(const uint64_t *)(header + 1));
	if (symbol)
		symbol->samples++;
	samples++;
}

/* A sample is 16 bytes, and none crosses the end of the ring. */
void profile_stop(void)
{
	const char *data = (const char *)ring + PAGE;
	uint64_t pos = ring->data_tail, head;

	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	while (pos < head) {
		const struct perf_event_header *header =
			(const void *)(data + pos % (RING_PAGES * PAGE));

		take(header);
		pos += header->size;
	}
	__atomic_store_n(&ring->data_tail, head, __ATOMIC_RELEASE);
}

/* What it was for @rounds rounds, and forgets it. */
void profile_print(const char *title, unsigned int rounds)
{
	struct symbol *sorted = calloc(count, sizeof(*sorted));

	if (!sorted)
		return;
	memcpy(sorted, symbols, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_samples);
	printf("#profile\t%s\t%lu samples of %d ns in %u rounds\n", title, samples, PERIOD_NS,
	       rounds);
	for (size_t i = 0; i < SHOWN && i < count && sorted[i].samples; i++)
		printf("#profile\t%5.1f %%\t%9.0f\t%s\n", 100.0 * sorted[i].samples / samples,
		       (double)sorted[i].samples * PERIOD_NS / rounds, sorted[i].name);
	free(sorted);
	for (size_t i = 0; i < count; i++)
		symbols[i].samples = 0;
	samples = 0;
}
