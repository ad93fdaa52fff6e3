// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The links between devices, from the text of the module parameter.
 */
#include <linux/bits.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "links.h"

/* Reads one device number and moves *@text behind it. */
static int mockgpu_links_device(const char **text, unsigned int devices,
				unsigned int *device)
{
	const char *pos = *text;

	if (!isdigit(*pos))
		return -EINVAL;

	for (*device = 0; isdigit(*pos); pos++) {
		*device = *device * 10 + (*pos - '0');
		if (*device >= devices)
			return -EINVAL;
	}

	*text = pos;
	return 0;
}

/* Reads "A-B" and moves *@text behind it. */
static int mockgpu_links_pair(const char **text, unsigned int devices,
			      u32 *links)
{
	unsigned int one, other;

	if (mockgpu_links_device(text, devices, &one) || *(*text)++ != '-' ||
	    mockgpu_links_device(text, devices, &other) || one == other)
		return -EINVAL;

	links[one] |= BIT(other);
	links[other] |= BIT(one);
	return 0;
}

static void mockgpu_links_all(unsigned int devices, u32 *links)
{
	unsigned int i;

	for (i = 0; i < devices; i++)
		links[i] = (BIT(devices) - 1) & ~BIT(i);
}

/**
 * mockgpu_links_parse() - read which devices have links
 * @text: "none", "all" or "A-B,C-D..."
 * @devices: how many devices there are
 * @links: zeroed; bit n of entry m is set when m and n have one
 *
 * Context: Any.
 * Return: 0 or -EINVAL.
 */
int mockgpu_links_parse(const char *text, unsigned int devices, u32 *links)
{
	int ret;

	if (sysfs_streq(text, "none"))
		return 0;
	if (sysfs_streq(text, "all")) {
		mockgpu_links_all(devices, links);
		return 0;
	}

	for (;;) {
		ret = mockgpu_links_pair(&text, devices, links);
		if (ret || sysfs_streq(text, ""))
			return ret;
		if (*text++ != ',')
			return -EINVAL;
	}
}
