// Calls, printf, assert and trap: kernels/conformance_calls.cu from both front ends of nvcc, and calls as PTX allows and nvcc does not
// write them. Argument: build folder.
#include <sys/stat.h>

#include <algorithm>
#include <cmath>

#include "conformance_kernel.h"

using namespace conformance;

namespace {

std::string folder;

std::string kernels() { return readFile(folder + "/tests/kernels/conformance_calls" + (isSm100() ? ".sm100.ptx" : ".ptx")); }

// Runs a kernel with an array of ints and compares it.
template <class F>
void check(const Module& module, const char* kernel, Shape grid, Shape block, u32 perThread, std::vector<void*> more, F expected) {
    u32 count = grid.count() * block.count() * perThread;
    CUdeviceptr out = upload(std::vector<i32>(count, -12345));
    more.insert(more.begin(), &out);
    const_cast<Module&>(module).launch(kernel, grid, block, 0, more);
    std::vector<i32> got = download<i32>(out, count);
    for (u32 k = 0; k < count; k++) {
        i32 want = expected(static_cast<i32>(k / perThread), k % perThread);
        CHECK(got[k] == want, "%s: thread %u, word %u is %d, expected %d", kernel, k / perThread, k % perThread, got[k], want);
    }
    MUST(cuMemFree(out));
}

void byValue(const Module& module) {
    int n = 150;
    check(module, "byValue", {2}, {96}, 4, {&n}, [&](i32 t, u32 k) {
        if (t >= n) return -12345;
        if (k == 0) return t - 3 * t + 2 * t;
        if (k == 1) return 3 * t * 256 + (t + 1) % 256;
        if (k == 2) return t % 2 ? -t : t;
        u32 bytes[3];
        for (i32 i = 0; i < 3; i++) bytes[i] = static_cast<u8>(t * 7 + 6 - 3 * i);
        return static_cast<i32>(bytes[0] | bytes[1] << 8 | bytes[2] << 16);
    });
}

u32 depth(i32 n, u32 seed) {
    auto own = [&](u32 i) { return seed + i * static_cast<u32>(n); };
    if (n <= 0) return own(seed & 3);
    return own(static_cast<u32>(n) & 3) + depth(n - 1, seed * 3 + 1);
}

void nested(const Module& module) {
    std::vector<i32> values = {101, 55, 77, 49, 1001, 26, 30};
    CUdeviceptr in = upload(values);
    int n = static_cast<int>(values.size());
    check(module, "nested", {2}, {70}, 4, {&in, &n}, [&](i32 t, u32 k) {
        if (k == 0) return static_cast<i32>(depth(t % 9, static_cast<u32>(t)));
        if (k == 1) return t % 7 % 2 == 0 ? 1 : 0;
        if (k == 3) return t % 3 == 0 ? static_cast<i32>(depth(2, static_cast<u32>(t & 1 ? -t : t))) : 5;
        for (int i = 0; i < n; i++) {
            if (values[i] % (t % 13 + 2) == 0) return i;
            if (values[i] > 1000) return -2;
        }
        return -1;
    });
    MUST(cuMemFree(in));
}

void someLanes(const Module& module) {
    check(module, "someLanes", {2}, {96}, 1, {}, [](i32 t, u32) {
        i32 x = t;
        for (i32 i = 0; i < t % 5; i++) {
            i32 argument = i % 2 ? x : x + 3;
            if (argument % 11 == 7) return -argument;
            x = argument * 2 + 1;
        }
        return x % 4 == 1 ? x + 1 : x;
    });
}

void sharing(const Module& module) {
    i32 want[128];
    for (i32 b = 0; b < 2; b++) {
        i32 sums[64] = {};
        for (i32 round = 0; round < 3; round++) {
            i32 given[64];
            for (i32 t = 0; t < 64; t++) given[t] = sums[t] + (b * 64 + (t ^ 33)) * 5 + round;
            for (i32 t = 0; t < 64; t++) sums[t] = sums[t] * 2 + given[t ^ 33];
        }
        std::copy(sums, sums + 64, want + b * 64);
    }
    check(module, "sharing", {2}, {64}, 1, {}, [&](i32 t, u32) { return want[t]; });
}

// --- printf -----------------------------------------------------------------------------------------------------------------------

// What is written to a file descriptor while `run` runs.
template <class F>
std::string captured(int descriptor, F run) {
    std::fflush(nullptr);
    char name[] = "/tmp/softcuda-XXXXXX";
    int file = mkstemp(name), before = dup(descriptor);
    dup2(file, descriptor);
    run();
    std::fflush(nullptr);
    dup2(before, descriptor);
    close(before);
    close(file);
    std::string text = readFile(name);
    unlink(name);
    return text;
}

std::vector<std::string> sortedLines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
}

