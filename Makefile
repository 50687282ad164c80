# Hourglass. `make help` lists the targets. A new source file needs no edit here: the folder says what it is.

VERSION   := $(shell sed -n 's/.*define AG_VERSION "\(.*\)"/\1/p' autograd/runtime.h)
# Before 1.0 a minor version may change the interface.
SOVERSION := $(basename $(VERSION))

PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
AR       ?= ar
CFLAGS   ?= -O3
CPPFLAGS ?=
LDFLAGS  ?=
WERROR   ?=
BUILD    ?= build

# The names of GNU's conventions, for who packages the library.
prefix     = $(PREFIX)
libdir     = $(prefix)/lib
includedir = $(prefix)/include
bindir     = $(prefix)/bin
datadir    = $(prefix)/share

comma := ,
# A word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'

# The arithmetic is part of the contract: no contraction, no reordering, so that every compiler gives the same bits.
UNSAFE := $(filter -ffast-math -Ofast -funsafe-math-optimizations -ffp-contract=fast -ffp-model=fast%,$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS))
ifneq (,$(UNSAFE))
$(error $(UNSAFE): refused, as the same seed would no longer give the same bits)
endif
ARITHMETIC := -fno-associative-math -fno-reciprocal-math -fno-finite-math-only -fsigned-zeros \
	-fno-math-errno -fno-trapping-math -ffp-contract=off
# For s390x, gcc computes float expressions in double unless it is told not to.
ifneq (,$(findstring s390x,$(shell $(CC) -dumpmachine)))
ARITHMETIC += -fexcess-precision=fast
endif

WARNINGS   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(WERROR)
# With -flto alone, gcc warns at each link that it uses one core.
OPTIMIZE   := $(patsubst -flto,-flto=auto,$(CFLAGS)) $(ARITHMETIC)
ALL_CFLAGS := -std=c11 $(WARNINGS) -I. -I$(BUILD) -fPIC -pthread $(CPPFLAGS) $(OPTIMIZE)
LIBS       := -lm -pthread

# MPI=1: training on many machines, with the MPI whose compiler is MPICC, of which only the flags are used.
MPI   ?=
MPICC ?= mpicc
ifneq (,$(MPI))
MPI_COMMAND := $(shell $(MPICC) -show)
ifeq (,$(MPI_COMMAND))
$(error MPI=$(MPI): $(MPICC) does not run; install libopenmpi-dev or libmpich-dev, or name another MPICC)
endif
MPI_CFLAGS := $(patsubst -I%,-isystem %,$(filter -I%,$(MPI_COMMAND)))
LIBS       += $(filter -L% -l%,$(MPI_COMMAND))
endif

