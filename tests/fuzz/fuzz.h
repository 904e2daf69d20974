/* SPDX-License-Identifier: Apache-2.0
 * fuzz.h - what every fuzz target gives: libFuzzer calls it, and replay.c does with the files of a corpus. */
#ifndef KH_TESTS_FUZZ_FUZZ_H
#define KH_TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test; stays on in every build. */
#define FUZZ_HOLDS(what)                                                                                     \
	do {                                                                                                     \
		if (!(what)) __builtin_trap();                                                                       \
	} while (0)
#endif
