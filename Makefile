# Makefile - builds, checks and installs Postern.  "make help" lists targets.

SHELL := /bin/bash
BUILD ?= build
CC ?= gcc
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
PREFIX ?= /usr/local

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full \
	-ftrivial-auto-var-init=zero -fPIE
OPT ?= -O2 $(HARDEN)
LINK ?= -pie -Wl,-z,relro,-z,now,-z,noexecstack
CFLAGS := -std=gnu11 -g $(OPT) $(WARN) $(if $(WERROR),-Werror) $(SAN)
CPPFLAGS := -D_GNU_SOURCE -I. -I$(BUILD)/gen
LDFLAGS := $(LINK) $(SAN)
LDLIBS := -lsodium -lyaml -ljansson -lidn2 -lunistring -lpthread
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all

src = $(filter-out $(2),$(wildcard $(addsuffix /*.c,$(1))))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROTO_SRC := $(call src,proto/base proto/mail proto/policy proto/wire)
CTL_SRC := $(call src,controller/policy)
CLI_SRC := $(call src,controller/cli)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

LIBPROTO := $(BUILD)/libpostern.a
LIBCTL := $(BUILD)/libcontroller.a
LIBS := $(LIBCTL) $(LIBPROTO)
PROGRAMS := $(if $(CLI_SRC),$(BUILD)/postern)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))
REPLAY := $(patsubst %,$(BUILD)/replay/%,$(FUZZ))

.PHONY: all check build-tests check-unit check-decide check-asan check-fuzz \
	check-style coverage deps install dist clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)		## build the programs

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIBPROTO): $(call obj,$(PROTO_SRC))
$(LIBCTL): $(call obj,$(CTL_SRC))
$(LIBPROTO) $(LIBCTL):
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/postern: $(call obj,$(CLI_SRC)) $(LIBS)
	@$(if $(Q),echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o \
    $(BUILD)/obj/tests/fuzz/replay.o $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

build-tests: all $(UNIT) $(REPLAY)

deps:				## install what building and testing need
	@deploy/deps.sh

check: deps			## every test; the last line counts them
	$(Q)$(MAKE) --no-print-directory -j2 build-tests
	$(Q)$(MAKE) --no-print-directory -j2 BUILD=build/asan \
	    OPT="-O1 -fno-omit-frame-pointer" LINK= SAN="$(ASAN)" build-tests
	$(Q)tests/lib/run.py style unit decide fuzz asan

check-unit: build-tests		## unit tests alone
	$(Q)tests/lib/run.py unit

check-decide: build-tests	## the decision's cases alone
	$(Q)tests/lib/run.py decide

check-asan:			## unit, decide, corpus under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory -j2 BUILD=build/asan \
	    OPT="-O1 -fno-omit-frame-pointer" LINK= SAN="$(ASAN)" build-tests
	$(Q)tests/lib/run.py asan

check-style:			## rooms, contracts, sizes
	$(Q)tests/lib/run.py style

FUZZ_SECONDS ?= 20
check-fuzz:			## run each fuzzer for FUZZ_SECONDS
	$(Q)set -e; mkdir -p build/fuzz; for f in $(FUZZ); do \
	    clang-14 -g -O1 $(CPPFLAGS) \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o build/fuzz/$$f \
		tests/fuzz/fuzz_$$f.c $(PROTO_SRC) $(CTL_SRC) $(LDLIBS); \
	    mkdir -p build/fuzz/$$f.new; \
	    build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 \
		-artifact_prefix=build/fuzz/ build/fuzz/$$f.new \
		tests/fuzz/corpus/$$f; \
	done

coverage:			## branch coverage of the decision
	$(Q)rm -rf build/cov
	$(Q)$(MAKE) --no-print-directory -j2 BUILD=build/cov OPT=-O0 LINK= \
	    SAN=--coverage build-tests
	$(Q)tests/lib/run.py --build build/cov unit decide
	$(Q)gcovr --branches -r . build/cov --filter 'proto/'

install: all			## install to DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin

dist:				## a source archive of the last commit
	$(Q)mkdir -p build && git archive --prefix=postern/ \
	    -o build/postern.tar.gz HEAD && echo build/postern.tar.gz

clean:				## remove what was built
	rm -rf build

help:				## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | \
	    awk -F ':.*##[ \t]*' '{ printf "  %-14s %s\n", $$1, $$2 }'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
