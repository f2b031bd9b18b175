// What concerns more than one launch: parameters, memory freed too early or never, contexts that stay failed, order, poison.
#include <array>

#include "checker_cases.h"

using cases::Case;
using cases::Child;
using cases::clean;
using cases::configure;
using cases::counting;
using cases::inChild;
using cases::Run;

namespace {

using Words = std::vector<unsigned>;

std::string build;

void load(Run& r, const char* kernel) {
    openContext();
    MUST(cuModuleLoadData(&r.module, readFile(build + "/tests/kernels/checker_process.ptx").c_str()));
    MUST(cuModuleGetFunction(&r.function, r.module, kernel));
}

// --- Parameters in one buffer -----------------------------------------------------------------------------------------------------

CUresult launchBuffer(CUfunction function, void* buffer, size_t size) {
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
    return cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra);
}

void parameterSizes() {
    auto& results = cases::sharedWithChildren<std::array<CUresult, 6>>();
    auto& words = cases::sharedWithChildren<std::array<unsigned, 32>>();
    Child child = inChild([&] {
        configure("1", 1);
        Run r;
        load(r, "three_parameters");
        struct {
            CUdeviceptr out;
            unsigned char small;
            unsigned value;
            unsigned beyond[8];
        } packed = {r.fresh(128), 3, 40, {}};
        size_t at = 0;
        for (size_t size : {8, 12, 15, 40, 16}) results[at++] = launchBuffer(r.function, &packed, size);
        results[at] = cuCtxSynchronize();
        Words got = download<unsigned>(packed.out, 32);
        std::copy(got.begin(), got.end(), words.begin());
        r.release();
    });
    CHECK(child.ended(), "%s", child.errors.c_str());
    for (size_t k = 0; k < 4; k++) CHECK(results[k] == CUDA_ERROR_INVALID_VALUE, "wrong size %zu: result %d", k, results[k]);
    CHECK(results[4] == CUDA_SUCCESS && results[5] == CUDA_SUCCESS, "right size: results %d, %d", results[4], results[5]);
    for (unsigned word : words) CHECK(word == 43, "%u", word);
}

// --- Leaks ------------------------------------------------------------------------------------------------------------------------

Child leaving(const char* check, const std::function<void()>& body) {
    return inChild([&] {
        configure(check, 1);
        openContext();
        body();
    });
}

void leaks() {
    auto allocate = [](size_t bytes) {
        CUdeviceptr p;
        MUST(cuMemAlloc(&p, bytes));
        return p;
    };
    auto matches = [](const Child& child, const char* text) {
        return std::regex_match(child.errors, std::regex("softcuda: leak: " + std::string(text) + "\n"));
    };
    Child child = leaving("1", [&] { allocate(4000); });
    CHECK(child.ended() && matches(child, "1 allocation of 4000 bytes never freed: \\d+ \\(cuMemAlloc, 4000 bytes\\)"), "%s",
          child.errors.c_str());
    child = leaving("report", [&] { allocate(4000); });
    CHECK(child.ended() && matches(child, "1 allocation of 4000 bytes never freed: \\d+ \\(cuMemAlloc, 4000 bytes\\)"), "%s",
          child.errors.c_str());
    child = leaving("1", [&] {
        CUdeviceptr freed = allocate(100), p;
        MUST(cuMemAllocAsync(&p, 300, nullptr));
        MUST(cuCtxSynchronize());
        MUST(cuMemFree(freed));
        allocate(500);
    });
    CHECK(child.ended() &&
              matches(child,
                      "2 allocations of 800 bytes never freed: \\d+ \\(cuMemAllocAsync, 300 bytes\\), \\d+ \\(cuMemAlloc, 500 bytes\\)"),
          "%s", child.errors.c_str());
    child = leaving("1", [&] {
        MUST(cuMemFree(allocate(4000)));
        CUdeviceptr p;
        MUST(cuMemAllocAsync(&p, 300, nullptr));
        MUST(cuMemFreeAsync(p, nullptr));
        MUST(cuCtxSynchronize());
    });
    CHECK(child.ended() && child.errors.empty(), "nothing leaks: %s", child.errors.c_str());
    child = leaving("0", [&] { allocate(4000); });
    CHECK(child.ended() && child.errors.empty(), "unchecked: %s", child.errors.c_str());
}

// --- Memory freed in stream order ---------------------------------------------------------------------------------------------------

