// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a device may do where a process has something mapped. */
#include <linux/mm.h>

/* Not every kernel has shadow stacks, and any bit will do. */
#undef VM_SHADOW_STACK
#define VM_SHADOW_STACK	BIT(37)

#include "gpusvm/vma.h"

#include "suites.h"

static struct vm_area_struct mapping_of(vm_flags_t flags)
{
	struct vm_area_struct vma = {};

	/* Newer kernels let nobody write to it. */
	memcpy((void *)&vma.vm_flags, &flags, sizeof(flags));
	return vma;
}

static void expect_access(struct kunit *test, vm_flags_t flags, bool reads,
			  bool writes)
{
	struct vm_area_struct vma = mapping_of(flags);

	KUNIT_EXPECT_EQ(test, gsb_vma_allows(&vma, false), reads);
	KUNIT_EXPECT_EQ(test, gsb_vma_allows(&vma, true), writes);
}

static void mappings_plain(struct kunit *test)
{
	expect_access(test, VM_NONE, false, false);
	expect_access(test, VM_READ, true, false);
	expect_access(test, VM_WRITE, false, false);
	expect_access(test, VM_READ | VM_EXEC, true, false);
	expect_access(test, VM_READ | VM_WRITE, true, true);
}

static void mappings_shadow_stack(struct kunit *test)
{
	expect_access(test, VM_SHADOW_STACK | VM_READ | VM_WRITE, true, false);
}

static void mappings_of_devices(struct kunit *test)
{
	static const vm_flags_t bits[] = { VM_NONE, VM_IO, VM_PFNMAP };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		struct vm_area_struct vma = mapping_of(VM_READ | bits[i]);

		KUNIT_EXPECT_EQ(test, gsb_vma_is_device(&vma), !!i);
	}
}

static struct kunit_case mappings_cases[] = {
	KUNIT_CASE(mappings_plain),
	KUNIT_CASE(mappings_shadow_stack),
	KUNIT_CASE(mappings_of_devices),
	{}
};

struct kunit_suite mappings_suite = {
	.name = "gpusvm-mappings",
	.test_cases = mappings_cases,
};
