// Modules and the kernels that programs get from them.
#pragma once

#include <atomic>

#include "context.h"

namespace softcuda {

struct Module : Object {
    std::shared_ptr<const Program> program;
    std::vector<CUfunction> functions;  // in the order of Program::kernels()
};

// What a CUfunction stands for.
struct EntryPoint : Object {
    std::shared_ptr<Module> module;
    const Kernel* kernel = nullptr;
    std::atomic<u32> maxDynamicShared{0};
    std::atomic<int> carveout{-1};
};

inline std::shared_ptr<EntryPoint> entryPointOf(const Context& context, CUfunction handle) {
    auto entry = find<EntryPoint>(handle);
    return entry != nullptr && entry->owner == &context ? entry : nullptr;
}

// Threads a block that the kernel's launch bounds and (estimated) registers allow.
u32 maxThreadsOf(const Kernel& kernel);

}  // namespace softcuda
