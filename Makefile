# Makefile - builds, checks and installs Postern.  "make help" lists targets.

SHELL := /bin/bash
BUILD ?= build
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
JOBS ?= 2
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 20
SOAK_SECONDS ?= 1800

# --- flags ------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full -fPIE \
	$(if $(findstring clang,$(CC)),,-ftrivial-auto-var-init=zero)
OPT ?= -O2 $(HARDEN)
LINK ?= -pie -Wl,-z,relro,-z,now,-z,noexecstack
CFLAGS := -std=gnu11 -g $(OPT) $(SAN)
CPPFLAGS := -D_GNU_SOURCE -I. -I$(BUILD)/gen
LDFLAGS := $(LINK) $(SAN) -Wl,--as-needed
LDLIBS := -lzmq -lprotobuf-c -lleveldb -lsodium -luv -lmicrohttpd -ljansson \
	-lyaml -lidn2 -lunistring -lpsl -lcurl -lpthread -lm

# --- sources: whatever stands in the rooms ----------------------------------

PROTO_SRC := $(wildcard proto/*/*.c)
NODE_SRC := $(filter-out node/main.c,$(wildcard node/*.c node/*/*.c))
CLI_SRC := $(wildcard controller/cli/*.c)
CTL_SRC := $(filter-out controller/main.c $(CLI_SRC),\
	$(wildcard controller/*.c controller/*/*.c))
