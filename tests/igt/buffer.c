// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"

#define POPULATE_ATTEMPTS	5

uint64_t new_value(void)
{
	static _Atomic uint64_t count;

	return pattern_word((uint64_t)getpid() << 20, ++count) | 1;
}

struct buffer buffer_at(const struct gpu *gpu, void *mem, size_t size)
{
	struct buffer buffer = { .gpu = gpu, .mem = mem, .size = size };

	CHECK(mem && mem != MAP_FAILED);
	buffer.vm = vm_new(gpu);
	buffer.shadow = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	CHECK(buffer.shadow != MAP_FAILED);
	return buffer;
}

struct buffer buffer_new(const struct gpu *gpu, size_t size, enum mem_thp thp)
{
	return buffer_at(gpu, mem_map(size, 0, thp), size);
}

struct buffer buffer_filled(const struct gpu *gpu, size_t size, enum mem_thp thp)
{
	struct buffer buffer = buffer_new(gpu, size, thp);

	buffer_cpu_write(&buffer);
	return buffer;
}

struct buffer buffer_as_seen_by(const struct buffer *buffer, const struct gpu *gpu)
{
	struct buffer other = *buffer;

	other.gpu = gpu;
	other.vm = vm_new(gpu);
	return other;
}

struct buffer buffer_part(const struct buffer *buffer, size_t at, size_t size)
{
	struct buffer part = *buffer;

	part.mem += at;
	part.shadow += at;
	part.size = size;
	return part;
}

void buffer_end(struct buffer *buffer)
{
	CHECK_OK(gpu_vm_destroy(buffer->gpu, buffer->vm));
	CHECK_SYS(munmap(buffer->mem, buffer->size));
	CHECK_SYS(munmap(buffer->shadow, buffer->size));
}

void buffer_cpu_write(const struct buffer *buffer)
{
	uint64_t seed = new_value(), word;
	size_t at, left;

	for (at = 0; at < buffer->size; at += sizeof(word)) {
		left = buffer->size - at;
		word = pattern_word(seed, at);
		memcpy(buffer->shadow + at, &word, left < sizeof(word) ? left : sizeof(word));
	}
	memcpy(buffer->mem, buffer->shadow, buffer->size);
}

void buffer_cpu_touch(const struct buffer *buffer)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= buffer->size; at += PAGE) {
		uint64_t word = new_value();

		memcpy(buffer->mem + at, &word, sizeof(word));
		memcpy(buffer->shadow + at, &word, sizeof(word));
	}
}

void buffer_expect_zeros(const struct buffer *buffer)
{
	memset(buffer->shadow, 0, buffer->size);
}

void buffer_dev_write(const struct buffer *buffer, size_t at, size_t size)
{
	uint64_t seed = new_value();

	for (size_t i = 0; i < size; i++)
		buffer->shadow[at + i] = pattern_word(seed, i);
	CHECK_OK(gpu_write(buffer->gpu, buffer->vm, buffer->mem + at, size, buffer->shadow + at));
}

void buffer_dev_xor(const struct buffer *buffer, size_t at, size_t size, uint64_t value)
{
	uint64_t *words = (uint64_t *)(buffer->shadow + at);

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] ^= value;
	CHECK_OK(gpu_xor(buffer->gpu, buffer->vm, buffer->mem + at, size, value));
}

void buffer_dev_fill(const struct buffer *buffer, size_t at, size_t size, uint64_t value)
{
	uint64_t *words = (uint64_t *)(buffer->shadow + at);

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = value;
	CHECK_OK(gpu_fill(buffer->gpu, buffer->vm, buffer->mem + at, size, value));
}

void buffer_dev_denied(const struct buffer *buffer, size_t at, unsigned int op, int error)
{
	uint64_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct drm_mockgpu_access access = {
		.vm_id = buffer->vm, .op = op, .addr = (uintptr_t)buffer->mem + at,
		.size = sizeof(data),
	};

	if (op == MOCKGPU_ACCESS_READ || op == MOCKGPU_ACCESS_WRITE)
		access.data = (uintptr_t)data;
	else
		access.value = 0x6e6f;
	CHECK_RET(gpu_access(buffer->gpu, &access), error);
	CHECK_EQ(access.done, 0);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		CHECK_EQ(data[i], i + 1);
}

