// cuOccupancyMaxActiveBlocksPerMultiprocessor against numbers worked out by hand.
//
// A multiprocessor of capability 9.0 holds 32 blocks, 64 warps, 65536 registers and 228 KiB of shared memory, 1 KiB of which each block
// takes for the system; 8.0: 164 KiB. Registers are given to warps in units of 256, to warps in fours.
#include "driver.h"

namespace {

std::string build;

int blocksOf(CUfunction function, int threads, size_t shared) {
    int blocks = -1;
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads, shared));
    return blocks;
}

struct Case {
    int threads;
    size_t shared;
    int blocks;
};

void check(CUfunction function, std::initializer_list<Case> cases) {
    for (const Case& c : cases) {
        int got = blocksOf(function, c.threads, c.shared);
        CHECK(got == c.blocks, "%d threads, %zu bytes: %d blocks, not %d", c.threads, c.shared, got, c.blocks);
    }
}

// A kernel of no register to speak of: warps, blocks and shared memory decide.
void byThreadsAndShared() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction none = functionOf(module, "none");
    OK(cuFuncSetAttribute(none, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232448));
    check(none, {{1, 0, 32},
                 {32, 0, 32},
                 {64, 0, 32},
                 {65, 0, 21},
                 {96, 0, 21},
                 {128, 0, 16},
                 {256, 0, 8},
                 {512, 0, 4},
                 {1000, 0, 2},
                 {1024, 0, 2}});
    // 233472 / (shared + 1024), shared rounded up to 128 bytes
    check(none, {{32, 6272, 32},
                 {32, 6273, 31},
                 {32, 49152, 4},
                 {32, 57344, 4},
                 {32, 57345, 3},
                 {32, 102400, 2},
                 {32, 115712, 2},
                 {32, 115713, 1},
                 {32, 232448, 1}});
    check(none, {{1024, 49152, 2}, {256, 32768, 6}});
    OK(cuModuleUnload(module));
}

void onA100() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction none = functionOf(module, "none");
    OK(cuFuncSetAttribute(none, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 166912));
    EXPECT(cuFuncSetAttribute(none, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 166913), CUDA_ERROR_INVALID_VALUE);
    // 167936 / (shared + 1024)
    check(none, {{32, 0, 32}, {1024, 0, 2}, {32, 49152, 3}, {32, 82944, 2}, {32, 82945, 1}, {32, 166912, 1}});
    OK(cuModuleUnload(module));
}

// Static shared memory counts as dynamic does: 4096 + 1024 bytes a block.
void withStaticShared() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    check(functionOf(module, "bounded"), {{32, 0, 32}, {32, 2176, 32}, {32, 2177, 31}, {128, 4096, 16}, {128, 16384, 10}});
    OK(cuModuleUnload(module));
}

// 120 floats that live at once: many registers, whose number the attribute tells.
void byRegisters() {
    openContext();
    std::string text =
        ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n.reg .f32 %f<121>;\n.reg .b64 %rd<2>;\n"
        "ld.param.u64 %rd1, [p];\ncvta.to.global.u64 %rd1, %rd1;\n";
    for (int i = 0; i < 120; i++) text += "ld.global.f32 %f" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
    for (int i = 0; i < 120; i++) text += "st.global.f32 [%rd1+" + std::to_string(4 * (119 - i)) + "], %f" + std::to_string(i) + ";\n";
    CUmodule module = nullptr;
    OK(cuModuleLoadData(&module, (text + "ret;\n}\n").c_str()));
    if (module == nullptr) return;
    CUfunction function = functionOf(module, "k");
    int registers = 0;
    OK(cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
    CHECK(registers >= 120 && registers <= 255, "%d registers", registers);
    int ofWarp = (registers * 32 + 255) / 256 * 256, warps = 65536 / ofWarp / 4 * 4;
    for (int threads : {32, 64, 128, 256, 512}) {
        int wanted = std::min(32, warps / (threads / 32)), got = blocksOf(function, threads, 0);
        CHECK(got == wanted, "%d registers, %d threads: %d blocks, not %d", registers, threads, got, wanted);
    }
    OK(cuModuleUnload(module));
}

void misuse() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction none = functionOf(module, "none");
    int blocks;
    EXPECT(cuOccupancyMaxActiveBlocksPerMultiprocessor(nullptr, none, 32, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, none, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, none, -32, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nullptr, 32, 0), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_HANDLE);
    OK(cuModuleUnload(module));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("threads and shared memory", byThreadsAndShared);
    group("8.0", onA100, {{"SOFTCUDA_ARCH", "80"}});
    group("static shared memory", withStaticShared);
    group("registers", byRegisters);
    group("misuse", misuse);
    return report("driver_occupancy");
}
