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
            return {"CUBLAS_STATUS_NOT_INITIALIZED", "there is no handle or no context"};
        case CUBLAS_STATUS_ALLOC_FAILED:
            return {"CUBLAS_STATUS_ALLOC_FAILED", "out of memory"};
        case CUBLAS_STATUS_INVALID_VALUE:
            return {"CUBLAS_STATUS_INVALID_VALUE", "an argument is out of range or contradicts another one"};
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return {"CUBLAS_STATUS_ARCH_MISMATCH", "this device cannot do it"};
        case CUBLAS_STATUS_MAPPING_ERROR:
            return {"CUBLAS_STATUS_MAPPING_ERROR", "device memory could not be reached"};
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return {"CUBLAS_STATUS_EXECUTION_FAILED", "the work could not be launched or failed"};
        case CUBLAS_STATUS_INTERNAL_ERROR:
            return {"CUBLAS_STATUS_INTERNAL_ERROR", "an error inside of the library"};
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return {"CUBLAS_STATUS_NOT_SUPPORTED", "this combination is not offered"};
        case CUBLAS_STATUS_LICENSE_ERROR:
            return {"CUBLAS_STATUS_LICENSE_ERROR", "no licence"};
    }
    return {"unrecognized status", "unrecognized status"};
}

}  // namespace

const char* cublasLtGetStatusName(cublasStatus_t status) { return textOf(status).name; }
const char* cublasLtGetStatusString(cublasStatus_t status) { return textOf(status).description; }
const char* cublasGetStatusName(cublasStatus_t status) { return textOf(status).name; }
const char* cublasGetStatusString(cublasStatus_t status) { return textOf(status).description; }