void printing(Module& module) {
    CUdeviceptr text = upload(std::vector<char>{'r', 'i', 'g', 'h', 't', 0});
    double real = 3.25;
    std::string got = captured(1, [&] { module.launch("print", {1}, {40}, 0, {&text, &real}); });
    MUST(cuMemFree(text));
    std::string want;
    for (u32 t : {3u, 19u, 35u}) {
        char line[512];
        std::snprintf(line, sizeof line, "[%u] %d %5d|%-4d|%05d %u %x %X %o %c %%\n", t, -7, 42, 42, 42, 4000000000u, 255, 255, 8, 'z');
        want += line;
        std::snprintf(line, sizeof line, "%f %.2f %10.3e %g %s <%8s> %lld %llu %p\n", real, 2.0f / 3, real * 1e10, 1e-5, "text", "right",
                      -5000000000ll, ~0ull, reinterpret_cast<void*>(0x1234));
        want += line;
        want += "    12 -3 -4 4\nno arguments\n0\n";
    }
    CHECK(sortedLines(got) == sortedLines(want), "printf wrote\n%s expected, in any order of threads,\n%s", got.c_str(), want.c_str());
}

// --- Calls in PTX -----------------------------------------------------------------------------------------------------------------

const char* const kFunctions = R"(
    .func (.param .b32 result) twice(.param .b32 x)
    {
        .reg .b32 %r<3>;
        .reg .pred %p<2>;
        ld.param.u32 %r1, [x];
        setp.gt.u32 %p1, %r1, 1000;
        st.param.u32 [result], 5000;
        @%p1 ret;
        add.u32 %r2, %r1, %r1;
        st.param.u32 [result], %r2;
        ret;
    }
    .func (.param .align 16 .b8 result[16]) quad(.param .align 8 .b8 x[12], .param .b64 y)
    {
        .reg .b32 %r<5>;
        .reg .b16 %h<2>;
        .reg .b64 %d<2>;
        ld.param.v2.u32 {%r1, %r2}, [x];
        ld.param.s8 %r3, [x+8];
        ld.param.u16 %h1, [x+10];
        ld.param.u64 %d1, [y];
        cvt.u32.u64 %r4, %d1;
        add.u32 %r1, %r1, %r4;
        st.param.v4.b32 [result], {%r1, %r2, %r3, %r4};
        st.param.u16 [result+14], %h1;
        ret;
    }
    .func nothing() { ret; }
    .global .b32 unused;
    .func (.param .b32 r) outer(.param .b32 n);
    .func (.param .b32 r) outer(.param .b32 n)
    {
        .reg .b32 %r<5>;
        .reg .pred %p<2>;
        .local .align 4 .b32 own[2];
        ld.param.u32 %r1, [n];
        st.local.u32 [own+4], %r1;
        setp.eq.u32 %p1, %r1, 0;
        mov.u32 %r2, 1;
        @%p1 bra out;
        sub.u32 %r2, %r1, 1;
        { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call (b), outer, (a); ld.param.b32 %r2, [b]; }
        ld.local.u32 %r3, [own+4];
        mul.lo.u32 %r2, %r2, %r3;
    out:
        st.param.u32 [r], %r2;
    })";

