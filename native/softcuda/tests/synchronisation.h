// Kernels of the tests of mbarriers and fences.
#pragma once

#include "conformance_values.h"
#include "harness.h"

namespace conformance {

inline constexpr u32 kUntouched = 0xabababab;

// With CONFORMANCE_PTX=FOLDER every module is written there, for ptxas to judge.
inline void keepPtx(const std::string& ptx) {
    static int number = 0;
    const char* folder = std::getenv("CONFORMANCE_PTX");
    if (folder != nullptr) std::ofstream(std::string(folder) + "/synchronisation." + std::to_string(number++) + ".sm_90.ptx") << ptx;
}

// A kernel with %in and %out (64-bit), %t, %lane, %warp and %block, some registers, and shared memory: `bars` (1024 bytes) and `data`.
inline std::string kernelText(const std::string& body) {
    return ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 pi, .param .u64 po)\n{\n"
           ".shared .align 16 .b64 bars[128];\n.shared .align 16 .b32 data[1024];\n"
           ".reg .b32 %t, %lane, %warp, %block, %bar, %x<20>;\n.reg .b64 %in, %out, %bar64, %any, %w<8>, %s<99>;\n.reg .pred %p, %q, "
           "%r;\n"
           "ld.param.u64 %in, [pi];\nld.param.u64 %out, [po];\nmov.u32 %t, %tid.x;\nmov.u32 %block, %ctaid.x;\n"
           "and.b32 %lane, %t, 31;\nshr.u32 %warp, %t, 5;\n" +
           body + "\nret;\n}\n";
}

// Runs it; the code of the launch, and what is left in the output.
inline CUresult launch(const std::string& body, const std::vector<u32>& in, std::vector<u32>& out, u32 blocks, u32 threads) {
    std::string ptx = kernelText(body);
    keepPtx(ptx);
    CUmodule module;
    CUfunction function;
    MUST(cuModuleLoadData(&module, ptx.c_str()));
    MUST(cuModuleGetFunction(&function, module, "k"));
    CUdeviceptr input = upload(in), output = upload(out);
    void* arguments[] = {&input, &output};
    MUST(cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, nullptr, arguments, nullptr));
    CUresult result = cuCtxSynchronize();
    if (result != CUDA_SUCCESS) return result;
    out = download<u32>(output, out.size());
    for (CUdeviceptr p : {input, output}) MUST(cuMemFree(p));
    MUST(cuModuleUnload(module));
    return result;
}

}  // namespace conformance
