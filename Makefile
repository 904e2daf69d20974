# Thin: forwards to meson, for those who type make. The build folder is build/, as ./demo and ./check use it.
B ?= build

all: $(B)/build.ninja
	ninja -C $(B)

$(B)/build.ninja:
	meson setup $(B)

check:
	./check

demo:
	./demo --once

install: all
	meson install -C $(B) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

# Every fuzz target for SECONDS on its own corpus; needs clang.
SECONDS ?= 20
fuzz:
	test -f build-fuzz/build.ninja || CC=clang CXX=clang++ meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
	ninja -C build-fuzz
	set -e; mkdir -p build-fuzz/found; for t in build-fuzz/tests/fuzz/fuzz_*; do \
	  [ -f "$$t" ] && [ -x "$$t" ] || continue; n=$${t##*/fuzz_}; \
	  mkdir -p build-fuzz/found/$$n; echo "== $$n"; \
	  $$t -max_total_time=$(SECONDS) -print_final_stats=1 -artifact_prefix=build-fuzz/found/$$n- \
	    build-fuzz/found/$$n tests/fuzz/corpus/$$n; done

bench: all
	bench/all.sh $(B)

clean:
	rm -rf build build-clang build-fuzz

.PHONY: all check demo install fuzz bench clean
