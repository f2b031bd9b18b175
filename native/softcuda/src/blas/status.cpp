// Names and descriptions of statuses.
#include "cublas_types.h"

namespace {

struct Text {
    const char* name;
    const char* description;
};

Text textOf(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return {"CUBLAS_STATUS_SUCCESS", "success"};
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return {"CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"};
        case CUBLAS_STATUS_ALLOC_FAILED:
            return {"CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"};
        case CUBLAS_STATUS_INVALID_VALUE:
            return {"CUBLAS_STATUS_INVALID_VALUE", "an unsupported value or parameter was passed to the function"};
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return {"CUBLAS_STATUS_ARCH_MISMATCH", "the function requires an architectural feature absent from the device"};
        case CUBLAS_STATUS_MAPPING_ERROR:
            return {"CUBLAS_STATUS_MAPPING_ERROR", "an access to GPU memory space failed"};
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return {"CUBLAS_STATUS_EXECUTION_FAILED", "the function failed to launch on the GPU"};
        case CUBLAS_STATUS_INTERNAL_ERROR:
            return {"CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"};
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return {"CUBLAS_STATUS_NOT_SUPPORTED", "the requested functionality is not supported"};
        case CUBLAS_STATUS_LICENSE_ERROR:
            return {"CUBLAS_STATUS_LICENSE_ERROR", "the license check failed"};
    }
    return {"unrecognized status", "unrecognized status"};
}

}  // namespace

const char* cublasLtGetStatusName(cublasStatus_t status) { return textOf(status).name; }
const char* cublasLtGetStatusString(cublasStatus_t status) { return textOf(status).description; }
const char* cublasGetStatusName(cublasStatus_t status) { return textOf(status).name; }
const char* cublasGetStatusString(cublasStatus_t status) { return textOf(status).description; }
