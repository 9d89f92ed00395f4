# SPDX-License-Identifier: Apache-2.0
# tokscope: one Makefile, everything is built into build/. V=1 shows commands, DEBUG=1 builds -O0 -g3,
# SANITIZE=1 builds the binary with ASan and UBSan, WERROR=1 (set in CI) makes warnings errors.

VERSION := 0.1.0
BUILD   := build
PREFIX  ?= /usr/local
ARCH    := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

CC        ?= cc
CLANG     ?= clang
BPFTOOL   ?= $(shell PATH=$$PATH:/usr/sbin command -v bpftool || echo bpftool)
PKGCONFIG ?= pkg-config

Q   := $(if $(V),,@)
msg  = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)';)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
OPT     := $(if $(DEBUG),-O0 -g3,-O2 -g)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CPPFLAGS += -Iuser -Iinclude -I$(BUILD)/bpf -isystem $(BUILD)/proto -D_GNU_SOURCE -DTOKSCOPE_VERSION='"$(VERSION)"'
CFLAGS  += -std=gnu11 $(OPT) $(WARN) $(if $(SANITIZE),$(SANFLAGS))
LDFLAGS += $(if $(SANITIZE),$(SANFLAGS))
LIBS    := -lbpf -lelf -lz -lZydis -liberty -lyaml -lmicrohttpd -lgnutls -lcrypt -ljansson -lcurl -lprotobuf-c -lcap-ng -lm -lpthread

