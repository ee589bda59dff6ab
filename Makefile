# a2b: from songs on S3 to a model that predicts electrodermal activity.
# `make help` lists the targets. Everything generated goes to build/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

# Debian packages that building, `make check`, `make demo` and `make lint` use.
DEPS := gcc libc6-dev make pkg-config bats parallel gnuplot-nox mandoc \
	shellcheck jq libsndfile1-dev libsoxr-dev libfftw3-dev libyaml-dev \
	libssl-dev libjansson-dev libxxhash-dev libcurl4-openssl-dev \
	libexpat1-dev libopenmpi-dev openmpi-bin
# Packages that `make check-slow` uses beside them: real music, an S3 server,
# Slurm.
DEPS_SLOW := $(DEPS) asc-music radosgw ceph-mon ceph-osd ceph-common \
	curl dpkg-dev lintian clang libomp-dev \
	slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge

# Goals behind `deps` re-enter make, so that libraries that were just
# installed are seen, also under -j.
DEPS_GOALS := $(filter deps deps-slow,$(MAKECMDGOALS))
ifneq ($(DEPS_GOALS),)
GOALS := $(filter-out $(DEPS_GOALS),$(MAKECMDGOALS))

# deps: installs the Debian packages that are missing, if any
# deps-slow: the same, with what check-slow needs
.PHONY: $(DEPS_GOALS) $(GOALS) again
deps:
	@tests/install-packages $(DEPS)
deps-slow:
	@tests/install-packages $(DEPS_SLOW)
again: $(DEPS_GOALS)
	+@$(if $(GOALS),$(MAKE) --no-print-directory $(GOALS),:)
$(GOALS): again
	@:
ifeq ($(GOALS),)
.DEFAULT_GOAL := deps
endif
else

# Where objects, programs and test results go: one folder per set of flags.
BUILD ?= build
# Where `make install` puts things.
PREFIX ?= /usr/local
DESTDIR ?=
# The C compiler and its helpers.
CC := gcc
PKG_CONFIG ?= pkg-config
# Which Python the comparisons with Python packages run in.
PYTHON ?= /usr/bin/python3
VERSION := 0.1.0

# libsoxr, by its pkg-config name, for the resampler soxr_hq; empty (or not
# installed): that resampler is refused with a message.
SOXR ?= $(shell $(PKG_CONFIG) --exists soxr 2>/dev/null && echo soxr)

# Libraries, asked of pkg-config only when something is compiled.
PKGS := libcrypto sndfile fftw3f yaml-0.1 jansson libxxhash libcurl expat \
	$(SOXR)
pkg_cflags = $(eval pkg_cflags := $$(shell $(PKG_CONFIG) --cflags $(PKGS)))$(pkg_cflags)
pkg_libs = $(eval pkg_libs := $$(shell $(PKG_CONFIG) --libs $(PKGS)))$(pkg_libs)

# Open MPI, by its pkg-config name, for training in several processes; empty
# (or not installed): a2b-train is built without.
MPI ?= $(shell $(PKG_CONFIG) --exists ompi-c 2>/dev/null && echo ompi-c)
mpi_cflags = $(if $(MPI),-DA2B_MPI $(subst -I,-isystem ,$(shell \
	$(PKG_CONFIG) --cflags-only-I $(MPI))))
mpi_libs = $(eval mpi_libs := $$(if $$(MPI),$$(shell $$(PKG_CONFIG) --libs \
	$$(MPI))))$(mpi_libs)

# Warnings every file must pass.
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla \
	-Wmissing-prototypes
# clang says where a hint to vectorise was of no use, which is no fault.
WARN += $(if $(findstring clang,$(CC)),-Wno-pass-failed)
# -Werror in the checks, empty otherwise.
WERROR ?=
# Set by check-asan.
SANITIZE ?=
# What hardens the programs against mistakes that slipped through.
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
# The same for the linker.
HARDEN_LINK ?= -pie -Wl,-z,relro,-z,now
# Optimisation; -ffast-math never.
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 $(CFLAGS) -ffp-contract=off \
	-fopenmp $(WARN) $(WERROR) $(SANITIZE) $(HARDEN) -iquote lib \
	$(pkg_cflags)
LDLIBS = -Wl,--as-needed $(pkg_libs) $(mpi_libs) -lm
LINK = $(CC) $(CFLAGS) -fopenmp $(SANITIZE) $(HARDEN_LINK) -o $@ $^ $(LDLIBS)

