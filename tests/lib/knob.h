/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Files in sysfs and debugfs that hold one number or one line. */
#ifndef _TESTS_KNOB_H_
#define _TESTS_KNOB_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu.h"

/*
 * The test knobs of a device (module parameter test_knobs). fail_populate,
 * fail_dma_map and fail_copy count operations down: n makes the n-th next fail.
 */
int knob_set(const struct gpu *gpu, const char *name, uint32_t value);
int knob_write(const struct gpu *gpu, const char *name, const char *text);
int knob_get(const struct gpu *gpu, const char *name, uint32_t *value);
/* All of a file of the device in debugfs, to be freed; NULL when it cannot be read. */
char *knob_text(const struct gpu *gpu, const char *name);
/* Switches all of them off. */
void knobs_off(const struct gpu *gpu);

/* The first line of a file without its end; "" when it cannot be read. */
const char *file_line(const char *path, char *line, size_t size);
int file_write(const char *path, const char *text);
/* The number behind a word in a file of such lines. */
unsigned long file_number(const char *path, const char *word);

/* No processor keeps pages on lists of its own, if we may ask for that. */
void processors_empty_lists(void);

/* Whether the kernel looks for mistakes with DMA (CONFIG_DMA_API_DEBUG). */
bool dma_is_checked(void);

/*
 * How often devices caught the driver at a mistake, also those that are gone. Negative
 * where nobody says, as without the driver.
 */
long long errors_of_all(void);

/* Takes the driver from a device and gives it back; 0 or a negative errno. Needs root. */
int device_unbind(unsigned int index);
int device_bind(unsigned int index);

/*
 * News of a test for the harness, from any of its processes: devices that it took away,
 * as device_unbind() says by itself, and mistakes that it made on purpose and that no
 * device is left to forget (file errors).
 */
void news_begin(void);
void device_gone(unsigned int index);
bool device_was_gone(unsigned int index);
void errors_on_purpose(long long count);
long long errors_were_on_purpose(void);

#endif
