// Out-of-bounds and misaligned accesses, and those that just fit.
#include "checker_cases.h"

using cases::Case;
using cases::clean;
using cases::counting;
using cases::Run;

namespace {

constexpr CUresult kIllegal = CUDA_ERROR_ILLEGAL_ADDRESS, kMisaligned = CUDA_ERROR_MISALIGNED_ADDRESS;

Case outside(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* what, const char* where = "") {
    return {std::move(name), kernel, std::move(setup), "out of bounds", what, where, kIllegal};
}

Case misaligned(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* what) {
    return {std::move(name), kernel, std::move(setup), "misaligned address", what, "thread \\(\\d+,0,0\\)", kMisaligned};
}

// read_global: `threads` words from `in` + base on.
std::function<void(Run&)> reading(std::function<CUdeviceptr(Run&)> in, long long base, unsigned threads = 32, unsigned blocks = 1) {
    return [=](Run& r) {
        r.block = threads, r.grid = blocks;
        CUdeviceptr out = r.fresh(threads * blocks * 4);
        r.argument(out);
        r.argument(in(r));
        r.argument(base);
        r.expect(out, counting(threads * blocks, static_cast<unsigned>(base)));
    };
}

std::function<CUdeviceptr(Run&)> words(size_t count) {
    return [=](Run& r) { return r.words(count); };
}

std::function<void(Run&)> writing(size_t words, long long base, const char* freeIt = nullptr) {
    return [=](Run& r) {
        CUdeviceptr out = freeIt == nullptr ? r.fresh(words * 4) : 0;
        if (freeIt != nullptr) {
            MUST(cuMemAlloc(&out, words * 4));
            MUST(cuMemFree(out));
        }
        r.argument(out);
        r.argument(base);
    };
}

CUdeviceptr freed(Run&) {
    CUdeviceptr p;
    MUST(cuMemAlloc(&p, 128));
    MUST(cuMemsetD8(p, 0, 128));
    MUST(cuMemFree(p));
    return p;
}

// After the end of its allocation and before the red zone's end, with another allocation behind.
CUdeviceptr between(Run& r) {
    CUdeviceptr p = r.words(64);
    r.words(64);
    return p + 64 * 4 + 40;
}

unsigned hostWords[32];

CUdeviceptr pageable(Run&) { return reinterpret_cast<CUdeviceptr>(hostWords); }

CUdeviceptr pinned(Run& r, size_t count) {
    void* p;
    MUST(cuMemHostAlloc(&p, count * 4, 0));
    for (size_t k = 0; k < count; k++) static_cast<unsigned*>(p)[k] = static_cast<unsigned>(k);
    r.after([p] {
        cuCtxSynchronize();
        cuMemFreeHost(p);
    });
    return reinterpret_cast<CUdeviceptr>(p);
}

unsigned* page() {
    auto* p = static_cast<unsigned*>(std::aligned_alloc(4096, 4096));
    for (unsigned k = 0; k < 1024; k++) p[k] = k;
    return p;
}

CUdeviceptr registered(Run& r) {
    unsigned* p = page();
    MUST(cuMemHostRegister(p, 4096, 0));
    r.after([p] {
        cuCtxSynchronize();
        cuMemHostUnregister(p);
    });
    return reinterpret_cast<CUdeviceptr>(p);
}

CUdeviceptr unregistered(Run&) {
    unsigned* p = page();
    MUST(cuMemHostRegister(p, 4096, 0));
    MUST(cuMemHostUnregister(p));
    return reinterpret_cast<CUdeviceptr>(p);
}

std::vector<Case> globalCases() {
    const char* kRead = "read_global";
    const char* kWrite = "write_global";
    return {
        outside("read one past the end", kRead, reading(words(31), 0),
                "^4 bytes at 0x[0-9a-f]+, 0 bytes past the end of allocation \\d+ \\(cuMemAlloc, 124 bytes at 0x[0-9a-f]+\\)",
                "block \\(0,0,0\\), thread \\(31,0,0\\)"),
        clean("read the last element", kRead, reading(words(32), 0)),
        clean("exactly 256 bytes", kRead, reading(words(64), 0, 64)),
        outside("one past 256 bytes", kRead, reading(words(64), 0, 65), "past the end of allocation \\d+ \\(cuMemAlloc, 256 bytes",
                "thread \\(64,0,0\\)"),
        outside("read one past in the second block", kRead, reading(words(63), 0, 32, 2), "past the end of allocation \\d+",
                "block \\(1,0,0\\), thread \\(31,0,0\\)"),
        outside("read far away", kRead, reading(words(32), 1ll << 28), "1073741696 bytes past the end of allocation \\d+", "thread \\(0,"),
        outside("read before the start", kRead, reading(words(32), -1), "4 bytes before the start of|past the end of", "thread \\(0,"),
        outside("read between allocations", kRead, reading(between, 0), "40 bytes past the end of allocation \\d+ \\(cuMemAlloc, 256 bytes",
                "thread \\(0,"),
        outside("read freed memory", kRead, reading(freed, 0), "byte 0 of freed allocation \\d+ \\(cuMemAlloc, 128 bytes", "thread \\(0,"),
        outside("read through null", kRead, reading([](Run&) -> CUdeviceptr { return 0; }, 0), "^4 bytes at 0x0, which is neither",
                "thread \\(0,"),
        outside("read host memory", kRead, reading(pageable, 0), "neither device memory nor pinned host memory", "thread \\(0,"),
        outside("read unregistered host memory", kRead, reading(unregistered, 0), "neither device memory nor pinned", "thread \\(0,"),
        clean("read registered host memory", kRead, reading(registered, 992)),
        outside("read past registered host memory", kRead, reading(registered, 993), "", "thread \\(31,"),
        clean("read pinned host memory", kRead, reading([](Run& r) { return pinned(r, 32); }, 0)),
        outside("read past pinned host memory", kRead, reading([](Run& r) { return pinned(r, 32); }, 1), "", "thread \\(31,"),
        outside("write one past the end", kWrite, writing(32, 1), "past the end of allocation \\d+ \\(cuMemAlloc, 128 bytes",
                "thread \\(31,0,0\\)"),
        clean("write the last element", kWrite, writing(32, 0)),
        outside("write far away", kWrite, writing(32, 1ll << 28), "past the end of allocation"),
        outside("write before the start", kWrite, writing(32, -3), "12 bytes before the start of|past the end of", "thread \\(0,"),
        outside("write freed memory", kWrite, writing(32, 0, "free"), "byte 0 of freed allocation \\d+"),
        outside(
            "write through null", kWrite,
            [](Run& r) {
                r.argument(CUdeviceptr{0});
                r.argument(16ll);
            },
            "^4 bytes at 0x40, which is neither"),
        outside(
            "write host memory", kWrite,
            [](Run& r) {
                r.argument(reinterpret_cast<CUdeviceptr>(hostWords));
                r.argument(0ll);
            },
            "neither device memory nor pinned"),
    };
}

std::vector<Case> moreGlobalCases() {
    auto adding = [](long long base) {
        return [=](Run& r) {
            r.argument(r.words(32));
            r.argument(base);
        };
    };
    auto guarded = [](Run& r) {
        r.grid = 2;
        CUdeviceptr out = r.fresh(45 * 4);
        r.argument(out);
        r.argument(r.words(45));
        r.argument(45);
        r.expect(out, counting(45));
    };
    auto bytes = [](size_t count) {
        return [=](Run& r) {
            r.argument(r.fresh(32));
            CUdeviceptr in = r.fresh(count);
            MUST(cuMemsetD8(in, 1, count));
            r.argument(in);
        };
    };
    auto table = [](int base) {
        return [=](Run& r) {
            r.block = 4;
            CUdeviceptr out = r.fresh(16);
            r.argument(out);
            r.argument(base);
            r.expect(out, counting(4, static_cast<unsigned>(base)));
        };
    };
    auto generic = [](size_t index, bool inShared) {
        return [=](Run& r) {
            r.argument(r.fresh(128));
            r.argument(r.words(20));
            r.argument(static_cast<int>(index));
            r.argument(inShared ? 1 : 0);
        };
    };
    return {
        outside("atomic past the end", "add_global", adding(5), "past the end of allocation", "thread \\(27,"),
        clean("atomic on the last element", "add_global", adding(0)),
        clean("guarded tail", "copy_guarded", guarded),
        outside("byte past the end", "read_bytes", bytes(31), "allocation \\d+ \\(cuMemAlloc, 31 bytes", "thread \\(31,"),
        clean("last byte", "read_bytes", bytes(32)),
        outside("past the end in a function", "read_in_function", reading(words(31), 0), "past the end", "thread \\(31,"),
        clean("last element in a function", "read_in_function", reading(words(32), 0)),
        outside("past a module's variable", "read_table", table(5), "past the end of allocation \\d+ \\(variable table of", "thread \\(3,"),
        clean("last of a module's variable", "read_table", table(4)),
        outside("generic past the end", "read_generic", generic(20, false), "past the end of allocation \\d+ \\(cuMemAlloc, 80 bytes"),
        clean("generic last element", "read_generic", generic(19, false)),
        outside("generic past shared memory", "read_generic", generic(32, true), "shared memory"),
        clean("generic last of shared memory", "read_generic", generic(31, true)),
    };
}

// read_* and write_* of a vector at a byte offset of 64 bytes.
std::function<void(Run&)> atOffset(long long offset, bool reads, size_t bytes = 64) {
    return [=](Run& r) {
        r.block = 1;
        if (reads) r.argument(r.fresh(64));
        r.argument(r.words(bytes / 4));
        r.argument(offset);
    };
}

std::vector<Case> alignmentCases() {
    auto shared = [](int offset) {
        return [=](Run& r) {
            r.argument(r.fresh(512));
            r.argument(offset);
        };
    };
    return {
        misaligned("float4 at +4", "read_float4", atOffset(4, true), "0x[0-9a-f]+04"),
        misaligned("float4 at +8", "read_float4", atOffset(8, true), "0x[0-9a-f]+08"),
        clean("float4 at +16", "read_float4", atOffset(16, true)),
        clean("float4 at the end", "read_float4", atOffset(48, true)),
        outside("float4 past the end", "read_float4", atOffset(48, true, 56), "8 of its 16 bytes past the end of allocation"),
        misaligned("write float4 at +4", "write_float4", atOffset(4, false), "0x"),
        clean("write float4 at +32", "write_float4", atOffset(32, false)),
        misaligned("float2 at +4", "read_float2", atOffset(4, true), "0x"),
        clean("float2 at +8", "read_float2", atOffset(8, true)),
        misaligned("double at +4", "read_double", atOffset(4, true), "0x"),
        clean("double at +8", "read_double", atOffset(56, true)),
        misaligned("short at +1", "write_short", atOffset(1, false), "0x"),
        clean("short at +2", "write_short", atOffset(2, false)),
        misaligned("atomic at +2", "add_misaligned", atOffset(2, false), "0x"),
        clean("atomic at +4", "add_misaligned", atOffset(4, false)),
        misaligned("shared float4 at +4", "read_shared_float4", shared(4), "shared memory|byte 4"),
        clean("shared float4 at +16", "read_shared_float4", shared(16)),
        misaligned("shared double at +4", "write_shared_double", shared(4), "shared memory|byte 4"),
        clean("shared double at +8", "write_shared_double", shared(8)),
        misaligned("local double at +4", "read_local_double", shared(4), "local memory|byte 4"),
        clean("local double at +8", "read_local_double", shared(8)),
    };
}

std::vector<Case> sharedAndLocalCases() {
    auto at = [](int index, unsigned dynamic = 0) {
        return [=](Run& r) {
            r.shared = dynamic;
            r.argument(r.fresh(512));
            r.argument(index);
        };
    };
    const char* kShared = "shared memory";
    const char* kLocal = "local memory";
    return {
        outside("static shared past the end", "read_static_shared", at(32), kShared, "thread \\(0,"),
        outside("static shared before the start", "read_static_shared", at(-1), kShared),
        outside("static shared far away", "read_static_shared", at(1 << 20), kShared),
        clean("static shared last element", "read_static_shared", at(31)),
        outside("write static shared past the end", "write_static_shared", at(32), kShared, "thread \\(3,"),
        outside("write static shared before the start", "write_static_shared", at(-1), kShared, "thread \\(3,"),
        clean("write static shared last element", "write_static_shared", at(31)),
        outside("dynamic shared past the end", "read_dynamic_shared", at(33, 132), kShared, "thread \\(0,"),
        outside("no dynamic shared memory", "write_dynamic_shared", at(0, 0), kShared, "thread \\(0,"),
        outside("write dynamic shared past the end", "write_dynamic_shared", at(2, 132), kShared, "thread \\(31,"),
        clean("write dynamic shared last element", "write_dynamic_shared", at(1, 132)),
        clean("dynamic shared", "read_dynamic_shared", at(31, 128)),
        outside("local past the end", "read_local", at(8), kLocal, "thread \\(0,"),
        outside("local before the start", "read_local", at(-1), kLocal),
        outside("local far away", "read_local", at(100000), kLocal),
        clean("local last element", "read_local", at(7)),
        outside("write local past the end", "write_local", at(8), kLocal, "thread \\(0,"),
        outside("write local before the start", "write_local", at(-2), kLocal),
        clean("write local last element", "write_local", at(7)),
    };
}

}  // namespace

int main(int, char** argv) {
    cases::Suite suite(argv[1], "checker_memory");
    for (const auto& list : {globalCases(), moreGlobalCases(), alignmentCases(), sharedAndLocalCases()})
        for (const Case& c : list) suite.run(c);
    return report("checker_memory");
}
