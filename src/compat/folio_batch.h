/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A batch of folios: the header was called after what there was before folios. */
#ifndef GSB_COMPAT_FOLIO_BATCH_H
#define GSB_COMPAT_FOLIO_BATCH_H

#include "compat/features.h"

#ifdef GSB_HAVE_FOLIO_BATCH_HEADER
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#endif