# Layers, lowest first: a layer may include those before it (tools/check_layers enforces the exact picture).
LAYERS := base metric gpu wire discover kube probe track export load attach cli
objs    = $(patsubst %.c,$(1)/%.o,$(wildcard user/$(2)/*.c))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all
all: $(BUILD)/tokscope $(BUILD)/libtokscope_cupti.so

# ---------------------------------------------------------------- kernel side
BPF_CFLAGS := -O2 -g -mcpu=v3 -target bpf -D__TARGET_ARCH_$(ARCH) -Iinclude -Ivmlinux/$(ARCH) -Ibpf \
	-Wall -Wextra -Wno-unused-parameter $(if $(WERROR),-Werror)
BPF_SOURCES := $(filter-out bpf/features.bpf.c,$(wildcard bpf/*.bpf.c))

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call msg,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bpf/tokscope.linked.o: $(BPF_SOURCES:%.c=$(BUILD)/%.o)
	$(call msg,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/bpf/features.linked.o: $(BUILD)/bpf/features.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.linked.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(call objs,$(BUILD)/obj,load) $(call objs,$(BUILD)/san,load): $(BUILD)/bpf/tokscope.skel.h $(BUILD)/bpf/features.skel.h

# ---------------------------------------------------------------- user side
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(call msg,CC-SAN,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -O1 $(SANFLAGS) -MMD -MP -c $< -o $@

# The built-in packs are inside this object as they are.
PACKS := $(wildcard user/probe/packs/*.yaml)
$(BUILD)/obj/user/probe/pack_builtin.o $(BUILD)/san/user/probe/pack_builtin.o: $(PACKS)

# The same of the schema of metrics.
$(BUILD)/obj/user/export/metric_json.o $(BUILD)/san/user/export/metric_json.o: user/export/metric_schema.json

define layer_archives
$(BUILD)/obj/lib$(1).a: $(call objs,$(BUILD)/obj,$(1))
$(BUILD)/san/lib$(1).a: $(call objs,$(BUILD)/san,$(1))
endef
$(foreach l,$(LAYERS),$(eval $(call layer_archives,$(l))))

%.a:
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# ---------------------------------------------------------------- protobuf
# The messages that user/export writes and reads, as protobuf-c's C in build/proto: "<name>.pb-c.h". A .proto file is
# found below user/export/proto or, from Debian's packages opentelemetry-proto and libprotobuf-dev, below /usr/include.
OTLP_PROTO := $(foreach p,common resource metrics trace logs,$(p)/v1/$(p)) \
	$(foreach p,metrics trace logs,collector/$(p)/v1/$(p)_service)
PROTO := $(OTLP_PROTO:%=opentelemetry/proto/%) \
	google/protobuf/any google/protobuf/duration google/rpc/status google/rpc/error_details \
	google/protobuf/timestamp io/prometheus/client/metrics
PROTO_C = $(PROTO:%=$(BUILD)/proto/%.pb-c.c)
vpath %.proto user/export/proto /usr/include

$(BUILD)/proto/%.proto: %.proto tools/otlp_proto
	@mkdir -p $(@D)
	$(Q)tools/otlp_proto $< > $@

$(BUILD)/proto/%.pb-c.c: $(BUILD)/proto/%.proto | $(PROTO:%=$(BUILD)/proto/%.proto)
	$(call msg,PROTO,$@)
	$(Q)protoc -I$(BUILD)/proto --c_out=$(BUILD)/proto $<

# Generated code is not held to the warnings of the tree.
$(BUILD)/obj/proto/%.o: $(BUILD)/proto/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c $< -o $@

$(BUILD)/san/proto/%.o: $(BUILD)/proto/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -O1 $(SANFLAGS) -c $< -o $@

$(foreach k,obj san,$(eval $(BUILD)/$(k)/libexport.a: $(PROTO:%=$(BUILD)/$(k)/proto/%.pb-c.o)))
$(foreach k,obj san,$(PROTO:%=$(BUILD)/$(k)/proto/%.pb-c.o)): | $(PROTO_C)
$(foreach k,obj san,$(call objs,$(BUILD)/$(k),export)) $(patsubst %.c,$(BUILD)/san/%.o,$(wildcard tests/unit/export_*.c)): | $(PROTO_C)

# ---------------------------------------------------------------- layers
# Layers up to and including $(1), highest first.
reverse = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
upto  = $(call reverse,$(call prefix,$(1),$(LAYERS)))
prefix = $(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call prefix,$(1),$(wordlist 2,99,$(2))))

$(BUILD)/tokscope: $(BUILD)/obj/user/main.o $(foreach l,$(call reverse,$(LAYERS)),$(BUILD)/obj/lib$(l).a)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

# ---------------------------------------------------------------- the CUPTI library
# Loaded into other programs: it is never sanitized with the rest, stays loaded, and needs no more than glibc 2.17.
CUPTI_OBJ    := $(patsubst %.c,%.o,$(wildcard cupti/*.c))
CUPTI_CFLAGS := -std=gnu11 $(OPT) $(WARN) -Icupti -Iinclude -D_GNU_SOURCE -fPIC -fvisibility=hidden
CUPTI_LINK   := -shared -Wl,-soname,libtokscope_cupti.so -Wl,-z,nodelete,-z,defs,-z,relro,-z,now \
	-Wl,--no-as-needed -l:libpthread.so.0 -l:libdl.so.2

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CUPTI_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libtokscope_cupti.so: $(CUPTI_OBJ:%=$(BUILD)/pic/%)
	$(call msg,LINK,$@)
	$(Q)$(CC) $^ $(CUPTI_LINK) -o $@

# Its tests, each one cmocka program. fakes/ has fakes of NVIDIA's libcuda.so.1 and libcupti.so.13. The programs of
# CUPTI_LOADED load these and the library; in asan/ and tsan/ all of it is sanitized.
CUPTI_TEST    := $(BUILD)/tests/cupti
CUPTI_LOADED  := library_test process_test release_test
CUPTI_TESTS   := $(foreach f,$(CUPTI_TEST) $(CUPTI_TEST)/asan $(CUPTI_TEST)/tsan,$(CUPTI_LOADED:%=$(f)/%)) $(CUPTI_TEST)/pack_test $(CUPTI_TEST)/watchdog_test
CUPTI_TEST_CC  = $(CC) $(filter-out -fvisibility=hidden,$(CUPTI_CFLAGS)) -Itests/cupti

define cupti_loaded
$(1)/fakes/libcuda.so.1: tests/cupti/fake_cuda.c
$(1)/fakes/libcupti.so.13: tests/cupti/fake_cupti.c tests/cupti/fake_cupti.h
$(1)/fakes/%:
	@mkdir -p $$(@D)
	$$(Q)$$(CUPTI_TEST_CC) $(2) -shared -Wl,-soname,$$* $$< -o $$@

$(1)/told: tests/cupti/told.c
$(1)/program: tests/cupti/program.c
$(CUPTI_LOADED:%=$(1)/%): $(1)/%: tests/cupti/%.c
$(1)/told $(1)/program $(CUPTI_LOADED:%=$(1)/%): $(addprefix tests/cupti/,world.c world.h sink.c sink.h fake_cupti.h) | $(3) $(1)/fakes/libcuda.so.1 $(1)/fakes/libcupti.so.13
	$$(call msg,LINK,$$@)
	$$(Q)$$(CUPTI_TEST_CC) $(2) -DLIBRARY='"$$(abspath $(3))"' -DFAKES='"$$(abspath $(1))/fakes"' $$(filter %.c,$$^) -rdynamic -lcmocka -o $$@
endef
$(eval $(call cupti_loaded,$(CUPTI_TEST),,$(BUILD)/libtokscope_cupti.so))

define cupti_sanitized
$(call cupti_loaded,$(1),$(2),$(1)/libtokscope_cupti.so)

$(1)/libtokscope_cupti.so: $(wildcard cupti/*)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CUPTI_CFLAGS) $(2) $$(filter %.c,$$^) $$(CUPTI_LINK) -Wl,-z,undefs -o $$@
endef
$(eval $(call cupti_sanitized,$(CUPTI_TEST)/asan,$(SANFLAGS)))
$(eval $(call cupti_sanitized,$(CUPTI_TEST)/tsan,-fsanitize=thread))

$(CUPTI_TEST)/pack_test $(CUPTI_TEST)/watchdog_test: $(CUPTI_TEST)/%: $(BUILD)/san/tests/cupti/%.o $(addprefix $(BUILD)/san/cupti/,pack.o names.o watchdog.o buffers.o)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $^ -lcmocka -o $@
$(BUILD)/san/tests/cupti/%.o $(BUILD)/fuzz/obj/tests/fuzz/cupti_pack.o: CPPFLAGS += -Icupti

# ---------------------------------------------------------------- tests
# tests/unit/<layer>_<what>.c is one cmocka program, linked with that layer and those below it, sanitized.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
unit_layer = $(firstword $(subst _, ,$(notdir $(1))))

.SECONDEXPANSION:
$(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $$(foreach l,$$(call upto,$$(call unit_layer,$$*)),$(BUILD)/san/lib$$(l).a)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $^ -lcmocka $(LIBS) -o $@

# A fake of NVIDIA's management library, for tests.
FAKE_NVML := $(BUILD)/tests/nvml/libnvidia-ml.so.1
$(FAKE_NVML): tests/nvml/fake_nvml.c
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -D_GNU_SOURCE -Wno-missing-prototypes -fPIC -shared $< -o $@
$(foreach t,gpu_nvml gpu_nvml_thread cli_nvml_metrics,$(BUILD)/tests/unit/$(t)): | $(FAKE_NVML)

.PHONY: unit
unit: $(UNIT)
# `make unit-wire` builds and runs the unit tests of one layer.
any := %
unit-%: $$(filter $(BUILD)/tests/unit/$$*_$$(any),$(UNIT))
	$(Q)set -e; for t in $^; do echo "== $$t"; $$t; done

# tests/native/<what>_test.c is one cmocka program over the kernel side, the folder's other files are linked into each.
NATIVE := $(patsubst tests/native/%.c,$(BUILD)/tests/native/%,$(wildcard tests/native/*_test.c))
NATIVE_SHARED := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %_test.c,$(wildcard tests/native/*.c)) tests/servers/stream_uring.c)
$(BUILD)/tests/native/%: $(BUILD)/obj/tests/native/%.o $(NATIVE_SHARED) $(BUILD)/obj/libload.a $(BUILD)/obj/libbase.a
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -lcmocka -lbpf -lelf -lz -lpthread -o $@

# Of the loader's inside, one of them.
$(BUILD)/obj/tests/native/return_probe_test.o: $(BUILD)/bpf/tokscope.skel.h $(BUILD)/bpf/features.skel.h

.PHONY: native
native: $(NATIVE) targets

# Programs that tests probe, in other languages. Without a compiler there is none, and its test is skipped.
TARGETS := $(basename $(notdir $(wildcard tests/targets/*)))
CXX     ?= c++
have     = command -v $(1) >/dev/null || { echo "  no $(1): $@ is not built"; exit 0; }
$(BUILD)/tests/targets/%: tests/targets/%.cc
	@mkdir -p $(@D)
	$(Q)$(call have,$(CXX)); $(CXX) -O2 -g -Wall -Wextra $< -o $@
$(BUILD)/tests/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g $(WARN) -D_GNU_SOURCE $< -ldl -o $@
$(BUILD)/tests/targets/%: tests/targets/%.rs
	@mkdir -p $(@D)
	$(Q)$(call have,rustc); rustc -O -g -o $@ $<
$(BUILD)/tests/targets/%: tests/targets/%.go
	@mkdir -p $(@D)
	$(Q)$(call have,go); CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local go build -o $@ $<

.PHONY: targets
targets: $(TARGETS:%=$(BUILD)/tests/targets/%)

# tests/fuzz/<name>.c is one libFuzzer target, built with clang from the same sources.
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_FLAGS := -std=gnu11 -g -O1 -fno-sanitize-recover=undefined
$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call msg,CC-FUZZ,$@)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(BUILD)/fuzz/obj/user/probe/pack_builtin.o: $(PACKS)
# What collectors answer is the one input of the export layer that is fuzzed.
FUZZ_PROTO := $(PROTO:%=$(BUILD)/fuzz/obj/proto/%.pb-c.o)
$(FUZZ_PROTO): $(BUILD)/fuzz/obj/proto/%.o: $(BUILD)/proto/%.c | $(PROTO_C)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -w -c $< -o $@
$(BUILD)/fuzz/obj/user/export/otlp_response.o: | $(PROTO_C)
$(BUILD)/tests/fuzz/otlp_response: $(BUILD)/fuzz/obj/user/export/otlp_response.o $(FUZZ_PROTO)
# Of the CUPTI library, its reader of activity buffers.
$(BUILD)/tests/fuzz/cupti_pack: $(BUILD)/fuzz/obj/cupti/pack.o $(BUILD)/fuzz/obj/cupti/names.o
# And of kube, what an API server answers.
$(BUILD)/tests/fuzz/kube_pods: $(BUILD)/fuzz/obj/user/kube/pods.o

$(BUILD)/fuzz/obj/fuzzed.a: $(foreach l,base metric gpu wire discover probe track,$(call objs,$(BUILD)/fuzz/obj,$(l)))

$(BUILD)/tests/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(BUILD)/fuzz/obj/fuzzed.a
	@mkdir -p $(@D)
	$(call msg,FUZZ,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(filter %.o,$^) $(filter %.a,$^) -lelf -lz -lZydis -liberty -lyaml -lprotobuf-c -ljansson -lm -o $@

# Programs that tests, the demo and the bench share: the load generator (also the client-side oracle), a server.
$(BUILD)/tests/loadgen: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/bench/loadgen*.c))
$(BUILD)/tests/stream_server: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/servers/stream_*.c))
$(BUILD)/tests/loadgen $(BUILD)/tests/stream_server:
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -ljansson -lpthread -o $@

$(BUILD)/tests/syscall_cost: $(BUILD)/obj/tests/bench/syscall_cost.o
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -o $@

$(BUILD)/tests/probe_cost $(BUILD)/tests/cupti_cost: $(BUILD)/tests/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/obj/libload.a $(BUILD)/obj/libbase.a
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -lbpf -lelf -lz -lpthread -o $@

$(BUILD)/tests/libcuda_cost: $(BUILD)/obj/tests/bench/libcuda_cost.o $(foreach l,$(call upto,load),$(BUILD)/obj/lib$(l).a)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -ldl -o $@

$(BUILD)/tests/export_cost: $(BUILD)/obj/tests/bench/export_cost.o $(foreach l,$(call upto,export),$(BUILD)/obj/lib$(l).a)
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

# The kernels of tests/vm/kernels in QEMU, two at a time; K='6.1 6.12' chooses. tools/hook_table shows what works where.
.PHONY: test-vm run-vm
test-vm:
	$(Q)tools/setup vm
	$(Q)$(MAKE) --no-print-directory run-vm

run-vm: targets $(BUILD)/tokscope $(NATIVE) $(BUILD)/tests/stream_server
	$(Q)tests/vm/matrix --jobs 2 $(K)

# What the demo and the bench run.
.PHONY: programs
programs: $(BUILD)/tokscope $(BUILD)/tests/loadgen $(BUILD)/tests/stream_server $(BUILD)/tests/syscall_cost $(BUILD)/tests/probe_cost $(BUILD)/tests/cupti_cost $(BUILD)/tests/libcuda_cost $(BUILD)/tests/export_cost
	@:

# The acceptance list for a machine with a GPU, whose raw figures are kept in build/gpu: tests/gpu/run --help. fakes/ has a fake
# driver, to try the list itself without one.
GPU_TEST := $(BUILD)/tests/gpu
$(GPU_TEST)/workload: tests/gpu/workload.c tests/gpu/driver.c tests/gpu/driver.h
	@mkdir -p $(@D)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -D_GNU_SOURCE $(filter %.c,$^) -ldl -o $@

$(GPU_TEST)/fakes/libcuda.so.1: tests/gpu/fake_driver.c tests/cupti/fake_cuda.c tests/gpu/driver.h tests/cupti/fake_cupti.h
	@mkdir -p $(@D)
	$(Q)$(CUPTI_TEST_CC) -Wno-missing-prototypes -shared -Wl,-soname,$(@F) $(filter %.c,$^) -ldl -o $@

# ---------------------------------------------------------------- what a person types
.PHONY: setup test run-tests demo bench lint fuzz install
setup:
	$(Q)tools/setup all

# Sets itself up on a fresh machine, then builds and runs everything. T=substring runs some of it.
test:
	$(Q)tools/setup test
	$(Q)$(MAKE) --no-print-directory run-tests

$(BUILD)/obj/dumpable/privilege.o: user/cli/privilege.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -DTOKSCOPE_DUMPABLE -MMD -MP -c $< -o $@

# The agent with core dumps left on, for the canary test only.
$(BUILD)/tests/tokscope-dumpable: $(BUILD)/obj/dumpable/privilege.o $(BUILD)/tokscope
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(BUILD)/obj/user/main.o $< $(foreach l,$(call reverse,$(LAYERS)),$(BUILD)/obj/lib$(l).a) $(LIBS) -o $@

# Fuzz targets run this often in `make test`; `make fuzz` runs until interrupted, one target: F=name.
FUZZ_RUNS ?= 20000
pick = $(foreach p,$(1),$(if $(T),$(if $(findstring $(T),$(p)),$(p)),$(p)))
FUZZ_SPECS = $(foreach f,$(call pick,$(notdir $(FUZZ))),"fuzz_$(f)=tests/fuzz/run $(BUILD)/tests/fuzz/$(f) tests/fuzz/corpus/$(f) $(FUZZ_RUNS)")
# One kernel of `make test-vm`, one program in it.
VM_SPECS = $(foreach t,$(call pick,vm_6.1),"$(t)=tests/vm/matrix --fast") \
	$(foreach t,$(call pick,vm_outcome),"$(t)=/usr/bin/python3 -B tests/vm/test_outcome.py")
E2E_SPECS = $(foreach t,$(call pick,$(wildcard tests/e2e/test_*.py)),"$(basename $(notdir $(t)))=/usr/bin/python3 -B $(t)")

CUPTI_SPECS = $(foreach t,$(call pick,$(CUPTI_TESTS)),"cupti_$(subst /,_,$(t:$(CUPTI_TEST)/%=%))=$(t)") \
	$(foreach t,$(call pick,cupti_real),"$(t)=/usr/bin/python3 -B tests/cupti/test_real.py")

# The acceptance list itself is tried on the fakes by `make test-gpu`: it takes 100 s.
GPU_SPECS = $(foreach t,$(call pick,$(filter-out %/test_list.py,$(wildcard tests/gpu/test_*.py))),"gpu_$(patsubst test_%.py,%,$(notdir $(t)))=/usr/bin/python3 -B $(t)")

run-tests: $(GPU_TEST)/workload $(GPU_TEST)/fakes/libcuda.so.1 $(CUPTI_TESTS) $(CUPTI_TEST)/told $(CUPTI_TEST)/program targets $(FAKE_NVML) $(BUILD)/tokscope $(BUILD)/tests/tokscope-dumpable $(UNIT) $(FUZZ) $(NATIVE) $(BUILD)/tests/loadgen $(BUILD)/tests/stream_server
	$(Q)tools/fetch_llama $(BUILD)/llama || true
	$(Q)tests/run $(call pick,$(UNIT) $(NATIVE)) $(FUZZ_SPECS) $(CUPTI_SPECS) $(GPU_SPECS) $(E2E_SPECS) $(VM_SPECS)

# Real servers, fetched into build/servers: tests/servers/run --help. SERVER='vllm triton' tests some of them.
.PHONY: test-servers
test-servers:
	$(Q)tools/setup test
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tokscope $(BUILD)/tests/loadgen
	$(Q)tests/servers/run $(SERVER)

.PHONY: test-gpu
test-gpu:
	$(Q)tools/setup test
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tokscope $(BUILD)/libtokscope_cupti.so $(GPU_TEST)/workload \
		$(GPU_TEST)/fakes/libcuda.so.1 $(CUPTI_TESTS) $(CUPTI_TEST)/program
	$(Q)tests/run "gpu_list=/usr/bin/python3 -B tests/gpu/test_list.py"
	$(Q)tests/gpu/run

# Real back ends of OTLP, built into build/backends: tests/backends/run --help. BACKEND='jaeger' tests some of them.
.PHONY: test-backends
test-backends:
	$(Q)tools/setup test
	$(Q)$(MAKE) --no-print-directory $(BUILD)/tokscope $(BUILD)/tests/loadgen $(BUILD)/tests/stream_server
	$(Q)tests/backends/run $(BACKEND)

# Sets itself up on a fresh machine, builds, and shows the main job. DEMO_SECONDS=20 is the length of the load.
demo:
	+$(Q)tools/demo

# What tokscope costs, as paired ratios; B='throughput packs syscalls probes cupti libcuda rate export vm' runs some of it.
bench:
	$(Q)tools/setup demo
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)tools/fetch_llama $(BUILD)/llama || true
	$(Q)/usr/bin/python3 -B tests/bench/bench.py $(B)

# Formatting, layers, sizes, shell and Python scripts.
lint:
	$(Q)tools/lint

fuzz: $(if $(F),$(BUILD)/tests/fuzz/$(F))
	$(if $(F),,$(error which one? make fuzz F=NAME, where NAME is one of: $(notdir $(FUZZ))))
	@mkdir -p $(BUILD)/fuzz/$(F)
	$(BUILD)/tests/fuzz/$(F) -artifact_prefix=$(BUILD)/fuzz/$(F)- $(BUILD)/fuzz/$(F) tests/fuzz/corpus/$(F)

install: $(BUILD)/tokscope $(BUILD)/libtokscope_cupti.so
	install -D -m 755 $(BUILD)/tokscope $(DESTDIR)$(PREFIX)/bin/tokscope
	install -D -m 644 $(BUILD)/libtokscope_cupti.so $(DESTDIR)$(PREFIX)/lib/tokscope/libtokscope_cupti.so
	install -d $(DESTDIR)$(PREFIX)/share/man/man8
	$(BUILD)/tokscope help --man > $(DESTDIR)$(PREFIX)/share/man/man8/tokscope.8
	install -D -m 644 docs/tokscope.yaml $(DESTDIR)$(PREFIX)/share/doc/tokscope/tokscope.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin|$(PREFIX)/bin|' tools/deploy/tokscope.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/tokscope.service

-include $(shell find $(BUILD)/obj $(BUILD)/pic $(BUILD)/san $(BUILD)/fuzz/obj $(BUILD)/bpf -type f -name '*.d' 2>/dev/null)
.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD)/obj $(BUILD)/pic $(BUILD)/san $(BUILD)/fuzz/obj $(BUILD)/bpf $(BUILD)/proto $(BUILD)/tests $(BUILD)/tokscope $(BUILD)/libtokscope_cupti.so
