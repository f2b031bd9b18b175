// Creating, setting and destroying descriptors.
#include "descriptors.h"

#include <new>

namespace {

template <class T>
cublasStatus_t create(T** result) {
    if (result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *result = new (std::nothrow) T();
    return *result == nullptr ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_SUCCESS;
}

template <class T>
cublasStatus_t set(T* object, int attribute, const void* value, size_t bytes) {
    return object != nullptr && object->set(attribute, value, bytes) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

}  // namespace

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld) {
    cublasStatus_t status = create(layout);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    (*layout)->put(CUBLASLT_MATRIX_LAYOUT_TYPE, type);
    (*layout)->put(CUBLASLT_MATRIX_LAYOUT_ROWS, rows);
    (*layout)->put(CUBLASLT_MATRIX_LAYOUT_COLS, cols);
    (*layout)->put(CUBLASLT_MATRIX_LAYOUT_LD, ld);
    (*layout)->put(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 1);
    return status;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
    return set(layout, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t computeType, cudaDataType scaleType) {
    cublasStatus_t status = create(desc);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    (*desc)->put(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, computeType);
    (*desc)->put(CUBLASLT_MATMUL_DESC_SCALE_TYPE, scaleType);
    (*desc)->put(CUBLASLT_MATMUL_DESC_FILL_MODE, CUBLAS_FILL_MODE_FULL);
    (*desc)->put(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
    (*desc)->put(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, -1);
    (*desc)->put(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, -1);
    return status;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t bytes) {
    return set(desc, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    cublasStatus_t status = create(preference);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    for (int attribute = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; attribute <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; attribute++)
        (*preference)->put(attribute, 256u);
    return status;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
    return set(preference, attribute, value, bytes);
}
