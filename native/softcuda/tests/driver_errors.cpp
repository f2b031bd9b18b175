// Error names and strings: every code of cuda.h, and no other number.
#include "driver.h"

namespace {

struct Name {
    CUresult code;
    const char* name;
};
#define NAME(code) \
    { code, #code }
const Name kNames[] = {
    // clang-format off
    NAME(CUDA_SUCCESS), NAME(CUDA_ERROR_INVALID_VALUE), NAME(CUDA_ERROR_OUT_OF_MEMORY), NAME(CUDA_ERROR_NOT_INITIALIZED),
    NAME(CUDA_ERROR_DEINITIALIZED), NAME(CUDA_ERROR_PROFILER_DISABLED), NAME(CUDA_ERROR_PROFILER_NOT_INITIALIZED),
    NAME(CUDA_ERROR_PROFILER_ALREADY_STARTED), NAME(CUDA_ERROR_PROFILER_ALREADY_STOPPED), NAME(CUDA_ERROR_STUB_LIBRARY),
    NAME(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER), NAME(CUDA_ERROR_DEVICE_UNAVAILABLE), NAME(CUDA_ERROR_NO_DEVICE),
    NAME(CUDA_ERROR_INVALID_DEVICE), NAME(CUDA_ERROR_DEVICE_NOT_LICENSED), NAME(CUDA_ERROR_INVALID_IMAGE),
    NAME(CUDA_ERROR_INVALID_CONTEXT), NAME(CUDA_ERROR_CONTEXT_ALREADY_CURRENT), NAME(CUDA_ERROR_MAP_FAILED),
    NAME(CUDA_ERROR_UNMAP_FAILED), NAME(CUDA_ERROR_ARRAY_IS_MAPPED), NAME(CUDA_ERROR_ALREADY_MAPPED), NAME(CUDA_ERROR_NO_BINARY_FOR_GPU),
    NAME(CUDA_ERROR_ALREADY_ACQUIRED), NAME(CUDA_ERROR_NOT_MAPPED), NAME(CUDA_ERROR_NOT_MAPPED_AS_ARRAY),
    NAME(CUDA_ERROR_NOT_MAPPED_AS_POINTER), NAME(CUDA_ERROR_ECC_UNCORRECTABLE), NAME(CUDA_ERROR_UNSUPPORTED_LIMIT),
    NAME(CUDA_ERROR_CONTEXT_ALREADY_IN_USE), NAME(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED), NAME(CUDA_ERROR_INVALID_PTX),
    NAME(CUDA_ERROR_INVALID_GRAPHICS_CONTEXT), NAME(CUDA_ERROR_NVLINK_UNCORRECTABLE), NAME(CUDA_ERROR_JIT_COMPILER_NOT_FOUND),
    NAME(CUDA_ERROR_UNSUPPORTED_PTX_VERSION), NAME(CUDA_ERROR_JIT_COMPILATION_DISABLED), NAME(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY),
    NAME(CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC), NAME(CUDA_ERROR_CONTAINED), NAME(CUDA_ERROR_INVALID_SOURCE),
    NAME(CUDA_ERROR_FILE_NOT_FOUND), NAME(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND), NAME(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED),
    NAME(CUDA_ERROR_OPERATING_SYSTEM), NAME(CUDA_ERROR_INVALID_HANDLE), NAME(CUDA_ERROR_ILLEGAL_STATE), NAME(CUDA_ERROR_LOSSY_QUERY),
    NAME(CUDA_ERROR_NOT_FOUND), NAME(CUDA_ERROR_NOT_READY), NAME(CUDA_ERROR_ILLEGAL_ADDRESS), NAME(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES),
    NAME(CUDA_ERROR_LAUNCH_TIMEOUT), NAME(CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING), NAME(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED),
    NAME(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED), NAME(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE), NAME(CUDA_ERROR_CONTEXT_IS_DESTROYED),
    NAME(CUDA_ERROR_ASSERT), NAME(CUDA_ERROR_TOO_MANY_PEERS), NAME(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED),
    NAME(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED), NAME(CUDA_ERROR_HARDWARE_STACK_ERROR), NAME(CUDA_ERROR_ILLEGAL_INSTRUCTION),
    NAME(CUDA_ERROR_MISALIGNED_ADDRESS), NAME(CUDA_ERROR_INVALID_ADDRESS_SPACE), NAME(CUDA_ERROR_INVALID_PC),
    NAME(CUDA_ERROR_LAUNCH_FAILED), NAME(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE), NAME(CUDA_ERROR_TENSOR_MEMORY_LEAK),
    NAME(CUDA_ERROR_NOT_PERMITTED), NAME(CUDA_ERROR_NOT_SUPPORTED), NAME(CUDA_ERROR_SYSTEM_NOT_READY),
    NAME(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH), NAME(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE), NAME(CUDA_ERROR_MPS_CONNECTION_FAILED),
    NAME(CUDA_ERROR_MPS_RPC_FAILURE), NAME(CUDA_ERROR_MPS_SERVER_NOT_READY), NAME(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED),
    NAME(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED), NAME(CUDA_ERROR_MPS_CLIENT_TERMINATED), NAME(CUDA_ERROR_CDP_NOT_SUPPORTED),
    NAME(CUDA_ERROR_CDP_VERSION_MISMATCH), NAME(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED), NAME(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED),
    NAME(CUDA_ERROR_STREAM_CAPTURE_MERGE), NAME(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED), NAME(CUDA_ERROR_STREAM_CAPTURE_UNJOINED),
    NAME(CUDA_ERROR_STREAM_CAPTURE_ISOLATION), NAME(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT), NAME(CUDA_ERROR_CAPTURED_EVENT),
    NAME(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD), NAME(CUDA_ERROR_TIMEOUT), NAME(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE),
    NAME(CUDA_ERROR_EXTERNAL_DEVICE), NAME(CUDA_ERROR_INVALID_CLUSTER_SIZE), NAME(CUDA_ERROR_FUNCTION_NOT_LOADED),
    NAME(CUDA_ERROR_INVALID_RESOURCE_TYPE), NAME(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION), NAME(CUDA_ERROR_KEY_ROTATION),
    NAME(CUDA_ERROR_UNKNOWN),
    // clang-format on
};

void everyCodeHasNameAndString() {
    for (const Name& known : kNames) {
        const char *name = nullptr, *text = nullptr;
        OK(cuGetErrorName(known.code, &name));
        CHECK(name != nullptr && std::string(name) == known.name, "%d is %s, not %s", known.code, name == nullptr ? "null" : name,
              known.name);
        OK(cuGetErrorString(known.code, &text));
        CHECK(text != nullptr && *text != 0 && std::string(text) != known.name, "%s: string '%s'", known.name,
              text == nullptr ? "null" : text);
    }
}

void otherNumbersHaveNone() {
    unsigned named = 0;
    for (int code = -1; code <= 1100; code++) {
        const char *name = "kept", *text = "kept";
        CUresult result = static_cast<CUresult>(code), a = cuGetErrorName(result, &name), b = cuGetErrorString(result, &text);
        if (a == CUDA_SUCCESS) {
            named++;
            CHECK(b == CUDA_SUCCESS, "%d has a name and no string", code);
        } else {
            EXPECT(a, CUDA_ERROR_INVALID_VALUE);
            EXPECT(b, CUDA_ERROR_INVALID_VALUE);
            CHECK(name == nullptr && text == nullptr, "%d leaves what was there", code);
        }
    }
    CHECK(named == std::size(kNames), "%u codes are named, %zu are in cuda.h", named, std::size(kNames));
}

// The strings that programs print most.
void knownStrings() {
    const std::pair<CUresult, const char*> known[] = {{CUDA_SUCCESS, "no error"},
                                                      {CUDA_ERROR_INVALID_VALUE, "invalid argument"},
                                                      {CUDA_ERROR_OUT_OF_MEMORY, "out of memory"},
                                                      {CUDA_ERROR_NOT_INITIALIZED, "initialization error"},
                                                      {CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"},
                                                      {CUDA_ERROR_NOT_FOUND, "named symbol not found"},
                                                      {CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"},
                                                      {CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"},
                                                      {CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"},
                                                      {CUDA_ERROR_UNKNOWN, "unknown error"}};
    for (const auto& [code, wanted] : known) {
        const char* text = nullptr;
        OK(cuGetErrorString(code, &text));
        CHECK(text != nullptr && std::string(text) == wanted, "'%s' is not '%s'", text == nullptr ? "null" : text, wanted);
    }
}

}  // namespace

int main() {
    group("names", everyCodeHasNameAndString);
    group("other numbers", otherNumbersHaveNone);
    group("strings", knownStrings);
    return report("driver_errors");
}
