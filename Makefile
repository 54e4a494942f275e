# Front door. `make help` says what there is; the work is done by CMake (CMakePresets.json).
.DEFAULT_GOAL := help
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
PROGRAM := $(BUILD)/asyncleak-top
INSTALLED := bin/asyncleak-top share/man/man8/asyncleak-top.8 \
  share/bash-completion/completions/asyncleak-top share/zsh/site-functions/_asyncleak-top \
  share/fish/vendor_completions.d/asyncleak-top.fish
export DEBIAN_FRONTEND := noninteractive

.PHONY: help setup build run test unit vmtest soak check asan fuzz bench install uninstall deb static dist clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (root)
	@tools/install-packages build

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json
	@tools/install-packages build
	@cmake --preset release

build: $(BUILD)/build.ninja ## build/asyncleak-top
	@cmake --build $(BUILD) --target asyncleak-top

run: build ## a leaking demo service and the live view on the whole machine (root)
	@tools/run-demo $(PROGRAM)

test: $(BUILD)/build.ninja ## every test; the root rungs attach real uprobes to real interpreters (root)
	@tools/install-packages build test
	@cmake --build $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure -j 6 --output-junit tests.xml || { \
	  tools/failed-tests $(BUILD)/tests.xml; exit 1; }

unit: $(BUILD)/build.ninja ## the tests that need neither root nor other interpreters
	@cmake --build $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure -L unit

vmtest: $(BUILD)/build.ninja ## Debian's kernels 5.10 to the newest, each in a virtual machine (docs/kernels.md)
	@tools/install-packages build test
	@cmake --build $(BUILD) --target asyncleak-top load_test
	@tests/vm/test_vm.py --write-table docs/kernels.md

soak: build ## MINUTES (default 60) of the daemon among services and short-lived programs (root; on a quiet machine)
	@tools/install-packages build test
	@ASYNCLEAK_SOAK_ALONE=1 ASYNCLEAK_SOAK_MINUTES=$${MINUTES:-60} tests/e2e/test_soak.py -v

check: build ## formatting, lint, documents against --help
	@tools/install-packages build check
	@tools/check $(PROGRAM)

asan: ## unit tests with the address and undefined-behaviour sanitizers
	@tools/install-packages build
	@cmake --preset asan && cmake --build --preset asan
	@ctest --preset asan -L unit

fuzz: ## SECONDS (default 600) of the ELF fuzzer under the sanitizers
	@tools/install-packages build check
	@cmake --preset fuzz && cmake --build --preset fuzz --target elf_fuzz
	@tests/fuzz/run.sh $(BUILD)/fuzz $${SECONDS:-600}

bench: build ## every figure of docs/overhead.md, measured here (root, about 30 minutes)
	@tools/install-packages build test
	@bench/run-all

install: build ## into $(DESTDIR)$(PREFIX): program, man page, completions
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)" --strip

uninstall: ## what install put there
	@for file in $(INSTALLED); do rm -f "$(DESTDIR)$(PREFIX)/$$file"; done

deb: $(BUILD)/build.ninja ## build/asyncleak-top_VERSION_ARCHITECTURE.deb
	@cmake --build $(BUILD) --target deb

static: $(BUILD)/build.ninja ## build/asyncleak-top-static, which needs no library, on any distribution
	@cmake --build $(BUILD) --target asyncleak-top-static

dist: ## build/asyncleak-top-VERSION.tar.xz of the last commit
	@tools/dist $(BUILD)

clean: ## remove build/
	@rm -rf $(BUILD)
