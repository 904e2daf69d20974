/* SPDX-License-Identifier: Apache-2.0
 * trim.h - gives back what only the start needed: free heap pages, and this process's mappings of program
 * text. Most of the text that dynamic linking and library initialisation touched is never run again; what is,
 * comes back from the page cache by a soft fault. Other processes and the cache itself are not touched
 * (madvise(2), MADV_DONTNEED on clean pages). */
#ifndef KH_ROLE_TRIM_H
#define KH_ROLE_TRIM_H
void role_trim(void);
#endif
