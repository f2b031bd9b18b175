// Kernels that fail: the launch succeeds, the next call that waits says how it failed, and so does every later call; the process ends
// cleanly.
#include "driver.h"

namespace {

std::string build;

struct Fault {
    const char* kernel;
    CUresult code;
    const char* word;  // that the report on stderr has
    const char* line;  // the source line, as the report tells it
    unsigned threads;
    bool checked;  // only the checker finds it
};

const Fault kFaults[] = {{"write_past", CUDA_ERROR_ILLEGAL_ADDRESS, "out of bounds", "driver_faults.cu:4", 1, true},
                         {"read_null", CUDA_ERROR_ILLEGAL_ADDRESS, "0x0", "driver_faults.cu:6", 1, false},
                         {"misaligned", CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned", "driver_faults.cu:8", 1, false},
                         {"trapped", CUDA_ERROR_LAUNCH_FAILED, "trap", "driver_faults.cu:11", 32, false},
                         {"asserted", CUDA_ERROR_ASSERT, "assert", "driver_faults.cu:16", 32, false},
                         {"raced", CUDA_ERROR_LAUNCH_FAILED, "race", "driver_faults.cu:24", 64, true}};

struct Session {
    Session() {
        openContext();
        module = loadModule(build + "/tests/kernels/driver_faults.ptx");
        MUST(cuMemAlloc(&memory, 256));
        MUST(cuMemsetD8(memory, 0, 256));
        MUST(cuCtxSynchronize());
        stream = newStream(CU_STREAM_NON_BLOCKING);
    }
    CUresult start(const Fault& fault) {
        CUfunction function = functionOf(module, fault.kernel);
        CUdeviceptr null = 0;
        int n = 64;
        void *withNumber[] = {&memory, &n}, *withPointer[] = {&memory, &null}, *alone[] = {&memory};
        void** arguments = fault.kernel == std::string("write_past")  ? withNumber
                           : fault.kernel == std::string("read_null") ? withPointer
                                                                      : alone;
        return cuLaunchKernel(function, 1, 1, 1, fault.threads, 1, 1, 0, stream, arguments, nullptr);
    }
    CUmodule module;
    CUdeviceptr memory;
    CUstream stream;
};

// Every call that works with the context gives the code, whatever else is wrong with it.
void sticky(Session& s, CUresult code) {
    CUdeviceptr p = 0;
    CUstream stream = nullptr;
    CUevent event = nullptr;
    CUmodule module = nullptr;
    size_t bytes;
    int word = 0, value = 0;
    void* host = nullptr;
    EXPECT(cuCtxSynchronize(), code);
    EXPECT(cuStreamSynchronize(s.stream), code);
    EXPECT(cuStreamSynchronize(nullptr), code);
    EXPECT(cuStreamQuery(s.stream), code);
    EXPECT(cuMemAlloc(&p, 64), code);
    EXPECT(cuMemAllocAsync(&p, 64, s.stream), code);
    EXPECT(cuMemHostAlloc(&host, 64, 0), code);
    EXPECT(cuMemGetInfo(&bytes, &bytes), code);
    EXPECT(cuMemcpyDtoH(&word, s.memory, 4), code);
    EXPECT(cuMemcpyHtoD(s.memory, &word, 4), code);
    EXPECT(cuMemcpyDtoHAsync(&word, s.memory, 4, s.stream), code);
    EXPECT(cuMemsetD8(s.memory, 0, 4), code);
    EXPECT(cuMemsetD32Async(s.memory, 0, 1, s.stream), code);
    EXPECT(cuStreamCreate(&stream, 0), code);
    EXPECT(cuEventCreate(&event, 0), code);
    EXPECT(cuModuleLoadData(&module, readFile(build + "/tests/kernels/driver_faults.ptx").c_str()), code);
    EXPECT(cuLaunchHostFunc(
               s.stream, [](void*) {}, nullptr),
           code);
    EXPECT(cuMemFree(s.memory), code);
    OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0));
    const char* name = nullptr;
    OK(cuGetErrorName(code, &name));
    CUcontext context = nullptr;
    OK(cuCtxGetCurrent(&context));
    CHECK(context != nullptr);
}

