/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_ANON_VMA_H
#define GSB_COMPAT_ANON_VMA_H

struct anon_vma;
struct folio;

struct anon_vma *gsb_anon_vma_get(struct folio *folio);
bool gsb_anon_vma_leads_to(const struct anon_vma *anon, struct folio *folio);
bool gsb_anon_vma_was(const struct anon_vma *anon, struct folio *folio);
struct anon_vma *gsb_anon_vma_get_again(struct folio *folio,
					struct anon_vma *instead);
void gsb_anon_vma_put(struct anon_vma *anon);

#endif
