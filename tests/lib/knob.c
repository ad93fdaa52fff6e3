// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "knob.h"

#define DRIVER		"/sys/bus/platform/drivers/mockgpu"
#define MAX_DEVICES	16

/* Shared by all processes; NULL if nobody wants to know. */
static struct news {
	bool gone[MAX_DEVICES];
	long long on_purpose;
} *news;

/* The number of the primary node of the device, which has "card" in its name. */
static unsigned int primary_minor(const struct gpu *gpu)
{
	unsigned int number = gpu->minor;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device/drm", gpu->minor);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		sscanf(entry->d_name, "card%u", &number);
	if (dir)
		closedir(dir);
	return number;
}

/* A driver's files are in the directory of the primary node at least. */
static void knob_path(const struct gpu *gpu, const char *name, char *path, size_t size)
{
	static const char format[] = "/sys/kernel/debug/dri/%u/%s";

	snprintf(path, size, format, gpu->minor, name);
	if (access(path, F_OK))
		snprintf(path, size, format, primary_minor(gpu), name);
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * Each processor has a list of pages that are to be locked or no longer locked (mlock,
 * munlock), with a reference on each. On some kernels (7.3) what is left there stays
 * until that processor has another reason to go through the list. Who wants to compact
 * memory makes all of them do it.
 */
void processors_empty_lists(void)
{
	if (!file_write("/proc/sys/vm/compact_memory", "1"))
		printf("# the lists of all processors were emptied\n");
}

long long errors_of_all(void)
{
	char line[32];

	return *file_line(DRIVER "/device_errors", line, sizeof(line)) ? atoll(line) : -1;
}

bool dma_is_checked(void)
{
	return !access("/sys/kernel/debug/dma-api", F_OK);
}

const char *file_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = 0;

	if (fd >= 0) {
		length = read(fd, line, size - 1);
		close(fd);
	}
	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

unsigned long file_number(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	unsigned long number = 0;
	char line[128];

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)))
			number = strtoul(line + strlen(word), NULL, 10);
	fclose(file);
	return number;
}

char *knob_text(const struct gpu *gpu, const char *name)
{
	char path[128], *text = NULL;
	size_t size = 0;
	FILE *file;

	knob_path(gpu, name, path, sizeof(path));
	file = fopen(path, "r");
	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0 && text)
		*text = '\0';
	fclose(file);
	return text;
}

int knob_write(const struct gpu *gpu, const char *name, const char *text)
{
	char path[128];

	knob_path(gpu, name, path, sizeof(path));
	return file_write(path, text);
}

int knob_set(const struct gpu *gpu, const char *name, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", value);
	return knob_write(gpu, name, text);
}

int knob_get(const struct gpu *gpu, const char *name, uint32_t *value)
{
	char path[128], line[32];

	knob_path(gpu, name, path, sizeof(path));
	if (!*file_line(path, line, sizeof(line)))
		return -ENOENT;
	*value = strtoul(line, NULL, 0);
	return 0;
}

void knobs_off(const struct gpu *gpu)
{
	static const char *const names[] = {
		"fail_populate", "fail_dma_map", "fail_copy", "copy_delay_us", "poison",
		"fail_device_map", "clear_delay_ms", "scatter", "no_clear_op", "hold_page",
		"hold_faults", "hold_copy", "skip_unmap", "skip_flush", "skip_copy", "skip_clear",
		"skip_dma_unmap", "map_writable", "asleep", "vram_loses_power",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		knob_set(gpu, names[i], 0);
}

static int tell_driver(const char *what, unsigned int index)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), DRIVER "/%s", what);
	snprintf(name, sizeof(name), "mockgpu.%u", index);
	return file_write(path, name);
}

void news_begin(void)
{
	void *mem;

	if (news) {
		memset(news, 0, sizeof(*news));
		return;
	}
	mem = mmap(NULL, sizeof(*news), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem != MAP_FAILED)
		news = mem;
}

void device_gone(unsigned int index)
{
	if (news && index < MAX_DEVICES)
		news->gone[index] = true;
}

bool device_was_gone(unsigned int index)
{
	return news && index < MAX_DEVICES && news->gone[index];
}

void errors_on_purpose(long long count)
{
	if (news)
		news->on_purpose += count;
}

long long errors_were_on_purpose(void)
{
	return news ? news->on_purpose : 0;
}

int device_unbind(unsigned int index)
{
	device_gone(index);
	return tell_driver("unbind", index);
}

int device_bind(unsigned int index)
{
	return tell_driver("bind", index);
}
