// Streams: creation, order, work that runs late, host functions, per-thread streams, misuse.
#include <memory>

#include "driver.h"

namespace {

std::string build;

// What host functions append to, in the order in which they run.
struct Log {
    struct Entry {
        Log* log;
        int number;
    };
    void add(CUstream stream, int number) {
        entries.push_back(std::make_unique<Entry>(Entry{this, number}));
        OK(cuLaunchHostFunc(stream, &Log::run, entries.back().get()));
    }
    static void CUDA_CB run(void* data) {
        Entry* entry = static_cast<Entry*>(data);
        entry->log->order.push_back(entry->number);
    }
    std::vector<std::unique_ptr<Entry>> entries;
    std::vector<int> order;
};

void creation() {
    openContext();
    CUstream stream = nullptr, other = nullptr;
    for (unsigned flags : {CU_STREAM_DEFAULT, CU_STREAM_NON_BLOCKING}) {
        OK(cuStreamCreate(&stream, flags));
        CHECK(stream != nullptr);
        OK(cuStreamQuery(stream));
        OK(cuStreamSynchronize(stream));
        OK(cuStreamDestroy(stream));
        EXPECT(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE);
        EXPECT(cuStreamDestroy(stream), CUDA_ERROR_INVALID_HANDLE);
    }
    for (int priority : {0, -1, -100, 100}) {
        OK(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, priority));
        OK(cuStreamDestroy(stream));
    }
    OK(cuStreamCreate(&stream, 0));
    OK(cuStreamCreate(&other, 0));
    CHECK(stream != other);
    OK(cuStreamDestroy(stream));
    OK(cuStreamDestroy(other));
    EXPECT(cuStreamCreate(nullptr, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamCreate(&stream, 0x80), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamCreateWithPriority(nullptr, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamCreateWithPriority(&stream, 0x80, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamDestroy(nullptr), CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamQuery(nullptr));
    OK(cuStreamSynchronize(nullptr));
    OK(cuStreamSynchronize(CU_STREAM_LEGACY));
    OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
}

void withoutContext() {
    MUST(cuInit(0));
    CUstream stream = nullptr;
    CUevent event = nullptr;
    EXPECT(cuStreamCreate(&stream, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuStreamCreateWithPriority(&stream, 0, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuStreamSynchronize(nullptr), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuStreamQuery(nullptr), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuEventCreate(&event, 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuLaunchHostFunc(
               nullptr, [](void*) {}, nullptr),
           CUDA_ERROR_INVALID_CONTEXT);
}

void late() {
    openContext();
    CUstream stream = newStream();
    Log log;
    Gate gate(stream);
    for (int i = 0; i < 20; i++) log.add(stream, i);
    EXPECT(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
    CHECK(log.order.empty());
    gate.open();
    OK(cuStreamSynchronize(stream));
    OK(cuStreamQuery(stream));
    CHECK(gate.passed());
    CHECK(log.order.size() == 20 && std::is_sorted(log.order.begin(), log.order.end()));
    OK(cuStreamDestroy(stream));
}

// Everything in a stream runs in its order: kernels, copies, fills and host functions.
void order() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction plus = functionOf(module, "plus");
    CUstream stream = newStream();
    CUdeviceptr a, b;
    MUST(cuMemAlloc(&a, 512));
    MUST(cuMemAlloc(&b, 512));
    int *host = pinned<int>(128), seen = -1;
    std::pair<int*, int*> both{host, &seen};
    OK(cuMemsetD32Async(a, 10, 128, stream));
    OK(launch(plus, 1, 128, stream, b, a, 5, 128));
    OK(cuMemsetD32Async(a, 1, 128, stream));
    OK(launch(plus, 1, 128, stream, b, b, 100, 128));
    OK(cuMemcpyDtoHAsync(host, b, 512, stream));
    OK(cuLaunchHostFunc(
        stream,
        [](void* data) {
            auto* parts = static_cast<std::pair<int*, int*>*>(data);
            *parts->second = *parts->first;
            for (int i = 0; i < 128; i++) parts->first[i] += 1000;
        },
        &both));
    OK(cuMemcpyHtoDAsync(a, host, 512, stream));
    OK(cuMemcpyDtoDAsync(b, a, 512, stream));
    OK(cuStreamSynchronize(stream));
    CHECK(seen == 115 && download<int>(b, 128) == std::vector<int>(128, 1115), "%d", seen);
    OK(cuMemFreeHost(host));
    OK(cuMemFree(a));
    OK(cuMemFree(b));
    OK(cuStreamDestroy(stream));
    OK(cuModuleUnload(module));
}

// A stream that is destroyed still does its work; cuCtxSynchronize waits for all streams.
void destroyedWithWork() {
    openContext();
    CUstream stream = newStream(CU_STREAM_NON_BLOCKING), other = newStream();
    Log log, more;
    Gate gate(stream);
    log.add(stream, 1);
    more.add(other, 2);
    OK(cuStreamDestroy(stream));
    CHECK(log.order.empty());
    gate.open();
    OK(cuCtxSynchronize());
    CHECK(log.order.size() == 1 && more.order.size() == 1);
    OK(cuStreamDestroy(other));
}

void hostFunctions() {
    openContext();
    CUstream stream = newStream();
    EXPECT(cuLaunchHostFunc(stream, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    int inside = -1;
    OK(cuLaunchHostFunc(
        stream,
        [](void* data) {
            CUstream made;
            *static_cast<int*>(data) = cuStreamCreate(&made, 0);
        },
        &inside));
    OK(cuStreamSynchronize(stream));
    CHECK(inside == CUDA_ERROR_NOT_PERMITTED, "%d", inside);
    OK(cuStreamDestroy(stream));
    EXPECT(cuLaunchHostFunc(
               stream, [](void*) {}, nullptr),
           CUDA_ERROR_INVALID_HANDLE);
}

// Each thread has its own stream under one name, and it works with the legacy stream as blocking streams do.
void perThread() {
    CUcontext context = openContext();
    Log log;
    Gate gate(CU_STREAM_PER_THREAD);
    log.add(CU_STREAM_PER_THREAD, 1);
    EXPECT(cuStreamQuery(CU_STREAM_PER_THREAD), CUDA_ERROR_NOT_READY);
    std::thread([&] {
        MUST(cuCtxSetCurrent(context));
        OK(cuStreamQuery(CU_STREAM_PER_THREAD));
        OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
    }).join();
    CHECK(log.order.empty());
    log.add(nullptr, 2);
    log.add(CU_STREAM_PER_THREAD, 3);
    gate.open();
    OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
    CHECK(log.order == (std::vector<int>{1, 2, 3}));
}

// Small works from many threads, each in its own stream.
void threads() {
    CUcontext context = openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction plus = functionOf(module, "plus");
    std::vector<int> results(4, -1);
    std::vector<std::thread> all;
    for (int t = 0; t < 4; t++) {
        all.emplace_back([&, t] {
            CUdeviceptr memory = 0;
            bool good = cuCtxSetCurrent(context) == CUDA_SUCCESS;
            CUstream stream = newStream(CU_STREAM_NON_BLOCKING);
            good &= cuMemAlloc(&memory, 256) == CUDA_SUCCESS && cuMemsetD32Async(memory, 0, 64, stream) == CUDA_SUCCESS;
            for (int i = 0; i < 25; i++) good &= launch(plus, 2, 32, stream, memory, memory, t + 1, 64) == CUDA_SUCCESS;
            int value = -1;
            good &= cuMemcpyDtoHAsync(&value, memory + 252, 4, stream) == CUDA_SUCCESS && cuStreamSynchronize(stream) == CUDA_SUCCESS;
            good &= cuStreamDestroy(stream) == CUDA_SUCCESS && cuMemFree(memory) == CUDA_SUCCESS;
            if (good) results[static_cast<size_t>(t)] = value;
        });
    }
    for (std::thread& thread : all) thread.join();
    CHECK(results == (std::vector<int>{25, 50, 75, 100}), "%d %d %d %d", results[0], results[1], results[2], results[3]);
    OK(cuModuleUnload(module));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    group("creation", creation);
    group("without context", withoutContext);
    group("late", late);
    group("order", order);
    group("destroyed with work", destroyedWithWork);
    group("host functions", hostFunctions);
    group("per thread", perThread);
    group("threads", threads);
    return report("driver_streams");
}
