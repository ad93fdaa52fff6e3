// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Runs the rows that were asked for and prints what they took. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define ROUNDS		5
#define ROUNDS_LARGE	3
#define ROUNDS_LARGEST	1
#define PROFILE_ROUNDS	20
#define LARGEST		((size_t)1 << 30)
#define LARGEST_RANGES	((size_t)1000000)

static const size_t sizes[] = { 4 * KIB, 64 * KIB, 2 * MIB, 64 * MIB, LARGEST };
static const unsigned int thread_counts[] = { 1, 2, 4, 8 };
static const size_t range_counts[] = { 1, 1000, 10000, 100000, LARGEST_RANGES };

static const struct target *target = &mock_target;

static struct options {
	const char *label;
	const char *only;
	unsigned int rounds;
	const char *variant;
	bool json;
	bool list;
	bool profile;
	size_t most_bytes;
	size_t most_ranges;
} options = {
	.label = "",
	.most_bytes = 64 * MIB,
	.most_ranges = 10000,
};

static const char *const usage_text =
"usage: gpusvm-bench [OPTION]...\n"
"\n"
"Measures what the SVM module takes for each thing it does, and counts what is\n"
"behind it. Run as root, alone on the machine.\n"
"\n"
"  --json          a JSON object for each row, instead of lines with tabs\n"
"  --hmm           the kernel's HMM test module, instead of the mock GPU\n"
"  --label NAME    first column of each row\n"
"  --only NAME,... only these rows (--list says which there are)\n"
"  --rounds N      the best of so many, instead of 5, of large ones 3; of a profile\n"
"                  the mean of so many, instead of 20\n"
"  --profile       where in the kernel the time goes, instead of measuring\n"
"  --variant NAME  only small, scattered, huge, ranges or threads\n"
"  --size BYTES    nothing larger (64 MiB)\n"
"  --ranges N      no more ranges than that (10000)\n";

static void usage(int status)
{
	fputs(usage_text, status ? stderr : stdout);
	exit(status);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "label", required_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "rounds", required_argument, NULL, 'R' },
		{ "profile", no_argument, NULL, 'p' },
		{ "variant", required_argument, NULL, 'v' },
		{ "size", required_argument, NULL, 's' },
		{ "ranges", required_argument, NULL, 'r' },
		{ "hmm", no_argument, NULL, 'H' },
		{ "list", no_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		switch (option) {
		case 'j': options.json = true; break;
		case 'l': options.label = optarg; break;
		case 'o': options.only = optarg; break;
		case 'R': options.rounds = strtoul(optarg, NULL, 0); break;
		case 'p': options.profile = true; break;
		case 'v': options.variant = optarg; break;
		case 's': options.most_bytes = strtoull(optarg, NULL, 0); break;
		case 'r': options.most_ranges = strtoull(optarg, NULL, 0); break;
		case 'H': target = &hmm_target; break;
		case 'L': options.list = true; break;
		case 'h': usage(0); break;
		default: usage(2);
		}
	}
	if (optind < argc)
		usage(2);
}

static void print_header(void)
{
	if (options.json)
		return;
	printf("#label\trow\tvariant\tbytes\tcalls\ttotal\tentry\tcopy\tcopied\terror");
	for (int i = 0; i < EVENT_COUNT; i++)
		printf("\t%s", count_name(i));
	putchar('\n');
}

/* What cannot be counted is "-", or null. */
static void print_event(const struct result *result, int event)
{
	if (options.json)
		printf(",\"%s\":", count_name(event));
	else
		putchar('\t');
	if (count_has(event))
		printf("%llu", (unsigned long long)result->events[event]);
	else
		fputs(options.json ? "null" : "-", stdout);
}

static unsigned int profile_rounds(void)
{
	return options.rounds ? options.rounds : PROFILE_ROUNDS;
}

static void print_profile(const struct result *result)
{
	char title[200];

	snprintf(title, sizeof(title), "%s %s %s %zu", options.label, result->row->name,
		 result->variant, result->size);
	profile_print(title, profile_rounds());
}

