# SPDX-License-Identifier: MIT
# Thin wrappers over CMake presets. `make` builds, `make test` checks everything; each installs what it
# misses first (tools/setup).

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
SOAK_MINUTES ?= 10

.DEFAULT_GOAL := all
.PHONY: all setup test check model soak bench demo install docs format tidy clean

all: setup build/release/build.ninja
	cmake --build build/release -j $(JOBS)

setup:
	@tools/setup

build/release/build.ninja: | setup
	cmake --preset release

# gcc and clang, sanitizers, ucontext, aarch64 under qemu, layers, style and format.
test:
	@tools/setup --tests
	@tools/test-all

# The quick part of it.
check:
	@tools/setup --tests
	@tools/test-all checks release

model: all
	cmake --build build/release -j $(JOBS) --target tests
	ctest --test-dir build/release -L '^model$$' --verbose

# I/O cancelled at any moment on each backend, then the tests of runtime and network under both
# sanitizers, again and again with new seeds.
soak:
	@tools/setup --tests
	@tools/soak $(SOAK_MINUTES)

bench: all
	@tools/setup --bench
	cmake --build build/release -j $(JOBS) --target bench
	bench/run

demo: all
	@tools/demo

# The reference, extracted from the headers: build/reference/html and build/reference/man.
docs:
	tools/reference build/reference

install: all
	cmake --install build/release --prefix $(abspath $(PREFIX))

format:
	tools/check-format --fix

tidy: setup
	tools/check-tidy --deep

clean:
	rm -rf build/release build/debug build/clang build/asan build/tsan build/ucontext build/aarch64 \
	    build/results build/reference
