// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Addresses and arguments that are wrong are refused, and nothing else suffers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kinds.h"
#include "suite.h"

#define SIZE	(16 * PAGE)

/* An address that the device must not reach, with each operation. */
struct address {
	const char *name;
	const char *describe;
	uint64_t (*find)(const struct buffer *buffer);
	/* The command is refused for its arguments. */
	bool invalid;
	/* What the answer is when it is to move; 0 for what is a mapping and may. */
	int nothing;
};

/* Where user space ends: that depends on how many levels page tables have. */
static uint64_t user_top(void)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool five_levels = false;
	char line[4096];

	while (file && !five_levels && fgets(line, sizeof(line), file))
		five_levels = strstr(line, " la57");
	if (file)
		fclose(file);
	return (1ULL << (five_levels ? 56 : 47)) - PAGE;
}

static uint64_t null_page(const struct buffer *buffer)
{
	(void)buffer;
	return 0;
}

static uint64_t before(const struct buffer *buffer)
{
	return (uintptr_t)buffer->mem - 64;
}

static uint64_t behind(const struct buffer *buffer)
{
	return (uintptr_t)buffer->mem + buffer->size;
}

static uint64_t unmapped(const struct buffer *buffer)
{
	void *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)buffer;
	CHECK(mem != MAP_FAILED);
	CHECK_SYS(munmap(mem, SIZE));
	return (uintptr_t)mem;
}

static uint64_t top_of_user(const struct buffer *buffer)
{
	(void)buffer;
	return user_top() - 64;
}

static uint64_t over_the_top(const struct buffer *buffer)
{
	(void)buffer;
	return user_top() - 8;
}

static uint64_t non_canonical(const struct buffer *buffer)
{
	(void)buffer;
	return 1ULL << 60;
}

static uint64_t kernel_half(const struct buffer *buffer)
{
	(void)buffer;
	return 0xffff888000000000ULL;
}

static uint64_t last_word(const struct buffer *buffer)
{
	(void)buffer;
	return -64ULL;
}

static uint64_t beyond_file(const struct buffer *buffer)
{
	int fd = file_temporary(PAGE);
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)buffer;
	CHECK(mem != MAP_FAILED);
	return (uintptr_t)mem + 4 * PAGE;
}

static uint64_t truncated_file(const struct buffer *buffer)
{
	int fd = file_temporary(SIZE);
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(mem != MAP_FAILED);
	CHECK_OK(gpu_fill(buffer->gpu, buffer->vm, mem, SIZE, 5));
	CHECK_SYS(ftruncate(fd, PAGE));
	return (uintptr_t)mem + 4 * PAGE;
}

static uint64_t no_rights(const struct buffer *buffer)
{
	void *mem = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)buffer;
	CHECK(mem != MAP_FAILED);
	return (uintptr_t)mem;
}

