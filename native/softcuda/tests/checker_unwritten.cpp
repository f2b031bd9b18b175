// Reads of bytes that nothing wrote, in every space, and of bytes that each kind of writer wrote.
#include "checker_cases.h"

using cases::Case;
using cases::clean;
using cases::counting;
using cases::Run;

namespace {

constexpr size_t kBytes = 128;  // of 32 words

Case unwritten(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* what, const char* where = "") {
    return {std::move(name), kernel, std::move(setup), "uninitialized read", what, where, CUDA_ERROR_LAUNCH_FAILED};
}

// copy_words of `n` words from memory that `write` fills after it was allocated.
std::function<void(Run&)> copying(std::function<void(Run&, CUdeviceptr)> write, int n = 32) {
    return [=](Run& r) {
        CUdeviceptr out = r.fresh(kBytes), in = r.fresh(kBytes);
        write(r, in);
        r.argument(out);
        r.argument(in);
        r.argument(n);
        r.expect(out, counting(static_cast<size_t>(n)));
    };
}

void copyIn(CUdeviceptr to, size_t words) { MUST(cuMemcpyHtoD(to, counting(32).data(), words * 4)); }

void byKernel(Run& r, CUdeviceptr to, int n) { r.launch("fill", 32, {&to, &n}); }

void bytesByKernel(Run& r, CUdeviceptr to, int n) { r.launch("fill_bytes", 32, {&to, &n}); }

// `words` of the source are written; all of it is copied.
void throughCopy(Run& r, CUdeviceptr to, size_t words) {
    CUdeviceptr from = r.fresh(kBytes);
    copyIn(from, words);
    MUST(cuMemcpyDtoD(to, from, kBytes));
}

void rows(CUdeviceptr to, CUdeviceptr from, size_t width) {
    CUDA_MEMCPY2D copy = {};
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = from, copy.dstDevice = to;
    copy.srcPitch = copy.dstPitch = 64;
    copy.WidthInBytes = width, copy.Height = 2;
    MUST(cuMemcpy2DAsync(&copy, nullptr));
}

std::vector<Case> unwrittenGlobal() {
    const char* kCopy = "copy_words";
    const char* kText = "^4 bytes at 0x[0-9a-f]+, byte \\d+ of allocation \\d+ \\(cuMemAlloc, 128 bytes at 0x";
    return {
        unwritten("fresh memory", kCopy, copying([](Run&, CUdeviceptr) {}), kText, "thread \\(0,0,0\\)"),
        unwritten("half copied", kCopy, copying([](Run&, CUdeviceptr p) { copyIn(p, 16); }), "byte 64 of allocation", "thread \\(16,"),
        unwritten("partly set", kCopy, copying([](Run&, CUdeviceptr p) { MUST(cuMemsetD32(p, 0, 20)); }), "byte 80 of", "thread \\(20,"),
        unwritten("last byte not set", kCopy, copying([](Run&, CUdeviceptr p) { MUST(cuMemsetD8(p, 0, 127)); }), kText, "thread \\(31,"),
        unwritten("first byte not set", kCopy, copying([](Run&, CUdeviceptr p) { MUST(cuMemsetD8(p + 1, 0, 127)); }), kText,
                  "thread \\(0,"),
        unwritten("partly by a kernel", kCopy, copying([](Run& r, CUdeviceptr p) { byKernel(r, p, 30); }), kText, "thread \\(30,"),
        unwritten("bytes by a kernel", kCopy, copying([](Run& r, CUdeviceptr p) { bytesByKernel(r, p, 50); }), kText, "thread \\(12,"),
        unwritten("marks travel with copies", kCopy, copying([](Run& r, CUdeviceptr p) { throughCopy(r, p, 24); }), kText, "thread \\(24,"),
        unwritten("unwritten over written", kCopy, copying([](Run& r, CUdeviceptr p) {
                      copyIn(p, 32);
                      throughCopy(r, p, 8);
                  }),
                  kText, "thread \\(8,"),
        unwritten("rows of a copy", kCopy, copying([](Run& r, CUdeviceptr p) { rows(p, r.words(32), 60); }), kText, "thread \\(15,"),
        unwritten("nothing copied", kCopy, copying([](Run&, CUdeviceptr p) { cuMemcpyHtoD(p, counting(1).data(), 0); }), kText,
                  "thread \\(0,"),
        unwritten(
            "vector half written", "copy_float4",
            [](Run& r) {
                r.block = 8;
                r.argument(r.fresh(kBytes));
                CUdeviceptr in = r.fresh(kBytes);
                copyIn(in, 30);
                r.argument(in);
            },
            "^16 bytes at 0x[0-9a-f]+, byte 112 of allocation", "thread \\(7,"),
        unwritten(
            "atomic on fresh memory", "add_one", [](Run& r) { r.argument(r.fresh(kBytes)); }, kText),
        unwritten(
            "exchange of fresh memory", "exchange",
            [](Run& r) {
                r.argument(r.fresh(kBytes));
                r.argument(r.fresh(kBytes));
            },
            kText),
        unwritten(
            "fresh memory of the pool", kCopy,
            [](Run& r) {
                CUdeviceptr in;
                MUST(cuMemAllocAsync(&in, kBytes, nullptr));
                r.after([in] { cuMemFreeAsync(in, nullptr); });
                r.argument(r.fresh(kBytes));
                r.argument(in);
                r.argument(32);
            },
            "allocation \\d+ \\(cuMemAllocAsync, 128 bytes"),
    };
}

std::vector<Case> writtenGlobal() {
    const char* kCopy = "copy_words";
    auto atomics = [](Run& r) {
        CUdeviceptr p = r.fresh(kBytes);
        MUST(cuMemsetD32(p, 7, 32));
        r.argument(p);
        r.expect(p, counting(32, 7));
    };
    return {
        clean("copied", kCopy, copying([](Run&, CUdeviceptr p) { copyIn(p, 32); })),
        clean("copied late", kCopy, copying([](Run&, CUdeviceptr p) {
                  static const std::vector<unsigned> host = counting(32);
                  MUST(cuMemcpyHtoDAsync(p, host.data(), kBytes, nullptr));
              })),
        clean("what is read was copied", kCopy, copying([](Run&, CUdeviceptr p) { copyIn(p, 16); }, 16)),
        clean("by a kernel", kCopy, copying([](Run& r, CUdeviceptr p) { byKernel(r, p, 32); })),
        clean("device to device", kCopy, copying([](Run& r, CUdeviceptr p) { throughCopy(r, p, 32); })),
        clean("rows of a copy", kCopy, copying([](Run& r, CUdeviceptr p) { rows(p, r.words(32), 64); })),
        clean("overwritten after a copy of unwritten bytes", kCopy, copying([](Run& r, CUdeviceptr p) {
                  throughCopy(r, p, 0);
                  copyIn(p, 32);
              })),
        clean("nothing read", kCopy, copying([](Run&, CUdeviceptr) {}, 0)),
        clean("set, word by word", "add_one", atomics),
        clean("set and then changed by atomics", kCopy, copying([](Run& r, CUdeviceptr p) {
                  MUST(cuMemsetD8(p, 0, kBytes));
                  r.launch("add_one", 32, {&p});
              })),
        clean("the device's own output", kCopy,
              [](Run& r) {
                  CUdeviceptr p = r.words(32);
                  r.argument(p);
                  r.argument(p);
                  r.argument(32);
              }),
        clean("padded tail", "sum_padded",
              [](Run& r) {
                  CUdeviceptr out = r.fresh(4), in = r.fresh(kBytes);
                  copyIn(in, 10);
                  r.argument(out);
                  r.argument(in);
                  r.argument(10);
                  r.expect(out, {45});
              }),
    };
}

std::vector<Case> sharedAndLocal() {
    auto with = [](int n, unsigned threads = 64, unsigned dynamic = 0, unsigned blocks = 1) {
        return [=](Run& r) {
            r.block = threads, r.shared = dynamic, r.grid = blocks;
            r.argument(r.fresh(threads * blocks * 4));
            r.argument(n);
        };
    };
    auto local = [](int n, int index, unsigned threads) {
        return [=](Run& r) {
            r.block = threads;
            r.argument(r.fresh(threads * 4));
            r.argument(n);
            r.argument(index);
        };
    };
    return {
        unwritten("shared", "read_shared", with(60), "byte 240 of shared memory|byte 252 of shared memory", "thread \\([03],0,0\\)"),
        clean("shared", "read_shared", with(64)),
        unwritten("dynamic shared", "read_dynamic_shared", with(125, 32, 128), "byte 125 of shared memory", "thread \\(31,"),
        clean("dynamic shared", "read_dynamic_shared", with(128, 32, 128)),
        unwritten("shared memory of an earlier block", "read_stale_shared", with(5, 32, 0, 6), "shared memory", "block \\(5,0,0\\)"),
        clean("shared memory of its own block", "read_stale_shared", with(6, 32, 0, 6)),
        unwritten("local", "read_local", local(7, 4, 8), "byte 28 of local memory", "thread \\(3,"),
        clean("local", "read_local", local(7, 3, 4)),
        unwritten("local, nothing written", "read_local", local(0, 0, 32), "local memory", "thread \\(0,"),
        unwritten("local of an earlier call", "call_twice", local(5, 5, 32), "local memory", "thread \\(0,"),
        clean("local of each call", "call_twice", local(6, 5, 32)),
    };
}

}  // namespace

int main(int, char** argv) {
    cases::Suite suite(argv[1], "checker_unwritten");
    for (const auto& list : {unwrittenGlobal(), writtenGlobal(), sharedAndLocal()})
        for (const Case& c : list) suite.run(c);
    return report("checker_unwritten");
}
