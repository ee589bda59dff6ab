# a2b: from songs on S3 to a model that predicts electrodermal activity.
# `make help` lists the targets. Everything generated goes to $(BUILD).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

# Where objects, programs and test results go: one folder per set of flags.
BUILD ?= build
# Where `make install` puts things.
PREFIX ?= /usr/local
DESTDIR ?=
# The C compiler and its helpers.
CC := gcc
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

# Libraries, asked of pkg-config only when something is compiled.
PKGS := libcrypto sndfile soxr fftw3f yaml-0.1 jansson libxxhash
pkg_cflags = $(eval pkg_cflags := $$(shell $(PKG_CONFIG) --cflags $(PKGS)))$(pkg_cflags)
pkg_libs = $(eval pkg_libs := $$(shell $(PKG_CONFIG) --libs $(PKGS)))$(pkg_libs)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla \
	-Wmissing-prototypes
# Set to -Werror by `make check`, empty otherwise.
WERROR ?=
# Set by check-asan.
SANITIZE ?=
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 $(CFLAGS) -ffp-contract=off \
	-fopenmp $(WARN) $(WERROR) $(SANITIZE) -iquote lib $(pkg_cflags)
LDLIBS = $(pkg_libs) -lm
VERSION_FLAG := -DA2B_VERSION='"$(VERSION)"'

LIB_SRC := $(sort $(wildcard lib/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB := $(BUILD)/liba2b.a
TOOLS := $(patsubst tools/%.c,%,$(sort $(wildcard tools/a2b-*.c)))
BIN := $(TOOLS:%=$(BUILD)/bin/%)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

# all: the programs
.PHONY: all
all: $(BIN)

# unit-programs: the unit test programs
.PHONY: unit-programs
unit-programs: $(UNIT)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(FILE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/tool/tool.o: FILE_CFLAGS := $(VERSION_FLAG)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/bin/%: $(BUILD)/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fopenmp $(SANITIZE) -o $@ $^ $(LDLIBS)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fopenmp $(SANITIZE) -o $@ $^ $(LDLIBS)

# clean: removes everything generated
.PHONY: clean
clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(TOOLS:%=$(BUILD)/tools/%.d)
-include $(UNIT_SRC:%.c=$(BUILD)/%.d)