void buffer_check_dev(const struct buffer *buffer)
{
	char *copy = malloc(buffer->size);
	size_t at = 0;

	CHECK(copy);
	CHECK_OK(gpu_read(buffer->gpu, buffer->vm, buffer->mem, buffer->size, copy));
	if (memcmp(copy, buffer->shadow, buffer->size)) {
		while (copy[at] == buffer->shadow[at])
			at++;
		FAIL("the device reads %#x, not %#x, at offset %#zx", copy[at] & 0xff,
		     buffer->shadow[at] & 0xff, at);
	}
	free(copy);
}

void buffer_check_cpu(const struct buffer *buffer)
{
	size_t at = 0;

	if (!memcmp(buffer->mem, buffer->shadow, buffer->size))
		return;
	while (at < buffer->size && buffer->mem[at] == buffer->shadow[at])
		at++;
	if (at == buffer->size)
		FAIL("what the CPU reads was wrong for a moment");
	FAIL("the CPU reads %#x, not %#x, at offset %#zx", buffer->mem[at] & 0xff,
	     buffer->shadow[at] & 0xff, at);
}

void buffer_check(const struct buffer *buffer)
{
	buffer_check_dev(buffer);
	buffer_check_cpu(buffer);
}

/* The whole pages of it. */
static void whole_pages(const struct buffer *buffer, uintptr_t *start, size_t *size)
{
	uintptr_t end = ((uintptr_t)buffer->mem + buffer->size) / PAGE * PAGE;

	*start = ((uintptr_t)buffer->mem + PAGE - 1) / PAGE * PAGE;
	CHECK(end > *start);
	*size = end - *start;
}

int buffer_try_populate(const struct buffer *buffer)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = buffer->vm, .flags = MOCKGPU_POPULATE_PARTIAL,
	};
	uintptr_t start;
	size_t size;

	whole_pages(buffer, &start, &size);
	populate.addr = start;
	populate.size = size;
	return gpu_ioctl(buffer->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate);
}

/* What the command says must be so, but pages may have moved on when we look. */
static bool populate_once(const struct buffer *buffer)
{
	struct drm_mockgpu_populate populate = { .vm_id = buffer->vm };
	size_t pages = buffer_pages(buffer, PAGE_ANY), there;
	unsigned int tries;
	uintptr_t start;
	size_t size;

	whole_pages(buffer, &start, &size);
	populate.addr = start;
	populate.size = size;
	CHECK_OK(gpu_populate_patiently(buffer->gpu, &populate, &tries));
	if (populate.moved + populate.resident != pages)
		FAIL("of %zu pages %llu moved, %llu were there, %llu stayed", pages,
		     (unsigned long long)populate.moved, (unsigned long long)populate.resident,
		     (unsigned long long)populate.stayed);
	there = buffer_pages(buffer, MOCKGPU_PAGE_DEVICE);
	if (there != pages)
		printf("# of %zu pages %zu are gone again\n", pages, pages - there);
	return there == pages;
}

void buffer_populate(const struct buffer *buffer)
{
	for (int attempt = 0; attempt < POPULATE_ATTEMPTS; attempt++)
		if (populate_once(buffer))
			return;
	FAIL("pages do not stay in VRAM");
}

void buffer_evict(const struct buffer *buffer)
{
	CHECK_OK(gpu_evict_vm(buffer->gpu, buffer->vm));
	CHECK_EQ(buffer_pages(buffer, MOCKGPU_PAGE_DEVICE), 0);
}

size_t buffer_pages(const struct buffer *buffer, unsigned int kind)
{
	size_t size, count = 0;
	uintptr_t start;
	uint8_t *map;

	whole_pages(buffer, &start, &size);
	if (kind == PAGE_ANY)
		return size / PAGE;
	map = malloc(size / PAGE);
	CHECK(map);
	CHECK_OK(gpu_residency(buffer->gpu, buffer->vm, (void *)start, size, map));
	for (size_t i = 0; i < size / PAGE; i++)
		count += map[i] == kind;
	free(map);
	return count;
}
