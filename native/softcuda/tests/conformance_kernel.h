// The conformance tests of what takes more than one instruction: a kernel is given by its body, and what each thread writes is compared
// with what a host function says.
//
// In the body are known
//   %in, %out   addresses of this thread's words in global memory (Kernel::inWords and outWords of them; 0 words: of the first thread's)
//   %t, %own, %lane   index of the thread in the grid and in its block, and of its lane
//   %p<16> .pred, %h<32> .b16, %r<64> .b32, %d<48> .b64, %f<32> .f32, %x<16> .f64
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>

#include "harness.h"

namespace conformance {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// What every word of the output holds before the launch.
inline constexpr u32 kUntouched = 0xdeadbeef;

struct Shape {
    u32 x = 1, y = 1, z = 1;
    u32 count() const { return x * y * z; }
};

struct Kernel {
    const char* name;
    std::string body;
    std::vector<u32> in = {};
    u32 inWords = 1, outWords = 1;
    Shape block = {64}, grid = {2};
    std::string module = {};  // declarations of module scope
    u32 dynamicShared = 0;
    std::string target = "90";
};

// Numbers that look random and are the same in every run.
class Random {
public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {
        u64 z = state_ += 0x9e3779b97f4a7c15ull;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    u32 below(u32 limit) { return static_cast<u32>(next() % limit); }

private:
    u64 state_;
};

inline std::vector<u32> randomWords(std::size_t count, u64 seed) {
    Random random(seed);
    std::vector<u32> words(count);
    for (u32& w : words) w = static_cast<u32>(random.next());
    return words;
}

inline std::string header(const std::string& target) { return ".version 9.0\n.target sm_" + target + "\n.address_size 64\n"; }

inline std::string ptxOf(const Kernel& kernel) {
    auto own = [](u32 words, const char* base) {
        return "mad.wide.u32 " + std::string(base) + ", %t, " + std::to_string(4 * words) + ", " + base + ";\n";
    };
    std::string linear = "mov.u32 %t, %ctaid.z;\nmov.u32 %lane, %nctaid.y;\nmov.u32 %r0, %ctaid.y;\nmad.lo.u32 %t, %t, %lane, %r0;\n";
    linear += "mov.u32 %lane, %nctaid.x;\nmov.u32 %r0, %ctaid.x;\nmad.lo.u32 %t, %t, %lane, %r0;\n";
    linear += "mov.u32 %own, 0;\n";
    for (const char* axis : {"z", "y", "x"})
        linear += std::string("mov.u32 %lane, %ntid.") + axis + ";\nmov.u32 %r0, %tid." + axis +
                  ";\nmad.lo.u32 %t, %t, %lane, %r0;\nmad.lo.u32 %own, %own, %lane, %r0;\n";
    return header(kernel.target) + kernel.module + "\n.visible .entry test(.param .u64 input, .param .u64 output)\n{\n" +
           ".reg .pred %p<16>;\n.reg .b16 %h<32>;\n.reg .b32 %t, %own, %lane, %r<64>;\n.reg .b64 %in, %out, %d<48>;\n.reg .f32 %f<32>;\n" +
           ".reg .f64 %x<16>;\nld.param.u64 %in, [input];\nld.param.u64 %out, [output];\n" + linear + own(kernel.inWords, "%in") +
           own(kernel.outWords, "%out") + "mov.u32 %lane, %laneid;\n// --- body\n" + kernel.body + "\nret;\n}\n";
}

// With CONFORMANCE_PTX=FOLDER the kernels are written there and do not run: for ptxas to judge.
inline bool writePtx(const Kernel& kernel) {
    const char* folder = std::getenv("CONFORMANCE_PTX");
    if (folder == nullptr) return false;
    static int number = 0;
    std::string name = kernel.name;
    for (char& c : name)
        if (c == ' ' || c == '/' || c == '|') c = '_';
    std::ofstream(std::string(folder) + "/" + std::to_string(number++) + "_" + name + ".sm_" + kernel.target + ".ptx") << ptxOf(kernel);
    return true;
}

// A module of one test; unloads itself.
class Module {
public:
    Module(const std::string& ptx, const char* name) : name_(name) {
        CUresult result = cuModuleLoadData(&module_, ptx.c_str());
        CHECK(result == CUDA_SUCCESS, "%s is refused with code %d", name, result);
        if (result != CUDA_SUCCESS) module_ = nullptr;
    }
    ~Module() {
        if (module_ != nullptr) cuModuleUnload(module_);
    }
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    bool loaded() const { return module_ != nullptr; }
    CUmodule get() const { return module_; }

