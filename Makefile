# SPDX-License-Identifier: Apache-2.0
# The one door. `make help` lists the targets. Nothing here is cleverer than a person at the keyboard: CMake and Ninja
# build, tools/run-tests tests.
.DEFAULT_GOAL := build
.PHONY: build packages guests debian sim bench check test test-all demo serve fmt lint fuzz clean help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 20
SEED ?= 1
SEEDS ?= 20000
SWEEP ?= 2
# Generated code is laid out by its generator.
SOURCES = $(shell git ls-files -co --exclude-standard 'src/*.h' 'src/*.cpp' 'src/*.cc' 'tests/*.cc' ':!src/api/generated')

# $(call targets,PRESET): the unit tests and fuzz targets that a build describes
targets = $$(ninja -C build/$(1) -t targets all | sed -nE 's,^(bin/(\w+_tests|fuzz_\w+)): .*,\1,p')
# $(call configured,PRESET)
configured = [ -e build/$(1)/build.ninja ] || cmake --preset $(1) >build/$(1).log || { cat build/$(1).log; exit 1; }

build: packages ## the program, at build/kiln (preset dev)
	@mkdir -p build && $(call configured,dev)
	@ninja -C build/dev -j$(JOBS)
	@ln -sfn dev/bin/kiln build/kiln

packages: ## install what is missing (root), or say what to install
	@tools/install-packages

guests: packages ## the guest images for tests, in build/guests
	@guests/tiny/build

debian: packages ## a Debian 12 guest with cloud-init, in build/guests
	@guests/debian/build

check: build guests ## the fast suite, under a minute: units without their slow cases, and a script of each area
	@tools/run-tests --fast

test: build guests unit-asan ## everything: unit tests (also under ASan and UBSan), tools, clients, real boots
	@tools/run-tests --units build/asan

test-all: build guests unit-asan unit-tsan unit-clang ## test, and the units under TSan and clang's thread-safety analysis
	@tools/run-tests --units build/asan --units build/tsan --units build/clang

.PHONY: unit-asan unit-tsan unit-clang
unit-asan unit-tsan unit-clang: unit-%: packages
	@mkdir -p build && $(call configured,$*)
	@ninja -C build/$* build.ninja # files may have been added since; then the list of targets is another
	@ninja -C build/$* -j$(JOBS) $(call targets,$*)

demo: build guests debian ## the main job on real images, with a timeline; leaves the service running
	@tools/demo

serve: build ## run the daemon in the foreground, on the default data directory
	@exec build/kiln serve

fmt: packages ## lay out the C++ sources
	@clang-format -i $(SOURCES)

lint: packages ## layout, layers, clang-tidy
	@clang-format --dry-run -Werror $(SOURCES)
	@tools/check-layers
	@mkdir -p build && $(call configured,clang)
	@ninja -C build/clang -j$(JOBS)
	@run-clang-tidy -quiet -p build/clang -j $(JOBS) '$(CURDIR)/src/.*\.cpp$$'

fuzz: packages ## every fuzz target for FUZZ_SECONDS (20) each
	@mkdir -p build && $(call configured,fuzz)
	@ninja -C build/fuzz -j$(JOBS) fuzzers
	@tools/run-fuzzers --seconds $(FUZZ_SECONDS)

sim: packages ## the crash simulation: SEEDS histories (20000) from seed SEED (1), and the sweep of SWEEP operations (2)
	@mkdir -p build && $(call configured,dev)
	@ninja -C build/dev -j$(JOBS) kiln_sim
	@build/dev/bin/kiln_sim --seed $(SEED) --histories $(SEEDS) --jobs $(JOBS)
	@[ $(SWEEP) = 0 ] || build/dev/bin/kiln_sim --sweep $(SWEEP) --jobs $(JOBS)

bench: build guests ## launches, images, stalled writes, and volumes as disks; peers measured beside them
	@/usr/bin/python3 tools/bench
	@/usr/bin/python3 tools/bench-block

.PHONY: deb test-deb container
deb: packages ## a Debian package of the release build, in build/deb
	@debian/rules clean binary

test-deb: deb ## lintian, and the package in a fresh Debian 12: install, serve, launch, ssh, purge (root)
	@tools/run-tests --suite packaging

container: ## a container image of the package, with podman, docker or buildah
	@tool=$$(command -v podman || command -v docker || command -v buildah) && \
		exec $$tool build -f packaging/Containerfile -t kiln . || { echo "none of podman, docker and buildah is here" >&2; exit 1; }

clean: ## remove all builds; downloaded guest packages stay
	@find build -mindepth 1 -maxdepth 1 ! -name guests -exec rm -rf {} +

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 12
