// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Which kinds of pages may lie in one range, for all that can be asked for. */
#include <linux/string.h>

#include "../../src/gpusvm/policy.c"

#include "suites.h"

#define MIXED		BIT(0)
#define MULTIPLE	BIT(1)
#define DEVMEM_ONLY	BIT(2)
#define ASKED_FOR	8

/*
 * Pages: S in system memory, A and B in memory of two devices. Verdicts, by what is
 * asked for as a number of the bits above: '.' is fine, F is -EFAULT, O is
 * -EOPNOTSUPP.
 */
struct row {
	const char *pages;
	const char *verdicts;
};

static const struct row table[] = {
	{ "", "........" },
	{ "S", "....FFFF" },
	{ "SSS", "....FFFF" },
	{ "A", "........" },
	{ "AAA", "........" },
	{ "SA", "O.O.FFFF" },
	{ "AS", "O.O.FFFF" },
	{ "ASA", "O.O.FFFF" },
	{ "AB", "OO..OO.." },
	{ "BA", "OO..OO.." },
	{ "AAB", "OO..OO.." },
	{ "ABA", "OO..OO.." },
	{ "SAB", "OOO.FFFF" },
	{ "ASB", "OOO.FFFF" },
	{ "ABS", "OOO.FFFF" },
	{ "ABAS", "OOO.FFFF" },
};

static struct drm_pagemap *provider(char page)
{
	/* Never looked into. */
	static char devices[2];

	return (struct drm_pagemap *)&devices[page - 'A'];
}

static struct gsb_mix mix_of(const char *pages)
{
	struct gsb_mix mix = { };

	for (; *pages; pages++) {
		if (*pages == 'S')
			mix.system++;
		else
			gsb_mix_add_device(&mix, provider(*pages), 1);
	}
	return mix;
}

static char verdict(const struct gsb_mix *mix, unsigned int asked_for)
{
	const struct drm_gpusvm_ctx ctx = {
		.allow_mixed = !!(asked_for & MIXED),
		.allow_multiple = !!(asked_for & MULTIPLE),
		.devmem_only = !!(asked_for & DEVMEM_ONLY),
	};

	switch (gsb_mix_check(mix, &ctx)) {
	case 0:
		return '.';
	case -EFAULT:
		return 'F';
	case -EOPNOTSUPP:
		return 'O';
	default:
		return '?';
	}
}

static void verdicts(struct kunit *test)
{
	unsigned int i, asked_for;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct gsb_mix mix = mix_of(table[i].pages);
		char got[ASKED_FOR + 1] = "";

		for (asked_for = 0; asked_for < ASKED_FOR; asked_for++)
			got[asked_for] = verdict(&mix, asked_for);
		KUNIT_EXPECT_STREQ_MSG(test, got, table[i].verdicts,
				       "pages \"%s\"", table[i].pages);
	}
}

static void counts(struct kunit *test)
{
	struct gsb_mix mix = mix_of("SAASBA");

	KUNIT_EXPECT_EQ(test, mix.system, 2UL);
	KUNIT_EXPECT_EQ(test, mix.device, 4UL);
}

static void providers(struct kunit *test)
{
	struct gsb_mix none = mix_of("SS"), one = mix_of("SBBSB"), two = mix_of("BSA");

	KUNIT_EXPECT_PTR_EQ(test, gsb_mix_provider(&none), (struct drm_pagemap *)NULL);
	KUNIT_EXPECT_PTR_EQ(test, gsb_mix_provider(&one), provider('B'));
	KUNIT_EXPECT_PTR_EQ(test, gsb_mix_provider(&two), (struct drm_pagemap *)NULL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(verdicts),
	KUNIT_CASE(counts),
	KUNIT_CASE(providers),
	{ }
};

struct kunit_suite mixing_suite = {
	.name = "gpusvm-mixing",
	.test_cases = cases,
};
