# Hourglass. `make help` lists the targets. A new source file needs no edit here: the folder says what it is.

VERSION  := 0.1.0
SOVERSION := 0

PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
AR       ?= ar
CFLAGS   ?= -O3
LDFLAGS  ?=
WERROR   ?=
BUILD    ?= build

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR)
# The arithmetic is part of the contract: no contraction, so that every compiler gives the same bits.
ARITHMETIC := -fno-math-errno -fno-trapping-math -ffp-contract=off
ALL_CFLAGS = -std=c11 $(WARNINGS) -I. -fPIC -pthread $(ARITHMETIC) $(CFLAGS)
LIBS     := -lm -pthread

ifeq (0,$(MAKELEVEL))
ifeq (,$(filter -j%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif
MAKEFLAGS += --no-builtin-rules

# Commands are shown short; V=1 shows them whole.
ifeq ($(V),1)
say =
else
say = @printf '  %-7s %s\n' $(1) $@;
endif
.DELETE_ON_ERROR:

# ---- What there is. ----

HAS_MAIN     := $(shell grep -l '^int main\b' models/*.c tools/*.c tools/*/*.c tests/*/*.c 2>/dev/null)
LIB_SRC      := $(wildcard autograd/*.c autograd/ops/*.c autograd/kernels/*.c nn/*.c datasets/*.c)
SIMD_SRC     := $(wildcard autograd/kernels/simd/*.c)
SUPPORT_SRC  := $(filter-out $(HAS_MAIN),$(wildcard models/*.c tools/*.c tools/*/*.c))
PROGRAM_SRC  := $(filter-out tests/%,$(HAS_MAIN))
TEST_SRC     := $(filter-out $(HAS_MAIN) tests/fuzz/%,$(wildcard tests/*.c tests/*/*.c))
PROGRAMS     := $(PROGRAM_SRC:.c=)
HEADERS      := $(filter-out %internal.h autograd/arena.h,$(wildcard autograd/*.h nn/*.h datasets/*.h)) autograd/kernels/elementwise.def

# Each kernel source is compiled once per instruction set.
MACHINE := $(shell $(CC) -dumpmachine)
ifneq (,$(filter x86_64%,$(MACHINE)))
ISAS := avx512 avx2 portable
else ifneq (,$(filter aarch64%,$(MACHINE)))
ISAS := neon portable
else
ISAS := portable
endif
ISA_FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
ISA_FLAGS_avx2   := -mavx2 -mfma

# ---- One variant of everything: $(1) its name and folder, $(2) its flags, $(3) the suffix of its library. ----
# The programs, and so what only they use, are float only.

define variant
$(1)_LIB     := $(LIB_SRC:%.c=$(BUILD)/$(1)/%.o) $(foreach i,$(ISAS),$(SIMD_SRC:%.c=$(BUILD)/$(1)/%.$(i).o))
$(1)_SUPPORT := $(patsubst %.c,$(BUILD)/$(1)/%.o,$(filter-out $(if $(findstring DOUBLE,$(2)),models/train% models/draw% tools/bench/%),$(SUPPORT_SRC)))
$(1)_TEST    := $(TEST_SRC:%.c=$(BUILD)/$(1)/%.o)

$(BUILD)/$(1)/libhourglass.a: $$($(1)_LIB)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^

$(BUILD)/$(1)/libhourglass.so: $$($(1)_LIB) $(BUILD)/exports.map
	$$(call say,LINK)$$(CC) $$(CFLAGS) $(2) $$(LDFLAGS) -shared -Wl,-soname,libhourglass$(3).so.$(SOVERSION) \
		-Wl,--version-script=$(BUILD)/exports.map -Wl,-z,defs -o $$@ $$($(1)_LIB) $$(LIBS)

$(BUILD)/$(1)/libsupport.a: $$($(1)_SUPPORT)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^

$(BUILD)/$(1)/tests/run: $$($(1)_TEST) $(BUILD)/$(1)/libsupport.a $(BUILD)/$(1)/libhourglass.a
	$$(call say,LINK)$$(CC) $$(CFLAGS) $(2) $$(LDFLAGS) $$(TEST_WRAPS) -o $$@ $$^ $(if $(findstring PLAIN_RUNNER,$(2)),,-lcriterion) $$(LIBS)

$(BUILD)/$(1)/tests/list_samples: $(foreach o,programs/list_samples support/samples support/helpers,$(BUILD)/$(1)/tests/$(o).o) $(BUILD)/$(1)/libhourglass.a
	$$(call say,LINK)$$(CC) $$(CFLAGS) $(2) $$(LDFLAGS) -o $$@ $$^ -lcriterion $$(LIBS)

$(BUILD)/$(1)/programs/%: $(BUILD)/$(1)/%.o $(BUILD)/$(1)/libsupport.a $(BUILD)/$(1)/libhourglass.a
	@mkdir -p $$(@D)
	$$(call say,LINK)$$(CC) $$(CFLAGS) $(2) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)

$(BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(ALL_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<

$(foreach i,$(ISAS),$(call isa_rule,$(1),$(2),$(i)))
endef

define isa_rule
$(BUILD)/$(1)/autograd/kernels/simd/%.$(3).o: autograd/kernels/simd/%.c
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(ALL_CFLAGS) $(2) -DAGK_ISA=$(3) $$(ISA_FLAGS_$(3)) -MMD -MP -c -o $$@ $$<

endef

ASAN := -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TSAN := -g -fsanitize=thread -DPLAIN_RUNNER
$(eval $(call variant,f32,,))
$(eval $(call variant,f64,-DAG_DOUBLE,-f64))
$(eval $(call variant,f32-asan,$(ASAN),))
$(eval $(call variant,f64-asan,-DAG_DOUBLE $(ASAN),))
$(eval $(call variant,f32-tsan,$(TSAN),))
$(eval $(call variant,f32-plain,-DPLAIN_RUNNER,))
$(eval $(call variant,f64-plain,-DPLAIN_RUNNER -DAG_DOUBLE,))

$(BUILD)/exports.map:
	@mkdir -p $(BUILD)
	@printf '{ global: ag_*; nn_*; ds_*; local: *; };\n' > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- What one asks for. ----

.DEFAULT_GOAL := all
.PHONY: all demo zoo bench test sanitize tsan fuzz test-aarch64 valgrind check-layers install uninstall clean help
.SECONDARY:

all: $(BUILD)/f32/libhourglass.a $(BUILD)/f32/libhourglass.so $(PROGRAMS) ## the library, static and shared, and the programs

$(PROGRAMS): %: $(BUILD)/f32/programs/%
	@cp $< $@

demo: models/vae_mnist ## train the variational autoencoder and draw what it makes
	models/vae_mnist
	@echo "pictures: runs/vae_mnist/reconstructions.png, runs/vae_mnist/samples.png"

zoo: $(PROGRAMS) ## train every model with three seeds on data/mnist and print the README's table
	tools/zoo.sh

bench: tools/bench/bench ## measure the machine, the workloads and their kernels
	tools/bench/bench

# Tests may make malloc fail: calls of the library, not of the C library itself, go through tests/support/malloc.c.
TEST_WRAPS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=realloc

test: $(BUILD)/f32/tests/run $(BUILD)/f64/tests/run $(PROGRAMS) check-layers ## all tests, in float and in double
	$(BUILD)/f64/tests/run
	$(BUILD)/f32/tests/run

sanitize: $(BUILD)/f32-asan/tests/run $(BUILD)/f64-asan/tests/run $(PROGRAMS:%=$(BUILD)/f32-asan/programs/%) ## the tests under AddressSanitizer and UBSan
	ASAN_OPTIONS=allocator_may_return_null=1 $(BUILD)/f64-asan/tests/run
	ASAN_OPTIONS=allocator_may_return_null=1 HOURGLASS_PROGRAMS=$(BUILD)/f32-asan/programs/models $(BUILD)/f32-asan/tests/run

tsan: $(BUILD)/f32-tsan/tests/run $(PROGRAMS:%=$(BUILD)/f32-tsan/programs/%) ## the tests under ThreadSanitizer
	TSAN_OPTIONS='halt_on_error=1 allocator_may_return_null=1' HOURGLASS_PROGRAMS=$(BUILD)/f32-tsan/programs/models \
		$(BUILD)/f32-tsan/tests/run

# The programs that the tests run go through the emulator too, by way of a script each.
ARM := build/aarch64
test-aarch64: ## the tests on emulated 64-bit ARM; needs gcc-aarch64-linux-gnu and qemu-user; takes minutes
	$(MAKE) BUILD=$(ARM) CC=aarch64-linux-gnu-gcc LDFLAGS=-static \
		$(foreach v,f32 f64,$(ARM)/$(v)-plain/tests/run) $(PROGRAMS:%=$(ARM)/f32-plain/programs/%)
	@for p in $(PROGRAMS:%=$(ARM)/emulated/%); do mkdir -p $${p%/*}; \
		printf '#!/bin/sh\nexec qemu-aarch64 %s "$$@"\n' $(ARM)/f32-plain/programs/$${p#$(ARM)/emulated/} > $$p; chmod +x $$p; done
	qemu-aarch64 $(ARM)/f64-plain/tests/run
	HOURGLASS_PROGRAMS=$(ARM)/emulated/models qemu-aarch64 $(ARM)/f32-plain/tests/run

# The readers of files, each with its own seeds; FUZZ_RUNS inputs each.
FUZZ_RUNS ?= 4000000
FUZZ_SRC  := $(wildcard nn/safetensors*.c nn/whole_file.c datasets/npy.c datasets/idx.c datasets/file.c)
fuzz: ## the readers of files under libFuzzer; needs clang
	@for reader in safetensors npy idx; do mkdir -p $(BUILD)/fuzz/$$reader && \
		clang -std=c11 -I. -g -O2 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DREADER=$$reader \
			-o $(BUILD)/fuzz/$$reader.run tests/fuzz/reader.c $(FUZZ_SRC) -lm && \
		$(BUILD)/fuzz/$$reader.run -runs=$(FUZZ_RUNS) -max_len=600 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
			$(BUILD)/fuzz/$$reader tests/fuzz/seeds/$$reader || exit 1; done

# Valgrind 3.19 knows no AVX-512.
valgrind: $(BUILD)/f32/tests/run $(PROGRAMS) ## the tests under valgrind; takes minutes
	HOURGLASS_ISA=avx2 valgrind -q --trace-children=yes --trace-children-skip='/bin/*,/usr/bin/*' --error-exitcode=9 \
		$(BUILD)/f32/tests/run --timeout 1800

check-layers: ## includes point the right way
	@tools/check_layers.sh

INSTALL_INCLUDE := $(DESTDIR)$(PREFIX)/include/hourglass
INSTALL_LIB     := $(DESTDIR)$(PREFIX)/lib
LIBRARY_NAMES   := libhourglass libhourglass-f64

install: $(BUILD)/f32/libhourglass.a $(BUILD)/f32/libhourglass.so $(BUILD)/f64/libhourglass.a $(BUILD)/f64/libhourglass.so ## headers, libraries, pkg-config files; PREFIX, DESTDIR
	for h in $(HEADERS); do install -D -m 644 $$h $(INSTALL_INCLUDE)/$$h || exit 1; done
	install -d $(INSTALL_LIB)/pkgconfig
	for v in f32: f64:-f64; do \
		lib=libhourglass$${v#*:}; from=$(BUILD)/$${v%%:*}; \
		install -m 644 $$from/libhourglass.a $(INSTALL_LIB)/$$lib.a && \
		install -m 755 $$from/libhourglass.so $(INSTALL_LIB)/$$lib.so.$(VERSION) && \
		ln -sf $$lib.so.$(VERSION) $(INSTALL_LIB)/$$lib.so.$(SOVERSION) && \
		ln -sf $$lib.so.$(SOVERSION) $(INSTALL_LIB)/$$lib.so || exit 1; \
	done
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: hourglass' 'Description: reverse-mode autograd and neural-network layers' \
		'Version: $(VERSION)' 'Cflags: -I$${prefix}/include/hourglass' 'Libs: -L$${prefix}/lib -lhourglass' \
		'Libs.private: $(LIBS)' > $(INSTALL_LIB)/pkgconfig/hourglass.pc
	sed -e 's/^Name: .*/Name: hourglass-f64/' -e 's/^Description:.*/& (double precision)/' \
		-e 's/^Cflags:.*/& -DAG_DOUBLE/' -e 's/-lhourglass/&-f64/' \
		$(INSTALL_LIB)/pkgconfig/hourglass.pc > $(INSTALL_LIB)/pkgconfig/hourglass-f64.pc

uninstall: ## removes what install put there
	rm -rf $(INSTALL_INCLUDE)
	for lib in $(LIBRARY_NAMES); do rm -f $(INSTALL_LIB)/$$lib.a $(INSTALL_LIB)/$$lib.so $(INSTALL_LIB)/$$lib.so.*; done
	rm -f $(INSTALL_LIB)/pkgconfig/hourglass.pc $(INSTALL_LIB)/pkgconfig/hourglass-f64.pc

clean: ## removes all that make made
	rm -rf $(BUILD) $(PROGRAMS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