void faultOf(const Fault& fault, const char* check) {
    bool fails = std::string(check) == "1" || !fault.checked;
    Outcome outcome = runChild(
        [&] {
            Session s;
            bool called = false;
            OK(s.start(fault));
            CUresult queued = cuLaunchHostFunc(
                s.stream, [](void* data) { *static_cast<bool*>(data) = true; }, &called);
            // The kernel may have failed by now, or not yet.
            CHECK(queued == CUDA_SUCCESS || (fails && queued == fault.code), "cuLaunchHostFunc gave %d", queued);
            if (!fails) {
                OK(cuStreamSynchronize(s.stream));
                CHECK(called);
                return;
            }
            EXPECT(cuStreamSynchronize(s.stream), fault.code);
            CHECK(!called, "a host function was called after a fault");
            sticky(s, fault.code);
        },
        {{"SOFTCUDA_CHECK", check}});
    CHECK(outcome.code == 0, "%s, check %s: exit code %d, signal %d: %s", fault.kernel, check, outcome.code, outcome.signal,
          outcome.errors.c_str());
    if (!fails) return;
    for (const char* word : {fault.word, fault.line, fault.kernel})
        CHECK(outcome.says(word), "%s, check %s: the report lacks '%s': %s", fault.kernel, check, word, outcome.errors.c_str());
}

// With `report` a finding is told and the kernel goes on.
void reported(const Fault& fault) {
    Outcome outcome = runChild(
        [&] {
            Session s;
            OK(s.start(fault));
            OK(s.start(fault));
            OK(cuStreamSynchronize(s.stream));
            OK(cuMemFree(s.memory));
        },
        {{"SOFTCUDA_CHECK", "report"}});
    CHECK(outcome.code == 0, "%s: exit code %d, signal %d: %s", fault.kernel, outcome.code, outcome.signal, outcome.errors.c_str());
    for (const char* word : {fault.word, fault.line, fault.kernel})
        CHECK(outcome.says(word), "%s: the report lacks '%s': %s", fault.kernel, word, outcome.errors.c_str());
}

// The fault shows wherever the host waits: by event, by query, by the context, by a synchronous copy, by another stream.
void whereItShows() {
    const Fault& fault = kFaults[0];
    const std::function<CUresult(Session&, CUevent)> ways[] = {
        [](Session&, CUevent event) { return cuEventSynchronize(event); }, [](Session&, CUevent) { return cuCtxSynchronize(); },
        [](Session&, CUevent event) {
            CUresult result;
            while ((result = cuEventQuery(event)) == CUDA_ERROR_NOT_READY) std::this_thread::yield();
            return result;
        },
        [](Session& s, CUevent) {
            CUresult result;
            while ((result = cuStreamQuery(s.stream)) == CUDA_ERROR_NOT_READY) std::this_thread::yield();
            return result;
        },
        [](Session& s, CUevent event) {
            CUstream other = newStream(CU_STREAM_NON_BLOCKING);
            int word;
            MUST(cuStreamWaitEvent(other, event, 0));
            return cuMemcpyDtoHAsync(&word, s.memory, 4, other) == CUDA_SUCCESS ? cuStreamSynchronize(other) : fault.code;
        }};
    for (const auto& way : ways) {
        Outcome outcome = runChild([&] {
            Session s;
            CUevent event = newEvent();
            OK(s.start(fault));
            OK(cuEventRecord(event, s.stream));
            EXPECT(way(s, event), fault.code);
            EXPECT(cuEventQuery(event), fault.code);
        });
        CHECK(outcome.code == 0, "exit code %d, signal %d: %s", outcome.code, outcome.signal, outcome.errors.c_str());
    }
}

// A program that never looks still ends, and the report is still told.
void neverLooked() {
    Outcome outcome = runChild([] {
        Session s;
        OK(s.start(kFaults[0]));
        OK(cuStreamQuery(nullptr));
    });
    CHECK(outcome.code == 0 && outcome.signal == 0, "exit code %d, signal %d", outcome.code, outcome.signal);
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    for (const Fault& fault : kFaults) {
        faultOf(fault, "1");
        if (fault.kernel != std::string("read_null") && fault.kernel != std::string("write_past")) faultOf(fault, "0");
        if (fault.checked) reported(fault);
    }
    whereItShows();
    neverLooked();
    return report("driver_faults");
}
