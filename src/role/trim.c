/* SPDX-License-Identifier: Apache-2.0 */
#include "role/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Executable segments are never written (W^X, no text relocations), so that dropping their pages loses
 * nothing. */
static int drop_text(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || (p->p_flags & (PF_X | PF_W)) != PF_X) continue;
		uintptr_t from = ((uintptr_t)info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t to = ((uintptr_t)info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);
		if (info->dlpi_addr != 0 && to > from) madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void role_trim(void)
{
	malloc_trim(0);
	dl_iterate_phdr(drop_text, NULL);
}