/* Not by the stack's own growing, as a CPU access near its end would. */
static uint64_t below_stack(const struct buffer *buffer)
{
	char *mem = mmap(NULL, 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *stack = mem + 3 * MIB;

	(void)buffer;
	CHECK(mem != MAP_FAILED);
	CHECK_SYS(munmap(mem, 4 * MIB));
	CHECK(mmap(stack, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_GROWSDOWN | MAP_FIXED, -1, 0) == stack);
	return (uintptr_t)stack - 2 * MIB;
}

static const struct address addresses[] = {
	{ "null", "the null page", null_page, false, -ENOENT },
	{ "before", "what is before a mapping", before, false, 0 },
	{ "behind", "what is behind a mapping", behind, false, 0 },
	{ "unmapped", "what was mapped once", unmapped, false, -ENOENT },
	{ "top-of-user", "the end of user space", top_of_user, false, -ENOENT },
	{ "over-the-top", "past the end of user space", over_the_top, true, -ENOENT },
	{ "non-canonical", "what is no address", non_canonical, true, 0 },
	{ "kernel-half", "the kernel's memory", kernel_half, true, 0 },
	{ "last-word", "the last bytes there are", last_word, true, 0 },
	{ "beyond-file", "behind the end of a file", beyond_file, false, -EBUSY },
	{ "truncated-file", "what a file has lost", truncated_file, false, -EBUSY },
	{ "no-rights", "memory without any rights", no_rights, false, 0 },
	{ "below-stack", "far below a stack", below_stack, false, -ENOENT },
};

static int try_op(const struct buffer *buffer, uint64_t address, unsigned int op)
{
	char data[64] = "";
	struct drm_mockgpu_access access = {
		.vm_id = buffer->vm, .op = op, .addr = address, .size = sizeof(data),
	};
	int ret;

	if (op == MOCKGPU_ACCESS_READ || op == MOCKGPU_ACCESS_WRITE)
		access.data = (uintptr_t)data;
	ret = gpu_access(buffer->gpu, &access);
	CHECK_EQ(access.done, 0);
	return ret;
}

static void refused(struct gpu *gpu, const void *arg)
{
	const struct address *address = arg;
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	uint64_t at = address->find(&buffer);

	for (unsigned int op = MOCKGPU_ACCESS_READ; op <= MOCKGPU_ACCESS_XOR; op++) {
		CHECK_RET(try_op(&buffer, at, op), address->invalid ? -EINVAL : -EFAULT);
		/* What is right still works. */
		buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	}
	buffer_check(&buffer);
}

static void populate_refused(struct gpu *gpu, const void *arg)
{
	const struct address *address = arg;
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct drm_mockgpu_populate populate = { .vm_id = buffer.vm, .size = PAGE };
	int ret;

	populate.addr = address->find(&buffer) & ~(PAGE - 1);
	ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate);
	CHECK_RET(ret, populate.addr >= user_top() ? -EINVAL : address->nothing);
	CHECK_EQ(populate.moved, 0);
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

struct argument {
	const char *name;
	const char *describe;
	int error;
	void (*spoil)(struct drm_mockgpu_access *access);
};

static void size_zero(struct drm_mockgpu_access *access)
{
	access->size = 0;
}

static void size_huge(struct drm_mockgpu_access *access)
{
	access->size = -1ULL;
}

static void size_wraps(struct drm_mockgpu_access *access)
{
	access->size = -access->addr;
}

static void size_odd(struct drm_mockgpu_access *access)
{
	access->size = 12;
}

static void address_odd(struct drm_mockgpu_access *access)
{
	access->addr += 4;
}

static void operation_unknown(struct drm_mockgpu_access *access)
{
	access->op = 1000;
}

static void operation_minus_one(struct drm_mockgpu_access *access)
{
	access->op = -1;
}

static void flags_unknown(struct drm_mockgpu_access *access)
{
	access->flags = 1ULL << 63;
}

static void data_and_fill(struct drm_mockgpu_access *access)
{
	access->data = access->addr;
}

static void value_and_read(struct drm_mockgpu_access *access)
{
	access->op = MOCKGPU_ACCESS_READ;
	access->data = access->addr;
	access->value = 1;
}

static void vm_zero(struct drm_mockgpu_access *access)
{
	access->vm_id = 0;
}

static void vm_unknown(struct drm_mockgpu_access *access)
{
	access->vm_id = -1;
}

static void data_null(struct drm_mockgpu_access *access)
{
	access->op = MOCKGPU_ACCESS_WRITE;
	access->value = 0;
	access->data = 0;
}

static void data_kernel(struct drm_mockgpu_access *access)
{
	access->op = MOCKGPU_ACCESS_READ;
	access->value = 0;
	access->data = 0xffff888000000000ULL;
}

static const struct argument arguments[] = {
	{ "size-zero", "no size", -EINVAL, size_zero },
	{ "size-huge", "the largest size", -EINVAL, size_huge },
	{ "size-wraps", "a size up to where addresses wrap", -EINVAL, size_wraps },
	{ "size-odd", "a size of half words", -EINVAL, size_odd },
	{ "address-odd", "half a word's address", -EINVAL, address_odd },
	{ "operation-unknown", "an unknown operation", -EINVAL, operation_unknown },
	{ "operation-minus-one", "operation -1", -EINVAL, operation_minus_one },
	{ "flags-unknown", "an unknown flag", -EINVAL, flags_unknown },
	{ "data-and-fill", "data for what takes none", -EINVAL, data_and_fill },
	{ "value-and-read", "a value for what takes none", -EINVAL, value_and_read },
	{ "vm-zero", "VM 0", -ENOENT, vm_zero },
	{ "vm-unknown", "a VM that is not there", -ENOENT, vm_unknown },
	{ "data-null", "data at address 0", -EFAULT, data_null },
	{ "data-kernel", "data in the kernel's memory", -EFAULT, data_kernel },
};

static void argument_refused(struct gpu *gpu, const void *arg)
{
	const struct argument *argument = arg;
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct drm_mockgpu_access access = {
		.vm_id = buffer.vm, .op = MOCKGPU_ACCESS_FILL, .addr = (uintptr_t)buffer.mem,
		.size = PAGE, .value = 7,
	};

	argument->spoil(&access);
	/* VM numbers begin with 1. */
	CHECK_RET(gpu_access(gpu, &access), argument->error);
	CHECK_EQ(access.done, 0);
	buffer_check(&buffer);
}

static void hole_in_the_middle(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct buffer first = buffer_part(&buffer, 0, 8 * PAGE);
	struct drm_mockgpu_access access = {
		.vm_id = buffer.vm, .op = MOCKGPU_ACCESS_XOR, .addr = (uintptr_t)buffer.mem,
		.size = SIZE, .value = 3,
	};

	(void)arg;
	CHECK_SYS(munmap(buffer.mem + 8 * PAGE, PAGE));
	CHECK_RET(gpu_access(gpu, &access), -EFAULT);
	CHECK_EQ(access.done, 8 * PAGE);
	for (size_t i = 0; i < first.size / 8; i++)
		((uint64_t *)first.shadow)[i] ^= 3;
	buffer_check(&first);
}

static void populate_hole(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct buffer first = buffer_part(&buffer, 0, 8 * PAGE);
	struct buffer last = buffer_part(&buffer, 9 * PAGE, SIZE - 9 * PAGE);

	(void)arg;
	CHECK_SYS(munmap(buffer.mem + 8 * PAGE, PAGE));
	CHECK_RET(gpu_populate(gpu, buffer.vm, buffer.mem, SIZE), -ENOENT);
	buffer_check(&first);
	buffer_check(&last);
	buffer_populate(&first);
	buffer_populate(&last);
	buffer_check(&first);
	buffer_check(&last);
}

static void vm_destroyed(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	buffer_dev_xor(&buffer, 0, SIZE, 1);
	CHECK_OK(gpu_vm_destroy(gpu, buffer.vm));
	CHECK_RET(gpu_fill(gpu, buffer.vm, buffer.mem, SIZE, 1), -ENOENT);
	CHECK_RET(gpu_populate(gpu, buffer.vm, buffer.mem, SIZE), -ENOENT);
	CHECK_RET(gpu_evict_vm(gpu, buffer.vm), -ENOENT);
	CHECK_RET(gpu_vm_destroy(gpu, buffer.vm), -ENOENT);
	buffer_check_cpu(&buffer);
}

static void vm_of_other_file(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct gpu other;

	(void)arg;
	CHECK_OK(gpu_open(&other, gpu->index));
	CHECK_RET(gpu_fill(&other, buffer.vm, buffer.mem, SIZE, 1), -ENOENT);
	CHECK_RET(gpu_vm_destroy(&other, buffer.vm), -ENOENT);
	buffer_check(&buffer);
}

static void use_of_child(void *arg)
{
	const struct buffer *buffer = arg;

	CHECK_RET(gpu_fill(buffer->gpu, buffer->vm, buffer->mem, SIZE, 1), -EPERM);
	CHECK_RET(gpu_populate(buffer->gpu, buffer->vm, buffer->mem, SIZE), -EPERM);
	CHECK_RET(gpu_evict_vm(buffer->gpu, buffer->vm), -EPERM);
	buffer_check_cpu(buffer);
}

static void vm_of_other_process(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	buffer_dev_xor(&buffer, 0, SIZE, 9);
	test_join(test_fork(use_of_child, &buffer));
	buffer_check(&buffer);
}

/* The buffer of the command is itself where the device works. */
static void data_in_range(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	if (gpu_has_vram(gpu))
		buffer_populate(&buffer);
	memcpy(buffer.shadow, buffer.shadow + 4 * PAGE, 4 * PAGE);
	CHECK_OK(gpu_write(gpu, buffer.vm, buffer.mem, 4 * PAGE, buffer.mem + 4 * PAGE));
	buffer_check_dev(&buffer);
	CHECK_OK(gpu_read(gpu, buffer.vm, buffer.mem, SIZE, buffer.mem));
	buffer_check(&buffer);
}

static void data_read_only(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	char *to = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct drm_mockgpu_access access = {
		.vm_id = buffer.vm, .op = MOCKGPU_ACCESS_READ, .addr = (uintptr_t)buffer.mem,
		.size = SIZE, .data = (uintptr_t)to,
	};

	(void)arg;
	CHECK_RET(gpu_access(gpu, &access), -EFAULT);
	CHECK_EQ(access.done, 0);
	buffer_check(&buffer);
}

static const struct single others[] = {
	{ "hole-in-the-middle", "An access ends at a hole and says how far it came",
	  hole_in_the_middle, 0 },
	{ "populate-hole", "A hole in what is to move is told, and the rest can move",
	  populate_hole, NEED_VRAM },
	{ "vm-destroyed", "A VM that was destroyed answers no more", vm_destroyed, 0 },
	{ "vm-of-other-file", "A VM belongs to the file that made it", vm_of_other_file, 0 },
	{ "vm-of-other-process", "A VM belongs to the process that made it",
	  vm_of_other_process, 0 },
	{ "data-in-range", "A command's data lies in the memory that it works on",
	  data_in_range, 0 },
	{ "data-read-only", "A command's result has nowhere to go", data_read_only, 0 },
};

static void subtests(void)
{
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		snprintf(describe, sizeof(describe), "The device is not let to %s",
			 addresses[i].describe);
		subtest(describe, 0, refused, &addresses[i], "address-%s", addresses[i].name);
		if (!addresses[i].nothing && !addresses[i].invalid)
			continue;
		snprintf(describe, sizeof(describe), "There is nothing to move at %s",
			 addresses[i].describe);
		subtest(describe, NEED_VRAM, populate_refused, &addresses[i], "populate-%s",
			addresses[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		snprintf(describe, sizeof(describe), "A command with %s is refused",
			 arguments[i].describe);
		subtest(describe, 0, argument_refused, &arguments[i], "argument-%s",
			arguments[i].name);
	}
	singles(others, ARRAY_SIZE(others));
}

SUITE("Wrong addresses and arguments", subtests)