void ptxCalls() {
    expect({.name = "calls under guards and in branches",
            .body = R"(
        mov.u32 %r2, 7;
        mov.u32 %r3, 9;
        setp.lt.u32 %p1, %lane, 11;
        { .param .b32 a; .param .b32 b;
        mul.lo.u32 %r1, %t, 40;
        st.param.b32 [a], %r1;
        call.uni (b), twice, (a);
        ld.param.b32 %r2, [b]; }
        { .param .b32 a; .param .b32 b;
        st.param.b32 [a], %t;
        @%p1 call (b), twice, (a);
        ld.param.b32 %r5, [b]; }
        @%p1 mov.u32 %r3, %r5;
        @!%p1 call nothing;
        and.b32 %r4, %t, 3;
        setp.ne.u32 %p2, %r4, 0;
        @%p2 bra skip;
        { .param .b32 a; .param .b32 b;
        rem.u32 %r4, %t, 10;
        st.param.b32 [a], %r4;
        call (b), outer, (a);
        ld.param.b32 %r4, [b]; }
    skip:
        st.global.v4.u32 [%out], {%r2, %r3, %r4, %r4};)",
            .outWords = 4,
            .module = kFunctions},
           [](u32 t, u32 k) {
               if (k == 0) return t * 40 > 1000 ? 5000 : t * 80;
               if (k == 1) return t % 32 < 11 ? 2 * t : 9;
               u32 product = 1;
               for (u32 i = 1; i <= t % 10; i++) product *= i;
               return t % 4 ? t % 4 : product;
           });
    expect({.name = "structs and vectors as parameters and results",
            .body = R"(
        mov.u64 %d1, 1000;
        cvt.u16.u32 %h1, %t;
        { .param .align 8 .b8 a[12]; .param .b64 y; .param .align 16 .b8 b[16];
        st.param.v2.b32 [a], {%t, %lane};
        st.param.b8 [a+8], -3;
        st.param.b16 [a+10], %h1;
        st.param.b64 [y], %d1;
        call (b), quad, (a, y);
        ld.param.v4.b32 {%r1, %r2, %r3, %r4}, [b]; }
        st.global.v4.u32 [%out], {%r1, %r2, %r3, %r4};)",
            .outWords = 4,
            .module = kFunctions},
           [](u32 t, u32 k) {
               const u32 want[] = {t + 1000, t % 32, static_cast<u32>(-3), 1000 | t << 16};
               return want[k];
           });
}

// --- What ends a kernel -----------------------------------------------------------------------------------------------------------

// Launches one block of 32 threads in a child, which must fail with `code`; stderr must hold every one of `words`.
void fails(const char* kernel, const char* check, CUresult code, std::initializer_list<const char*> words) {
    bool right = false;
    std::string text = captured(2, [&] {
        pid_t child = fork();
        if (child == 0) {
            setenv("SOFTCUDA_CHECK", check, 1);
            openContext();
            CUmodule module;
            CUfunction function;
            MUST(cuModuleLoadData(&module, kernels().c_str()));
            MUST(cuModuleGetFunction(&function, module, kernel));
            CUdeviceptr out = upload(std::vector<u32>(32));
            int n = 5;
            void* arguments[] = {std::strcmp(kernel, "assertion") == 0 ? static_cast<void*>(&n) : &out};
            MUST(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, nullptr, arguments, nullptr));
            bool same = cuCtxSynchronize() == code && cuCtxSynchronize() == code && cuMemFree(out) == code;
            std::_Exit(same ? 0 : 1);
        }
        int status;
        right = waitpid(child, &status, 0) == child && status == 0;
    });
    CHECK(right, "%s with SOFTCUDA_CHECK=%s does not fail with code %d for good", kernel, check, code);
    for (const char* word : words) CHECK(text.find(word) != std::string::npos, "'%s' is missing in: %s", word, text.c_str());
}

void all() {
    ptxCalls();
    if (std::getenv("CONFORMANCE_PTX") != nullptr) return;
    Module module(kernels(), "conformance_calls");
    if (!module.loaded()) return;
    byValue(module);
    nested(module);
    someLanes(module);
    sharing(module);
    printing(module);
}

}  // namespace

int main(int, char** argv) {
    folder = argv[1];
    if (std::getenv("CONFORMANCE_PTX") != nullptr) return inEveryMode("calls", all);
    for (const char* check : {"0", "1", "report"}) {
        fails("assertion", check, CUDA_ERROR_ASSERT, {"threadIdx.x) < n", "conformance_calls.cu:", "thread (5,0,0)"});
        fails("trapping", check, CUDA_ERROR_LAUNCH_FAILED, {"trap", "thread (5,0,0)"});
    }
    int result = inEveryMode("calls", all);
    return report("ends of kernels") != 0 ? 1 : result;
}