    // Launches and waits; false, with a failed check, if either does not succeed.
    bool launch(const char* function, Shape grid, Shape block, u32 dynamicShared, std::vector<void*> arguments) {
        CUfunction f;
        MUST(cuModuleGetFunction(&f, module_, function));
        if (dynamicShared > 48 * 1024)
            MUST(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(dynamicShared)));
        CUresult result =
            cuLaunchKernel(f, grid.x, grid.y, grid.z, block.x, block.y, block.z, dynamicShared, nullptr, arguments.data(), nullptr);
        if (result == CUDA_SUCCESS) result = cuCtxSynchronize();
        CHECK(result == CUDA_SUCCESS, "%s: the launch ends with code %d", name_, result);
        if (result != CUDA_SUCCESS) std::_Exit(1);  // the context is lost
        return true;
    }

private:
    CUmodule module_ = nullptr;
    const char* name_;
};

// The words that the threads wrote, thread by thread; empty if the kernel did not run.
inline std::vector<u32> run(const Kernel& kernel) {
    if (writePtx(kernel)) return {};
    Module module(ptxOf(kernel), kernel.name);
    if (!module.loaded()) return {};
    std::size_t threads = static_cast<std::size_t>(kernel.block.count()) * kernel.grid.count();
    std::vector<u32> in = kernel.in, out(std::max<std::size_t>(1, threads * kernel.outWords), kUntouched);
    in.resize(std::max<std::size_t>({1, in.size(), threads * kernel.inWords}));
    CUdeviceptr input = upload(in), output = upload(out);
    module.launch("test", kernel.grid, kernel.block, kernel.dynamicShared, {&input, &output});
    out = download<u32>(output, out.size());
    MUST(cuMemFree(input));
    MUST(cuMemFree(output));
    return out;
}

// Thread t must have written expected(t, k) as its word k.
template <class F>
inline void expect(const Kernel& kernel, F expected) {
    std::vector<u32> out = run(kernel);
    u32 wrong = 0;
    for (std::size_t at = 0; at < out.size() && kernel.outWords != 0; at++) {
        u32 t = static_cast<u32>(at / kernel.outWords), k = static_cast<u32>(at % kernel.outWords);
        u32 want = static_cast<u32>(expected(t, k));
        checks++;
        if (out[at] == want) continue;
        failures++;
        if (wrong++ < 4)
            std::fprintf(stderr, "%s: thread %u, word %u is 0x%x (%d), expected 0x%x (%d)\n", kernel.name, t, k, out[at],
                         static_cast<i32>(out[at]), want, static_cast<i32>(want));
    }
    if (wrong > 4) std::fprintf(stderr, "%s: %u words in all are wrong\n", kernel.name, wrong);
}

// The settings under which every program of these tests runs, each in a child process because they are read once.
inline const std::vector<std::vector<std::pair<const char*, const char*>>> kModes = {
    {},
    {{"SOFTCUDA_CHECK", "0"}},
    {{"SOFTCUDA_SEED", "20"}, {"SOFTCUDA_THREADS", "3"}, {"SOFTCUDA_COUNT", "/dev/null"}},
    {{"SOFTCUDA_ARCH", "100"}, {"SOFTCUDA_SEED", "3"}},
};

// Whether this process poses as a device of compute capability 10.0.
inline bool isSm100() {
    const char* arch = std::getenv("SOFTCUDA_ARCH");
    return std::getenv("CONFORMANCE_PTX") != nullptr || (arch != nullptr && std::string(arch) == "100");
}

// Runs `tests` in every mode; the exit code of the program.
inline int inEveryMode(const char* what, void (*tests)()) {
    if (std::getenv("CONFORMANCE_PTX") != nullptr) {
        tests();
        return 0;
    }
    int result = 0;
    for (const auto& mode : kModes) {
        pid_t child = fork();
        if (child == 0) {
            for (const auto& [name, value] : mode) setenv(name, value, 1);
            openContext();
            tests();
            std::string title = what;
            for (const auto& [name, value] : mode) title += std::string(" ") + name + "=" + value;
            std::exit(report(title.c_str()));
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) result = 1;
    }
    return result;
}

}  // namespace conformance