LIB_SRC := $(sort $(wildcard lib/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB := $(BUILD)/liba2b.a
TOOLS := $(patsubst tools/%.c,%,$(sort $(wildcard tools/a2b-*.c)))
BIN := $(TOOLS:%=$(BUILD)/bin/%)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
HELPER_SRC := $(sort $(wildcard tests/helpers/*.c))
HELPER := $(HELPER_SRC:tests/helpers/%.c=$(BUILD)/helpers/%)
MAN := $(sort $(wildcard man/*.[1-7]))

# all: builds the programs
.PHONY: all
all: $(BIN)

# tests-built: builds the programs, the unit programs and the test helpers
.PHONY: tests-built
tests-built: $(BIN) $(UNIT) $(HELPER)

# check: the quick tests (TAP)
.PHONY: check
check: WERROR := -Werror
check: tests-built
	A2B_BUILD="$(abspath $(BUILD))" tests/run quick

# check-slow: the tests that take long or need what deps-slow installs
.PHONY: check-slow
check-slow: WERROR := -Werror
check-slow: tests-built
	A2B_BUILD="$(abspath $(BUILD))" tests/run slow

# check-asan: the quick tests under the address and undefined sanitizers
.PHONY: check-asan
check-asan:
	+$(MAKE) BUILD=build/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
		SANITIZE="-fsanitize=address,undefined \
		-fno-sanitize-recover=undefined" HARDEN= HARDEN_LINK= check

# check-references: golden numbers made anew by the Python packages, where
# these are installed, and compared with the committed ones
.PHONY: check-references
check-references:
	tests/golden/check

# bench-eda: a2b-eda against SciPy, and NeuroKit2 where it is installed
.PHONY: bench-eda
bench-eda: $(BIN)
	$${A2B_PYTHON:-/usr/bin/python3} tests/bench/eda.py \
		--programs "$(abspath $(BUILD)/bin)"

# bench-mfcc: our MFCCs timed beside torchaudio, librosa, kaldi-native-fbank,
# as far as $(PYTHON) has them; MP3=FILE is decoded instead of a made one
.PHONY: bench-mfcc
bench-mfcc: $(BUILD)/bench/mfcc $(BUILD)/bin/a2b-mfcc
	$(PYTHON) tests/bench/mfcc.py $^ $(MP3)

# bench-train: whole training steps beside PyTorch in $(PYTHON). MODELS, SHAPES
# ("full ragged"), MODES (of PyTorch; empty: only ours), THREADS, ROUNDS and
# FRAMES shorten it; OURS="KEY=VALUE ..." adds rows of ours with other
# settings, ALSO=build/bench/train one of another build; QUICK=1 is a glance
BENCH_TRAIN = $(foreach o,MODELS SHAPES MODES THREADS ROUNDS FRAMES OURS ALSO,\
	$(if $(filter undefined,$(origin $o)),,--$(shell tr A-Z a-z <<<$o) \
	"$($o)"))
ifdef QUICK
ROUNDS ?= 2
FRAMES ?= 1000
SHAPES ?= full
MODES ?= eager
MODELS ?= example1 example2 example3
endif
.PHONY: bench-train
bench-train: $(BUILD)/bench/train
	$(PYTHON) tests/bench/train.py $(BENCH_TRAIN) $<

# bench-fetch: a2b-fetch beside s5cmd, boto3 and the AWS CLI, as far as they
# are in PATH and $(PYTHON), against a loopback S3 server
.PHONY: bench-fetch
bench-fetch: tests-built
	$(PYTHON) tests/bench/fetch.py --build "$(abspath $(BUILD))"

# bench-eval: DTW and Frechet distances, and a2b-predict from mp3 to CSV beside
# PyTorch and torchaudio; MP3=FILE is predicted beside the made ones
.PHONY: bench-eval
bench-eval: tests-built
	$${A2B_PYTHON:-/usr/bin/python3} tests/bench/eval.py \
		--build "$(abspath $(BUILD))" $(if $(MP3),--mp3 "$(MP3)")

# bench-pmemo: a dataset of PMEmo's size from files to a trained model, beside
# a PyTorch script (2.7 GB, half an hour; SCALE=0.1: a tenth of it)
.PHONY: bench-pmemo
bench-pmemo: $(BIN)
	$${A2B_PYTHON:-/usr/bin/python3} tests/bench/pmemo.py \
		--build "$(abspath $(BUILD))" $(if $(SCALE),--scale $(SCALE)) \
		$(if $(TORCH_SCALE),--torch-scale $(TORCH_SCALE)) \
		$(if $(EPOCHS),--epochs $(EPOCHS))

# lint: rules of the house that a script can check
.PHONY: lint
lint: $(LIB)
	A2B_BUILD="$(abspath $(BUILD))" tests/lint

# format: lays the sources out with clang-format
.PHONY: format
format:
	clang-format -i lib/*/*.[ch] tools/*.c tests/unit/*.[ch]

# bench-accuracy: what three models learn from planted data in 210 steps,
# three seeds, as a table; fails where one learns too little (half an hour)
.PHONY: bench-accuracy
bench-accuracy: $(BIN)
	@BIN="$(abspath $(BUILD)/bin)" tests/bench/accuracy $(BUILD)/accuracy

# demo: the whole flow on a small planted dataset, into build/demo
.PHONY: demo
demo: $(BIN)
	@$(MAKE) --no-print-directory -f pipelines/demo.mk \
		BIN="$(abspath $(BUILD)/bin)" DEMO="$(BUILD)/demo"

# Where bash looks for completions.
COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

# doctor: what is missing on this machine, and what to do about it
.PHONY: doctor
doctor: $(BUILD)/bin/a2b-doctor
	$<

# install: programs, pipelines, configs, man pages and completions for bash
# under DESTDIR PREFIX
.PHONY: install
install: $(BIN) $(BUILD)/completion
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/a2b/configs \
		$(DESTDIR)$(PREFIX)/share/a2b/pipelines $(COMPLETIONS)
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	install -m 644 configs/*.yml $(DESTDIR)$(PREFIX)/share/a2b/configs
	install -m 644 pipelines/*.mk $(DESTDIR)$(PREFIX)/share/a2b/pipelines
	install -m 755 pipelines/*.sh pipelines/*.sbatch \
		$(DESTDIR)$(PREFIX)/share/a2b/pipelines
	for page in $(MAN); do \
		install -D -m 644 $$page \
			$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; \
	done
	install -m 644 $(BUILD)/completion $(COMPLETIONS)/a2b
	for tool in $(TOOLS); do ln -sf a2b $(COMPLETIONS)/$$tool; done

# uninstall: removes what install put there
.PHONY: uninstall
uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -f $(COMPLETIONS)/a2b $(TOOLS:%=$(COMPLETIONS)/%)
	rm -rf $(DESTDIR)$(PREFIX)/share/a2b
	for page in $(MAN); do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; \
	done

# dist: the sources of the last commit as a tar file, into build
.PHONY: dist
dist:
	@mkdir -p $(BUILD)
	git archive --prefix=a2b-$(VERSION)/ -o $(BUILD)/a2b-$(VERSION).tar.gz HEAD
	@echo $(BUILD)/a2b-$(VERSION).tar.gz

# deb: a Debian package of what is installed, into build; wants dpkg-dev
.PHONY: deb
deb: $(BIN)
	rm -rf $(BUILD)/deb
	+$(MAKE) --no-print-directory install DESTDIR=$(BUILD)/deb PREFIX=/usr
	tests/make-deb $(BUILD)/deb $(VERSION) $(BUILD)

# html: the man pages as web pages, into build/html
.PHONY: html
html: $(MAN)
	man/make-html $(BUILD)/html $(MAN)

# clean: removes everything generated
.PHONY: clean
clean:
	rm -rf build

# help: lists the targets
.PHONY: help
help:
	@sed -n 's/^# \([a-z-]*\): \(.*\)/\1\t\2/p' Makefile | expand -t 20

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(FILE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/tool/tool.o: FILE_CFLAGS := -DA2B_VERSION='"$(VERSION)"'

# With or without MPI and libsoxr: another answer compiles these files again.
$(BUILD)/lib/train/link.o: FILE_CFLAGS = $(mpi_cflags)
$(BUILD)/lib/signal/hq.o: FILE_CFLAGS = $(if $(SOXR),-DA2B_SOXR)
$(BUILD)/lib/train/link.o: $(BUILD)/mpi
$(BUILD)/lib/signal/hq.o: $(BUILD)/soxr
$(BUILD)/mpi $(BUILD)/soxr: with = $(if $(@:%mpi=),$(SOXR),$(MPI))
$(BUILD)/mpi $(BUILD)/soxr: FORCE
	@mkdir -p $(@D)
	@echo "$(with)" | cmp -s - $@ || echo "$(with)" > $@
.PHONY: FORCE
FORCE:

$(BUILD)/completion: man/completion.awk $(BIN)
	for tool in $(BIN); do echo "program $${tool##*/}"; $$tool --help; \
		done | awk -f $< > $@.new
	mv $@.new $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/bin/%: $(BUILD)/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(LINK)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(LINK)

$(BUILD)/helpers/%: $(BUILD)/tests/helpers/%.o $(LIB)
	@mkdir -p $(@D)
	$(LINK)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(LINK)

-include $(LIB_OBJ:.o=.d) $(TOOLS:%=$(BUILD)/tools/%.d)
-include $(UNIT_SRC:%.c=$(BUILD)/%.d) $(HELPER_SRC:%.c=$(BUILD)/%.d)
-include $(wildcard $(BUILD)/tests/bench/*.d)
endif