ifeq (0,$(MAKELEVEL))
ifeq (,$(filter -j%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif
# `make clean all`: what is removed must not be what is being built.
ifneq (,$(filter clean,$(MAKECMDGOALS)))
ifneq (clean,$(strip $(MAKECMDGOALS)))
.NOTPARALLEL:
endif
endif
SILENT := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
MAKEFLAGS += --no-builtin-rules

# Commands are shown short; V=1 shows them whole, -s not at all.
ifeq ($(V),1)
say =
else
say = @$(if $(SILENT),,printf '  %-7s %s\n' $(1) $@;)
endif
.DELETE_ON_ERROR:

# ---- Where it is built, and with what. ----

# make takes a space for the end of a name, and the shell has its own reading of these others.
ifneq (1,$(words $(BUILD))$(shell printf %s $(call quote,$(BUILD)) | tr -cd '][(){}<>|&;:*?%"`$$\\'\'))
$(error BUILD=$(call quote,$(BUILD)): the name of a folder without spaces and special characters, please)
endif

# What everything was compiled with: other flags, and everything is compiled again. The file also says whose the folder is:
# `make` takes none that has other files in it, and `make clean` removes none without it.
FLAGS := $(strip $(CC) $(ALL_CFLAGS) $(LDFLAGS))
STAMP := $(BUILD)/.hourglass-flags
ifneq ($(FLAGS),$(strip $(file < $(STAMP))))
$(STAMP): FORCE
endif
$(STAMP):
	@[ $(BUILD) = build ] || [ -e $@ ] || [ -z "$$(ls -A $(BUILD) 2>/dev/null)" ] || \
		{ echo 'BUILD=$(BUILD): there are other files in it; use a new folder' >&2; exit 1; }
	@mkdir -p $(BUILD)
	@printf '%s\n' $(call quote,$(FLAGS)) > $@
FORCE:

# Without Criterion the tests run under the plain runner.
ifndef CRITERION
CRITERION := $(shell $(CC) $(CPPFLAGS) $(CFLAGS) -include criterion/criterion.h -fsyntax-only -x c /dev/null 2>/dev/null && echo yes || echo no)
endif
$(BUILD)/.criterion-$(CRITERION): $(STAMP)
	@rm -f $(BUILD)/.criterion-*
	@touch $@

# Who the ranks are: the libraries are made anew when that changes, and nothing else.
RANKS := $(BUILD)/.ranks-$(if $(MPI),$(notdir $(MPICC)),alone)
$(RANKS): $(STAMP)
	@rm -f $(BUILD)/.ranks-*
	@touch $@

# ---- What there is. ----

# The examples are compiled and run by tests/examples.sh.
EXAMPLES     := $(wildcard models/examples/*)
HAS_MAIN     := $(filter-out $(EXAMPLES),$(shell grep -l '^int main\b' models/*.c models/*/*.c tools/*.c tools/*/*.c tests/*/*.c 2>/dev/null))
LIB_DIRS     := autograd autograd/ops autograd/kernels nn datasets tools models/train
LIB_SRC      := $(filter-out $(HAS_MAIN) models/train/ranks_$(if $(MPI),alone,mpi).c,$(wildcard $(LIB_DIRS:%=%/*.c)))
SIMD_SRC     := $(wildcard autograd/kernels/simd/*.c)
SUPPORT_SRC  := $(filter-out $(HAS_MAIN) $(LIB_SRC) $(EXAMPLES) models/train/ranks_%.c,$(wildcard models/*.c models/*/*.c tools/*/*.c))
PROGRAM_SRC  := $(filter-out tests/%,$(HAS_MAIN))
TEST_SRC     := $(filter-out $(HAS_MAIN) tests/fuzz/%,$(wildcard tests/*.c tests/*/*.c))
HEADERS      := $(filter-out %internal.h autograd/arena.h autograd/kernels/%.h,$(wildcard $(LIB_DIRS:%=%/*.h))) autograd/kernels/elementwise.def

# The programs stand beside their sources, unless BUILD says that nothing is to be written there.
BIN          := $(if $(filter build,$(BUILD)),,$(BUILD)/f32/programs/)
PROGRAMS     := $(PROGRAM_SRC:%.c=$(BIN)%)

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
# In what is built to find faults the portable kernels use the instruction where there is one: libm's fma takes most of their time.
FOR_FAULTS_portable := $(if $(filter avx2,$(ISAS)),$(shell grep -qsw fma /proc/cpuinfo && echo -mfma -DVECTOR_BYTES=16))

# The functions of simd/math.h as text, for autograd/export.c.
MATH_TEXT := $(BUILD)/generated/math_text.h
$(MATH_TEXT): autograd/kernels/simd/math.h $(STAMP)
	@mkdir -p $(@D)
	@sed -e '/^#include/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n",/' $< > $@

# The commit that is built, for reports; nothing outside git.
COMMIT   := $(if $(wildcard .git),$(shell git describe --always --dirty --exclude='*' 2>/dev/null))
COMMIT_H := $(BUILD)/generated/commit.h
COMMIT_LINE := \#define HOURGLASS_COMMIT "$(COMMIT)"
ifneq ($(COMMIT_LINE),$(strip $(file < $(COMMIT_H))))
$(COMMIT_H): FORCE
endif
$(COMMIT_H): $(STAMP)
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(COMMIT_LINE)) > $@

# The library as one file, of which the variants *-one are made.
ONE_FILE := $(BUILD)/amalgamation/hourglass.c
$(ONE_FILE:.c=.h): $(ONE_FILE)
	@[ -e $@ ] || { rm -f $< && $(MAKE) --no-print-directory $<; }
$(ONE_FILE): tools/amalgamate.py $(STAMP) $(MATH_TEXT) $(COMMIT_H) $(LIB_SRC) $(SIMD_SRC) $(wildcard $(LIB_DIRS:%=%/*.h) $(LIB_DIRS:%=%/*.def) autograd/kernels/simd/*.h)
	@python3 tools/amalgamate.py $(VERSION) $(@D) --build $(BUILD) --headers $(HEADERS) --sources $(LIB_SRC) --simd $(SIMD_SRC) --isas avx512 avx2 neon portable $(if $(SILENT),> /dev/null)

# Tests of what starts no thread, or starts them as others do, too: not for ThreadSanitizer, under which all is slow.
ONE_THREAD := $(wildcard tests/datasets/* tests/tools/*) $(addprefix tests/nn/,modules.c safetensors.c checkpoint.c) \
	$(addprefix tests/models/,command.c edit.c export.c flow_vae.c folders.c iwae.c kl_parts.c memory.c models.c poems.c report.c score.c terminal.c \
	training.c vq_vae.c)

# ---- One variant of everything: $(1) its name and folder, $(2) its flags, $(3) the suffix of its library. ----
# The programs, and so what only they use, are float only.

define variant
$(1)_LIB     := $(if $(findstring -one,$(1)),$(BUILD)/$(1)/hourglass.o,$(LIB_SRC:%.c=$(BUILD)/$(1)/%.o) \
	$(foreach i,$(ISAS),$(SIMD_SRC:%.c=$(BUILD)/$(1)/%.$(i).o)))
$(1)_SUPPORT := $(patsubst %.c,$(BUILD)/$(1)/%.o,$(filter-out $(if $(findstring DOUBLE,$(2)),tools/bench/%),$(SUPPORT_SRC)))
$(1)_TEST    := $(patsubst %.c,$(BUILD)/$(1)/%.o,$(if $(findstring thread,$(2)),$(filter-out $(ONE_THREAD),$(TEST_SRC)),$(TEST_SRC)))
$(1)_MAIN    := $(HAS_MAIN:%.c=$(BUILD)/$(1)/%.o)
$(1)_RUNNER  := $(if $(filter no,$(CRITERION))$(findstring thread,$(2)),-DPLAIN_RUNNER)

$$($(1)_LIB) $$($(1)_SUPPORT) $$($(1)_MAIN): $(STAMP)
$$($(1)_TEST): $(BUILD)/.criterion-$(CRITERION)
$(BUILD)/$(1)/models/train/ranks_mpi.o: ALL_CFLAGS += $(MPI_CFLAGS)
$(BUILD)/$(1)/models/train/ranks_mpi.o: $(RANKS)
$(BUILD)/$(1)/autograd/export.o: $(MATH_TEXT)
$(BUILD)/$(1)/models/train/program_report.o: $(COMMIT_H)

$(BUILD)/$(1)/libhourglass.a: $$($(1)_LIB) $(RANKS)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$($(1)_LIB)

$(BUILD)/$(1)/libhourglass.so: $$($(1)_LIB) $(BUILD)/exports.map $(RANKS)
	$$(call say,LINK)$$(CC) $$(OPTIMIZE) $(2) $$(LDFLAGS) -shared -Wl,-soname,libhourglass$(3).so.$(SOVERSION) \
		-Wl,--version-script=$(BUILD)/exports.map -Wl,-z,defs -o $$@ $$($(1)_LIB) $$(LIBS)

$(BUILD)/$(1)/libsupport.a: $$($(1)_SUPPORT)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^

$(BUILD)/$(1)/tests/run: $$($(1)_TEST) $(BUILD)/$(1)/libsupport.a $(BUILD)/$(1)/libhourglass.a
	$$(call say,LINK)$$(CC) $$(OPTIMIZE) $(2) $$(LDFLAGS) $$(TEST_WRAPS) -o $$@ $$^ $$(if $$($(1)_RUNNER),,-lcriterion) $$(LIBS)

$(BUILD)/$(1)/tests/list_%: $(foreach o,programs/list_% support/% support/helpers,$(BUILD)/$(1)/tests/$(o).o) $(BUILD)/$(1)/libhourglass.a
	$$(call say,LINK)$$(CC) $$(OPTIMIZE) $(2) $$(LDFLAGS) -o $$@ $$^ -lcriterion $$(LIBS)

$(BUILD)/$(1)/programs/%: $(BUILD)/$(1)/%.o $(BUILD)/$(1)/libsupport.a $(BUILD)/$(1)/libhourglass.a
	@mkdir -p $$(@D)
	$$(call say,LINK)$$(CC) $$(OPTIMIZE) $(2) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)

$(BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(ALL_CFLAGS) $(2) $$($(1)_RUNNER) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/hourglass.o: $(ONE_FILE)
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) -O3 $$(CPPFLAGS) $(2) -c -o $$@ $$<

$(foreach i,$(ISAS),$(call isa_rule,$(1),$(2),$(i)))
endef

define isa_rule
$(BUILD)/$(1)/autograd/kernels/simd/%.$(3).o: autograd/kernels/simd/%.c
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) $$(ALL_CFLAGS) $(2) -DAGK_ISA=$(3) $$(ISA_FLAGS_$(3)) $(if $(findstring -O1,$(2)),$$(FOR_FAULTS_$(3))) -MMD -MP -c -o $$@ $$<

endef

# -O1: at -O3 gcc takes five times as long to build these.
ASAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Criterion cannot start under ThreadSanitizer.
TSAN := -O1 -g -fsanitize=thread
$(eval $(call variant,f32,,))
$(eval $(call variant,f64,-DAG_DOUBLE,-f64))
$(eval $(call variant,f32-asan,$(ASAN),))
$(eval $(call variant,f64-asan,-DAG_DOUBLE $(ASAN),))
$(eval $(call variant,f32-tsan,$(TSAN),))
$(eval $(call variant,f32-one,,))
$(eval $(call variant,f64-one,-DAG_DOUBLE,-f64))
# -std=gnu11: gcc then writes what was counted when a program becomes another (execv)
$(eval $(call variant,f32-cov,-O1 -g -std=gnu11 --coverage -fprofile-update=atomic,))

# What two underscores follow (ag__, nn__) is the library's own.
$(BUILD)/exports.map: Makefile $(STAMP)
	@printf '{ global: ag_[a-z]*; nn_[a-z]*; ds_[a-z]*; tl_[a-z]*; train_[a-z]*; local: *; };\n' > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- What one asks for. ----

.DEFAULT_GOAL := all
.PHONY: all demo zoo papers papers-quick gallery check-gallery bench test check amalgamation test-amalgamation sanitize tsan coverage fuzz golden test-aarch64 test-armhf test-riscv64 test-s390x test-emulated test-i686 portability hostile valgrind check-layers check-format check-docs \
	check-examples ops-table install uninstall clean dist deb help

LIBRARIES := $(foreach v,f32 f64,$(BUILD)/$(v)/libhourglass.a $(BUILD)/$(v)/libhourglass.so)
all: $(LIBRARIES) $(PROGRAMS) ## the libraries, static and shared, in float and in double, and the programs

ifeq (,$(BIN))
$(PROGRAMS): %: $(BUILD)/f32/programs/%
	@cp $< $@
endif

demo: $(BIN)models/vae_mnist ## train the variational autoencoder and draw what it makes
	$(BIN)models/vae_mnist

FOLDER = PROGRAMS=$(call quote,$(if $(BIN),$(BIN:%/=%),.))
zoo: $(PROGRAMS) ## train every model with three seeds on data/mnist and print the README's table
	$(FOLDER) tools/zoo.sh

papers: $(PROGRAMS) ## train what published tables say (hours), and print their values beside ours; goes on where it was cut off
	$(FOLDER) tools/papers.sh

papers-quick: $(PROGRAMS) ## 400 or 1,500 steps of each of them, whose results must lie in a band
	@$(FOLDER) tools/papers.sh --quick

gallery: $(PROGRAMS) ## draw the pictures of models/gallery anew, from data/mnist and synthetic digits
	$(FOLDER) tools/gallery.sh

check-gallery: $(PROGRAMS) ## the programs draw what they drew when the gallery was drawn
	@$(FOLDER) tools/gallery.sh --check

bench: $(BIN)tools/bench/bench ## measure the machine, the workloads and their kernels
	$(BIN)tools/bench/bench

# Tests may make malloc and file calls fail: those of the library, not of the C library itself, go through tests/support/malloc.c
# and io.c.
TEST_WRAPS := $(foreach f,malloc calloc aligned_alloc realloc open open64 close fsync fileno rename pread pread64 write fdopen,-Wl$(comma)--wrap=$(f))

define newline


endef

# $(1) is the variant of the tests, $(2) that of the programs they run, $(3) environment and emulator.
run_tests = $(if $(filter 1,$(V)),,@)HOURGLASS_PROGRAMS=$(BUILD)/$(2)/models tests/run_tests.sh $(BUILD)/$(1)/tests $(3)

test: $(BUILD)/f32/tests/run $(BUILD)/f64/tests/run $(PROGRAMS) check-layers check-docs check-examples ## all tests, in float and in double; CRITERION=no: without Criterion
	@$(if $(filter no,$(CRITERION)),echo 'Criterion is not installed (Debian: libcriterion-dev); the plain runner runs the tests')
	$(call run_tests,f64,f32/programs)
	$(call run_tests,f32,f32/programs)
check: test ## test, as others call it

amalgamation: $(ONE_FILE) $(ONE_FILE:.c=.h) ## the library as one file, build/amalgamation/hourglass.c with hourglass.h; needs python3

ONE_TESTS ?= f64 f32
test-amalgamation: $(ONE_TESTS:%=$(BUILD)/%-one/tests/run) $(PROGRAM_SRC:%.c=$(BUILD)/f32-one/programs/%) ## the tests, with the library compiled from its one file; ONE_TESTS=f32: in float only
	$(foreach v,$(ONE_TESTS),$(call run_tests,$(v)-one,f32-one/programs)$(newline))
	tests/one_file.sh $(dir $(ONE_FILE))

SANITIZED ?= f64 f32
sanitize: $(SANITIZED:%=$(BUILD)/%-asan/tests/run) $(PROGRAM_SRC:%.c=$(BUILD)/f32-asan/programs/%) ## the tests under AddressSanitizer and UBSan; SANITIZED=f32: in float only
	$(foreach v,$(SANITIZED),$(call run_tests,$(v)-asan,f32-asan/programs,env ASAN_OPTIONS=allocator_may_return_null=1)$(newline))
	$(foreach v,$(SANITIZED),ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 python3 tests/null_calls.py \
		$(BUILD)/$(v)-asan/libhourglass.a $(CC) -fsanitize=address$(comma)undefined$(newline))

tsan: $(BUILD)/f32-tsan/tests/run $(PROGRAM_SRC:%.c=$(BUILD)/f32-tsan/programs/%) ## the tests under ThreadSanitizer
	$(call run_tests,f32-tsan,f32-tsan/programs,env TSAN_OPTIONS='halt_on_error=1 allocator_may_return_null=1')

# Without the nine recipes, which take longest.
coverage: export TEST_OPTIONS = --filter !(recipes)/*
coverage: $(BUILD)/f32-cov/tests/run $(PROGRAM_SRC:%.c=$(BUILD)/f32-cov/programs/%) ## which lines and branches the tests reach, in build/f32-cov/coverage.txt; needs gcovr
	@find $(BUILD)/f32-cov -name '*.gcda' -delete
	-$(call run_tests,f32-cov,f32-cov/programs)
	-python3 tests/null_calls.py $(BUILD)/f32-cov/libhourglass.a $(CC) --coverage
	gcovr --root . --exclude-throw-branches --gcov-ignore-parse-errors --filter '(autograd|nn|datasets|models/train|tools)/' --exclude 'tools/bench/' \
		--txt $(BUILD)/f32-cov/coverage.txt --print-summary $(BUILD)/f32-cov

# ---- Other machines, emulated: $(1) Debian's name, $(2) the compiler's prefix, $(3) the emulator. The programs that the tests
# run go through it too, by way of a script each. ----
define emulated
test-$(1): $(STAMP)
	$$(MAKE) BUILD=$(BUILD)/$(1) CC=$(2)-gcc LDFLAGS=-static CRITERION=no \
		$(foreach v,f32 f64,$(BUILD)/$(1)/$(v)/tests/run) $(PROGRAM_SRC:%.c=$(BUILD)/$(1)/f32/programs/%)
	@for p in $(PROGRAM_SRC:%.c=%); do e=$(BUILD)/$(1)/emulated/$$$$p; mkdir -p $$$${e%/*}; \
		printf '#!/bin/sh\nexec $(3) %s "$$$$@"\n' $(BUILD)/$(1)/f32/programs/$$$$p > $$$$e; chmod +x $$$$e; done
	$$(call run_tests,$(1)/f64,$(1)/emulated,$(3))
	$$(call run_tests,$(1)/f32,$(1)/emulated,$(3))
endef
$(eval $(call emulated,aarch64,aarch64-linux-gnu,qemu-aarch64))
$(eval $(call emulated,armhf,arm-linux-gnueabihf,qemu-arm))
$(eval $(call emulated,riscv64,riscv64-linux-gnu,qemu-riscv64))
$(eval $(call emulated,s390x,s390x-linux-gnu,qemu-s390x))
test-emulated: test-aarch64 test-armhf test-riscv64 test-s390x ## the tests on four emulated machines, test-aarch64 and so on each; needs qemu-user and gcc-*-linux-gnu; takes hours

# Debian's gcc-multilib, which shuts out cross compilers, has little over gcc-12-multilib but the link /usr/include/asm.
I686 := $(BUILD)/i686
test-i686: $(STAMP) ## the tests in 32 bits with SSE2, in float; needs gcc-multilib or gcc-12-multilib; takes minutes
	$(MAKE) BUILD=$(I686) CC='$(CC) -m32 -msse2 -mfpmath=sse' CPPFLAGS='$(CPPFLAGS) -idirafter /usr/include/$(MACHINE)' CRITERION=no \
		$(I686)/f32/tests/run $(PROGRAM_SRC:%.c=$(I686)/f32/programs/%)
	$(call run_tests,i686/f32,i686/f32/programs)

PORTABILITY ?=
portability: ## the tests with every compiler, machine and library that Debian has here, a line each; PORTABILITY=--short: only fingerprints
	@tests/portability.sh $(PORTABILITY)

# Runs in pairs, single failures of I/O calls, kills: with the C library at hand, and with musl where there is one.
HOSTILE ?=
MUSL    := $(BUILD)/musl
hostile: $(PROGRAMS) ## runs that are disturbed lose nothing, takes an hour; HOSTILE=--short: fewer of them, minutes
	tests/failures.py $(if $(filter --short,$(HOSTILE)),--every 80) $(if $(BIN),$(BIN:%/=%),.)
	tests/hostile.sh $(HOSTILE) $(if $(BIN),$(BIN:%/=%),.)
	@if command -v musl-gcc > /dev/null; then \
		$(MAKE) BUILD=$(MUSL) CC=musl-gcc LDFLAGS=-static $(PROGRAM_SRC:%.c=$(MUSL)/f32/programs/%) && \
		tests/hostile.sh $(HOSTILE) $(MUSL)/f32/programs; else echo 'musl-gcc is not installed'; fi

# The readers, each with its own seeds; FUZZ_RUNS inputs each.
FUZZ_RUNS ?= 10000000
FUZZ_SRC  := autograd/real.c models/train/history.c $(wildcard nn/safetensors*.c) \
	$(addprefix tools/,args.c file.c error.c stream.c text.c checksum.c) $(addprefix datasets/,couplets.c npy.c idx.c png.c pgm.c inflate.c picture.c picture_digit.c)
fuzz: $(STAMP) ## the readers of files, checkpoints and command lines under libFuzzer; needs clang
	@for reader in safetensors npy idx png pgm couplets history args; do mkdir -p $(BUILD)/fuzz/$$reader && \
		clang -std=c11 -I. -g -O2 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DREADER=$$reader \
			-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -o $(BUILD)/fuzz/$$reader.run tests/fuzz/reader.c $(FUZZ_SRC) -lm && \
		$(BUILD)/fuzz/$$reader.run -runs=$(FUZZ_RUNS) -max_len=600 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
			$(BUILD)/fuzz/$$reader tests/fuzz/seeds/$$reader || exit 1; done

golden: $(BUILD)/f64/tests/list_samples $(BUILD)/f64/tests/list_layers ## adds values by PyTorch for new ops and layers to tests/golden; installs PyTorch into BUILD if need be
	tests/golden/make.sh $(BUILD)

# Valgrind 3.19 knows no AVX-512.
valgrind: export TEST_OPTIONS = --timeout 1800
valgrind: $(BUILD)/f32/tests/run $(PROGRAMS) ## the tests under valgrind; takes minutes
	$(call run_tests,f32,f32/programs,env HOURGLASS_ISA=avx2 valgrind -q --trace-children=yes \
		--trace-children-skip='/bin/*$(comma)/usr/bin/*' --error-exitcode=9)

FORMATTED = $(filter-out autograd/kernels/simd/%,$(shell git ls-files -co --exclude-standard '*.c' '*.h'))
check-format: ## the C files are as clang-format 14 writes them; `clang-format -i` mends a file
	@clang-format-14 --dry-run --Werror $(FORMATTED)

check-layers: $(filter $(BUILD)/f32/autograd/kernels/simd/%,$(f32_LIB)) ## includes point the right way, kernels do not call libm
	@tools/check_layers.sh
	@tests/check_libm.sh $^ $(if $(SILENT),> /dev/null)
	@tests/check_draws.sh $(if $(SILENT),> /dev/null)

check-docs: ## the code in the READMEs is the tree's, the table of ops is current
	@tests/readme.sh $(if $(SILENT),> /dev/null)
	@tools/ops_table.sh --check $(if $(SILENT),> /dev/null)

check-examples: $(BUILD)/f32/libhourglass.a ## the programs of models/examples print what they say
	@CC=$(call quote,$(CC)) tests/examples.sh $(call quote,echo -Itree $(if $(filter /%,$<),$<,tree/$<) $(LIBS)) $(CPPFLAGS) $(CFLAGS) \
		$(LDFLAGS) $(if $(SILENT),> /dev/null)

ops-table: ## write the table of ops in autograd/README.md
	@tools/ops_table.sh

# ---- Installing. ----

# Every name is a word of the shell: a space in it must not make it two.
INC := $(call quote,$(DESTDIR)$(includedir))/hourglass
LIB := $(call quote,$(DESTDIR)$(libdir))
BINDIR    := $(call quote,$(DESTDIR)$(bindir))
DATA      := $(call quote,$(DESTDIR)$(datadir))
INSTALLED := $(filter-out %/bench,$(PROGRAMS))
# What the loader searches; elsewhere, the .pc file carries the path into the program.
LDCONFIG := PATH=$$PATH:/sbin:/usr/sbin ldconfig
SEARCHED  = $(shell for dir in /lib /usr/lib $$($(LDCONFIG) -NXv 2>/dev/null | sed -n 's,^\(/[^:]*\):.*,\1,p'); do \
	[ $$dir = $(call quote,$(libdir)) ] || [ $$dir -ef $(call quote,$(libdir)) ] && echo yes && break; done)
TELL_LOADER = @$(if $(DESTDIR),,$(if $(SEARCHED),$(LDCONFIG) 2>/dev/null || echo 'to do as root: ldconfig'))

install: $(LIBRARIES) $(PROGRAMS) ## headers, libraries, pkg-config files, programs with man pages and completion; PREFIX, DESTDIR, ...
	@install -d $(BINDIR) $(DATA)/man/man1 $(DATA)/bash-completion/completions $(DATA)/zsh/site-functions
	@for p in $(INSTALLED); do n=$${p##*/}; install -m 755 $$p $(BINDIR)/$$n || exit 1; \
		tools/man.sh $$p > $(DATA)/man/man1/$$n.1 2>/dev/null || rm -f $(DATA)/man/man1/$$n.1; \
		install -m 644 tools/completion.bash $(DATA)/bash-completion/completions/$$n || exit 1; done
	@printf '%s\n' '#compdef $(notdir $(INSTALLED))' _gnu_generic > $(DATA)/zsh/site-functions/_hourglass
	@for h in $(HEADERS); do install -D -m 644 $$h $(INC)/$$h || exit 1; done
	@install -d $(LIB)/pkgconfig
	@for v in f32: f64:-f64; do \
		lib=libhourglass$${v#*:}; from=$(BUILD)/$${v%%:*}; \
		install -m 644 $$from/libhourglass.a $(LIB)/$$lib.a && \
		install -m 755 $$from/libhourglass.so $(LIB)/$$lib.so.$(VERSION) && \
		ln -sf $$lib.so.$(VERSION) $(LIB)/$$lib.so.$(SOVERSION) && \
		ln -sf $$lib.so.$(SOVERSION) $(LIB)/$$lib.so || exit 1; \
	done
	@printf '%s\n' $(call quote,prefix=$(prefix)) $(call quote,includedir=$(includedir)) $(call quote,libdir=$(libdir)) \
		'Name: hourglass' 'Description: reverse-mode autograd and neural-network layers' 'Version: $(VERSION)' \
		'Cflags: -I"$${includedir}/hourglass"' 'Libs: -L"$${libdir}"$(if $(SEARCHED),, -Wl$(comma)-rpath$(comma)"$${libdir}") -lhourglass' \
		'Libs.private: $(LIBS)' > $(LIB)/pkgconfig/hourglass.pc
	@sed -e 's/^Name: .*/Name: hourglass-f64/' -e 's/^Description:.*/& (double precision)/' \
		-e 's/^Cflags:.*/& -DAG_DOUBLE/' -e 's/-lhourglass/&-f64/' \
		$(LIB)/pkgconfig/hourglass.pc > $(LIB)/pkgconfig/hourglass-f64.pc
	@install -d $(LIB)/cmake/hourglass
	@for f in hourglass-config hourglass-config-version; do sed -e $(call quote,s|@includedir@|$(includedir)|) -e $(call quote,s|@libdir@|$(libdir)|) \
		-e 's/@version@/$(VERSION)/' -e 's/@soversion@/$(SOVERSION)/' tools/packaging/$$f.cmake > $(LIB)/cmake/hourglass/$$f.cmake || exit 1; done
ifeq (,$(DESTDIR))
	$(TELL_LOADER)
	@case :$$(pkg-config --variable pc_path pkg-config 2>/dev/null): in (*:$(LIB)/pkgconfig:*) ;; (*) \
		printf 'for pkg-config to find it:\n    export PKG_CONFIG_PATH="%s"\n' $(LIB)/pkgconfig ;; esac
endif

uninstall: ## removes what install put there
	@rm -rf $(INC) $(LIB)/cmake/hourglass
	@for lib in libhourglass libhourglass-f64; do for end in .a .so .so.$(SOVERSION) .so.$(VERSION); do rm -f $(LIB)/$$lib$$end; done; done
	@rm -f $(LIB)/pkgconfig/hourglass.pc $(LIB)/pkgconfig/hourglass-f64.pc $(DATA)/zsh/site-functions/_hourglass
	@for n in $(notdir $(INSTALLED)); do rm -f $(BINDIR)/$$n $(DATA)/man/man1/$$n.1 $(DATA)/bash-completion/completions/$$n; done
	$(TELL_LOADER)

# Outside git, what is there is what was in the tarball.
DIST := hourglass-$(VERSION)
ONE  := hourglass-amalgamation-$(VERSION)
dist: $(ONE_FILE) $(ONE_FILE:.c=.h) ## two tarballs: of the sources, and of the library as one file
	@if [ -e .git ]; then git archive --prefix=$(DIST)/ -o $(DIST).tar.gz HEAD; else \
		tar -czf $(DIST).tar.gz --sort=name --owner=0 --group=0 --transform 's,^,$(DIST)/,S' $(PROGRAMS:%=--exclude=%) \
			Makefile README.md LICENSE .ci .clang-format .gitignore autograd nn models datasets tests tools; fi
	@tar -czf $(ONE).tar.gz --sort=name --owner=0 --group=0 --transform 's,.*/,,;s,^,$(ONE)/,' README.md LICENSE \
		models/examples/xor.c $(ONE_FILE) $(ONE_FILE:.c=.h)
	@$(if $(SILENT),,printf '  DIST    %s\n' $(DIST).tar.gz $(ONE).tar.gz)

# Built from the tarball of the sources, as Debian would.
deb: dist ## Debian packages, in BUILD/deb; needs debhelper, and lintian to check them
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb && tar -xzf $(DIST).tar.gz -C $(BUILD)/deb
	@mv $(DIST).tar.gz $(BUILD)/deb/hourglass_$(VERSION).orig.tar.gz && rm $(ONE).tar.gz
	@cp -r tools/packaging/debian $(BUILD)/deb/$(DIST) && sed -i '1s/(.*)/($(VERSION)-1)/' $(BUILD)/deb/$(DIST)/debian/changelog
	cd $(BUILD)/deb/$(DIST) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage --no-sign
	@if command -v lintian > /dev/null; then lintian --fail-on error $(BUILD)/deb/*.changes; else echo 'lintian is not installed'; fi

clean: ## removes all that make made
	@if [ $(BUILD) = build ] || [ -e $(STAMP) ]; then rm -rf $(BUILD); elif [ -e $(BUILD) ]; then \
		echo 'BUILD=$(BUILD): not removed, as make did not make it' >&2; exit 1; fi
	@$(if $(BIN),,rm -f $(PROGRAMS))

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