BENCH_SRC := $(wildcard bench/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
TESTLIB_SRC := $(wildcard tests/lib/*.c)
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
WIRE := $(wildcard proto/wire/*.proto)

# files that the programs can print, as NAME=FILE: texts_NAME in a program
TEXTS := schema=controller/policy/schema.json \
	postfix=deploy/postfix/main.cf milter=deploy/postfix/milter.cf \
	exim=deploy/postfix/exim.conf

GEN := $(WIRE:%.proto=$(BUILD)/gen/%.pb-c)
LIBPROTO := $(BUILD)/libpostern.a
LIBNODE := $(BUILD)/libnode.a
LIBCTL := $(BUILD)/libcontroller.a
LIBTEST := $(BUILD)/libtest.a
LIBS := $(LIBNODE) $(LIBCTL) $(LIBPROTO)

# a program is built once all of its rooms stand: the node needs HTTP
NODE_READY := $(and $(wildcard node/main.c),$(wildcard proto/base/httpd.c))
PROGRAMS := $(if $(NODE_READY),$(BUILD)/postern-node) \
	$(if $(wildcard controller/main.c),$(BUILD)/postern-controller) \
	$(if $(CLI_SRC),$(BUILD)/postern)
BENCH := $(if $(BENCH_SRC),$(BUILD)/postern-bench)
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
REPLAY := $(FUZZ:%=$(BUILD)/replay/%)
FUZZERS := $(FUZZ:%=$(BUILD)/fuzzers/%)
# the unit tests of modules with threads
TSAN_TESTS ?= test_sock test_db test_httpd test_httpd_start test_log \
	test_spool test_scrub test_sync test_sync_cert test_join test_keeper \
	test_publisher test_backup test_fleet test_fleet_audit \
	test_fleet_reads test_retire test_snapshot test_chunk_reader \
	test_filter_make
TSAN_UNKNOWN := $(filter-out $(UNIT_SRC:tests/unit/%.c=%),$(TSAN_TESTS))
$(if $(TSAN_UNKNOWN),$(error TSAN_TESTS: no such test: $(TSAN_UNKNOWN)))
TSAN := $(TSAN_TESTS:%=build/tsan/tests/%)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
HAND_OBJ := $(call obj,$(PROTO_SRC) $(NODE_SRC) $(CTL_SRC) $(CLI_SRC) \
	$(BENCH_SRC) $(UNIT_SRC) $(TESTLIB_SRC) $(FUZZ:%=tests/fuzz/fuzz_%.c) \
	node/main.c controller/main.c tests/fuzz/replay.c)

# Another build tree of the same rules, with a sanitizer.
MORE = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) \
	--no-print-directory LINK= OPT="-O1 -fno-omit-frame-pointer"
UBSAN := undefined -fno-sanitize-recover=all
ASAN_ARGS = $(MORE) BUILD=build/asan SAN="-fsanitize=address,$(UBSAN)"
TSAN_ARGS = $(MORE) BUILD=build/tsan SAN="-fsanitize=thread" CC=gcc
FUZZ_ARGS = $(MORE) BUILD=build/fuzz CC=clang-14 \
	SAN="-fsanitize=fuzzer-no-link,address,$(UBSAN)"

.PHONY: all tests-built fuzzers check check-unit check-decide check-system \
	check-asan check-tsan check-fuzz check-style check-containers \
	coverage bench bench-deps bench-full soak demo deps install dist clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)		## build the programs

# --- how things are built ---------------------------------------------------

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(if $(filter 1,$(WERROR)),\
	    -Werror) -MMD -MP -c $< -o $@

# what the generator writes is not held to our warnings
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c $< -o $@

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(BUILD)/gen
	@$(if $(Q),echo "  GEN   $<")
	$(Q)protoc-c --c_out=$(BUILD)/gen $<

$(BUILD)/gen/texts.c: $(foreach t,$(TEXTS),$(lastword $(subst =, ,$(t)))) \
    Makefile
	@mkdir -p $(@D)
	$(Q)for t in $(TEXTS); do n=$${t%%=*}; \
	    printf 'extern const char texts_%s[];\n' $$n; \
	    printf 'const char texts_%s[] =\n' $$n; \
	    sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $${t#*=}; echo ';'; done >$@

$(HAND_OBJ): | $(GEN:%=%.h)

$(LIBPROTO): $(call obj,$(PROTO_SRC)) $(GEN:$(BUILD)/gen/%=$(BUILD)/obj/gen/%.o)
$(LIBNODE): $(call obj,$(NODE_SRC))
$(LIBCTL): $(call obj,$(CTL_SRC)) $(BUILD)/obj/gen/texts.o
$(LIBTEST): $(call obj,$(TESTLIB_SRC))
$(LIBS) $(LIBTEST):
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/postern-node: $(call obj,node/main.c) $(LIBNODE) $(LIBPROTO)
$(BUILD)/postern-controller: $(call obj,controller/main.c) $(LIBCTL) $(LIBPROTO)
$(BUILD)/postern: $(call obj,$(CLI_SRC)) $(LIBCTL) $(LIBPROTO)
$(BUILD)/postern-bench: $(call obj,$(BENCH_SRC)) $(LIBS)
$(PROGRAMS) $(BENCH):
	@$(if $(Q),echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# a peer, of libmilter alone; only where it is measured
$(BUILD)/bench-libmilter: bench/libmilter/milter.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LINK  $@")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(LDFLAGS) -o $@ $< \
	    -lmilter -lpthread

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIBTEST) $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o \
    $(BUILD)/obj/tests/fuzz/replay.o $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzzers/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

tests-built: all $(BENCH) $(UNIT) $(REPLAY)
fuzzers: $(FUZZERS)

# --- checks -----------------------------------------------------------------

check: deps			## every test; the last line counts them
	$(Q)$(MAKE) $(filter -j%,$(MORE)) --no-print-directory tests-built
	$(Q)$(MAKE) $(ASAN_ARGS) tests-built
	$(Q)$(if $(TSAN),$(MAKE) $(TSAN_ARGS) $(TSAN),:)
	$(Q)tests/lib/run.py style unit decide system fuzz asan tsan

check-unit: tests-built		## unit tests alone
	$(Q)tests/lib/run.py unit

check-decide: all		## the decision's cases alone
	$(Q)tests/lib/run.py decide

check-system: all $(BENCH)	## real programs in folders of their own
	$(Q)tests/lib/run.py system

check-asan:			## unit, decide, corpus under ASan and UBSan
	$(Q)$(MAKE) $(ASAN_ARGS) tests-built
	$(Q)tests/lib/run.py fuzz asan

check-tsan:			## modules with threads under TSan
	$(Q)$(if $(TSAN),$(MAKE) $(TSAN_ARGS) $(TSAN),:)
	$(Q)tests/lib/run.py tsan

check-style:			## rooms, contracts, sizes
	$(Q)tests/lib/run.py style

check-fuzz:			## run each fuzzer for FUZZ_SECONDS
	$(Q)$(MAKE) $(FUZZ_ARGS) fuzzers
	$(Q)set -e; for f in $(FUZZ); do \
	    mkdir -p build/fuzz/new/$$f tests/fuzz/corpus/$$f; \
	    echo "  FUZZ  $$f"; \
	    build/fuzz/fuzzers/$$f -max_total_time=$(FUZZ_SECONDS) \
		-max_len=65536 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$$f- build/fuzz/new/$$f \
		tests/fuzz/corpus/$$f >build/fuzz/$$f.log 2>&1 || \
		{ tail -40 build/fuzz/$$f.log; exit 1; }; \
	    grep -a number_of_executed_units build/fuzz/$$f.log; \
	done

check-containers:		## images and what runs in them
	$(Q)deploy/container/check.sh

coverage:			## branch coverage of unit and decide tests
	$(Q)rm -rf build/cov
	$(Q)$(MAKE) $(MORE) BUILD=build/cov OPT=-O0 SAN=--coverage tests-built
	$(Q)tests/lib/run.py --build build/cov unit decide
	$(Q)gcovr --branches -r . build/cov --filter 'proto/' \
	    --filter 'node/' --filter 'controller/'
	$(Q)echo "the decision alone; lines left out say why beside them" && \
	    gcovr --branches -r . build/cov --exclude-lines-by-pattern \
	    '.*assert\(.*' --filter \
	    'proto/policy/(judge|managed|match|target|want|reply)\.c'

# --- figures, demonstration, delivery ---------------------------------------

bench-deps:
	@deploy/deps.sh bench

BENCH_ARGS = $(filter -j%,$(MORE)) --no-print-directory all $(BENCH) \
	$(BUILD)/bench-libmilter

bench: bench-deps		## measure, the short way
	$(Q)$(MAKE) $(BENCH_ARGS)
	$(Q)BUILD=$(BUILD) bench/run.sh short

bench-full: bench-deps		## measure at full size
	$(Q)$(MAKE) $(BENCH_ARGS)
	$(Q)BUILD=$(BUILD) bench/run.sh full

soak: all			## kill a fleet 500 times, for SOAK_SECONDS
	$(Q)KILLS=500 SOAK_SECONDS=$(SOAK_SECONDS) BUILD=$(BUILD) \
	    bash tests/system/50_chaos.sh

demo: deps			## a controller, nodes and a mail server to try
	$(Q)deploy/demo/run.sh

deps:				## install what building and testing need
	@deploy/deps.sh

install: all			## install to DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/postern
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 LICENSE $(wildcard README.md CHANGES.md) \
	    $(DESTDIR)$(PREFIX)/share/doc/postern
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in deploy/systemd/*.service; do \
	    sed 's|/usr/local/|$(PREFIX)/|' $$unit \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} && \
	    chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} || \
	    exit; done

VERSION = $(shell sed -n 's/^.define VERSION "\(.*\)"$$/\1/p' proto/base/conf.c)
dist:				## a source archive of the last commit
	$(Q)mkdir -p build && git archive --prefix=postern-$(VERSION)/ \
	    -o build/postern-$(VERSION).tar.gz HEAD && \
	    echo build/postern-$(VERSION).tar.gz

clean:				## remove what was built
	rm -rf build

help:				## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | \
	    awk -F ':.*##[ \t]*' '{ printf "  %-17s %s\n", $$1, $$2 }'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