static void print_result(const struct result *result)
{
	const char *error = result->error ? strerrorname_np(-result->error) : "-";
	const char *format = options.json ?
		"{\"label\":\"%s\",\"row\":\"%s\",\"variant\":\"%s\",\"bytes\":%zu,"
		"\"calls\":%lu,\"total\":%llu,\"entry\":%llu,\"copy\":%llu,\"copied\":%llu,"
		"\"error\":\"%s\"" :
		"%s\t%s\t%s\t%zu\t%lu\t%llu\t%llu\t%llu\t%llu\t%s";

	printf(format, options.label, result->row->name, result->variant, result->size,
	       result->calls, (unsigned long long)result->total,
	       (unsigned long long)result->entry, (unsigned long long)result->copy,
	       (unsigned long long)result->copied, error ? error : "?");
	for (int i = 0; i < EVENT_COUNT; i++)
		print_event(result, i);
	puts(options.json ? "}" : "");
	fflush(stdout);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One round. The error of what is measured is a result, one before it is not. */
static int measure_once(struct bench *bench, struct result *result)
{
	uint64_t begin, reading;
	int err = result->row->prepare(bench);

	if (err)
		return err;
	begin = clock_now();
	reading = clock_now() - begin;

	begin = clock_now();
	result->error = result->row->run(bench);
	result->total = least(result->total, clock_now() - begin - reading);
	if (!result->row->entry || result->error)
		return 0;
	begin = clock_now();
	err = result->row->entry(bench);
	result->entry = least(result->entry, clock_now() - begin - reading);
	return err;
}

static int count_once(struct bench *bench, struct result *result)
{
	int err = result->row->prepare(bench);
	uint64_t copied;

	if (err)
		return err;
	copied = target->copied(bench);
	count_start();
	result->row->run(bench);
	count_stop(result->events);
	result->copied = target->copied(bench) - copied;
	result->copy = target->copy_time(result->copied);
	result->calls = bench->calls;
	return 0;
}

static int profile(struct bench *bench, const struct row *row)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < profile_rounds(); i++) {
		err = row->prepare(bench);
		if (err)
			break;
		profile_start();
		row->run(bench);
		profile_stop();
	}
	if (row->finish)
		row->finish(bench);
	return err;
}

static int measure(struct bench *bench, struct result *result)
{
	int err = 0;

	result->total = UINT64_MAX;
	result->entry = UINT64_MAX;
	for (unsigned int i = 0; !err && i < bench->rounds; i++)
		err = measure_once(bench, result);
	if (!err)
		err = count_once(bench, result);
	if (result->entry == UINT64_MAX)
		result->entry = 0;
	if (result->row->finish)
		result->row->finish(bench);
	return err;
}

/*
 * Address space that nothing else may get, and that is a part of no mapping a row
 * makes.
 */
static int reserve(void *mem, size_t size)
{
	return mmap(mem, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		    -1, 0) == MAP_FAILED ? -errno : 0;
}

/* A view of its own, so that no row sees the ranges of another. */
static void run_variant(struct bench *bench, const struct row *row, const char *variant)
{
	struct result result = { .row = row, .variant = variant, .size = bench->size };
	int err;

	if (options.variant && strcmp(options.variant, variant))
		return;
	fprintf(stderr, "# %s %s %s %zu\n", options.label, row->name, variant, bench->size);
	err = target->begin(bench);
	if (!err) {
		err = options.profile ? profile(bench, row) : measure(bench, &result);
		target->end(bench);
	}
	err = err ? err : reserve(bench->mem, bench->size);
	if (err)
		printf("#skip\t%s\t%s\t%s\t%zu\t%s\n", options.label, row->name, variant,
		       bench->size, strerror(-err));
	else if (options.profile)
		print_profile(&result);
	else
		print_result(&result);
}

static void skip(const struct row *row, size_t size, const char *reason)
{
	if (!options.json)
		printf("#skip\t%s\t%s\t-\t%zu\t%s\n", options.label, row->name, size, reason);
}