void frees(cases::Suite& suite) {
    auto pool = [](bool before) {
        return [before](Run& r) {
            MUST(cuStreamCreate(&r.stream, CU_STREAM_NON_BLOCKING));
            CUdeviceptr p;
            MUST(cuMemAllocAsync(&p, 128, r.stream));
            r.argument(p);
            auto free = [p, stream = r.stream] { cuMemFreeAsync(p, stream); };
            if (before)
                free();
            else
                r.after(free);
        };
    };
    auto freedAfterLaunch = [](Run& r) {
        CUdeviceptr p;
        MUST(cuMemAlloc(&p, 128));
        r.argument(p);
        r.after([p] { MUST(cuMemFree(p)); });
    };
    suite.run({"freed in its stream before the launch", "write_words", pool(true), "out of bounds",
               "byte 0 of freed allocation \\d+ \\(cuMemAllocAsync, 128 bytes", "thread \\(0,0,0\\)", CUDA_ERROR_ILLEGAL_ADDRESS});
    suite.run(clean("freed in its stream after the launch", "write_words", pool(false)));
    suite.run(clean("freed while the launch waits", "write_words", freedAfterLaunch));
}

// --- What a finding leaves behind -----------------------------------------------------------------------------------------------------

void contextStaysFailed() {
    auto& results = cases::sharedWithChildren<std::array<CUresult, 4>>();
    Child child = inChild([&] {
        configure("1", 1);
        Run r;
        load(r, "write_words");
        CUdeviceptr p = r.fresh(64), other = 0;
        r.argument(p);
        results[0] = r.launchAndWait();
        results[1] = cuCtxSynchronize();
        results[2] = cuMemAlloc(&other, 64);
        results[3] = cuMemcpyHtoD(p, counting(1).data(), 4);
    });
    CHECK(child.ended(), "%s", child.errors.c_str());
    for (CUresult result : results) CHECK(result == CUDA_ERROR_ILLEGAL_ADDRESS, "result %d", result);
}

void toldOnce() {
    Child child = inChild([&] {
        configure("report", 1);
        Run r;
        load(r, "write_words");
        r.grid = 8;
        r.argument(r.fresh(64));
        for (int k = 0; k < 3; k++) MUST(r.launchAndWait());
        r.release();
    });
    CHECK(child.ended(), "%s", child.errors.c_str());
    size_t first = child.errors.find("softcuda: out of bounds");
    CHECK(first == 0 && child.errors.find('\n') == child.errors.size() - 1, "%s", child.errors.c_str());
}

// --- Order and poison -----------------------------------------------------------------------------------------------------------------

// For each block or warp: how many-th it was.
Words order(const char* kernel, int seed, unsigned blocks, unsigned threads) {
    constexpr size_t kMost = 64;
    auto& shared = cases::sharedWithChildren<std::array<unsigned, kMost>>();
    size_t count = std::max(blocks, threads / 32);
    Child child = inChild([&] {
        configure("1", seed, "1");
        Run r;
        load(r, kernel);
        r.grid = blocks, r.block = threads;
        CUdeviceptr out = r.fresh(4 * count), counter = upload(Words(1, 0));
        r.argument(out);
        r.argument(counter);
        MUST(r.launchAndWait());
        Words words = download<unsigned>(out, count);
        std::copy(words.begin(), words.end(), shared.begin());
        MUST(cuMemFree(counter));
        r.release();
    });
    CHECK(child.ended() && child.errors.empty(), "%s: %s", kernel, child.errors.c_str());
    Words words(shared.begin(), shared.begin() + static_cast<std::ptrdiff_t>(count)), sorted = words;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == counting(count), "%s, seed %d: not an order", kernel, seed);
    return words;
}

void orders(const char* kernel, unsigned blocks, unsigned threads) {
    std::set<Words> different;
    for (int seed = 1; seed <= 5; seed++) {
        Words words = order(kernel, seed, blocks, threads);
        CHECK(words == order(kernel, seed, blocks, threads), "%s, seed %d: another order", kernel, seed);
        different.insert(words);
    }
    CHECK(different.size() == 5, "%s: %zu different orders under five seeds", kernel, different.size());
}

void poison() {
    auto& words = cases::sharedWithChildren<std::array<unsigned, 3>>();
    Child child = inChild([&] {
        configure("report", 1);
        Run r;
        load(r, "poison");
        r.block = 1;
        CUdeviceptr out = r.fresh(12), in = r.fresh(4104);
        MUST(cuMemcpyHtoD(in + 4096, Words({0, 5}).data(), 8));
        r.argument(out);
        r.argument(in);
        MUST(r.launchAndWait());
        Words got = download<unsigned>(out, 3);
        std::copy(got.begin(), got.end(), words.begin());
        r.release();
    });
    CHECK(child.ended(), "%s", child.errors.c_str());
    size_t told = 0;
    for (size_t at = 0; (at = child.errors.find("softcuda: uninitialized read: ", at)) != std::string::npos; at++) told++;
    CHECK(told == 3, "%s", child.errors.c_str());
    const char* spaces[] = {"global", "shared", "local"};
    for (size_t k = 0; k < 3; k++) CHECK(words[k] == 0xffffffffu, "%s memory held 0x%x", spaces[k], words[k]);
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    cases::Suite suite(build, "checker_process");
    parameterSizes();
    leaks();
    frees(suite);
    contextStaysFailed();
    toldOnce();
    orders("block_order", 64, 32);
    orders("warp_order", 1, 512);
    poison();
    return report("checker_process");
}