static const char *why_not(const struct bench *bench, const struct row *row, size_t size)
{
	if (row->needs_vram && !bench->vram_size)
		return "the device has no VRAM";
	if (row->needs_vram && size > bench->vram_size / 2)
		return "it does not fit into VRAM";
	if (size > options.most_bytes)
		return "larger than asked for";
	return NULL;
}

static unsigned int rounds_of(bool large, bool largest)
{
	if (options.rounds)
		return options.rounds;
	if (largest)
		return ROUNDS_LARGEST;
	return large ? ROUNDS_LARGE : ROUNDS;
}

static void run_size(struct bench *bench, const struct row *row, size_t size)
{
	const char *reason = why_not(bench, row, size);

	if (reason) {
		skip(row, size, reason);
		return;
	}
	bench->size = size;
	bench->rounds = rounds_of(size > 2 * MIB, size > 64 * MIB);
	bench->thp = MEM_SMALL;
	bench->scattered = false;
	run_variant(bench, row, "small");
	bench->scattered = true;
	if (size > PAGE)
		run_variant(bench, row, "scattered");
	bench->scattered = false;
	bench->thp = MEM_HUGE;
	if (size >= HUGE_PAGE)
		run_variant(bench, row, "huge");
}

static void run_row(struct bench *bench, const struct row *row)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] >= row->smallest && (!row->largest || sizes[i] <= row->largest))
			run_size(bench, row, sizes[i]);
}

static void run_ranges(struct bench *bench, const struct row *row)
{
	for (size_t i = 0; i < sizeof(range_counts) / sizeof(range_counts[0]); i++) {
		if (range_counts[i] > options.most_ranges) {
			skip(row, range_counts[i], "more ranges than asked for");
			continue;
		}
		bench->size = range_counts[i] * PAGE;
		bench->rounds = rounds_of(true, range_counts[i] >= 100000);
		bench->thp = MEM_SMALL;
		bench->scattered = false;
		run_variant(bench, row, "ranges");
	}
}

static void run_threads(struct bench *bench, const struct row *row)
{
	for (size_t i = 0; i < sizeof(thread_counts) / sizeof(thread_counts[0]); i++) {
		bench->threads = thread_counts[i];
		bench->size = bench->threads * HUGE_PAGE;
		bench->rounds = rounds_of(true, false);
		bench->thp = MEM_SMALL;
		bench->scattered = false;
		run_variant(bench, row, "threads");
	}
}

static void run(struct bench *bench, const struct row *row)
{
	if (row->in_threads && row->needs_vram && !bench->vram_size)
		skip(row, 0, "the device has no VRAM");
	else if (row->in_threads)
		run_threads(bench, row);
	else if (row->in_ranges)
		run_ranges(bench, row);
	else
		run_row(bench, row);
}

/* Whether a name is one of a list with commas. */
static bool is_among(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *pos = list; pos; pos = strchr(pos, ',')) {
		pos += *pos == ',';
		if (!strncmp(pos, name, length) && (!pos[length] || pos[length] == ','))
			return true;
	}
	return false;
}

static void list(void)
{
	for (size_t i = 0; i < target->count; i++)
		puts(target->rows[i].name);
	exit(0);
}

int main(int argc, char **argv)
{
	struct bench bench = {};
	int err;

	parse(argc, argv);
	if (options.list)
		list();
	bench.mem = mem_map(LARGEST_RANGES * PAGE, 0, MEM_SMALL);
	if (!bench.mem || reserve(bench.mem, LARGEST_RANGES * PAGE)) {
		perror("address space");
		return 1;
	}
	err = target->open(&bench);
	if (err) {
		fprintf(stderr, "%s: %s\n", target->name, strerror(-err));
		return 1;
	}
	if (options.profile && !profile_open()) {
		perror("profile");
		return 1;
	}
	count_open();
	printf("#copy\t%s\t%llu\n", copy_kind(), (unsigned long long)copy_time(HUGE_PAGE));
	print_header();
	for (size_t i = 0; i < target->count; i++)
		if (!options.only || is_among(options.only, target->rows[i].name))
			run(&bench, &target->rows[i]);
	target->close(&bench);
	return 0;
}
